"""Optuna's own database storage, made safe for many workers and for answers that are lost.

Optuna locks a row with FOR UPDATE before it changes the state. SQLite ignores that, so two slots could claim the same
waiting trial, or a reaper could fail a trial while its worker completes it. Here each change of state is one UPDATE
that names the state it starts from: the number of changed rows says who won, on every database.

What must not happen twice (a study or a trial made, a state changed) carries a key in the same transaction, so that
a repetition sees what was done although its answer was lost.
"""

from __future__ import annotations

import copy
import itertools
import uuid
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.database.clock import database_now
from storage.database.optuna_schema import (
    DEFAULT_STUDY_NAME_PREFIX,
    TRIAL_COMPLETED_UTC,
    TRIAL_STARTED_UTC,
    StudyDirectionModel,
    StudyModel,
    TrialModel,
    TrialSystemAttributeModel,
    begin_now,
    scoped_session,
    set_trial_id,
    utc_times_of,
)
from storage.errors import StudyFull
from storage.trials.finish import begin_attempt, store_value
from storage.trials.idempotency import (
    CHANGED,
    MADE,
    changed,
    find_study,
    find_trial,
    key_study,
    key_trial,
    new_idempotency_key,
)
from storage.trials.retries import HISTORY, database_of
from storage.trials.retrying_storage import RetryingStorage
from storage.trials.trial_rows import Distributions, read_trial, read_trials
from storage.trials.trial_times import local_time


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who trains a trial: the id of the host, and the device of its worker."""

    host: str
    device: str


_HOLDER: ContextVar[Holder | None] = ContextVar("holder", default=None)  # of this thread


class TrialStorage(RetryingStorage):
    """Optuna's storage as all of marsearch uses it; its arguments are those of `RetryingStorage`."""

    _most: dict[int, int]
    _known: Distributions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._most = {}
        self._known = {}
        super().__init__(*args, **kwargs)

    @contextmanager
    def held_by(self, holder: Holder) -> Iterator[None]:
        """Each trial that this thread begins in the block gets an attempt of this host, in one transaction."""
        before = _HOLDER.set(holder)
        try:
            yield
        finally:
            _HOLDER.reset(before)

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Make a study; its id. DuplicatedStudyError when another one has that name."""
        name, key = (
            f"{DEFAULT_STUDY_NAME_PREFIX}{uuid.uuid4()}" if study_name is None else study_name,
            new_idempotency_key(),
        )
        return self.retry_policy.call(lambda: self._make_study(directions, name, key))

    def _make_study(self, directions: Sequence[StudyDirection], name: str, key: str) -> int:
        try:
            with scoped_session(self.scoped_session) as session:
                rows = [StudyDirectionModel(objective=o, direction=d) for o, d in enumerate(directions)]
                study: Any = StudyModel(study_name=name, directions=rows)
                session.add(study)
                session.flush()
                key_study(session, study.study_id, key)
                return int(study.study_id)
        except IntegrityError:
            with scoped_session(self.scoped_session) as session:
                ours = find_study(session, name, key)
            if ours is None:
                raise DuplicatedStudyError from None
            return ours

    def delete_study(self, study_id: int) -> None:
        """Delete the study and its trials. KeyError when there is none of that id."""
        seen = False

        def delete() -> None:
            nonlocal seen
            with scoped_session(self.scoped_session, ignore_integrity_error=True) as session:
                study: Any = session.get(StudyModel, study_id)
                if study is None and not seen:
                    raise KeyError(f"there is no study with id {study_id}")
                if study is not None:
                    seen = True
                    session.delete(study)

        self.retry_policy.call(delete)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial. KeyError when there is none of that id."""

        def read() -> FrozenTrial:
            with scoped_session(self.scoped_session) as session:
                return read_trial(session, trial_id, self._known)

        return self.retry_policy.call(read)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """What Optuna's cache asks before each trial."""
        some = None if states is None else [state for state in TrialState if state in states]

        def read() -> list[FrozenTrial]:
            with scoped_session(self.scoped_session) as session:
                after, among = trial_id_greater_than, included_trial_ids
                trials = read_trials(session, study_id, self._known, after=after, among=among, states=some)
                if not trials:
                    StudyModel.find_or_raise_by_id(study_id, session)
                return trials

        return self.retry_policy.call(read)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        key, tries = new_idempotency_key(), itertools.count()
        return self.retry_policy.call(lambda: self._make_trial(study_id, template_trial, key, again=next(tries) > 0))

    def _begin_attempt(self, session: Session, trial_id: int) -> None:
        holder = _HOLDER.get()
        if holder is not None:
            begin_attempt(session, trial_id, holder.host, holder.device)

    def _make_trial(self, study_id: int, template: FrozenTrial | None, key: str, again: bool) -> FrozenTrial:
        with scoped_session(self.scoped_session) as session:
            # Under this lock a number is given once, and an earlier try of ours has ended before we look for it.
            StudyModel.find_or_raise_by_id(study_id, session, for_update=True)
            made = find_trial(session, study_id, key) if again else None
            if made is not None:
                return self._build_frozen_trial_from_trial_model(made)
            trial: Any = (
                _prepare(study_id, session)
                if template is None
                else self._get_prepared_new_trial(study_id, template, session)
            )
            # After the insertion, which on SQLite is what locks; the error takes it back.
            most = self._most.get(study_id)
            if template is None and most is not None and _more_than(most, session, study_id):
                raise StudyFull(f"study {study_id} has all of its {most} trials")
            key_trial(session, trial.trial_id, MADE, key)
            if template is None:
                self._begin_attempt(session, trial.trial_id)
            return _frozen(trial, template)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change the state, and store the values with it, only from a state that allows it.

        False when a trial to be claimed is not waiting any more; UpdateFinishedTrialError (RuntimeError) when it is
        finished; KeyError when there is none of that id.
        """
        key = new_idempotency_key()
        return self.retry_policy.call(lambda: self._change(trial_id, state, values, key))

    def _change(self, trial_id: int, state: TrialState, values: Sequence[float] | None, key: str) -> bool:
        allowed = (TrialState.WAITING,) if state == TrialState.RUNNING else (TrialState.WAITING, TrialState.RUNNING)
        with scoped_session(self.scoped_session) as session:
            # First the change, which waits for an earlier try of ours that may still be under way, then the question
            # whether that one did it.
            if not _change_state(session, trial_id, state, allowed):
                found: Any = TrialModel.find_or_raise_by_id(trial_id, session)
                if found.state == state and changed(session, trial_id, key):
                    return True
                self.check_trial_is_updatable(trial_id, found.state)
                return False
            for objective, value in enumerate(values or ()):
                store_value(session, trial_id, objective, value)
            key_trial(session, trial_id, CHANGED, key)
            if state == TrialState.RUNNING:
                self._begin_attempt(session, trial_id)
        return True


def sample_at_most(storage: BaseStorage, study_id: int, trials: int) -> None:
    """From now on sample no trial of this study, through this storage, beyond so many: StudyFull is raised instead.

    Retries of a trial count as that trial, and those that wait as if they had begun. Two hosts that ask for the last
    one at the same moment would each get it otherwise.
    """
    database = database_of(storage)
    assert isinstance(database, TrialStorage)
    database._most[study_id] = trials


def _prepare(study_id: int, session: Session) -> Any:
    """A running trial with the next number, in one statement: everyone else waits for it under the study's lock."""
    table: Any = TrialModel
    number = select(func.count(table.trial_id)).where(table.study_id == study_id).scalar_subquery()
    trial = table(study_id=study_id, number=number, state=TrialState.RUNNING)
    begin_now(trial)
    session.add(trial)
    session.flush()
    return trial


def _more_than(most: int, session: Session, study_id: int) -> bool:
    """Whether the study has more trials, each with all of its retries counted as one."""
    table: Any = TrialModel
    attribute: Any = TrialSystemAttributeModel
    query = select(func.count(table.trial_id)).where(table.study_id == study_id)
    rows = int(session.scalar(query) or 0)
    if rows <= most:
        return False  # without a look at the retries, as nearly always
    retries = query.join(attribute, attribute.trial_id == table.trial_id).where(attribute.key == HISTORY)
    return rows - int(session.scalar(retries) or 0) > most


def _frozen(trial: Any, template: FrozenTrial | None) -> FrozenTrial:
    """The new trial as Optuna gives it back, without asking the database again."""
    frozen = copy.deepcopy(template) or create_trial(state=trial.state)
    frozen.number, frozen.datetime_start = trial.number, local_time(utc_times_of(trial)[0])
    set_trial_id(frozen, trial.trial_id)
    return frozen


def _change_state(session: Session, trial_id: int, state: TrialState, allowed: tuple[TrialState, ...]) -> bool:
    times: dict[Any, Any] = {}
    if state == TrialState.RUNNING:
        times = {TRIAL_STARTED_UTC: database_now()}
    elif state.is_finished():
        times = {TRIAL_COMPLETED_UTC: database_now()}
    done = session.execute(
        update(TrialModel)
        .where(TrialModel.trial_id == trial_id, TrialModel.state.in_(allowed))
        .values({TrialModel.state: state, **times})
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]
