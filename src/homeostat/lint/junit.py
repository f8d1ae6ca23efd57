"""Findings as JUnit XML, which CI systems show as tests: a suite for each file, a failed test for each finding.

What is a matter of care only (``info``) is a test that was skipped. A look that finds nothing is one test that passed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from homeostat.lint.findings import Finding, Severity

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(findings: Sequence[Finding]) -> str:
    """The document, as text. ``findings`` are in the order of their files."""
    root = ET.Element("testsuites", name="homeostat lint")
    for file, some in groupby(findings, key=lambda one: one.file):
        _suite(root, file, list(some))
    if not findings:
        suite = ET.SubElement(root, "testsuite", name="homeostat lint", tests="1", failures="0", errors="0", skipped="0")
        ET.SubElement(suite, "testcase", name="nothing was found", classname="homeostat lint")
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, file: str, findings: list[Finding]) -> None:
    skipped = sum(one.severity is Severity.INFO for one in findings)
    counts = {"tests": len(findings), "failures": len(findings) - skipped, "errors": 0, "skipped": skipped}
    suite = ET.SubElement(root, "testsuite", {"name": _text(file), **{name: str(count) for name, count in counts.items()}})
    for one in findings:
        name = f"{one.rule} {one.place}" + (f" {one.object}" if one.object else "")
        case = ET.SubElement(suite, "testcase", name=_text(name), classname=one.rule, file=_text(file), line=str(one.line))
        told = ET.SubElement(case, "skipped" if one.severity is Severity.INFO else "failure", message=_text(one.message))
        if one.severity is not Severity.INFO:
            told.set("type", str(one.severity))
        told.text = _text("\n".join(filter(None, (f"{one.place}: {one.message}", one.field, f"hint: {one.hint}" if one.hint else ""))))


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
