"""SARIF and JUnit are read back as those who read them do."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from homeostat.lint.findings import RULES, Finding
from homeostat.lint.junit import junit
from homeostat.lint.sarif import sarif


def _finding(rule: str, *, file: str = "a b/ä.yaml", line: int = 3) -> Finding:
    return Finding(file, line, rule, RULES[rule].severity, "wrong <&> \x00", "ConfigMap x", "data.a", "mend it")


FINDINGS = [_finding("schema"), _finding("image-tag"), _finding("hook", file="c.yaml", line=0)]


def test_sarif_has_what_its_schema_requires() -> None:
    log = sarif(FINDINGS, prefix="sub/")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result, one in zip(run["results"], FINDINGS, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == one.rule
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"].endswith("(hint: mend it)")
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert " " not in place["artifactLocation"]["uri"]
        assert place["artifactLocation"]["uri"].startswith("sub/")
        assert ("region" in place) == bool(one.line), "a line counts from 1, so an unknown one is left out"
    assert [result["level"] for result in run["results"]] == ["error", "note", "warning"]


def test_junit_is_xml_with_a_suite_for_each_file_and_a_test_for_each_finding() -> None:
    root = ET.fromstring(junit(FINDINGS))
    assert [suite.get("name") for suite in root] == ["a b/ä.yaml", "c.yaml"]
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("3", "2", "1")
    failure = root.find("./testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "wrong <&> \N{REPLACEMENT CHARACTER}"
    assert "hint: mend it" in (failure.text or "")
    assert root.find("./testsuite/testcase/skipped") is not None


def test_junit_of_nothing_is_one_test_that_passed() -> None:
    root = ET.fromstring(junit([]))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    assert root.find(".//failure") is None


def test_the_documentation_names_every_rule_with_its_severity() -> None:
    text = (Path(__file__).parents[2] / "docs" / "lint.md").read_text()
    for rule in RULES.values():
        assert f"| `{rule.id}` | {rule.severity} | {rule.about} |" in text
