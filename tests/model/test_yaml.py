"""YAML is read as Kubernetes reads it; every row of the table was measured against Helm's parser."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.model import yaml
from homeostat.model.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("No", False),
        ("on", True),
        ("OFF", False),
        ("y", True),
        ("n", False),
        ("Y", True),
        ("N", False),
        ("true", True),
        ("tRue", "tRue"),
        ("12:30", "12:30"),
        ("12:30:45", "12:30:45"),
        ("0755", 493),
        ("0777", 511),
        ("0o14", 12),
        ("0o644", 420),
        ("-0o14", -12),
        ("089", 89.0),
        ("1e3", 1000),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("=", "="),
        ("1_000", 1000),
        ("0b11", 3),
        ("0x1F", 31),
        ("~", None),
        ("", None),
        ("null", None),
        ("1.5", 1.5),
        ("9223372036854775807", 9223372036854775807),
        ("18446744073709551615", 18446744073709551615),
        ("1e3x", "1e3x"),
        ("!!str 12", "12"),
        ('"12"', "12"),
    ],
)
def test_a_scalar_is_what_kubernetes_makes_of_it(text: str, value: Any) -> None:
    read = yaml.load(f"a: {text}")["a"]
    assert read == value
    assert type(read) is type(value)


def test_a_merge_key_merges() -> None:
    assert yaml.load("a: &x {b: 1}\nc: {<<: *x, d: 2}") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}}


def test_mapping_keys_become_strings() -> None:
    assert yaml.load("{true: 1, 1: 2, ~: 3, y: 4}") == {"true": 4, "1": 2, "null": 3}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".inf", "cannot be written as JSON"),
        ("-.Inf", "cannot be written as JSON"),
        (".nan", "cannot be written as JSON"),
        ("!!binary aGk=", "could not determine a constructor"),
        ("!!set {x}", "could not determine a constructor"),
        ("!!python/object:os.system x", "could not determine a constructor"),
        ("!!int zz", "invalid literal"),
        ("[1,", "did not find"),
        ("{[1]: 2}", "a mapping key must be a string"),
        ("\x00", "not valid YAML"),
        ("&x [*x]", "aliases expand to more than"),
        ("[" * 100_000, "nested deeper than"),
        ("- " * 100_000, "nested deeper than"),
    ],
)
def test_what_cannot_be_json_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(InvalidError, match=says) as caught:
        yaml.load(f"- ok\n- {text}", name="values.yaml")
    assert str(caught.value).startswith("values.yaml:")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidError, match=r"^a\.yaml: not valid YAML"):
        yaml.load(b"\xff\xfe\xfa", name="a.yaml")


def test_an_error_names_file_and_line() -> None:
    with pytest.raises(InvalidError, match=r"^a\.yaml:4: "):
        yaml.load("a: 1\nb:\n  c: [1\nd: 2\n", name="a.yaml")


def test_aliases_that_expand_without_bound_are_refused() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]")
    with pytest.raises(InvalidError, match="aliases expand"):
        yaml.load("\n".join(lines))


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidError, match="too long"):
        yaml.load("a" * (yaml.MAX_BYTES + 1))


def test_several_documents_are_read_in_order() -> None:
    assert yaml.load_all("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, None, {"b": 2}]
    with pytest.raises(InvalidError, match="found 2"):
        yaml.load("a: 1\n---\nb: 2\n")


def test_nothing_is_nothing() -> None:
    assert yaml.load("") is None
    assert yaml.load_all("# only a comment\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "no",
        "12:30",
        "0755",
        "0o14",
        "089",
        "1e3",
        "2024-01-02",
        "=",
        "1_000",
        "0b11",
        "<<",
        "~",
        "",
        "null",
        "true",
        ".inf",
        "- a",
        "a: b",
        "# c",
        "1.0",
    ],
)
def test_a_string_that_would_be_misread_is_written_in_quotes(text: str) -> None:
    written = yaml.dump({"a": text})
    assert written.strip() in {f"a: '{text}'", f'a: "{text}"'}
    assert yaml.load(written) == {"a": text}


def test_what_is_written_reads_the_same() -> None:
    value = {"plain": "text", "n": 1, "f": 1.5, "t": True, "none": None, "lines": "a\nb\n", "list": [{"a": [1, 2]}, []], "y": {"é": "ü\t"}}
    assert yaml.load(yaml.dump(value)) == value
    assert yaml.load_all(yaml.dump_all([value, value])) == [value, value]
    assert "lines: |\n" in yaml.dump(value)
