"""Why a worker process ended, in words."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

EXIT_S = 5.0  # that a process whose pipe has closed may still take to exit
TAIL = 20_000  # bytes of a log that are looked at
LONGEST = 400  # characters


def exit_reason(process: subprocess.Popen[str], log: Path, start: int) -> str:
    """The exit status of a process that is ending, and the end of what it wrote to its log after the byte start.

    One that does not exit by itself is killed.
    """
    try:
        ended = status_in_words(process.wait(timeout=EXIT_S))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        ended = "it did not exit and was killed"
    return f"{ended}; {end_of_log(log, start)}".strip("; ")


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
