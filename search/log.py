"""Where log records go: lines of text for a person, or one JSON object per line for a log collector (`--log json`).

Modules log by the standard library: `logging.getLogger(__name__)`. A command with a progress display shows their
records in it through `log_lines`. `tell` is for the sentences to the person who gave the command.
Until one of these is called nothing here changes anything.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote

from search.output import in_notebook

_PASSWORD = re.compile(r"(://[^\s:/@'\"]*:)[^\s/@'\"]+@")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$")
_SHORTEST_SECRET = 4  # characters; shorter ones would black out half of every sentence
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "event"}

PACKAGES = ("search", "storage")  # whose records of level INFO are shown; of other packages, those of WARNING
NEXT = "next: "  # how the line begins with which a command ends that went well
EVENTS = {"search.host": "said", "search.worker": "said", "search.reproduction": "said", "search.cluster": "ray"}
"""The events of their records; those of others are ``log``."""

_log = logging.getLogger("search")


@contextmanager
def log_lines(write: Callable[[str], object]) -> Iterator[None]:
    """Pass the records of our packages to ``write`` while the block lasts, one message without a line end at a time.

    Any thread may log, so ``write`` may be called by any. A block within the block takes its place.
    """
    handler = logging.StreamHandler(cast(Any, SimpleNamespace(write=write)))
    handler.terminator = ""
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = [handler, *(kept for kept in logger.handlers if isinstance(kept, RecentLines))]
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)


class RecentLines(logging.Handler):
    """The last messages of our packages, one line each with the time in UTC before it; any thread may log and read.

    most: how many. environment: whose passwords and keys never appear.
    """

    def __init__(self, most: int, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._secrets = _secrets_of(environment)
        self._lines: deque[str] = deque(maxlen=most)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        level = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        said = _masked(self._secrets, " ".join(record.getMessage().split()))
        self._lines.append(f"{datetime.fromtimestamp(record.created, UTC):%H:%M:%S} {level}{said}")

    def add(self, message: str) -> None:
        """Keep a message that is logged nowhere else."""
        self.emit(logging.makeLogRecord({"msg": message, "levelno": logging.INFO}))

    @property
    def lines(self) -> tuple[str, ...]:
        """What is kept, oldest first."""
        return tuple(self._lines.copy())


@contextmanager
def recent_lines(most: int) -> Iterator[RecentLines]:
    """Keep the last messages of our packages while the block lasts, wherever else they go."""
    kept, loggers = RecentLines(most), [logging.getLogger(name) for name in PACKAGES]
    for logger in loggers:
        logger.addHandler(kept)
    try:
        yield kept
    finally:
        for logger in loggers:
            logger.removeHandler(kept)


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add fields, such as study and host, to every JSON object while the block lasts; a record's own come first."""

    def add(record: logging.LogRecord) -> bool:
        vars(record).update(fields | vars(record))
        return True

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(add)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(add)


@contextmanager
def log_to_stderr(**fields: object) -> Iterator[None]:
    """Show the records of our packages on stderr while the block lasts: as lines, or as JSON with these fields."""
    with log_fields(**fields) if is_json() else log_lines(lambda line: print(line, file=sys.stderr, flush=True)):
        yield


def tell(message: str, event: str, **fields: object) -> None:
    """Print a sentence to stderr; as JSON with the event and the fields beside it, "error" being of that level.

    In a notebook, which shows stderr as if it were an error, to standard output.
    """
    if is_json():
        level = logging.ERROR if event == "error" else logging.INFO
        _log.log(level, message, extra={"event": event, **fields})
    else:
        print(message, file=sys.stdout if in_notebook() else sys.stderr, flush=True)


def is_json() -> bool:
    """Whether `log_as_json` was called."""
    return isinstance(sys.stderr, _Lines)


def log_as_json(environment: Mapping[str, str] = os.environ) -> None:
    """From now on every line that this process writes to stderr is one JSON object; a second call changes nothing.

    Sentences, warnings, what libraries log or print, and the traceback of an uncaught error.
    environment: whose passwords and keys never appear.
    """
    if is_json():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter(_secrets_of(environment)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # the report of a closed stderr would be written to it again
    sys.stderr = _Lines()
    sys.excepthook = lambda kind, error, trace: _uncaught(error, "crash")
    threading.excepthook = lambda thrown: _uncaught(thrown.exc_value, "thread died")


def _secrets_of(environment: Mapping[str, str]) -> re.Pattern[str]:
    """What no log may hold: the values of variables named like a password or key, and the password in a URL."""
    named = {value for name, value in environment.items() if _SECRET.search(name)}
    urls = re.findall(r"://[^\s:/@]*:([^\s/@]+)@", environment.get("MARSEARCH_STORAGE", ""))
    found = named.union(urls, map(unquote, urls))
    longest_first = sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _masked(secrets: re.Pattern[str], text: str) -> str:
    return secrets.sub("***", _PASSWORD.sub(r"\1***@", text))


class _JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, event, message, host and pid, then the record's own fields."""

    def __init__(self, secrets: re.Pattern[str]) -> None:
        super().__init__()
        self._secrets = secrets
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:
        by_package = (event for package, event in EVENTS.items() if record.name.startswith(package))
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", next(by_package, "log")),
            "message": record.getMessage(),
            "host": self._host,
            "pid": record.process,
            "logger": record.name,
        }
        row |= {name: value for name, value in vars(record).items() if name not in _RECORD}
        if record.exc_info and record.exc_info[0] is not None:
            row["traceback"] = self.formatException(record.exc_info)
        return json.dumps({name: self._plain(value) for name, value in row.items()}, default=str)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None  # JSON has no NaN
        return _masked(self._secrets, value) if isinstance(value, str) else value


class _Lines(io.TextIOBase):
    """Replaces stderr: each line that is printed becomes a record; an unfinished one is kept, for each thread apart."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        self._begun = threading.local()

    def write(self, text: str) -> int:
        *whole, self._begun.text = (getattr(self._begun, "text", "") + text).split("\n")
        for line in filter(str.strip, whole):
            _log.info(line.rstrip(), extra={"event": "printed"})
        return len(text)

    def writable(self) -> bool:
        return True


def _uncaught(error: BaseException | None, event: str) -> None:
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        _log.critical(f"{type(error).__name__}: {error}", exc_info=error, extra={"event": event})
