"""Live objects as the steps of a sync or of a deletion see them: health, marks, who holds them. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.compare.health.scripts import Judge
from homeostat.live.index import Index
from homeostat.model.hooks import RUN, has_finalizer
from homeostat.model.objects import Key, annotations_of
from homeostat.sync.step import LiveHealth, Observed


async def observe(index: Index, judge: Judge, keys: Iterable[Key], *, app_id: str) -> LiveHealth:
    """What the index has under ``keys``, for the app ``app_id``."""
    observed: dict[Key, Observed | None] = {}
    for key in keys:
        live, node = index.get(key), index.node(key)
        if live is None or node is None:
            observed[key] = None
            continue
        metadata = live["metadata"]
        observed[key] = Observed(
            health=await judge.gate(live),
            deleting="deletionTimestamp" in metadata,
            uid=metadata.get("uid", ""),
            run=annotations_of(live).get(RUN, ""),
            held=has_finalizer(live),
            foreign=node.app not in {"", app_id},
        )
    return observed.get
