"""What `app why` concludes from facts, without a cluster: paths, owners, the sync that an object came with, lines and blame."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from homeostat.cli.apps import paths, reasons
from homeostat.compare.fields import MISSING
from homeostat.desired import positions
from homeostat.desired.sources import blame
from homeostat.model.errors import InvalidError
from homeostat.model.objects import Key
from tests.e2e.repository import Repository

LIVE: dict[str, Any] = {
    "spec": {"ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}], "type": "ClusterIP"},
    "metadata": {
        "annotations": {"example.com/a.b": "1"},
        "finalizers": ["one", "two"],
        "managedFields": [
            {
                "manager": "homeostat",
                "operation": "Apply",
                "time": "2026-11-21T10:00:05Z",
                "fieldsV1": {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}}},
            },
            {
                "manager": "edit",
                "operation": "Update",
                "time": "2026-11-21T11:00:00Z",
                "fieldsV1": {"f:spec": {"f:type": {}, "f:ports": {}}},
            },
            {"manager": "whole", "operation": "Update", "fieldsV1": {"f:metadata": {"f:annotations": {}, "f:finalizers": {'v:"one"': {}}}}},
        ],
    },
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".spec.type", ("f:spec", "f:type")),
        ("spec.ports[name=https].port", ("f:spec", "f:ports", 'k:{"name":"https"}', "f:port")),
        (".spec.ports[1]", ("f:spec", "f:ports", "i:1")),
        ("/spec/ports/1/port", ("f:spec", "f:ports", "i:1", "f:port")),
        ('.metadata.annotations["example.com/a.b"]', ("f:metadata", "f:annotations", "f:example.com/a.b")),
        (".metadata.annotations['example.com/a.b']", ("f:metadata", "f:annotations", "f:example.com/a.b")),
        (".metadata.annotations.example.com/a.b", ("f:metadata", "f:annotations", "f:example.com/a.b")),
        ("/metadata/annotations/example.com~1a.b", ("f:metadata", "f:annotations", "f:example.com/a.b")),
        (".metadata.finalizers[=two]", ("f:metadata", "f:finalizers", 'v:"two"')),
        (".", ()),
    ],
)
def test_a_path_leads_to_the_same_field_however_it_is_written(text: str, path: tuple[str, ...]) -> None:
    settled = paths.settle(paths.parse(text), [LIVE], [])
    assert settled == path
    assert paths.value_at(LIVE, settled) is not MISSING


@pytest.mark.parametrize("text", [".a[", ".a[]", ".a b", "..a", '.a["b]', ".a[x"])
def test_what_is_no_path_is_said_with_an_example(text: str) -> None:
    with pytest.raises(InvalidError) as raised:
        paths.parse(text)
    assert "write it like .spec.replicas" in raised.value.hint


def test_an_item_is_named_as_the_api_server_names_it() -> None:
    sets = [entry["fieldsV1"] for entry in LIVE["metadata"]["managedFields"]]
    settled = paths.settle(paths.parse(".spec.ports[name=http].port"), [LIVE], sets)
    assert settled == ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:port")
    assert paths.concrete(LIVE, settled) == ("spec", "ports", 0, "port")


def test_who_owns_a_field_owns_it_alone_with_others_as_a_part_or_as_one_whole_value() -> None:
    def owners(text: str) -> list[tuple[str, bool]]:
        sets = [entry["fieldsV1"] for entry in LIVE["metadata"]["managedFields"]]
        path = paths.settle(paths.parse(text), [LIVE], sets)
        return [(one.manager, one.part) for one in reasons.writers(LIVE, path)]

    assert owners(".spec.type") == [("edit", False)]
    assert owners(".spec.ports[0]") == [("edit", False), ("homeostat", False)]
    assert owners(".metadata.annotations.none") == [("whole", False)]
    assert owners(".metadata.finalizers") == [("whole", True)]
    assert owners(".metadata.finalizers[=two]") == []


def sync(number: int, started: str, finished: str, revision: str = "r") -> dict[str, Any]:
    return {"id": number, "revision": revision, "deployStartedAt": f"2026-11-21T{started}Z", "deployedAt": f"2026-11-21T{finished}Z"}


@pytest.mark.parametrize(
    ("history", "state", "expected"),
    [
        pytest.param(
            [sync(0, "09:00:00", "09:00:01"), sync(1, "10:00:00", "10:00:09")], None, 1, id="the one in whose time it was written"
        ),
        pytest.param([sync(0, "10:00:05", "10:00:05"), sync(1, "10:00:05", "10:00:06")], None, 1, id="the later one of the same second"),
        pytest.param([sync(0, "10:00:06", "10:00:09")], None, 0, id="clocks that differ by a second"),
        pytest.param([sync(0, "09:00:00", "09:00:09"), sync(1, "11:00:00", "11:00:09")], None, "none", id="between syncs nobody knows"),
        pytest.param([sync(0, "09:00:00", "09:00:09")], ("10:00:00", "10:00:06"), None, id="one of some objects has no number"),
    ],
)
def test_the_sync_that_an_object_came_with_is_known_by_its_time(history: list[Any], state: tuple[str, str] | None, expected: Any) -> None:
    app: dict[str, Any] = {"status": {"history": history}}
    if state is not None:
        started, finished = (f"2026-11-21T{moment}Z" for moment in state)
        app["status"]["operationState"] = {"phase": "Succeeded", "startedAt": started, "finishedAt": finished, "operation": {}}
    found = reasons.delivery(app, Key("", "Service", "n", "s"), LIVE)
    assert (found.id if found is not None else "none") == expected


def test_lines_are_those_of_the_value_and_aliases_lead_to_what_they_stand_for() -> None:
    text = b"""---
apiVersion: v1
kind: List
items:
  - kind: ConfigMap
    metadata: {name: one}
    data: &data
      a: |
        many
        lines
      b: "1"

  - kind: ConfigMap
    metadata: {name: two}
    data:
      <<: *data
      c: x
"""
    one, two = positions.objects_in(text)
    assert one.lines(("data", "a")) == (8, 10)
    assert one.lines(("data",)) == (7, 11)
    assert two.lines(("data", "b")) == (11, 11)
    assert two.lines(("data", "c")) == (17, 17)
    assert two.lines(("data", "none")) is None
    assert two.lines() == (13, 17)


def test_the_newest_of_the_commits_that_wrote_some_lines_is_found_through_renames(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work", "unused")

    def commit(subject: str, at: int, **files: str) -> str:
        for name, content in files.items():
            repository.write(f"{name}.yaml", content)
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--date", f"@{at} +0000", "--message", f"{subject}\n\nmore of it")
        return repository.git("rev-parse", "HEAD")

    first = commit("first", 1_700_000_000, a="1\n2\n3\n4\n5\n")
    second = commit("second: 100%", 1_700_000_100, a="1\n2\nthree\n4\n5\n")
    repository.git("mv", "a.yaml", "b.yaml")
    head = commit("moved", 1_700_000_200, other="x\n")
    folder = tmp_path / "work" / ".git"

    async def asked() -> list[blame.Change | None]:
        return [
            await blame.of_lines(folder, head, "b.yaml", 1, 2),
            await blame.of_lines(folder, head, "b.yaml", 2, 4),
            await blame.of_lines(folder, head, "b.yaml", 40, 41),
            await blame.of_files(folder, head, ["b.yaml"]),
            await blame.of_files(folder, second, ["a.yaml", "none.yaml"]),
            await blame.of_files(folder, head, ["*.yaml"]),
        ]

    one, many, beyond, moved, touched, literal = asyncio.run(asked())
    assert one is not None
    assert (one.commit, one.author, one.subject, one.date) == (first, "Test <test@example.com>", "first", 1_700_000_000)
    assert many is not None
    assert (many.commit, many.subject) == (second, "second: 100%")
    assert beyond is None
    assert moved is not None
    assert moved.commit == head
    assert touched is not None
    assert touched.commit == second
    assert literal is None
