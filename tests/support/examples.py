"""How many examples hypothesis tries: a quarter in `make test`, all of them in `make test-long`."""

from __future__ import annotations

import os

ALL = os.environ.get("TEST_EXAMPLES") == "all"


def examples(count: int) -> int:
    return count if ALL else -(-count // 4)
