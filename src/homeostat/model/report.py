"""What the loop knows of an app after a look at it: everything that an API package needs to write the app's status.

The loop fills a :class:`Report`; ``argo`` and ``flux`` turn it into their own shapes. How it is written (which words, which patch) is theirs.
"""

from __future__ import annotations

import msgspec

from homeostat.model.health import Health
from homeostat.model.objects import Key
from homeostat.model.sync import History, Operation, OperationState, SyncStatus


class ResourceReport(msgspec.Struct, frozen=True):
    """One object of an app. ``health`` is ``None`` where no rule judges its kind; ``message`` says why it could not be compared.

    ``deleting``: it is on its way out, and there is nothing to do about it but wait. ``asks_before_deletion``: it is neither pruned nor deleted before
    somebody has confirmed that.
    """

    key: Key
    version: str
    status: SyncStatus | None
    health: Health | None = None
    wave: int = 0
    hook: bool = False
    requires_pruning: bool = False
    message: str = ""
    deleting: bool = False
    asks_before_deletion: bool = False


class Condition(msgspec.Struct, frozen=True):
    """Something that a user should know. ``type`` is one of Argo CD's condition types (reference 2.7)."""

    type: str
    message: str


class Report(msgspec.Struct, frozen=True):
    """The state of an app at one moment.

    ``revision`` is the commit that was compared, or what the app asked for when it could not be resolved (of several sources
    :func:`~homeostat.model.sync.joined`); ``source_types`` what its sources were rendered as, "" for one that only others refer to. ``requested`` is the operation that
    is still to be carried out or is under way (``None`` clears it from the resource). ``reconciled_at`` is empty when the sources were not
    looked at anew. ``refreshed`` says that a requested refresh is done and its annotation can go.
    """

    sync: SyncStatus
    health: Health
    revision: str = ""
    source_types: tuple[str, ...] = ()
    resources: tuple[ResourceReport, ...] = ()
    conditions: tuple[Condition, ...] = ()
    state: OperationState | None = None
    requested: Operation | None = None
    history: tuple[History, ...] = ()
    images: tuple[str, ...] = ()
    external_urls: tuple[str, ...] = ()
    reconciled_at: str = ""
    refreshed: bool = False
