"""Applications that are wrong, over a folder that is not. ``REFUSED`` are those that the API server must not take."""

from __future__ import annotations

from typing import Any

from tests.chaos.corpus.bad import Bad, bad


def source(*, says: str, harmless: bool = False, **source: Any) -> Bad:
    return bad({}, says=says, harmless=harmless, source=source)


def spec(*, says: str, **spec: Any) -> Bad:
    return bad({}, says=says, **spec)


NOWHERE = "http://127.0.0.1:9/nobody.git"

APPLICATIONS: dict[str, Bad] = {
    "source-is-missing": spec(source=None, says="spec.source: expected a source with repoURL and path"),
    "one-of-sources-is-nothing": spec(
        sources=[{"repoURL": NOWHERE, "path": "a"}, {"repoURL": NOWHERE}],
        source=None,
        says="spec.sources[1].path: expected a directory of the repository",
    ),
    "url-is-empty": source(repoURL="", says="spec.source.repoURL: expected the URL of a repository"),
    "url-runs-a-program": source(
        repoURL="ext::sh -c touch% OWNED", says="The repository address 'ext::sh -c touch% … has characters that no address has"
    ),
    "url-is-an-option": source(
        repoURL="--upload-pack=touch OWNED", says="The repository address '--upload-pack= … has characters that no address has"
    ),
    "url-is-a-file": source(
        repoURL="file:///etc", says="The Git repository file:///etc is a folder of this machine, and folders are not allowed as sources"
    ),
    "url-is-a-path": source(repoURL="/etc", says="The repository address '/etc' is a path"),
    "url-has-an-option-for-ssh": source(
        repoURL="ssh://-oProxyCommand=touch%20OWNED/x", says="The repository address 'ssh://-oProxyCommand=touch%20 … has no valid host"
    ),
    "url-has-an-option-for-scp": source(
        repoURL="-oProxyCommand=touch:OWNED",
        says="The repository address '-oProxyCommand=touch … starts with a dash, like an option of git",
    ),
    "url-is-broken": source(repoURL="http://[nowhere", says="The repository address 'http://[nowhere' has no valid host"),
    "url-has-a-line-break": source(
        repoURL="http://127.0.0.1:9/a\nb.git",
        says="The repository address 'http://127.0.0.1:9/a\\nb.git' has characters that no address has",
    ),
    "url-is-of-an-unknown-scheme": source(
        repoURL="gopher://127.0.0.1/x.git", says="The repository address 'gopher://127.0.0.1/x.git' uses the transport 'gopher"
    ),
    "url-answers-nobody": source(
        repoURL=NOWHERE, says="The Git repository http://127.0.0.1:9/nobody.git cannot be fetched: there is no connection to the server"
    ),
    "url-is-of-no-repository": source(
        repoURL="REPOSITORY/../nothing.git",
        says="The Git repository … cannot be fetched: there is no such repository, or it is hidden from these credentials",
    ),
    "url-is-oci": source(repoURL="oci://127.0.0.1:9/x", says="there is no connection to 127.0.0.1:9"),
    "revision-is-an-option": source(
        targetRevision="--upload-pack=touch OWNED",
        says="The revision '--upload-pack= … cannot be the name of a branch or tag, a commit or a range of versions",
    ),
    "revision-is-not-there": source(
        targetRevision="no-such-branch", says="The Git repository … has no branch, tag or commit 'no-such-branch"
    ),
    "revision-is-no-name": source(
        targetRevision="a..b", says="The revision 'a..b' cannot be the name of a branch or tag, a commit or a range of versions"
    ),
    "revision-has-a-line-break": source(
        targetRevision="main\nHEAD",
        says="The revision 'main\\nHEAD' cannot be the name of a branch or tag, a commit or a range of versions",
    ),
    "revision-is-a-missing-commit": source(
        targetRevision="0123456789abcdef0123456789abcdef01234567", says="The Git repository … has no commit"
    ),
    "revision-is-a-missing-range": source(targetRevision=">= 9.0.0", says="The Git repository … has no tag in the range '>= 9.0.0"),
    "revision-is-a-broken-range": source(
        targetRevision=">= 1.x <", says="The revision '>= 1.x <' cannot be the name of a branch or tag, a commit or a range of versions"
    ),
    "path-is-missing": source(path="no/such/folder", says="no/such/folder: app path does not exist"),
    "path-is-empty": source(path="", says="spec.source.path: expected a directory of the repository ('.' for its root)"),
    "path-is-absolute": source(path="/etc", says="spec.source.path: expected a path relative to the root of the repository, found '/etc"),
    "path-leads-out": source(path="../../../../etc", says="../../../../etc: app path outside root"),
    "path-is-a-file": source(path="healthy/one.yaml", says="healthy/one.yaml: app path is not a directory"),
    "path-has-null": source(path="a\x00b", says="b: app path does not exist"),
    "chart-of-a-server-that-is-not-there": source(
        repoURL="https://127.0.0.1:9",
        chart="shop",
        targetRevision="1.0.0",
        says="there is no connection to 127.0.0.1:9",
    ),
    "two-tools": source(
        helm={"releaseName": "x"},
        kustomize={"namePrefix": "x-"},
        says="spec.source: expected at most one of helm, kustomize, directory and plugin, found helm and kustomize",
    ),
    "plugin": source(plugin={"name": "mine"}, says="ComparisonError … there is no such plugin"),
    "include-is-no-glob": source(
        directory={"include": "[a"}, says='directory.include "[a" is not a valid pattern: unexpected end of input'
    ),
    "kustomize-patch-is-bad": source(
        path="overlay",
        kustomize={"patches": [{"patch": "{{{", "target": {"kind": "ConfigMap"}}]},
        says='overlay/kustomization.yaml: trouble configuring builtin PatchTransformer with config … unable to parse SM or JSON patch from [patch: "{{{"]',
    ),
    "kustomize-component-is-missing": source(
        path="overlay",
        kustomize={"components": ["../nothing"]},
        says="overlay/kustomization.yaml … not a valid directory: 'nothing' doesn't exist",
    ),
    "kustomize-count-is-a-word": source(
        path="overlay",
        kustomize={"replicas": [{"name": "x", "count": "many"}]},
        says="spec.source.kustomize.replicas[0].count: expected a whole number, found 'many",
    ),
    "destination-is-elsewhere": spec(
        destination={"server": "https://127.0.0.1:9"},
        says="spec.destination: other clusters than in-cluster are not supported yet, found https://127.0.0.1:9",
    ),
    "destination-is-unknown": spec(
        destination={"name": "nowhere", "server": None},
        says="spec.destination: other clusters than in-cluster are not supported yet, found nowhere",
    ),
    "destination-is-two": spec(
        destination={"name": "in-cluster"},
        says="spec.destination: expected either server or name, found both (https://kubernetes.default.svc and in-cluster)",
    ),
    "destination-is-none": spec(
        destination={"server": None},
        says="spec.destination: expected a server (https://kubernetes.default.svc for this cluster) or the name of a cluster",
    ),
    "namespace-is-bad": spec(
        destination={"namespace": "Not A Name!"},
        says="Namespace \"Not A Name!\" is invalid … used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')].",
    ),
    "namespace-leads-out": spec(
        destination={"namespace": "../x"},
        says="configmaps: metadata.namespace: expected a name, found '../x' (namespace-leads-out/keep.yaml:1)",
    ),
    "project-is-missing": spec(project="nowhere", says="Application referencing project nowhere which does not exist"),
    "project-restricts": spec(
        project="restricted",
        says="enforcing projects is not supported yet, so this app is not synced",
    ),
    "history-is-negative": spec(revisionHistoryLimit=-5, says="spec.revisionHistoryLimit: expected 0 or more, found -5"),
    "retry-is-no-duration": spec(
        syncPolicy={"retry": {"limit": 2, "backoff": {"duration": "soon"}}},
        says="spec.syncPolicy.retry.backoff.duration: expected a duration such as 5s, 3m or 1h30m, found 'soon",
    ),
    "option-is-unknown": spec(
        syncPolicy={"syncOptions": ["DoWhatIMean=true"]},
        says="SyncOptionWarning: spec.syncPolicy.syncOptions: DoWhatIMean=true",
    ),
    "ignores-what-jq-cannot-read": spec(
        ignoreDifferences=[{"group": "", "kind": "ConfigMap", "jqPathExpressions": [".data["]}],
        says="ComparisonError: spec.ignoreDifferences[0].jqPathExpressions[0]: '.data[' is not a jq path expression: unexpected token",
    ),
    "ignores-for-ever": spec(
        ignoreDifferences=[{"kind": "ConfigMap", "jqPathExpressions": ["def f: f; f"]}],
        says="was stopped: it took more than its time limit of … seconds",
    ),
    "ignores-no-pointer": spec(
        ignoreDifferences=[{"kind": "ConfigMap", "jsonPointers": ["data/a"]}],
        says="ComparisonError: spec.ignoreDifferences[0].jsonPointers[0]: 'data/a' is not a JSON pointer: it does not start with /",
    ),
    "kube-version-is-bad": source(
        path="chart", helm={"kubeVersion": "one"}, says="invalid kube version 'one': could not parse \"one\" as version"
    ),
}

REFUSED: dict[str, Any] = {
    "spec-is-missing": None,
    "spec-is-text": "everything",
    "spec-is-list": [],
    "source-is-number": {"source": 5},
    "source-is-list": {"source": ["a"]},
    "url-is-number": {"source": {"repoURL": 5}},
    "url-is-missing": {"source": {"path": "a"}},
    "path-is-list": {"source": {"path": ["a"]}},
    "helm-is-text": {"source": {"helm": "x"}},
    "parameters-are-an-object": {"source": {"helm": {"parameters": {"a": "b"}}}},
    "destination-is-missing": {"destination": None},
    "destination-is-text": {"destination": "here"},
    "policy-is-list": {"syncPolicy": []},
    "automated-is-yes": {"syncPolicy": {"automated": "yes"}},
    "limit-is-text": {"syncPolicy": {"retry": {"limit": "many"}}},
    "options-are-text": {"syncPolicy": {"syncOptions": "Prune=true"}},
    "ignore-is-object": {"ignoreDifferences": {"kind": "ConfigMap"}},
    "history-is-text": {"revisionHistoryLimit": "many"},
}
