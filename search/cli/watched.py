"""The command line as a child process that ends with its parent.

    python -m search.cli.watched work STUDY ...

The parent holds the other end of standard input and writes nothing to it. When the parent ends, however that happens,
the pipe closes and this process gets a SIGTERM, on which `work` shuts down in order.
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
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), name="parent watchdog", daemon=True).start()
    main()
