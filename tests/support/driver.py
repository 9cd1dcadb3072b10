"""A stand-in for the program by which NVIDIA's driver answers."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.worker import devices


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Lets the driver show GPUs, and parts of the last; `says` answers what is asked of one."""

    def shows(*gpus: str, parts: tuple[str, ...] = (), says: str = "true") -> None:
        program = tmp_path / "nvidia-smi"
        lines = "".join(f"echo 'GPU {place}: NVIDIA (UUID: {uuid})'; " for place, uuid in enumerate(gpus))
        lines += "".join(f"echo '  MIG 1g Device 0: (UUID: {uuid})'; " for uuid in parts)
        program.write_text(f'#!/bin/sh\nif [ "$1" = -L ]; then {lines} exit; fi\n{says}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        forget()

    def forget() -> None:
        devices._ask_driver.cache_clear()
        devices._driver_gpus.cache_clear()

    forget()
    yield shows
    forget()
