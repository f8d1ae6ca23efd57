"""What the options of `app create` and `app set` do to a spec."""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.cli.apps.spec import edited, image_name
from homeostat.model.errors import InvalidError

REPO = "https://git.example/web.git"


def source(**more: Any) -> dict[str, Any]:
    return {"source": {"repoURL": REPO, "path": "web", **more}}


@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        pytest.param({}, {"repo": REPO, "path": "web"}, source(), id="texts"),
        pytest.param(source(), {"path": ""}, {"source": {"repoURL": REPO}}, id="an empty text takes away"),
        pytest.param(source(), {"directory_recurse": True}, source(directory={"recurse": True}), id="switch on"),
        pytest.param(source(directory={"recurse": True}), {"directory_recurse": False}, source(), id="switch off leaves no empty type"),
        pytest.param(
            source(helm={"valueFiles": ["a"]}), {"values": ("b", "c")}, source(helm={"valueFiles": ["b", "c"]}), id="a list is replaced"
        ),
        pytest.param(
            source(helm={"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}),
            {"helm_set": ("a=3",), "helm_set_string": ("c=4",)},
            source(
                helm={
                    "parameters": [
                        {"name": "a", "value": "3"},
                        {"name": "b", "value": "2"},
                        {"name": "c", "value": "4", "forceString": True},
                    ]
                }
            ),
            id="parameters by name",
        ),
        pytest.param(
            source(), {"parameters": ("image.tag=a=b",)}, source(helm={"parameters": [{"name": "image.tag", "value": "a=b"}]}), id="-p"
        ),
        pytest.param(
            source(kustomize={"images": ["web:1", "other=x:2", "registry:5000/a/b:1"]}),
            {"kustomize_image": ("web:2", "registry:5000/a/b@sha256:00")},
            source(kustomize={"images": ["other=x:2", "web:2", "registry:5000/a/b@sha256:00"]}),
            id="images by name",
        ),
        pytest.param(
            source(),
            {"jsonnet_tla_str": ("name=web",), "jsonnet_tla_code": ("replicas=1+1",)},
            source(directory={"jsonnet": {"tlas": [{"name": "name", "value": "web"}, {"name": "replicas", "value": "1+1", "code": True}]}}),
            id="jsonnet",
        ),
        pytest.param(
            {"destination": {"server": "https://a", "namespace": "n"}},
            {"dest_name": "b"},
            {"destination": {"name": "b", "namespace": "n"}},
            id="a cluster by name instead of by server",
        ),
        pytest.param({}, {"sync_policy": "automated"}, {"syncPolicy": {"automated": {}}}, id="automated"),
        pytest.param(
            {"syncPolicy": {"automated": {"enabled": False, "prune": True}}},
            {"sync_policy": "auto", "self_heal": True},
            {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
            id="automated again",
        ),
        pytest.param(
            {"syncPolicy": {"automated": {"prune": True}}}, {"sync_policy": "none", "auto_prune": False}, {}, id="automated no more"
        ),
        pytest.param(
            {"syncPolicy": {"syncOptions": ["Prune=false", "Validate=false"]}},
            {"sync_option": ("CreateNamespace=true", "!Prune=false")},
            {"syncPolicy": {"syncOptions": ["Validate=false", "CreateNamespace=true"]}},
            id="sync options",
        ),
        pytest.param(
            {},
            {"sync_retry_limit": 3, "sync_retry_backoff_duration": 90.0},
            {"syncPolicy": {"retry": {"limit": 3, "backoff": {"duration": "90s"}}}},
            id="retry",
        ),
        pytest.param(
            {"unheardOf": {"x": 1}}, {"project": "p"}, {"unheardOf": {"x": 1}, "project": "p"}, id="what nobody has heard of stays"
        ),
    ],
)
def test_an_option_changes_its_field_and_no_other(spec: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert edited(spec, given) == expected


@pytest.mark.parametrize(
    ("spec", "given", "message"),
    [
        ({}, {"dest_server": "https://a", "dest_name": "b"}, "--dest-server and --dest-name: expected one of them"),
        ({}, {"auto_prune": True}, "--auto-prune: the app is not synced automatically"),
        ({}, {"helm_set": ("x",)}, "--helm-set x: expected NAME=VALUE"),
        (source(kustomize={"namePrefix": "a-"}), {"parameters": ("a=b",)}, "--parameter: parameters are for Helm charts"),
        ({}, {"kustomize_replica": ("web=many",)}, "--kustomize-replica web=many: expected a whole number"),
        ({"sources": [{"repoURL": REPO}]}, {"revision": "v2"}, "the app has several sources: say which"),
    ],
)
def test_options_that_make_no_sense_are_refused(spec: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        edited(spec, given)


@pytest.mark.parametrize(
    ("image", "name"),
    [("web", "web"), ("web:1", "web"), ("r:5000/web", "r:5000/web"), ("r:5000/web:1", "r:5000/web"), ("a@sha256:0", "a"), ("a=b:1", "a")],
)
def test_an_image_override_is_known_by_the_image_it_is_about(image: str, name: str) -> None:
    assert image_name(image) == name
