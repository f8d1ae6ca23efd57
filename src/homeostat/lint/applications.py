"""What only Argo CD's kinds have: an Application that says too little, rules that cannot be read, generators that are none.

Their fields as such are looked at like those of any custom resource. Generators are not run.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from homeostat.argo.read import read_app
from homeostat.compare import rules
from homeostat.compare.ignore import Ignorer
from homeostat.lint.checks import Remark
from homeostat.lint.schemas import Catalogue
from homeostat.lint.validate import faults
from homeostat.model.app import App, Ignore, Policy
from homeostat.model.objects import Object, split_api_version
from homeostat.model.settings import Settings
from homeostat.sync import options

GROUP = "argoproj.io"
VERSION = "argoproj.io/v1alpha1"

GENERATORS = frozenset(
    {"list", "clusters", "git", "scmProvider", "clusterDecisionResource", "pullRequest", "matrix", "merge", "plugin", "selector"}
)
_NOT_YET = "not supported yet"


def is_kind(obj: Object, kind: str) -> bool:
    """Whether ``obj`` is one of Argo CD's ``kind``."""
    return obj.get("kind") == kind and split_api_version(str(obj.get("apiVersion") or ""))[0] == GROUP


def app_of(obj: Object) -> App:
    """An Application as an app. Nothing is known of its project and its cluster, which are not in its repository."""
    return read_app(obj, Settings(), {})


async def remarks(app: App, ignorer: Ignorer) -> list[Remark]:
    """What is wrong with an Application beyond its schema."""
    found = [
        Remark("application", _steps(problem), problem)
        for problem in app.problems
        if problem != app.unfit and _NOT_YET not in problem and not _is_of_the_schema(problem)
    ]
    for told in options.ignored_options(Policy(options=app.policy.options), ()):
        where, _, message = told.partition(": ")
        number = next((n for n, option in enumerate(app.policy.options) if message.startswith(f"{option} ")), 0)
        found.append(Remark("sync-option", ("spec", "syncPolicy", "syncOptions", number), f"{where}: {message}"))
    for number, rule in enumerate(app.ignore):
        for problem in await ignorer.problems((rule,)):
            text = problem.replace("spec.ignoreDifferences[0]", f"spec.ignoreDifferences[{number}]")
            found.append(Remark("ignore-rule", ("spec", "ignoreDifferences", number), text))
        if rule == Ignore(group=rule.group, kind=rule.kind, name=rule.name, namespace=rule.namespace):
            place = rules.place(rule, number).rstrip(".")
            message = f"{place}: the rule names nothing to ignore"
            found.append(
                Remark(
                    "ignore-rule",
                    ("spec", "ignoreDifferences", number),
                    message,
                    "add jsonPointers, jqPathExpressions or managedFieldsManagers",
                )
            )
    return found


def set_remarks(catalogue: Catalogue, obj: Object) -> Iterator[Remark]:
    """What is wrong with the generators and the template of an ApplicationSet."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return
    yield from _generators(spec.get("generators"), ("spec", "generators"))
    template = spec.get("template")
    kind = catalogue.find(VERSION, "Application")
    if not isinstance(template, dict) or kind is None:
        return
    metadata = template.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        yield Remark("generator", ("spec", "template"), "spec.template.metadata.name is required: it names the Applications")
    made = {"apiVersion": VERSION, "kind": "Application", "metadata": {"name": "x"}, "spec": template.get("spec") or {}}
    for fault in faults(catalogue, kind, made):
        value: Any = made
        for step in fault.steps:
            value = (
                value.get(step) if isinstance(value, dict) else value[step] if isinstance(value, list) and isinstance(step, int) else None
            )
        if isinstance(value, str) and "{{" in value:
            continue  # only the generator knows
        yield Remark(fault.rule, ("spec", "template", *fault.steps), f"spec.template: {fault.message}", fault.hint)


def _generators(generators: Any, steps: tuple[str | int, ...]) -> Iterator[Remark]:
    for number, generator in enumerate(generators if isinstance(generators, list) else ()):
        here = (*steps, number)
        if not isinstance(generator, dict):
            continue
        names = [name for name in generator if name != "selector"]
        for name in names:
            if name not in GENERATORS:
                near = difflib.get_close_matches(name, GENERATORS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"the generators are {', '.join(sorted(GENERATORS - {'selector'}))}"
                yield Remark("generator", (*here, name), f"there is no generator {name!r}", hint)
            inner = generator[name]
            if name in {"matrix", "merge"} and isinstance(inner, dict):
                below = inner.get("generators")
                if name == "matrix" and isinstance(below, list) and len(below) != 2:
                    yield Remark("generator", (*here, name), f"a matrix combines 2 generators, found {len(below)}")
                if name == "merge" and not inner.get("mergeKeys"):
                    yield Remark("generator", (*here, name), "mergeKeys is required")
                yield from _generators(below, (*here, name, "generators"))
        if len(names) > 1:
            yield Remark(
                "generator", here, f"expected one generator in each item, found {', '.join(names)}", "make each an item of its own"
            )


def _is_of_the_schema(problem: str) -> bool:
    """The whole spec could not be read: its schema says more about it, and with all places."""
    return ", got " in problem or "missing required field" in problem


def _steps(problem: str) -> tuple[str | int, ...]:
    """``spec.sources[1].path: expected …`` → the steps of the field."""
    steps: list[str | int] = []
    for part in problem.partition(":")[0].split("."):
        name, *numbers = part.split("[")
        steps.append(name)
        steps += [int(number.rstrip("]")) for number in numbers if number.rstrip("]").isdigit()]
    return tuple(steps)
