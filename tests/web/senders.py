"""Every sender with one of its own payloads: the documented examples, and the headers that come with them."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import NamedTuple

from multidict import CIMultiDict

from homeostat.argo.webhooks import WebhookSecrets
from homeostat.loop.pushes import Published, Push
from homeostat.web.webhooks.delivery import Delivery

PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "It's a Secret to Everybody"


class Way(NamedTuple):
    """How a sender proves itself: ``key`` is the key of the secret, which is in the header ``token``, or signs the body in ``signature``."""

    key: str
    signature: str = ""
    token: str = ""
    prefix: str = ""


class Example(NamedTuple):
    """A payload, and what it means. ``way`` is how it is sent."""

    file: str
    sender: str
    headers: dict[str, str]
    told: Push | Published | None
    way: Way
    type: str = ""

    @property
    def body(self) -> bytes:
        return (PAYLOADS / f"{self.file}.json").read_bytes()

    def delivery(self, *, secret: str = "", body: bytes | None = None) -> Delivery:
        """The request; with ``secret`` it proves itself with that one."""
        sent = self.body if body is None else body
        headers = CIMultiDict({"Content-Type": "application/json", **self.headers})
        query = {"type": self.type} if self.type else {}
        if secret and self.way.signature:
            headers[self.way.signature] = self.way.prefix + hmac.new(secret.encode(), sent, "sha256").hexdigest()
        elif secret and self.way.token == "basic":
            headers["Authorization"] = "Basic " + base64.b64encode(f"robot:{secret}".encode()).decode()
        elif secret and self.way.token == "query":
            query["secret"] = secret
        elif secret:
            headers[self.way.token] = self.way.prefix + secret
        return Delivery(headers, query, sent)

    @property
    def secrets(self) -> WebhookSecrets:
        user = {"webhook.azuredevops.username": b"robot"} if self.way.token == "basic" else {}
        return WebhookSecrets({self.way.key: SECRET.encode(), **user})


def push(*addresses: str, references: set[str], default: str = "") -> Push:
    return Push(addresses, frozenset(references), default)


_GITHUB = Way(key="webhook.github.secret", signature="X-Hub-Signature-256", prefix="sha256=")
_GITLAB = Way(key="webhook.gitlab.secret", token="X-Gitlab-Token")
_GITEA = Way(key="webhook.gitea.secret", signature="X-Gitea-Signature")
_HARBOR = Way(key="webhook.harbor.secret", token="Authorization")
_REGISTRY = Way(key="webhook.registry.secret", token="Authorization", prefix="Bearer ")
_DIASPORA = (
    "https://gitlab.example.com/mike/diaspora.git",
    "ssh://git@gitlab.example.com:2222/mike/diaspora.git",
    "https://gitlab.example.com/mike/diaspora",
)
_HELLO = (
    "https://github.com/Codertocat/Hello-World",
    "https://github.com/Codertocat/Hello-World.git",
    "git@github.com:Codertocat/Hello-World.git",
    "git://github.com/Codertocat/Hello-World.git",
)
_WEBHOOKS = ("http://localhost:3000/gitea/webhooks", "http://localhost:3000/gitea/webhooks.git")
_HELLO_CHART = Published(("ghcr.io/codertocat/charts/hello-world", "ghcr.io/Codertocat/charts/hello-world"), frozenset({"1.2.3"}))
_ALPINE = Published(("harbor.example.com/library/alpine",), frozenset({"v3.9"}))

EXAMPLES = (
    Example("github-push", "github", {"X-GitHub-Event": "push"},
            push(*_HELLO, references={"refs/heads/main"}, default="main"), _GITHUB),
    Example("github-ping", "github", {"X-GitHub-Event": "ping"}, None, _GITHUB),
    Example("ghcr-package", "ghcr", {"X-GitHub-Event": "package"}, _HELLO_CHART, _GITHUB),
    Example("ghcr-registry-package", "ghcr", {"X-GitHub-Event": "registry_package"}, _HELLO_CHART, _GITHUB),
    Example("gitlab-push", "gitlab", {"X-Gitlab-Event": "Push Hook"}, push(*_DIASPORA, references={"refs/heads/master"}, default="master"), _GITLAB),
    Example("gitlab-tag", "gitlab", {"X-Gitlab-Event": "Tag Push Hook"}, push(*_DIASPORA, references={"refs/tags/v1.0.0"}, default="master"), _GITLAB),
    Example("gitlab-system", "gitlab", {"X-Gitlab-Event": "System Hook"},
            Push(("http://example.com/jsmith/example.git", "git@example.com:jsmith/example.git", "http://example.com/jsmith/example"),
                 frozenset({"refs/heads/master", "refs/tags/v2"}), "master"), _GITLAB),
    Example("bitbucket-push", "bitbucket", {"X-Event-Key": "repo:push"},
            push("https://bitbucket.org/workspace_name/repo_name", references={"refs/heads/staging", "refs/tags/v3", "refs/heads/gone"}),
            Way("webhook.bitbucket.uuid", token="X-Hook-UUID")),
    Example("bitbucketserver-push", "bitbucketserver", {"X-Event-Key": "repo:refs_changed"},
            push("ssh://git@bitbucket.example.com:7999/project_1/repository.git", "https://bitbucket.example.com/scm/project_1/repository.git",
                 references={"refs/heads/other", "refs/heads/master"}),
            Way("webhook.bitbucketserver.secret", signature="X-Hub-Signature", prefix="sha256=")),
    Example("azuredevops-push", "azuredevops", {"X-Vss-Activityid": "c"},
            push("https://dev.azure.com/fabrikam/Fabrikam%20Fiber/_git/Fabrikam-Fiber-Git",
                 references={"refs/heads/feature", "refs/heads/main"}, default="main"),
            Way("webhook.azuredevops.password", token="basic")),
    Example("gitea-push", "gitea", {"X-Gitea-Event": "push", "X-Gogs-Event": "push", "X-GitHub-Event": "push"},
            push(*_WEBHOOKS, "ssh://gitea@localhost:2222/gitea/webhooks.git", references={"refs/heads/develop"}, default="master"), _GITEA),
    Example("gitea-push", "gitea", {"X-Forgejo-Event": "push", "X-Gitea-Event": "push", "X-Gogs-Event": "push", "X-GitHub-Event": "push"},
            push(*_WEBHOOKS, "ssh://gitea@localhost:2222/gitea/webhooks.git", references={"refs/heads/develop"}, default="master"),
            Way("webhook.gogs.secret", signature="X-Forgejo-Signature")),
    Example("gitea-tag", "gitea", {"X-Gitea-Event": "create", "X-GitHub-Event": "create"},
            push(*_WEBHOOKS, references={"refs/tags/v1.0.0"}, default="master"), _GITEA),
    Example("gitea-package", "gitea", {"X-Gitea-Event": "package"}, Published(("git.example.com/team/charts/shop",), frozenset({"1.4.0"})), _GITEA),
    Example("gitea-push", "gogs", {"X-Gogs-Event": "push", "X-GitHub-Event": "push"},
            push(*_WEBHOOKS, "ssh://gitea@localhost:2222/gitea/webhooks.git", references={"refs/heads/develop"}, default="master"),
            Way("webhook.gogs.secret", signature="X-Gogs-Signature")),
    Example("dockerhub-push", "dockerhub", {}, Published(("docker.io/svendowideit/testhook",), frozenset({"latest"})),
            Way("webhook.dockerhub.secret", token="query"), "dockerhub"),
    Example("harbor-push", "harbor", {}, _ALPINE, _HARBOR, "harbor"),
    Example("harbor-cloudevent", "harbor", {"Content-Type": "application/cloudevents+json"}, _ALPINE, _HARBOR, "harbor"),
    Example("registry-push", "registry", {"Content-Type": "application/vnd.docker.distribution.events.v1+json"},
            Published(("registry.example.com:5000/charts/test", "registry.example.com/charts/test"), frozenset({"1.0.0_build1"})), _REGISTRY),
    Example("registry-azure", "registry", {}, Published(("myregistry.azurecr.io/repo",), frozenset({"wordpress-5.4.0.tgz"})),
            _REGISTRY, "registry"),
)  # fmt: skip
IDS = [f"{example.sender}: {example.file}" for example in EXAMPLES]
