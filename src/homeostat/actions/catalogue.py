"""Which scripts a kind has: the operator's, ours, or both.

Order (reference 1.7): the operator's entry for exactly this kind, else the first of theirs whose globs match. It replaces our scripts unless it
says ``mergeBuiltinActions``; a name that it offers and does not define is carried out by ours. Our own scripts are the files in ``scripts/``:
``<group>/<Kind>/discovery.lua`` and ``actions/<name>.lua``, after ``common.lua``. Running them is ``engine.py``'s business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from homeostat.model.glob import matches
from homeostat.model.objects import GroupKind
from homeostat.model.settings import ActionScripts

SCRIPTS: Final = Path(__file__).parent / "scripts"

SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "flux/reconciled": (
        "helm.toolkit.fluxcd.io/HelmRelease",
        "image.toolkit.fluxcd.io/ImageRepository",
        "image.toolkit.fluxcd.io/ImageUpdateAutomation",
        "kustomize.toolkit.fluxcd.io/Kustomization",
        "notification.toolkit.fluxcd.io/Receiver",
        "source.toolkit.fluxcd.io/Bucket",
        "source.toolkit.fluxcd.io/GitRepository",
        "source.toolkit.fluxcd.io/HelmChart",
        "source.toolkit.fluxcd.io/HelmRepository",
        "source.toolkit.fluxcd.io/OCIRepository",
    ),
    "flux/notices": ("notification.toolkit.fluxcd.io/Alert", "notification.toolkit.fluxcd.io/Provider"),
    "strimzi/paused": (
        "kafka.strimzi.io/Kafka",
        "kafka.strimzi.io/KafkaBridge",
        "kafka.strimzi.io/KafkaConnect",
        "kafka.strimzi.io/KafkaMirrorMaker2",
        "kafka.strimzi.io/KafkaTopic",
        "kafka.strimzi.io/KafkaUser",
    ),
    "crossplane/managed": ("*.crossplane.io/*", "*.upbound.io/*"),
}
"""Folders whose scripts serve several kinds, which may be globs."""

_COMMON: Final = "common.lua"


class Offer(msgspec.Struct, frozen=True):
    """The scripts of one kind. Of ``discoveries`` the first that names an action has its say; ``definitions`` are by the action's name.

    ``custom`` are the names whose script is the operator's.
    """

    discoveries: tuple[str, ...]
    definitions: Mapping[str, str]
    custom: frozenset[str] = frozenset()


Builtin = Mapping[str, Offer]
"""By ``group/Kind``, which may be a glob."""


def load() -> Builtin:
    """Our own scripts. Reads some hundred small files: call it where that blocks nobody."""
    common = (SCRIPTS / _COMMON).read_text()
    found: dict[str, Offer] = {}
    for discovery in sorted(SCRIPTS.glob("*/*/discovery.lua")):
        folder = discovery.parent
        name = folder.relative_to(SCRIPTS).as_posix()
        definitions = {path.stem: common + path.read_text() for path in sorted(folder.glob("actions/*.lua"))}
        offer = Offer((common + discovery.read_text(),), definitions)
        for kind in SHARED.get(name, (name,)):
            found[kind] = offer
    return found


def find(group_kind: GroupKind, *, builtin: Builtin, custom: Sequence[ActionScripts]) -> Offer | None:
    """The scripts for a kind; ``None`` when there are none."""
    ours = _builtin(group_kind, builtin)
    theirs = _custom(group_kind, custom)
    if theirs is None:
        return ours
    discovery = theirs.discovery or _offer_all(theirs)
    merged = ours if theirs.merge_builtin else None
    return Offer(
        discoveries=(discovery, *(merged.discoveries if merged else ())),
        definitions={**(ours.definitions if ours else {}), **theirs.definitions},
        custom=frozenset(theirs.definitions),
    )


def _custom(group_kind: GroupKind, custom: Sequence[ActionScripts]) -> ActionScripts | None:
    for one in custom:
        if (one.group, one.kind) == group_kind:
            return one
    return next((one for one in custom if matches(str(GroupKind(one.group, one.kind)), str(group_kind))), None)


def _builtin(group_kind: GroupKind, builtin: Builtin) -> Offer | None:
    name = str(group_kind)
    exact = builtin.get(name)
    return exact or next((offer for pattern, offer in builtin.items() if matches(pattern, name, "/")), None)


def _offer_all(scripts: ActionScripts) -> str:
    """The discovery of one who wrote none: every action, always."""
    names = ", ".join(f"[{_quoted(name)}] = {{}}" for name in sorted(scripts.definitions))
    return f"return {{{names}}}"


def _quoted(text: str) -> str:
    """A Lua string of any text."""
    return '"' + "".join(f"\\{byte:03d}" for byte in text.encode()) + '"'
