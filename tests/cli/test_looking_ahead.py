"""`homeostat render APP` and `homeostat diff --from-cluster`: looks at files that know of the apps of a cluster."""

from __future__ import annotations

import json
import subprocess

from homeostat.model import yaml
from tests.cli.stage import Stage
from tests.commands import homeostat
from tests.e2e.texts import config

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: planted-value}\n"


def test_an_app_of_a_cluster_is_rendered_as_it_would_be_there(stage: Stage) -> None:
    stage.write(ahead__one=config("one", x="1"), ahead__s=SECRET)
    stage.push()
    stage.create("ahead")
    place = ("--kubeconfig", str(stage.plane.kubeconfig), "--control-namespace", stage.control, *stage.file_roots)
    done = homeostat("render", "ahead", *place)
    assert done.code == 0, done.stderr
    objects = {obj["kind"]: obj for obj in yaml.load_all(done.stdout)}
    assert objects["ConfigMap"]["metadata"]["namespace"] == stage.namespace("ahead")
    assert "annotations" in objects["ConfigMap"]["metadata"], "it is marked as the app's"
    assert objects["Secret"]["data"]["password"].startswith("+++")
    assert "planted" not in done.stdout
    unknown = homeostat("render", "nobody", *place)
    assert unknown.code == 1
    assert "nobody" in unknown.stderr


def test_a_change_is_shown_for_the_apps_of_a_cluster_that_use_the_repository(stage: Stage) -> None:
    stage.write(changing__one=config("one", x="1"), other__one=config("one", x="1"))
    before = stage.push()
    stage.create("changing")
    stage.create("other")
    stage.write(changing__one=config("one", x="2"))
    after = stage.push()
    folder = stage.repository.folder
    done = homeostat(
        "diff", str(folder), "--revision", f"{before}..{after}", "--from-cluster", "--kubeconfig", str(stage.plane.kubeconfig),
        "-n", stage.control, "--repo-url", stage.repository.url, "--no-fetch", "-o", "json",
    )  # fmt: skip
    assert done.code == 1, done.stderr
    (app,) = json.loads(done.stdout)["apps"]
    assert app["name"] == "changing"
    (one,) = app["objects"]
    assert one["namespace"] == stage.namespace("changing")
    assert "-  x: '1'\n+  x: '2'" in one["diff"]
    assert subprocess.run(["git", "-C", str(folder), "status", "--porcelain"], check=True, capture_output=True).stdout == b""
