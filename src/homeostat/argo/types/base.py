"""What all structs of the API have in common: names on the wire, what is left out, how a time or a free-form object is written."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

_IRREGULAR = {
    "repo_url": "repoURL",
    "external_urls": "externalURLs",
    "dry_sha": "drySHA",
    "hydrated_sha": "hydratedSHA",
    "key_id": "keyID",
}


def wire_name(field: str) -> str:
    """``target_revision`` → ``targetRevision``, and Argo CD's irregular ones (``repoURL``)."""
    if field in _IRREGULAR:
        return _IRREGULAR[field]
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name):
    """Base of every struct that stands for a piece of a resource. Unknown fields are passed over, defaults are not written."""


Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339 in UTC with whole seconds."""

FreeObject = dict[str, Any]
"""Any JSON object: kept as it is (``valuesObject``, generators, templates)."""

IntOrString = int | str
