"""What the controller does to look at one app, done in this process: the source is asked, rendered and compared, and nothing is written.

The parts are those of the controller (``wiring.assemble``), so what is shown here is what it would see.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from homeostat import wiring
from homeostat.argo.read import KIND, read_app
from homeostat.cli import output as out
from homeostat.cli import plugins
from homeostat.cli.apps import words
from homeostat.cli.apps.common import Place
from homeostat.cli.apps.control import Applications
from homeostat.cli.apps.errors import RefusedError
from homeostat.model import tasks
from homeostat.model.app import App, AppKey
from homeostat.web import logs


@asynccontextmanager
async def looking(place: Place, name: str, file_roots: Sequence[Path] = ()) -> AsyncIterator[tuple[wiring.Parts, App]]:
    """The parts, running, and the app ``name``. Raises :class:`AppNotFoundError`, and :class:`RefusedError` for one that nobody can look at."""
    logs.configure(form="text", level="error")
    folder, sockets = plugins.from_environment()
    options = wiring.Options(
        kubeconfig=place.kubeconfig,
        context=place.context,
        namespace=place.namespace,
        file_roots=tuple(file_roots),
        evaluators=1,
        plugins=folder,
        plugin_sockets=sockets,
    )
    with out.progress() as tell:
        async with wiring.assemble(options, progress=tell) as parts:
            applications = Applications(parts.client, place.namespace)
            raw = await applications.get(name)  # Whether there is one is asked first: it is said in better words, and sooner.
            running = tasks.spawn(parts.control.run(), name="control plane")
            try:
                await parts.control.ready()
                await parts.cluster.retrack(parts.settings().tracking)
                app = parts.control.get(AppKey(KIND, place.namespace, words.name_of(raw)))
                if raw["metadata"]["namespace"] != place.namespace:
                    app = read_app(raw, parts.settings(), parts.control.projects)
                if app is None:
                    raise RefusedError(f"app `{name}` was deleted meanwhile")
                if app.problems:
                    raise RefusedError(
                        f"app `{name}` cannot be looked at: " + "; ".join(app.problems), hint="`homeostat app set` changes it"
                    )
                yield parts, app
            finally:
                await tasks.cancel([running])
