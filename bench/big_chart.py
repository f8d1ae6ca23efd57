"""One chart of the size of a big public one: a monitoring stack's, say. Rendered by an evaluator that was just started, and again and again.

:func:`chart` makes it: helpers, conditions, `toYaml`, `tpl`, ranges over values, files of its own, a chart in it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from bench import evaluators
from bench.common import Stage
from bench.report import Row, median
from homeostat import toolchain
from homeostat.desired.render.detect import SourceType
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.evaluate.pool import Pool
from homeostat.live.discovery import Discovery
from homeostat.model.app import HelmOptions, Source

TITLE = "A big chart"
LINES = 5_000
TIMES = 10
COMPONENTS = 26
"""So many that some 5,000 lines come out."""

_HELPERS = """\
{{- define "stack.name" -}}{{ printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" }}{{- end }}
{{- define "stack.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ tpl (toYaml .) $.root }}
{{- end }}
{{- end }}
{{- define "stack.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}
"""

_METADATA = """\
metadata:
  name: {{ include "stack.name" $it }}
  namespace: {{ $.Release.Namespace }}
  labels: {{- include "stack.labels" $it | nindent 4 }}
"""

_EACH = '{{- range $name, $part := .Values.parts }}\n{{- $it := dict "root" $ "name" $name }}\n{{- if $part.enabled }}\n---\n'
_END = "{{- end }}\n{{- end }}\n"

_WORKLOAD = """\
spec:
  replicas: {{ $part.replicas | default 1 }}
  selector:
    matchLabels: {{- include "stack.selector" $it | nindent 6 }}
  template:
    metadata:
      annotations:
        checksum/config: {{ toYaml $part.config | sha256sum }}
      labels: {{- include "stack.labels" $it | nindent 8 }}
    spec:
      serviceAccountName: {{ include "stack.name" $it }}
      securityContext: {{- toYaml $.Values.securityContext | nindent 8 }}
      containers:
        - name: {{ $name }}
          image: "{{ $.Values.registry }}/{{ $part.image.repository }}:{{ $part.image.tag | default $.Chart.AppVersion }}"
          args:
            {{- range $key, $value := $part.arguments }}
            - --{{ $key }}={{ tpl ($value | toString) $ }}
            {{- end }}
          ports:
            {{- range $part.ports }}
            - name: {{ .name }}
              containerPort: {{ .port }}
            {{- end }}
          resources: {{- toYaml $part.resources | nindent 12 }}
          readinessProbe: {{- toYaml $part.probe | nindent 12 }}
          livenessProbe: {{- toYaml (merge (dict "failureThreshold" 6) $part.probe) | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/config}
      volumes:
        - name: config
          configMap: {name: {{ include "stack.name" $it }}}
      {{- with $part.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
"""

_TEMPLATES = {
    "deployment": "apiVersion: apps/v1\nkind: Deployment\n" + _METADATA + _WORKLOAD,
    "service": "apiVersion: v1\nkind: Service\n"
    + _METADATA
    + """\
spec:
  selector: {{- include "stack.selector" $it | nindent 4 }}
  ports:
    {{- range $part.ports }}
    - name: {{ .name }}
      port: {{ .port }}
      targetPort: {{ .name }}
    {{- end }}
""",
    "account": "apiVersion: v1\nkind: ServiceAccount\n" + _METADATA + "automountServiceAccountToken: false\n",
    "config": "apiVersion: v1\nkind: ConfigMap\n"
    + _METADATA
    + """\
data:
  settings.yaml: |
    {{- tpl (toYaml $part.config) $ | nindent 4 }}
  dashboard.json: |
    {{- $.Files.Get "files/dashboard.json" | nindent 4 }}
""",
    "role": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n"
    + _METADATA
    + """\
rules:
  {{- range $.Values.rules }}
  - {{- toYaml . | nindent 4 }}
  {{- end }}
""",
    "binding": "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"
    + _METADATA
    + """\
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "stack.name" $it }}
subjects:
  - kind: ServiceAccount
    name: {{ include "stack.name" $it }}
    namespace: {{ $.Release.Namespace }}
""",
    "budget": '{{- if $.Capabilities.APIVersions.Has "policy/v1" }}\napiVersion: policy/v1\nkind: PodDisruptionBudget\n'
    + _METADATA
    + """\
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- include "stack.selector" $it | nindent 6 }}
{{- end }}
""",
}

_DASHBOARD = (
    '{"title": "Stack", "panels": [\n' + ",\n".join(f'  {{"id": {n}, "title": "{{{{ panel }}}} {n}"}}' for n in range(20)) + "\n]}\n"
)


def chart(parts: int = COMPONENTS) -> Mapping[str, str]:
    """The files of a chart with so many components, each of seven objects."""
    values = {
        "registry": "registry.example.com",
        "commonLabels": {"team": "{{ .Release.Namespace }}-team"},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "fsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        "rules": [{"apiGroups": [""], "resources": ["pods", "services", "endpoints"], "verbs": ["get", "list", "watch"]}],
        "parts": {f"part-{number:02}": _part(number) for number in range(parts)},
    }
    head = "apiVersion: v2\nversion: 1.0.0\nappVersion: 2.3.4\n"
    return {
        "Chart.yaml": f"{head}name: stack\ndependencies: [{{name: agent, version: 1.0.0, condition: agent.enabled}}]\n",
        "values.yaml": yaml.safe_dump({**values, "agent": {"enabled": True}}),
        "files/dashboard.json": _DASHBOARD,
        "templates/_helpers.tpl": _HELPERS,
        **{f"templates/{name}.yaml": f"{_EACH}{text}{_END}" for name, text in _TEMPLATES.items()},
        "charts/agent/Chart.yaml": f"{head}name: agent\n",
        "charts/agent/values.yaml": yaml.safe_dump({**values, "parts": {"agent": _part(0)}}),
        "charts/agent/templates/all.yaml": f"{_EACH}{_TEMPLATES['deployment']}{_END}",
        "charts/agent/files/dashboard.json": _DASHBOARD,
    }


def _part(number: int) -> dict[str, object]:
    return {
        "enabled": True,
        "replicas": 1 + number % 3,
        "image": {"repository": f"stack/part-{number:02}", "tag": ""},
        "arguments": {"log-level": "info", "web.listen-address": ":8080", "cluster": "{{ .Release.Name }}", "shard": number},
        "ports": [{"name": "http", "port": 8080}, {"name": "metrics", "port": 9090}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "probe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 2},
        "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}] if number % 2 else [],
        "config": {"scrape": {"interval": "30s", "release": "{{ .Release.Name }}"}, "rules": [f"rule-{rule}" for rule in range(10)]},
    }


async def measure(stage: Stage, count: int) -> list[Row]:
    del count
    repository = await stage.repository("big-chart")
    commit = await asyncio.to_thread(repository.push, {f"stack/{path}": text for path, text in chart().items()})
    discovery = Discovery(stage.client)
    await discovery.refresh()
    context = RenderContext(
        app_name="stack", namespace="monitoring", kube_version=discovery.server_version, api_versions=discovery.api_versions
    )
    job = evaluators.Job(Source(repo_url=repository.url, path="stack", helm=HelmOptions()), context, SourceType.HELM)
    program = await asyncio.to_thread(toolchain.program, "evaluator")
    cold, again = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with GitSources(Path(folder)) as sources:
            tree = await sources.tree(Repo(repository.url), commit)
            for _ in range(TIMES):
                async with Pool(program=program, size=1) as pool:
                    renderer = Renderer(pool=pool)
                    cold.append(await evaluators.render(renderer, [job], tree))
                    again += [await evaluators.render(renderer, [job], tree, hard=True) for _ in range(TIMES)]
            kept = await evaluators.render(renderer, [job], tree)
            alone = median([await evaluators.alone(renderer, [job], tree, places=1) for _ in range(TIMES)])
            many = await evaluators.alone(renderer, [job] * (TIMES + 1), tree, places=1)
    (rendered,) = cold[0].rendered
    lines = sum(yaml.safe_dump(manifest.object, width=1000).count("\n") + 1 for manifest in rendered.manifests)
    if lines < LINES:
        raise RuntimeError(f"the chart has only {lines} lines")
    about = f"limit: an evaluator alone; {len(rendered.manifests)} objects, {lines:,} lines out"
    seconds = median([one.seconds for one in again])
    spent = [1000 * sum(parts) / len(again) for parts in ([one.evaluators for one in again], [one.python for one in again])]
    note = f"processor time: evaluator {spent[0]:.3g} ms, Python {spent[1]:.2g} ms"
    return [
        Row("cold, the evaluator not yet started, median", 1000 * median([one.seconds for one in cold]), "ms", 0, 1000 * alone, note=about),
        Row("rendered again, median", 1000 * seconds, "ms", 0, 1000 * (many - alone) / TIMES, note=note),
        Row("lines a second, rendered again", lines / seconds, "/s", more=True),
        Row("asked for again, nothing changed", 1000 * kept.seconds, "ms", note="kept"),
    ]
