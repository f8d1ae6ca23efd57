"""Apps of a project that asks for signatures: what nobody trusted has signed is neither synced nor pruned, and counts again as soon as it is trusted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from homeostat.argo.resources import CONFIG_MAPS, PROJECTS
from homeostat.box.gitserver import GitServer
from homeostat.model.objects import Object
from tests.desired.sources.keys import Gpg, Signer
from tests.e2e.apps import Apps, conditions_of
from tests.e2e.repository import Repository
from tests.e2e.texts import config

pytestmark = pytest.mark.usefixtures("controller")

KEYS = "argocd-gpg-keys-cm"


class Hands(NamedTuple):
    """Ada is trusted; Eve is not, until somebody says so."""

    ada: Signer
    eve: Signer


@pytest.fixture
async def hands(tmp_path: Path, apps: Apps) -> AsyncIterator[Hands]:
    gpg = Gpg(tmp_path / "g")
    made = Hands(await gpg.key("ada"), await gpg.key("eve"))
    await apps.client.create(
        CONFIG_MAPS,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": KEYS, "namespace": apps.control, "labels": {"app.kubernetes.io/part-of": "argocd"}},
            "data": {made.ada.id: made.ada.public},
        },
    )
    yield made
    await gpg.close()


async def project(apps: Apps, **fields: Any) -> dict[str, Any]:
    """Makes the project ``signed``; answers what an app's spec says to be in it."""
    body: Object = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "signed", "namespace": apps.control},
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            **fields,
        },
    }
    await apps.client.create(PROJECTS, body)
    return {"project": "signed"}


def policy(mode: str, *keys: Signer, repos: tuple[str, ...] = ("*",)) -> dict[str, Any]:
    return {"repos": [{"url": url} for url in repos], "gpg": {"mode": mode, "keys": [key.id for key in keys]}}


def integrity(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"sourceIntegrity": {"git": {"policies": list(policies)}}}


async def push(repository: Repository, signer: Signer | None = None, *, message: str = "change") -> str:
    """As :meth:`Repository.push`, but signed by ``signer``."""
    repository.git("add", "--all")
    repository.git(*(signer.settings if signer else ()), "commit", "--quiet", "--allow-empty", "-m", message, *(("-S",) if signer else ()))
    await asyncio.to_thread(repository.git, "push", "--quiet", "origin", "HEAD:main")
    return repository.git("rev-parse", "HEAD")


async def refused(apps: Apps, name: str, said: str) -> Object:
    """The app once a ComparisonError says ``said``."""
    await apps.refresh(name)
    app = await apps.until(name, lambda app: said in conditions_of(app).get("ComparisonError", ""))
    assert app["status"]["sync"]["status"] == "Unknown"
    return app


async def test_the_head_must_be_signed_by_a_listed_key_and_nothing_is_pruned_while_it_is_not(
    apps: Apps, repository: Repository, hands: Hands
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    repository.write("a/two.yaml", config("two"))
    await push(repository)
    good = await push(repository, hands.ada)
    name = await apps.create("head", repository.url, "a", **await project(apps, signatureKeys=[{"keyID": hands.ada.id}]))
    await apps.synced(name, good)

    repository.write("a/one.yaml", config("one", colour="red"))
    repository.remove("a/two.yaml")
    unsigned = await push(repository)
    app = await refused(apps, name, f"GIT/GPG: Failed verifying revision {unsigned}")
    assert "unsigned (key_id=)" in conditions_of(app)["ComparisonError"]

    by_eve = await push(repository, hands.eve)
    await refused(apps, name, f"GIT/GPG: Failed verifying revision {by_eve}")
    await apps.client.patch(CONFIG_MAPS, apps.control, KEYS, {"data": {hands.eve.id: hands.eve.public}})
    await refused(apps, name, f"signed with unallowed key (key_id={hands.eve.id})")
    one = await apps.live("", "ConfigMap", apps.namespace("head"), "one")
    assert one is not None
    assert one["data"]["colour"] == "blue"
    assert await apps.live("", "ConfigMap", apps.namespace("head"), "two") is not None

    await apps.client.patch(PROJECTS, apps.control, "signed", {"spec": {"signatureKeys": [{"keyID": hands.eve.id}]}})
    await apps.synced(name, by_eve)
    assert await apps.live("", "ConfigMap", apps.namespace("head"), "two") is None
    await apps.client.patch(CONFIG_MAPS, apps.control, KEYS, {"data": {hands.eve.id: None}})
    await apps.until(name, lambda app: "signed with key not in keyring" in conditions_of(app).get("ComparisonError", ""))


async def test_all_commits_back_to_a_sealing_one_must_be_signed_in_strict_mode(apps: Apps, repository: Repository, hands: Hands) -> None:
    repository.write("a/one.yaml", config("one"))
    unsigned = await push(repository)
    await push(repository, hands.ada)
    name = await apps.create("strict", repository.url, "a", **await project(apps, **integrity(policy("strict", hands.ada))))
    await refused(apps, name, f"GIT/GPG: Failed verifying revision {unsigned}")
    sealed = await push(repository, hands.ada, message="seal\n\nArgocd-gpg-seal: looked at")
    await apps.refresh(name)
    await apps.synced(name, sealed)
    slipped_in = await push(repository)
    await push(repository, hands.ada)
    await refused(apps, name, f"GIT/GPG: Failed verifying revision {slipped_in}")


async def test_each_source_is_asked_by_its_own_policy(
    apps: Apps, git: GitServer, tmp_path: Path, repository: Repository, hands: Hands
) -> None:
    await git.create("values")
    values = Repository(tmp_path / "values", git.url("values"))
    values.write("values.yaml", "colour: green\n")
    await push(values)
    repository.write("a/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    repository.write("a/templates/one.yaml", config("one", colour="{{ .Values.colour }}"))
    await push(repository)
    sources = [
        {"repoURL": repository.url, "path": "a", "targetRevision": "main", "helm": {"valueFiles": ["$values/values.yaml"]}},
        {"repoURL": values.url, "targetRevision": "main", "ref": "values"},
    ]
    unclear = integrity(policy("head", hands.ada, repos=(repository.url,)), policy("none", repos=(repository.url,)))
    name = await apps.create("several", "", "", source=None, sources=sources, **await project(apps, **unclear))
    await refused(apps, name, "spec.sources[0]: multiple (2) git source integrity policies found")
    asked = integrity(policy("head", hands.ada, repos=("*", f"!{repository.url}")), policy("none", repos=(repository.url,)))
    await apps.client.patch(PROJECTS, apps.control, "signed", {"spec": asked})
    app = await refused(apps, name, "spec.sources[1]: GIT/GPG: Failed verifying revision")
    assert "sources[0]" not in conditions_of(app)["ComparisonError"]
    await push(values, hands.ada)
    await apps.refresh(name)
    await apps.synced(name)
    one = await apps.live("", "ConfigMap", apps.namespace("several"), "one")
    assert one is not None
    assert one["data"]["colour"] == "green"


async def test_of_a_signed_tag_the_commit_need_not_be_signed_and_a_sync_of_it_comes_to_its_end(
    apps: Apps, repository: Repository, hands: Hands
) -> None:
    repository.write("a/one.yaml", config("one"))
    commit = await push(repository)
    repository.git(*hands.ada.settings, "tag", "-s", "-m", "first", "v1")
    await asyncio.to_thread(repository.git, "push", "--quiet", "origin", "v1")
    asked = await project(apps, **integrity(policy("head", hands.ada)))
    by_hand = {"syncOptions": ["CreateNamespace=true"]}
    name = await apps.create("tag", repository.url, "a", source={"targetRevision": "v1"}, syncPolicy=by_hand, **asked)
    await apps.until(name, lambda app: (app.get("status") or {}).get("sync", {}).get("status") == "OutOfSync")
    await apps.patch(name, {"operation": {"sync": {"revision": commit}}})
    app = await apps.synced(name, commit)
    assert app["status"]["operationState"]["phase"] == "Succeeded"
    assert "ComparisonError" not in conditions_of(app)


async def test_an_operation_brings_no_manifests_of_its_own_where_signatures_are_asked_for(
    apps: Apps, repository: Repository, hands: Hands
) -> None:
    repository.write("a/one.yaml", config("one", colour="blue"))
    good = await push(repository, hands.ada)
    name = await apps.create("local", repository.url, "a", **await project(apps, **integrity(policy("head", hands.ada))))
    await apps.synced(name, good)
    brought = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"colour": "local"}}
    await apps.patch(name, {"operation": {"sync": {"manifests": [json.dumps(brought)]}}})
    said = "Cannot use local manifests when source integrity is enforced"
    await apps.until(name, lambda app: (app["status"].get("operationState") or {}).get("message") == said)
    await apps.synced(name, good)
    one = await apps.live("", "ConfigMap", apps.namespace("local"), "one")
    assert one is not None
    assert one["data"]["colour"] == "blue"
