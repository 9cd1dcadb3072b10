"""Where log records go: lines of text for a person, or one JSON object per line for a log collector (`--log json`).

Modules log by the standard library: `logging.getLogger(__name__)`. A command with a progress display shows their
records in it through `log_lines`. `tell` and `complain` are for the sentences of the command line itself.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote

_PASSWORD = re.compile(r"(://[^\s:/@'\"]*:)[^\s/@'\"]+@")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$")
_SHORTEST_SECRET = 4  # characters; shorter ones would black out half of every sentence
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "event"}

PACKAGES = ("search", "storage")  # whose records of level INFO are shown; of other packages, those of WARNING
EVENTS = {"search.host": "said", "search.worker": "said", "search.reproduction": "said", "search.cluster": "ray"}
"""The events of their records; those of others are ``log``."""

_log = logging.getLogger("search")


@contextmanager
def log_lines(write: Callable[[str], object]) -> Iterator[None]:
    """Pass the records of our packages to ``write`` while the block lasts, one message without a line end at a time.

    Any thread may log, so ``write`` may be called by any. A block within the block takes its place.
    """
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    handler = LineHandler(write)
    for logger in loggers:
        logger.handlers[:] = [*(h for h in logger.handlers if not isinstance(h, LineHandler)), handler]
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add fields, such as study and host, to every JSON object while the block lasts; a record's own come first."""

    def add(record: logging.LogRecord) -> bool:
        vars(record).update({name: value for name, value in fields.items() if name not in vars(record)})
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
    """Print a sentence to stderr; as JSON with the name of the event and its fields beside it."""
    if not is_json():
        print(message, file=sys.stderr, flush=True)
        return
    _log.info(message, extra={"event": event, **fields})


def complain(message: str, **fields: object) -> None:
    """Print the last sentence of a command that has failed; as JSON with the event ``error``."""
    if not is_json():
        print(message, file=sys.stderr, flush=True)
        return
    _log.error(message, extra={"event": "error", **fields})


def is_json() -> bool:
    """Whether `log_as_json` was called."""
    return isinstance(sys.stderr, Lines)


def log_as_json(environment: Mapping[str, str] = os.environ) -> None:
    """From now on every line that this process writes to stderr is one JSON object; a second call changes nothing.

    Sentences, warnings, what libraries log or print, and the traceback of an error nobody caught.
    environment: whose passwords and keys never appear.
    """
    if is_json():
        return
    handler = JsonHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(secrets_of(environment)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.stderr = Lines()
    sys.excepthook = _uncaught
    threading.excepthook = lambda hook: _uncaught(
        hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback, event="thread died"
    )


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values that no log may hold: of variables named like a password or key, and the password in a URL."""
    named = {value for name, value in environment.items() if _SECRET.search(name)}
    urls = re.findall(r"://[^\s:/@]*:([^\s/@]+)@", environment.get("MARSEARCH_STORAGE", ""))
    found = named | set(urls) | {unquote(url) for url in urls}
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))


def _event(logger: str) -> str:
    return next((event for package, event in EVENTS.items() if logger.startswith(package)), "log")


class LineHandler(logging.Handler):
    """A handler that passes each message on as text; levels are not shown."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:  # noqa: D102
        try:
            self._write(self.format(record))
        except Exception:
            self.handleError(record)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, event, message, host and pid, then the record's own fields."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._secrets = secrets
        self._host = socket.gethostname()

    def format(self, record: logging.LogRecord) -> str:  # noqa: D102
        row: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", _event(record.name)),
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
        if not isinstance(value, str):
            return value
        value = _PASSWORD.sub(r"\1***@", value)
        for secret in self._secrets:
            value = value.replace(secret, "***")
        return value


class JsonHandler(logging.StreamHandler[TextIO]):
    """A handler that ignores a closed stderr: logging's own report of the error would be written to it again."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: D102, N802
        pass


class Lines(io.TextIOBase):
    """Replaces stderr: each line that is printed becomes a record."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Log complete lines; an unfinished one is kept until its end is written, for each thread apart."""
        if not isinstance(text, str):
            raise TypeError(f"text was expected, got {type(text).__name__}")
        *whole, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in whole:
            if line.strip():
                _log.info(line.rstrip(), extra={"event": "printed"})
        return len(text)

    def writable(self) -> bool:  # noqa: D102
        return True


def _uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, event: str = "crash"
) -> None:
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    _log.critical(f"{kind.__name__}: {error}", exc_info=(kind, error, trace), extra={"event": event})
