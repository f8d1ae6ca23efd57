"""Resources: how a kind is reached over the API, as discovery told it. Finding them out is ``live/discovery.py``'s business."""

from __future__ import annotations

import msgspec

from homeostat.model.objects import GroupKind


class Resource(msgspec.Struct, frozen=True):
    """One kind at one version. ``plural`` is its name in URLs; ``verbs`` are those of the kind itself, not of its subresources."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    short_names: tuple[str, ...] = ()

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def watchable(self) -> bool:
        return "list" in self.verbs and "watch" in self.verbs

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural
