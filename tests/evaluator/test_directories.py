"""Plain manifests and Jsonnet are read by Argo CD's rules; what is wrong is named with file and line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluator import frames
from tests.evaluator.conftest import MakeFolder

CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def names(shared: frames.Evaluator, folder: frames.Folder, path: str = "app", **options: Any) -> list[str]:
    answer = shared.run({"evaluator": "directory", "path": path, "options": options}, folder)
    return [one["object"]["metadata"]["name"] for one in answer["objects"]]


def failure(shared: frames.Evaluator, folder: frames.Folder, **options: Any) -> frames.EvaluationError:
    with pytest.raises(frames.EvaluationError) as caught:
        names(shared, folder, **options)
    return caught.value


TREE = {
    "app/b.yaml": CM % "b",
    "app/a.yml": CM % "a" + "---\n" + CM % "a2",
    "app/c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
    "app/notes.txt": CM % "text",
    "app/sub/d.yaml": CM % "d",
    "app/sub/deeper/e.yaml": CM % "e",
    "other/f.yaml": CM % "f",
}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, ["a", "a2", "b", "c"], id="top-level-only"),
        pytest.param({"recurse": True}, ["a", "a2", "b", "c", "d", "e"], id="recurse"),
        pytest.param({"recurse": True, "include": "sub/*"}, ["d", "e"], id="a-star-crosses-directories"),
        pytest.param({"recurse": True, "include": "{b.yaml,*e.yaml}"}, ["b", "e"], id="sets"),
        pytest.param({"recurse": True, "exclude": "{sub/*,*.json}"}, ["a", "a2", "b"], id="exclude"),
        pytest.param({"include": "*.yaml", "exclude": "b*"}, [], id="exclude-wins"),
        pytest.param({"disable_extension_filter": True, "include": "notes*"}, ["text"], id="any-name"),
    ],
)
def test_options_choose_the_files(shared: frames.Evaluator, make_folder: MakeFolder, options: dict[str, Any], expected: list[str]) -> None:
    assert names(shared, make_folder(TREE), **options) == expected


def test_only_what_was_looked_at_is_in_the_trace(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    names(shared, make_folder(TREE), exclude="c.json")
    assert shared.trace == ["app", "app/", "app/a.yml", "app/b.yaml"]


def test_questions_are_asked_together(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder({f"app/d{i}/f{j}.yaml": CM % f"x{i}-{j}" for i in range(10) for j in range(10)})
    assert len(names(shared, folder, recurse=True)) == 100
    assert len(folder.asked) == 4


def test_what_was_told_ahead_is_not_asked_for(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder(TREE)
    tree = {"stat": {"app": "dir"}, "list": {"app": [["a.yaml", "file"]]}, "read": {"app/a.yaml": CM % "told"}}
    answer = shared.run({"evaluator": "directory", "path": "app", "options": {}}, folder, tree)
    assert [one["object"]["metadata"]["name"] for one in answer["objects"]] == ["told"]
    assert folder.asked == []
    assert shared.trace == ["app", "app/", "app/a.yaml"]


def test_objects_know_their_file_and_line(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    text = "# a comment\n\n" + CM % "one" + "---\n# nothing\n---\n\n" + CM % "two"
    answer = shared.run({"evaluator": "directory", "path": "app", "options": {}}, make_folder({"app/a.yaml": text}))
    assert [(one["file"], one["line"]) for one in answer["objects"]] == [("app/a.yaml", 3), ("app/a.yaml", 10)]


def test_lists_are_flattened(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n---\napiVersion: v1\nkind: PodList\nitems: []\n"
    assert names(shared, make_folder({"app/a.yaml": text})) == ["x"]


def test_empty_documents_and_byte_order_marks_do_not_matter(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    assert names(shared, make_folder({"app/a.yaml": "\ufeff---\n" + CM % "x" + "---\n---\nnull\n---\n{}\n", "app/b.yaml": ""})) == ["x"]


def test_json_documents_in_a_row_are_a_stream(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    one = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "%s"}}\n'
    assert names(shared, make_folder({"app/a.yaml": one % "x" + one % "y"})) == ["x", "y"]


def test_a_file_that_is_no_manifest_is_left_out(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    files = {"app/values.yaml": "replicas: 2\n", "app/broken.yaml": "a: [\n", "app/list.yaml": "- 1\n", "app/template.yaml": "{{ if x }}\n"}
    assert names(shared, make_folder(files | {"app/z.yaml": CM % "z"})) == ["z"]


def test_a_file_marked_to_be_skipped_is_left_out(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    assert names(shared, make_folder({"app/a.yaml": "# +argocd:skip-file-rendering\n" + CM % "x"})) == []


def test_a_broken_manifest_is_an_error_in_the_words_of_argo_cd(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    caught = failure(shared, make_folder({"app/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n"}))
    assert (caught.file, caught.line, caught.kind) == ("app/a.yaml", 3, "input")
    assert caught.message == (
        'Failed to unmarshal "a.yaml": failed to unmarshal manifest: '
        "error converting YAML to JSON: yaml: line 3: did not find expected ',' or '}'"
    )


@pytest.mark.parametrize(
    ("files", "file", "line", "says"),
    [
        pytest.param({"app/a.yaml": CM % "x" + "---\na: [\n"}, "app/a.yaml", 5, "yaml: line 5", id="a-later-document"),
        pytest.param({"app/a.yaml": CM % "x" + "---\nreplicas: 1\n"}, "app/a.yaml", 5, "'Kind' is missing", id="no-kind"),
        pytest.param({"app/a.yaml": "kind: ConfigMap\nmetadata: {name: x}\n"}, "app/a.yaml", 1, "'apiVersion' is missing", id="no-version"),
        pytest.param({"app/a.yaml": "\napiVersion: v1\nkind: Pod\n"}, "app/a.yaml", 2, "metadata.name is missing in a Pod", id="no-name"),
        pytest.param({"app/a.yaml": CM % 7}, "app/a.yaml", 1, "metadata.name is a number, not a string", id="name-is-a-number"),
        pytest.param({"app/a.json": '{"kind": 1,\n]'}, "app/a.json", 2, 'Failed to unmarshal "a.json"', id="json"),
        pytest.param(
            {"app/a.json": '{"apiVersion": "v1", "kind": "A", "metadata": {"name": "x"}} {}'}, "app/a.json", 1, "multiple", id="json-two"
        ),
        pytest.param({"app/a.jsonnet": "{\n  a: b\n}"}, "app/a.jsonnet", 2, "Unknown variable: b", id="jsonnet"),
        pytest.param({"app/a.jsonnet": "error 'x'"}, "app/a.jsonnet", 1, "RUNTIME ERROR: x", id="jsonnet-runtime"),
        pytest.param({"app/a.jsonnet": "import 'no.libsonnet'"}, "app/a.jsonnet", 1, "couldn't open import", id="jsonnet-import"),
        pytest.param({"app/a.jsonnet": "[1]"}, "app/a.jsonnet", 0, "not a number", id="jsonnet-number"),
        pytest.param({"app/a.jsonnet": "local f(x) = f(x + 1); f(0)"}, "app/a.jsonnet", 1, "stack", id="jsonnet-endless"),
        pytest.param({"other": ""}, "app", 0, "app path does not exist", id="no-directory"),
    ],
)
def test_what_is_wrong_is_named(
    shared: frames.Evaluator, make_folder: MakeFolder, files: dict[str, str], file: str, line: int, says: str
) -> None:
    caught = failure(shared, make_folder(files))
    assert (caught.file, caught.line, caught.kind) == (file, line, "input")
    assert says in caught.message


def test_a_pattern_that_is_none_is_an_error_and_not_an_empty_app(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    assert "directory.include" in failure(shared, make_folder(TREE), include="[").message


def test_directories_that_are_too_large_are_refused(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    caught = failure(shared, make_folder({f"app/{i}.yaml": CM % f"x{i}" + "#" * (1 << 20) for i in range(11)}))
    assert caught.kind == "limit"


def test_a_list_of_secrets_is_not_quoted_in_errors(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    text = 'apiVersion: v1\nmetadata: {name: x}\nkind: ""\ndata: {password: aHVudGVyMg==}\n'
    caught = failure(shared, make_folder({"app/a.yaml": text}))
    assert "aHVudGVyMg" not in caught.message


JSONNET = {
    "app/main.jsonnet": "function(name='demo', n=1) [(import 'parts/cm.libsonnet')(name), [(import 'lib.libsonnet')(n), []]]",
    "app/parts/cm.libsonnet": "function(n) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: n}, data: {e: std.extVar('e'), f: importstr '../f.txt'}}",
    "app/f.txt": "text",
    "shared/lib/lib.libsonnet": "function(n) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'lib-%d' % n}}",
}


def test_jsonnet_gets_variables_arguments_and_libraries(shared: frames.Evaluator, make_folder: MakeFolder) -> None:
    folder = make_folder(JSONNET)
    options: dict[str, Any] = {"ext_vars": [{"name": "e", "value": "x"}], "libs": ["shared/lib"]}
    assert names(shared, folder, **options) == ["demo", "lib-1"]
    options["tlas"] = [{"name": "n", "value": "1 + 1", "code": True}, {"name": "name", "value": "given"}]
    assert names(shared, folder, **options) == ["given", "lib-2"]
    assert {"app/f.txt", "app/lib.libsonnet", "app/parts/cm.libsonnet", "shared/lib/lib.libsonnet"} <= set(shared.trace)
