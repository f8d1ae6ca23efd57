"""A repository with one fault of each kind: what is found, by which rule, at which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeostat.lint.apps import Here
from homeostat.lint.findings import RULES, Finding, Severity
from homeostat.lint.run import Linter, Report
from homeostat.lint.schemas import Catalogue
from homeostat.lint.walk import excluding
from tests import evaluators

URL = "https://git.example.com/team/config.git"
SEEDS = {path.name: path.read_text() for path in (Path(__file__).parent.parent / "argo" / "seeds").glob("*.yaml")}


def application(name: str, path: str, more: str = "", *, source: str = "", url: str = URL) -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\nspec:\n  project: default\n"
        f"  source:\n    repoURL: {url}\n    path: {path}\n{source}"
        f"  destination:\n    server: https://kubernetes.default.svc\n    namespace: {name}\n{more}"
    )


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: nginx:1.27
"""


def config_map(annotations: str = "{}", name: str = "settings") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  annotations: {annotations}\ndata:\n  a: b\n"


async def look(
    files: dict[str, str], *, here: Here | None = None, starts: tuple[str, ...] = ("",), exclude: tuple[str, ...] = ()
) -> Report:
    async with evaluators.pool() as pool:
        linter = Linter(tree=evaluators.MemoryTree(files), pool=pool, catalogue=Catalogue(), here=here or Here([URL]))
        return await linter.run(starts, left_out=excluding(exclude))


def told(report: Report) -> list[tuple[str, int, str]]:
    return [(one.file, one.line, one.rule) for one in report.findings]


ONE_FAULT = {
    "syntax": ({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x\n"}, ("a.yaml", 4)),
    "schema": ({"a.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: many")}, ("a.yaml", 6)),
    "required": ({"a.yaml": DEPLOYMENT.replace("  selector:\n    matchLabels: {app: web}\n", "")}, ("a.yaml", 5)),
    "unknown-field": ({"a.yaml": DEPLOYMENT.replace("image:", "imag:")}, ("a.yaml", 15)),
    "duplicate-item": ({"a.yaml": DEPLOYMENT + "          env:\n            - {name: A}\n            - {name: A}\n"}, ("a.yaml", 16)),
    "duplicate-key": ({"a.yaml": config_map() + "  a: c\n"}, ("a.yaml", 8)),
    "duplicate-object": ({"a.yaml": config_map(), "b.yaml": config_map()}, ("b.yaml", 1)),
    "invalid-object": ({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n"}, ("a.yaml", 3)),
    "unknown-kind": ({"a.yaml": "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n"}, ("a.yaml", 2)),
    "removed-api": ({"a.yaml": "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: x}\n"}, ("a.yaml", 1)),
    "deprecated-api": ({"a.yaml": "apiVersion: v1\nkind: Endpoints\nmetadata: {name: x}\n"}, ("a.yaml", 1)),
    "wave": ({"a.yaml": config_map("{argocd.argoproj.io/sync-wave: first}")}, ("a.yaml", 5)),
    "hook": ({"a.yaml": config_map("{argocd.argoproj.io/hook: PreSynk}")}, ("a.yaml", 5)),
    "sync-option": ({"a.yaml": config_map("{argocd.argoproj.io/sync-options: Prune=no}")}, ("a.yaml", 5)),
    "image-tag": ({"a.yaml": DEPLOYMENT.replace("nginx:1.27", "registry:5000/nginx")}, ("a.yaml", 15)),
    "path": ({"app.yaml": application("web", "nowhere")}, None),
    "source": ({"app.yaml": application("web", "x", url="https://elsewhere.example/other.git")}, ("app.yaml", 8)),
    "ignore-rule": (
        {
            "app.yaml": application("web", "m", "  ignoreDifferences:\n    - kind: Deployment\n      jsonPointers: [spec/replicas]\n"),
            "m/a.yaml": config_map(),
        },
        ("app.yaml", 15),
    ),
    "application": (
        {
            "app.yaml": application("web", "m", source="    helm: {releaseName: a}\n    kustomize: {namePrefix: b}\n"),
            "m/a.yaml": config_map(),
        },
        ("app.yaml", 8),
    ),
    "render": ({"k/kustomization.yaml": "resources: [nothing.yaml]\n"}, ("k/kustomization.yaml", 0)),
    "bad-definition": (
        {
            "crd.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec:\n"
            "  group: example.com\n  scope: Namespaced\n  names: {kind: Thing, plural: things}\n  versions:\n"
            "    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {a: {type: text}}}}}\n"
        },
        ("crd.yaml", 8),
    ),
    "generator": (
        {
            "set.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: set}\nspec:\n  generators:\n    - lists: {}\n"
            "  template:\n    metadata: {name: '{{name}}'}\n    spec:\n      project: default\n      destination: {name: '{{name}}'}\n"
            "      source: {repoURL: 'https://x.example/y', path: '{{path}}'}\n"
        },
        ("set.yaml", 6),
    ),
}


def test_each_rule_has_a_repository_with_its_fault() -> None:
    assert ONE_FAULT.keys() == RULES.keys()


@pytest.mark.parametrize("rule", ONE_FAULT)
async def test_a_fault_is_found_once_at_its_line_and_nothing_else_is(rule: str) -> None:
    files, place = ONE_FAULT[rule]
    report = await look(files)
    assert [one.rule for one in report.findings] == [rule], report.findings
    (one,) = report.findings
    assert one.severity is RULES[rule].severity
    if place is not None:
        assert (one.file, one.line) == place, one


async def test_what_is_well_is_not_found_fault_with() -> None:
    files = {
        "app.yaml": application("web", "web/prod"),
        "web/base/kustomization.yaml": "resources: [deployment.yaml]\n",
        "web/base/deployment.yaml": DEPLOYMENT,
        "web/prod/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "web/prod/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 5}\n",
        "part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{path: p.yaml}]\n",
        "part/p.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {paused: true}\n",
        "chart/Chart.yaml": evaluators.CHART,
        "chart/values.yaml": "colour: blue\n",
        "chart/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {colour: {{ .Values.colour }}}\n",
        ".github/workflows/x.yaml": "kind: nonsense\napiVersion: [\n",
        "values/prod.yaml": "replicas: 3\n",
        "j/main.jsonnet": "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'j'}, data: {a: std.toString(1)}}",
    }
    report = await look(files)
    assert report.findings == ()
    assert report.apps == 1
    assert report.objects == 6  # the Application, what it deploys, two overlays, the chart, Jsonnet


@pytest.mark.parametrize("seed", sorted(SEEDS))
async def test_the_seeds_are_clean(seed: str) -> None:
    report = await look({seed: SEEDS[seed]})
    assert [one for one in report.findings if one.rule != "source"] == []
    assert report.objects


async def test_a_fault_in_a_base_is_told_once_at_the_line_of_the_base() -> None:
    files = {
        "base/kustomization.yaml": "resources: [d.yaml]\n",
        "base/d.yaml": "# a comment\n" + DEPLOYMENT.replace("replicas: 2", "replica: 2"),
        **{f"{name}/kustomization.yaml": f"resources: [../base]\nnamePrefix: {name}-\n" for name in ("dev", "prod")},
    }
    report = await look(files)
    assert told(report) == [("base/d.yaml", 7, "unknown-field")]
    assert report.findings[0].hint == "did you mean replicas?"


async def test_a_fault_that_a_patch_makes_is_told_at_the_patch() -> None:
    files = {
        "base/kustomization.yaml": "resources: [d.yaml]\n",
        "base/d.yaml": DEPLOYMENT,
        "prod/kustomization.yaml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
        "prod/patch.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: lots\n",
    }
    assert told(await look(files)) == [("prod/patch.yaml", 6, "schema")]


async def test_a_chart_is_rendered_as_each_application_does_and_its_faults_are_told_at_the_template() -> None:
    template = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {size: {{ required "size!" .Values.size }}}\n'
    files = {
        "chart/Chart.yaml": evaluators.CHART,
        "chart/templates/a.yaml": template,
        "chart/good.yaml": "size: big\n",
        "chart/bad.yaml": "size: 3\n",
        "apps/good.yaml": application("good", "chart", source="    helm: {valueFiles: [good.yaml]}\n"),
        "apps/bad.yaml": application("bad", "chart", source="    helm: {valueFiles: [bad.yaml]}\n"),
        "apps/gone.yaml": application("gone", "chart", source="    helm: {valueFiles: [gone.yaml]}\n"),
    }
    report = await look(files)
    rules = {(one.rule, one.severity) for one in report.findings}
    assert ("schema", Severity.ERROR) in rules
    # Without values it does not render, which is no fault where Applications give it some.
    assert [one.severity for one in report.findings if one.rule == "render" and one.message.startswith("chart ")] == [Severity.WARNING]
    assert any("gone.yaml" in one.message for one in report.findings if one.severity is Severity.ERROR)
    assert all("Application good" not in one.message for one in report.findings)


async def test_a_definition_in_the_repository_is_the_schema_of_its_kind() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec:\n"
        "  group: example.com\n  scope: Namespaced\n  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}\n  versions:\n"
        "    - name: v1\n      served: true\n      storage: true\n      deprecated: true\n      schema:\n        openAPIV3Schema:\n"
        "          type: object\n          properties: {spec: {type: object, properties: {size: {type: integer}}}}\n"
    )
    thing = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\nspec:\n  size: big\n  colour: red\n"
    report = await look({"chart/Chart.yaml": evaluators.CHART, "chart/crds/crd.yaml": crd, "z.yaml": thing})
    assert told(report) == [("z.yaml", 1, "deprecated-api"), ("z.yaml", 5, "schema"), ("z.yaml", 6, "unknown-field")]


async def test_what_would_have_to_be_fetched_is_a_remark_and_no_fault() -> None:
    files = {
        "umbrella/Chart.yaml": evaluators.CHART + "dependencies: [{name: redis, version: 1.x, repository: 'https://charts.example.com'}]\n",
        "remote/kustomization.yaml": "resources: ['https://git.example.com/a/b//c?ref=v1']\n",
        "app.yaml": application("umbrella", "umbrella"),
    }
    report = await look(files)
    assert {(one.rule, one.severity) for one in report.findings} == {("source", Severity.INFO)}
    assert [one.file for one in report.findings] == ["remote/kustomization.yaml", "umbrella/Chart.yaml", "umbrella/Chart.yaml"]


async def test_apps_of_apps_are_followed() -> None:
    files = {
        "root.yaml": application("root", "bootstrap"),
        "bootstrap/Chart.yaml": evaluators.CHART,
        "bootstrap/templates/child.yaml": application("{{ .Release.Name }}-child", "deep", source="    directory: {recurse: true}\n"),
        "deep/er/a.yaml": config_map("{argocd.argoproj.io/sync-wave: last}"),
    }
    report = await look(files)
    assert told(report) == [("deep/er/a.yaml", 5, "wave")]
    assert report.apps == 3  # the root, and its child as the root and as the bare chart make it


async def test_the_value_of_a_secret_is_in_no_finding() -> None:
    files = {
        "a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: planted-value}\nstringData: {b: 4711471}\n",
        "k/kustomization.yaml": "secretGenerator: [{name: g, literals: [p=planted-value]}]\nresources: [s.yaml]\n",
        "k/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: t}\ntype: 12\ndata: {a: [planted-value]}\n",
    }
    report = await look(files)
    assert len(report.findings) >= 4
    assert "planted" not in repr(report)
    assert "4711471" not in repr(report)


async def test_what_is_left_out_is_not_looked_at_and_only_what_is_named_is() -> None:
    bad = config_map("{argocd.argoproj.io/sync-wave: x}")
    files = {"a/x.yaml": bad, "b/x.yaml": bad.replace("settings", "other"), "third/party/x.yaml": bad, "one.yaml": bad}
    report = await look(files, starts=("a", "third", "one.yaml"), exclude=("third/**",))
    assert [one.file for one in report.findings] == ["a/x.yaml", "one.yaml"]


async def test_hostile_definitions_cost_nothing() -> None:
    pattern = "^(a+)+$"
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.example.com}\nspec:\n"
        "  group: example.com\n  scope: Cluster\n  names: {kind: Thing, plural: things, singular: thing, listKind: ThingList}\n  versions:\n"
        "    - name: v1\n      served: true\n      storage: true\n      schema:\n        openAPIV3Schema:\n          type: object\n"
        f"          properties: {{spec: {{type: string, pattern: '{pattern}'}}, far: {{$ref: 'http://169.254.169.254/'}}}}\n"
    )
    thing = f"apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: x}}\nspec: {'a' * 50_000}!\n"
    rules = [one.rule for one in (await look({"crd.yaml": crd, "t.yaml": thing})).findings]
    assert "schema" in rules


def _finding(rule: str = "schema") -> Finding:
    return Finding("a b/ä.yaml", 3, rule, RULES[rule].severity, "wrong <&> \x00", "ConfigMap x", "data.a", "mend it")


def test_findings_name_their_place() -> None:
    assert _finding().place == "a b/ä.yaml:3"
    assert Finding("x", 0, "path", Severity.ERROR, "").place == "x"
