"""What can go wrong with a box, by what its user can do about it."""

from __future__ import annotations

from pathlib import Path

from homeostat.model.errors import HomeostatError


class BoxError(HomeostatError):
    """A plane cannot do what was asked.

    ::

        BoxError
        ├── NotStartedError   there is no such plane, or it is down
        ├── ComponentError    a component ended when it should have run; its last words are in the message
        ├── SlowError         a component runs and did not do its part in time
        └── StuckError        a component cannot be killed
    """


class NotStartedError(BoxError):
    def __init__(self, name: str) -> None:
        super().__init__(f"the box `{name}` has not been started", hint=f"run `homeostat box up --name {name}`")


class ComponentError(BoxError):
    def __init__(self, component: str, *, last_words: str, log: Path) -> None:
        self.component = component
        said = f": {last_words}" if last_words else ""
        super().__init__(f"`{component}` ended while the box was coming up{said}", hint=f"its log is {log}")


class SlowError(BoxError):
    def __init__(self, what: str, *, seconds: float, log: Path) -> None:
        super().__init__(f"{what} within {seconds:.0f} seconds", hint=f"look at {log}, or at how busy this machine is")


class StuckError(BoxError):
    def __init__(self, pid: int, log: Path) -> None:
        super().__init__(f"process {pid} does not end, even when it is killed", hint=f"its log is {log}; is its disk there?")
