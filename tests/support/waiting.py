"""Waiting for a condition: the one place in the tests that polls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
LIMIT_S = 120.0  # a busy machine is slow; a condition that holds is met at once


def wait_for(condition: Callable[[], T], seconds: float = LIMIT_S, *, what: object = "the condition") -> T:
    """Poll until the condition is true and return its value; `what`, or what it returns, explains a failure."""
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(
            min(0.01 + waited / 20, 0.2)
        )  # what comes at once is seen at once; what takes long is not in the way
    return value


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread while the block runs, and wait for its end."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join()
