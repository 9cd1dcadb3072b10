"""Waiting for a condition: the one place in the tests that polls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
LIMIT_S = 120.0  # a busy machine is slow; a condition that holds is met at once


def wait_for(condition: Callable[[], T], seconds: float = LIMIT_S, *, what: object = "the condition") -> T:
    """Poll until the condition is true and return its value; `what`, or what it returns, explains a failure."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what() if callable(what) else what}")
        time.sleep(0.02)
    return value
