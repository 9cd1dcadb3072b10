"""A Ray cluster that runs already: the connection, and what each host gets of it."""

from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.errors import UsageError
from search.settings import STORAGE_VARIABLES, Settings
from storage.database.engine import read_url, redact
from storage.database.sqlite_url import sqlite_url

ANSWER_S = 5.0  # for the first connection: Ray itself tries for a minute


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

    def note(self, nodes: int) -> str:
        """A sentence on what is asked of the cluster, and on what has to wait."""
        each = f"{self.cpus} CPUs" if self.cpus > 1 else "1 CPU"
        each += f" and {self.gpus:g} GPU" if self.gpus else ""
        waits = f"; there is room for {self.room}, the others wait for more" if self.room < self.count else ""
        return f"{self.count} slots on {nodes} nodes, {each} each{waits}"


@contextmanager
def connected() -> Iterator[Any]:
    """Ray's module, connected to the cluster of `RAY_ADDRESS`, or else to the one that runs on this machine.

    Raises UsageError when Ray is not installed, and when there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("--on ray needs Ray: pip install 'marsearch[ray]', the same version on every node") from error
    address = os.environ.get("RAY_ADDRESS") or "auto"
    _check_address(address)
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0].strip().rstrip(".")
        raise UsageError(
            f"--on ray: no Ray cluster at {address} ({why}): start one with `ray start --head`,"
            " or set RAY_ADDRESS to its HOST:PORT"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def nodes_of(ray: Any) -> tuple[Node, ...]:
    """The nodes that are alive."""
    alive = [(str(node["NodeManagerAddress"]), node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return tuple(Node(address=a, cpus=float(r.get("CPU", 0.0)), gpus=float(r.get("GPU", 0.0))) for a, r in alive)


def size_slots(nodes: Sequence[Node], workers: int | None, per_gpu: int | None) -> Slots:
    """Give each slot its GPU, or its part of one, and as many whole CPUs as all of them can have.

    workers: slots over all nodes, None for one per GPU's part, or one per two CPUs. per_gpu: slots that share a GPU, 0
    for none on any; None for one where there are any, else none. Where there is no room for all, each takes one CPU and
    the rest must wait.
    """
    if per_gpu is None:
        per_gpu = int(any(node.gpus >= 1 for node in nodes))
    gpus = 1 / per_gpu if per_gpu else 0.0
    least = 1 if gpus else 2
    count = workers or max(1, _room(nodes, least, gpus) or _room(nodes, 1, gpus))
    most = math.floor(max((node.cpus for node in nodes), default=1.0))
    cpus = next((c for c in range(most, 1, -1) if _room(nodes, c, gpus) >= count), 1)
    return Slots(count=count, room=_room(nodes, cpus, gpus), cpus=cpus, gpus=gpus)


def environment_of(settings: Settings, nodes: Sequence[Node], variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of every host. They are secret: pass them in memory, never on a command line or in a log.

    A relative home is the same absolute path on each node, where it is created.
    Raises UsageError for an SQLite file, and for a relative artifact folder, when there are several machines;
    DatabaseError for a URL that is none.
    """
    machines = len({node.address for node in nodes})
    url, artifacts, parsed = settings.storage, settings.artifacts, read_url(settings.storage)
    if parsed.drivername.startswith("sqlite"):
        if machines > 1:
            raise UsageError(
                f"MARSEARCH_STORAGE={redact(url)}: a file that {machines} machines cannot share, a PostgreSQL URL that"
                " all of them reach was expected"
            )
        url = sqlite_url(Path(parsed.database or "").absolute())
    if "://" not in artifacts and not Path(artifacts).is_absolute():
        if machines > 1:
            raise UsageError(
                f"MARSEARCH_ARTIFACTS={artifacts}: another folder on each of {machines} machines, s3://bucket/prefix"
                " or the absolute path of a folder that all of them share was expected"
            )
        artifacts = str(Path(artifacts).absolute())
    home, artifacts = (path.replace("$", "$$") for path in (str(settings.home.absolute()), artifacts))  # read once more
    places = {"HOME": home, "STORAGE": url, "ARTIFACTS": artifacts}
    passed_on = {name: value for name, value in variables.items() if name.startswith(STORAGE_VARIABLES)}
    return passed_on | {f"MARSEARCH_{name}": value for name, value in places.items()}


def _check_address(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), ANSWER_S).close()
    except OSError as error:
        raise UsageError(
            f"RAY_ADDRESS={address}: nobody answers there ({error.strerror or error}): HOST:PORT of the cluster's head"
            " was expected, 6379 unless it was started otherwise"
        ) from error


def _room(nodes: Sequence[Node], cpus: int, gpus: float) -> int:
    """How many slots of that size fit; a slot's part of a GPU is never put together from two."""
    on_one_gpu = math.floor(1 / gpus + 1e-9) if gpus else 0
    return sum(
        math.floor(min(node.cpus / cpus, math.floor(node.gpus) * on_one_gpu if gpus else node.cpus)) for node in nodes
    )
