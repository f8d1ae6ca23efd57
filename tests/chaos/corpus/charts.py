"""Charts that are wrong."""

from __future__ import annotations

import json
from typing import Any

from tests.chaos.corpus.bad import Bad, Content, bad
from tests.e2e.texts import config

CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"


def chart(
    template: str,
    *,
    says: str,
    values: str = "colour: blue\n",
    chart: str = CHART,
    more: dict[str, Content] | None = None,
    harmless: bool = False,
    **helm: Any,
) -> Bad:
    files: dict[str, Content] = {"Chart.yaml": chart, "values.yaml": values, "templates/all.yaml": template, **(more or {})}
    return bad(files, says=says, harmless=harmless, **({"source": {"helm": helm}} if helm else {}))


FINE = config("x", a="b")

CHARTS: dict[str, Bad] = {
    "chart-syntax": chart(
        FINE,
        chart="apiVersion: v2\nname: [shop\n",
        says="chart-syntax/Chart.yaml:2 … yaml: line 2: did not find expected ',' or ']",
    ),
    "chart-is-list": chart(
        FINE,
        chart="- apiVersion: v2\n",
        says='chart-is-list/Chart.yaml … into Go value of type struct { APIVersion string "json:\\"apiVersion\\"" }',
    ),
    "chart-is-empty": chart(FINE, chart="", says="chart-is-empty/Chart.yaml: validation: chart.metadata.name is required"),
    "chart-no-name": chart(
        FINE, chart="apiVersion: v2\nversion: 1.0.0\n", says="chart-no-name/Chart.yaml: validation: chart.metadata.name is required"
    ),
    "chart-no-version": chart(
        FINE, chart="apiVersion: v2\nname: shop\n", says="chart-no-version/Chart.yaml: validation: chart.metadata.version is required"
    ),
    "chart-no-api-version": chart(FINE, chart="name: shop\nversion: 1.0.0\n", says="", harmless=True),
    "chart-bad-version": chart(
        FINE,
        chart="apiVersion: v2\nname: shop\nversion: one\n",
        says='chart-bad-version/Chart.yaml: validation: chart.metadata.version "one" is invalid',
    ),
    "chart-api-version-9": chart(
        FINE,
        chart="apiVersion: v9\nname: shop\nversion: 1.0.0\n",
        says='chart-api-version-9/Chart.yaml: charts with apiVersion "v9" are not supported',
    ),
    "chart-name-is-path": chart(
        FINE,
        chart="apiVersion: v2\nname: ../../x\nversion: 1.0.0\n",
        says='chart-name-is-path/Chart.yaml: validation: chart.metadata.name "../../x" is invalid',
    ),
    "chart-is-library": chart(
        FINE, chart=f"{CHART}type: library\n", says="chart-is-library/Chart.yaml: library charts are not installable"
    ),
    "chart-wants-another-kubernetes": chart(
        FINE,
        chart=f"{CHART}kubeVersion: '>= 99.0.0'\n",
        says="chart-wants-another-kubernetes/Chart.yaml … >= 99.0.0 which is incompatible with Kubernetes",
    ),
    "chart-dependency-missing": chart(
        FINE,
        chart=f"{CHART}dependencies: [{{name: database, version: 1.0.0, repository: 'https://charts.example.com'}}]\n",
        says="chart-dependency-missing/Chart.yaml … database",
    ),
    "chart-dependency-is-no-archive": chart(
        FINE,
        chart=f"{CHART}dependencies: [{{name: database, version: 1.0.0}}]\n",
        more={"charts/database-1.0.0.tgz": b"\x1f\x8b this is no archive"},
        says="chart-dependency-is-no-archive/Chart.yaml: error unpacking subchart database-1.0.0.tgz in shop: gzip: invalid header",
    ),
    "template-left-open": chart(
        "{{ if .Values.colour }}\n",
        says="template-left-open/templates/all.yaml:2: parse error at (shop/templates/all.yaml:2): unexpected EOF",
    ),
    "template-unknown-function": chart(
        "{{ nothing .Values }}\n",
        says='template-unknown-function/templates/all.yaml:1 … function "nothing" not defined',
    ),
    "template-nil": chart(
        "{{ .Values.a.b.c }}\n",
        says="template-nil/templates/all.yaml:1: shop/templates/all.yaml:1:10 … nil pointer evaluating interface {}.b",
    ),
    "template-required": chart(
        '{{ required "say which colour" .Values.nothing }}\n',
        says="template-required/templates/all.yaml:1: execution error at (shop/templates/all.yaml:1:3): say which colour",
    ),
    "template-fails": chart(
        '{{ fail "this is why" }}\n',
        says="template-fails/templates/all.yaml:1: execution error at (shop/templates/all.yaml:1:3): this is why",
    ),
    "template-includes-nothing": chart(
        '{{ include "nothing" . }}\n',
        says='template-includes-nothing/templates/all.yaml:1: shop/templates/all.yaml:1:3 … template: no template "nothing" associated with template "gotpl',
    ),
    "template-includes-itself": chart(
        '{{ define "me" }}{{ include "me" . }}{{ end }}{{ include "me" . }}\n',
        says="template-includes-itself/templates/all.yaml:1 … me: unable to execute template",
    ),
    "template-for-ever": chart(
        "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}\n",
        says="was stopped: it took more than its time limit of … seconds",
    ),
    "template-memory": chart(
        '{{ $x := "x" }}{{ range until 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}{{ $x }}\n',
        says="was stopped: it needed more than its memory limit of … MiB",
    ),
    "template-makes-no-yaml": chart(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n",
        says="template-makes-no-yaml/templates/all.yaml:3 … yaml: line 3: did not find expected ',' or '}",
    ),
    "template-makes-a-list": chart(
        "- a\n- b\n", says="template-makes-a-list/templates/all.yaml … json: cannot unmarshal array into Go value of type util.SimpleHead"
    ),
    "template-makes-no-kind": chart(
        "apiVersion: v1\nmetadata: {name: x}\n",
        says="template-makes-no-kind/templates/all.yaml:1: all.yaml: failed to unmarshal manifest: Object 'Kind' is missing",
    ),
    "template-reads-the-environment": chart(
        config("x", a="{{ env `HOME` }}"),
        says='template-reads-the-environment/templates/all.yaml … function "env" not defined',
    ),
    "template-reads-outside": chart(
        'data: {{ .Files.Get "../../../../etc/passwd" | quote }}\nkind: ConfigMap\n',
        says="template-reads-outside/templates/all.yaml:1: all.yaml: Object 'apiVersion' is missing in a ConfigMap",
    ),
    "values-syntax": chart(
        FINE,
        values="colour: [blue\n",
        says="values-syntax/values.yaml:1 … yaml: line 1: did not find expected ',' or ']",
    ),
    "values-are-list": chart(
        FINE,
        values="- blue\n",
        says="values-are-list/values.yaml … cannot unmarshal array into Go value of type map[string]interface {}",
    ),
    "values-against-schema": chart(
        FINE,
        more={"values.schema.json": json.dumps({"type": "object", "properties": {"colour": {"type": "integer"}}})},
        says="values-against-schema/values.schema.json … - at '/colour': got string, want integer",
    ),
    "values-schema-is-broken": chart(
        FINE,
        more={"values.schema.json": '{"type": '},
        says="values-schema-is-broken/values.schema.json … unexpected EOF",
    ),
    "values-schema-is-nonsense": chart(
        FINE,
        more={"values.schema.json": '{"type": "colour"}'},
        says="values-schema-is-nonsense/values.schema.json … - at '/type': got string, want array",
    ),
    "values-schema-is-remote": chart(
        FINE,
        more={"values.schema.json": '{"$ref": "https://127.0.0.1:9/schema.json"}'},
        says="values-schema-is-remote/values.schema.json … have it in the schema itself",
    ),
    "values-file-missing": chart(FINE, valueFiles=["nothing.yaml"], says="value file values-file-missing/nothing.yaml: no such file"),
    "values-file-outside": chart(
        FINE, valueFiles=["../../../../etc/passwd"], says='value file "../../../../etc/passwd" resolved to outside repository root'
    ),
    "values-file-remote": chart(
        FINE,
        valueFiles=["http://127.0.0.1:9/values.yaml"],
        says="helm.valueFiles: http://127.0.0.1:9/values.yaml: The value file cannot be read: there is no connection to 127.0.0.1:9",
    ),
    "values-of-the-app-syntax": bad(
        {"Chart.yaml": CHART, "templates/all.yaml": FINE},
        source={"helm": {"values": "colour: [blue"}},
        says="failed to parse helm.values … yaml: line 1: did not find expected ',' or ']",
    ),
    "release-name-is-bad": chart(
        FINE, releaseName="Not A Name!", says='release name "Not A Name!" … and the length must not be longer than 53'
    ),
}
