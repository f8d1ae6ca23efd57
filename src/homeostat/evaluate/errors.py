"""What can go wrong when another's program is run.

::

    EvaluateError              (HomeostatError)
    ├── EvaluationError        the input is wrong: its author mends it
    ├── UnsupportedError       valid for the original, not supported here (also a NotSupportedError)
    ├── LimitError             a limit was reached; the process was killed, the next request gets another one
    └── EvaluatorCrashError    the evaluator died or could not be started: ours to mend

All carry the ``trace``: what was read until then. As long as none of it changes there is no point in running the same request again.
"""

from __future__ import annotations

from homeostat.model.errors import HomeostatError, NotSupportedError
from homeostat.model.manifest import Origin
from homeostat.model.tree import Trace

NOWHERE = Origin()


class EvaluateError(HomeostatError):
    """``evaluator`` is the tag of the request (``helm``), ``subject`` whom it was for, ``trace`` what was read, ``origin`` where it went wrong."""

    def __init__(
        self, message: str, *, evaluator: str, subject: str = "", trace: Trace = frozenset(), origin: Origin = NOWHERE, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.evaluator = evaluator
        self.subject = subject
        self.trace = trace
        self.origin = origin

    @property
    def file(self) -> str:
        return self.origin.file

    @property
    def line(self) -> int:
        return self.origin.line


class EvaluationError(EvaluateError):
    """The program that was run says that its input is wrong."""


class UnsupportedError(EvaluateError, NotSupportedError):
    """What the input asks for is not supported here."""


class LimitError(EvaluateError):
    """``limit`` names what was used up: ``time``, ``memory``, ``stack`` or ``output``."""

    def __init__(self, what: str, *, limit: str, evaluator: str, subject: str = "", trace: Trace = frozenset()) -> None:
        whose = f" of {subject}" if subject else ""
        super().__init__(
            f"{evaluator}{whose} was stopped: {what}",
            evaluator=evaluator,
            subject=subject,
            trace=trace,
            hint="look for a loop or recursion without end, or for output that grows with every round",
        )
        self.limit = limit


class EvaluatorCrashError(EvaluateError):
    """The evaluator process ended without an answer, spoke nonsense, or did not start."""
