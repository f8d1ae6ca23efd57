"""The root of every error that Homeostat raises on purpose.

Each package has its own small tree under this root, split by *what the caller can do about it*. A message names the object, the field,
the file and line where there is one, what was expected; a hint says what to do next. Both reach the status, the command line and the page.
"""

from __future__ import annotations


class HomeostatError(Exception):
    """Something a user or an operator can understand and act on.

    ``hint`` is the next step in one sentence, shown after the message as ``hint: …``; empty when the message says it all.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class NotSupportedError(HomeostatError):
    """What was asked for is valid for the original, and Homeostat does not do it yet."""


class InvalidError(HomeostatError):
    """Input that does not mean anything: names the object, the field and what was expected."""
