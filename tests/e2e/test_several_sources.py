"""Apps with several sources: a chart with values from another repository, plain files beside it, one of them at a time moved on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from homeostat.argo.resources import CONFIG_MAPS
from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data:
  greeting: {{ .Values.greeting | quote }}
  places: {{ .Values.places | quote }}
  motd: {{ .Values.motd | quote }}
"""


@pytest.fixture
async def charts(git: GitServer, tmp_path: Path) -> Repository:
    await git.create("charts")
    made = Repository(tmp_path / "charts", git.url("charts"))
    made.write("shop/Chart.yaml", CHART)
    made.write("shop/values.yaml", "greeting: hello\nplaces: none\nmotd: none\n")
    made.write("shop/templates/shop.yaml", TEMPLATE)
    made.write("shop/templates/shared.yaml", config("shared", by="chart"))
    await made.push()
    return made


@pytest.fixture
async def values(git: GitServer, tmp_path: Path) -> Repository:
    await git.create("values")
    made = Repository(tmp_path / "values", git.url("values"))
    made.write("shop/values.yaml", "greeting: good morning\n")
    made.write("shop/places/a.yaml", "places: here\n")
    made.write("shop/motd.txt", "be kind")
    made.write("plain/plain.yaml", config("plain", by="values"))
    await made.push()
    return made


HELM: dict[str, Any] = {
    "releaseName": "shop",
    "valueFiles": ["$values/shop/values.yaml", "$values/shop/places/*.yaml"],
    "fileParameters": [{"name": "motd", "path": "$values/shop/motd.txt"}],
}


def sources_of(charts: Repository, values: Repository, *more: Object) -> list[Object]:
    chart = {"repoURL": charts.url, "path": "shop", "targetRevision": "main", "helm": HELM}
    return [chart, {"repoURL": values.url, "targetRevision": "main", "ref": "values"}, *more]


async def renders(controller: Controller) -> float:
    async with ClientSession(f"http://{controller.address}") as session, session.get("/metrics") as answer:
        text = await answer.text()
    (line,) = [line for line in text.splitlines() if line.startswith("homeostat_renders_total ")]
    return float(line.split()[1])


def synced_at(*revisions: str) -> Any:
    def wanted(app: Object) -> bool:
        status = app.get("status") or {}
        sync = status.get("sync") or {}
        running = (status.get("operationState") or {}).get("phase") == "Running"
        return sync.get("status") == "Synced" and sync.get("revisions") == list(revisions) and not running

    return wanted


async def test_a_chart_takes_values_from_another_repository_and_each_moves_on_by_itself(
    apps: Apps, controller: Controller, charts: Repository, values: Repository, repository: Repository
) -> None:
    repository.write("a/extra.yaml", config("extra", step="one"))
    repository.write("a/shared.yaml", config("shared", by="git"))
    extra = await repository.push()
    chart, value = charts.git("rev-parse", "HEAD"), values.git("rev-parse", "HEAD")
    sources = sources_of(charts, values, {"repoURL": repository.url, "path": "a", "targetRevision": "main"})
    name = await apps.create("several", "", "", source={"repoURL": "https://nowhere.example/x"}, sources=sources)
    app = await apps.until(name, synced_at(chart, value, extra))
    status, namespace = app["status"], apps.namespace("several")
    assert status["sourceTypes"] == ["Helm", "", "Directory"]
    assert "sourceType" not in status
    assert "revision" not in status["sync"]
    assert status["sync"]["comparedTo"]["sources"] == sources
    assert status["sync"]["comparedTo"]["source"] == {"repoURL": ""}
    assert status["operationState"]["syncResult"]["revisions"] == [chart, value, extra]
    (entry,) = status["history"]
    assert (entry["revisions"], entry["sources"]) == ([chart, value, extra], sources)
    repeated = conditions_of(app)["RepeatedResourceWarning"]
    assert "appeared 2 times among application resources." in repeated
    assert "It stands in sources[0] shop/templates/shared.yaml:1, sources[2] a/shared.yaml:1: the last one is used." in repeated
    shop = await apps.live("", "ConfigMap", namespace, "shop")
    assert shop is not None
    assert shop["data"] == {"greeting": "good morning", "places": "here", "motd": "be kind"}
    shared = await apps.live("", "ConfigMap", namespace, "shared")
    assert shared is not None
    assert shared["data"] == {"by": "git"}

    before = await renders(controller)
    values.write("README.md", "nobody reads this")
    value = await values.push()
    await apps.refresh(name)
    await apps.until(name, synced_at(chart, value, extra))
    assert await renders(controller) == before, "nothing that was read has changed"
    values.write("shop/values.yaml", "greeting: good night\n")
    value = await values.push()
    await apps.refresh(name)
    await apps.until(name, synced_at(chart, value, extra))
    assert await renders(controller) == before + 1, "the chart is rendered again, and not the folder"
    await apps.until_live("", "ConfigMap", namespace, "shop", lambda one: one is not None and one["data"]["greeting"] == "good night")
    repository.write("a/extra.yaml", config("extra", step="two"))
    extra = await repository.push()
    await apps.refresh(name)
    app = await apps.until(name, synced_at(chart, value, extra))
    assert await renders(controller) == before + 2, "the folder is rendered again, and not the chart"
    assert [one["revisions"] for one in app["status"]["history"]][-1] == [chart, value, extra]
    assert "Traceback" not in controller.log.read_text()


@pytest.mark.usefixtures("controller")
async def test_a_rollback_takes_all_sources_to_where_they_were(apps: Apps, charts: Repository, values: Repository) -> None:
    chart, first = charts.git("rev-parse", "HEAD"), values.git("rev-parse", "HEAD")
    sources = sources_of(charts, values)
    sources[1]["path"] = "plain"
    by_hand = {"syncOptions": ["CreateNamespace=true"]}
    name = await apps.create("back", "", "", source=None, sources=sources, syncPolicy=by_hand)
    await apps.patch(name, {"operation": {"sync": {}}})
    app = await apps.until(name, synced_at(chart, first))
    assert app["status"]["sourceTypes"] == ["Helm", "Directory"]
    namespace = apps.namespace("back")
    values.write("shop/values.yaml", "greeting: later\n")
    second = await values.push()
    await apps.patch(name, {"operation": {"sync": {"revisions": ["", second]}}})
    app = await apps.until(name, synced_at(chart, second))
    entry = app["status"]["history"][0]
    assert entry["revisions"] == [chart, first]

    rollback = {"revisions": entry["revisions"], "source": entry["source"], "sources": entry["sources"], "syncStrategy": {"apply": {}}}
    await apps.patch(name, {"operation": {"sync": rollback, "initiatedBy": {"username": "ann"}}})
    app = await apps.until(name, lambda app: app["status"]["operationState"]["syncResult"]["revisions"] == [chart, first])
    await apps.until_live("", "ConfigMap", namespace, "shop", lambda one: one is not None and one["data"]["greeting"] == "good morning")
    await apps.until(name, lambda app: app["status"]["sync"]["status"] == "OutOfSync" and app["status"]["sync"]["revisions"][1] == second)


@pytest.mark.usefixtures("controller")
async def test_each_repository_is_asked_now_and_then(apps: Apps, charts: Repository, values: Repository) -> None:
    often = {"data": {"timeout.reconciliation": "1s", "timeout.reconciliation.jitter": "0s"}}
    await apps.client.patch(CONFIG_MAPS, apps.control, "argocd-cm", often)
    name = await apps.create("polled", "", "", source=None, sources=sources_of(charts, values))
    chart, value = charts.git("rev-parse", "HEAD"), values.git("rev-parse", "HEAD")
    await apps.until(name, synced_at(chart, value))
    values.write("shop/values.yaml", "greeting: later\n")
    value = await values.push()
    await apps.until(name, synced_at(chart, value))
    charts.write("shop/Chart.yaml", CHART.replace("1.0.0", "1.0.1"))
    chart = await charts.push()
    await apps.until(name, synced_at(chart, value))
    shop = await apps.live("", "ConfigMap", apps.namespace("polled"), "shop")
    assert shop is not None
    assert shop["data"]["greeting"] == "later"


BROKEN = [
    pytest.param(
        {"valueFiles": ["$nobody/x.yaml"]}, 'helm.valueFiles: "$nobody/x.yaml": no source of the app has the ref "nobody"', id="unknown"
    ),
    pytest.param({"valueFiles": ["$values/../x.yaml"]}, '"$values/../x.yaml" leaves the source that $values stands for', id="escape"),
    pytest.param({"fileParameters": [{"name": "a", "path": "$no/x"}]}, 'helm.fileParameters: "$no/x": no source', id="file parameter"),
    pytest.param({"valueFiles": ["$values/missing.yaml"]}, "value file $values/missing.yaml: no such file", id="missing"),
]


@pytest.mark.parametrize(("helm", "says"), BROKEN)
@pytest.mark.usefixtures("controller")
async def test_a_reference_that_leads_nowhere_is_said_of_its_source(
    apps: Apps, charts: Repository, values: Repository, helm: Object, says: str
) -> None:
    sources = sources_of(charts, values)
    sources[0]["helm"] = helm
    name = await apps.create("broken", "", "", source=None, sources=sources)
    app = await apps.until(name, lambda app: "ComparisonError" in conditions_of(app))
    assert says in conditions_of(app)["ComparisonError"]
    assert "spec.sources[0]: " in conditions_of(app)["ComparisonError"]
    assert app["status"]["sync"]["status"] == "Unknown"


async def test_a_source_that_is_no_more_keeps_the_others_back_and_says_which(
    apps: Apps, controller: Controller, charts: Repository, values: Repository
) -> None:
    sources = sources_of(charts, values)
    sources[1]["targetRevision"] = "release"
    name = await apps.create("gone", "", "", source=None, sources=sources)
    app = await apps.until(name, lambda app: "ComparisonError" in conditions_of(app))
    assert "spec.sources[1]: " in conditions_of(app)["ComparisonError"]
    assert app["status"]["sync"]["revisions"] == ["main", "release"]
    await values.push(branch="release")
    await apps.refresh(name)
    await apps.until(name, lambda app: app["status"]["sync"]["status"] == "Synced")
    assert "Traceback" not in controller.log.read_text()
