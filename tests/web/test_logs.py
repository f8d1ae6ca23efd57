"""What goes to the log, and what never does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from homeostat.web import logs

logs.configure(form={form!r}, level="info")

def sign_in(password):
    raise ValueError("not accepted")

try:
    sign_in("planted-" + "in-a-variable")
except ValueError:
    structlog.get_logger().exception("signing in failed")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_shows_no_variables(form: str) -> None:
    command = [sys.executable, "-c", PROGRAM.format(form=form)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "FORCE_COLOR": "1"})
    assert "not accepted" in done.stderr
    assert "planted-in-a-variable" not in done.stderr
