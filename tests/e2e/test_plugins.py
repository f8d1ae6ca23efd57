"""An app that a config management plugin renders, from Git to the cluster."""

from __future__ import annotations

from pathlib import Path

from homeostat.model import yaml
from tests.cluster import Cluster
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository

SCRIPT = """printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: made}\\ndata: {colour: "%s", of: "%s"}\\n' "$(cat colour)" "$ARGOCD_APP_NAME" """


async def test_an_app_is_rendered_by_a_plugin_and_says_when_it_fails(
    plane: Cluster, control: str, apps: Apps, repository: Repository, tmp_path: Path
) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    plugin = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ConfigManagementPlugin",
        "metadata": {"name": "paint"},
        "spec": {"generate": {"command": ["sh", "-euc", SCRIPT]}, "discover": {"fileName": "colour"}},
    }
    (plugins / "paint.yaml").write_text(yaml.dump(plugin))
    repository.write("a/colour", "blue")
    await repository.push()
    controller = Controller(plane.kubeconfig, control, tmp_path / "controller")
    await controller.start("--plugins", str(plugins))
    try:
        name = await apps.create("plugged", repository.url, "a")
        app = await apps.synced(name)
        assert app["status"]["sourceType"] == "Plugin"
        namespace = apps.namespace("plugged")
        await apps.until_live(
            "", "ConfigMap", namespace, "made", lambda made: made is not None and made["data"] == {"colour": "blue", "of": name}
        )

        wanted = await apps.create("unknown", repository.url, "a", source={"plugin": {"name": "brush"}})
        failed = await apps.until(wanted, lambda app: "ComparisonError" in conditions_of(app))
        assert "'brush'" in conditions_of(failed)["ComparisonError"]
    finally:
        await controller.stop()
