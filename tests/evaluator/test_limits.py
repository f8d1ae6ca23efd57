"""What overruns its limits ends with a clear reason, and soon; the process serves on where it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.evaluator import frames
from tests.evaluator.conftest import MakeFolder

MEMORY_CODE = 77
LUA = {"evaluator": "lua", "obj": {}, "openLibs": True}
HELM = {"evaluator": "helm", "path": "app", "releaseName": "r", "namespace": "n", "kubeVersion": "1.36.3", "options": {}}
CHART = "apiVersion: v2\nname: chart\nversion: 0.1.0\n"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({**LUA, "script": "local s = 'x'; while true do s = s .. s end"}, id="lua"),
        pytest.param({**LUA, "script": "local t = {}; while true do t[#t + 1] = {} end"}, id="lua-tables"),
        pytest.param({**LUA, "script": "return string.rep('x', 1e9)"}, id="lua-one-string"),
        pytest.param({"evaluator": "jq", "inputs": [None], "programs": ["def f: [., .] | f; f"]}, id="jq"),
        pytest.param({"evaluator": "jq", "inputs": [None], "programs": ["[range(1e9)]"]}, id="jq-list"),
    ],
)
def test_a_memory_bomb_ends_its_process_with_a_code_of_its_own(binary: Path, request_: dict[str, Any]) -> None:
    with frames.evaluator(binary, memory=256 << 20) as process, pytest.raises(frames.Gone) as caught:
        process.run(request_)
    assert caught.value.code == MEMORY_CODE
    assert "memory limit" in caught.value.text


@pytest.mark.parametrize(
    "template",
    [
        pytest.param('{{ range until 100000 }}{{ range until 100000 }}{{ printf "%1000d" . }}{{ end }}{{ end }}', id="output"),
        pytest.param('{{ $s := "x" }}{{ range until 60 }}{{ $s = printf "%s%s" $s $s }}{{ end }}', id="string"),
    ],
)
def test_a_template_that_eats_memory_ends_its_process(binary: Path, make_folder: MakeFolder, template: str) -> None:
    folder = make_folder({"app/Chart.yaml": CHART, "app/templates/a.yaml": template})
    with frames.evaluator(binary, memory=256 << 20) as process, pytest.raises(frames.Gone) as caught:
        process.run(HELM, folder)
    assert caught.value.code == MEMORY_CODE


@pytest.mark.parametrize(
    ("template", "says"),
    [
        pytest.param('{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}', "nested reference name: a", id="include"),
        pytest.param('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', "maximum template depth", id="template"),
        pytest.param("{{ tpl .Values.t . }}", "nested reference", id="tpl"),
    ],
)
def test_templates_that_call_themselves_end_in_an_error(
    shared: frames.Evaluator, make_folder: MakeFolder, template: str, says: str
) -> None:
    files = {
        "app/Chart.yaml": CHART,
        "app/templates/a.yaml": template,
        "app/templates/_x.tpl": '{{ define "x" }}{{ tpl .Values.t . }}{{ end }}',
    }
    files["app/values.yaml"] = "t: '{{ include \"x\" . }}'\n"
    with pytest.raises(frames.EvaluationError) as caught:
        shared.run(HELM, make_folder(files))
    assert says in caught.value.message
    assert len(caught.value.message) < 5000
    assert caught.value.file == "app/templates/a.yaml"


def test_an_answer_that_is_too_long_is_an_error_and_the_process_serves_on(binary: Path) -> None:
    with frames.evaluator(binary, output=100_000) as process:
        with pytest.raises(frames.EvaluationError) as caught:
            process.run({**LUA, "script": "return string.rep('x', 200000)"})
        assert caught.value.kind == "limit"
        assert process.run({**LUA, "script": "return 1"}) == 1


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000, "&a [" + "*a, " * 9 + "]"])
def test_yaml_that_nests_without_end_is_an_error(shared: frames.Evaluator, text: str) -> None:
    with pytest.raises(frames.EvaluationError):
        shared.run({"evaluator": "yaml", "text": text})


def test_aliases_that_multiply_are_an_error(shared: frames.Evaluator) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(frames.EvaluationError, match="excessive aliasing"):
        shared.run({"evaluator": "yaml", "text": "\n".join(lines)})


def test_the_process_ends_with_its_input_even_in_an_endless_loop(binary: Path) -> None:
    with frames.evaluator(binary) as process:
        process.begin({**LUA, "script": "while true do end"})
        process.hang_up()
        assert process.wait() == 0
