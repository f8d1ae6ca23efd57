"""Operations as they are asked for: the ``operation`` field of an Application, from the options of a verb. Pure but for the request itself.

The shapes are Argo CD's (reference 1.1). What an operation may ask for is decided by the controller, whose answer stands in the status.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from homeostat.cli.apps import words
from homeostat.cli.apps.control import Applications
from homeostat.cli.apps.errors import OperationRunningError, RefusedError
from homeostat.cli.apps.refresh import refuse_skipped
from homeostat.model.objects import Key, Object
from homeostat.model.sync import SyncSelection
from homeostat.sync.select import is_selected

_RESOURCE = re.compile(r"(?P<exclude>!?)(?P<group>[^:]*):(?P<kind>[^:]*):(?:(?P<namespace>[^:/]*)/)?(?P<name>[^:/]*)")


class ResourceFilter(click.ParamType[dict[str, Any]]):
    """``GROUP:KIND:[NAMESPACE/]NAME``, with ``!`` in front of what is left out."""

    name = "[!]GROUP:KIND:[NS/]NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        found = _RESOURCE.fullmatch(value)
        if found is None:
            self.fail(
                f"expected [!]GROUP:KIND:[NAMESPACE/]NAME, such as apps:Deployment:web or :Service:shop/web, found {value!r}", param, ctx
            )
        selection: dict[str, Any] = {name: found[name] or "" for name in ("group", "kind", "name")}
        if found["namespace"]:
            selection["namespace"] = found["namespace"]
        if found["exclude"]:
            selection["exclude"] = True
        return selection


class Prepared(NamedTuple):
    """What was looked at before a sync is asked for. ``manifests`` take the place of what the source says; ``resources`` are the objects to be synced."""

    manifests: tuple[str, ...] = ()
    resources: tuple[dict[str, Any], ...] = ()


def operation(sync: Mapping[str, Any], *, retry: Mapping[str, Any] | None = None, info: Sequence[str] = ()) -> dict[str, Any]:
    """The value of the field. Empty parts are left out; ``info`` are ``name=value`` texts."""
    asked: dict[str, Any] = {"initiatedBy": {"username": username()}, "sync": {name: value for name, value in sync.items() if value}}
    if retry:
        asked["retry"] = dict(retry)
    if info:
        asked["info"] = [{"name": name, "value": value} for name, _, value in (text.partition("=") for text in info)]
    return asked


def options_for(app: Object, more: Iterable[str]) -> list[str]:
    """The sync options of one operation: those of the app, which an operation's own would replace, but for what ``more`` says otherwise."""
    more = list(more)
    named = {option.partition("=")[0] for option in more}
    own = [str(option) for option in words.part(app, "spec", "syncPolicy").get("syncOptions") or ()]
    return [*(option for option in own if option.partition("=")[0] not in named), *more]


def is_chosen(entry: Mapping[str, Any], filters: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an entry of ``status.resources`` is one that the filters name, by the rule of a partial sync."""
    selections = tuple(SyncSelection(**one) for one in filters)
    return is_selected(selections, Key(*(entry.get(name) or "" for name in ("group", "kind", "namespace", "name"))))


def refuse_unknown(app: Object, name: str, filters: Sequence[Mapping[str, Any]]) -> None:
    """Raises :class:`RefusedError` when no object that is known of the app is among ``filters``: such a sync would do nothing, and say it succeeded."""
    if filters and not any(is_chosen(entry, filters) for entry in words.resources_of(app)):
        raise RefusedError(
            f"none of the objects of app `{name}` is among those to be synced",
            hint=f"`homeostat app resources {name}` shows what there is; what a new commit brought is there after `homeostat app refresh {name}`",
        )


def username() -> str:
    """Who asks, for the history: the name of the user of this machine, which proves nothing."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "homeostat"


def refuse_busy(app: Object, name: str) -> None:
    """Raises where an operation cannot be asked for now."""
    if app["metadata"].get("deletionTimestamp"):
        raise RefusedError(f"app `{name}` is being deleted", hint=f"`homeostat app wait {name} --delete` waits for its end")
    refuse_skipped(app)
    if words.is_busy(app):
        raise OperationRunningError(name, str(words.part(app, "status", "operationState").get("startedAt") or ""))


async def request(applications: Applications, name: str, asked: Mapping[str, Any]) -> tuple[Object, Object]:
    """Writes the operation where the controller finds it; answers the app before and after.

    Raises :class:`OperationRunningError` or :class:`RefusedError`.
    """

    def decide(app: Object) -> dict[str, Any]:
        refuse_busy(app, name)
        return {"operation": dict(asked)}

    before, after = await applications.change(name, decide)
    assert after is not None
    return before, after
