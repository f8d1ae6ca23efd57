"""Lua, jq, versions and single streams of YAML: what they answer, and what they cannot reach."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluator import frames

OBJ = {"spec": {"replicas": 3, "list": [1, 2, {"deep": None, "x": "y"}]}, "status": {}}


def lua(shared: frames.Evaluator, script: str, *, open_libs: bool = False) -> Any:
    return shared.run({"evaluator": "lua", "script": script, "obj": OBJ, "openLibs": open_libs})


def jq(shared: frames.Evaluator, *programs: str, inputs: tuple[Any, ...] = ({"a": 1, "b": {"c": 2}},)) -> Any:
    return shared.run({"evaluator": "jq", "programs": programs, "inputs": inputs})


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(
            "return {status = 'Healthy', message = 'n=' .. obj.spec.replicas}", {"status": "Healthy", "message": "n=3"}, id="health"
        ),
        pytest.param(
            "hs = {}; for i, x in ipairs(obj.spec.list) do hs[i] = type(x) end; return hs", ["number", "number", "table"], id="list"
        ),
        pytest.param("return obj.spec", {"replicas": 3, "list": [1, 2, {"x": "y"}]}, id="null-is-nil"),
        pytest.param("return {a = {}, b = obj.status}", {"a": [], "b": {}}, id="an-empty-table-is-a-list-unless-it-was-an-object"),
        pytest.param("obj.spec.list[3].x = nil; return obj.spec.list", [1, 2, {}], id="an-object-that-was-emptied"),
        pytest.param("local x = 1", None, id="nothing"),
        pytest.param("return 1, 'last'", "last", id="several"),
        pytest.param("local os = require('os'); return os.time() > 1600000000 and os.date('!%Y', 0)", "1970", id="clock"),
        pytest.param("print('not into the frames'); return true", True, id="print"),
        pytest.param("local t = {1}; return {a = t, b = t}", {"a": [1], "b": [1]}, id="a-table-twice"),
    ],
)
def test_lua_answers_as_json(shared: frames.Evaluator, script: str, expected: Any) -> None:
    assert lua(shared, script) == expected


@pytest.mark.parametrize(
    ("script", "line", "says"),
    [
        pytest.param("\nreturn obj.spec.none.deeper", 2, "attempt to index", id="runtime"),
        pytest.param("if", 1, "syntax error", id="syntax"),
        pytest.param("error('wrong')", 1, "wrong", id="error"),
        pytest.param("return {1, nil, 3}", 0, "cannot be JSON", id="sparse"),
        pytest.param("local t = {}; t.t = t; return t", 0, "contains itself", id="circle"),
        pytest.param("return function() end", 0, "a function cannot be JSON", id="function"),
        pytest.param("local function f() return f() + 1 end; return f()", 0, "overflow", id="recursion"),
        pytest.param("return require('io')", 1, "module io not found", id="require"),
    ],
)
def test_errors_of_lua_name_the_line(shared: frames.Evaluator, script: str, line: int, says: str) -> None:
    with pytest.raises(frames.EvaluationError) as caught:
        lua(shared, script)
    assert caught.value.line == line
    assert says in caught.value.message
    assert "traceback" not in caught.value.message


@pytest.mark.parametrize("open_libs", [False, True])
def test_lua_has_nothing_that_reaches_the_machine(shared: frames.Evaluator, open_libs: bool) -> None:
    names = "io debug channel dofile loadfile module package.loaders os.execute os.getenv os.exit os.remove os.rename os.tmpname"
    script = f"local found = {{n = 0}}; for name in pairs(os) do found.n = found.n + 1 end; local function has(x) return x ~= nil end {_checks(names)} return found"
    assert lua(shared, script, open_libs=open_libs) == {"n": 3 if open_libs else 2}


def _checks(names: str) -> str:
    checks = []
    for name in names.split():
        root, _, rest = name.partition(".")
        value = f"({root} or {{}}).{rest}" if rest else name
        checks.append(f"if has({value}) then found['{name}'] = true end")
    return "; ".join(checks) + ";"


def test_more_libraries_only_when_asked_for(shared: frames.Evaluator) -> None:
    assert lua(shared, "return string == nil and math == nil") is True
    assert lua(shared, "return string.format('%d', math.floor(2.5))", open_libs=True) == "2"


def test_parameters_are_text_and_an_empty_table_without_any(shared: frames.Evaluator) -> None:
    request = {"evaluator": "lua", "obj": OBJ, "script": "return {actionParams.n, type(actionParams.n), actionParams.other == nil}"}
    assert shared.run({**request, "params": {"n": "3"}}) == ["3", "string", True]
    assert lua(shared, "return next(actionParams) == nil") is True


def test_a_script_leaves_nothing_to_the_next(shared: frames.Evaluator) -> None:
    lua(shared, "leak = 1; obj.spec.replicas = 9; table.insert = nil")
    assert lua(shared, "return {leak == nil, obj.spec.replicas, table.insert ~= nil}") == [True, 3, True]


def test_jq_programs_run_one_after_the_other(shared: frames.Evaluator) -> None:
    assert jq(shared, "del(.a)", ".b.d = 3", inputs=({"a": 1, "b": {"c": 2}}, {"b": {}})) == [{"b": {"c": 2, "d": 3}}, {"b": {"d": 3}}]


def test_a_program_without_a_result_changes_nothing(shared: frames.Evaluator) -> None:
    assert jq(shared, "empty", ".a") == [1]


def test_numbers_keep_their_digits(shared: frames.Evaluator) -> None:
    assert jq(shared, "del(.x)", inputs=({"big": 12345678901234567890, "x": 1},)) == [{"big": 12345678901234567890}]


@pytest.mark.parametrize("program", ["env", "$ENV"])
def test_jq_has_no_environment(shared: frames.Evaluator, program: str) -> None:
    assert jq(shared, program) == [{}]


@pytest.mark.parametrize("program", [".[", "nothere", "input", 'import "x" as x; 1', "1, 2", ".a | error"])
def test_errors_of_jq_name_the_program(shared: frames.Evaluator, program: str) -> None:
    with pytest.raises(frames.EvaluationError, match="jq program"):
        jq(shared, program)


@pytest.mark.parametrize("program", ["error", ".data | error", ".data.password | fromjson", "@base64d", ".data + 1", ".data.password.x"])
def test_errors_of_jq_quote_no_values(shared: frames.Evaluator, program: str) -> None:
    with pytest.raises(frames.EvaluationError) as caught:
        jq(shared, program, inputs=({"data": {"password": "hunter2"}},))
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [("^1", "v1.10.1"), ("1.2.x", "1.2.0"), ("*", "v1.10.1"), (">=2.0.0-0", "2.0.0-rc1"), ("~9", None), (">1.2 <1.10", None)],
)
def test_the_highest_version_that_satisfies(shared: frames.Evaluator, constraint: str, expected: str | None) -> None:
    versions = ["v1.0.0", "1.2.0", "2.0.0-rc1", "not a version", "v1.10.1"]
    assert shared.run({"evaluator": "semver", "constraint": constraint, "versions": versions}) == expected


def test_a_constraint_that_is_none_is_an_error(shared: frames.Evaluator) -> None:
    with pytest.raises(frames.EvaluationError, match="constraint"):
        shared.run({"evaluator": "semver", "constraint": "latest!", "versions": []})


def test_yaml_is_read_as_kubernetes_reads_it(shared: frames.Evaluator) -> None:
    text = (
        "apiVersion: v1\nkind: A\nmetadata: {name: x}\nd: [yes, y, 12:30, 0755, 0o14, 089, 1e3, 2024-01-02, ~, 1_000]\nm: {true: 1, 1: 2}\n"
    )
    (one,) = shared.run({"evaluator": "yaml", "text": text, "file": "f.yaml"})["objects"]
    assert one["object"]["d"] == [True, True, "12:30", 493, 12, 89, 1000, "2024-01-02", None, 1000]
    assert one["object"]["m"] == {"true": 1, "1": 2}


def test_an_unknown_evaluator_is_said_to_be_unknown(shared: frames.Evaluator) -> None:
    with pytest.raises(frames.EvaluationError, match="no evaluator"):
        shared.run({"evaluator": "cobol"})
