"""Manifests, as plain YAML, JSON and Jsonnet, that are wrong."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.corpus.bad import Bad, bad
from tests.e2e.texts import config

HEAD = "apiVersion: v1\nkind: ConfigMap\n"
BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


def manifest(text: str, *, says: str, harmless: bool = False) -> Bad:
    return bad({"all.yaml": text}, says=says, harmless=harmless)


def named(metadata: str, *, says: str, more: str = "", harmless: bool = False) -> Bad:
    return manifest(f"{HEAD}metadata: {metadata}\n{more}", says=says, harmless=harmless)


def jsonnet(text: str, *, says: str) -> Bad:
    return bad({"main.jsonnet": text}, says=says)


MANIFESTS: dict[str, Bad] = {
    "brace-left-open": manifest(
        f"{HEAD}metadata: {{name: x\n",
        says="brace-left-open/all.yaml:3 … yaml: line 3: did not find expected ',' or '}",
    ),
    "indented-with-tab": manifest(
        f"{HEAD}metadata:\n\tname: x\n",
        says="indented-with-tab/all.yaml:4 … yaml: line 4: found character that cannot start any token",
    ),
    "quote-left-open": manifest(
        f"{HEAD}metadata:\n  name: 'x\ndata: {{a: b}}\n",
        says="quote-left-open/all.yaml:6 … yaml: line 6: found unexpected end of stream",
    ),
    "unknown-alias": manifest(
        f"{HEAD}metadata: *nobody\n",
        says="unknown-alias/all.yaml … yaml: unknown anchor 'nobody' referenced",
    ),
    "alias-of-itself": manifest(
        f"{HEAD}metadata: &me {{name: x, inner: *me}}\n",
        says="alias-of-itself/all.yaml … yaml: anchor 'me' value contains itself",
    ),
    "merged-number": manifest(
        f"{HEAD}metadata:\n  <<: 5\n  name: x\n",
        says="merged-number/all.yaml … yaml: map merge requires map or sequence of maps as the value",
    ),
    "python-tag": manifest(
        f"{HEAD}metadata:\n  name: !!python/object/apply:os.system ['touch /tmp/owned']\n",
        says='python-tag/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is a list, not a string, in a ConfigMap',
    ),
    "bomb": manifest(
        f"a0: &a0 [lol, lol, lol]\n{BOMB}{HEAD}metadata: {{name: x}}\ndata: *a9\n",
        says="bomb/all.yaml … yaml: document contains excessive aliasing",
    ),
    "deep": manifest(
        f"{HEAD}metadata: {{name: x}}\ndata: " + "[" * 100_000 + "]" * 100_000,
        says="deep/all.yaml:4 … yaml: line 4: exceeded max depth of 10000",
    ),
    "deep-json": bad(
        {"all.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001},
        says="deep-json/all.json:1: Failed to unmarshal \"all.json\": invalid character '{' exceeded max depth",
    ),
    "json-cut-off": bad(
        {"all.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata":'},
        says='json-cut-off/all.json:1: Failed to unmarshal "all.json": unexpected EOF',
    ),
    "json-and-more": bad(
        {"all.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}} and more'},
        says='json-and-more/all.json:1: Found multiple objects in "all.json". Only single objects are allowed in JSON files.',
    ),
    "huge": manifest(
        f"{HEAD}metadata: {{name: x}}\ndata:\n  a: {'x' * 4_000_000}\n", says="Request entity too large: limit is 3145728 (huge/all.yaml:1)"
    ),
    "many": manifest(
        "---\n".join(config(f"many-{n}", a="x" * 300_000) for n in range(400)),
        says="many/all.yaml: the file has 120030286 bytes, more than the limit of 67108864",
    ),
    "no-kind": manifest("apiVersion: v1\nmetadata: {name: x}\n", says="auto-sync will wipe out all resources"),
    "no-version": manifest(
        "kind: ConfigMap\nmetadata: {name: x}\n",
        says="no-version/all.yaml:1: Failed to unmarshal \"all.yaml\": Object 'apiVersion' is missing in a ConfigMap",
    ),
    "kind-is-number": manifest(
        "apiVersion: v1\nkind: 5\nmetadata: {name: x}\n",
        says="kind-is-number/all.yaml:1: Failed to unmarshal \"all.yaml\": failed to unmarshal manifest: Object 'Kind' is missing",
    ),
    "version-is-list": manifest(
        "apiVersion: [v1]\nkind: ConfigMap\nmetadata: {name: x}\n",
        says="version-is-list/all.yaml:1: Failed to unmarshal \"all.yaml\": Object 'apiVersion' is missing in a ConfigMap",
    ),
    "version-of-three-parts": manifest(
        "apiVersion: a/b/c\nkind: ConfigMap\nmetadata: {name: x}\n",
        says="version-of-three-parts/all.yaml:1: ConfigMap: apiVersion is missing or not of the form group/version",
    ),
    "unknown-kind": manifest(
        "apiVersion: example.com/v1\nkind: Wigdet\nmetadata: {name: x}\n",
        says='unknown-kind/all.yaml:1: the cluster has no kind Wigdet in example.com/v1 (Wigdet.example.com malformed … /unknown-kind (unknown-kind/all.yaml:1). Make sure the "Wigdet" CRD is installed on the destination cluster.',
    ),
    "unknown-version": manifest(
        "apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: x}\n",
        says='The Kubernetes API could not find version "v9" of apps/Deployment for requested resource malformed … /unknown-version (unknown-version/all.yaml:1). Version "v1" of apps/Deployment is installed on the destination cluster.',
    ),
    "list-on-top": manifest("- apiVersion: v1\n  kind: ConfigMap\n", says="auto-sync will wipe out all resources"),
    "list-of-nonsense": manifest(
        "apiVersion: v1\nkind: List\nitems: {a: b}\n",
        says='list-of-nonsense/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is missing in a List',
    ),
    "list-of-scalars": manifest(
        "apiVersion: v1\nkind: List\nitems: [1, two, null]\n",
        says="list-of-scalars/all.yaml:1 … an object was expected, not a number",
    ),
    "no-metadata": manifest(HEAD, says='no-metadata/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is missing in a ConfigMap'),
    "metadata-is-text": named(
        "x", says='metadata-is-text/all.yaml:1: Failed to unmarshal "all.yaml": metadata of a ConfigMap is a string, not an object'
    ),
    "metadata-is-list": named(
        "[x]", says='metadata-is-list/all.yaml:1: Failed to unmarshal "all.yaml": metadata of a ConfigMap is a list, not an object'
    ),
    "no-name": named(
        "{labels: {a: b}}", says='no-name/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is missing in a ConfigMap'
    ),
    "name-is-empty": named(
        "{name: ''}", says='name-is-empty/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is missing in a ConfigMap'
    ),
    "name-is-number": named(
        "{name: 5}",
        says='name-is-number/all.yaml:1: Failed to unmarshal "all.yaml": metadata.name is a number, not a string, in a ConfigMap',
    ),
    "name-is-a-path": named(
        "{name: ../../secrets/x}", says="configmaps: metadata.name: expected a name, found '../../secrets/x' (name-is-a-path/all.yaml:1)"
    ),
    "name-has-capitals": named(
        "{name: Not A Name}",
        says='ConfigMap "Not A Name" is invalid … (name-has-capitals/all.yaml:1)',
    ),
    "name-has-null": named(
        '{name: "a\\0b"}',
        says='ConfigMap "a\\x00b" is invalid … (name-has-null/all.yaml:1)',
    ),
    "name-is-long": named(
        f"{{name: {'x' * 300}}}",
        says="is invalid: metadata.name: Invalid value … must be no more than 253 characters (name-is-long/all.yaml:1)",
    ),
    "namespace-is-number": named(
        "{name: x, namespace: 5}", says="namespace-is-number/all.yaml:1: ConfigMap: metadata.namespace must be a string, found a number"
    ),
    "namespace-is-a-path": named(
        "{name: x, namespace: ../kube-system}",
        says="configmaps: metadata.namespace: expected a name, found '../kube-system' (namespace-is-a-path/all.yaml:1)",
    ),
    "namespace-is-not-there": named(
        "{name: x, namespace: nowhere-to-be-found}", says='namespaces "nowhere-to-be-found" not found (namespace-is-not-there/all.yaml:1)'
    ),
    "labels-are-list": named(
        "{name: x, labels: [a, b]}",
        says="labels-are-list/all.yaml:1: ConfigMap labels-are-list: metadata.labels must be a mapping of strings, found a list",
    ),
    "label-is-number": named(
        "{name: x, labels: {a: 1}}",
        says="label-is-number/all.yaml:1 … metadata.labels.a must be a string, found a number; put it in quotes",
    ),
    "annotation-is-object": named(
        "{name: x, annotations: {a: {b: c}}}",
        says="annotation-is-object/all.yaml:1 … metadata.annotations.a must be a string, found a mapping; put it in quotes",
    ),
    "wave-is-word": named(
        "{name: x, annotations: {argocd.argoproj.io/sync-wave: many}}",
        says="ConfigMap malformed … expected a whole number such as -1, 0 or 5, found 'many",
    ),
    "wave-is-huge": named(
        "{name: x, annotations: {argocd.argoproj.io/sync-wave: '99999999999999999999'}}",
        says="ConfigMap malformed … expected a whole number such as -1, 0 or 5, found '99999999999999999999",
    ),
    "owner-is-text": named(
        "{name: x, ownerReferences: me}",
        says="failed to create typed patch object (malformed … /owner-is-text; /v1, Kind=ConfigMap): .metadata.ownerReferences: expected list, got &{me} (owner-is-text/all.yaml:1)",
    ),
    "finalizer-is-number": named(
        "{name: x, finalizers: 5}",
        says="failed to create typed patch object (malformed … expected list, got &{5} (finalizer-is-number/all.yaml:1)",
    ),
    "data-is-list": named(
        "{name: x}",
        more="data: [a, b]\n",
        says="failed to create typed patch object (malformed … /data-is-list; /v1, Kind=ConfigMap): .data: expected map, got &{[a b]} (data-is-list/all.yaml:1)",
    ),
    "data-is-number": named(
        "{name: x}",
        more="data: {a: 1}\n",
        says="failed to create typed patch object (malformed … string, got &value.valueUnstructured{Value:1} (data-is-number/all.yaml:1)",
    ),
    "data-is-not-a-number": named(
        "{name: x}",
        more="data: {a: .nan}\n",
        says="data-is-not-a-number/all.yaml … error converting YAML to JSON: json: unsupported value: NaN",
    ),
    "key-is-list": named(
        "{name: x}",
        more="data: {[a, b]: c}\n",
        says='key-is-list/all.yaml … yaml: invalid map key: []interface {}{"a", "b"}',
    ),
    "key-is-null": named(
        "{name: x}",
        more="data: {~: c}\n",
        says='key-is-null/all.yaml … unsupported map key of type: %!s(<nil>), key: <nil>, value: "c',
    ),
    "key-is-twice": named("{name: x}", more="data: {a: b}\ndata: {c: d}\n", says="", harmless=True),
    "status-is-text": manifest(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {matchLabels: {a: b}}, template: "
        "{metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}\nstatus: fine\n",
        says="failed to create typed patch object (malformed … /status-is-text; apps/v1, Kind=Deployment): .status: expected map, got &{fine} (status-is-text/all.yaml:1)",
    ),
    "schema-is-broken": manifest(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: many}\n",
        says="failed to create typed patch object (malformed … expected numeric (int or float), got string (schema-is-broken/all.yaml:1)",
    ),
    "definition-is-broken": manifest(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.example.com}\nspec: {group: other.com}\n",
        says="must have at least one stored version] (definition-is-broken/all.yaml:1)",
    ),
    "same-object-twice": manifest(
        f"{config('x', a='b')}---\n{config('x', c='d')}",
        says="Resource /ConfigMap/malformed … same-object-twice/all.yaml:8: the last one is used.",
        harmless=True,
    ),
    "hook": manifest(
        f"{HEAD}metadata: {{name: x, annotations: {{argocd.argoproj.io/hook: PreSync, argocd.argoproj.io/sync-wave: soon}}}}\n"
        f"---\n{config('plain', a='b')}",
        says="/hook (hook/all.yaml:1): annotation argocd.argoproj.io/sync-wave: expected a whole number such as -1, 0 or 5, found 'soon'",
    ),
    "no-files": bad({"README.md": "Nothing here."}, says="auto-sync will wipe out all resources"),
    "empty-file": manifest("", says="auto-sync will wipe out all resources"),
    "comments-only": manifest("# Nothing here.\n---\n# Nor here.\n", says="auto-sync will wipe out all resources"),
    "empty-documents": manifest("---\n---\n---\n", says="auto-sync will wipe out all resources"),
    "prose": manifest("Hello, I am no manifest.\n", says="auto-sync will wipe out all resources"),
    "binary": bad({"all.yaml": bytes(range(256)) * 40}, says="auto-sync will wipe out all resources"),
    "utf-16": bad({"all.yaml": config("x", a="b").encode("utf-16")}, says="", harmless=True),
    "not-utf-8": bad(
        {"all.yaml": config("x", a="b").encode() + b"  c: \xff\xfe\n"},
        says="not-utf-8/all.yaml … error converting YAML to JSON: yaml: invalid leading UTF-8 octet",
    ),
    "link-out": bad({"all.yaml": Path("../../../../etc/passwd")}, says="link-out/all.yaml: the path leaves the repository"),
    "link-absolute": bad(
        {"all.yaml": Path("/etc/passwd")},
        says="link-absolute/all.yaml: the symbolic link link-absolute/all.yaml leaves the repository (to '/etc/passwd')",
    ),
    "link-to-itself": bad({"all.yaml": Path("all.yaml")}, says="link-to-itself/all.yaml: too many symbolic links, or they link in circles"),
    "link-to-nothing": bad({"all.yaml": Path("nothing.yaml")}, says="auto-sync will wipe out all resources"),
    "jsonnet-syntax": jsonnet(
        "{ apiVersion: 'v1', ",
        says='Failed to evaluate jsonnet "main.jsonnet" … end of file while parsing field definition',
    ),
    "jsonnet-error": jsonnet("error 'this is why'", says='Failed to evaluate jsonnet "main.jsonnet": RUNTIME ERROR: this is why'),
    "jsonnet-number": jsonnet("5", says="jsonnet-number/main.jsonnet … an object was expected, not a number"),
    "jsonnet-for-ever": jsonnet("local f(x) = f(x + 1) tailstrict; f(1)", says="was stopped: it recursed deeper than the stack limit"),
    "jsonnet-deep": jsonnet(
        "local f(x) = 1 + f(x + 1); f(1)", says='Failed to evaluate jsonnet "main.jsonnet": RUNTIME ERROR: max stack frames exceeded.'
    ),
    "jsonnet-memory": jsonnet(
        "std.foldl(function(a, b) a + a, std.range(1, 60), 'x')", says="was stopped: it needed more than its memory limit of … MiB"
    ),
    "jsonnet-import-out": jsonnet("importstr '../../../../etc/passwd'", says="../../../etc/passwd: the path leaves the repository"),
    "jsonnet-import-absolute": jsonnet(
        "importstr '/etc/passwd'",
        says='Failed to evaluate jsonnet "main.jsonnet" … no match locally or in the Jsonnet library paths',
    ),
    "jsonnet-import-missing": jsonnet(
        "import 'nothing.libsonnet'",
        says='Failed to evaluate jsonnet "main.jsonnet" … no match locally or in the Jsonnet library paths',
    ),
    "jsonnet-import-itself": jsonnet(
        "import 'main.jsonnet'", says='Failed to evaluate jsonnet "main.jsonnet": RUNTIME ERROR: max stack frames exceeded.'
    ),
}
