"""Health by Lua, in real evaluators."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from homeostat.argo.settings import CONFIG, read_settings
from homeostat.compare.health.builtin import Verdict
from homeostat.compare.health.scripts import Judge, find
from homeostat.evaluate.pool import Pool
from homeostat.model.health import Health, HealthStatus
from homeostat.model.objects import GroupKind, Object, split_api_version
from homeostat.model.settings import HealthScript
from tests import evaluators

PAUSED: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"paused": True}}
PAUSED_HEALTH = Health(HealthStatus.SUSPENDED, "Deployment is paused")


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    evaluators.program()


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    async with evaluators.pool(size=1, quick_seconds=1.0) as pool:
        yield pool


def deployment_script(script: str, *, open_libs: bool = False) -> HealthScript:
    return HealthScript("apps", "Deployment", script, open_libs)


async def judged(pool: Pool, script: str, obj: Object = PAUSED, *, open_libs: bool = False) -> Health | None:
    return await Judge(pool, lambda: (deployment_script(script, open_libs=open_libs),)).judge(obj)


async def test_a_script_comes_before_the_built_in_rule(pool: Pool) -> None:
    script = 'hs = {}\nif obj.spec.paused then hs.status = "Healthy" end\nhs.message = obj.metadata.name\nreturn hs'
    assert await judged(pool, script) == Health(HealthStatus.HEALTHY, "web")


async def test_a_script_that_says_nothing_leaves_it_to_the_built_in_rule(pool: Pool) -> None:
    assert await judged(pool, "return nil") == PAUSED_HEALTH
    assert await judged(pool, "local x = 1") == PAUSED_HEALTH


async def test_an_object_that_is_being_deleted_is_not_asked_about(pool: Pool) -> None:
    gone = PAUSED | {"metadata": {"name": "web", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert await judged(pool, "error('asked')", gone) == Health(HealthStatus.PROGRESSING, "Pending deletion")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('return {status="Fine"}', "Lua returned an invalid health status"),
        ("return {}", "expect table output from Lua script, not table without a status"),
        ('return {message="x"}', "Lua returned an invalid health status"),
        ('return {status="Healthy", message={}}', "Lua returned an invalid health status"),
        ("return 'Healthy'", "expect table output from Lua script, not string"),
        ("return 1", "expect table output from Lua script, not number"),
    ],
)
async def test_an_answer_that_is_no_health_is_unknown(pool: Pool, script: str, message: str) -> None:
    assert await judged(pool, script) == Health(HealthStatus.UNKNOWN, message)


@pytest.mark.parametrize("script", ["return obj.status.phase", "this is not Lua", "return string.upper('x')", "error('no')"])
async def test_a_script_that_fails_is_unknown_with_the_reason(pool: Pool, script: str) -> None:
    health = await judged(pool, script)
    assert health is not None
    assert health.status is HealthStatus.UNKNOWN
    assert health.message


async def test_the_standard_library_is_there_when_it_is_asked_for(pool: Pool) -> None:
    assert await judged(pool, 'return {status=string.gsub("healthy", "^h", "H")}', open_libs=True) == Health(HealthStatus.HEALTHY)


async def test_an_endless_script_makes_its_object_unknown_and_harms_nobody(pool: Pool) -> None:
    scripts = (deployment_script("while true do end"), HealthScript("", "ConfigMap", 'return {status="Healthy", message="there"}'))
    judge = Judge(pool, lambda: scripts)
    config: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    endless, *others = await asyncio.gather(judge.judge(PAUSED), *(judge.judge(config) for _ in range(5)))
    assert endless is not None
    assert endless.status is HealthStatus.UNKNOWN
    assert "health of Deployment.apps web" in endless.message
    assert others == [Health(HealthStatus.HEALTHY, "there")] * 5


async def test_what_a_script_said_of_a_version_is_remembered(pool: Pool) -> None:
    scripts = (deployment_script('return {status="Healthy", message=tostring(obj.spec.n)}'),)
    judge = Judge(pool, lambda: scripts)

    def version(number: int, resource_version: str) -> Object:
        return PAUSED | {"metadata": {"name": "web", "uid": "u", "resourceVersion": resource_version}, "spec": {"n": number}}

    assert await judge.judge(version(1, "1")) == Health(HealthStatus.HEALTHY, "1")
    assert await judge.judge(version(2, "1")) == Health(HealthStatus.HEALTHY, "1"), "the version is the same, so nobody is asked"
    assert await judge.judge(version(2, "2")) == Health(HealthStatus.HEALTHY, "2")
    scripts = (deployment_script('return {status="Degraded"}'),)
    assert await judge.judge(version(2, "2")) == Health(HealthStatus.DEGRADED), "another script is asked again"


async def test_the_health_check_for_applications_that_argo_cd_documents(pool: Pool) -> None:
    script = """
hs = {}
hs.status = "Progressing"
hs.message = ""
if obj.status ~= nil then
  if obj.status.health ~= nil then
    hs.status = obj.status.health.status
    if obj.status.health.message ~= nil then
      hs.message = obj.status.health.message
    end
  end
end
return hs
"""
    judge = Judge(pool, lambda: (HealthScript("argoproj.io", "Application", script),))
    child: Object = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "child"}}
    assert await judge.judge(child) == Health(HealthStatus.PROGRESSING)
    assert await judge.judge(child | {"status": {"health": {"status": "Degraded", "message": "m"}}}) == Health(HealthStatus.DEGRADED, "m")


async def test_the_order_is_exact_script_then_wildcard_then_built_in_rule_then_conventions(pool: Pool) -> None:
    """The keys are those of argocd-cm."""
    says = 'if obj.spec.silent then return nil end\nreturn {status="Healthy", message="%s"}'
    data = {
        "resource.customizations.health.*.crossplane.io_*": says % "wildcard",
        "resource.customizations.health.s3.aws.crossplane.io_Bucket": says % "exact",
        "resource.customizations.health.example.com_*": 'return {status="Healthy", message=string.upper("open")}',
        "resource.customizations.useOpenLibs.example.com_*": "true",
    }
    settings = read_settings({CONFIG: {"metadata": {"name": CONFIG}, "data": data}}, namespace="argocd")
    assert not settings.warnings
    judge = Judge(pool, lambda: settings.health_scripts)

    async def verdict(api_version: str, kind: str, *, silent: bool = False) -> Verdict:
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        obj: Object = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": {"silent": silent}, "status": status}
        return await judge.verdict(obj)

    said = await verdict("s3.aws.crossplane.io/v1", "Bucket")
    assert (said.health, said.rule) == (Health(HealthStatus.HEALTHY, "exact"), "Lua for s3.aws.crossplane.io/Bucket")
    said = await verdict("s3.aws.crossplane.io/v1", "BucketPolicy")
    assert (said.health, said.rule) == (Health(HealthStatus.HEALTHY, "wildcard"), "Lua for *.crossplane.io/*")
    assert (await verdict("s3.aws.crossplane.io/v1", "Bucket", silent=True)).rule == "built-in rule for *.crossplane.io"
    assert (await verdict("example.com/v1", "Thing")).health == Health(HealthStatus.HEALTHY, "OPEN")
    assert (await verdict("other.com/v1", "Thing")).rule == "kstatus conventions"


async def test_without_an_evaluator_a_script_makes_its_kind_unknown() -> None:
    judge = Judge(None, lambda: (deployment_script("return nil"),))
    health = await judge.judge(PAUSED)
    assert health is not None
    assert health.status is HealthStatus.UNKNOWN
    assert await judge.judge(PAUSED | {"kind": "ReplicaSet", "spec": {}}) == Health(HealthStatus.HEALTHY)


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("ec2.aws.example.com/v1", "Instance", "wildcard"),
        ("ec2.aws.example.com/v1", "Special", "exact"),
        ("v1", "ConfigMap", "core"),
        ("apps/v1", "Deployment", None),
        ("example.com/v1", "ConfigMap", None),
    ],
)
def test_which_script_is_meant(api_version: str, kind: str, expected: str | None) -> None:
    scripts = (
        HealthScript("*.example.com", "*", "wildcard"),
        HealthScript("ec2.aws.example.com", "Special", "exact"),
        HealthScript("", "ConfigMap", "core"),
    )
    found = find(scripts, GroupKind(split_api_version(api_version)[0], kind))
    assert (found.script if found else None) == expected
