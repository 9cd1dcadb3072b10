"""The connection to a Ray cluster that runs already."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from search.cluster.placement import Node
from search.errors import UsageError

ANSWER_S = 5.0  # for the first connection: Ray itself tries for a minute


@contextmanager
def connected(variables: Mapping[str, str] = os.environ) -> Iterator[Any]:
    """Ray's module, connected to the cluster of `RAY_ADDRESS`, or else to the one that runs on this machine.

    Raises UsageError when Ray is not installed, and when there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise UsageError("--on ray needs Ray: pip install 'marsearch[ray]', the same version on every node") from error
    address = variables.get("RAY_ADDRESS") or "auto"
    _check_address(address)
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"--on ray: no Ray cluster at {address} ({_first_line(error)}): start one with `ray start --head`,"
            " or set RAY_ADDRESS to its HOST:PORT"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def nodes_of(ray: Any) -> tuple[Node, ...]:
    """The nodes that are alive."""
    return tuple(
        Node(
            address=str(node["NodeManagerAddress"]),
            cpus=float(node["Resources"].get("CPU", 0.0)),
            gpus=float(node["Resources"].get("GPU", 0.0)),
        )
        for node in ray.nodes()
        if node["Alive"]
    )


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


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip().rstrip(".")
