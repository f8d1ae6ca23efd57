"""What keeps a repository from being looked at. What is wrong *in* it is no error but a finding."""

from __future__ import annotations

from homeostat.model.errors import HomeostatError


class LintError(HomeostatError):
    """The look itself cannot be done: wrong schemas, a version that nobody knows, rules that do not exist."""


class SchemaError(LintError):
    """A schema that was handed in, or was found in a definition, is none."""
