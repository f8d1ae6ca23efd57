"""Asking a real API server: applies as Homeostat applies, and looks as its watches see."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import orjson

from homeostat.compare.drift import Difference, Echo, differences, echo
from homeostat.model import yaml
from homeostat.model.objects import Object
from tests.cluster import Cluster

Change = tuple[str, str]
"""Path and kind of a difference."""


def manifest(text: str) -> Object:
    """The one object in ``text``."""
    found: Object = yaml.load(text)
    return found


def changes(found: tuple[Difference, ...]) -> set[Change]:
    return {(difference.path, str(difference.kind)) for difference in found}


@dataclass(frozen=True)
class Server:
    """The API server, as far as one namespace goes."""

    plane: Cluster
    namespace: str

    def apply(self, desired: Object, *, dry_run: bool = False, manager: str = "homeostat") -> Object:
        """The answer to a server-side apply."""
        options = ["--dry-run=server"] if dry_run else []
        return self._answer("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", *options, desired=desired)

    def echo(self, desired: Object) -> Echo:
        """Applies, and answers the echo."""
        return echo(self.apply(desired), desired=desired, applied=True)

    def expect(self, desired: Object) -> Echo:
        """What the loop does: a dry-run over the live object."""
        return echo(self.apply(desired, dry_run=True), desired=desired, before=self.live(desired))

    def live(self, obj: Object) -> Object:
        name = f"{obj['kind']}.{obj['apiVersion'].rpartition('/')[2]}.{obj['apiVersion'].rpartition('/')[0]}".rstrip(".")
        kind = name if "/" in obj["apiVersion"] else obj["kind"]
        found: Object = orjson.loads(self._run("get", kind, obj["metadata"]["name"], "-o", "json", "--show-managed-fields"))
        return found

    def look(self, known: Echo, obj: Object) -> set[Change]:
        return changes(differences(known, self.live(obj)))

    def patch(self, obj: Object, patch: Any, *, kind: str = "merge", manager: str = "somebody", subresource: str = "") -> None:
        """What somebody else changes."""
        options = [f"--subresource={subresource}"] if subresource else []
        group = obj["apiVersion"].rpartition("/")[0]
        name = f"{obj['kind']}.{group}" if group else obj["kind"]
        text = orjson.dumps(patch).decode()
        self._run("patch", name, obj["metadata"]["name"], f"--type={kind}", "-p", text, f"--field-manager={manager}", *options)

    def client_side_apply(self, desired: Object, *, manager: str = "kubectl-client-side-apply") -> Object:
        return self._answer("apply", f"--field-manager={manager}", desired=desired)

    def create(self, obj: Object, *, manager: str = "creator") -> None:
        self._answer("create", f"--field-manager={manager}", desired=obj)

    def _answer(self, *arguments: str, desired: Object) -> Object:
        text = orjson.dumps(desired).decode()
        found: Object = orjson.loads(self._run(*arguments, "-f", "-", "-o", "json", "--show-managed-fields", stdin=text))
        return found

    def _run(self, *arguments: str, stdin: str | None = None) -> str:
        return self.plane.kubectl("-n", self.namespace, *arguments, stdin=stdin)


def having(obj: Object, path: str, value: Any) -> Object:
    """A copy of ``obj`` with another value at ``path`` (``spec.replicas``, ``spec.containers.0.image``); ``None`` takes it out."""
    result = copy.deepcopy(obj)
    *above, last = path.split(".")
    place: Any = result
    for part in above:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    if isinstance(place, list):
        if value is None:
            del place[int(last)]
        else:
            place[int(last)] = value
    elif value is None:
        del place[last]
    else:
        place[last] = value
    return result
