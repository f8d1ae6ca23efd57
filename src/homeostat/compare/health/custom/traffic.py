"""What brings requests to workloads: Gateway API, Istio, Knative, Contour, GKE's certificates, OpenShift's routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.read import Fields
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


def gateway_class(obj: Object) -> Health:
    """Condition Accepted, of the present generation"""
    accepted = _present(obj, read.items(read.mapping(obj, "status"), "conditions")).get("Accepted", {})
    message = read.text(accepted, "message")
    if accepted.get("status") == "True":
        return Health(HEALTHY, message)
    return Health(DEGRADED if accepted.get("status") == "False" else PROGRESSING, message or waiting_for(obj))


def gateway(obj: Object) -> Health:
    """Conditions Accepted, ResolvedRefs, Programmed of itself and of each listener"""
    status = read.mapping(obj, "status")
    listeners = read.items(status, "listeners")
    found = _present(obj, read.items(status, "conditions"))
    places = [("", found)] + [(f"listener {read.text(one, 'name')}: ", _present(obj, read.items(one, "conditions"))) for one in listeners]
    return _worst(places) or (Health(HEALTHY) if found else Health(PROGRESSING, waiting_for(obj)))


def route(obj: Object) -> Health:
    """Conditions Accepted, ResolvedRefs, Programmed of each parent, of the present generation"""
    return _by_parents(obj, read.items(read.mapping(obj, "status"), "parents"), "parentRef")


def policy(obj: Object) -> Health | None:
    """Conditions Accepted, ResolvedRefs of each ancestor, of the present generation; without any no health"""
    if not read.items(read.mapping(obj, "status"), "ancestors"):
        return None
    return _by_parents(obj, read.items(read.mapping(obj, "status"), "ancestors"), "ancestorRef")


def _by_parents(obj: Object, parents: list[Fields], ref: str) -> Health:
    places = [(f"{read.text(read.mapping(one, ref), 'name')}: ", _present(obj, read.items(one, "conditions"))) for one in parents]
    known = [(place, found) for place, found in places if found]
    return _worst(known) or (Health(HEALTHY) if known else Health(PROGRESSING, waiting_for(obj)))


def _present(obj: Object, conditions: Iterable[Fields]) -> dict[object, Fields]:
    """The conditions that speak of the present generation: here each one carries its own, and the API demands it."""
    generation = read.number(read.mapping(obj, "metadata"), "generation")
    return {
        found.get("type"): found
        for found in conditions
        if not generation or (read.maybe_number(found, "observedGeneration") or generation) >= generation
    }


def _worst(places: list[tuple[str, dict[object, Fields]]]) -> Health | None:
    for place, found in places:
        for kind in ("ResolvedRefs", "Accepted"):
            if kind in found and found[kind].get("status") == "False":
                return Health(DEGRADED, place + read.text(found[kind], "message"))
    for place, found in places:
        if "Programmed" in found and found["Programmed"].get("status") != "True":
            return Health(PROGRESSING, place + read.text(found["Programmed"], "message"))
    return None


def istio(obj: Object) -> Health | None:
    """Analysis messages of level Error, condition Reconciled; without a status (Istio's default) no health"""
    status = read.mapping(obj, "status")
    if not status:
        return None
    for message in read.items(status, "validationMessages"):
        if read.text(message, "level").upper() == "ERROR":
            kind = read.mapping(message, "type")
            return Health(DEGRADED, f"{read.text(kind, 'code')} {read.text(kind, 'name')}".strip())
    held = held_up(obj)
    reconciled = read.condition(status, "Reconciled")
    if held is None and reconciled is None:
        return None
    if reconciled is not None and reconciled.get("status") != "True":
        return Health(PROGRESSING, read.text(reconciled, "message"))
    return held or Health(HEALTHY)


def openshift_route(obj: Object) -> Health:
    """Condition Admitted of each router in `status.ingress`"""
    routers = read.items(read.mapping(obj, "status"), "ingress")
    for router in routers:
        admitted = read.condition(router, "Admitted") or {}
        if admitted.get("status") != "True":
            return Health(
                DEGRADED if admitted.get("status") == "False" else PROGRESSING,
                read.text(admitted, "message") or read.text(admitted, "reason"),
            )
    return Health(HEALTHY) if routers else Health(PROGRESSING, waiting_for(obj))


def managed_certificate(obj: Object) -> Health:
    """`status.certificateStatus`; a domain that is FailedNotVisible is Degraded"""
    status = read.mapping(obj, "status")
    for domain in read.items(status, "domainStatus"):
        if domain.get("status") == "FailedNotVisible":
            return Health(DEGRADED, f"{read.text(domain, 'domain')}: FailedNotVisible")
    word = read.text(status, "certificateStatus")
    return Health(HEALTHY if word == "Active" else PROGRESSING, word or waiting_for(obj))


def knative_service(obj: Object) -> Health:
    """Conditions Ready, ConfigurationsReady, RoutesReady; any that is False is Degraded"""
    held = held_up(obj)
    if held is not None:
        return held
    found = by_type(read.mapping(obj, "status"))
    for value, health in (("False", DEGRADED), ("Unknown", PROGRESSING)):
        for kind, condition in found.items():
            if condition.get("status") == value:
                said = read.text(condition, "message") or read.text(condition, "reason")
                return Health(health, f"{kind}: {said}" if said else str(kind))
    if all(kind in found for kind in ("Ready", "ConfigurationsReady", "RoutesReady")):
        return Health(HEALTHY)
    return Health(PROGRESSING, waiting_for(obj))


READY: Final = Conditions()
_ISTIO = "DestinationRule EnvoyFilter Gateway ServiceEntry Sidecar VirtualService WorkloadEntry"

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    # gateway-api.sigs.k8s.io/geps/gep-1364 (status and conditions)
    **kinds("gateway.networking.k8s.io", "GatewayClass", gateway_class),
    **kinds("gateway.networking.k8s.io", "Gateway", gateway),
    **kinds("gateway.networking.k8s.io", "HTTPRoute GRPCRoute TLSRoute TCPRoute UDPRoute", route),
    **kinds("gateway.networking.k8s.io", "BackendTLSPolicy", policy),
    # istio.io/latest/docs/reference/config/meta/v1beta1/istio-status
    **kinds("networking.istio.io", _ISTIO, istio),
    **kinds("security.istio.io", "AuthorizationPolicy PeerAuthentication RequestAuthentication", istio),
    # knative.dev/docs: a type is Ready, and what that rests on has conditions of its own
    **kinds("serving.knative.dev", "Service", knative_service),
    **kinds("serving.knative.dev", "Configuration DomainMapping Revision Route", READY),
    **kinds("eventing.knative.dev", "Broker Trigger", READY),
    **kinds("messaging.knative.dev", "Channel InMemoryChannel Subscription", READY),
    **kinds("sources.knative.dev", "ApiServerSource ContainerSource PingSource SinkBinding", READY),
    **kinds("operator.knative.dev", "KnativeEventing KnativeServing", READY),
    # projectcontour.io/docs/main/config/api: the word is for people, and one of three
    **kinds(
        "projectcontour.io",
        "HTTPProxy",
        Phases(
            words=words(healthy="valid", progressing="NotReconciled", degraded="invalid|orphaned"),
            path=("status", "currentStatus"),
            said=("status", "description"),
        ),
    ),
    **kinds("networking.gke.io", "ManagedCertificate", managed_certificate),
    **kinds("route.openshift.io", "Route", openshift_route),
}
