"""One running worker process: its pipe, the messages it has sent, and its log."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from search.settings import STORAGE_VARIABLES, for_child
from search.worker.devices import DeviceSlot
from search.worker.protocol import Message, from_line, to_line
from storage.atomic_write import private_folder

SLICE = 0.5  # seconds of waiting at a time
CLOSE_S = 2.0  # for a process to exit once its input has ended,
EXIT_S = 5.0  # and once it has closed its pipe
TAIL = 20_000  # bytes of a log that are looked at
LONGEST = 400  # characters of it that are told

# -P: `-m` alone would put the working directory first, where a file random.py or queue.py hides the library's.
COMMAND = (sys.executable, "-P", "-m", "search.worker.main")


class Connection:
    """A worker process, started with it. `kill` and `send` may be called by any thread, the rest by its owner."""

    def __init__(self, slot: DeviceSlot) -> None:
        """Start the process. Raises OSError where there is no memory for one, or too many processes."""
        self._slot = slot
        self.ready = False  # set by the owner, once the process says so
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._writing = threading.Lock()
        private_folder(slot.log.parent)
        self._log_start = slot.log.stat().st_size if slot.log.exists() else 0
        with slot.log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=child_environment() | slot.environment,
            )
        threading.Thread(target=_read, args=(self._process, self._messages), daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        """Send a message; one to a process that has ended is lost, as `receive` will tell."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ValueError), self._writing:
            self._process.stdin.write(to_line(message))
            self._process.stdin.flush()

    def receive(self, limit: float | None, cancelled: Callable[[], bool] = lambda: False) -> Message | None:
        """The next message, None at the process's end. Raises queue.Empty after limit seconds, or once cancelled.

        Waits in slices, each of which counts no more than its length: a host that was suspended for a minute finds
        the worker's messages, and not that a minute is over.
        """
        left = float("inf") if limit is None else limit
        while True:
            slice_ = min(SLICE, left)
            try:
                return self._messages.get(timeout=slice_)
            except queue.Empty:
                left -= slice_
                if left <= 0 or cancelled():
                    raise

    def kill(self) -> None:
        """End the process at once. A process that was waited for is not signalled: its id may be another's by then."""
        self._process.kill()

    def close(self) -> None:
        """End the process: its input closes, and if it does not exit soon it is killed."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._wait(CLOSE_S)

    def exit_reason(self, *, hung: bool) -> str:
        """What is known of the process's end: how it ended, unless it was killed as a hung one, and its last words."""
        words = "" if hung else self._wait(EXIT_S)
        return f"{words}; {end_of_log(self._slot.log, self._log_start)}".strip("; ")

    def _wait(self, seconds: float) -> str:
        """Wait for the process that is to exit by itself, or is killed after so long; how it ended."""
        try:
            return status_in_words(self._process.wait(seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "it did not exit and was killed"


def child_environment() -> dict[str, str]:
    """The variables of a worker: ours, without what opens the database and the artifact store."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STORAGE_VARIABLES)}
    return for_child(kept)


def status_in_words(code: int) -> str:
    """An exit status as `subprocess` gives it, below zero for a signal, in words."""
    if code >= 0:
        return f"exit status {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    perhaps = ", perhaps out of memory (the kernel's OOM killer)" if -code == signal.SIGKILL else ""
    return f"killed by signal {-code}{name}{perhaps}"


def end_of_log(log: Path, start: int) -> str:
    """The end of the log on one line: the crash in native code if there is one, else the last two lines."""
    with log.open("rb") as file:
        file.seek(max(start, file.seek(0, os.SEEK_END) - TAIL))
        lines = [line for line in file.read().decode("utf-8", errors="replace").splitlines() if line.strip()]
    crashes = [line for line in lines if line.startswith("Fatal Python error")]
    told = crashes[-1:] or lines[-2:]
    return " ".join(" ".join(told).split())[-LONGEST:]


def _read(process: subprocess.Popen[str], messages: queue.Queue[Message | None]) -> None:
    """Queue the worker's messages; whatever ends that, even half a line of a killed process, is the worker's end."""
    assert process.stdout is not None
    try:
        with process.stdout as lines:
            for line in lines:
                messages.put(from_line(line))
    except ValueError:
        process.kill()
    finally:
        messages.put(None)
