"""What the loop remembers of an app between two looks. Nothing here has to survive a restart: it is all asked again (design point 5)."""

from __future__ import annotations

import hashlib

import msgspec
import orjson

from homeostat.compare.drift import Difference, Echo
from homeostat.compare.health.app import Judged
from homeostat.compare.ignore import Ignored
from homeostat.model.manifest import Desired
from homeostat.model.objects import Key, Object
from homeostat.model.report import ResourceReport
from homeostat.model.sync import Plan


class Expected(msgspec.Struct):
    """What the API server said an object will be. ``digest`` is of the desired object that was asked about; ``error`` is its refusal at ``refused_at``.

    ``refused``: desired as it stands was refused; then ``ignored`` are the rules that held, with which it may have been accepted all the same.
    """

    digest: bytes
    echo: Echo | None = None
    error: str = ""
    refused_at: float = 0.0
    refused: bool = False
    ignored: Ignored | None = None


class Wanted(msgspec.Struct, frozen=True):
    """The desired objects of an app at one revision; hooks stand apart, for they are not compared.

    ``basis`` is everything that the rest was made from; ``source_types`` are of each source, "" for one that only others refer to. ``warnings`` are (condition type, message) pairs; ``unknown`` tells of objects whose kind
    the cluster does not know.
    """

    revision: str
    basis: tuple[object, ...]
    source_types: tuple[str, ...]
    objects: dict[Key, Desired]
    digests: dict[Key, bytes]
    hooks: tuple[Desired, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()


class Compared(msgspec.Struct, frozen=True):
    """The outcome for one object: while its ``version`` and everything in ``basis`` stay, so does the rest (design point 4: O(1) per event).

    ``matters`` is false for an extra object that does not make its app OutOfSync; ``problem`` says why it could not be compared; ``shared`` is
    the other app that tracks it.
    """

    version: int
    basis: tuple[object, ...]
    report: ResourceReport
    judged: Judged
    differences: tuple[Difference, ...] = ()
    images: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    matters: bool = True
    problem: str = ""
    shared: str = ""


class Made(msgspec.Struct, frozen=True):
    """The plan of the attempt under way, and what it was made from: it holds as long as that does."""

    basis: tuple[object, ...]
    plan: Plan


class Memory(msgspec.Struct):
    """One app's. ``claims`` is what the index was last told; ``compared`` are the outcomes of the last look.

    ``made`` is the plan of a sync under way, ``wave_at`` the (monotonic) time at which its last wave was carried out.
    ``hooks_failed`` counts the failures of a deletion's hooks in a row, ``hooks_due`` is the (monotonic) time of their next attempt,
    ``hooks_said`` what was told of it.
    """

    app_id: str = ""
    wanted: Wanted | None = None
    expected: dict[Key, Expected] = msgspec.field(default_factory=dict)
    claims: frozenset[Key] = frozenset()
    compared: dict[Key, Compared] = msgspec.field(default_factory=dict)
    made: Made | None = None
    wave_at: float = 0.0
    hooks_failed: int = 0
    hooks_due: float = 0.0
    hooks_said: str = ""


def digest_of(obj: Object) -> bytes:
    """A content address of a desired object: same fields and values, same digest."""
    return hashlib.blake2b(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
