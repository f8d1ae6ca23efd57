"""Planes by name, through the command line: started, looked at, broken, repaired, stopped, thrown away."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import processes
from tests.cluster import Cluster
from tests.commands import Outcome, homeostat


class Boxes:
    """The boxes of a state folder of their own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.folder = state / "homeostat" / "box"

    def __call__(self, *arguments: str) -> Outcome:
        return homeostat("box", *arguments, env={"XDG_STATE_HOME": str(self.state)})

    def up(self, name: str) -> Cluster:
        done = self("up", "--name", name)
        assert done.code == 0, done.stderr
        return Cluster(Path(self("kubeconfig", "--name", name).stdout.strip()), self.state / f"kubectl-{name}")

    def components(self, name: str) -> dict[str, Any]:
        [found] = json.loads(self("status", "--name", name, "-o", "json").stdout)
        return {part["name"]: part for part in found["components"]}

    def processes(self, name: str) -> list[psutil.Process]:
        folder = str(self.folder / name)
        return [process for process in processes.marked(os.environ[processes.MARK]) if folder in process.environ().get("HOME", "")]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boxes]:
    found = Boxes(tmp_path_factory.mktemp("state"))
    yield found
    for folder in found.folder.iterdir():
        if folder.is_dir():
            assert found("reset", "--name", folder.name).code == 0


@pytest.fixture(scope="module")
def one(boxes: Boxes) -> Cluster:
    return boxes.up("one")


@pytest.fixture(scope="module")
def two(boxes: Boxes) -> Cluster:
    return boxes.up("two")


def test_two_planes_do_not_see_each_other(one: Cluster, two: Cluster) -> None:
    one.kubectl("create", "namespace", "only-here")
    assert "only-here" not in two.kubectl("get", "namespaces", "-o", "name")
    assert one.server != two.server
    assert _credentials(one).isdisjoint(_credentials(two))


def test_a_plane_that_is_up_is_left_alone(boxes: Boxes, one: Cluster) -> None:
    before = boxes.components("one")
    boxes.up("one")
    assert {name: part["pid"] for name, part in boxes.components("one").items()} == {name: part["pid"] for name, part in before.items()}
    assert one.kubectl("get", "--raw", "/readyz") == "ok"


def test_nothing_listens_but_the_api_server_on_the_loopback_address(boxes: Boxes, one: Cluster) -> None:
    heard = {
        (process.cmdline()[1], connection.laddr.ip, f"https://127.0.0.1:{connection.laddr.port}")
        for process in boxes.processes("one")
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert heard == {("kube-apiserver", "127.0.0.1", one.server)}


def test_only_its_user_can_read_what_a_plane_keeps(boxes: Boxes, one: Cluster) -> None:
    assert (boxes.folder / "one").stat().st_mode & 0o077 == 0
    assert one.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_crash_is_seen_said_and_repaired(boxes: Boxes, one: Cluster) -> None:
    assert boxes("status", "--name", "one").code == 0
    one.kubectl("create", "configmap", "before-the-crash")
    before = boxes.components("one")
    for name in ("etcd", "kube-scheduler"):
        process = psutil.Process(before[name]["pid"])
        process.kill()
    _await_crash(boxes, "one", {"etcd", "kube-scheduler"})

    seen = boxes("status", "--name", "one")
    assert seen.code == 1
    assert "kube-scheduler has crashed: it ended without being asked to" in seen.stderr
    assert "homeostat box up --name one" in seen.stderr

    repaired = boxes("up", "--name", "one")
    assert "etcd had crashed: starting it again" in repaired.stderr
    after = boxes.components("one")
    assert {part["state"] for part in after.values()} == {"up"}
    assert after["kube-apiserver"]["pid"] == before["kube-apiserver"]["pid"]
    one.kubectl("get", "configmap", "before-the-crash")
    one.kubectl("run", "after-the-crash", "--image=web")
    one.kubectl("wait", "--for=condition=Ready", "pod/after-the-crash", "--timeout=60s")


def test_down_leaves_no_process_and_the_data(boxes: Boxes, one: Cluster) -> None:
    one.kubectl("create", "configmap", "kept")
    server = one.server
    down = boxes("down", "--name", "one")
    assert down.code == 0, down.stderr
    assert "killed" not in down.stderr
    assert boxes.processes("one") == []
    assert boxes("status", "--name", "one").code == 3

    again = boxes.up("one")
    assert again.server == server
    again.kubectl("get", "configmap", "kept")


def test_a_plane_whose_port_was_taken_moves(boxes: Boxes) -> None:
    third = boxes.up("three")
    boxes("down", "--name", "three")
    with socket.create_server(("127.0.0.1", int(third.server.rpartition(":")[2]))):
        moved = boxes("up", "--name", "three")
    assert moved.code == 0, moved.stderr
    assert "is in use by another program" in moved.stderr
    assert Cluster(third.kubeconfig, third.cache).kubectl("get", "--raw", "/readyz") == "ok"


def test_a_component_that_cannot_start_is_named_with_its_last_words(boxes: Boxes) -> None:
    folder = boxes.folder / "broken"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "etcd").write_text("no folder")
    done = boxes("up", "--name", "broken")
    assert done.code == 1
    assert "error: `etcd` ended while the box was coming up" in done.stderr
    assert "not a directory" in done.stderr
    assert f"hint: its log is {folder}" in done.stderr
    assert boxes.processes("broken") == []


def test_reset_leaves_nothing(boxes: Boxes) -> None:
    boxes.up("three")
    assert boxes("reset", "--name", "three").code == 0
    assert boxes.processes("three") == []
    assert not (boxes.folder / "three").exists()
    gone = boxes("kubeconfig", "--name", "three")
    assert (gone.code, gone.stdout) == (1, "")
    assert "hint: run `homeostat box up --name three`" in gone.stderr


def test_a_name_cannot_lead_out_of_the_folder(boxes: Boxes) -> None:
    done = boxes("reset", "--name", "../one")
    assert done.code == 1
    assert "cannot be the name of a box" in done.stderr


def _credentials(cluster: Cluster) -> set[str]:
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    return {config["users"][0]["user"]["token"], config["clusters"][0]["cluster"]["certificate-authority-data"]}


def _await_crash(boxes: Boxes, name: str, expected: set[str]) -> None:
    """A killed process ends when the kernel gets to it."""
    while {part["name"] for part in boxes.components(name).values() if part["state"] == "crashed"} != expected:
        pass
