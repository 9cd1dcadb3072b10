"""`marsearch` in the process of the test: quicker by the seconds that a process needs to import everything."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.cli import answer

from .processes import Ended

Command = Callable[..., Ended]


@contextmanager
def kept_handlers() -> Iterator[None]:
    """A host keeps its handlers of signals when it leaves; the process of the tests goes on, and needs its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command_here(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that runs a command in this folder, with no settings but those it is given."""

    def run(*arguments: object, **variables: str) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for name in [name for name in os.environ if name.startswith("MARSEARCH_")]:
                patch.delenv(name)
            for name, value in ({"COLUMNS": "120"} | variables).items():
                patch.setenv(name, value)
            capsys.readouterr()
            with kept_handlers():
                status = answer([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return run
