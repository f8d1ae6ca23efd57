"""Actions carried out: an app's objects, what their scripts ask for, and the requests that come of it, with the rights of whoever runs this.

A patch holds only for the version of the object that the script saw. Where somebody was quicker the script sees the new version and is asked
again, as long as nothing was done. Choosing objects by the options of a command is ``actions.py``'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from homeostat.actions import catalogue, effects
from homeostat.actions.engine import Engine
from homeostat.argo.resources import APPLICATIONS, CONFIG_MAPS
from homeostat.argo.settings import CONFIG, read_settings
from homeostat.cli import output as out
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place
from homeostat.cli.apps.control import Applications, connected
from homeostat.cli.apps.errors import RefusedError
from homeostat.cli.apps.resources import key_in
from homeostat.live.discovery import Discovery
from homeostat.live.errors import AlreadyExistsError, ApiError, ConflictError, ForbiddenError, NotFoundError
from homeostat.model import tasks
from homeostat.model.objects import Key, Object, key_of, version_of
from homeostat.model.resources import Resource
from homeostat.model.settings import Settings

_ATTEMPTS = 8
_AT_ONCE = 16


class Acting:
    """One app's objects and their actions, at one moment."""

    def __init__(self, applications: Applications, app: Object, builtin: catalogue.Builtin, operator: Settings) -> None:
        self.app = app
        self._applications = applications
        self._client = applications.client
        self._discovery = Discovery(self._client)
        self._builtin = builtin
        self._custom = operator.actions

    async def keys(self, *, children: bool) -> list[tuple[Key, str]]:
        """The Application itself and the objects that its status names, with their versions; with ``children`` also what is below them."""
        await self._discovery.refresh()
        named = {own_key(self.app): APPLICATIONS.version}
        named |= {key_in(entry): str(entry.get("version") or "") for entry in words.resources_of(self.app)}
        if children:
            from homeostat.cli.apps import tree  # noqa: PLC0415

            for branch in tree.walk(await tree.grow(self._client, self.app)):
                named.setdefault(branch.key, "")
        return sorted(named.items())

    def offer(self, key: Key) -> catalogue.Offer | None:
        return catalogue.find(key.group_kind, builtin=self._builtin, custom=self._custom)

    async def objects(self, keys: Iterable[tuple[Key, str]]) -> list[tuple[Resource, Object]]:
        """Those of ``keys`` that are in the cluster, in their order. Of one that may not be read that is said."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def get(key: Key, version: str) -> tuple[Resource, Object] | None:
            resource = self._discovery.find(key.group_kind, version) or self._discovery.find(key.group_kind)
            if resource is None:
                return None
            async with gate:
                try:
                    return resource, await self._get(resource, key)
                except NotFoundError:
                    return None
                except ForbiddenError as error:
                    out.say("warning", f"{key}: {error}")
                    return None

        found = await tasks.together(*(get(key, version) for key, version in keys))
        return [one for one in found if one is not None]

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Engine]:
        """What runs the scripts. The evaluator is built first where that was never done."""
        from homeostat import toolchain  # noqa: PLC0415
        from homeostat.evaluate.pool import Pool  # noqa: PLC0415

        with out.progress() as tell:
            program = await asyncio.to_thread(toolchain.program, "evaluator", progress=tell)
        async with Pool(program=program, size=1) as pool:
            yield Engine(pool, builtin=self._builtin, custom=self._custom)

    async def act(self, engine: Engine, resource: Resource, obj: Object, name: str, params: Mapping[str, str]) -> list[str]:
        """Runs an action on one object; answers what was done, in words that hold no values.

        Raises :class:`~homeostat.actions.errors.ActionError`, :class:`~homeostat.evaluate.errors.EvaluateError`, :class:`ApiError`.
        """
        for attempt in range(_ATTEMPTS):
            asked = await engine.run(obj, name, params)
            done: list[str] = []
            try:
                await self._carry_out(resource, obj, asked, done)
            except ConflictError as error:
                if done or isinstance(error, AlreadyExistsError) or attempt + 1 == _ATTEMPTS:
                    raise _told(error, obj, done) from None
                obj = await self._get(resource, key_of(obj))
            except ApiError as error:
                raise _told(error, obj, done) from None
            else:
                return done or ["nothing to change"]
        raise AssertionError("unreachable")

    async def _carry_out(self, resource: Resource, obj: Object, asked: tuple[effects.Effect, ...], done: list[str]) -> None:
        """``done`` gets a line for each request that was sent and heard."""
        made = [self._placed(effect.object, obj) for effect in asked if isinstance(effect, effects.Create)]
        if len(asked) > 1:
            for kind, new in made:
                await self._client.create(kind, new, dry_run=True)
        waiting = iter(made)
        for effect in asked:
            if isinstance(effect, effects.Patch):
                await self._patch(resource, obj, effect.body, done)
            else:
                kind, new = next(waiting)
                done.append(f"created {key_of(await self._client.create(kind, new))}")

    async def _patch(self, resource: Resource, obj: Object, body: Object, done: list[str]) -> None:
        """Status first, by its subresource where the kind has one, as Argo CD does it."""
        metadata = obj["metadata"]
        where = (resource, metadata.get("namespace") or "", metadata["name"])
        held = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        if "status" in body:
            try:
                answer = await self._client.patch(*where, {"metadata": held, "status": body["status"]}, subresource="status")
            except NotFoundError:
                pass  # The status of this kind is a field like any other.
            else:
                done += [f"patched {field}" for field in effects.fields({"status": body["status"]})]
                body = {name: value for name, value in body.items() if name != "status"}
                held["resourceVersion"] = answer["metadata"]["resourceVersion"]
        if body:
            await self._client.patch(*where, {**body, "metadata": {**(body.get("metadata") or {}), **held}})
            done += [f"patched {field}" for field in effects.fields(body)]

    def _placed(self, new: Object, source: Object) -> tuple[Resource, Object]:
        key = key_of(new)
        kind = self._discovery.find(key.group_kind, version_of(new))
        if kind is None:
            raise RefusedError(f"{key_of(source)}: the action makes a {new['apiVersion']} {key.kind}, which the cluster does not serve")
        if not kind.namespaced or key.namespace:
            return kind, new
        namespace = key_of(source).namespace
        if not namespace:
            raise RefusedError(f"{key_of(source)}: the action makes {key} without a namespace, and the object has none to give")
        return kind, {**new, "metadata": {**new["metadata"], "namespace": namespace}}

    async def _get(self, resource: Resource, key: Key) -> Object:
        obj = await self._client.get(resource, key.namespace, key.name)
        obj["metadata"].pop("managedFields", None)
        return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


async def acting(applications: Applications, name: str) -> Acting:
    """Raises :class:`~homeostat.cli.apps.errors.AppNotFoundError`."""
    app = await applications.get(name)
    operator, builtin = await asyncio.gather(_settings(applications), asyncio.to_thread(catalogue.load))
    for warning in operator.warnings:
        if "resource.customizations" in warning:
            out.say("warning", warning)
    return Acting(applications, app, builtin, operator)


async def _settings(applications: Applications) -> Settings:
    try:
        config = await applications.client.get(CONFIG_MAPS, applications.namespace, CONFIG)
    except NotFoundError:
        return Settings()
    except ForbiddenError as error:
        return Settings(warnings=(f"resource.customizations cannot be read, so only the built-in actions are known: {error}",))
    return read_settings({CONFIG: config}, namespace=applications.namespace)


async def known(place: Place, name: str, kind: str) -> list[str]:
    """The names of the actions that an app's objects of ``kind`` (of any, where it is empty) may have, sorted; no script is run for it."""
    async with connected(place) as applications:
        app, operator, builtin = await asyncio.gather(applications.get(name), _settings(applications), asyncio.to_thread(catalogue.load))
    keys = [own_key(app), *map(key_in, words.resources_of(app))]
    kinds = {key.group_kind for key in keys if kind in {"", key.kind}}
    offers = [catalogue.find(one, builtin=builtin, custom=operator.actions) for one in kinds]
    return sorted({action for offer in offers if offer for action in offer.definitions})


def own_key(app: Object) -> Key:
    return Key(APPLICATIONS.group, APPLICATIONS.kind, app["metadata"]["namespace"], words.name_of(app))


def _told(error: ApiError, obj: Object, done: list[str]) -> ApiError:
    """``error`` with the object that it is about, and what was done before it."""
    before = f" (before that: {'; '.join(done)})" if done else ""
    error.message = f"{key_of(obj)}: {error.message}{before}"
    return error
