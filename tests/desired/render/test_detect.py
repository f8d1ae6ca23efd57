"""Which tool renders a folder, and what is said when none can."""

from __future__ import annotations

import pytest

from homeostat.desired.errors import RenderFailedError, RenderNotSupportedError
from homeostat.desired.render.detect import detect, explicit, folder_of
from homeostat.model.app import DirectoryOptions, HelmOptions, KustomizeOptions, Source
from homeostat.model.tree import EntryKind
from tests.evaluators import Link, MemoryTree


@pytest.mark.parametrize(
    ("files", "kind", "looked"),
    [
        (["a.yaml"], "Directory", {"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"}),
        (["Chart.yaml", "values.yaml"], "Helm", {"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"}),
        (["kustomization.yaml"], "Kustomize", {"kustomization.yaml"}),
        (["kustomization.yml"], "Kustomize", {"kustomization.yaml", "kustomization.yml"}),
        (["Kustomization"], "Kustomize", {"kustomization.yaml", "kustomization.yml", "Kustomization"}),
        (["Chart.yaml", "kustomization.yaml"], "Kustomize", {"kustomization.yaml"}),
        (["Chart.yaml/a.yaml"], "Directory", {"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"}),
        (["sub/Chart.yaml"], "Directory", {"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"}),
    ],
)
def test_the_type_is_detected_by_file_and_every_look_is_noted(files: list[str], kind: str, looked: set[str]) -> None:
    seen: set[str] = set()
    source = Source(repo_url="r", path="./web/")
    folder = folder_of(MemoryTree({f"web/{name}": "" for name in files}), source, seen)
    assert detect(source, folder) == kind
    assert seen == {"web", *(f"web/{name}" for name in looked)}


def test_a_linked_kustomization_counts() -> None:
    source = Source(repo_url="r", path="web")
    tree = MemoryTree({"web/kustomization.yaml": Link("../k.yaml"), "k.yaml": ""})
    assert detect(source, folder_of(tree, source, set())) == "Kustomize"


def test_the_root_may_be_the_folder() -> None:
    for path in ("", ".", "./", "web/.."):
        source = Source(repo_url="r", path=path)
        assert detect(source, folder_of(MemoryTree({"Chart.yaml": ""}), source, set())) == "Helm"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (Source(repo_url="r", helm=HelmOptions(release_name="x")), "Helm"),
        (Source(repo_url="r", kustomize=KustomizeOptions(name_prefix="x-")), "Kustomize"),
        (Source(repo_url="r", directory=DirectoryOptions(recurse=True)), "Directory"),
        (Source(repo_url="r", plugin={}), "Plugin"),
        (Source(repo_url="r", helm=HelmOptions(), directory=DirectoryOptions()), None),
        (Source(repo_url="r", helm=HelmOptions(), directory=DirectoryOptions(recurse=True)), "Directory"),
    ],
)
def test_options_that_say_something_decide(source: Source, kind: str | None) -> None:
    assert explicit(source) == kind


def test_options_of_two_types_are_an_error() -> None:
    source = Source(repo_url="r", helm=HelmOptions(release_name="x"), directory=DirectoryOptions(recurse=True))
    with pytest.raises(RenderFailedError, match="multiple application sources defined: Helm,Directory"):
        explicit(source)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing", "missing: app path does not exist"),
        ("./missing/", "./missing/: app path does not exist"),
        ("a.yaml", "a.yaml: app path is not a directory"),
        ("/web", "/web: app path is absolute"),
        ("../web", "../web: app path outside root"),
        ("web/../..", "web/../..: app path outside root"),
        ("out", "out: the symbolic link out leaves the repository (to '/etc')"),
    ],
)
def test_a_path_that_is_no_folder_is_told_in_argo_cds_words(path: str, says: str) -> None:
    tree = MemoryTree({"a.yaml": "", "web/a.yaml": "", "out": Link("/etc")})
    with pytest.raises(RenderFailedError) as caught:
        folder_of(tree, Source(repo_url="r", path=path), set())
    assert str(caught.value) == says


def test_a_submodule_is_not_supported() -> None:

    class WithSubmodule(MemoryTree):
        def stat(self, path: str) -> EntryKind | None:
            return EntryKind.SUBMODULE if path == "sub" else super().stat(path)

    with pytest.raises(RenderNotSupportedError, match="submodule"):
        folder_of(WithSubmodule({}), Source(repo_url="r", path="sub"), set())


@pytest.mark.parametrize(
    ("disabled", "kind"),
    [((), "Kustomize"), (("Kustomize",), "Helm"), (("Helm",), "Kustomize"), (("Helm", "Kustomize"), "Directory")],
)
def test_a_type_that_is_switched_off_gives_way(disabled: tuple[str, ...], kind: str) -> None:
    source = Source(repo_url="r", path="web")
    folder = folder_of(MemoryTree({"web/Chart.yaml": "", "web/kustomization.yaml": ""}), source, set())
    assert detect(source, folder, disabled) == kind
    chosen = Source(repo_url="r", path="web", helm=HelmOptions(release_name="x"))
    assert detect(chosen, folder, disabled) == ("Directory" if "Helm" in disabled else "Helm")
