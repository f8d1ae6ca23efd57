"""Plugins that are commands: what they see, what they may do, and what happens to those that do more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from homeostat.desired.errors import RenderFailedError, RenderStoppedError
from homeostat.desired.plugins.command import CommandPlugin
from homeostat.model.tree import PendingError, TreeError
from tests.desired.plugins.helpers import definition, generate, job, python, sh
from tests.evaluators import Link, MemoryTree


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where private folders are made, which nobody else uses. Not pytest's own: whom root becomes cannot pass through that."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "private"
        place.mkdir()
        for path in (place, place.parent):
            path.chmod(0o711)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        yield place


async def test_a_command_sees_the_repository_from_the_folder_of_the_app() -> None:
    tree = MemoryTree({"app/a.txt": "mine", "base/b.txt": "base", "app/deep/er/c.txt": "deep"})
    assert await generate(definition("pwd >&2; cat a.txt ../base/b.txt deep/er/c.txt"), job(tree)) == "minebasedeep"


async def test_init_runs_before_generate_in_the_same_folder() -> None:
    plugin = definition("cat made", init=sh("printf 'by init' > made; echo told"))
    assert await generate(plugin) == "by init"


async def test_an_init_that_fails_is_the_end() -> None:
    plugin = definition("echo never", init=sh("echo one >&2; echo 'no chart here' >&2; exit 3"))
    with pytest.raises(RenderFailedError, match=r"plugin p: init failed \(exit code 3\): one; no chart here$"):
        await generate(plugin)


async def test_links_are_kept_where_they_stay_inside() -> None:
    tree = MemoryTree(
        {"app/in": Link("../base/b.txt"), "app/out": Link("../../etc/passwd"), "app/abs": Link("/etc/passwd"), "base/b.txt": "base"}
    )
    assert await generate(definition("cat in; ls"), job(tree)) == "basein\n"


async def test_a_plugin_can_be_shown_the_folder_alone() -> None:
    tree = MemoryTree({"app/a.txt": "mine", "base/b.txt": "base"})
    plugin = definition("ls .. && cat a.txt", annotations={"homeostat/shown": "folder"})
    assert await generate(plugin, job(tree)) == "app\nmine"


async def test_programs_of_the_repository_are_executable_when_the_plugin_keeps_modes() -> None:
    tree = MemoryTree({"app/run": "#!/bin/sh\necho ran\n", "app/text": "x"})
    assert await generate(definition("./run; test ! -x text", preserveFileMode=True), job(tree)) == "ran\n"
    with pytest.raises(RenderFailedError, match="Permission denied"):
        await generate(definition("./run"), job(tree))


async def test_nothing_of_our_environment_reaches_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret")
    told = await generate(definition("env | cut -d= -f1 | sort"), job(environment={"ARGOCD_APP_NAME": "shop"}))
    assert told.split() == ["ARGOCD_APP_NAME", "HOME", "LANG", "PATH", "PWD", "TMPDIR"]


async def test_home_and_tmp_are_private_and_can_be_written_to(temporary: Path) -> None:
    assert await generate(definition('echo a > "$HOME/a"; echo b > "$TMPDIR/b"; cat "$HOME/a" "$TMPDIR/b"')) == "a\nb\n"
    assert _empty(temporary)


async def test_nothing_outside_can_be_written_or_read(temporary: Path) -> None:
    outside = temporary.parent / "open"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    (outside / "file").write_text("token")
    with pytest.raises(RenderFailedError) as caught:
        await generate(
            definition(f"echo x > {outside}/new; cat {outside}/file; rm {outside}/file; ls {outside}; cat /proc/{os.getpid()}/environ")
        )
    assert caught.value.message.count("ermission denied") >= 4
    assert [path.name for path in outside.iterdir()] == ["file"]


async def test_root_becomes_nobody() -> None:
    assert (await generate(definition("id -u"))).strip() == ("65534" if os.geteuid() == 0 else str(os.geteuid()))


async def test_there_is_no_network() -> None:
    plugin = definition(generate=python("import socket; socket.create_connection(('127.0.0.1', 1))"))
    with pytest.raises(RenderFailedError, match=r"PermissionError: \[Errno 13\]"):
        await generate(plugin)


async def test_a_network_that_is_allowed_is_there_and_failures_with_it_may_pass() -> None:
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); print('listening')"
    assert await generate(definition(generate=python(script), annotations={"homeostat/network": "allowed"})) == "listening\n"
    with pytest.raises(RenderStoppedError, match="failed"):
        await generate(definition("exit 1", annotations={"homeostat/network": "allowed"}))


async def test_a_generate_without_end_is_stopped(temporary: Path) -> None:
    plugin = definition("sleep 1000 & sleep 1000", annotations={"homeostat/timeout": "300ms"})
    with pytest.raises(RenderStoppedError, match=r"plugin p: generate was stopped: it took longer than 0.3 s"):
        await generate(plugin)
    assert _empty(temporary)


async def test_processor_time_is_limited() -> None:
    plugin = definition("while :; do :; done", annotations={"homeostat/timeout": "900ms"})
    with pytest.raises(RenderStoppedError):
        await generate(plugin)


async def test_memory_is_limited() -> None:
    plugin = definition(generate=python("x = bytearray(100 * 1024 * 1024)"), annotations={"homeostat/memory": "64Mi"})
    with pytest.raises(RenderFailedError, match="MemoryError"):
        await generate(plugin)


async def test_processes_are_limited(temporary: Path) -> None:
    plugin = definition("f() { f | f & }; f; sleep 0.2; echo done", annotations={"homeostat/timeout": "20s"})
    # What a fork bomb comes to differs; that it comes to an end and leaves nothing does not.
    with contextlib.suppress(RenderFailedError, RenderStoppedError):
        await generate(plugin)
    assert _empty(temporary)
    assert not _of_nobody("f()")


async def test_what_a_command_leaves_behind_is_ended() -> None:
    script = "(setsid sleep 4711 > /dev/null 2>&1 &) ; nohup sleep 4712 > /dev/null 2>&1 & echo started"
    assert await generate(definition(script)) == "started\n"
    assert not _of_nobody("4711")
    assert not _of_nobody("4712")


def _empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def _of_nobody(mark: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(mark in word for word in process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.pid != os.getpid()
    ]  # fmt: skip


async def test_output_without_end_is_stopped() -> None:
    plugin = definition("yes")
    with pytest.raises(RenderStoppedError, match="it wrote more than 67108864 bytes"):
        await generate(plugin)


async def test_a_file_without_end_is_stopped() -> None:
    with pytest.raises((RenderFailedError, RenderStoppedError), match=r"too large|larger"):
        await generate(definition("exec head -c 300000000 /dev/zero > big"))


async def test_what_looks_like_a_secret_is_not_told(temporary: Path) -> None:
    script = "echo 'password: hunter2' >&2; echo 'GET https://me:hunter3@git.example/x' >&2; echo Authorization: Bearer hunter4 >&2; pwd >&2; exit 1"
    with pytest.raises(RenderFailedError) as caught:
        await generate(definition(script))
    assert "hunter" not in caught.value.message
    assert str(temporary) not in caught.value.message
    assert "git.example" in caught.value.message


async def test_only_the_end_of_long_complaints_is_told() -> None:
    with pytest.raises(RenderFailedError) as caught:
        await generate(definition("i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1"))
    assert caught.value.message.endswith("line 2998; line 2999")
    assert len(caught.value.message) < 1200


async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(RenderFailedError, match="plugin p: generate cannot be run: no-such-program: "):
        await generate(definition(generate={"command": ["no-such-program"]}))


async def test_variables_that_are_too_long_are_told() -> None:
    with pytest.raises(RenderFailedError, match="plugin p: generate cannot be started: Argument list too long"):
        await generate(definition("true"), job(environment={"PARAM_X": "x" * 3_000_000}))


async def test_folders_without_rights_or_bottom_are_cleared_away(temporary: Path) -> None:
    deep = "import os\nfor _ in range(3000):\n os.mkdir('d')\n os.chdir('d')"
    plugin = definition("mkdir -p shut/in; chmod 0 shut; echo done", init=python(deep))
    assert await generate(plugin) == "done\n"
    assert _empty(temporary)


async def test_what_is_no_text_is_an_error() -> None:
    with pytest.raises(RenderFailedError, match="generate wrote what is no UTF-8 at byte 2"):
        await generate(definition("printf 'ab\\377'"))


async def test_parameters_are_announced_by_file_and_by_command() -> None:
    announced = {"static": [{"name": "image"}], "dynamic": sh("echo '[{\"name\": \"from-'$(cat a.txt)'\"}]'")}
    plugin = CommandPlugin(definition("true", parameters=announced), places=asyncio.Semaphore(1))
    assert await plugin.parameters(job()) == [{"name": "from-a"}, {"name": "image"}]
    broken = CommandPlugin(definition("true", parameters={"dynamic": sh("echo nonsense")}), places=asyncio.Semaphore(1))
    with pytest.raises(RenderFailedError, match="parameters: expected a list in JSON"):
        await broken.parameters(job())


async def test_a_file_that_is_kept_elsewhere_is_fetched_and_one_that_is_refused_is_left_out() -> None:
    fetched: list[str] = []

    class Elsewhere(MemoryTree):
        def read(self, path: str) -> bytes | None:
            if path == "app/refused":
                raise TreeError(f"{path}: too large")
            if path == "app/large" and not fetched:

                async def fetch() -> None:
                    fetched.append(path)

                raise PendingError(f"{path} is kept elsewhere", fetch)
            return super().read(path)

    tree = Elsewhere({"app/large": "all of it", "app/refused": "x"})
    assert await generate(definition("ls; cat large"), job(tree)) == "large\nall of it"
    assert fetched == ["app/large"]
