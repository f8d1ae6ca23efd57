"""Asking a real API server: applies as Homeostat applies, and looks as its watches see."""

from __future__ import annotations

import contextlib
import copy
import http.client
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from homeostat.compare.drift import Difference, Echo, differences, echo
from homeostat.compare.takeover import takeover
from homeostat.model import yaml
from homeostat.model.objects import Object
from tests.cluster import Cluster, find_kubectl

Change = tuple[str, str]
"""Path and kind of a difference."""


def manifest(text: str) -> Object:
    """The one object in ``text``."""
    found: Object = yaml.load(text)
    return found


def changes(found: tuple[Difference, ...]) -> set[Change]:
    return {(difference.path, str(difference.kind)) for difference in found}


PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
UNCHANGED_PLURALS = {"Schemed", "Schemaless"}
CLUSTER_SCOPED = {"ClusterRole", "CustomResourceDefinition", "ValidatingWebhookConfiguration"}


@contextlib.contextmanager
def proxy(plane: Cluster) -> Iterator[int]:
    """A ``kubectl proxy``; its port."""
    command = [str(find_kubectl()), f"--kubeconfig={plane.kubeconfig}", "proxy", "--port=0", "--reject-paths=^$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline().rpartition(":")[2])
        process.terminate()


class RefusedError(AssertionError):
    """The API server said no."""

    def __init__(self, status: int, answer: Object) -> None:
        super().__init__(f"{status}: {answer.get('message')}")
        self.status = status


@dataclass(frozen=True)
class Server:
    """The API server, as far as one namespace goes. ``port`` is that of a ``kubectl proxy``, which signs in for us."""

    plane: Cluster
    port: int
    namespace: str

    def apply(self, desired: Object, *, dry_run: bool = False, manager: str = "homeostat") -> Object:
        """The answer to a server-side apply."""
        query = f"?fieldManager={manager}&force=true" + ("&dryRun=All" if dry_run else "")
        return self._ask("PATCH", self._path(desired) + query, desired, "application/apply-patch+yaml")

    def echo(self, desired: Object) -> Echo:
        """Applies, and answers the echo."""
        return echo(self.apply(desired), desired=desired, applied=True)

    def expect(self, desired: Object) -> Echo:
        """What the loop does: a dry-run over the live object."""
        return echo(self.apply(desired, dry_run=True), desired=desired, before=self.live(desired))

    def live(self, obj: Object) -> Object:
        return self._ask("GET", self._path(obj))

    def look(self, known: Echo, obj: Object) -> set[Change]:
        return changes(differences(known, self.live(obj)))

    def patch(self, obj: Object, patch: Any, *, kind: str = "merge", manager: str = "somebody") -> None:
        """What somebody else changes. ``kind`` is ``merge``, ``strategic-merge`` or ``json``."""
        self._ask("PATCH", f"{self._path(obj)}?fieldManager={manager}", patch, f"application/{kind}-patch+json")

    def take_over(self, obj: Object) -> None:
        """As a sync does it: again when a controller wrote the status in between."""
        for _ in range(20):
            patch = takeover(self.live(obj))
            assert patch is not None
            with contextlib.suppress(RefusedError):
                return self.patch(obj, patch, kind="json", manager="homeostat")
        raise AssertionError(f"{obj['metadata']['name']} was written all the time")

    def create(self, obj: Object, *, manager: str = "creator") -> None:
        self._ask("POST", f"{self._path(obj).rpartition('/')[0]}?fieldManager={manager}", obj)

    def delete(self, obj: Object) -> None:
        self._ask("DELETE", self._path(obj))

    def client_side_apply(self, desired: Object, *, manager: str = "kubectl-client-side-apply") -> None:
        """As kubectl does it: it alone knows how."""
        text = orjson.dumps(desired).decode()
        self.plane.kubectl("-n", self.namespace, "apply", f"--field-manager={manager}", "-f", "-", stdin=text)

    def _path(self, obj: Object) -> str:
        api = obj["apiVersion"]
        plural = PLURALS.get(obj["kind"]) or obj["kind"].lower() + ("s" if obj["kind"] not in UNCHANGED_PLURALS else "")
        scope = "" if obj["kind"] in CLUSTER_SCOPED else f"/namespaces/{self.namespace}"
        return f"/{'apis' if '/' in api else 'api'}/{api}{scope}/{plural}/{obj['metadata']['name']}"

    def _ask(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Object:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, orjson.dumps(body) if body is not None else None, {"Content-Type": content})
            response = connection.getresponse()
            answer: Object = orjson.loads(response.read())
        finally:
            connection.close()
        if response.status >= 300:
            raise RefusedError(response.status, answer)
        return answer


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
