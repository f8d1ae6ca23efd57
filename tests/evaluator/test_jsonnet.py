"""A Jsonnet file comes to what the real ``jsonnet`` prints: variables, arguments, libraries, vendored code, and every form of import."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import tools
from tests.evaluator import frames

MakeFolder = Callable[[dict[str, str]], frames.Folder]

FILES = {
    "vendor/k/k.libsonnet": "{map(name, data): {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: name}, data: data}}",
    "vendor/k/deep/x.libsonnet": "import '../k.libsonnet'",
    "lib/k/k.libsonnet": "error 'the last library counts'",
    "lib/names.libsonnet": "['b', 'a']",
    "shared/text.txt": "line\nand ünïcode\n",
    "shared/bytes.bin": "\x00\x01\x7f",
    "app/local.libsonnet": "{v: (import 'names.libsonnet')[0]}",
    "app/names.libsonnet": "['beside']",
}
APPS = [
    pytest.param("(import 'k/k.libsonnet').map('one', {a: 'b'})", id="a vendored library"),
    pytest.param(
        "(import 'k/deep/x.libsonnet').map('one', {a: importstr '../shared/text.txt'})", id="text from elsewhere in the repository"
    ),
    pytest.param("(import 'k/k.libsonnet').map('one', {a: std.base64(importbin '../shared/bytes.bin')})", id="bytes"),
    pytest.param("local k = import 'k/k.libsonnet'; [k.map(n, {}) for n in import '../lib/names.libsonnet']", id="an array"),
    pytest.param("(import 'k/k.libsonnet').map((import 'local.libsonnet').v, {})", id="beside the file before the libraries"),
    pytest.param("(import 'k/k.libsonnet').map(std.extVar('text'), {n: '%d' % std.extVar('code').n})", id="variables"),
    pytest.param("function(name, n=1) (import 'k/k.libsonnet').map(name, {n: std.toString(n)})", id="arguments"),
    pytest.param(
        "local k = import 'k/k.libsonnet'; k.map('x', {big: std.toString(9007199254740993), f: std.toString(0.1), m: std.manifestYamlDoc({a: [1]})})",
        id="numbers and manifests",
    ),
    pytest.param(
        "(import 'k/k.libsonnet').map('x', {}) + {data+: {h: std.md5('x'), s: std.join(',', std.sort(['b', 'a']))}, local hidden = 1, more:: hidden}",
        id="objects that inherit",
    ),
]
GIVEN: dict[str, Any] = {
    "ext_vars": [{"name": "text", "value": "told"}, {"name": "code", "value": "{n: 3}", "code": True}],
    "libs": ["lib", "vendor"],
}
FLAGS = ["--ext-str", "text=told", "--ext-code", "code={n: 3}"]


@pytest.mark.parametrize("text", APPS)
def test_a_file_comes_to_what_jsonnet_prints(shared: frames.Evaluator, make_folder: MakeFolder, text: str) -> None:
    folder = make_folder({**FILES, "app/main.jsonnet": text})
    options, flags = dict(GIVEN), list(FLAGS)
    if text.startswith("function"):
        options["tlas"] = [{"name": "name", "value": "given"}, {"name": "n", "value": "1 + 1", "code": True}]
        flags += ["--tla-str", "name=given", "--tla-code", "n=1 + 1"]
    answer = shared.run({"evaluator": "directory", "path": "app", "options": options}, folder)
    real = orjson.loads(jsonnet(folder.root, *flags))
    assert [one["object"] for one in answer["objects"]] == (real if isinstance(real, list) else [real])
    assert {one["file"] for one in answer["objects"]} == {"app/main.jsonnet"}


def jsonnet(root: Path, *flags: str) -> bytes:
    libraries = [part for name in ("app", "lib", "vendor") for part in ("-J", str(root / name))]
    command = [str(tools.jsonnet()), *libraries, *flags, str(root / "app/main.jsonnet")]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_several_files_are_each_evaluated_and_libraries_are_not(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    one = "(import 'k/k.libsonnet').map('%s', {})"
    folder = make_folder(
        {**FILES, "app/a.jsonnet": one % "a", "app/b.jsonnet": f"[{one % 'b'}, [{one % 'c'}]]", "app/sub/d.jsonnet": one % "d"}
    )
    for recurse, expected in ((False, ["a", "b", "c"]), (True, ["a", "b", "c", "d"])):
        answer = shared.run({"evaluator": "directory", "path": "app", "options": {**GIVEN, "recurse": recurse}}, folder)
        assert [found["object"]["metadata"]["name"] for found in answer["objects"]] == expected


@pytest.mark.parametrize("text", ["import '../../../etc/passwd'", "importstr '../../x'", "importbin '/../x'"])
def test_an_import_does_not_leave_the_repository(shared: frames.Evaluator, make_folder: MakeFolder, text: str) -> None:
    folder = make_folder({"app/main.jsonnet": text})
    with pytest.raises(frames.EvaluationError, match=r"leaves the repository|couldn't open import"):
        shared.run({"evaluator": "directory", "path": "app", "options": {}}, folder)
