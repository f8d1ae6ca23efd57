"""One render of a small app through the pool of evaluators: from the request to the objects as Python data, nothing kept from before.

The evaluator's own share is its processor time, which the pipes and the reading of its answer are no part of.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from bench import apps as making
from bench.common import Stage
from bench.report import Row, median, percentile
from homeostat import toolchain
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.evaluate.pool import Pool
from homeostat.live.discovery import Discovery
from homeostat.model.app import Source
from homeostat.model.tree import Tree

TITLE = "One render of a small app"
BUDGET = 3.0
TIMES = 500

_CHART = {
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": "image: nginx\nreplicas: 2\nport: 80\nlabels: {team: web}\n",
    "templates/_helpers.tpl": '{{- define "web.labels" -}}\napp: {{ .Release.Name }}\n{{ toYaml .Values.labels }}\n{{- end }}\n',
    "templates/all.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {image: {{ .Values.image | quote }}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "web.labels" . | nindent 4 }}
spec: {ports: [{port: {{ .Values.port }}}], selector: {app: {{ .Release.Name }}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: web, image: {{ .Values.image }}}]}
""",
}


_CASES = {
    "plain": (making.plain("web"), "web"),
    "Kustomize": ({**making.base(), **making.overlay("web")}, "overlays/web"),
    "Helm": ({f"chart/{path}": text for path, text in _CHART.items()}, "chart"),
}


async def measure(stage: Stage, count: int) -> list[Row]:
    del count
    discovery = Discovery(stage.client)
    await discovery.refresh()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        async with GitSources(Path(folder)) as sources:
            for title, (files, path) in _CASES.items():
                repository = await stage.repository(title.lower())
                commit = await asyncio.to_thread(repository.push, files)
                tree = await sources.tree(Repo(repository.url), commit)
                rows += await _measure(title, Source(repo_url=repository.url, path=path), tree, discovery)
    return rows


async def _measure(title: str, source: Source, tree: Tree, discovery: Discovery) -> list[Row]:
    async with Pool(program=await asyncio.to_thread(toolchain.program, "evaluator"), size=1) as pool:
        renderer = Renderer(pool=pool)

        async def once(name: str) -> float:
            context = RenderContext(
                app_name=name, namespace="default", kube_version=discovery.server_version, api_versions=discovery.api_versions
            )
            began = time.perf_counter()
            await renderer.render(source=source, tree=tree, context=context, hard=True)
            return 1000 * (time.perf_counter() - began)

        await once("web")
        (process,) = _evaluators()
        before, own = sum(process.cpu_times()[:2]), time.process_time()
        again = [await once("web") for _ in range(TIMES)]
        spent, mine = sum(process.cpu_times()[:2]) - before, time.process_time() - own
        first = [await once(f"web-{number}") for number in range(TIMES)]
    note = f"processor time: evaluator {1000 * spent / TIMES:.2g} ms, Python {1000 * mine / TIMES:.2g} ms"
    return [
        Row(f"{title}, median", median(again), "ms", BUDGET, note=note),
        Row(f"{title}, 99 of 100", percentile(again, 0.99), "ms"),
        Row(f"{title}, an app's very first, median", median(first), "ms", BUDGET),
    ]


def _evaluators() -> list[psutil.Process]:
    children = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in children if any(part.startswith("--memory-limit=") for part in child.cmdline())]
