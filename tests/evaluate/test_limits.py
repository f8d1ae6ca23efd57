"""A program without end, or without measure, costs its own request a clear error and nobody else anything."""

from __future__ import annotations

import asyncio

import pytest

from homeostat.evaluate.errors import EvaluateError, EvaluationError, LimitError
from homeostat.evaluate.pool import Answer, Pool
from homeostat.evaluate.requests import DirectoryRequest, HelmRequest, JqRequest, LuaRequest, Request
from homeostat.model.app import HelmOptions
from tests import evaluators

MEBIBYTE = 1024 * 1024


def _helm(template: str) -> tuple[Request, dict[str, str]]:
    request = HelmRequest(path="bad", options=HelmOptions(), release_name="shop", namespace="shop", kube_version="1.36.3")
    return request, {"bad/Chart.yaml": evaluators.CHART, "bad/templates/all.yaml": template}


def _directory(name: str, text: str) -> tuple[Request, dict[str, str]]:
    return DirectoryRequest(path="bad"), {f"bad/{name}": text}


ENDLESS = {
    "helm range": _helm('{{ range until 30000 }}{{ range until 30000 }}{{ $_ := printf "x" }}{{ end }}{{ end }}'),
    "lua loop": (LuaRequest(script="while true do end", obj={}), {}),
    "jq recursion": (JqRequest(programs=("def f: f; f",), inputs=({},)), {}),
}
BOMBS = {
    "helm doubling": _helm('{{ $s := "xxxxxxxxxxxxxxxx" }}{{ range until 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}{{ $s }}'),
    "helm list": _helm("{{ range until 200000000 }}{{ end }}"),
    "helm repeat": _helm('a: {{ repeat 200000000 "xyz" }}'),
    "helm tpl": _helm('{{ define "a" }}{{ tpl "{{ include \\"a\\" . }}" . }}{{ end }}{{ include "a" . }}'),
    "jsonnet doubling": _directory("a.jsonnet", 'std.foldl(function(a, b) a + a, std.range(1, 60), "xxxx")'),
    "jsonnet tailstrict": _directory("a.jsonnet", "local f(x) = if x > 1e12 then 0 else f(x + 1) tailstrict; f(0)"),
    "lua doubling": (LuaRequest(script='local s = "x" while true do s = s .. s end', obj={}), {}),
    "lua repeat": (LuaRequest(script='return string.rep("x", 100000000000)', obj={}, open_libs=True), {}),
    "jq list": (JqRequest(programs=("[range(1e12)]",), inputs=({},)), {}),
}
RECURSION = {
    "helm include": _helm('{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'),
    "helm template": _helm('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}'),
    "jsonnet": _directory("a.jsonnet", "local f(x) = f(x + 1) + 1; f(0)"),
    "lua": (LuaRequest(script="local function f(x) return 1 + f(x) end return f(1)", obj={}), {}),
    "yaml nesting": _directory("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: " + "[" * 1_000_000),
    "yaml aliases": _directory(
        "a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na: &a [x,x,x,x,x,x,x,x,x]\n"
        + "\n".join(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)),
    ),
}


async def _others(pool: Pool, count: int) -> list[Answer]:
    script = "local sum = 0 for i = 1, obj.n do sum = sum + i end return {sum = sum}"
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(pool.evaluate(LuaRequest(script=script, obj={"n": n}))) for n in range(count)]
    return [task.result() for task in asked]


async def _failure(pool: Pool, request: Request, files: dict[str, str]) -> EvaluateError:
    with pytest.raises(EvaluateError) as caught:
        await pool.evaluate(request, tree=evaluators.MemoryTree(files), subject="Application argocd/bad")
    return caught.value


@pytest.mark.parametrize(("request_", "files"), ENDLESS.values(), ids=ENDLESS.keys())
async def test_one_without_end_is_stopped_by_its_time_limit_while_others_go_on(request_: Request, files: dict[str, str]) -> None:
    async with evaluators.pool(seconds=1.5, quick_seconds=1.5) as pool, asyncio.TaskGroup() as group:
        failing = group.create_task(_failure(pool, request_, files))
        others = group.create_task(_others(pool, 30))
        error = await failing
        assert isinstance(error, LimitError)
        assert error.limit == "time"
        assert str(error).endswith("of Application argocd/bad was stopped: it took more than its time limit of 1.5 seconds")
        assert str(error).split(" of ")[0] in {"helm", "lua", "jq"}
        assert error.hint
        assert [answer.value["sum"] for answer in await others] == [n * (n + 1) // 2 for n in range(30)]


@pytest.mark.parametrize(("request_", "files"), BOMBS.values(), ids=BOMBS.keys())
async def test_one_without_measure_is_stopped_while_others_go_on(request_: Request, files: dict[str, str]) -> None:
    async with evaluators.pool(seconds=8, quick_seconds=8, memory=192 * MEBIBYTE) as pool, asyncio.TaskGroup() as group:
        failing = group.create_task(_failure(pool, request_, files))
        others = group.create_task(_others(pool, 30))
        error = await failing
        assert isinstance(error, LimitError)
        assert error.limit in {"memory", "stack"}
        assert "of Application argocd/bad was stopped" in str(error)
        assert len(await others) == 30


@pytest.mark.parametrize(("request_", "files"), RECURSION.values(), ids=RECURSION.keys())
async def test_recursion_and_nesting_without_end_are_errors_of_the_input(request_: Request, files: dict[str, str]) -> None:
    async with evaluators.pool() as pool:
        error = await _failure(pool, request_, files)
        assert isinstance(error, EvaluationError | LimitError)
        assert (await _others(pool, 1))[0].value == {"sum": 0}


async def test_an_answer_that_is_too_long_is_stopped() -> None:
    async with evaluators.pool() as pool:
        with pytest.raises(LimitError) as caught:
            await pool.evaluate(LuaRequest(script='return string.rep("x", 70000000)', obj={}, open_libs=True), subject="app x")
        assert caught.value.limit == "output"
        assert (await _others(pool, 1))[0].value == {"sum": 0}


async def test_a_stopped_render_has_the_trace_of_what_it_was_told() -> None:
    request, files = ENDLESS["helm range"]
    async with evaluators.pool(seconds=0.3) as pool:
        error = await _failure(pool, request, files)
    assert {"bad/Chart.yaml", "bad/templates/all.yaml"} <= error.trace
