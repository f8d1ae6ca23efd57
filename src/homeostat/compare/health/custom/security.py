"""Certificates, secrets and policies: cert-manager, External Secrets, Sealed Secrets, Vault, Kyverno, Gatekeeper."""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    Conditions,
    Phases,
    RuleFunction,
    by_type,
    held_up,
    kinds,
    waiting_for,
    words,
)
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

READY: Final = Conditions()

# cert-manager.io/docs/reference/api-docs
_ACME = words(healthy="valid", progressing="pending|ready|processing", degraded="invalid|expired|errored")


def external_secret(obj: Object) -> Health:
    """Condition Ready; with `refreshPolicy: OnChange` one that is older than the last refresh says nothing"""
    status = read.mapping(obj, "status")
    ready = read.condition(status, "Ready")
    on_change = read.text(read.mapping(obj, "spec"), "refreshPolicy") == "OnChange"
    # Times are RFC 3339 in UTC and of whole seconds, so they sort as text.
    if ready is None or (on_change and read.text(ready, "lastTransitionTime") < read.text(status, "refreshTime")):
        return Health(PROGRESSING, waiting_for(obj))
    health = READY(obj)
    return health or Health(PROGRESSING, waiting_for(obj))


def cluster_external_secret(obj: Object) -> Health:
    """The last condition: Ready, PartiallyReady or NotReady"""
    for kind, condition in reversed(by_type(read.mapping(obj, "status")).items()):
        message = read.text(condition, "message")
        if condition.get("status") == "True":
            return Health(HEALTHY if kind == "Ready" else DEGRADED, message)
        return Health(DEGRADED if kind == "Ready" and condition.get("status") == "False" else PROGRESSING, message)
    return Health(PROGRESSING, waiting_for(obj))


def valid(obj: Object) -> Health | None:
    """The boolean `status.valid`"""
    held = held_up(obj)
    status = read.mapping(obj, "status")
    if held is not None or status.get("valid") is None:
        return held or Health(PROGRESSING, waiting_for(obj))
    return Health(HEALTHY if read.flag(status, "valid") else DEGRADED, read.text(status, "error"))


def constraint_template(obj: Object) -> Health:
    """`status.created`, and the errors of each pod in `status.byPod`"""
    status = read.mapping(obj, "status")
    for pod in read.items(status, "byPod"):
        for error in read.items(pod, "errors"):
            return Health(DEGRADED, read.text(error, "message"))
    return Health(HEALTHY) if read.flag(status, "created") else Health(PROGRESSING, waiting_for(obj))


def constraint(obj: Object) -> Health:
    """Each pod in `status.byPod` enforces it; its violations are no fault of its own"""
    pods = read.items(read.mapping(obj, "status"), "byPod")
    for pod in pods:
        for error in read.items(pod, "errors"):
            return Health(DEGRADED, read.text(error, "message"))
    if pods and all(read.flag(pod, "enforced") for pod in pods):
        return Health(HEALTHY)
    return Health(PROGRESSING, waiting_for(obj))


KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds("cert-manager.io", "Certificate", Conditions(busy=("Issuing",))),
    **kinds("cert-manager.io", "Issuer ClusterIssuer", READY),
    **kinds("cert-manager.io", "CertificateRequest", Conditions(bad=("Denied", "InvalidRequest"), reasons={"Pending": PROGRESSING})),
    **kinds("acme.cert-manager.io", "Order Challenge", Phases(words=_ACME, path=("status", "state"), said=("status", "reason"))),
    **kinds("trust.cert-manager.io", "Bundle", Conditions(good=("Synced",))),
    # external-secrets.io/latest/api/spec
    **kinds("external-secrets.io", "ExternalSecret", external_secret),
    **kinds("external-secrets.io", "ClusterExternalSecret", cluster_external_secret),
    **kinds("external-secrets.io", "SecretStore ClusterSecretStore PushSecret", READY),
    **kinds("bitnami.com", "SealedSecret", Conditions(good=("Synced",))),
    **kinds("secrets.hashicorp.com", "VaultAuth VaultConnection", valid),
    # kyverno.io/docs/policy-types
    **kinds("kyverno.io", "ClusterPolicy Policy", READY),
    **kinds("templates.gatekeeper.sh", "ConstraintTemplate", constraint_template),
}
