"""The command for whoever starts it as a process of its own: once the starter is gone, it leaves in order.

    python -m search.cli.leash work STUDY ...

The starter holds the other end of standard input and writes nothing to it; the end of its process closes it, however
it came about.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from search.cli import main


def _watch(handle: int) -> None:
    while os.read(handle, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), name="leash", daemon=True).start()
    main()
