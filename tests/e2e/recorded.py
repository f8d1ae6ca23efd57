"""What Argo CD 3.5.1 wrote for the samples, and ours of the same apps, both in a form in which they can be compared.

What names a time, an id, a revision, the repository or the place of a test is put into words that are the same for both, and nothing else is.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from homeostat.argo.resources import EVENTS
from homeostat.model.objects import Object
from tests.e2e.apps import Apps
from tests.e2e.repository import Repository

FOLDER = Path(__file__).parents[1] / "argo" / "recorded"
SAMPLES = FOLDER / "samples"

THEIR_WORDS = {
    "http://127.0.0.1:8081/samples.git": "REPOSITORY",
    "8a403151eed47078bc94b936e03747e1fce73266": "FIRST",
    "02eefce7e9c0ad31f75d87c0838406a15123627a": "SECOND",
}
_TIMES = {"lastTransitionTime", "deployStartedAt", "deployedAt", "startedAt", "finishedAt", "reconciledAt"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_GENERATED = re.compile(r"-[0-9a-f]{7}-(presync|sync|postsync)-[0-9]+$")
"""How the name of a hook with generateName ends."""
_ATTEMPT = re.compile(r"Retrying attempt #\d+ at \d{1,2}:\d\d[AP]M\.")


class Told(NamedTuple):
    """A Kubernetes event."""

    type: str
    reason: str
    message: str


def recorded(name: str) -> Object:
    """The Application as it was recorded."""
    app: Object = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return app


def events_recorded(name: str) -> Counter[Told]:
    """The events of the Application ``name``, as far as they were recorded."""
    lines = [json.loads(line) for line in (FOLDER / "events.jsonl").read_text().splitlines()]
    return Counter(Told(one["type"], one["reason"], in_words(one["message"], THEIR_WORDS)) for one in lines if one["object"] == name)


def in_words(text: str, words: Mapping[str, str]) -> str:
    for literal, word in words.items():
        text = text.replace(literal, word)
    return text


def normalised(app: Object, words: Mapping[str, str]) -> Object:
    """Everything of an Application that is not bookkeeping of the API server's.

    Times become TIME (they have to be times), the number of attempts so far becomes N, and ``words`` are put in place of what they stand for.
    """
    kept: dict[str, Any] = {name: app[name] for name in ("spec", "status", "operation") if name in app}
    kept["finalizers"] = app["metadata"].get("finalizers")
    done: Object = _normalised(kept, "", words)
    return done


def _normalised(value: Any, name: str, words: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _normalised(inner, key, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_normalised(inner, name, words) for inner in value]
    if name == "retryCount":
        return "N"
    if not isinstance(value, str):
        return value
    if name in _TIMES:
        return "TIME" if _MOMENT.fullmatch(value) else value
    return _GENERATED.sub(r"-REVISION-\1-TIME", _ATTEMPT.sub("Retrying attempt #N at TIME.", in_words(value, words)))


class Samples:
    """The samples in a repository of the test, and their apps."""

    def __init__(self, apps: Apps, repository: Repository) -> None:
        self.apps = apps
        self.words = {apps.control: "argocd", f"-{apps.mark}": "", repository.url: "REPOSITORY"}
        self._repository = repository

    async def push(self) -> None:
        """The first commit."""
        self._repository.copy(SAMPLES)
        self.words[await self._repository.push()] = "FIRST"

    async def push_second(self) -> str:
        """The ConfigMap of ``plain`` becomes green, and its Service is dropped."""
        path = self._repository.folder / "plain" / "all.yaml"
        documents = path.read_text().replace("colour: blue", "colour: green").split("---\n")
        path.write_text("---\n".join(one for one in documents if "kind: Service" not in one))
        revision = await self._repository.push()
        self.words[revision] = "SECOND"
        return revision

    async def create(self, name: str) -> str:
        """The Application as it was recorded, but for the repository and the names that have to be the test's own; answers its name."""
        spec = recorded(name)["spec"]
        source = spec["source"]
        namespace = self.apps.namespace(spec["destination"]["namespace"])
        return await self.apps.create(
            name,
            self._repository.url,
            source["path"],
            source=source | {"repoURL": self._repository.url},
            destination=spec["destination"] | {"namespace": namespace},
            syncPolicy=spec["syncPolicy"],
        )

    def normalised(self, app: Object) -> Object:
        return normalised(app, self.words)

    async def events(self, name: str, expected: Counter[Told]) -> Counter[Told]:
        """The events of the app ``name`` once all that are ``expected`` are there."""
        apps = self.apps
        selector = f"involvedObject.name={name}"
        told: dict[str, Object] = {}
        try:
            async with asyncio.timeout(60):
                while True:
                    found = await apps.client.list(EVENTS, namespace=apps.control, field_selector=selector)
                    told = {one["metadata"]["name"]: one for one in found.items}
                    if expected <= self._counted(told):
                        return self._counted(told)
                    async for event in apps.client.watch(
                        EVENTS, resource_version=found.resource_version, namespace=apps.control, field_selector=selector
                    ):
                        if event.type in {"ADDED", "MODIFIED"}:
                            told[event.object["metadata"]["name"]] = event.object
                            if expected <= self._counted(told):
                                return self._counted(told)
        except TimeoutError:
            return self._counted(told)

    def _counted(self, told: Mapping[str, Object]) -> Counter[Told]:
        counted: Counter[Told] = Counter()
        for one in told.values():
            counted[Told(one["type"], one["reason"], in_words(one["message"], self.words))] += one["count"]
        return counted
