"""What can go wrong between a source and the objects that it asks for. The errors of sources themselves are in ``sources/errors.py``.

::

    RenderError                      (HomeostatError)
    ├── RenderFailedError            the files do not render: their author mends them
    │   └── RenderNotSupportedError  valid for the original, not supported here (also a NotSupportedError)
    └── RenderStoppedError           a limit was reached or the evaluator died: may go well another time
"""

from __future__ import annotations

import copy
from typing import Self

from homeostat.model.errors import HomeostatError, NotSupportedError
from homeostat.model.manifest import Origin

_NOWHERE = Origin()


class RenderError(HomeostatError):
    """An app's source does not render. ``origin`` says where and stands before the message, ``source_type`` what it was rendered as (empty when that is the problem)."""

    def __init__(self, message: str, *, origin: Origin = _NOWHERE, source_type: str = "", hint: str = "") -> None:
        where = str(origin)
        super().__init__(message if not where or where in message else f"{where}: {message}", hint=hint)
        self.origin = origin
        self.source_type = source_type

    def again(self) -> Self:
        """The same error to be raised once more, without the memories of the last time."""
        fresh = copy.copy(self)
        fresh.__traceback__ = fresh.__cause__ = fresh.__context__ = None
        return fresh


class RenderFailedError(RenderError):
    """The files do not mean anything to the tool that renders them."""


class RenderNotSupportedError(RenderFailedError, NotSupportedError):
    """The files or options ask for something that is not supported here."""


class RenderStoppedError(RenderError):
    """The render was stopped by a limit, or its evaluator died: the same files may render another time."""
