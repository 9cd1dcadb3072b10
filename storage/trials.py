"""Optuna's own database storage, with the changes of state made safe for many workers.

Optuna locks a row with FOR UPDATE before it changes the state. SQLite ignores that, so two slots could claim the same
waiting trial, or a reaper could fail a trial while its worker completes it. Here each change of state is one UPDATE
that names the state it starts from: the number of changed rows says who won, on every database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import update
from sqlalchemy.orm import Session

from storage.engine import engine_options, read_url

HEARTBEAT_S = 30
GRACE_S = 180


class TrialStorage(RDBStorage):
    """RDBStorage with our engine options, a heartbeat, and changes of state by compare-and-set.

    url: as `storage.engine.read_url` takes it.
    heartbeat_interval, grace_period: seconds between two signs of life of a running trial, and until a silent one
    counts as dead. heartbeat_stale_trial_callback: what happens to a dead one.
    skip_table_creation, skip_compatibility_check: as Optuna's.
    Raises DatabaseError for a URL that names no database of ours; Optuna's errors otherwise.
    """

    def __init__(
        self,
        url: str,
        *,
        heartbeat_interval: int | None = HEARTBEAT_S,
        grace_period: int | None = GRACE_S,
        heartbeat_stale_trial_callback: Callable[[Study, FrozenTrial], None] | None = None,
        skip_compatibility_check: bool = False,
        skip_table_creation: bool = False,
    ) -> None:
        try:
            super().__init__(
                read_url(url).render_as_string(hide_password=False),
                engine_kwargs=engine_options(url),
                grace_period=grace_period,
                heartbeat_stale_trial_callback=heartbeat_stale_trial_callback,
                skip_compatibility_check=skip_compatibility_check,
                skip_table_creation=skip_table_creation,
            )
        except BaseException:
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise
        # Set here and not through the constructor, which would warn that heartbeats are experimental.
        self.heartbeat_interval = heartbeat_interval

    @staticmethod
    def _fill_storage_url_template(template: str) -> str:
        return template  # ours has no placeholders, and a brace in a path or a password is only a brace

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """Change the state, and store the values with it, only from a state that allows it.

        False when a trial to be claimed is not waiting any more; UpdateFinishedTrialError (RuntimeError) when it is
        finished; KeyError when there is none of that id.
        """
        allowed = (TrialState.WAITING,) if state == TrialState.RUNNING else (TrialState.WAITING, TrialState.RUNNING)
        with _create_scoped_session(self.scoped_session) as session:
            if not _change_state(session, trial_id, state, allowed):
                found: Any = models.TrialModel.find_or_raise_by_id(trial_id, session)
                self.check_trial_is_updatable(trial_id, found.state)
                return False
            for objective, value in enumerate(values or ()):
                _store_value(session, trial_id, objective, value)
        return True


def _change_state(session: Session, trial_id: int, state: TrialState, allowed: tuple[TrialState, ...]) -> bool:
    now = datetime.now(UTC).replace(tzinfo=None)  # Optuna keeps naive UTC
    times: dict[str, Any] = {}
    if state == TrialState.RUNNING:
        times = {"_datetime_start_utc": now}
    elif state.is_finished():
        times = {"_datetime_complete_utc": now}
    changed = session.execute(
        update(models.TrialModel)
        .where(models.TrialModel.trial_id == trial_id, models.TrialModel.state.in_(allowed))
        .values(state=state, **times)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount == 1)  # type: ignore[attr-defined]


def _store_value(session: Session, trial_id: int, objective: int, value: float) -> None:
    number, kind = models.TrialValueModel.value_to_stored_repr(value)
    known = session.query(models.TrialValueModel).filter_by(trial_id=trial_id, objective=objective).one_or_none()
    row = known or models.TrialValueModel(trial_id=trial_id, objective=objective)
    row.value, row.value_type = number, kind
    session.add(row)
