"""What comes over the wire, decoded no further than needed.

Most objects that a watch brings belong to nobody we manage. Their metadata is decoded into structs and the rest skipped, which is several times
quicker than building dictionaries; the body stays bytes until someone asks for it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from homeostat.model.objects import Key, Object, split_api_version
from homeostat.model.resources import Resource


class Owner(msgspec.Struct, gc=False):
    """One of ``metadata.ownerReferences``."""

    uid: str = ""


class Meta(msgspec.Struct, rename="camel"):
    """The part of ``metadata`` that the index lives on."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = None


class Head(msgspec.Struct, rename="camel"):
    """An object without its body."""

    api_version: str = ""
    kind: str = ""
    metadata: Meta = msgspec.field(default_factory=Meta)


class ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """One page of a list. Items of built-in kinds have neither ``apiVersion`` nor ``kind``."""

    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[msgspec.Raw] | None = None


class Event(msgspec.Struct):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


decode_head = msgspec.json.Decoder(Head).decode
decode_page = msgspec.json.Decoder(Page).decode
decode_event = msgspec.json.Decoder(Event).decode


class Seen(msgspec.Struct, gc=False):
    """An object as a list or a watch brought it: its key, its metadata, and its JSON in ``raw``.

    ``version`` is the resource version as a number, 0 where the server's is none (some aggregated servers).
    """

    key: Key
    head: Head
    raw: bytes
    version: int

    @property
    def uid(self) -> str:
        return self.head.metadata.uid

    @property
    def object(self) -> Object:
        """The whole object, decoded anew at each call."""
        return orjson.loads(self.raw)  # type: ignore[no-any-return]


def seen(raw: bytes | memoryview, resource: Resource | None = None) -> Seen:
    """Reads the head of an object. ``resource`` fills in what list items of built-in kinds leave out.

    Raises ``msgspec.DecodeError`` when it is no Kubernetes object.
    """
    head = decode_head(raw)
    body = bytes(raw)
    if resource is not None and not head.kind:
        head.api_version, head.kind = resource.api_version, resource.kind
        rest = body.lstrip()[1:]
        comma = b"" if rest.lstrip()[:1] == b"}" else b","
        body = b'{"apiVersion":"%b","kind":"%b"%b%b' % (resource.api_version.encode(), resource.kind.encode(), comma, rest)
    metadata = head.metadata
    group, _ = split_api_version(head.api_version)
    return Seen(Key(group, head.kind, metadata.namespace, metadata.name), head, body, number(metadata.resource_version))


def seen_object(obj: Object) -> Seen:
    """The same for an object that is decoded already, such as the answer to a write."""
    return seen(orjson.dumps(obj))


def gone(resource: Resource, key: Key, uid: str, version: int) -> Seen:
    """What is left to say of an object that disappeared while nobody watched: no more than who it was."""
    metadata: dict[str, Any] = {"name": key.name, "uid": uid, "resourceVersion": str(version)}
    if key.namespace:
        metadata["namespace"] = key.namespace
    return seen_object({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata})


def number(resource_version: str) -> int:
    """Resource versions of one kind compare as numbers (KEP-5504); 0 for what is none."""
    return int(resource_version) if resource_version.isdecimal() else 0
