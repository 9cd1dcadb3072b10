"""The host processes of a search on a Ray cluster: started, replaced when they are lost, stopped in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from search.cluster.host_process import HostExit, HostProcess
from search.cluster.placement import Slots

BRIEF_S = 60.0  # a host that is lost sooner than this counts as a failure of its slot
MOST_FAILURES = 6  # of one slot's hosts, by status or soon after their start, after which the slot is given up
PAUSE_S = 4.0  # after a host that ended well, before the next one
LONGEST_PAUSE_S = 30.0  # after a failure
ANSWER_S = 10.0  # within which Ray must tell how a host ended that it reports as ended

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RayHost:
    """Ray's handles of one host. actor: a `HostProcess`. machine, exit: references to what its methods return."""

    actor: Any
    machine: Any
    exit: Any


@dataclass
class HostSlot:
    """A part of the cluster that is meant for one host at a time.

    host: None while the next one is not started. node: the machine's name, "" until the host has started there.
    since: when it started, or when it was asked for. next_start: monotonic time. closed: no host is to follow.
    """

    name: str
    host: RayHost | None = None
    node: str = ""
    since: float = 0.0
    failures: int = 0
    next_start: float = 0.0
    closed: bool = False


class ClusterHosts:
    """Hosts of one slot each; used by one thread."""

    def __init__(self, ray: Any, size: Slots, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """arguments: of `marsearch`. environment: of each host.

        The environment holds credentials, so it travels as an argument of a method, which Ray neither shows nor logs:
        Ray's own `runtime_env` is on a command line for a moment.
        """
        self.slots = [HostSlot(name=f"slot {number + 1}") for number in range(size.count)]
        self.given_up: list[HostExit] = []  # how the last host of each slot that was given up ended
        self._ray = ray
        self._command = (arguments, environment)
        self._stopping = False
        options = {"num_cpus": size.cpus, "num_gpus": size.gpus, "max_concurrency": 2, "max_restarts": 0}
        self._actors = ray.remote(**options)(HostProcess)

    def alive(self) -> bool:
        """Whether any slot has a host, or is to get one."""
        return not all(slot.closed for slot in self.slots)

    def poll(self, seconds: float) -> None:
        """Start the hosts that are due, wait for at most so long for others to end, and note which did."""
        for slot in self.slots:
            if not slot.closed and slot.host is None and time.monotonic() >= slot.next_start:
                self._start(slot)
        hosts = [(slot, slot.host) for slot in self.slots if slot.host is not None]
        waiting = [host.exit for _, host in hosts] + [host.machine for slot, host in hosts if not slot.node]
        if not waiting:
            time.sleep(seconds)
            return
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=seconds)
        for slot, host in hosts:
            if not slot.node and host.machine in ready:
                self._started(slot, host)
            if host.exit in ready:
                self._ended(slot, host)

    def start_no_more(self) -> None:
        """Close every slot whose host has not started: the study needs it no more."""
        for slot in self.slots:
            if not slot.closed and not slot.node:
                self._free(slot)
                slot.closed = True

    def stop(self) -> None:
        """Ask every host to shut down in order; again, to hurry."""
        self._stopping = True
        self.start_no_more()
        for slot in self.slots:
            if slot.host is not None:
                slot.host.actor.stop.remote()

    def kill(self) -> None:
        """End whatever is left."""
        for slot in self.slots:
            with suppress(self._ray.exceptions.RayError):
                self._free(slot)
            slot.closed = True

    def _start(self, slot: HostSlot) -> None:
        """Ask for a host; Ray starts it when a node has room."""
        actor = self._actors.remote()
        slot.host = RayHost(actor=actor, machine=actor.machine.remote(), exit=actor.run.remote(*self._command))
        slot.node, slot.since = "", time.monotonic()

    def _started(self, slot: HostSlot, host: RayHost) -> None:
        with suppress(self._ray.exceptions.RayError):  # its end says what it died of
            slot.node, slot.since = self._ray.get(host.machine, timeout=ANSWER_S), time.monotonic()
            log.info("%s is on %s", slot.name, slot.node)

    def _ended(self, slot: HostSlot, host: RayHost) -> None:
        try:
            found = self._ray.get(host.exit, timeout=ANSWER_S)
        except self._ray.exceptions.RayError as error:
            found = HostExit(status=-1, last_line=f"lost with its node or process: {_last_line(error)}")
        node, lasted = slot.node or "a node", time.monotonic() - slot.since
        self._free(slot)
        pause = PAUSE_S  # a host ends well when the study is over, which we may not have seen yet
        if found.status != 0:
            slot.failures += found.status > 0 or lasted < BRIEF_S
            pause = min(LONGEST_PAUSE_S, 2.0**slot.failures)
            self._report(slot, node, found)
        slot.next_start = time.monotonic() + pause
        slot.closed = slot.failures >= MOST_FAILURES or self._stopping

    def _report(self, slot: HostSlot, node: str, found: HostExit) -> None:
        """Log what became of a host that failed, and of its slot."""
        if slot.failures >= MOST_FAILURES:
            self.given_up.append(found)
            log.warning(
                "%s on %s ended badly %d times (%s): it is given up", slot.name, node, slot.failures, _why(found)
            )
        else:
            follows = "" if self._stopping else ": it begins anew"
            log.warning("%s on %s ended (%s)%s", slot.name, node, _why(found), follows)

    def _free(self, slot: HostSlot) -> None:
        """Release what the host takes of its node."""
        if slot.host is not None:
            self._ray.kill(slot.host.actor)
        slot.host, slot.node = None, ""


def _why(found: HostExit) -> str:
    words = found.last_line
    return f"status {found.status}: {words}" if found.status > 0 else words or f"signal {-found.status}"


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
