"""A stand-in for the library by which NVIDIA's driver answers (NVML)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from search.worker import devices
from search.worker import driver as asked

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Card:
    """A GPU as the stand-in shows it; free: of its memory, all without it; None in memory: not told.

    refuses: the error with which it answers for its memory, 0 for none. busy: share of the time; None: not told.
    """

    uuid: str
    memory: float | None = 24.0
    free: float | None = None
    capability: tuple[int, int] | None = (8, 6)
    parts: tuple[Card, ...] | None = None
    lost: bool = False
    refuses: int = 0
    busy: float | None = 0.5


Driver = Callable[..., None]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """Lets the driver show these cards, a text for one of that UUID; there is none until it is called.

    hangs: it never answers (until the test ends). error: of the library's first call.
    """
    over = threading.Event()

    def shows(*cards: Card | str, hangs: bool = False, error: int = 0) -> None:
        known = [card if isinstance(card, Card) else Card(uuid=card) for card in cards]
        for name, answer in _answers(known, over if hangs else None, error).items():
            monkeypatch.setattr(pynvml, name, answer)
        asked.driver_gpus.cache_clear()

    devices._say_once.cache_clear()
    monkeypatch.setattr(devices, "built_for_cuda", lambda version: True)  # as it would be beside such a driver
    monkeypatch.setattr(asked, "_KERNEL_GPUS", tmp_path_factory.mktemp("no kernel module"))
    shows(error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    yield shows
    over.set()
    asked.driver_gpus.cache_clear()


def _answers(cards: list[Card], over: threading.Event | None, error: int) -> dict[str, Callable[..., Any]]:
    def begin() -> None:
        if over is not None:
            over.wait()
            raise pynvml.NVMLError(pynvml.NVML_ERROR_TIMEOUT)
        if error:
            raise pynvml.NVMLError(error)

    def card_at(place: int) -> Card:
        if cards[place].lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return cards[place]

    def named(uuid: str) -> Card:
        places = [place for place, card in enumerate(cards) if card.uuid == uuid]
        parts = [part for card in cards for part in card.parts or () if part.uuid == uuid]
        if not places and not parts:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return parts[0] if parts else card_at(places[0])

    def part_at(card: Card, place: int) -> Card:
        if place >= len(card.parts or ()):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return (card.parts or ())[place]

    def memory(card: Card) -> Any:
        if card.refuses:
            raise pynvml.NVMLError(card.refuses)
        total = _has(card.memory)
        free = int((total if card.free is None else card.free) * GIB)
        return SimpleNamespace(total=int(total * GIB), free=free, used=int(total * GIB) - free)

    return {
        "nvmlInit": begin,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: len(cards),
        "nvmlDeviceGetHandleByIndex": card_at,
        "nvmlDeviceGetHandleByUUID": named,
        "nvmlDeviceGetName": lambda card: f"card {card.uuid}",
        "nvmlDeviceGetUtilizationRates": lambda card: SimpleNamespace(gpu=int(_has(card.busy) * 100)),
        "nvmlDeviceGetUUID": lambda card: card.uuid,
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetCudaComputeCapability": lambda card: _has(card.capability),
        "nvmlDeviceGetMigMode": lambda card: [int(_has(card.parts) is not None), 0],
        "nvmlDeviceGetMaxMigDeviceCount": lambda card: 7,
        "nvmlDeviceGetMigDeviceHandleByIndex": part_at,
    }


def _has(value: Any) -> Any:
    if value is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    return value
