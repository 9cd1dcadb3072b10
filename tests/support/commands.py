"""`marsearch` in the process of the test: quicker by the seconds that a process needs to import everything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from search.cli import answer

from .processes import Ended

Command = Callable[..., Ended]


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
            status = answer([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return run
