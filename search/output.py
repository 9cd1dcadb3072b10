"""Standard output and error as commands write to them: one that fails costs words, and neither work nor its status.

The disk behind one may be full, the terminal or the reader gone, the encoding without a sign: whatever a library or we
print goes through `Lenient`, and a sign that cannot be written becomes its number.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console


class Lenient(io.RawIOBase):
    """A file descriptor that takes whatever it is given. lost: the first error, None while all was written."""

    def __init__(self, handle: int) -> None:
        self.lost: OSError | None = None
        self._handle = handle

    def writable(self) -> bool:
        """Always: what cannot be written is lost."""
        return True

    def fileno(self) -> int:
        """The descriptor, for the size of the terminal and for processes that are to write to it as well."""
        return self._handle

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return os.isatty(self._handle)

    def write(self, data: Any) -> int:
        """Write some of the bytes and return how many, all of them where none can be written."""
        while True:
            try:
                return os.write(self._handle, data)
            except BlockingIOError:  # a program that shares the terminal or pipe has made it one that does not wait
                select.select([], [self._handle], [])
            except OSError as error:
                self.lost = self.lost or error
                return len(data)


def make_lenient(*names: Literal["stdout", "stderr"]) -> None:
    """Put a `Lenient` beneath these streams of `sys`, in the place of a closed one, too.

    A closed descriptor would be given to the next file that is opened, such as a database.
    """
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for handle, name in ((1, "stdout"), (2, "stderr")):
        if name in names:
            setattr(sys, name, _lenient(getattr(sys, name), handle))


def lost_report() -> str:
    """Why what was written to standard output has not arrived; "" where it has, or where its reader wanted no more."""
    sys.stdout.flush()
    error = getattr(getattr(sys.stdout.buffer, "raw", None), "lost", None)
    return "" if error is None or error.errno == errno.EPIPE else os.strerror(error.errno)


def in_notebook() -> bool:
    """Whether this process computes the cells of a notebook."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython() if ipython is not None else None, "kernel")


def console(stream: IO[str] | None = None, **options: Any) -> Console:
    """A console that shows text as it is: names, paths and reasons may hold what rich would read as markup.

    In a notebook it writes where it is to, not below the cell.
    """
    from rich.console import Console

    return Console(file=stream, markup=False, emoji=False, force_jupyter=False, **options)


def _lenient(stream: Any, handle: int) -> io.TextIOWrapper:
    by_line, encoding = False, "utf-8"
    if stream is not None:
        stream.flush()
        by_line, encoding = stream.line_buffering or stream.write_through, stream.encoding
    buffer = io.BufferedWriter(Lenient(handle))
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=by_line)
