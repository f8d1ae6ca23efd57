"""Where a cluster is and who we are: kubeconfigs of every common form, and pods."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from homeostat.live import access, errors
from homeostat.live.access import AccessError
from homeostat.live.client import Client
from tests.cluster import Cluster as Plane
from tests.live.kinds import NAMESPACES
from tests.proxy import Proxy


def write(folder: Path, *, user: Any = None, cluster: Any = None, name: str = "config", **more: Any) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://cluster.example:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        **more,
    }
    path = folder / name
    path.write_text(json.dumps(config))
    return str(path)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate and its key, as PEM."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=somebody"]
    subprocess.run(["openssl", *command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert.read_text(), key.read_text()


async def test_a_token(tmp_path: Path) -> None:
    found = await access.load(write(tmp_path, user={"token": "abc"}))
    assert (found.server, found.namespace) == ("https://cluster.example:6443", "shop")
    assert await found.credentials.header() == "Bearer abc"
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_REQUIRED


async def test_a_name_and_password(tmp_path: Path) -> None:
    found = await access.load(write(tmp_path, user={"username": "me", "password": "secret"}))
    assert await found.credentials.header() == "Basic " + base64.b64encode(b"me:secret").decode()


async def test_a_token_file_is_relative_to_the_kubeconfig_and_read_again_when_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    found = await access.load(write(tmp_path, user={"tokenFile": "token"}))
    assert await found.credentials.header() == "Bearer first"
    (tmp_path / "token").write_text("second\n")
    assert await found.credentials.header() == "Bearer first"
    assert await found.credentials.renew()
    assert await found.credentials.header() == "Bearer second"
    (tmp_path / "token").unlink()
    with pytest.raises(errors.ForbiddenError, match="cannot read the token file"):
        await found.credentials.renew()


@pytest.mark.parametrize("inline", [True, False])
async def test_a_client_certificate(tmp_path: Path, certificate: tuple[str, str], inline: bool) -> None:
    if inline:
        user = {
            "client-certificate-data": base64.b64encode(certificate[0].encode()).decode(),
            "client-key-data": base64.b64encode(certificate[1].encode()).decode(),
        }
    else:
        user = {"client-certificate": "cert.pem", "client-key": "key.pem"}
    found = await access.load(write(tmp_path, user=user, cluster={"certificate-authority": "cert.pem"}))
    assert await found.credentials.header() == ""
    assert found.tls is not None
    assert [dict(part[0] for part in ca["subject"]) for ca in found.tls.get_ca_certs()] == [{"commonName": "somebody"}]  # type: ignore[misc]


async def test_a_server_that_is_not_to_be_checked(tmp_path: Path) -> None:
    found = await access.load(
        write(tmp_path, cluster={"insecure-skip-tls-verify": True, "proxy-url": "http://proxy:3128", "tls-server-name": "x"})
    )
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_NONE
    assert (found.proxy, found.tls_server_name) == ("http://proxy:3128", "x")


async def test_an_exec_plugin_is_asked_and_asked_again_when_its_token_is_refused(tmp_path: Path) -> None:
    count = tmp_path / "count"
    plugin = tmp_path / "plugin"
    plugin.write_text(
        f"#!{sys.executable}\nimport json, pathlib\ncount = pathlib.Path({str(count)!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\ncount.write_text(str(number))\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
        " 'status': {'token': f'token-{number}', 'expirationTimestamp': '2999-01-01T00:00:00Z'}}))\n"
    )
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}}
    found = await access.load(write(tmp_path, user=user))
    assert await found.credentials.header() == "Bearer token-1"
    assert await found.credentials.header() == "Bearer token-1"
    assert await found.credentials.renew()
    assert await found.credentials.header() == "Bearer token-2"


async def test_an_exec_plugin_that_fails_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}}
    with pytest.raises(errors.ForbiddenError, match="credential plugin failed") as caught:
        await access.load(write(tmp_path, user=user))
    assert "sign-in" in caught.value.hint


def test_a_usual_kubeconfig_does_not_load_the_client_library(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from homeostat.live import client, cluster; "
        f"asyncio.run(client.access.load({write(tmp_path, user={'token': 'abc'})!r})); "
        "print(any(name.startswith('kubernetes_asyncio') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


async def test_several_kubeconfigs_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path, user={"token": "first"}, name="first")
    second = write(
        tmp_path,
        name="second",
        contexts=[{"name": "two", "context": {"cluster": "c", "user": "other"}}],
        users=[{"name": "u", "user": {"token": "shadowed"}}, {"name": "other", "user": {"token": "second"}}],
    )
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([first, "", str(tmp_path / "absent"), second]))
    assert await (await access.load()).credentials.header() == "Bearer first"
    assert await (await access.load(context="two")).credentials.header() == "Bearer second"


async def test_without_any_kubeconfig_the_hint_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(AccessError) as caught:
        await access.load()
    assert "homeostat box up" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("[", "cannot be read", id="no-yaml"),
        pytest.param("just text", "expected a mapping", id="no-mapping"),
        pytest.param("{}", "no current-context", id="nothing"),
        pytest.param("{current-context: x}", "no context named 'x' .it has: none", id="no-context"),
        pytest.param("{current-context: x, contexts: [{name: x, context: {cluster: c}}]}", "no cluster named 'c'", id="no-cluster"),
        pytest.param("{contexts: [{context: {}}]}", "expected entries with a name", id="no-name"),
        pytest.param(
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: {server: here}}]}",
            "server: expected a URL",
            id="no-url",
        ),
        pytest.param(
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: "
            "{server: 'https://x', certificate-authority-data: '%%%'}}]}",
            "certificate-authority cannot be read|bad certificate",
            id="no-base64",
        ),
        pytest.param(
            "{current-context: x, contexts: [{name: x, context: {cluster: c}}], clusters: [{name: c, cluster: "
            "{server: 'https://x', certificate-authority-data: aGVsbG8=}}]}",
            "bad certificate",
            id="no-certificate",
        ),
    ],
)
async def test_a_faulty_kubeconfig_is_told_by_what_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(AccessError, match=complaint):
        await access.load(str(path))


async def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    with pytest.raises(AccessError, match="no/such/file"):
        await access.load("no/such/file")


def test_a_pod_finds_its_own_cluster(tmp_path: Path, certificate: tuple[str, str]) -> None:
    (tmp_path / "token").write_text("pod-token")
    (tmp_path / "namespace").write_text("homeostat\n")
    (tmp_path / "ca.crt").write_text(certificate[0])
    found = access.in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, tmp_path)
    assert (found.server, found.namespace) == ("https://[fd00::1]:6443", "homeostat")
    with pytest.raises(AccessError, match="KUBERNETES_SERVICE_HOST"):
        access.in_cluster({}, tmp_path)


@pytest.mark.parametrize(
    ("server", "no_proxy", "proxy"),
    [
        ("https://cluster.example", "", "http://proxy:3128"),
        ("https://127.0.0.1:6443", "", ""),
        ("https://localhost:6443", "", ""),
        ("https://cluster.example", "other.example", "http://proxy:3128"),
        ("https://cluster.example", "cluster.example", ""),
        ("https://a.cluster.example:6443", ".example", ""),
        ("https://10.1.2.3", "192.168.0.0/16,10.0.0.0/8", ""),
        ("https://11.1.2.3", "192.168.0.0/16,10.0.0.0/8", "http://proxy:3128"),
        ("http://cluster.example", "", ""),
    ],
)
def test_the_proxy_of_the_environment_is_used_as_kubectl_uses_it(server: str, no_proxy: str, proxy: str) -> None:
    assert access.environment_proxy(server, {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": no_proxy}) == proxy


async def test_a_cluster_behind_a_proxy_is_reached_through_it(plane: Plane, tmp_path: Path, namespace: str) -> None:
    async with Proxy(plane.kubeconfig) as proxy:
        path = write(tmp_path, cluster={"server": "http://nowhere.invalid", "proxy-url": proxy.server})
        async with await Client.connect(path) as client:
            assert (await client.get(NAMESPACES, "", namespace))["metadata"]["name"] == namespace
            with pytest.raises(errors.NotFoundError):
                await client.get(NAMESPACES, "", f"{namespace}-absent")
        assert proxy.count("GET", namespace) == 2


async def test_a_refused_token_is_renewed_once_and_the_request_sent_again(plane: Plane, tmp_path: Path, namespace: str) -> None:
    plane.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    (tmp_path / "token").write_text("nonsense")
    async with Proxy(plane.kubeconfig) as proxy:
        proxy.own_credentials = False
        path = write(tmp_path, user={"tokenFile": "token"}, cluster={"server": proxy.server})
        async with await Client.connect(path) as client:
            with pytest.raises(errors.ForbiddenError):
                await client.get(NAMESPACES, "", namespace)
            (tmp_path / "token").write_text(plane.kubectl("create", "token", "reader", "-n", namespace))
            with pytest.raises(errors.ForbiddenError) as caught:
                await client.get(NAMESPACES, "", namespace)
    assert caught.value.status == 403, "the server knows by now who asks"
