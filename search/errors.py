"""What the search side raises.

    SearchError
    ├── BundleError       a bundle that cannot be written, or cannot be trusted when read
    ├── UsageError        a wrong command, file or value: the caller can put it right
    └── TrainingFailed    a training that ended without a result
        ├── TransientFailure      by an error that may not come again
        ├── Interrupted   since its host leaves, or its study is held
        └── TakenOver     since another host has it

Each message is one sentence: what came, what was expected, what to do.
"""

from __future__ import annotations


class SearchError(Exception):
    """The root of the tree: anything `search` reports to a person."""


class BundleError(SearchError):
    """A bundle that cannot be written, or that is incomplete, altered or of another format."""


class UsageError(SearchError):
    """A wrong argument, file or value that the caller can put right."""


class TrainingFailed(SearchError):
    """A training that ended without a result: it diverged, crashed or ran out of memory."""


class TransientFailure(TrainingFailed):
    """A training that broke off by an error that may not come again; detail is the traceback, "" for none."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


class Interrupted(TrainingFailed):
    """A training whose host leaves, or whose study is held: it goes back to the queue."""


class TakenOver(TrainingFailed):
    """A training whose trial another host has taken back, since this one was silent for too long."""
