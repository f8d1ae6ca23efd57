"""Who sends webhooks, how they are told apart, and what each proves itself with. The order matters: Gitea, Forgejo and Gogs also send GitHub's headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.loop.pushes import Published, Push
from homeostat.web.webhooks import forges, registries
from homeostat.web.webhooks.delivery import Delivery
from homeostat.web.webhooks.proofs import AllThatAreSet, Basic, Proof, Query, Signature, Token

Told = Push | Published | None


class Sender(NamedTuple):
    """``name`` stands in messages and metrics. ``delivery`` are headers with the number of a delivery, the first that is there counts; without any, the
    payload holds a number or a time.

    ``open``: without a secret it is believed, as Argo CD does it.
    """

    name: str
    proof: Proof
    read: Callable[[Delivery], Told]
    delivery: tuple[str, ...] = ()
    open: bool = True


_HUB = (("X-Hub-Signature-256", "sha256", "sha256="), ("X-Hub-Signature", "sha1", "sha1="))

GITHUB = Sender("github", Signature("webhook.github.secret", headers=_HUB), forges.github, ("X-GitHub-Delivery",))
GHCR = Sender("ghcr", Signature("webhook.github.secret", headers=_HUB), registries.ghcr, ("X-GitHub-Delivery",))
_GITEA_PROOF = Signature(
    "webhook.gitea.secret",
    "webhook.gogs.secret",  # what Argo CD takes Gitea for
    headers=(
        ("X-Forgejo-Signature", "sha256", ""),
        ("X-Gitea-Signature", "sha256", ""),
        ("X-Gogs-Signature", "sha256", ""),
        ("X-Hub-Signature-256", "sha256", "sha256="),
    ),
)
_GITEA_DELIVERY = ("X-Forgejo-Delivery", "X-Gitea-Delivery")
GITEA = Sender("gitea", _GITEA_PROOF, forges.gitea, _GITEA_DELIVERY)
GITEA_PACKAGES = Sender("gitea", _GITEA_PROOF, registries.gitea, _GITEA_DELIVERY)
GOGS = Sender("gogs", Signature("webhook.gogs.secret", headers=(("X-Gogs-Signature", "sha256", ""),)), forges.gogs, ("X-Gogs-Delivery",))
GITLAB = Sender("gitlab", Token("webhook.gitlab.secret", "X-Gitlab-Token"), forges.gitlab, ("Idempotency-Key", "X-Gitlab-Event-UUID"))
BITBUCKET = Sender(
    "bitbucket",
    AllThatAreSet(
        Token("webhook.bitbucket.uuid", "X-Hook-UUID", braces=True),
        Signature("webhook.bitbucket.secret", headers=(("X-Hub-Signature", "sha256", "sha256="),)),
    ),
    forges.bitbucket,
    ("X-Request-UUID",),
)
BITBUCKET_SERVER = Sender(
    "bitbucketserver",
    Signature("webhook.bitbucketserver.secret", headers=(("X-Hub-Signature", "sha256", "sha256="),)),
    forges.bitbucket_server,
    ("X-Request-Id",),
)
AZURE = Sender("azuredevops", Basic("webhook.azuredevops.username", "webhook.azuredevops.password"), forges.azure)
DOCKER_HUB = Sender("dockerhub", Query("webhook.dockerhub.secret", "secret"), registries.docker_hub)
HARBOR = Sender("harbor", Token("webhook.harbor.secret", "Authorization", scheme="Bearer "), registries.harbor, open=False)
REGISTRY = Sender("registry", Token("webhook.registry.secret", "Authorization", scheme="Bearer "), registries.distribution, open=False)

_BY_HEADER = (
    ("X-Vss-Activityid", AZURE),
    ("X-Forgejo-Event", GITEA),
    ("X-Gitea-Event", GITEA),
    ("X-Gogs-Event", GOGS),
    ("X-GitHub-Event", GITHUB),
    ("X-Gitlab-Event", GITLAB),
    ("X-Hook-UUID", BITBUCKET),
    ("X-Event-Key", BITBUCKET_SERVER),
)
_BY_EVENT = {
    ("github", "package"): GHCR,
    ("github", "registry_package"): GHCR,
    ("gitea", "package"): GITEA_PACKAGES,
    ("bitbucketserver", "repo:push"): BITBUCKET,
}
_BY_TYPE = {"dockerhub": DOCKER_HUB, "harbor": HARBOR, "registry": REGISTRY, "azuredevops": AZURE}


def recognise(delivery: Delivery, secrets: WebhookSecrets) -> Sender | None:
    """Who sent it, by headers and query alone."""
    for header, sender in _BY_HEADER:
        event = delivery.header(header)
        if event:
            return _BY_EVENT.get((sender.name, event), sender)
    named = _BY_TYPE.get(delivery.query.get("type", ""))
    if named is not None:
        return named
    if delivery.content_type in registries.EVENTS_TYPES:
        return REGISTRY
    # Harbor has no header of its own: Argo CD knows it by what it proves itself with.
    return HARBOR if HARBOR.proof.is_plausible(delivery, secrets) else None
