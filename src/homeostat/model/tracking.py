"""How an object in a cluster says which app it belongs to: Argo CD's tracking annotation, label, or both.

Pure: builds the marks, reads them, tells whether an object is really the one its mark speaks of. Which app wins when two claim one object,
and the index from key to app, do not belong here. Rules: ``util/argo/resource_tracking.go`` of Argo CD.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from homeostat.model.errors import InvalidError
from homeostat.model.objects import Key, Object, split_api_version

TRACKING_ID = "argocd.argoproj.io/tracking-id"
INSTALLATION_ID = "argocd.argoproj.io/installation-id"
INSTANCE_LABEL = "app.kubernetes.io/instance"

LABEL_LENGTH = 63
"""Kubernetes allows no longer label value."""


class TrackingMethod(StrEnum):
    """The values of ``application.resourceTrackingMethod``; the annotation is the default."""

    ANNOTATION = "annotation"
    LABEL = "label"
    ANNOTATION_AND_LABEL = "annotation+label"


class TrackingId(NamedTuple):
    """The parts of a tracking annotation, ``<app>:<group>/<kind>:<namespace>/<name>``.

    ``namespace`` is the destination's for a cluster-scoped object: whoever renders does not know the scope of a kind.
    """

    app: str
    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.app}:{self.group}/{self.kind}:{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, value: str) -> TrackingId | None:
        """The id that ``value`` spells, or ``None`` when it is none. A name may hold colons (``system:node``), an app cannot."""
        app, _, rest = value.partition(":")
        kind, _, name = rest.partition(":")
        if kind.count("/") != 1 or name.count("/") != 1:
            return None
        group, _, kind = kind.partition("/")
        namespace, _, name = name.partition("/")
        return cls(app, group, kind, namespace, name)

    def speaks_of(self, key: Key) -> bool:
        """False when the mark was copied from another object; such a one is nobody's to prune. Cluster-scoped keys match any namespace."""
        return (
            key.name == self.name
            and key.kind == self.kind
            and key.group == self.group
            and (not key.namespace or key.namespace == self.namespace)
        )


class Tracking(msgspec.Struct, frozen=True):
    """The tracking settings of one installation. ``installation_id`` must match, when set, so that two of them can share a cluster."""

    method: TrackingMethod = TrackingMethod.ANNOTATION
    label_key: str = INSTANCE_LABEL
    installation_id: str = ""

    def app_of(self, obj: Mapping[str, Any]) -> str:
        """The id of the app that claims ``obj`` (any mapping with ``metadata``), or ``""``. Copied marks count: see :meth:`is_own`."""
        metadata = obj.get("metadata") or {}
        if self.method is TrackingMethod.LABEL:
            return (metadata.get("labels") or {}).get(self.label_key) or ""
        tracked = self.id_of(metadata.get("annotations") or {})
        return tracked.app if tracked else ""

    def id_of(self, annotations: Mapping[str, str]) -> TrackingId | None:
        """The tracking id among ``annotations``, when it is of this installation."""
        value = annotations.get(TRACKING_ID)
        if not value or annotations.get(INSTALLATION_ID, "") != self.installation_id:
            return None
        return TrackingId.parse(value)

    def is_own(self, key: Key, annotations: Mapping[str, str]) -> bool:
        """Whether the mark on the object ``key`` speaks of this very object. A label cannot tell, so it is believed."""
        if self.method is TrackingMethod.LABEL:
            return True
        tracked = self.id_of(annotations)
        return tracked is None or tracked.speaks_of(key)

    def mark(self, obj: Object, *, app_id: str, namespace: str) -> None:
        """Claims ``obj`` for the app, in place. ``namespace`` is the destination's. CustomResourceDefinitions are left as they are.

        Raises :class:`InvalidError` when the labels or annotations of ``obj`` are no mapping.
        """
        group, _ = split_api_version(obj.get("apiVersion") or "")
        kind = obj.get("kind") or ""
        if kind == "CustomResourceDefinition" and group == "apiextensions.k8s.io":
            return
        metadata = obj["metadata"]
        if self.method is not TrackingMethod.LABEL:
            annotations = _texts(metadata, "annotations")
            annotations[TRACKING_ID] = f"{app_id}:{group}/{kind}:{metadata.get('namespace') or namespace}/{metadata.get('name') or ''}"
            if self.installation_id:
                annotations[INSTALLATION_ID] = self.installation_id
            else:
                annotations.pop(INSTALLATION_ID, None)
        if self.method is TrackingMethod.LABEL:
            _texts(metadata, "labels")[self.label_key] = app_id
        elif self.method is TrackingMethod.ANNOTATION_AND_LABEL:
            _texts(metadata, "labels")[self.label_key] = shorten(app_id)


def shorten(app_id: str) -> str:
    """``app_id`` as a label value: 63 characters at most, ending in a letter or digit."""
    if len(app_id) <= LABEL_LENGTH:
        return app_id
    short = app_id[:LABEL_LENGTH]
    while short and not (short[-1].isascii() and short[-1].isalnum()):
        short = short[:-1]
    return short


def _texts(metadata: dict[str, Any], field: str) -> dict[str, Any]:
    texts = metadata.get(field)
    if texts is None:
        texts = metadata[field] = {}
    elif not isinstance(texts, dict):
        raise InvalidError(f"metadata.{field}: expected a mapping of strings, found {type(texts).__name__}")
    return texts
