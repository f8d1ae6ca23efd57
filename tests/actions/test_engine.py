"""An operator's own actions, and hostile ones: what is understood, what is refused, and that nothing gets out."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.actions import catalogue
from homeostat.actions.effects import Create, Patch
from homeostat.actions.engine import Action, Engine, Param
from homeostat.actions.errors import ActionError, ActionScriptError, DisabledActionError, ParameterError, UnknownActionError
from homeostat.evaluate.errors import LimitError
from homeostat.evaluate.pool import Pool
from homeostat.model.objects import Object
from homeostat.model.settings import ActionScripts
from tests import evaluators

BUILTIN = catalogue.load()
WEB: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"replicas": 2, "strategy": {}, "args": [], "template": {"spec": {"containers": [{"name": "web", "resources": {}}]}}},
}
SECRET: Object = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "s", "namespace": "shop"},
    "data": {"password": "aHVudGVyMg=="},
}


def engine(pool: Pool, *custom: ActionScripts) -> Engine:
    return Engine(pool, builtin=BUILTIN, custom=custom)


def scripted(pool: Pool, script: str, *, discovery: str = "", kind: str = "Deployment", group: str = "apps") -> Engine:
    return engine(pool, ActionScripts(group, kind, discovery, {"try": script}))


async def tried(pool: Pool, script: str, obj: Object = WEB, **params: str) -> Any:
    return await scripted(pool, script, kind=obj["kind"], group="apps" if obj is WEB else "").run(obj, "try", params)


async def test_what_discovery_says_is_kept(pool: Pool) -> None:
    discovery = """
      return {
        plain = {},
        ["with-dash"] = {disabled = true, displayName = "With Dash", iconClass = "fa fa-fw fa-x", reason = "it is late"},
        asks = {params = {{name = "count", default = "1"}, {name = "other", type = "text"}}},
        none = {params = {}},
      }"""
    assert await scripted(pool, "", discovery=discovery).discover(WEB) == (
        Action("asks", params=(Param("count", "1"), Param("other"))),
        Action("none"),
        Action("plain"),
        Action("with-dash", disabled=True, reason="it is late", display_name="With Dash", icon_class="fa fa-fw fa-x"),
    )


async def test_without_a_discovery_every_definition_is_offered(pool: Pool) -> None:
    assert await scripted(pool, "return obj").discover(WEB) == (Action("try"),)


async def test_the_operators_actions_replace_ours_or_join_them(pool: Pool) -> None:
    async def names(custom: ActionScripts) -> list[str]:
        return [action.name for action in await engine(pool, custom).discover(WEB)]

    mine = ActionScripts("apps", "Deployment", "return {mine = {}, restart = {disabled = true}}", {"mine": "return obj"})
    merged = ActionScripts("apps", "Deployment", mine.discovery, mine.definitions, merge_builtin=True)
    assert await names(mine) == ["mine", "restart"]
    assert await names(merged) == ["mine", "pause", "restart", "resume", "scale"]
    with pytest.raises(DisabledActionError):
        await engine(pool, merged).run(WEB, "restart", {})


async def test_a_name_without_a_definition_is_carried_out_by_ours(pool: Pool) -> None:
    custom = ActionScripts("apps", "Deployment", "return {pause = {}, nothing = {}}")
    assert await engine(pool, custom).run(WEB, "pause", {}) == (Patch({"spec": {"paused": True}}),)
    with pytest.raises(ActionScriptError, match="offered and defined nowhere") as caught:
        await engine(pool, custom).run(WEB, "nothing", {})
    assert "resource.customizations.actions.apps_Deployment" in caught.value.hint


async def test_an_exact_kind_comes_before_a_glob(pool: Pool) -> None:
    customs = (ActionScripts("*", "*", "return {any = {}}"), ActionScripts("apps", "Deployment", "return {exact = {}}"))
    both = engine(pool, *customs)
    assert [action.name for action in await both.discover(WEB)] == ["exact"]
    stateful = {**WEB, "kind": "StatefulSet"}
    assert [action.name for action in await both.discover(stateful)] == ["any"]
    assert await engine(pool).discover({**WEB, "kind": "Unheard"}) == ()


@pytest.mark.parametrize(
    ("name", "error", "says", "hint"),
    [
        pytest.param("restrat", UnknownActionError, "there is no action `restrat`", "`restart`", id="unknown"),
        pytest.param("resume", DisabledActionError, "action `resume` is disabled: it is not paused", "", id="disabled"),
        pytest.param("scale", ParameterError, "needs a value for `replicas`", "--param replicas=", id="parameter"),
    ],
)
async def test_what_cannot_be_run_is_refused_with_the_reason(pool: Pool, name: str, error: type[ActionError], says: str, hint: str) -> None:
    with pytest.raises(error) as caught:
        await engine(pool).run(WEB, name, {})
    assert "Deployment.apps shop/web" in caught.value.message
    assert says in caught.value.message
    assert hint in caught.value.hint


async def test_a_parameter_that_the_action_has_not_is_refused(pool: Pool) -> None:
    with pytest.raises(ParameterError, match="no parameter `replica`") as caught:
        await engine(pool).run(WEB, "scale", {"replica": "3"})
    assert caught.value.hint == "it takes replicas"


async def test_an_action_that_declares_no_parameters_may_read_any(pool: Pool) -> None:
    assert await tried(pool, "obj.spec.note = actionParams.note; return obj", note="x") == (Patch({"spec": {"note": "x"}}),)


async def test_what_goes_through_lua_unchanged_is_no_change(pool: Pool) -> None:
    odd = {**WEB, "spec": {"big": 12345678901234567890, "none": None, "list": [None, 1.5, {}], "empty": [], "map": {}, "no": False}}
    assert await tried(pool, "return obj", odd | {"kind": "Odd", "apiVersion": "v1"}) == ()
    assert await tried(pool, "obj.spec.template.metadata = {}; obj.spec.strategy = {}; return obj") == ()


@pytest.mark.parametrize(
    ("script", "patch"),
    [
        pytest.param("obj.spec.replicas = nil", {"spec": {"replicas": None}}, id="removed"),
        pytest.param("obj.metadata.labels = {}", {"metadata": {"labels": {"app": None}}}, id="emptied"),
        pytest.param("obj.metadata.labels.app = nil", {"metadata": {"labels": {"app": None}}}, id="the-last-one-removed"),
        pytest.param(
            "obj.spec.template.spec.containers[1].image = 'a'",
            {"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {}, "image": "a"}]}}}},
            id="lists-as-a-whole",
        ),
        pytest.param("obj.spec.replicas = true", {"spec": {"replicas": True}}, id="another-type"),
        pytest.param("obj.spec.strategy = 'x'", {"spec": {"strategy": "x"}}, id="no-object-any-more"),
    ],
)
async def test_a_patch_is_what_differs(pool: Pool, script: str, patch: Object) -> None:
    assert await tried(pool, f"{script}; return obj") == (Patch(patch),)


async def test_a_list_makes_and_patches(pool: Pool) -> None:
    script = """
      local made = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = "made", labels = obj.metadata.labels}, data = {a = "b"}}
      obj.metadata.annotations = {a = "b"}
      return {{operation = "create", resource = made}, {operation = "patch", resource = obj}}"""
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "labels": {"app": "web"}}, "data": {"a": "b"}}
    assert await tried(pool, script) == (Create(made), Patch({"metadata": {"annotations": {"a": "b"}}}))
    assert await tried(pool, "return {}") == ()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("local x = 1", "expect table output from Lua script, not nil"),
        ("return 7", "not number"),
        ("return {{operation = 'delete', resource = obj}}", "entry 1 of what the script returned: operation: expected"),
        ("return {{operation = 'create'}}", "resource: expected an object"),
        ("return {'x'}", "operation: expected"),
        ("return {{operation = 'create', resource = {kind = 'X'}}}", "apiVersion, kind and metadata"),
        ("return {{operation = 'create', resource = {apiVersion = 'v1', kind = 'X', metadata = {a = 1}}}}", "metadata.name"),
        ("return {{operation = 'create', resource = {apiVersion = 'v1', kind = 'X', metadata = {name = 7}}}}", "expected text"),
        ("obj.metadata.name = 'other'; return obj", "returned another object to be patched"),
        ("obj.metadata = nil; return obj", "returned another object to be patched"),
        ("obj.metadata = {name = {{}}}; return obj", "returned another object to be patched"),
        ("obj.kind = {}; obj.apiVersion = 7; return obj", "returned another object to be patched"),
        ("obj.self = obj; return obj", "contains itself"),
        ("return obj.nothing.more", "attempt to index"),
        ("return (", "syntax error"),
        ("error('no, because', 0)", "action `try`: no, because"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_of_the_script(pool: Pool, script: str, says: str) -> None:
    with pytest.raises(ActionScriptError) as caught:
        await tried(pool, script)
    assert caught.value.message.startswith("Deployment.apps shop/web: ")
    assert says in caught.value.message


@pytest.mark.parametrize(
    "discovery", ["return true", "return {1, 2}", "return {a = 7}", "return {a = {disabled = 'x'}}", "return {a = {params = 7}}"]
)
async def test_a_discovery_that_is_none_names_the_setting(pool: Pool, discovery: str) -> None:
    with pytest.raises(ActionScriptError, match="discovery of actions") as caught:
        await scripted(pool, "", discovery=discovery).discover(WEB)
    assert "resource.customizations.actions.apps_Deployment" in caught.value.hint


@pytest.mark.parametrize(
    "script",
    [
        "return io.open('/etc/passwd')",
        "os.execute('true')",
        "os.exit(0)",
        "return os.getenv('HOME')",
        "dofile('/etc/passwd')",
        "return require('io')",
        "return string.rep('x', 10)",
        "return debug.getinfo(1)",
    ],
)
async def test_a_script_reaches_nothing(pool: Pool, script: str) -> None:
    with pytest.raises(ActionScriptError):
        await tried(pool, script)
    assert await tried(pool, "return {}") == ()


@pytest.mark.parametrize("where", ["action", "discovery"])
async def test_a_script_without_end_is_ended(pool: Pool, where: str) -> None:
    endless = "while true do end"
    subject = scripted(pool, endless, discovery=endless if where == "discovery" else "")
    with pytest.raises(LimitError, match=r"more than its time limit of 1 seconds") as caught:
        await subject.run(WEB, "try", {})
    assert "Deployment.apps shop/web" in caught.value.message
    assert await tried(pool, "return {}") == ()


async def test_a_script_that_eats_memory_is_ended() -> None:
    async with evaluators.pool(size=1, memory=96 * 1024 * 1024, quick_seconds=20.0) as small:
        with pytest.raises(LimitError):
            await tried(small, "local t = {}; while true do table.insert(t, {t, t, t}) end")


async def test_a_name_is_no_script(pool: Pool) -> None:
    custom = ActionScripts("apps", "Deployment", "", {'"] = {}}; os.exit(1) --': "return obj", "ü\n\\": "return obj"})
    assert {action.name for action in await engine(pool, custom).discover(WEB)} == set(custom.definitions)


async def test_what_a_script_says_of_a_secret_is_not_repeated(pool: Pool) -> None:
    with pytest.raises(ActionScriptError, match="the script failed in line 2") as caught:
        await tried(pool, "\nerror(obj.data.password)", SECRET)
    assert "aHVudGVyMg" not in str(caught.value)
    assert caught.value.__cause__ is None
