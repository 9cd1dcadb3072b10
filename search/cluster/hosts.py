"""The host processes of a search on a Ray cluster: started, replaced when they are lost, stopped in order."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search.log import NEXT
from search.settings import for_child

if TYPE_CHECKING:
    from search.cluster.ray_cluster import Slots

BRIEF_S = 60.0  # a host that is lost sooner than this counts as a failure of its slot
MOST_FAILURES = 6  # of one slot's hosts, by status or soon after their start, after which the slot is given up
PAUSE_S = 4.0  # after a host that ended well, before the next one
LONGEST_PAUSE_S = 30.0  # after a failure
ANSWER_S = 10.0  # within which Ray must tell how a host ended that it reports as ended

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HostExit:
    """How a host process ended. status: of the process, negative for a signal.

    last_line: the last that it wrote, but for the next command to type, which is not for who looks at a cluster.
    """

    status: int
    last_line: str

    @property
    def why(self) -> str:
        """The same in words."""
        told = self.last_line or f"signal {-self.status}"
        return f"status {self.status}: {self.last_line}" if self.status > 0 else told


class HostProcess:
    """Runs one `marsearch work`; a Ray actor. `stop` may be called from another thread while `run` goes on.

    The host watches its parent: when the actor's process dies, the host shuts down in order by itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._stopping = False
        self._lock = threading.Lock()

    def machine(self) -> str:
        """The name of this machine."""
        return socket.gethostname()

    def run(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> HostExit:
        """Run the host to its end, unless it was asked to stop before; what it writes goes to standard error.

        environment: variables on top of this process's own; they hold credentials.
        """
        with self._lock:
            if self._stopping:
                return HostExit(status=0, last_line="")
            self._process = process = subprocess.Popen(
                [sys.executable, "-P", "-m", "search.cli.watched", *arguments],
                env=for_child(os.environ | environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        last_line = ""
        with process:
            for line in process.stderr or ():
                last_line = (not line.startswith(NEXT) and line.strip()) or last_line
                print(line, end="", file=sys.stderr, flush=True)
        return HostExit(status=process.returncode, last_line=last_line)

    def stop(self) -> None:
        """Ask the host to shut down in order; a second time, to hurry."""
        with self._lock:
            self._stopping = True
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)


@dataclass
class HostSlot:
    """A part of the cluster that is meant for one host at a time.

    host: the `HostProcess` and references to what its `machine` and `run` return; None while the next one is not
    started. node: the machine's name, "" until the host has started there. since: when it started, or when it was
    asked for. next_start: monotonic time. closed: no host is to follow.
    """

    name: str
    host: tuple[Any, Any, Any] | None = None
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
        """Ask for the hosts that are due, wait for at most so long for others to end, and note which did."""
        for slot in self.slots:
            if not slot.closed and slot.host is None and time.monotonic() >= slot.next_start:
                actor = self._actors.remote()  # Ray starts it when a node has room
                slot.host = actor, actor.machine.remote(), actor.run.remote(*self._command)
                slot.since = time.monotonic()
        hosts = [(slot, *slot.host[1:]) for slot in self.slots if slot.host is not None]
        waiting = [end for _, _, end in hosts] + [machine for slot, machine, _ in hosts if not slot.node]
        if not waiting:
            time.sleep(seconds)
            return
        ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=seconds)
        for slot, machine, end in hosts:
            if not slot.node and machine in ready:
                with suppress(self._ray.exceptions.RayError):  # its end says what it died of
                    slot.node, slot.since = self._ray.get(machine, timeout=ANSWER_S), time.monotonic()
                    log.info("%s is on %s", slot.name, slot.node)
            if end in ready:
                self._ended(slot, end)

    def start_no_more(self) -> None:
        """Close every slot whose host has not started: the study needs it no more."""
        for slot in self.slots:
            if not slot.node:
                slot.closed = True
                self._free(slot)

    def stop(self) -> None:
        """Ask every host to shut down in order; again, to hurry."""
        self._stopping = True
        self.start_no_more()
        for slot in self.slots:
            if slot.host is not None:
                slot.host[0].stop.remote()

    def kill(self) -> None:
        """End whatever is left."""
        for slot in self.slots:
            with suppress(self._ray.exceptions.RayError):
                self._free(slot)
            slot.closed = True

    def _ended(self, slot: HostSlot, end: Any) -> None:
        try:
            found = self._ray.get(end, timeout=ANSWER_S)
        except self._ray.exceptions.RayError as error:
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            found = HostExit(status=-1, last_line=f"lost with its node or process: {last}")
        where, lasted = f"{slot.name} on {slot.node or 'a node'}", time.monotonic() - slot.since
        self._free(slot)
        pause = PAUSE_S  # a host ends well when the study is over, which we may not have seen yet
        if found.status != 0:
            slot.failures += found.status > 0 or lasted < BRIEF_S
            pause = min(LONGEST_PAUSE_S, 2.0**slot.failures)
        slot.next_start = time.monotonic() + pause
        spent = slot.failures >= MOST_FAILURES
        slot.closed = spent or self._stopping
        if spent:
            self.given_up.append(found)
            log.warning("%s ended badly %d times (%s): it is given up", where, slot.failures, found.why)
        elif found.status != 0:
            log.warning("%s ended (%s)%s", where, found.why, "" if self._stopping else ": it begins anew")

    def _free(self, slot: HostSlot) -> None:
        """Release what the host takes of its node."""
        if slot.host is not None:
            self._ray.kill(slot.host[0])
        slot.host, slot.node = None, ""
