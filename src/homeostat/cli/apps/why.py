"""``homeostat app why``: for one object or one field of it, what Git wants and since when, what is live and who wrote it, and what follows."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath
from typing import Any

import click
import msgspec
import orjson

from homeostat.cli import output as out
from homeostat.cli.apps import inside, paths, reasons, words
from homeostat.cli.apps.case import Case, gathered
from homeostat.cli.apps.common import Place, app_argument, complete_objects, file_roots_option, verb
from homeostat.cli.apps.control import Applications
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.origins import Place as Origin
from homeostat.cli.apps.reasons import Delivery, Reason, Writer
from homeostat.compare import fields
from homeostat.compare.fields import Path
from homeostat.loop.look import COMPARE_OPTIONS, IGNORE_EXTRANEOUS
from homeostat.loop.memory import Memory
from homeostat.model.filters import is_excluded
from homeostat.model.hooks import hook_types
from homeostat.model.objects import GroupKind, Key, annotations_of
from homeostat.model.settings import Settings
from homeostat.sync import options

_MOST_FIELDS = 40
_WIDEST = 60
"""Letters of a value in a table; ``-o json`` has all of them."""


class Why(msgspec.Struct, rename="camel", omit_defaults=True):
    """The whole answer. ``field`` is the one that was asked about; ``fields`` those at or below it that differ or are ignored."""

    app: str
    group: str
    kind: str
    namespace: str
    name: str
    verdict: str
    rule: str
    status: str = ""
    path: str = ""
    origin: Origin = Origin()
    sync: Delivery | None = None
    writers: list[Writer] = []
    field: Reason | None = None
    fields: list[Reason] = []


@verb("why")
@app_argument
@click.argument("object_name", metavar="[GROUP/]KIND/NAME", shell_complete=complete_objects)
@click.argument("path", required=False, default="")
@click.option("--object-namespace", default="", metavar="NAME", help="The namespace of the object, where several have one name.")
@click.option("--revision", default="", help="Ask about this branch, tag or commit instead of what the app names.")
@file_roots_option
@out.format_option("table", "json", "yaml")
async def why(
    place: Place,
    *,
    name: str,
    object_name: str,
    path: str,
    object_namespace: str,
    revision: str,
    file_roots: tuple[FilePath, ...],
    output: str,
) -> None:
    """Say why an object, or a field of it, is as it is.

    For the field at PATH (.spec.replicas, .spec.template.spec.containers[name=web].image, .metadata.labels["a/b"], .spec.ports[0], /spec/ports/0):
    what Git wants, in which file and line, by whose commit; what is live, who wrote it and when; by which rule it is compared or ignored; and which
    sync the object came with. Without PATH: the object, and each of its fields that differs or is ignored. Values of Secrets are masked.
    """
    steps = paths.parse(path)
    memory = Memory()
    async with inside.looking(place, name, file_roots) as (parts, app):
        memory.app_id = app.id
        wanted = await parts.desirer.wanted(app, memory, revision=revision, asked_at=asyncio.get_running_loop().time(), hard=True)
        look = await parts.looker.look(app, wanted, memory)
        known = {*wanted.objects, *(hook.key for hook in wanted.hooks), *(report.key for report in look.resources)}
        key = _found(name, object_name, object_namespace, known, parts.settings())
        case = await gathered(parts, app, key, wanted=wanted, look=look, memory=memory)
        raw = await Applications(parts.client, place.namespace).get(name)
        answer = await _answer(case, case.path(steps), raw)
    if output == "table":
        _print(answer)
    else:
        from homeostat.cli.apps.printing import print_json_or_yaml  # noqa: PLC0415

        print_json_or_yaml(msgspec.to_builtins(answer), output)


def _found(app: str, text: str, namespace: str, known: Iterable[Key], settings: Settings) -> Key:
    """The key that ``text`` means. Raises :class:`RefusedError` that names what there is."""
    *group, kind, name = text.split("/") if text.count("/") in {1, 2} else ("", "")
    if not kind or not name:
        raise click.UsageError(f"expected [GROUP/]KIND/NAME, such as Deployment/web or apps/Deployment/web, found {text!r}")
    if not group and "." in kind:  # as kubectl writes it
        kind, _, dotted = kind.partition(".")
        group = [dotted]
    known = sorted(known)
    found = [
        key
        for key in known
        if key.name == name
        and kind.lower() in {key.kind.lower(), f"{key.kind.lower()}s"}
        and (not group or key.group == group[0])
        and (not namespace or key.namespace == namespace)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        listed = reasons.readable(map(_called, found), 6)
        raise RefusedError(
            f"several objects of app `{app}` are called {text}: {listed}", hint="name the group, or give `--object-namespace`"
        )
    if is_excluded(settings, GroupKind(group[0] if group else "", kind)):
        raise RefusedError(
            f"nobody looks at {kind}: resource.exclusions or resource.inclusions in argocd-cm leave it out", hint="`kubectl get` shows it"
        )
    names = {key.name: key for key in known if key.kind.lower() == kind.lower()} or {key.name: key for key in known}
    near = [f"{names[one].kind}/{one}" for one in difflib.get_close_matches(name, names, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else f"`homeostat app resources {app}` shows what there is"
    raise RefusedError(f"app `{app}` has no object {text}", hint=hint)


async def _answer(case: Case, path: Path, raw: dict[str, Any]) -> Why:
    report, key = case.report, case.key
    below = case.below(path)
    exact = bool(path) and all(one.path == path for one in below)
    reasons_below = [] if exact else [await case.reason(one.path) for one in below[:_MOST_FIELDS]]
    field = await case.reason(path) if path else None
    verdict, rule = _object(case, reasons_below)
    if field is not None:
        below_it = _several(reasons_below)
        verdict, rule = (below_it, "compared, and different") if below_it else (field.verdict, field.rule)
    return Why(
        app=case.app.key.name,
        group=key.group,
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        verdict=verdict,
        rule=rule,
        status=str(report.status or "") if report is not None else "",
        path=fields.readable(path) if path else "",
        origin=field.origin if field is not None else await case.origin(()),
        sync=reasons.delivery(raw, key, case.live),
        writers=field.writers if field is not None else reasons.writers(case.live, ()) if case.live is not None else [],
        field=field,
        fields=reasons_below,
    )


def _object(case: Case, below: Sequence[Reason]) -> tuple[str, str]:
    """The verdict about the object as a whole, and the rule behind it."""
    app, report = case.app, case.report
    if case.desired is None:
        return _extra(case)
    hooks = hook_types(case.desired.object)
    if hooks:
        return f"it is a hook ({', '.join(hooks)}): syncs run it, and nothing is compared", "hooks are not compared"
    if case.live is None:
        refused = f" ({case.refused})" if case.refused else ""
        return f"Git wants it, and it is not there{refused}; {reasons.remedy(app, healed=True)}", "compared, and missing"
    if case.refused:
        return f"it could not be compared: {case.refused}", "compared, and refused by the API server"
    if report is not None and report.deleting:
        return "it is being deleted: Homeostat waits for its end", "what is on its way out is not healed"
    ignored = sum(1 for one in below if not one.difference)
    but = f", but for what is ignored ({ignored} field{'s' if ignored > 1 else ''})" if ignored else ""
    return _several(below) or f"live is what Git wants{but}", "compared, and different" if _several(below) else "compared, and the same"


def _extra(case: Case) -> tuple[str, str]:
    app, live = case.app, case.live
    if live is None:
        return "it is neither in Git nor in the cluster", "nothing to compare"
    extraneous = IGNORE_EXTRANEOUS in annotations_of(live).get(COMPARE_OPTIONS, "")
    rule = (
        f"{COMPARE_OPTIONS}: {IGNORE_EXTRANEOUS} keeps it from making the app OutOfSync"
        if extraneous
        else "what Git does not hold is extra"
    )
    if options.prune_forbidden(live, app.policy.options):
        return "Git does not hold it any more, and it is never pruned: an option on it or on the app keeps it", rule
    if app.policy.automated and app.policy.prune:
        return "Git does not hold it any more: the next automated sync prunes it", rule
    hint = f"`homeostat app sync {app.key.name} --prune` does"
    return f"Git does not hold it any more, and prune is off, so nobody deletes it: {hint}", rule


def _several(below: Sequence[Reason]) -> str:
    """The verdict where fields differ: the one field's own, or how many there are and what is said of the first."""
    counted = [one for one in below if one.difference]
    if not counted:
        return ""
    if len(counted) == 1:
        return f"{counted[0].path}: {counted[0].verdict}"
    return f"{len(counted)} fields differ ({reasons.readable(reasons.differing(counted))}); {counted[0].path}: {counted[0].verdict}"


def _called(key: Key) -> str:
    kind = f"{key.group}/{key.kind}" if key.group else key.kind
    return f"{kind} {key.namespace}/{key.name}" if key.namespace else f"{kind} {key.name}"


def _print(answer: Why) -> None:
    key = Key(answer.group, answer.kind, answer.namespace, answer.name)
    lines: list[tuple[str, str]] = [("Object", _called(key)), ("Sync", answer.status), ("Field", answer.path)]
    field, origin = answer.field, answer.origin
    if field is not None:
        lines.append(("Git", _value(field.git)))
    lines += [
        ("From", f"{origin.file}:{origin.line}" if origin.line else origin.file),
        ("Commit", f"{words.short(origin.commit)} of {origin.date} by {origin.author}: {origin.subject}" if origin.commit else ""),
        ("Note", origin.note),
    ]
    if field is not None:
        lines.append(("Live", _value(field.live)))
        if field.expected is not None and field.git is not None and field.expected != field.git and not isinstance(field.git, dict | list):
            lines.append(("Expected", f"{_value(field.expected)} (what the API server makes of Git's value)"))
    lines += [("Written", _writer(one)) for one in answer.writers]
    lines += [("Rule", answer.rule), ("Came with", _delivered(answer.sync)), ("Verdict", answer.verdict)]
    out.print_fields([(label, value) for label, value in lines if value], colours=words.COLOURS)
    if answer.fields:
        click.echo()
        rows = [(one.path, _short(one.git), _short(one.live), _last(one.writers), _where(one.origin), one.rule) for one in answer.fields]
        out.print_table(["field", "git", "live", "written by", "from", "rule"], rows)


def _value(value: Any) -> str:
    if value is None:
        return words.NOTHING
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _WIDEST * 10 else text[: _WIDEST * 10] + "…"


def _short(value: Any) -> str:
    text = _value(value)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _writer(writer: Writer) -> str:
    through = f", through {writer.subresource}" if writer.subresource else ""
    part = ", something below it" if writer.part else ""
    ago = f", {words.ago(writer.time)} ago" if writer.time else ""
    return f"{writer.manager} ({writer.operation}{through}{part}) at {writer.time or words.NOTHING}{ago}"


def _last(found: Sequence[Writer]) -> str:
    return f"{found[0].manager} {words.ago(found[0].time)} ago" if found else words.NOTHING


def _where(origin: Origin) -> str:
    return f"{origin.file}:{origin.line}" if origin.line else origin.file or words.NOTHING


def _delivered(sync: Delivery | None) -> str:
    if sync is None:
        return ""
    number = f"sync {sync.id} of the history" if sync.id is not None else "a sync that is not in the history"
    ended = f"{sync.phase} {sync.finished}" if sync.finished else sync.phase
    message = f" ({sync.result}: {sync.message})" if sync.message else ""
    return f"{number}, at {words.short(sync.revision)}, begun {sync.started} by {sync.by}, {ended}{message}"
