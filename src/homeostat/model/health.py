"""Health: whether a live object, and so its app, is doing its job.

The words and their order are Argo CD's (``gitops-engine/pkg/health``). The rules per kind are in ``compare/health/``.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class HealthStatus(StrEnum):
    """In order from best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


_RANK = {status: rank for rank, status in enumerate(HealthStatus)}


class Health(msgspec.Struct, frozen=True):
    status: HealthStatus
    message: str = ""


def worst(statuses: Iterable[HealthStatus]) -> HealthStatus:
    """The worst of ``statuses``; Healthy when there are none."""
    return max(statuses, key=_RANK.__getitem__, default=HealthStatus.HEALTHY)


def is_worse(status: HealthStatus, than: HealthStatus) -> bool:
    return _RANK[status] > _RANK[than]
