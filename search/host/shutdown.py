"""SIGINT and SIGTERM as a flag or a count: whoever works looks at it and leaves in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Let both signals only set the flag; outside the main thread (tests) there is nothing to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Signals:
    """How often the process was asked to leave. A handler that only counts meets no lock that its own thread holds."""

    count: int = 0


@contextmanager
def counted_signals() -> Iterator[Signals]:
    """Let both signals only count; outside the main thread (tests) there is nothing to set.

    Once one has come they go on being counted after the block: the process is leaving, and an impatient second Ctrl-C
    must not break off its last steps.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signals.count += 1

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items() if not signals.count else ():
            signal.signal(number, handler)
