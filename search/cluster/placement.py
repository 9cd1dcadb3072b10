"""How many slots a cluster gets, and what each of them takes of a node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of a cluster. address: of its machine, which several nodes may share. cpus, gpus: all that it has."""

    address: str
    cpus: float
    gpus: float


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Slots of equal size. count: how many are wanted. room: how many the cluster holds now. cpus, gpus: of each."""

    count: int
    room: int
    cpus: int
    gpus: float


def size_slots(nodes: Sequence[Node], workers: int | None, gpus_per_slot: float | None) -> Slots:
    """Give each slot its GPU, or its part of one, and as many whole CPUs as all of them can have.

    workers: slots over all nodes, None for one per GPU's part, or one per two CPUs. gpus_per_slot: 0 to 1, None for a
    whole GPU where there are any, else none. Where there is no room for all, each takes one CPU and the rest must wait.
    """
    if gpus_per_slot is None:
        gpus_per_slot = 1.0 if any(node.gpus >= 1 for node in nodes) else 0.0
    least = 1 if gpus_per_slot else 2
    count = workers or max(1, _room(nodes, least, gpus_per_slot) or _room(nodes, 1, gpus_per_slot))
    most = math.floor(max((node.cpus for node in nodes), default=1.0))
    cpus = next((c for c in range(most, 1, -1) if _room(nodes, c, gpus_per_slot) >= count), 1)
    return Slots(count=count, room=_room(nodes, cpus, gpus_per_slot), cpus=cpus, gpus=gpus_per_slot)


def _room(nodes: Sequence[Node], cpus: int, gpus: float) -> int:
    """How many slots of that size fit; a slot's part of a GPU is never put together from two."""
    return sum(min(math.floor(node.cpus / cpus), _on_gpus(node, gpus)) for node in nodes)


def _on_gpus(node: Node, gpus: float) -> int:
    return math.floor(node.gpus) * math.floor(1 / gpus + 1e-9) if gpus else math.floor(node.cpus)
