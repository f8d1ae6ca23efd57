"""Servers that mean harm: their apps say so, in words that name what is wrong; nothing of it reaches the disk or the cluster, and other apps go on."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from aiohttp import web

from homeostat.argo.resources import SECRETS
from homeostat.desired.sources.blobs import digest_of
from homeostat.model.objects import Object
from tests.desired.sources.servers import RedirectingServer, listening
from tests.desired.sources.shops import HelmServer
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.controller import Controller
from tests.e2e.repository import Repository
from tests.e2e.texts import config

METADATA = "http://169.254.169.254/latest/meta-data"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OWNED = Path(tempfile.gettempdir()) / f"owned-{os.getpid()}"
CHART = b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"


def packed(*members: tuple[str, bytes, str], top: str = "shop/") -> bytes:
    """A ``.tgz`` with a chart in it, and more: name, content, and where a symbolic link leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content, link in ((f"{top}Chart.yaml", CHART, ""), *members):
            info = tarfile.TarInfo(name)
            info.size = 0 if link else len(content)
            info.type, info.linkname = (tarfile.SYMTYPE if link else tarfile.REGTYPE), link
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


FINE = config("fine", a="b").encode()
ARCHIVES: dict[str, tuple[bytes, str]] = {
    "bomb": (packed(("shop/big", bytes(100 * 1024 * 1024), "")), "more than the limit of"),
    "climbs": (packed(("shop/../../owned", b"x", "")), "leaves the archive"),
    "absolute": (packed((str(OWNED), b"x", "")), "leaves the archive"),
    "links-out": (packed(("shop/templates/x.yaml", b"", "/etc/passwd")), "the symbolic link leaves the archive"),
    "is-a-page": (b"<html>sign in</html>", "cannot be read"),
}
"""What stands behind the address of a chart or a layer, and what is said of it."""


class Wrong(NamedTuple):
    """A source that is wrong, and words of the condition."""

    repo: str
    source: dict[str, object]
    says: tuple[str, ...]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[HelmServer]:
    """A Helm repository with every archive, one that is not what the index says, and addresses at which clouds hand out credentials."""
    (tmp_path / "shop").mkdir()
    async with HelmServer(tmp_path / "shop") as server:
        entries = "".join(f"  {name}: [{{apiVersion: v2, name: {name}, version: 1.0.0, urls: [{name}.tgz]}}]\n" for name in ARCHIVES)
        entries += f"  another: [{{apiVersion: v2, name: another, version: 1.0.0, urls: [climbs.tgz], digest: {'0' * 64}}}]\n"
        entries += f"  elsewhere: [{{apiVersion: v2, name: elsewhere, version: 1.0.0, urls: ['{METADATA}/x.tgz']}}]\n"
        entries += "  empty: [{apiVersion: v2, name: empty, version: 1.0.0, urls: [empty.tgz]}]\n"
        (server.folder / "empty.tgz").write_bytes(gzip.compress(bytes(10 * 1024 * 1024)))
        (server.folder / "index.yaml").write_text(f"apiVersion: v1\nentries:\n{entries}")
        for name, (data, _) in ARCHIVES.items():
            (server.folder / f"{name}.tgz").write_bytes(data)
        server.override["/moved/index.yaml"] = web.Response(status=302, headers={"Location": f"{METADATA}/index.yaml"})
        server.override["/endless/index.yaml"] = web.Response(status=307, headers={"Location": "/endless/index.yaml"})
        server.override["/aliases/index.yaml"] = web.Response(text=f"apiVersion: v1\n{_aliases()}entries: {{shop: *a9}}\n")
        yield server


def _aliases() -> str:
    return "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))


def _answers(name: str, path: str) -> web.Response:
    """What a registry that means harm answers for the repository ``name``."""
    data = ARCHIVES.get(name, (packed(("all.yaml", FINE, ""), top=""), ""))[0]
    manifest = orjson.dumps({"schemaVersion": 2, "layers": [{"mediaType": LAYER, "digest": digest_of(data), "size": len(data)}]})
    if name == "moved":
        return web.Response(status=307, headers={"Location": METADATA})
    if "/manifests/" in path:
        announced = digest_of(b"another") if name == "lies" else digest_of(manifest)
        return web.Response(body=manifest, headers={"Docker-Content-Digest": announced})
    return web.Response(body=data[::-1] if name == "other-blob" else data)


@pytest.fixture
async def registry() -> AsyncIterator[str]:
    """The address of that registry."""

    async def serve(request: web.Request) -> web.Response:
        return _answers(request.match_info["name"], request.path)

    app = web.Application()
    app.router.add_get("/v2/{name}/{rest:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"oci://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_each_server_that_means_harm_is_named_by_its_apps_and_costs_nobody_else_anything(
    apps: Apps, controller: Controller, repository: Repository, shop: HelmServer, registry: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        moved = await stack.enter_async_context(RedirectingServer(tmp_path / "moved"))
        moved.target = f"{METADATA}/x.git"
        silent = await stack.enter_async_context(listening(hang=True))
        cases = {
            "git-moved": Wrong(moved.url("old"), {"path": "."}, ("/old.git redirects to", "clouds hand out credentials")),
            "git-metadata": Wrong(f"{METADATA}/x.git", {"path": "."}, ("clouds hand out credentials",)),
            "helm-moved": _chart(f"{shop.url}/moved", "shop", "clouds hand out credentials"),
            "helm-endless": _chart(f"{shop.url}/endless", "shop", "redirects more than"),
            "helm-aliases": _chart(f"{shop.url}/aliases", "shop", "index"),
            "helm-elsewhere": _chart(shop.url, "elsewhere", "clouds hand out credentials"),
            "helm-empty": _chart(shop.url, "empty", "The chart 'empty' 1.0.0 of", "it has no Chart.yaml"),
            "helm-another": _chart(shop.url, "another", "is not what it should be"),
            **{f"helm-{name}": _chart(shop.url, name, f"{name}-1.0.0.tgz", says) for name, (_, says) in ARCHIVES.items()},
            "oci-moved": _artefact(registry, "moved", "clouds hand out credentials"),
            "oci-lies": _artefact(registry, "lies", "is not what it should be"),
            "oci-other-blob": _artefact(registry, "other-blob", "is not what it should be"),
            **{f"oci-{name}": _artefact(registry, name, f"/{name} is refused", says) for name, (_, says) in ARCHIVES.items()},
        }
        await apps.client.create(SECRETS, _secret(apps, registry))
        repository.write("healthy/one.yaml", config("healthy", colour="blue"))
        commit = await repository.push()
        # Before all others, and it never gets an answer.
        hanging = await apps.create("hanging", silent.url, ".")
        await silent.arrived.wait()
        names = {about: await apps.create(about, one.repo, "", source=one.source) for about, one in cases.items()}
        healthy = await apps.create("healthy", repository.url, "healthy")
        await apps.synced(healthy, commit)

        unclear: dict[str, str] = {}
        for about, one in cases.items():
            app = await apps.until(names[about], _has_failed)
            said = conditions_of(app)["ComparisonError"]
            if not all(words in said for words in one.says) or app["status"]["sync"]["status"] != "Unknown":
                unclear[about] = said
            assert not app["status"].get("resources")
        assert not unclear

        repository.write("healthy/one.yaml", config("healthy", colour="green"))
        commit = await repository.push()
        await apps.refresh(healthy)
        await apps.synced(healthy, commit)
        app = await apps.until(hanging, _has_failed, seconds=120)
        assert f"{silent.url} cannot be fetched: the server was silent" in conditions_of(app)["ComparisonError"]
    assert not owned(tmp_path)
    assert "Traceback" not in controller.log.read_text()


def owned(folder: Path) -> list[Path]:
    """What an archive has put where it should not."""
    return [*folder.rglob("owned"), *([OWNED] if OWNED.exists() else [])]


def _chart(repo: str, name: str, *says: str) -> Wrong:
    return Wrong(repo, {"chart": name, "targetRevision": "1.0.0"}, says)


def _artefact(registry: str, name: str, *says: str) -> Wrong:
    return Wrong(f"{registry}/{name}", {"path": ".", "targetRevision": "v1"}, says)


def _secret(apps: Apps, registry: str) -> Object:
    """The registry speaks no TLS."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "registry", "namespace": apps.control, "labels": {"argocd.argoproj.io/secret-type": "repo-creds"}},
        "stringData": {"type": "oci", "url": registry, "insecureOCIForceHttp": "true"},
    }


def _has_failed(app: Object) -> bool:
    return "ComparisonError" in conditions_of(app)
