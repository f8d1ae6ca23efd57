"""The ``operation`` field: what a user, a tool or the controller asks to be done once, and its parts that the spec shares."""

from __future__ import annotations

from homeostat.argo.types.base import Wire
from homeostat.argo.types.source import ApplicationSource


class Info(Wire, frozen=True):
    """A name and a value that mean something to people."""

    name: str
    value: str


class Backoff(Wire, frozen=True):
    """Waits between attempts: durations such as ``5s``, ``3m``, or a bare number of seconds."""

    duration: str = ""
    factor: int | None = None
    max_duration: str = ""


class RetryStrategy(Wire, frozen=True):
    """How a failed sync is tried again. A ``limit`` below 0 is without end."""

    limit: int = 0
    backoff: Backoff | None = None
    refresh: bool = False


class Initiator(Wire, frozen=True):
    """Who asked for an operation."""

    username: str = ""
    automated: bool = False


class SyncResource(Wire, frozen=True):
    """One object of a partial sync."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""
    exclude: bool = False


class StrategyOptions(Wire, frozen=True):
    """Whether objects that cannot be changed are deleted and made anew."""

    force: bool = False


class SyncStrategy(Wire, frozen=True):
    """``apply`` leaves hooks out, ``hook`` (the default) runs them."""

    apply: StrategyOptions | None = None
    hook: StrategyOptions | None = None


class SyncOperation(Wire, frozen=True):
    """A sync as it is asked for."""

    revision: str = ""
    prune: bool = False
    dry_run: bool = False
    sync_strategy: SyncStrategy | None = None
    resources: tuple[SyncResource, ...] = ()
    source: ApplicationSource | None = None
    manifests: tuple[str, ...] = ()
    sync_options: tuple[str, ...] = ()
    sources: tuple[ApplicationSource, ...] = ()
    revisions: tuple[str, ...] = ()
    auto_heal_attempts_count: int = 0


class Operation(Wire, frozen=True):
    """Something to be done once. Writing this field is how a sync is asked for."""

    sync: SyncOperation | None = None
    initiated_by: Initiator | None = None
    info: tuple[Info, ...] = ()
    retry: RetryStrategy | None = None
