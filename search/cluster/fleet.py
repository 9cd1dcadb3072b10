"""The hosts of a search on a Ray cluster: begun, replaced when they are lost, ended in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from search.cluster.placement import Slots
from search.cluster.slot_host import Ended, SlotHost

BRIEF_S = 60.0  # a host that was lost sooner than this had no luck, or no chance
MOST_BAD = 6  # ends of one slot's hosts, by failure or soon after their start, after which it is given up
REST_S = 4.0  # after a good end, before the next host
LONGEST_S = 30.0  # between a bad end and the next host
RAY_TELLS_S = 10.0  # until Ray must say how a host ended that it has just ended


@dataclass
class Slot:
    """One place for a host, and the host that has it now.

    actor, place, ended: Ray's handles of it; none while the next host waits to be begun, or when the slot is done.
    node: the machine's name, "" until the host has begun there. since: when it began, or when it was asked for.
    bad: how often that ended badly. due: when the next one may begin. done: no host is to come any more.
    """

    name: str
    actor: Any = None
    place: Any = None
    ended: Any = None
    node: str = ""
    since: float = 0.0
    bad: int = 0
    due: float = 0.0
    done: bool = False


@dataclass
class Fleet:
    """Hosts of one slot each, minded by one thread.

    ray: Ray's module, connected. arguments: of `marsearch`. environment: of each host; it holds credentials, so it
    travels as an argument, which Ray neither shows nor logs (its own `runtime_env` is on a command line for a moment).
    say: takes sentences for the person. failed: how the hosts ended that made us give up slots. leaving: whether all
    were asked to go.
    """

    ray: Any
    size: Slots
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    say: Callable[[str], None]
    failed: list[Ended] = field(default_factory=list)
    leaving: bool = False

    def __post_init__(self) -> None:
        self.slots = [Slot(name=f"slot {number + 1}") for number in range(self.size.count)]
        options = {"num_cpus": self.size.cpus, "num_gpus": self.size.gpus, "max_concurrency": 2, "max_restarts": 0}
        self._hosts = self.ray.remote(**options)(SlotHost)

    def alive(self) -> bool:
        """Whether any slot has a host, or is to get one."""
        return not all(slot.done for slot in self.slots)

    def look(self, seconds: float) -> None:
        """Begin what is due, wait at most so long for what ends, and see to that."""
        for slot in self.slots:
            if not slot.done and slot.actor is None and time.monotonic() >= slot.due:
                self._begin(slot)
        waiting = [ref for slot in self.slots for ref in (slot.place, slot.ended) if ref is not None]
        if not waiting:
            time.sleep(seconds)
            return
        ready, _ = self.ray.wait(waiting, num_returns=len(waiting), timeout=seconds)
        for slot in self.slots:
            if slot.place in ready:
                self._begun(slot)
            if slot.ended in ready:
                self._ended(slot)

    def begin_no_more(self) -> None:
        """Give up every slot whose host has not begun: the study needs it no more."""
        for slot in self.slots:
            if not slot.done and not slot.node:
                self._let_go(slot)
                slot.done = True

    def stop(self) -> None:
        """Ask every host to leave in order; again, to hurry."""
        self.leaving = True
        self.begin_no_more()
        for slot in self.slots:
            if slot.actor is not None:
                slot.actor.stop.remote()

    def end(self) -> None:
        """End whatever is left."""
        for slot in self.slots:
            with suppress(self.ray.exceptions.RayError):
                self._let_go(slot)
            slot.done = True

    def _begin(self, slot: Slot) -> None:
        """Ask for a host; Ray begins it when a node has room."""
        slot.actor = self._hosts.remote()
        slot.place, slot.ended = slot.actor.where.remote(), slot.actor.run.remote(self.arguments, self.environment)
        slot.node, slot.since = "", time.monotonic()

    def _begun(self, slot: Slot) -> None:
        with suppress(self.ray.exceptions.RayError):  # what it died of, its end says, too
            slot.node, slot.since = self.ray.get(slot.place, timeout=RAY_TELLS_S), time.monotonic()
            self.say(f"{slot.name} is on {slot.node}")
        slot.place = None

    def _ended(self, slot: Slot) -> None:
        try:
            ended = self.ray.get(slot.ended, timeout=RAY_TELLS_S)
        except self.ray.exceptions.RayError as error:
            ended = Ended(status=-1, said=f"lost with its node or process: {_last_line(error)}")
        place, lived = slot.node or "a node", time.monotonic() - slot.since
        self._let_go(slot)
        if ended.status != 0:
            slot.bad += ended.status > 0 or lived < BRIEF_S
            self._tell(slot, place, ended)
        # A host leaves well when the study is over, which we may not have seen yet.
        slot.due = time.monotonic() + (min(LONGEST_S, 2.0**slot.bad) if ended.status else REST_S)
        slot.done = slot.bad >= MOST_BAD or self.leaving

    def _tell(self, slot: Slot, place: str, ended: Ended) -> None:
        """Say what became of a host that did not end well, and of its slot."""
        if slot.bad >= MOST_BAD:
            self.failed.append(ended)
            self.say(f"{slot.name} on {place} ended badly {slot.bad} times ({_why(ended)}): it is given up")
        else:
            self.say(f"{slot.name} on {place} ended ({_why(ended)}){'' if self.leaving else ': it begins anew'}")

    def _let_go(self, slot: Slot) -> None:
        """Free what the host took of its node."""
        if slot.actor is not None:
            self.ray.kill(slot.actor)
        slot.actor = slot.place = slot.ended = None
        slot.node = ""


def _why(ended: Ended) -> str:
    return f"status {ended.status}: {ended.said}" if ended.status > 0 else ended.said or f"signal {-ended.status}"


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
