"""What code costs beside other code in the same process: a ratio holds on any machine, a number of seconds does not."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_seconds(act: Callable[[], object], tries: int = 2) -> float:
    """Processor time of this process; the best try, since the first imports and any may collect others' garbage."""

    def once() -> float:
        began = time.process_time()
        act()
        return time.process_time() - began

    return min(once() for _ in range(tries))
