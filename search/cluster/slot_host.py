"""The host of one slot, on whichever node of a cluster it was put: a process of its own, and how it ended."""

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
class Ended:
    """How a host ended. status: of its process, below zero for a signal. said: the last line that it wrote."""

    status: int
    said: str


class SlotHost:
    """Runs one `marsearch work`. `stop` may be called from another thread while `run` goes on.

    The process is on a leash: when this one dies, it leaves in order by itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._asked = False
        self._lock = threading.Lock()

    def where(self) -> str:
        """The name of this machine."""
        return socket.gethostname()

    def run(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Ended:
        """Work until the host ends; what it says goes to standard error.

        environment: variables on top of this process's own; they hold credentials.
        """
        process = self._start(arguments, environment)
        if process is None:
            return Ended(status=0, said="")
        said = ""
        assert process.stderr is not None
        for line in process.stderr:
            said = line.strip() or said
            print(line, end="", file=sys.stderr, flush=True)
        return Ended(status=process.wait(), said=said)

    def stop(self) -> None:
        """Ask the host to leave in order; a second time, to hurry."""
        with self._lock:
            self._asked = True
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)

    def _start(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.Popen[str] | None:
        """The process; None when the host was asked to leave before it began."""
        with self._lock:
            if not self._asked:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "search.cli.leash", *arguments],
                    env=os.environ | environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    errors="replace",
                )
            return self._process
