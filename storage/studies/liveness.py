"""Which hosts of a study live, and which running trials no host works on any more: one answer for all callers.

A host writes a heartbeat every ten seconds, and vouches in the same transaction for those of its attempts that make
progress. Both moments are the database's, and are compared with the database's clock. Where its process can be seen,
that outranks the clock: one that is gone is dead at once, one that runs is alive whatever the clock does. After the
database itself was away no silence counts, because no heartbeat could be written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from optuna.trial import TrialState
from sqlalchemy import func, select, type_coerce

from storage.database.clock import UtcTime, database_now
from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialModel
from storage.database.schema import AttemptTable
from storage.database.status import server_age_s
from storage.process_identity import observe
from storage.store import Store
from storage.studies.hosts import HEARTBEAT_S, LEFT, Host, hosts
from storage.studies.sightings import Sightings
from storage.studies.studies import study_id

UNCHANGED_S = 2 * HEARTBEAT_S  # an observer that looks again takes no host for silent before so long
RECOVERY_S = 40.0  # after the database was away: until every host has had the time to be heard again


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Whether a host is there. state: "lost" when it is not, although it has not left; reason: why it is not there."""

    host: Host
    state: Literal["working", "left", "lost"]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StaleAttempt:
    """A running trial that no host works on any more.

    trial: its number. host: the id of the host that held it, empty for none. reason: for people.
    """

    trial: int
    host: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Running:
    """A running trial. heard: when its host vouched for it or, without a host, it was begun. silent_s: since then."""

    trial: int
    host: str
    heard: datetime
    silent_s: float


def presences(store: Store, study: str) -> tuple[Presence, ...]:
    """Every host of the study and whether it is there, in the order they came. Raises StudyError (unknown study)."""
    known, judge = hosts(store, study), _Judge(store.grace_s, recently_unavailable(store))
    return tuple(judge.presence(host) for host in known)


def attending(store: Store, study: str) -> tuple[Host, ...]:
    """The hosts that are there, in the order they came. Raises StudyError for an unknown study."""
    return tuple(each.host for each in presences(store, study) if each.state == "working")


def stale_attempts(
    store: Store, study: str, *, local: bool = False, myself: str = "", seen_before: Sightings | None = None
) -> tuple[StaleAttempt, ...]:
    """The running trials that no host works on, in order of their numbers. Raises StudyError for an unknown study.

    local: only those whose host can be seen to be gone, which is quick.
    myself: the id of the host that asks; it never judges itself.
    seen_before: what this observer saw when it looked before. It then takes only heartbeats for silent that it has
    itself seen unchanged for a while, so that no jump of the database's clock costs a live host its trials.
    """
    running = [each for each in _running(store, study) if not myself or each.host != myself]
    if not running:
        return ()
    known = {host.id: host for host in hosts(store, study)}
    unchanged = _look(seen_before, known, running) if seen_before is not None and not local else None
    judge = _Judge(store.grace_s, local or recently_unavailable(store), unchanged)
    found = ((each, judge.stale(each, known.get(each.host))) for each in running)
    return tuple(StaleAttempt(trial=each.trial, host=each.host, reason=reason) for each, reason in found if reason)


def recently_unavailable(store: Store) -> bool:
    """Whether the database was away, for so long and until so lately, that no host's silence means anything."""
    recovery = min(RECOVERY_S, store.grace_s)
    if store.retry_policy.was_away(longer_than=store.grace_s - recovery, within=recovery):
        return True
    age = store.transact(server_age_s)
    return age is not None and age < recovery


@dataclass(frozen=True)
class _Judge:
    """What one look goes by.

    grace_s: how old a heartbeat may be. deaf: silence does not count. unchanged: for how many seconds an observer that
    looks again and again has seen each heartbeat as it is now; None for one that looks once.
    """

    grace_s: float
    deaf: bool
    unchanged: Mapping[str, float] | None = None

    def presence(self, host: Host) -> Presence:
        """Whether the host is there."""
        who = f"process {host.info.process.pid} on {host.info.name}"
        if host.state == LEFT:
            return Presence(host=host, state="left", reason=f"its host, {who}, has left")
        seen = observe(host.info.process)
        if seen == "gone":
            return Presence(host=host, state="lost", reason=f"its host, {who}, died")
        if self._silent(f"host {host.id}", host.silent_s, runs=seen == "runs"):
            return Presence(host=host, state="lost", reason=self._silence())
        return Presence(host=host, state="working")

    def stale(self, running: _Running, host: Host | None) -> str:
        """Why no host works on the trial; empty when one does."""
        trial = f"trial {running.trial}"
        if host is None:
            return self._silence() if self._silent(trial, running.silent_s) else ""
        there = self.presence(host)
        if there.state != "working":
            return there.reason
        behind_s = (host.heartbeat - running.heard).total_seconds()  # both by one clock, and mostly by one statement
        stuck = not self.deaf and behind_s > self.grace_s and self._stood(trial)
        return f"its host made no progress with it for {self.grace_s:.0f} s" if stuck else ""

    def _silence(self) -> str:
        return f"its host gave no sign of life for {self.grace_s:.0f} s"

    def _silent(self, name: str, silent_s: float, *, runs: bool = False) -> bool:
        """Whether a heartbeat is too old; one that was seen unchanged for the grace period is so by any clock."""
        if self.deaf:
            return False
        if self.unchanged is not None and self.unchanged[name] >= self.grace_s:
            return True
        return not runs and silent_s > self.grace_s and self._stood(name)

    def _stood(self, name: str) -> bool:
        return self.unchanged is None or self.unchanged[name] >= min(UNCHANGED_S, self.grace_s)


def _look(seen: Sightings, known: Mapping[str, Host], running: Iterable[_Running]) -> dict[str, float]:
    of_hosts = {f"host {host.id}": host.heartbeat for host in known.values()}
    return seen.look(of_hosts | {f"trial {each.trial}": each.heard for each in running})


def _running(store: Store, study: str) -> list[_Running]:
    number = study_id(store, study)
    heard = type_coerce(func.coalesce(AttemptTable.heard, TRIAL_STARTED_UTC, database_now()), UtcTime())
    query = (
        select(TrialModel.number, func.coalesce(AttemptTable.host, ""), heard, database_now())
        .outerjoin(AttemptTable, AttemptTable.trial_id == TrialModel.trial_id)
        .where(TrialModel.study_id == number, TrialModel.state == TrialState.RUNNING)
        .order_by(TrialModel.number)
    )
    rows = store.transact(lambda session: session.execute(query).all())
    return [
        _Running(trial=trial, host=host, heard=heard, silent_s=(now - heard).total_seconds())
        for trial, host, heard, now in rows
    ]
