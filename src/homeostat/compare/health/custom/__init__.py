"""The rules for custom resources that many clusters run, by subject: our own, from what the projects document about their statuses.

Where Argo CD has a rule, ours comes to the same health. A module lists its kinds in ``KINDS``; a kind that a shape (``shapes``) describes is
a line there, another has a function above it, whose docstring is what docs/health.md says of the kind. A custom resource that is not listed
is judged by ``kstatus``.
"""

from __future__ import annotations

from typing import Final

from homeostat.compare.health.custom import argo, databases, flux, observing, platform, running, security, storing, traffic
from homeostat.compare.health.shapes import RuleFunction
from homeostat.model.objects import GroupKind

KINDS: Final[dict[GroupKind, RuleFunction]] = {
    kind: rule
    for module in (argo, databases, flux, observing, platform, running, security, storing, traffic)
    for kind, rule in module.KINDS.items()
}

GROUPS: Final[tuple[tuple[str, RuleFunction], ...]] = (
    (".crossplane.io", platform.crossplane),
    (".upbound.io", platform.crossplane),
    (".cnrm.cloud.google.com", platform.config_connector),
    (".services.k8s.aws", platform.ack),
    (".azure.com", platform.azure),
    ("constraints.gatekeeper.sh", security.constraint),
)
"""Rules for all other kinds of the groups that end so."""
