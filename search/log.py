"""What goes to stderr as one JSON object per line, for whoever collects logs: `marsearch --log json`.

Until `log_as_json` is called nothing here changes anything: `tell` prints its sentence, and libraries log as ever.
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
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import unquote

_PASSWORD = re.compile(r"(://[^\s:/@'\"]*:)[^\s/@'\"]+@")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$")
_SHORTEST_SECRET = 4  # characters; shorter ones would black out half of every sentence
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "event"}

_log = logging.getLogger("search")


def tell(message: str, event: str, **fields: object) -> None:
    """Say a sentence to the person; as JSON with the name of what happened and its fields beside it."""
    if not is_json():
        print(message, file=sys.stderr, flush=True)
        return
    _log.info(message, extra={"event": event, **fields})


def complain(message: str, **fields: object) -> None:
    """Say the last sentence of a command that has failed, to a person as it is."""
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
    _log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.stderr = Lines()
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(
        told.exc_type, told.exc_value or told.exc_type(), told.exc_traceback, event="thread died"
    )


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values that no log may hold: of variables named like a password or key, and the password in a URL."""
    named = {value for name, value in environment.items() if _SECRET.search(name)}
    urls = re.findall(r"://[^\s:/@]*:([^\s/@]+)@", environment.get("MARSEARCH_STORAGE", ""))
    found = named | set(urls) | {unquote(url) for url in urls}
    return tuple(sorted((value for value in found if len(value) >= _SHORTEST_SECRET), key=len, reverse=True))


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
            "event": getattr(record, "event", "log"),
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
    """A handler that keeps quiet when stderr is gone: a complaint would end up here once more."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: D102, N802
        pass


class Lines(io.TextIOBase):
    """What stands in for stderr: each line that anyone prints becomes a record."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        self._begun = threading.local()

    def write(self, text: str) -> int:
        """Log the lines that are whole; the rest waits for its end, in each thread for itself."""
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
