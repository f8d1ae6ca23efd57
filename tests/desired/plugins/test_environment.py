"""The variables of a plugin, as Argo CD makes them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from homeostat.desired.errors import RenderFailedError
from homeostat.desired.plugins.environment import plugin_source, variables

_BUILD = {"ARGOCD_APP_NAME": "shop", "KUBE_VERSION": "1.36.3", "ARGOCD_APP_REVISION": ""}


def _told(**plugin: Any) -> dict[str, str]:
    return variables(_BUILD, plugin_source(plugin))


def test_a_plugin_that_was_discovered_is_told_of_the_app_alone() -> None:
    assert variables(_BUILD, None) == {"ARGOCD_APP_NAME": "shop", "KUBE_VERSION": "1.36.3"}


def test_what_an_author_sets_has_a_prefix_and_may_refer_to_the_build_environment() -> None:
    told = _told(env=[{"name": "LD_PRELOAD", "value": "x-$ARGOCD_APP_NAME-${NOTHING}$$y"}, {"name": "EMPTY", "value": ""}])
    assert told["ARGOCD_ENV_LD_PRELOAD"] == "x-shop-$y"
    assert "ARGOCD_ENV_EMPTY" not in told
    assert "LD_PRELOAD" not in told


def test_parameters_are_one_list_and_a_variable_each() -> None:
    parameters = [
        {"name": "helm-values", "string": "a"},
        {"name": "map.one", "map": {"some/key": "b", "c": "d"}},
        {"name": "list", "array": ["e", "f"]},
    ]
    told = _told(parameters=parameters)
    assert orjson.loads(told.pop("ARGOCD_APP_PARAMETERS")) == parameters
    assert {name: value for name, value in told.items() if name.startswith("PARAM_")} == {
        "PARAM_HELM_VALUES": "a",
        "PARAM_MAP_ONE_SOME_KEY": "b",
        "PARAM_MAP_ONE_C": "d",
        "PARAM_LIST_0": "e",
        "PARAM_LIST_1": "f",
    }


def test_no_parameters_are_null_as_in_argo_cd() -> None:
    assert _told()["ARGOCD_APP_PARAMETERS"] == "null"


@pytest.mark.parametrize(
    "plugin",
    [{"env": [{"name": "A=B", "value": "c"}]}, {"env": [{"name": "A", "value": "c\0d"}]}, {"parameters": [{"name": "x", "string": "\0"}]}],
)
def test_what_cannot_be_a_variable_is_an_error(plugin: dict[str, Any]) -> None:
    with pytest.raises(RenderFailedError, match=r"spec.source.plugin: .* cannot be a variable"):
        _told(**plugin)


def test_options_of_another_shape_are_named() -> None:
    with pytest.raises(RenderFailedError, match=r"spec.source.plugin: Expected `str`, got `int` - at `\$.env\[0\].value`"):
        plugin_source({"env": [{"name": "A", "value": 1}]})
