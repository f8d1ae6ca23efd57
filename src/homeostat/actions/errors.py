"""What can go wrong with a resource action before anything is asked of a cluster.

HomeostatError
└── ActionError
    ├── UnknownActionError    the object has no action of that name; the hint names those it has
    ├── DisabledActionError   the object has it, and not in the state that it is in
    ├── ParameterError        a parameter is missing, or is none of the action's
    └── ActionScriptError     the Lua script failed, or returned what is no answer: its author mends it
"""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.model.errors import HomeostatError
from homeostat.model.objects import Key


class ActionError(HomeostatError):
    """``key`` is the object that the action is for."""

    def __init__(self, key: Key, message: str, *, hint: str = "") -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.key = key


class UnknownActionError(ActionError):
    """``known`` are the names of the actions that the object has."""

    def __init__(self, key: Key, name: str, known: Iterable[str]) -> None:
        names = ", ".join(f"`{one}`" for one in sorted(known))
        super().__init__(
            key, f"there is no action `{name}`", hint=f"it has {names}" if names else "nobody has written actions for its kind"
        )


class DisabledActionError(ActionError):
    """``reason`` is what the discovery script says of it; scripts made for Argo CD say nothing."""

    def __init__(self, key: Key, name: str, reason: str) -> None:
        super().__init__(key, f"action `{name}` is disabled{': ' if reason else ' while the object is as it is'}{reason}")


class ParameterError(ActionError):
    """Says which parameter, and what the action takes."""


class ActionScriptError(ActionError):
    """Says what the script did wrong, with the line where there is one."""
