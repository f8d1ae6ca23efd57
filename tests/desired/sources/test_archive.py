"""Archives as trees: what is in them, and everything that refuses them."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from homeostat.desired.sources.archive import ArchiveLimits, ArchiveTree, Link
from homeostat.desired.sources.errors import ArchiveError
from homeostat.model.tree import Entry, EntryKind, TreeError

Adds = Callable[[tarfile.TarFile], None]


def entry(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, target: str = "", size: int | None = None) -> Adds:
    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, len(content) if size is None else size
        archive.addfile(info, io.BytesIO(content))

    return add


def tar(*entries: Adds, gzipped: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for add in entries:
            add(archive)
    return gzip.compress(out.getvalue()) if gzipped else out.getvalue()


def zipped(files: dict[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            archive.writestr(info, content)
    return out.getvalue()


@pytest.mark.parametrize("gzipped", [True, False], ids=["tgz", "tar"])
def test_a_tar_is_a_tree_of_its_files_folders_and_links(*, gzipped: bool) -> None:
    data = tar(
        entry("./a/b.txt", b"one"),
        entry("a/link", kind=tarfile.SYMTYPE, target="b.txt"),
        entry("hard", kind=tarfile.LNKTYPE, target="a/b.txt"),
        gzipped=gzipped,
    )
    tree = ArchiveTree.unpack(data, name="x.tgz")
    assert tree.list("") == [Entry("a", EntryKind.DIRECTORY), Entry("hard", EntryKind.FILE)]
    assert tree.list("a") == [Entry("b.txt", EntryKind.FILE), Entry("link", EntryKind.SYMLINK)]
    assert (tree.read("a/b.txt"), tree.read("a/link"), tree.read("hard")) == (b"one", b"one", b"one")
    assert tree.resolve("a/link") == ("a/b.txt", frozenset({"a", "a/link", "a/b.txt"}))


def test_a_zip_is_a_tree_of_its_files_folders_and_links() -> None:
    tree = ArchiveTree.unpack(zipped({"a/b": b"one", "a/link": b"b", "d/": b""}, {"a/link": 0o120777}), name="x.zip")
    assert (tree.read("a/b"), tree.read("a/link"), tree.stat("a")) == (b"one", b"one", EntryKind.DIRECTORY)


def test_the_top_folder_of_a_chart_becomes_the_root() -> None:
    tree = ArchiveTree.unpack(tar(entry("shop/Chart.yaml", b"x"), entry("shop/templates/a", b"y")), name="shop.tgz", top_folder=True)
    assert [name.name for name in tree.list("") or ()] == ["Chart.yaml", "templates"]


def test_several_gzip_streams_one_after_the_other_are_one() -> None:
    data = tar(entry("a", b"1" * 1000), gzipped=False)
    assert ArchiveTree.unpack(gzip.compress(data[:700]) + gzip.compress(data[700:]), name="x").read("a") == b"1" * 1000


def test_the_id_is_of_the_content_alone() -> None:
    one = ArchiveTree.unpack(tar(entry("a", b"1"), entry("b/c", b"2")), name="one")
    other = ArchiveTree.unpack(zipped({"b/c": b"2", "a": b"1"}), name="other")
    assert one.id == other.id
    assert one.changed_since(other) == frozenset()
    assert ArchiveTree({"a": b"1", "b/d": b"2"}).changed_since(one) == {"b/", "b/c", "b/d"}


HOSTILE = {
    "an absolute path": (tar(entry("/etc/passwd", b"x")), "leaves the archive"),
    "a path with dots": (tar(entry("a/../../x", b"x")), "leaves the archive"),
    "a Windows path": (tar(entry("C:\\x", b"x")), "leaves the archive"),
    "an absolute link": (tar(entry("a", kind=tarfile.SYMTYPE, target="/etc/passwd")), "the symbolic link leaves the archive"),
    "a link that climbs out": (tar(entry("a/b", kind=tarfile.SYMTYPE, target="../../x")), "the symbolic link leaves the archive"),
    "a file through a link": (tar(entry("a", kind=tarfile.SYMTYPE, target="b"), entry("a/x", b"x")), "both a file and a folder"),
    "a file where a folder is": (tar(entry("a/x", b"x"), entry("a", b"x")), "both a file and a folder"),
    "a hard link to nothing": (tar(entry("a", kind=tarfile.LNKTYPE, target="b")), "which was not there"),
    "a hard link out": (tar(entry("a", kind=tarfile.LNKTYPE, target="/etc/passwd")), "leaves the archive"),
    "a device": (tar(entry("a", kind=tarfile.CHRTYPE)), "neither a file"),
    "a pipe": (tar(entry("a", kind=tarfile.FIFOTYPE)), "neither a file"),
    "a file that is larger than allowed": (tar(entry("big", b"x" * 5000)), "more than the limit of 4000"),
    "many entries": (tar(*(entry(f"f{number}") for number in range(40))), "more entries than the limit of 30"),
    "an end in the middle": (tar(entry("a", b"x" * 100))[:-30], "cannot be read"),
    "no archive at all": (b"<html>not found</html>" * 100, "cannot be read"),
    "nothing": (b"", "cannot be read"),
    "a zip with an absolute path": (zipped({"/etc/passwd": b"x"}), "leaves the archive"),
    "a zip with dots": (zipped({"../x": b"x"}), "leaves the archive"),
    "a zip with a link out": (zipped({"a": b"../x"}, {"a": 0o120777}), "the symbolic link leaves the archive"),
    "a zip with a pipe": (zipped({"a": b""}, {"a": 0o010644}), "neither a file"),
}
SMALL = ArchiveLimits(total=100_000, file=4000, count=30)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_harmless_program_makes_is_refused(name: str) -> None:
    data, words = HOSTILE[name]
    with pytest.raises(ArchiveError, match=words) as refused:
        ArchiveTree.unpack(data, name="bad.tgz", limits=SMALL)
    assert "bad.tgz" in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tar(*(entry(f"f{number}", b"\0" * 3900) for number in range(29))), id="tar"),
        pytest.param(zipped({f"f{number}": b"\0" * 3900 for number in range(29)}), id="zip"),
        pytest.param(gzip.compress(b"\0" * 10_000_000), id="gzip of nothing"),
        pytest.param(tar(entry("././@x", b"\0" * 5_000_000, kind=tarfile.XHDTYPE)), id="header"),
    ],
)
def test_a_bomb_is_noticed_before_it_has_gone_off(data: bytes) -> None:
    with pytest.raises(ArchiveError, match=r"unpacks to more than|cannot be read"):
        ArchiveTree.unpack(data, name="bomb", limits=SMALL)


def test_a_ratio_out_of_proportion_is_a_bomb() -> None:
    data = tar(entry("a", b"\0" * 60_000_000), entry("random", random.Random(1).randbytes(1_000_000)))
    assert len(data) > 1024 * 1024
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        ArchiveTree.unpack(data, name="bomb", limits=ArchiveLimits(ratio=10))


def test_a_sparse_file_of_a_terabyte_is_refused() -> None:
    with pytest.raises(ArchiveError, match=r"neither a file|cannot be read"):
        ArchiveTree.unpack(tar(entry("a", kind=tarfile.GNUTYPE_SPARSE, size=0)), name="sparse")
    with pytest.raises(ArchiveError, match="more than the limit"):
        ArchiveTree.unpack(_claims(1 << 40), name="claims")


def _claims(size: int) -> bytes:
    info = tarfile.TarInfo("a")
    info.size = size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT))


def test_files_that_stand_outside_of_the_folder_of_a_chart_are_refused() -> None:
    with pytest.raises(ArchiveError, match="outside of its folder 'shop'"):
        ArchiveTree.unpack(tar(entry("shop/Chart.yaml"), entry("other/x")), name="x", top_folder=True)
    with pytest.raises(ArchiveError, match="where its folder"):
        ArchiveTree.unpack(tar(entry("Chart.yaml")), name="x", top_folder=True)


def test_a_circle_of_links_is_an_error_and_no_hang() -> None:
    tree = ArchiveTree({"a": Link("b"), "b": Link("a")})
    with pytest.raises(TreeError, match="circles"):
        tree.read("a")
