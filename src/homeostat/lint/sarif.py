"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import homeostat
from homeostat.lint.findings import RULES, Finding, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Sequence[Finding], *, prefix: str = "") -> dict[str, Any]:
    """A log of one run. ``prefix`` leads from the root of the repository to where the files of the findings begin."""
    numbers = {rule: number for number, rule in enumerate(RULES)}
    rules = [
        {"id": rule.id, "shortDescription": {"text": rule.about}, "defaultConfiguration": {"level": _LEVELS[rule.severity]}}
        for rule in RULES.values()
    ]
    driver = {"name": "homeostat lint", "version": homeostat.__version__, "semanticVersion": homeostat.__version__, "rules": rules}
    results = [_result(one, numbers[one.rule], prefix) for one in findings]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(one: Finding, number: int, prefix: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(f"{prefix}{one.file}"), "uriBaseId": "%SRCROOT%"}}
    if one.line:
        place["region"] = {"startLine": one.line}
    location: dict[str, Any] = {"physicalLocation": place}
    named = " ".join(filter(None, (one.object, one.field)))
    if named:
        location["logicalLocations"] = [{"fullyQualifiedName": named}]
    text = f"{one.message} (hint: {one.hint})" if one.hint else one.message
    return {"ruleId": one.rule, "ruleIndex": number, "level": _LEVELS[one.severity], "message": {"text": text}, "locations": [location]}
