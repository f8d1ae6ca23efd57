"""Commands of the story, run as somebody at a terminal runs them."""

from __future__ import annotations

import asyncio
import sys

from homeostat.cli.demos.controller import environment
from homeostat.cli.demos.errors import CommandError
from homeostat.cli.demos.hints import kubectl
from homeostat.cli.demos.stage import Stage


class Terminal:
    """With the demo's kubeconfig in its environment."""

    def __init__(self, stage: Stage) -> None:
        # kubectl remembers what an API server offers by its address: that of another one on the same port would lead it astray.
        self._environment = {"KUBECONFIG": str(stage.plane.kubeconfig), "KUBECACHEDIR": str(stage.folder / "kubectl")}

    async def kubectl(self, *arguments: str) -> str:
        """Runs kubectl and answers what it printed. Raises :class:`CommandError`, as all of these do."""
        program = await asyncio.to_thread(kubectl)
        return await self._run((str(program),), "kubectl", arguments)

    async def homeostat(self, *arguments: str) -> str:
        program = (sys.executable, "-P", "-c", "from homeostat.cli.main import main; main()")
        return await self._run(program, "homeostat", arguments)

    async def _run(self, program: tuple[str, ...], name: str, arguments: tuple[str, ...]) -> str:
        process = await asyncio.create_subprocess_exec(
            *program, *arguments, env={**environment(), **self._environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await process.communicate()
        if process.returncode:
            raise CommandError((name, *arguments), process.returncode, errors.decode(errors="replace"))
        return output.decode(errors="replace").strip()
