"""What a look at a repository finds, and the rules by which it is found.

A finding names its place (file and line), the object, the field, the rule, and what to do. Values of Secrets are never part of one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from homeostat.lint.errors import LintError


class Severity(StrEnum):
    """``ERROR``: it does not work. ``WARNING``: it works today, or does nothing. ``INFO``: a matter of care."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Rule(NamedTuple):
    """``about`` is one sentence for people who meet the rule for the first time."""

    id: str
    severity: Severity
    about: str


_ERROR, _WARNING, _INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

RULES: dict[str, Rule] = {
    rule.id: rule
    for rule in (
        Rule("syntax", _ERROR, "A file that is neither YAML nor JSON as Kubernetes reads it."),
        Rule("render", _ERROR, "An app, overlay, chart or Jsonnet file that does not render."),
        Rule("path", _ERROR, "A source that names a folder or a values file which is not there."),
        Rule("source", _INFO, "A source that lies elsewhere and was not looked at."),
        Rule("schema", _ERROR, "A value that its schema does not allow."),
        Rule("required", _ERROR, "A field that has to be there and is not."),
        Rule("unknown-field", _ERROR, "A field that its schema does not know; a server that validates strictly refuses it."),
        Rule("duplicate-item", _ERROR, "Two items of a list with one key; server-side apply refuses them."),
        Rule("duplicate-key", _ERROR, "A key that is written twice in one mapping; only the last one counts."),
        Rule("duplicate-object", _WARNING, "An object that one app or folder declares twice; only the last one counts."),
        Rule("invalid-object", _ERROR, "An object without a kind, a name or what else every object needs."),
        Rule("unknown-kind", _WARNING, "A kind that neither this Kubernetes version nor a definition found here has."),
        Rule("removed-api", _ERROR, "An API version that this Kubernetes version does not serve any more."),
        Rule("deprecated-api", _WARNING, "An API version that is still served, and will not be for ever."),
        Rule("bad-definition", _ERROR, "A CustomResourceDefinition whose schema is none."),
        Rule("wave", _ERROR, "A sync wave that is no whole number."),
        Rule("hook", _WARNING, "A hook or delete policy of a type that nobody runs."),
        Rule("sync-option", _WARNING, "A sync option that means nothing where it stands."),
        Rule("ignore-rule", _ERROR, "A rule under ignoreDifferences that cannot be read."),
        Rule("application", _ERROR, "An Application whose fields contradict each other, or say too little."),
        Rule("generator", _ERROR, "A generator or template of an ApplicationSet that cannot be what is meant."),
        Rule("image-tag", _INFO, "An image without a tag or digest: what runs depends on the day."),
    )
}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was found. ``file`` is relative to where the look began; ``line`` counts from 1, 0 is unknown.

    ``object`` is ``Kind.group namespace/name``, ``field`` a path such as ``spec.template.spec.containers[0].image``; both may be empty.
    """

    file: str
    line: int
    rule: str
    severity: Severity
    message: str
    object: str = ""
    field: str = ""
    hint: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def finding(
    rule: str, message: str, *, file: str, line: int = 0, obj: str = "", field: str = "", hint: str = "", severity: Severity | None = None
) -> Finding:
    """A finding by ``rule``, of the rule's severity unless another is given."""
    return Finding(file, line, rule, severity or RULES[rule].severity, message, obj, field, hint)


def chosen(only: tuple[str, ...], skipped: tuple[str, ...]) -> frozenset[str]:
    """The ids of the rules that count. Raises :class:`LintError` for one that there is not."""
    for name in (*only, *skipped):
        if name not in RULES:
            raise LintError(f"there is no rule `{name}`", hint=f"the rules are {', '.join(RULES)}")
    return frozenset(only or RULES) - frozenset(skipped)


def path_text(steps: tuple[str | int, ...] | list[str | int]) -> str:
    """``("spec", "containers", 0)`` → ``spec.containers[0]``; a name with dots or slashes is quoted."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and all(letter.isalnum() or letter in "_-$" for letter in step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
