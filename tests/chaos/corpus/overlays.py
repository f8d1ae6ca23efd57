"""Overlays that are wrong."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.corpus.bad import Bad, Content, bad
from tests.e2e.texts import config

HEAD = "apiVersion: v1\nkind: ConfigMap\n"


def overlay(kustomization: str, *, says: str, more: dict[str, Content] | None = None) -> Bad:
    return bad({"kustomization.yaml": kustomization, "all.yaml": config("x", a="b"), **(more or {})}, says=says)


OVERLAYS: dict[str, Bad] = {
    "overlay-syntax": overlay(
        "resources: [all.yaml\n",
        says="overlay-syntax/kustomization.yaml:1: invalid Kustomization: yaml: line 1: did not find expected ',' or ']",
    ),
    "overlay-unknown-field": overlay(
        "resourcez: [all.yaml]\n", says='overlay-unknown-field/kustomization.yaml: invalid Kustomization: json: unknown field "resourcez'
    ),
    "overlay-wrong-type": overlay(
        "resources: all.yaml\n",
        says="overlay-wrong-type/kustomization.yaml … string into Go struct field Kustomization.resources of type []string",
    ),
    "overlay-wrong-kind": overlay(
        "apiVersion: v1\nkind: ConfigMap\nresources: [all.yaml]\n",
        says="overlay-wrong-kind/kustomization.yaml: Failed to read kustomization file under overlay-wrong-kind … apiVersion for ConfigMap should be kustomize.config.k8s.io/v1beta1",
    ),
    "overlay-empty": overlay("", says="overlay-empty/kustomization.yaml: kustomization.yaml is empty"),
    "overlay-two-files": overlay(
        "resources: [all.yaml]\n",
        more={"kustomization.yml": "resources: [all.yaml]\n"},
        says="overlay-two-files/kustomization.yml: Found multiple kustomization files under: overlay-two-files",
    ),
    "overlay-base-missing": overlay(
        "resources: [../nowhere]\n",
        says="overlay-base-missing/kustomization.yaml … not a valid directory: 'nowhere' doesn't exist",
    ),
    "overlay-file-missing": overlay(
        "resources: [nothing.yaml]\n",
        says="overlay-file-missing/kustomization.yaml … 'overlay-file-missing/nothing.yaml' doesn't exist",
    ),
    "overlay-cycle": overlay(
        "resources: [inner]\n",
        more={"inner/kustomization.yaml": "resources: [..]\n"},
        says="overlay-cycle/inner/kustomization.yaml … candidate root 'overlay-cycle' contains visited root 'overlay-cycle/inner",
    ),
    "overlay-of-itself": overlay(
        "resources: [.]\n",
        says="overlay-of-itself/kustomization.yaml … root 'overlay-of-itself' contains visited root 'overlay-of-itself",
    ),
    "overlay-remote": overlay(
        "resources: ['https://127.0.0.1:9/example/nothing//base?ref=v1']\n",
        says="overlay-remote/kustomization.yaml: https://127.0.0.1:9/example/nothing//base?ref=v1: The Git repository https://127.0.0.1:9/example/nothing",
    ),
    "overlay-remote-file": overlay(
        "resources: ['https://127.0.0.1:9/all.yaml']\n",
        says="overlay-remote-file/kustomization.yaml: https://127.0.0.1:9/all.yaml: The file cannot be read: there is no connection to 127.0.0.1:9",
    ),
    "overlay-remote-folder": overlay(
        "resources: ['file:///etc//x']\n",
        says="overlay-remote-folder/kustomization.yaml: file:///etc//x: a base elsewhere is not a folder of this machine",
    ),
    "overlay-remote-metadata": overlay(
        "resources: ['http://169.254.169.254/latest/meta-data//x?ref=v1']\n",
        says="overlay-remote-metadata/kustomization.yaml: http://169.254.169.254/latest/meta-data//x?ref=v1: … hand out credentials",
    ),
    "overlay-out": overlay(
        "resources: [../../../../../etc]\n", says="/etc: the path leaves the repository (needed by overlay-out/kustomization.yaml)"
    ),
    "overlay-absolute": overlay(
        "resources: [/etc/passwd]\n", says="/etc/passwd: the path leaves the repository (needed by overlay-absolute/kustomization.yaml)"
    ),
    "overlay-link-out": overlay(
        "resources: [base]\n",
        more={"base": Path("../../../../etc")},
        says="overlay-link-out/base: the path leaves the repository (needed by overlay-link-out/kustomization.yaml)",
    ),
    "overlay-generates-from-outside": overlay(
        "configMapGenerator: [{name: x, files: [../../../../etc/passwd]}]\n",
        says="/etc/passwd: the path leaves the repository (needed by overlay-generates-from-outside/kustomization.yaml)",
    ),
    "overlay-generates-from-nothing": overlay(
        "configMapGenerator: [{name: x, files: [nothing.txt]}]\n",
        says="overlay-generates-from-nothing/kustomization.yaml … 'overlay-generates-from-nothing/nothing.txt' doesn't exist",
    ),
    "overlay-patch-of-nothing": overlay(
        "resources: [all.yaml]\npatches: [{patch: '{apiVersion: v1, kind: Secret, metadata: {name: nobody}, data: {a: b}}'}]\n",
        says="overlay-patch-of-nothing/kustomization.yaml … failed to find unique target for patch Secret.v1.[noGrp]/nobody.[noNs]",
    ),
    "overlay-patch-is-broken": overlay(
        "resources: [all.yaml]\npatches: [{patch: '{{{', target: {kind: ConfigMap}}]\n",
        says='overlay-patch-is-broken/kustomization.yaml: trouble configuring builtin PatchTransformer with config … unable to parse SM or JSON patch from [patch: "{{{"]',
    ),
    "overlay-json-patch-fails": overlay(
        "resources: [all.yaml]\npatches: [{patch: '[{op: remove, path: /spec/nothing}]', target: {kind: ConfigMap}}]\n",
        says='overlay-json-patch-fails/kustomization.yaml: trouble configuring builtin PatchTransformer with config … unable to parse SM or JSON patch from [patch: "[{op: remove, path: /spec/nothing}]"]',
    ),
    "overlay-replacement-of-nothing": overlay(
        "resources: [all.yaml]\nreplacements: [{source: {kind: Secret, name: nobody}, targets: [{select: {kind: ConfigMap}}]}]\n",
        says="overlay-replacement-of-nothing/kustomization.yaml: nothing selected by Secret.[noVer].[noGrp]/nobody.[noNs]",
    ),
    "overlay-same-twice": overlay(
        "resources: [all.yaml, again.yaml]\n",
        more={"again.yaml": config("x", c="d")},
        says="accumulating resources … may not add resource with an already registered id",
    ),
    "overlay-runs-a-program": overlay(
        "generators: [generator.yaml]\n",
        more={
            "generator.yaml": "apiVersion: v1\nkind: Run\nmetadata: {name: x, annotations: "
            "{config.kubernetes.io/function: 'exec: {path: /bin/sh}'}}\n"
        },
        says="overlay-runs-a-program/kustomization.yaml … external plugins disabled; unable to load external plugin 'Run')",
    ),
    "overlay-inflates-a-chart": overlay(
        "helmCharts: [{name: x, repo: 'https://charts.example.com', version: 1.0.0}]\n",
        says="overlay-inflates-a-chart/kustomization.yaml … must specify --enable-helm)",
    ),
    "overlay-resource-is-broken": overlay(
        "resources: [broken.yaml]\n",
        more={"broken.yaml": f"{HEAD}metadata: {{name: x\n"},
        says="overlay-resource-is-broken/broken.yaml:2 … line 2: did not find expected ',' or '}' in File: broken.yaml",
    ),
    "overlay-resource-has-no-name": overlay(
        "resources: [broken.yaml]\n",
        more={"broken.yaml": HEAD},
        says="accumulating resources … missing metadata.name in object",
    ),
}
