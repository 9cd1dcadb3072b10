"""A host process (`marsearch work`) on whichever node of a cluster it was placed, and how it ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HostExit:
    """How a host process ended. status: of the process, negative for a signal. last_line: the last that it wrote."""

    status: int
    last_line: str

    @property
    def why(self) -> str:
        """The same in words."""
        return (
            f"status {self.status}: {self.last_line}" if self.status > 0 else self.last_line or f"signal {-self.status}"
        )


class HostProcess:
    """Runs one `marsearch work`; a Ray actor. `stop` may be called from another thread while `run` goes on.

    The host watches its parent: when the actor's process dies, the host shuts down in order by itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._stopping = False
        self._lock = threading.Lock()

    def machine(self) -> str:
        """The name of this machine."""
        return socket.gethostname()

    def run(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> HostExit:
        """Run the host to its end, unless it was asked to stop before; what it writes goes to standard error.

        environment: variables on top of this process's own; they hold credentials.
        """
        with self._lock:
            if self._stopping:
                return HostExit(status=0, last_line="")
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", "-m", "search.cli.watched", *arguments],
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        last_line = ""
        for line in process.stderr or ():
            last_line = line.strip() or last_line
            print(line, end="", file=sys.stderr, flush=True)
        return HostExit(status=process.wait(), last_line=last_line)

    def stop(self) -> None:
        """Ask the host to shut down in order; a second time, to hurry."""
        with self._lock:
            self._stopping = True
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
