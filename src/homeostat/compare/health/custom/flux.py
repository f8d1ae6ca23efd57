"""Flux's kinds (fluxcd.io/flux/components): one shape, which Flux shares with kstatus. The message is the reason, as in Argo CD."""

from __future__ import annotations

from typing import Final

from homeostat.compare.health import read
from homeostat.compare.health.shapes import HEALTHY, PROGRESSING, Conditions, RuleFunction, held_up, kinds
from homeostat.model.health import Health
from homeostat.model.objects import GroupKind, Object

_SUSPEND: Final = ("spec", "suspend")
_TOOLKIT = Conditions(bad=("Stalled",), suspend=_SUSPEND, tell="reason")
# These two report Ready=False, not Unknown, while they look at a registry.
_IMAGES = Conditions(
    bad=("Stalled",),
    suspend=_SUSPEND,
    tell="reason",
    reasons={"NewGeneration": PROGRESSING, "Scanning": PROGRESSING, "AccessingRepository": PROGRESSING, "ApplyingPolicy": PROGRESSING},
)
# Since v1beta3 nobody reports anything about alerts and their providers.
_NOTIFICATION = Conditions(suspend=_SUSPEND, tell="reason", absent=None)


def helm_repository(obj: Object) -> Health | None:
    """Conditions Ready, Stalled; one of type `oci` has no status and is Healthy; `spec.suspend`"""
    if read.text(read.mapping(obj, "spec"), "type") == "oci":
        return held_up(obj, _SUSPEND) or Health(HEALTHY, "A repository of type oci has no status")
    return _TOOLKIT(obj)


KINDS: Final[dict[GroupKind, RuleFunction]] = {
    **kinds("kustomize.toolkit.fluxcd.io", "Kustomization", _TOOLKIT),
    **kinds("helm.toolkit.fluxcd.io", "HelmRelease", _TOOLKIT),
    **kinds("source.toolkit.fluxcd.io", "GitRepository OCIRepository HelmChart Bucket", _TOOLKIT),
    **kinds("source.toolkit.fluxcd.io", "HelmRepository", helm_repository),
    **kinds("image.toolkit.fluxcd.io", "ImageRepository ImagePolicy", _IMAGES),
    **kinds("image.toolkit.fluxcd.io", "ImageUpdateAutomation", _TOOLKIT),
    **kinds("notification.toolkit.fluxcd.io", "Receiver", _TOOLKIT),
    **kinds("notification.toolkit.fluxcd.io", "Alert Provider", _NOTIFICATION),
    **kinds("fluxcd.controlplane.io", "FluxInstance ResourceSet", Conditions(bad=("Stalled",), tell="reason")),
}
