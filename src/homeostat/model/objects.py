"""Kubernetes objects as plain JSON data, and the names by which they are known.

Other people's objects stay dictionaries, so that a field nobody here has heard of survives. What knows about one kind in particular (its
health, its schema) does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Object = dict[str, Any]


class GroupKind(NamedTuple):
    """The kind of an object without its version. ``group`` is empty for the core API."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}" if self.group else self.kind


class Key(NamedTuple):
    """What identifies an object in a cluster. ``namespace`` is empty for a cluster-scoped one. Sorts as Argo CD sorts resources."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def group_kind(self) -> GroupKind:
        return GroupKind(self.group, self.kind)

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def split_api_version(api_version: str) -> tuple[str, str]:
    """``apps/v1`` → ``("apps", "v1")``; ``v1`` → ``("", "v1")``."""
    group, _, version = api_version.rpartition("/")
    return group, version


def key_of(obj: Mapping[str, Any]) -> Key:
    """The key of an object; missing parts are empty strings."""
    metadata = obj.get("metadata") or {}
    group, _ = split_api_version(obj.get("apiVersion") or "")
    return Key(group, obj.get("kind") or "", metadata.get("namespace") or "", metadata.get("name") or "")


def version_of(obj: Mapping[str, Any]) -> str:
    return split_api_version(obj.get("apiVersion") or "")[1]


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}
