"""What plugin.yaml files mean, and what is said of those that mean nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeostat.desired.plugins.config import Jail, Shown, read, read_folder
from homeostat.desired.plugins.errors import PluginConfigError
from homeostat.model import yaml


def _file(*, annotations: dict[str, str] | None = None, name: Any = "avp", **spec: Any) -> bytes:
    metadata = {"name": name, "annotations": annotations or {}}
    spec = {"generate": {"command": ["avp", "generate"], "args": ["./"]}, **spec}
    return yaml.dump({"apiVersion": "argoproj.io/v1alpha1", "kind": "ConfigManagementPlugin", "metadata": metadata, "spec": spec}).encode()


def test_a_whole_file_of_argo_cd_is_read() -> None:
    found = read(
        _file(
            version="v1.0",
            init={"command": ["sh", "-c", "echo"]},
            discover={"find": {"glob": "**/x.yaml", "command": ["find"]}},
            parameters={"static": [{"name": "a", "title": "A"}], "dynamic": {"command": ["echo", "[]"]}},
            preserveFileMode=True,
            allowConcurrency=True,
            lockRepo=False,
            something={"new": 1},
        ),
        "plugin.yaml",
    )
    assert found.name == "avp-v1.0"
    assert found.spec.generate.line == ("avp", "generate", "./")
    assert found.spec.discover.find.glob == "**/x.yaml"
    assert found.spec.parameters.static == ({"name": "a", "title": "A"},)
    assert found.spec.preserve_file_mode
    assert found.jail == Jail()
    assert found.shown is Shown.REPOSITORY


def test_what_is_ours_stands_in_annotations() -> None:
    ours = {
        "homeostat/network": "allowed", "homeostat/timeout": "2m", "homeostat/memory": "512Mi", "homeostat/readable": "/a:/b/c",
        "homeostat/shown": "folder", "someone/else": "x",
    }  # fmt: skip
    found = read(_file(annotations=ours), "plugin.yaml")
    assert found.jail == Jail(network=True, seconds=120.0, memory=512 * 1024 * 1024, readable=("/a", "/b/c"))
    assert found.shown is Shown.FOLDER


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"a: [", "plugin.yaml"),
        (b"a: 1", "missing required field"),
        (_file(name="../x"), "metadata.name: expected a name"),
        (_file(version="a/b"), "spec.version: expected letters"),
        (_file(generate={}), "spec.generate.command: expected a program"),
        (_file(generate={"command": "sh"}), "Expected `array`, got `str`"),
        (_file(provideGitCreds=True), "spec.provideGitCreds: credentials are not given"),
        (_file(annotations={"homeostat/network": "yes"}), "homeostat/network: expected `allowed` or `none`, found 'yes'"),
        (_file(annotations={"homeostat/timeout": "-1s"}), "homeostat/timeout: expected a duration"),
        (_file(annotations={"homeostat/timeout": "soon"}), "homeostat/timeout: expected a duration"),
        (_file(annotations={"homeostat/memory": "0Mi"}), "homeostat/memory: expected an amount"),
        (_file(annotations={"homeostat/readable": "/a:b"}), "homeostat/readable: expected absolute paths"),
        (_file(annotations={"homeostat/readable": "/"}), "homeostat/readable: expected absolute paths"),
        (_file(annotations={"homeostat/shown": "all"}), "homeostat/shown: expected `repository` or `folder`"),
        (_file(annotations={"homeostat/networks": "none"}), "there is no homeostat/networks"),
    ],
)
def test_what_means_nothing_is_named(file: bytes, says: str) -> None:
    with pytest.raises(PluginConfigError, match=r"^plugin\.yaml") as caught:
        read(file, "plugin.yaml")
    assert says in caught.value.message


def test_a_folder_holds_files_and_folders_of_plugins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(_file(name="b"))
    for folder in ("sub", "..data"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "plugin.yaml").write_bytes(_file(name="a"))
    (tmp_path / "sub" / "other.yaml").write_text("no plugin")
    assert [found.name for found in read_folder(tmp_path)] == ["a", "b"]
    (tmp_path / "c.yml").write_bytes(_file(name="b"))
    with pytest.raises(PluginConfigError, match=r"c.yml: a plugin named b is in .*a.yaml already"):
        read_folder(tmp_path)
