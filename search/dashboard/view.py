"""Studies as the dashboard shows them: read quickly, curves thinned, constraints and lost trials as they are meant.

optuna-dashboard 0.21 takes any storage. What it makes of one as it is: it does not know Optuna's new constraints, so
that an infeasible trial is called the best; and one running trial early in the study, which nobody trains any more,
makes every browser load all later ones again and again.
"""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from optuna.storages._cached_storage import _CachedStorage, _StudyInfo
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.orm import Session

from search.studies.checkpoints import remove_study
from storage.database.optuna_schema import trial_id_of
from storage.errors import StudyError
from storage.garbage import uncollected
from storage.store import Store
from storage.studies.liveness import stale_attempts
from storage.studies.studies import check_name, study_id
from storage.trials.queries import STALE, best_of
from storage.trials.retries import database_of, earlier_attempts
from storage.trials.trial_rows import Distributions, count_trials, identity, read_trials

POINTS = 12  # of a curve, which is enough to see where it goes
FEW = 300  # trials that are read within a tenth of a second
FRESH_S = 1.0  # so long the trials read from the database are served to all clients
LOST = "its worker is gone; the trial comes back as a new one"

_CONSTRAINTS = "constraints"  # Optuna's old name for all of them, and how its new names begin


class ViewStorage(_CachedStorage):
    """Optuna's cached storage for people who look; what they write goes straight to the store.

    store: whose studies; home: where this machine keeps checkpoints, for a study that is deleted.
    Safe for many threads. Raises DatabaseError when the database stays away.
    """

    def __init__(self, store: Store, home: Path) -> None:
        super().__init__(database_of(store.trials))
        self.store = store
        self._home = home
        self._known: Distributions = {}
        self._identities: dict[int, tuple[Any, ...]] = {}
        self._read_at: dict[int, float] = {}
        self._generations: Counter[int] = Counter()

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials as they are shown; copies share their values, since 10,000 deep ones take seconds."""
        trials = super().get_all_trials(study_id, deepcopy=False, states=states)
        return [copy.copy(trial) for trial in trials] if deepcopy else trials

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """The best trial that violates no constraint. Raises ValueError when there is none."""
        directions = self.get_study_directions(study_id)
        if len(directions) > 1:
            raise RuntimeError("a study with several objectives has no single best trial")
        maximise = directions[0] == StudyDirection.MAXIMIZE
        best = best_of(self.get_all_trials(study_id, deepcopy=False), maximise=maximise)
        if best is None:
            raise ValueError("no feasible trial is completed yet")
        return best

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        """Create a study of plain Optuna. Raises StudyError for a name that some database or terminal cannot write."""
        if study_name is not None:
            check_name(study_name)
        return super().create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Delete a study of plain Optuna; whatever else optuna-dashboard does, it does not delete one of ours.

        Raises StudyError for one of ours, KeyError when there is none of that id.
        """
        name = self.our_name(study_id)
        if name is not None:
            raise StudyError(f"{name} is a study of marsearch, which is deleted with all its files or not at all")
        super().delete_study(study_id)
        self.forget(study_id)

    def remove(self, study_id: int) -> None:
        """Delete a study of ours with its attempts and all its files.

        Raises StudyError while hosts work on it and for a study of plain Optuna, KeyError when there is none.
        """
        name = self.our_name(study_id)
        if name is None:
            raise StudyError(f"study {study_id} was not created by marsearch")
        remove_study(self.store, self._home, name, force=False)
        self.forget(study_id)

    def our_name(self, number: int) -> str | None:
        """The study's name if marsearch created it; None for a study of plain Optuna. KeyError for an unknown id."""
        name = self._backend.get_study_name_from_id(number)
        try:
            check_name(name)
            return name if study_id(self.store, name) == number else None
        except StudyError:
            return None

    def is_read(self, study_id: int) -> bool:
        """Whether its trials are there without a read of many of them."""
        return study_id in self._studies or self.store.transact(lambda session: count_trials(session, study_id)) <= FEW

    def forget(self, study_id: int) -> None:
        """Drop what was read of the study."""
        with self._lock:
            self._forget(study_id)

    def generation(self, study_id: int) -> int:
        """A counter that changes when the study is gone or its id belongs to another study."""
        return self._generations[study_id]

    def expire(self) -> None:
        """Read the database again at the next request, since something was written."""
        self._read_at.clear()

    def _forget(self, study_id: int) -> None:
        self._generations[study_id] += 1
        info = self._studies.pop(study_id, None)
        for number in info.trials if info else ():
            trial_id = self._study_id_and_number_to_trial_id.pop((study_id, number), None)
            self._trial_id_to_study_id_and_number.pop(trial_id if trial_id is not None else -1, None)
        self._identities.pop(study_id, None)
        self._read_at.pop(study_id, None)

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        with self._lock:
            if time.monotonic() - self._read_at.get(study_id, -FRESH_S) < FRESH_S:
                return
            asked = time.monotonic()
            with uncollected():
                found = self.store.transact(lambda session: self._read(session, study_id))
                self._take(self._studies.setdefault(study_id, _StudyInfo()), study_id, found)
            self._read_at[study_id] = asked

    def _read(self, session: Session, study_id: int) -> list[FrozenTrial]:
        who = identity(session, study_id)
        before = self._identities.get(study_id)
        if before is not None and before != who[: len(before)]:
            self._forget(study_id)  # deleted elsewhere, and the id given to another one
        self._identities[study_id] = who
        info = self._studies.get(study_id) or _StudyInfo()
        return read_trials(
            session,
            study_id,
            self._known,
            after=info.last_finished_trial_id,
            among=info.unfinished_trial_ids,
            points=POINTS,
        )

    def _take(self, info: _StudyInfo, study_id: int, found: list[FrozenTrial]) -> None:
        lost = self._lost(study_id, found)
        for trial in found:
            if trial.state.is_finished():
                info.last_finished_trial_id = max(info.last_finished_trial_id, trial_id_of(trial))
                info.unfinished_trial_ids.discard(trial_id_of(trial))
            else:
                info.unfinished_trial_ids.add(trial_id_of(trial))
        for trial in found:
            _dress(trial, trial.number in lost)
        self._add_trials_to_cache(study_id, found)

    def _lost(self, study_id: int, found: Sequence[FrozenTrial]) -> frozenset[int]:
        if all(trial.state is not TrialState.RUNNING for trial in found):
            return frozenset()
        name = self.our_name(study_id)
        return frozenset(stale.trial for stale in stale_attempts(self.store, name)) if name is not None else frozenset()


def _dress(trial: FrozenTrial, lost: bool) -> None:
    """Change a trial that was just read to what the pages show; a copy of each would take a third of the reading.

    Its constraints stand where optuna-dashboard looks for them; a copy of a failed trial says of which. lost: nobody
    trains it any more; it is as good as failed, and will be as soon as a host looks.
    """
    system = {key: value for key, value in trial.system_attrs.items() if not key.startswith(f"{_CONSTRAINTS}:")}
    user = dict(trial.user_attrs)
    if trial.constraints:
        system[_CONSTRAINTS] = list(trial.constraints.values())
    if earlier_attempts(trial):
        user["retry_of"] = earlier_attempts(trial)[-1]
    if lost:
        user["reason"], system[STALE] = LOST, True
        trial.state, trial.datetime_complete = TrialState.FAIL, trial.datetime_start
    trial.user_attrs, trial.system_attrs = user, system
