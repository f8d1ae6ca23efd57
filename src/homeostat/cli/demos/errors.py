"""What can go wrong in a demo, apart from what the control plane, Git's program and the API server say.

HomeostatError
├── BusyError            a demo of this name runs, or the port it wants is taken
├── ExamplesError        the installation lacks the examples
├── CommandError         a program exited with an error
├── ControllerError      the controller ended without being asked to
└── StepError            a step of the story was not seen to happen
"""

from __future__ import annotations

from pathlib import Path

from homeostat.model.errors import HomeostatError

_LAST_WORDS = 12


class BusyError(HomeostatError):
    """Somebody else has what this demo needs."""


class ExamplesError(HomeostatError):
    """The hint says how to get them."""


class CommandError(HomeostatError):
    """``code`` as a process has it, ``said`` what it wrote to standard error."""

    def __init__(self, command: tuple[str, ...], code: int, said: str) -> None:
        super().__init__(f"`{' '.join(command)}` exited with {code}: {said.strip() or 'it said nothing'}")


class ControllerError(HomeostatError):
    """``code`` as a process has it: negative for a signal."""

    def __init__(self, code: int, log: Path) -> None:
        lines = log.read_text(errors="replace").splitlines()[-_LAST_WORDS:] if log.exists() else []
        how = f"was killed by signal {-code}" if code < 0 else f"exited with {code}"
        said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        super().__init__(f"the controller {how}. The end of its log:\n{said}", hint=f"its whole log is {log}")


class StepError(HomeostatError):
    """``waited_for`` finishes the sentence "it was not seen that …"; ``seen`` is what was there instead."""

    def __init__(self, waited_for: str, seen: str, seconds: float) -> None:
        super().__init__(f"it was not seen within {seconds:g}s that {waited_for}; seen instead: {seen}")
