"""No value of a Secret leaves by any verb of `homeostat app`, in any form, whatever state the Secret is in."""

from __future__ import annotations

import base64
import json

import pytest

from tests.cli.stage import Stage

VALUES = {
    "git": "planted-in-git-41",
    "text": "planted-as-text-42",
    "live": "planted-in-the-cluster-43",
    "broken": "planted-as-no-base64-44",
}
MARKS = [*VALUES.values(), *(base64.b64encode(value.encode()).decode() for value in VALUES.values())]


def secret(name: str, *, data: str, text: str) -> str:
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{password: {data}}}\nstringData: {{token: {text}}}\n"


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@pytest.fixture(scope="module")
def vault(stage: Stage) -> str:
    """An app with Secrets that are synced, drifted, still to be created, to be pruned, and refused by the API server."""
    stage.write(
        vault__synced=secret("synced", data=encoded(VALUES["git"]), text=VALUES["text"]),
        vault__drifted=secret("drifted", data=encoded(VALUES["git"]), text=VALUES["text"]),
        vault__pruned=secret("pruned", data=encoded(VALUES["git"]), text=VALUES["text"]),
    )
    stage.push()
    stage.create("vault")
    stage.app("sync", "vault")
    patch = json.dumps({"data": {"password": encoded(VALUES["live"])}, "stringData": {"more": VALUES["live"]}})
    stage.plane.kubectl("-n", stage.namespace("vault"), "patch", "secret", "drifted", "--type=merge", "-p", patch)
    stage.repository.remove("vault/pruned.yaml")
    stage.write(vault__created=secret("created", data=encoded(VALUES["git"]), text=VALUES["text"]))
    stage.push()
    stage.app("refresh", "vault")
    return "vault"


@pytest.fixture(scope="module")
def refused(stage: Stage) -> str:
    """An app whose Secret the API server refuses; it quotes the value in its answer."""
    stage.write(refused__good=secret("there", data=encoded(VALUES["git"]), text=VALUES["text"]))
    stage.push()
    stage.create("refused")
    stage.app("sync", "refused")
    stage.write(refused__good=secret("there", data=VALUES["broken"], text=VALUES["text"]))
    stage.push()
    stage.app("refresh", "refused")
    return "refused"


FORMS = ["table", "wide", "json", "yaml", "name"]
READS = [
    pytest.param(verb, [*arguments, "-o", form], id=f"{' '.join([verb, *arguments])} {form}")
    for verb, arguments, forms in (
        ("get", (), FORMS),
        ("get", ("--show-operation", "--show-params"), ["wide"]),
        ("manifests", (), FORMS),
        ("manifests", ("--source", "live"), FORMS),
        ("resources", (), FORMS),
        ("resources", ("--tree",), ["wide", "json"]),
        ("history", (), FORMS),
        ("diff", (), ["diff", *FORMS]),
    )
    for form in forms
]


def shown(stage: Stage, verb: str, name: str, *arguments: str) -> str:
    command = ["app", verb, name, "--kubeconfig", str(stage.plane.kubeconfig), "--namespace", stage.control, *arguments]
    done = stage.run(command + ([*stage.file_roots] if verb in {"diff", "manifests"} else []))
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("verb", "arguments"), READS)
def test_what_reads_shows_no_value(stage: Stage, vault: str, verb: str, arguments: list[str]) -> None:
    text = shown(stage, verb, vault, *arguments)
    assert not [mark for mark in MARKS if mark in text]


@pytest.mark.parametrize("form", ["diff", "wide", "json"])
def test_an_answer_of_the_api_server_that_quotes_a_value_is_not_passed_on(stage: Stage, refused: str, form: str) -> None:
    text = shown(stage, "diff", refused, "-o", form)
    assert "Secret" in text
    assert not [mark for mark in MARKS if mark in text]


def test_a_diff_shows_that_values_differ_by_their_masks(stage: Stage, vault: str) -> None:
    text = stage.app("diff", vault, code=1).stdout
    drifted = text.partition("/drifted (change)")[2].partition("=====\n")[2].partition("=====")[0]
    changed = [line.strip() for line in drifted.splitlines() if line.startswith(("+ ", "- ")) and "password" in line]
    assert len(changed) == 2
    assert all(set(line.partition("password: ")[2]) == {"+"} for line in changed)
    assert "/created (create)" in text
    assert "/pruned (prune)" in text


def test_what_acts_says_no_value(stage: Stage, vault: str, refused: str) -> None:
    """Last in this file: it brings the app to what Git declares."""
    text = ""
    for verb, name, arguments in (
        ("sync", vault, ("--dry-run",)),
        ("sync", refused, ()),
        ("get", refused, ("--show-operation",)),
        ("get", refused, ("-o", "json")),
        ("wait", refused, ("--timeout", "1")),
        ("sync", vault, ("--prune",)),
        ("rollback", vault, ("0",)),
        ("set", vault, ("--directory-recurse",)),
        ("list", "-o", ("json",)),
    ):
        text += shown(stage, verb, name, *arguments)
    assert "secret/created created" in text
    assert "is not valid base64" in text or "Secret" in text
    assert not [mark for mark in MARKS if mark in text]
