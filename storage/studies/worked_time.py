"""How long hosts have worked on a study, counted by the hosts themselves at intervals, by the database's clock."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.database.clock import database_now
from storage.database.schema import StudyTable
from storage.store import Store
from storage.studies.studies import study_id


class WorkedTime:
    """What one host adds to the time of its study: the time since any host has last done so.

    An hour counts once, however many hosts work in it. After a longer silence than a live host's, nothing is added:
    nobody has worked, or a clock was set forward. The sum is what hosts go by, never a clock of their own.
    """

    def __init__(self, store: Store, study: str) -> None:
        self._store = store
        self._study_id = study_id(store, study)
        self._ahead: datetime | None = None  # what was last counted until, by a clock that is ahead of this one

    def count(self) -> None:
        """Add what has passed. Again after a lost answer it adds what has passed since."""
        self._store.transact(self._count)

    def _count(self, session: Session) -> None:
        row = StudyTable
        asked = select(row.worked_until, database_now()).where(row.study_id == self._study_id)
        found = session.execute(asked).one_or_none()
        if found is None:
            return  # the study was deleted
        until, now = found
        if until is not None and now < until != self._ahead:
            self._ahead = until  # the file of an SQLite has the clocks of all who use it; one that was set back stands
            return
        passed = (now - until).total_seconds() if until is not None else 0.0
        added = passed if 0 <= passed <= self._store.grace_s else 0.0
        seen = (row.study_id == self._study_id, row.worked_until.is_not_distinct_from(until))
        session.execute(update(row).where(*seen).values(worked_s=row.worked_s + added, worked_until=now))
