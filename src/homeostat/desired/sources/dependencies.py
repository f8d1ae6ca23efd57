"""The dependencies of a chart that lie elsewhere: what ``helm dependency build`` would put into ``charts/``, pinned and mounted beside the chart.

Which ones are missing, by what lock, is told by an evaluator with Helm's own code; a lock that is out of sync is an error, as for Argo CD. Each is resolved
in its repository with that repository's credentials and mounted where a render looks for it; which of them are used (conditions, tags, aliases)
is the renderer's business. What the repository of the chart itself holds (``charts/``, ``file://``) is not fetched.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec

from homeostat.desired.sources.charts import ChartRepository, ChartSources
from homeostat.desired.sources.errors import DependencyError, RevisionMissingError, SourceError
from homeostat.desired.sources.mounted import mounted
from homeostat.evaluate.errors import EvaluationError
from homeostat.evaluate.pool import Pool
from homeostat.evaluate.requests import ChartDependenciesRequest
from homeostat.model.tasks import together
from homeostat.model.tree import Entry, EntryKind, Tree, TreeError

_FILES = ("Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock")
_MAX_REMEMBERED = 10_000


class Missing(msgspec.Struct, frozen=True):
    """A dependency that has to be fetched. ``mount`` is where in the tree a render looks for it."""

    name: str
    version: str
    repository: str
    mount: str


class _Answer(msgspec.Struct, frozen=True):
    missing: tuple[Missing, ...] = ()
    problem: str = ""


class Dependencies:
    """Mounts what charts depend on. ``repository`` gives an address its credentials."""

    def __init__(self, charts: ChartSources, *, pool: Pool) -> None:
        self._charts = charts
        self._pool = pool
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    async def mounted(
        self,
        tree: Tree,
        path: str,
        *,
        repository: Callable[[str], ChartRepository],
        names: Callable[[], Mapping[str, str]],
        fresh: bool = False,
        since: float | None = None,
    ) -> Tree:
        """``tree`` with the missing dependencies of the chart at ``path``; as it is where nothing is missing, or no chart is.

        ``repository`` answers the repository of an address with its credentials, ``names`` the addresses behind ``@name``. A version that the
        lock does not pin comes from what the server said last, or with ``fresh`` from a new answer (:meth:`ChartSources.resolve`).
        Raises a :class:`homeostat.desired.sources.errors.SourceError`; what is wrong with the chart itself is left to the render to tell.
        """
        answer = await self._missing(tree, path, names)
        file = f"{path}/Chart.yaml" if path else "Chart.yaml"
        if answer.problem:
            raise DependencyError(f"{file}: {answer.problem}", hint="run `helm dependency update` and commit what it writes")
        if not answer.missing:
            return tree

        async def fetched(missing: Missing) -> Tree:
            where = repository(missing.repository)
            try:
                version = await self._charts.resolve(where, missing.name, missing.version, fresh=fresh, since=since)
                return await self._charts.tree(where, missing.name, version)
            except RevisionMissingError as error:
                raise DependencyError(f"{file}: dependency {missing.name}: {error.message}", hint=error.hint) from error
            except SourceError as error:
                raise type(error)(f"{file}: dependency {missing.name}: {error.message}", hint=error.hint) from error

        trees = await together(*(fetched(missing) for missing in answer.missing))
        return mounted(tree, {missing.mount: fetched for missing, fetched in zip(answer.missing, trees, strict=True)})

    async def _missing(self, tree: Tree, path: str, named: Callable[[], Mapping[str, str]]) -> _Answer:
        found = _read(tree, path)
        if found is None:
            return _Answer()
        names = named()
        key = hashlib.sha256(msgspec.msgpack.encode((path, found, dict(names)))).hexdigest()
        known = self._answers.get(key)
        if known is None:
            request = ChartDependenciesRequest(path=path, repositories=dict(names))
            try:
                answer = await self._pool.evaluate(request, tree=tree, subject=f"dependencies of {path or 'the chart'}")
            except EvaluationError:
                return _Answer()
            known = self._answers[key] = msgspec.convert(answer.value, _Answer)
            while len(self._answers) > _MAX_REMEMBERED:
                self._answers.popitem(last=False)
        self._answers.move_to_end(key)
        return known


def _read(tree: Tree, path: str) -> tuple[list[bytes | None], list[Entry]] | None:
    """All that the answer depends on; ``None`` where no chart with dependencies is."""
    prefix = f"{path}/" if path else ""
    try:
        if tree.stat(f"{prefix}Chart.yaml") is not EntryKind.FILE:
            return None
        files = [tree.read(f"{prefix}{name}") for name in _FILES]
        if b"dependencies" not in (files[0] or b"") and files[2] is None:
            return None
        return files, tree.list(f"{prefix}charts") or []
    except TreeError:
        return None
