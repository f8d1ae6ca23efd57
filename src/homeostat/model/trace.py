"""Makes a trace complete: everything that the answers of a tree depended on, not only the paths that were asked.

A renderer reports the paths that it asked for. The answer to ``apps/web/base/all.yaml`` also depends on what ``apps/web/base`` is: let it become a
link in the next commit, and the same question has another answer though no file of that path changed. A complete trace names each
place that was passed on the way (folders, links, the real path behind them), so that a set of changed keys can stay small and exact: a folder
that is replaced is *one* changed key, however many paths lie below it, by whatever link they are reached.
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.model.tree import Trace, Tree, TreeError


def complete(tree: Tree, asked: Iterable[str]) -> Trace:
    """The trace of a render of ``tree`` that asked for the keys ``asked`` (paths, and paths with a trailing slash for listings).

    A path that the tree refuses (a link that leaves it) adds the places up to where it was refused, so that a repaired link is a change.
    """
    trace: set[str] = set()
    seen: dict[str, str] = {}
    for key in asked:
        trace.add(key)
        path = key.rstrip("/")
        real = seen.get(path)
        if real is None:
            try:
                real, passed = tree.resolve(path)
            except TreeError as error:
                real, passed = path, getattr(error, "passed", frozenset())
            seen[path] = real
            trace.add(real)
            trace |= passed
        if key.endswith("/") and real:
            trace.add(f"{real}/")
    return frozenset(trace)
