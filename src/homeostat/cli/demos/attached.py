"""The command line as a child that does not outlive its parent: ``python -m homeostat.cli.demos.attached ARGUMENTS``.

The parent holds the other end of standard input. When that is closed, because the parent is done or was killed, this process asks itself to end, as
anyone else would.
"""

from __future__ import annotations

import os
import signal
import threading

from homeostat.cli.main import main


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="end with the parent", daemon=True).start()
    main()
