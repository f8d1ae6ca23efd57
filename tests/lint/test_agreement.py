"""The real API server and the schemas that ship agree on what is wrong: each object here is handed to both."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from homeostat.lint import bundle
from homeostat.lint.schemas import Catalogue
from homeostat.lint.validate import faults
from homeostat.model import yaml
from tests.cluster import Cluster, KubectlError

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.lint.example.com}
spec:
  group: lint.example.com
  scope: Namespaced
  names: {kind: Widget, listKind: WidgetList, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [size]
              properties:
                size: {type: integer, minimum: 1, maximum: 10, exclusiveMaximum: true}
                name: {type: string, pattern: "^[a-z]+$", maxLength: 5}
                colour: {type: string, enum: [red, blue], nullable: true}
                port: {x-kubernetes-int-or-string: true}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {known: {type: string}}}
                empty: {type: object}
                labels: {type: object, additionalProperties: {type: string}}
                list:
                  type: array
                  maxItems: 3
                  items: {type: object, required: [key], properties: {key: {type: string}, value: {type: string}}}
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [key]
                numbers: {type: array, items: {type: number}}
                when: {type: string, format: date-time}
                data: {type: string, format: byte}
                whole: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
                one:
                  type: object
                  properties: {a: {type: string}, b: {type: string}}
                  oneOf: [{required: [a]}, {required: [b]}]
                on: {type: boolean}
                given: {type: string, default: x}
                nothing: {type: string, nullable: true}
"""

POD = "containers: [{name: web, image: nginx}]"


def _deployment(spec: str = "", container: str = "") -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  {spec}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
          image: nginx
          {container}
"""


def _widget(spec: str) -> str:
    return f"apiVersion: lint.example.com/v1\nkind: Widget\nmetadata: {{name: web}}\nspec: {spec}\n"


def _core(kind: str, rest: str) -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: web}}\n{rest}\n"


GOOD = {
    "deployment": _deployment("replicas: 3"),
    "null is nothing": _deployment("strategy: null\n  replicas: null"),
    "whole float": _deployment("replicas: 3.0"),
    "quantities of both types": _deployment(container="resources: {limits: {cpu: 1, memory: 16Mi}, requests: {cpu: 0.5}}"),
    "port by name": _deployment(container="livenessProbe: {httpGet: {port: http}}\n          ports: [{name: http, containerPort: 80}]"),
    "null in a map": _core("ConfigMap", "data: {a: null, b: x}"),
    "creationTimestamp null": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, creationTimestamp: null}\n",
    "service": _core(
        "Service",
        "spec: {ports: [{port: 80, targetPort: http}, {port: 53, protocol: UDP, name: dns, targetPort: 53}, {port: 53, name: d}]}".replace(
            "[{port: 80", "[{name: w, port: 80"
        ),
    ),
    "secret": _core("Secret", "data: {a: aGFsbG8=}\nstringData: {b: c}"),
    "status is passed over": _core("Namespace", "status: {phase: Active}").replace("name: web", "name: default"),
    "widget": _widget("{size: 3, name: abc, port: 80, free: {known: x, other: [1]}, labels: {a: b}, list: [{key: a}], on: true}"),
    "widget with a null": _widget("{size: 3, given: null, nothing: null}"),
    "widget, port as text": _widget("{size: 3, port: http, numbers: [1, 2.5], when: '2020-01-01T00:00:00Z', data: aGFsbG8=}"),
    "widget, one of": _widget("{size: 3, one: {a: x}}"),
    "widget, whole": _widget("{size: 3, whole: {apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {}}}"),
}

BAD = {
    "text for a number": _deployment("replicas: '3'"),
    "half a replica": _deployment("replicas: 1.5"),
    "too large a number": _deployment("replicas: 3000000000"),
    "unknown field": _deployment("replica: 3"),
    "unknown field deep down": _deployment(container="imagepullPolicy: Always"),
    "number for text": _deployment(container="env: [{name: A, value: 1}]"),
    "boolean for text": _core("ConfigMap", "data: {a: true}"),
    "boolean for a quantity": _deployment(container="resources: {limits: {memory: true}}"),
    "boolean for a port": _core("Service", "spec: {ports: [{port: 80, targetPort: true}]}"),
    "mapping for a list": _core("Pod", "spec: {containers: {name: web, image: x}}"),
    "list for a mapping": _core("ConfigMap", "data: [a]"),
    "unknown metadata": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, label: {a: b}}\n",
    "number for a label": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, labels: {a: 1}}\n",
    "no selector": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {" + POD + "}}}\n",
    "no containers": _core("Pod", "spec: {}"),
    "container without a name": _core("Pod", "spec: {containers: [{image: x}]}"),
    "protocol that is none": _core("Service", "spec: {ports: [{port: 80, protocol: HTTP}]}"),
    "secret that is no base64": _core("Secret", "data: {a: 'not base64!'}"),
    "two ports with one key": _core("Service", "spec: {ports: [{name: a, port: 80}, {name: b, port: 80}]}"),
    "widget without size": _widget("{name: abc}"),
    "widget, null where something must be": _widget("{size: null}"),
    "widget too small": _widget("{size: 0}"),
    "widget too large by one": _widget("{size: 10}"),
    "widget, pattern": _widget("{size: 3, name: ABC}"),
    "widget, too long": _widget("{size: 3, name: abcdef}"),
    "widget, enum": _widget("{size: 3, colour: green}"),
    "widget, port": _widget("{size: 3, port: true}"),
    "widget, unknown": _widget("{size: 3, unknown: 1}"),
    "widget, a null in a list": _widget("{size: 3, numbers: [null]}"),
    "widget, null": _widget("{size: 3, name: null}"),
    "widget, null that is none of the words": _widget("{size: 3, colour: null}"),
    "widget, known in the free part": _widget("{size: 3, free: {known: 1}}"),
    "widget, labels": _widget("{size: 3, labels: {a: 1}}"),
    "widget, item without key": _widget("{size: 3, list: [{value: a}]}"),
    "widget, two items with one key": _widget("{size: 3, list: [{key: a}, {key: a, value: b}]}"),
    "widget, too many items": _widget("{size: 3, list: [{key: a}, {key: b}, {key: c}, {key: d}]}"),
    "widget, numbers": _widget("{size: 3, numbers: [1, a]}"),
    "widget, time": _widget("{size: 3, when: yesterday}"),
    "widget, none of": _widget("{size: 3, one: {}}"),
    "widget, both of": _widget("{size: 3, one: {a: x, b: y}}"),
    "widget, whole without kind": _widget("{size: 3, whole: {apiVersion: v1}}"),
    "widget, boolean as text": _widget("{size: 3, on: 'yes'}"),
}


def _faults(text: str) -> list[str]:
    catalogue = Catalogue()
    catalogue.define(yaml.load(WIDGETS))
    obj: dict[str, Any] = yaml.load(text)
    kind = catalogue.find(obj["apiVersion"], obj["kind"])
    assert kind is not None
    return [fault.message for fault in faults(catalogue, kind, obj)]


@pytest.fixture(scope="module")
def server(plane: Cluster) -> Iterator[Cluster]:
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=WIDGETS)
    plane.kubectl("wait", "--for=condition=Established", "crd/widgets.lint.example.com", "--timeout=30s")
    yield plane
    plane.kubectl("delete", "crd", "widgets.lint.example.com")


def _refusal(server: Cluster, namespace: str, text: str) -> str:
    """What the server says to the object; empty when it takes it."""
    place = () if "kind: Namespace" in text else ("-n", namespace)
    try:
        server.kubectl(
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", *place, "-f", "-", stdin=text
        )
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", GOOD)
def test_what_the_api_server_takes_is_no_fault(server: Cluster, namespace: str, name: str) -> None:
    assert _refusal(server, namespace, GOOD[name]) == ""
    assert _faults(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_api_server_refuses_is_a_fault(server: Cluster, namespace: str, name: str) -> None:
    assert _refusal(server, namespace, BAD[name]) != ""
    assert _faults(BAD[name]) != []


def test_a_field_that_server_side_apply_drops_without_a_word_is_a_fault(server: Cluster, namespace: str) -> None:
    text = _widget("{size: 3, empty: {a: b}}")
    assert _refusal(server, namespace, text) == ""
    with pytest.raises(KubectlError, match=r'unknown field "spec\.empty\.a"'):
        server.kubectl("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-", stdin=text)
    assert _faults(text) == ["unknown field spec.empty.a"]


def test_the_bundle_that_ships_is_what_the_server_publishes(server: Cluster) -> None:
    """Made anew from this very server, it is the same, so nothing in it was written by hand."""
    group = "apis/apps/v1"
    made = bundle.cut([orjson.loads(server.kubectl("get", "--raw", f"/openapi/v3/{group}"))])
    shipped = orjson.loads(gzip.decompress((bundle.FOLDER / "kubernetes-1.36.json.gz").read_bytes()))
    assert made["kinds"] == {name: kind for name, kind in shipped["kinds"].items() if name.startswith("apps/v1/")}
    assert made["kinds"]
    assert {name: shipped["schemas"][name] for name in made["schemas"]} == made["schemas"]
