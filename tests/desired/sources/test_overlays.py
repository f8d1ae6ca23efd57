"""Overlays that need what lies elsewhere: what is rendered is what the real ``kustomize build`` makes when it clones, downloads and pulls."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeostat.box.gitserver import GitServer
from homeostat.desired.errors import RenderFailedError
from homeostat.desired.render.renderer import RenderContext, Renderer
from homeostat.desired.sources.archive import ArchiveTree
from homeostat.desired.sources.bases import Base, parse
from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.credentials import Credentials
from homeostat.desired.sources.errors import RefusedError, RevisionMissingError, SourceError, UnauthorisedError
from homeostat.desired.sources.git import GitSources, Repo
from homeostat.desired.sources.overlays import Doors, Overlays
from homeostat.desired.sources.web import Web
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import YamlRequest
from homeostat.model import yaml
from homeostat.model.app import KustomizeOptions, Source
from homeostat.model.tree import Tree
from tests import tools
from tests.desired.sources.shops import HelmServer, packed
from tests.desired.sources.worktree import Worktree

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  colour: {colour}\n"
Objects = list[dict[str, Any]]


class Overlay:
    """Files of an app's repository, rendered here and built by the real Kustomize."""

    def __init__(self, folder: Path, overlays: Overlays, pool: Pool) -> None:
        self.root = folder
        self.overlays = overlays
        self.pool = pool
        self.renderer = Renderer(pool=pool)
        self.doors = Doors(Repo, ChartRepository)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)

    async def tree(self, path: str = "app", *, components: tuple[str, ...] = (), fresh: bool = False) -> Tree:
        files = {str(file.relative_to(self.root)): file.read_bytes() for file in self.root.rglob("*") if file.is_file()}
        base = ArchiveTree(files)
        return await self.overlays.mounted(base, path, self.doors, key=lambda: "the app", components=components, fresh=fresh)

    async def rendered(self, path: str = "app", *, options: KustomizeOptions | None = None, build: str = "", **how: Any) -> Objects:
        tree = await self.tree(path, components=options.components if options else (), **how)
        context = RenderContext(app_name="app", kube_version="1.31.0", build_options=tuple(build.split()))
        source = Source("https://git.example/x", path=path, kustomize=options)
        found = await self.renderer.render(source=source, tree=tree, context=context)
        return [manifest.object for manifest in found.manifests]

    async def built(self, path: str = "app", *flags: str) -> Objects:
        """What the real one prints; it leaves charts behind, so it works on a copy."""
        copy = self.root.parent / "copy"
        await asyncio.to_thread(shutil.rmtree, copy, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, self.root, copy)
        command = [str(tools.kustomize()), "build", str(copy / path), *flags]
        ran = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
        )
        assert ran.returncode == 0, ran.stderr
        answer = await self.pool.evaluate(YamlRequest(text=ran.stdout), subject="kustomize")
        return [one["object"] for one in answer.value["objects"]]


@pytest.fixture(scope="session")
def reference() -> None:
    tools.kustomize()
    tools.helm()


@pytest.fixture
def overlay(tmp_path: Path, sources: GitSources, charts: ChartSources, transfers: Web, pool: Pool) -> Overlay:
    overlays = Overlays(git=sources, charts=charts, web=transfers, with_charts=lambda: True)
    return Overlay(tmp_path / "git", overlays, pool)


BASES = {
    "base/kustomization.yaml": "resources: [map.yaml, ../shared]\nnamePrefix: base-\n",
    "base/map.yaml": MAP.format(name="settings", colour="blue"),
    "shared/kustomization.yml": "resources: [map.yaml]\nconfigMapGenerator:\n- name: made\n  files: [text.txt]\n",
    "shared/map.yaml": MAP.format(name="shared", colour="green"),
    "shared/text.txt": "hello\n",
    "loud/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -loud\n",
    "kustomization.yaml": "resources: [base]\n",
}


@pytest.fixture
async def base(work: Worktree) -> Worktree:
    await work.commit(BASES)
    await work.git("tag", "v1.0.0")
    await work.push("v1.0.0")
    await work.commit({"base/map.yaml": MAP.format(name="settings", colour="red")})
    return work


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[HelmServer]:
    crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: bins.example.com\n"
    test = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: test\n  annotations:\n    "helm.sh/hook": test\n'
    hook = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: hook\n  annotations:\n    "helm.sh/hook": pre-install\n'
    told = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: told\n  namespace: {{ .Release.Namespace }}\ndata:\n"
        '  kube: {{ .Capabilities.KubeVersion.Version }}\n  has: {{ .Capabilities.APIVersions.Has "stable.example/v1" | quote }}\n'
        "  values: {{ toJson .Values | quote }}\n  plain: yes\n"
    )
    files = {
        "crds/bins.yaml": crd,
        "templates/test.yaml": test,
        "templates/hook.yaml": hook,
        "templates/told.yaml": told,
        "values.yaml": "greeting: hello\nlist: [1, 2]\nnested:\n  a: 1\n  b: 2\n",
    }
    folder = tmp_path / "shop"
    await asyncio.to_thread(packed, folder, "mail", "1.0.0", files)
    await asyncio.to_thread(packed, folder, "mail", "1.1.0", files)
    async with HelmServer(folder) as server:
        await asyncio.to_thread(server.publish)
        yield server


@pytest.mark.parametrize(
    "named",
    [
        pytest.param("resources: ['{url}//base?ref=v1.0.0']", id="a tag"),
        pytest.param("resources: ['{url}//base?version=v1.0.0&timeout=60s&submodules=false']", id="version and other parameters"),
        pytest.param("resources: ['{url}/base?ref=main']", id="the repository ends at .git"),
        pytest.param("resources: ['{url}']", id="the root of the default branch"),
        pytest.param("resources: ['git::{url}//shared']", id="forced to be git"),
        pytest.param("bases: ['{url}//base?ref=v1.0.0']\nnamePrefix: x-", id="the old field"),
        pytest.param("resources: ['{url}//base', '{url}//shared?ref=v1.0.0']\nnameSuffix: -y", id="several of one repository"),
        pytest.param("resources: [map.yaml]\ncomponents: ['{url}//loud?ref=main']", id="a component"),
    ],
)  # fmt: skip
async def test_a_base_in_another_repository_renders_as_kustomize_builds_it(
    reference: None, overlay: Overlay, server: GitServer, base: Worktree, named: str
) -> None:
    del reference, base
    text = named.format(url=server.url("web"))
    overlay.write({"app/kustomization.yaml": text + "\n", "app/map.yaml": MAP.format(name="own", colour="grey")})
    ours = await overlay.rendered()
    assert ours
    assert ours == await overlay.built()


async def test_a_base_elsewhere_may_name_others_and_a_file_on_a_web_server(
    reference: None, overlay: Overlay, server: GitServer, base: Worktree, shop: HelmServer
) -> None:
    del reference
    (shop.folder / "extra.yaml").write_text(MAP.format(name="extra", colour="pink"))
    (shop.folder / "patch.yaml").write_text(MAP.format(name="extra", colour="black"))
    await base.commit({"second/kustomization.yaml": f"resources: ['{server.url('web')}//base?ref=v1.0.0', '{shop.url}/extra.yaml']\n"})
    text = f"resources: ['{server.url('web')}//second']\npatches:\n- path: {shop.url}/patch.yaml\nbuildMetadata: [originAnnotations]\n"
    overlay.write({"app/kustomization.yaml": text})
    ours, theirs = await overlay.rendered(), await overlay.built()
    assert [one["data"] for one in ours] == [one["data"] for one in theirs]
    assert [one["metadata"]["name"] for one in ours] == [one["metadata"]["name"] for one in theirs]
    assert len(ours) == 4


async def test_where_an_object_came_from_is_told_as_kustomize_tells_it(
    reference: None, overlay: Overlay, server: GitServer, base: Worktree
) -> None:
    del reference, base
    overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//base?ref=v1.0.0']\nbuildMetadata: [originAnnotations]\n"})
    ours, theirs = await overlay.rendered(), await overlay.built()
    assert len(ours) == len(theirs) == 3
    for one, other in zip(ours, theirs, strict=True):
        told = [yaml.load(each["metadata"]["annotations"]["config.kubernetes.io/origin"]) for each in (one, other)]
        assert told[0] == told[1]
        assert told[0]["ref"] == "v1.0.0"


async def test_a_branch_that_moves_is_asked_again_and_a_render_that_does_not_read_the_change_is_kept(
    overlay: Overlay, server: GitServer, base: Worktree
) -> None:
    overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//base?ref=main']\n"})
    assert by_name(await overlay.rendered())[1]["data"] == {"colour": "red"}
    before = await overlay.tree()
    await base.commit({"base/map.yaml": MAP.format(name="settings", colour="white")})
    assert (await overlay.tree()).id == before.id, "nobody has asked again"
    assert overlay.overlays.users(Repo(server.url("web")).key) == ["the app"]
    assert await overlay.overlays.poll("the app") == set(), "Git tells its own listeners"
    assert by_name(await overlay.rendered())[1]["data"] == {"colour": "white"}
    await base.commit({"elsewhere.txt": "x"})
    after = await overlay.tree(fresh=True)
    context, source = RenderContext(app_name="app", kube_version="1.31.0"), Source("https://git.example/x", path="app")
    assert overlay.renderer.holds(source=source, tree=after, context=context)


async def test_a_file_that_changes_is_news_for_all_that_name_it(overlay: Overlay, shop: HelmServer) -> None:
    (shop.folder / "extra.yaml").write_text(MAP.format(name="extra", colour="pink"))
    overlay.write({"app/kustomization.yaml": f"resources: ['{shop.url}/extra.yaml']\n"})
    assert (await overlay.rendered())[0]["data"] == {"colour": "pink"}
    assert await overlay.overlays.poll("the app") == set()
    (shop.folder / "extra.yaml").write_text(MAP.format(name="extra", colour="blue"))
    assert await overlay.overlays.poll("the app") == {"the app"}
    assert (await overlay.rendered())[0]["data"] == {"colour": "blue"}
    (shop.folder / "extra.yaml").unlink()
    with pytest.raises(SourceError, match="answers 404"):
        await overlay.overlays.poll("the app")
    assert (await overlay.rendered())[0]["data"] == {"colour": "blue"}, "the last that is known goes on"


async def test_components_of_the_application_may_lie_elsewhere(overlay: Overlay, server: GitServer, base: Worktree) -> None:
    del base
    overlay.write({"app/kustomization.yaml": "resources: [map.yaml]\n", "app/map.yaml": MAP.format(name="own", colour="grey")})
    options = KustomizeOptions(components=(f"{server.url('web')}//loud?ref=v1.0.0",))
    assert [one["metadata"]["name"] for one in await overlay.rendered(options=options)] == ["own-loud"]


async def test_the_credentials_of_the_repository_are_used(tmp_path: Path, overlay: Overlay) -> None:
    async with GitServer(tmp_path / "private", username="robot", password="sesame") as server:
        await server.create("web")
        work = await Worktree(tmp_path / "w2", server.url("web").replace("://", "://robot:sesame@")).create()
        await work.commit(BASES)
        overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//shared']\n"})
        with pytest.raises(UnauthorisedError, match=r"app/kustomization\.yaml: http://127\.0\.0\.1:\d+/web\.git//shared: "):
            await overlay.tree()
        overlay.doors = Doors(lambda url: Repo(url, Credentials(username="robot", password="sesame")), ChartRepository)
        assert len(await overlay.rendered()) == 2


@pytest.mark.parametrize(
    ("named", "error", "says"),
    [
        pytest.param("file:///etc//x", RefusedError, "not a folder of this machine", id="a folder of this machine"),
        pytest.param("ssh://-oProxyCommand=id/x/y", SourceError, "no valid host", id="an option in disguise"),
        pytest.param("http://169.254.169.254/latest/meta-data", RefusedError, "clouds hand out credentials", id="the metadata service"),
        pytest.param("http://169.254.169.254/a/b.git//c", RefusedError, "clouds hand out credentials", id="the metadata service as git"),
        pytest.param("{url}//base?ref=v9", RevisionMissingError, "no branch, tag or commit 'v9'", id="no such tag"),
        pytest.param("{url}//nowhere", RefusedError, "has no folder 'nowhere'", id="no such folder"),
    ],
)
async def test_what_cannot_be_had_is_named(
    overlay: Overlay, server: GitServer, base: Worktree, named: str, error: type[SourceError], says: str
) -> None:
    del base
    named = named.format(url=server.url("web"))
    overlay.write({"app/kustomization.yaml": f"resources:\n- {named}\n"})
    with pytest.raises(error) as caught:
        await overlay.tree()
    assert says in caught.value.message
    assert caught.value.message.startswith(f"app/kustomization.yaml: {named}: ")


async def test_a_password_in_an_address_is_in_no_error(overlay: Overlay, server: GitServer, base: Worktree) -> None:
    address = server.url("web").replace("://", "://robot:hunter2@")
    overlay.write({"app/kustomization.yaml": f"resources:\n- {address}//nowhere\n"})
    with pytest.raises(RefusedError, match="has no folder 'nowhere'") as caught:
        await overlay.tree()
    assert "hunter2" not in str(caught.value)
    await base.commit({"base/kustomization.yaml": "resources: [missing.yaml]\n"})
    overlay.write({"app/kustomization.yaml": f"resources:\n- {address}//base\n"})
    with pytest.raises(RenderFailedError, match=r"missing\.yaml") as failed:
        await overlay.rendered(fresh=True)
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize("named", ["ext::sh -c id", "../../../../etc", "base//../../x", "/etc"])
async def test_what_is_no_address_is_a_path_and_is_not_there(overlay: Overlay, named: str) -> None:
    overlay.write({"app/kustomization.yaml": f"resources:\n- '{named}'\n"})
    with pytest.raises(RenderFailedError):
        await overlay.rendered()


async def test_a_base_elsewhere_does_not_leave_its_repository(overlay: Overlay, server: GitServer, work: Worktree) -> None:
    overlay.write({"secret/kustomization.yaml": "resources: [map.yaml]\n", "secret/map.yaml": MAP.format(name="secret", colour="x")})
    overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//base']\n"})
    other = hashlib.sha256(f"{server.url('web')}//shared".encode()).hexdigest()[:20]
    for field, path in (
        ("resources", "../../../../secret"),
        ("resources", f"../../{other}/shared"),
        ("components", "../../../../secret"),
        ("crds", "../../../../secret/map.yaml"),
    ):
        await work.commit({"base/kustomization.yaml": f"{field}: ['{path}']\n"})
        with pytest.raises(RenderFailedError, match="leaves the repository that the kustomization is in") as caught:
            await overlay.rendered(fresh=True)
        assert f"{server.url('web')}/base/kustomization.yaml" in str(caught.value)


async def test_bases_in_circles_are_an_error_and_no_end(overlay: Overlay, server: GitServer, work: Worktree) -> None:
    await work.commit({"a/kustomization.yaml": f"resources: ['{server.url('web')}//b']\n"})
    await work.commit({"b/kustomization.yaml": f"resources: ['{server.url('web')}//a']\n"})
    overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//a']\n"})
    with pytest.raises(RenderFailedError, match="cycle detected"):
        await overlay.rendered()


async def test_too_many_bases_are_refused(overlay: Overlay, server: GitServer, base: Worktree) -> None:
    del base
    names = ", ".join(f"'{server.url('web')}//base?ref=b{number}'" for number in range(51))
    overlay.write({"app/kustomization.yaml": f"resources: [{names}]\n"})
    with pytest.raises(RefusedError, match=r"app/kustomization\.yaml: the overlay names more than 50"):
        await overlay.tree()
    assert server.seen[-1].service == "git-receive-pack", "nothing was asked"


async def test_an_error_in_a_base_names_the_address(overlay: Overlay, server: GitServer, work: Worktree) -> None:
    await work.commit({"base/kustomization.yaml": "resources: [missing.yaml]\n"})
    overlay.write({"app/kustomization.yaml": f"resources: ['{server.url('web')}//base']\n"})
    with pytest.raises(RenderFailedError) as caught:
        await overlay.rendered()
    assert "missing.yaml" in str(caught.value)
    assert server.url("web") in str(caught.value)
    assert ".homeostat" not in str(caught.value)


CHARTS = [
    pytest.param("helmCharts:\n- name: mail\n  repo: {url}\n  version: 1.0.0\n  releaseName: rel\n", id="a version"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0}}\n", id="no release name"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.1.0, nameTemplate: 'x-{{{{ upper \"a\" | lower }}}}'}}\n", id="name template"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', releaseName: rel}}\n", id="the newest version"),
    pytest.param("namespace: shop\nnamePrefix: p-\nhelmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, namespace: inner}}\n", id="namespaces"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, includeCRDs: true, skipTests: true}}\n", id="crds and tests"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, skipHooks: true}}\n", id="no hooks"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, kubeVersion: 1.29.3, apiVersions: [stable.example/v1]}}\n", id="capabilities"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, valuesFile: values.yaml, additionalValuesFiles: [more.yaml]}}\n", id="values files"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, valuesInline: {{nested: {{a: 5}}, list: [9]}}}}\n", id="inline"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, valuesMerge: merge, valuesInline: {{nested: {{a: 5, c: 1}}}}}}\n", id="merged"),
    pytest.param("helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel, valuesMerge: replace, valuesInline: {{greeting: x}}}}\n", id="replaced"),
    pytest.param("helmGlobals: {{chartHome: vendored}}\nhelmCharts:\n- {{name: own, releaseName: rel}}\n", id="a chart of the repository"),
    pytest.param("helmChartInflationGenerator:\n- {{chartName: mail, chartRepoUrl: '{url}', chartVersion: 1.0.0, releaseName: rel}}\n", id="the old field"),
    pytest.param("generators: [gen.yaml]\nresources: [map.yaml]\n", id="a generator in a file"),
    pytest.param("generators:\n- |-\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator\n  metadata:\n    name: x\n  name: mail\n  repo: {url}\n  version: 1.0.0\n  releaseName: rel\n", id="a generator inline"),
    pytest.param("resources: [../both]\nimages: []\ncommonAnnotations: {{a: b}}\n", id="in a base, with patches"),
]  # fmt: skip


@pytest.mark.parametrize("text", CHARTS)
async def test_charts_in_a_kustomization_render_as_kustomize_inflates_them(
    reference: None, overlay: Overlay, shop: HelmServer, text: str
) -> None:
    del reference
    generator = (
        f"apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata:\n  name: x\nname: mail\nrepo: {shop.url}\nversion: 1.0.0\n"
    )
    chart = "helmCharts:\n- {{name: mail, repo: '{url}', version: 1.0.0, releaseName: rel}}\npatches:\n- path: patch.yaml\n"
    overlay.write(
        {
            "app/kustomization.yaml": text.format(url=shop.url),
            "app/values.yaml": "greeting: file\nnested: null\n",
            "app/more.yaml": "nested:\n  z: 1\n",
            "app/map.yaml": MAP.format(name="own", colour="grey"),
            "app/gen.yaml": generator + "releaseName: rel\n",
            "app/vendored/own/Chart.yaml": "apiVersion: v2\nname: own\nversion: 0.1.0\n",
            "app/vendored/own/values.yaml": "a: 1\n",
            "app/vendored/own/templates/x.yaml": MAP.format(name="{{ .Release.Name }}-x", colour="c{{ .Values.a }}"),
            "both/kustomization.yaml": chart.format(url=shop.url),
            "both/patch.yaml": MAP.format(name="rel-mail", colour="patched"),
        }
    )
    # Argo CD tells Kustomize the version of the cluster.
    flags = ("--enable-helm", "--helm-command", str(tools.helm()), "--helm-kube-version", "1.31.0")
    ours = await overlay.rendered(build="--enable-helm")
    assert ours
    assert by_name(ours) == by_name(await overlay.built("app", *flags))


def by_name(objects: Objects) -> Objects:
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]))


async def test_charts_need_the_option_and_its_absence_is_said(overlay: Overlay, shop: HelmServer) -> None:
    overlay.write({"app/kustomization.yaml": f"helmCharts:\n- {{name: mail, repo: '{shop.url}', version: 1.0.0}}\n"})
    with pytest.raises(RenderFailedError, match=r"--enable-helm in `kustomize\.buildOptions` of argocd-cm"):
        await overlay.rendered()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        pytest.param("{name: mail, releaseName: x}", "no repo specified for pull, no chart found at", id="no repository"),
        pytest.param("{name: mail, repo: URL, version: 1.0.0, valuesFile: ../secret.yaml}", "is not in or below", id="values outside"),
        pytest.param("{name: mail, repo: URL, version: 1.0.0, valuesFile: none.yaml}", "none.yaml: no such file", id="no values"),
        pytest.param(
            "{name: mail, repo: URL, version: 1.0.0, valuesMerge: mix, valuesInline: {a: 1}}", "valuesMerge must be one of", id="merge"
        ),
        pytest.param(
            "{name: mail, repo: URL, version: 1.0.0, releaseName: a, nameTemplate: b}", "cannot set --name-template", id="two names"
        ),
    ],
)
async def test_a_chart_that_cannot_be_inflated_is_said_with_its_kustomization(
    overlay: Overlay, shop: HelmServer, entry: str, says: str
) -> None:
    overlay.write({"app/kustomization.yaml": f"helmCharts:\n- {entry.replace('URL', shop.url)}\n", "secret.yaml": "a: 1\n"})
    with pytest.raises(RenderFailedError) as caught:
        await overlay.rendered(build="--enable-helm")
    assert says in str(caught.value)
    assert "app/kustomization.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("https://host.example/org/repo//a/b?ref=v1", Base("https://host.example/org/repo", "a/b", "v1", True)),
        ("https://host.example/org/repo/a/b?version=v2", Base("https://host.example/org/repo", "a/b", "v2", True)),
        ("github.com/org/repo", Base("https://github.com/org/repo", "", "", True)),
        ("github.com:org/repo/a", Base("https://github.com/org/repo", "a", "", True)),
        ("git@github.com:org/repo.git/a?submodules=false", Base("git@github.com:org/repo.git", "a", "", False)),
        ("ssh://git@host.example:2222/org/repo.git//a/", Base("ssh://git@host.example:2222/org/repo.git", "a", "", True)),
        ("ssh://git@github.com/org/repo", Base("git@github.com:org/repo", "", "", True)),
        ("user@dev.azure.example:v3/org/project/_git/repo/a", Base("user@dev.azure.example:v3/org/project/_git/repo", "a", "", True)),
        ("git::https://host.example/o/r", Base("https://host.example/o/r", "", "", True)),
        ("https://host.example/only", None),
        ("https://host.example/o/r//../x", None),
        ("../base", None),
        ("host.example/org/repo", None),
        ("ext::sh -c id", None),
        ("/abs", None),
    ],
)
def test_an_address_is_taken_apart_as_kustomize_does(name: str, base: Base | None) -> None:
    assert parse(name) == base
