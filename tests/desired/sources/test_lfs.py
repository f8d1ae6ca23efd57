"""Git LFS: pointers become files when a render reads them, over the batch API and over SSH."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from homeostat.box.gitserver import GitServer
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import (
    FetchFailedError,
    LyingError,
    RefusedError,
    RepositoryMissingError,
    SourceError,
    UnauthorisedError,
)
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.evaluate.requests import DirectoryRequest
from homeostat.model.tree import PendingError, Tree, TreeError
from tests import evaluators
from tests.desired.sources.test_ssh_and_file import Sshd, sshd
from tests.desired.sources.worktree import Worktree

__all__ = ["sshd"]


@pytest.fixture(scope="module", autouse=True)
def built_evaluator() -> None:
    """Before the first test, in no coroutine and in nobody's time limit."""
    evaluators.program()


MANIFEST = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: large\n"
LFS = Credentials(lfs=True)


def pointer(data: bytes, *, size: int | None = None) -> str:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest(data)}\nsize {len(data) if size is None else size}\n"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class LfsServer(GitServer):
    """A Git server with the batch API of git-lfs beside each repository. ``objects`` are by digest; ``answer`` replaces what the API says."""

    def __init__(self, folder: Path, **rest: Any) -> None:
        super().__init__(folder, **rest)
        self.objects: dict[str, bytes] = {}
        self.answer: dict[str, Any] | None = None
        self.href = ""
        self.header: dict[str, str] = {}
        self.batches: list[str] = []
        self.downloads: list[str] = []
        self.authorizations: set[str] = set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        _, mark, rest = request.path.partition("/info/lfs/")
        if not mark and not request.path.startswith("/store/"):
            return await super()._serve(request)
        given = request.headers.get("Authorization", "")
        self.authorizations.add(given)
        if self._authorization not in {"", given} and given != "RemoteAuth pass":
            return web.Response(status=401, headers={"LFS-Authenticate": 'Basic realm="git"'})
        if rest == "objects/batch":
            return await self._batch(request)
        self.downloads.append(request.path.rpartition("/")[2])
        return web.Response(body=self.objects[self.downloads[-1]])

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept"] == request.headers["Content-Type"] == "application/vnd.git-lfs+json"
        asked = json.loads(await request.text())
        assert (asked["operation"], asked["transfers"], asked["hash_algo"]) == ("download", ["basic"], "sha256")
        one = asked["objects"][0]
        self.batches.append(request.path)
        if self.answer is not None:
            return web.json_response(self.answer)
        if one["oid"] not in self.objects:
            return web.json_response({"objects": [{**one, "error": {"code": 404, "message": "Object does not exist"}}]})
        download = {"href": f"{self.href or self.url('x').removesuffix('/x.git')}/store/{one['oid']}", "header": self.header}
        return web.json_response({"transfer": "basic", "objects": [{**one, "actions": {"download": download}}]})


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[LfsServer]:
    async with LfsServer(tmp_path / "large") as server:
        await server.create("web")
        yield server


async def committed(server: GitServer, folder: Path, files: dict[str, str]) -> str:
    work = await Worktree(folder / f"work-{server.port}", str(await server.create("web"))).create()
    return await work.commit(files)


async def names(tree: Tree) -> list[str]:
    """What a real evaluator renders of the plain manifests of ``tree``."""
    async with evaluators.pool() as pool:
        answer = await pool.evaluate(DirectoryRequest(path=""), tree=tree)
    return sorted(item["object"]["metadata"]["name"] for item in answer.value["objects"])


async def had(tree: Tree, path: str) -> bytes | None:
    """Reads as whoever can wait does."""
    try:
        return tree.read(path)
    except PendingError as pending:
        await pending.fetch()
        return tree.read(path)


async def test_a_render_gets_the_files_behind_the_pointers_that_it_reads_and_no_others_are_fetched(
    tmp_path: Path, large: LfsServer, sources: GitSources
) -> None:
    other = MANIFEST.replace(b"large", b"other")
    large.objects = {digest(data): data for data in (MANIFEST, other, b"film")}
    plain = MANIFEST.replace(b"large", b"plain").decode()
    files = {"a.yaml": pointer(MANIFEST), "b.yaml": plain, "c.yaml": pointer(other), "film.mp4": pointer(b"film")}
    commit = await committed(large, tmp_path, files)
    repo = Repo(large.url("web"), LFS)
    tree = await sources.tree(repo, commit)
    assert await names(tree) == ["large", "other", "plain"]
    assert sorted(large.downloads) == sorted([digest(MANIFEST), digest(other)])
    assert await names(tree) == ["large", "other", "plain"]
    assert len(large.downloads) == 2, "what is here is not fetched again"


async def test_without_enable_lfs_a_pointer_stays_a_pointer(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    commit = await committed(large, tmp_path, {"a.yaml": pointer(MANIFEST)})
    assert (await sources.tree(Repo(large.url("web")), commit)).read("a.yaml") == pointer(MANIFEST).encode()
    assert large.batches == []


async def test_what_only_looks_like_a_pointer_is_a_file(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    text = pointer(MANIFEST).replace("oid sha256", "oid md5")
    commit = await committed(large, tmp_path, {"a.yaml": text})
    assert (await sources.tree(Repo(large.url("web"), LFS), commit)).read("a.yaml") == text.encode()


async def test_who_cannot_wait_is_told_so(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    commit = await committed(large, tmp_path, {"a.yaml": pointer(MANIFEST)})
    with pytest.raises(TreeError, match=r"a\.yaml: the file is kept in Git LFS and has not been fetched"):
        (await sources.tree(Repo(large.url("web"), LFS), commit)).read("a.yaml")


async def test_many_who_want_one_file_cost_one_download(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    large.objects[digest(MANIFEST)] = MANIFEST
    tree = await sources.tree(Repo(large.url("web"), LFS), await committed(large, tmp_path, {"a.yaml": pointer(MANIFEST)}))
    assert set(await asyncio.gather(*(had(tree, "a.yaml") for _ in range(50)))) == {MANIFEST}
    assert len(large.downloads) == 1


async def test_an_lfs_server_that_fails_is_an_error_that_is_not_kept(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    commit = await committed(large, tmp_path, {"a.yaml": pointer(MANIFEST)})
    tree = await sources.tree(Repo(large.url("web"), LFS), commit)
    with pytest.raises(RepositoryMissingError, match=r"The LFS file .* 404: Object does not exist"):
        await names(tree)
    large.objects[digest(MANIFEST)] = MANIFEST
    assert await names(tree) == ["large"]


async def test_the_repositorys_credentials_sign_in_and_are_not_sent_elsewhere(tmp_path: Path, sources: GitSources) -> None:
    async with LfsServer(tmp_path / "one", username="bob", password="s3cret") as server, LfsServer(tmp_path / "two") as cloud:
        server.objects[digest(MANIFEST)] = cloud.objects[digest(MANIFEST)] = MANIFEST
        second = MANIFEST + b"# second\n"
        server.objects[digest(second)] = cloud.objects[digest(second)] = second
        commit = await committed(server, tmp_path, {"a": pointer(MANIFEST), "b": pointer(second)})
        tree = await sources.tree(Repo(server.url("web"), Credentials(username="bob", password="s3cret", lfs=True)), commit)
        assert await had(tree, "a") == MANIFEST
        assert len(server.downloads) == 1
        server.href, server.header = cloud.url("x").removesuffix("/x.git"), {"X-Signature": "abc"}
        assert await had(tree, "b") == second
        assert cloud.downloads == [digest(second)]
        assert cloud.authorizations == {""}


async def test_a_file_that_is_not_what_its_pointer_says_is_refused(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    for data, error in ((MANIFEST.replace(b"large", b"forge"), LyingError), (MANIFEST[:-1], LyingError), (MANIFEST + b"\n", RefusedError)):
        large.objects[digest(MANIFEST)] = data
        repo = Repo(large.url("web"), LFS)
        if not (tmp_path / f"work-{large.port}").exists():
            commit = await committed(large, tmp_path, {"a": pointer(MANIFEST)})
        with pytest.raises(error):
            await had(await sources.tree(repo, commit), "a")
    large.objects[digest(MANIFEST)] = MANIFEST
    assert await had(await sources.tree(repo, commit), "a") == MANIFEST


async def test_a_file_out_of_proportion_is_refused_before_anything_is_asked(tmp_path: Path, large: LfsServer, sources: GitSources) -> None:
    commit = await committed(large, tmp_path, {"a": pointer(MANIFEST, size=10**15)})
    with pytest.raises(TreeError, match=r"in Git LFS.* more than the limit"):
        (await sources.tree(Repo(large.url("web"), LFS), commit)).read("a")
    assert large.batches == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"objects": []}, "answers for another file"),
        ({"objects": [{"oid": "0" * 64}]}, "answers for another file"),
        ({"objects": [{"oid": digest(MANIFEST)}]}, "does not say where it is"),
        ({"objects": [{"oid": digest(MANIFEST), "actions": {"download": {"href": "file:///etc/passwd"}}}]}, "not of a web server"),
        ({"objects": [{"oid": digest(MANIFEST), "actions": {"download": {"href": "http://169.254.169.254/latest"}}}]}, "link-local"),
        (
            {
                "objects": [
                    {"oid": digest(MANIFEST), "actions": {"download": {"href": "http://127.0.0.1:1/", "header": {"X": "a\r\nHost: b"}}}}
                ]
            },
            "names a header that is none",
        ),
    ],
)
async def test_a_hostile_server_is_refused(
    answer: dict[str, Any], said: str, tmp_path: Path, large: LfsServer, sources: GitSources
) -> None:
    large.answer = answer
    commit = await committed(large, tmp_path, {"a": pointer(MANIFEST)})
    with pytest.raises(SourceError, match=said):
        await had(await sources.tree(Repo(large.url("web"), LFS), commit), "a")


async def test_lfsconfig_names_another_server_which_gets_no_credentials(tmp_path: Path, sources: GitSources) -> None:
    async with GitServer(tmp_path / "one", username="bob", password="s3cret") as server, LfsServer(tmp_path / "two") as other:
        other.objects[digest(MANIFEST)] = MANIFEST
        config = f"[include]\n\tpath = /etc/passwd\n[lfs]\n\turl = {other.url('elsewhere')}/info/lfs\n"
        commit = await committed(server, tmp_path, {"a": pointer(MANIFEST), ".lfsconfig": config})
        tree = await sources.tree(Repo(server.url("web"), Credentials(username="bob", password="s3cret", lfs=True)), commit)
        assert await had(tree, "a") == MANIFEST
        assert other.batches == ["/elsewhere.git/info/lfs/objects/batch"]
        assert other.authorizations == {""}


async def test_wrong_credentials_are_named_and_not_shown(tmp_path: Path, sources: GitSources) -> None:
    async with LfsServer(tmp_path / "one") as server:
        commit = await committed(server, tmp_path, {"a": pointer(MANIFEST)})
        tree = await sources.tree(Repo(server.url("web"), Credentials(username="bob", password="s3cret", lfs=True)), commit)
        server._authorization = "Basic none"
        with pytest.raises(UnauthorisedError, match="The LFS file") as refused:
            await had(tree, "a")
        assert "s3cret" not in str(refused.value)


async def test_over_ssh_the_server_says_where_the_files_are(sshd: Sshd, tmp_path: Path, sources: GitSources) -> None:
    async with LfsServer(tmp_path / "lfs", username="nobody", password="knows") as server:
        server.objects[digest(MANIFEST)] = MANIFEST
        said = json.dumps({"href": f"{server.url('web')}/info/lfs", "header": {"Authorization": "RemoteAuth pass"}, "expires_in": 60})
        server.header = {"Authorization": "RemoteAuth pass"}
        program = tmp_path / "command"
        script = (
            f'#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in\n"git-lfs-authenticate {tmp_path}/web.git download") echo {shlex.quote(said)} ;;\n'
        )
        script += '*lfs*) echo "no such thing" >&2; exit 1 ;;\n*) eval "$SSH_ORIGINAL_COMMAND" ;;\nesac\n'
        program.write_text(script)
        program.chmod(0o755)
        keys = tmp_path / "authorized_keys"
        keys.write_text(f'command="{program}" {keys.read_text()}')
        work = Worktree(tmp_path / "work", str(tmp_path / "web.git"))
        commit = await work.commit({"large": pointer(MANIFEST)})
        repo = Repo(sshd.url, Credentials(ssh_private_key=sshd.key, known_hosts=sshd.known_hosts, lfs=True))
        tree = await sources.tree(repo, commit)
        assert await had(tree, "large") == MANIFEST
        assert server.authorizations == {"RemoteAuth pass"}
        program.write_text(script.replace("download", "nothing"))
        later = await work.commit({"larger": pointer(MANIFEST + b"#")})
        await sources.resolve(repo, "main", fresh=True)
        with pytest.raises(FetchFailedError, match="`git-lfs-authenticate` failed on the server: no such thing"):
            await had(await sources.tree(repo, later), "larger")
