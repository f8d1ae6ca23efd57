"""How the story is told: numbered steps, each with what was done, what was seen, and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from homeostat.cli.output import colourful


class Tale:
    """Tells on standard output. ``steps`` is how many there will be."""

    def __init__(self, steps: int) -> None:
        self.began = time.monotonic()
        self._steps = steps
        self._step = 0
        self._step_began = self.began

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step; it is over with the context, and told so unless an error ends it."""
        self.begin(title)
        yield
        self.end()

    def begin(self, title: str) -> None:
        self._step += 1
        self._step_began = time.monotonic()
        self._say(f"\n[{self._step}/{self._steps}] {title}", bold=True)

    def did(self, what: str) -> None:
        """A command is told with ``$ `` before it."""
        self._say(f"  did   {what}")

    def saw(self, what: str) -> None:
        self._say(f"  saw   {what}")

    def end(self) -> None:
        self._say(f"  took  {seconds(time.monotonic() - self._step_began)}")

    def _say(self, line: str, *, bold: bool = False) -> None:
        text = "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in line)
        click.echo(click.style(text, bold=True) if bold and colourful(sys.stdout) else text)


def seconds(length: float) -> str:
    """``7 ms``, ``0.27 s``, ``12.3 s``."""
    if length < 0.1:
        return f"{length * 1000:.0f} ms"
    return f"{length:.2f} s" if length < 10 else f"{length:.1f} s"
