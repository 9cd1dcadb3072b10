"""What the search side raises; each message is one sentence: what came, what was expected, what to do."""

from __future__ import annotations


class SearchError(Exception):
    """The root of the tree: anything `search` reports to a person."""


class BundleError(SearchError):
    """A bundle that cannot be written, or that is incomplete, altered or of another format."""


class UsageError(SearchError):
    """A wrong argument, file or value that the caller can put right."""


class TrainingFailed(SearchError):
    """A training that ended without a result: it diverged, crashed or ran out of memory."""


class Stopped(Exception):
    """A training ended early because its caller asked it to."""


class Diverged(ArithmeticError):
    """A training's loss became NaN or infinite; the message names the epoch and the step."""
