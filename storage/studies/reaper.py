"""Taking back the trials of hosts that are gone, so that others go on with them."""

from __future__ import annotations

from contextlib import suppress

import optuna
from optuna.trial import TrialState
from sqlalchemy import select

from storage.database.optuna_schema import study_id_of, trial_id_of
from storage.database.schema import AttemptTable
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import drop_weights
from storage.studies.liveness import stale_attempts
from storage.studies.sightings import Sightings
from storage.trials.retries import reclaim


def reap(
    store: Store, study: str, *, local: bool = False, myself: str = "", seen_before: Sightings | None = None
) -> tuple[int, ...]:
    """Put back into the queue the trials that no host works on any more; the numbers of those trials.

    Which these are, and what the arguments mean: `storage.studies.liveness.stale_attempts`. Raises StudyError for an
    unknown study and DatabaseError when the database stays away.
    """
    opened = optuna.load_study(study_name=study, storage=store.trials)
    stale = stale_attempts(store, study, local=local, myself=myself, seen_before=seen_before)
    why = {each.trial: each.reason for each in stale}
    if not why:
        return ()
    running = [t for t in opened.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if t.number in why]
    taken = [t for t in running if reclaim(store.trials, study_id_of(opened), t, why[t.number])]
    for trial in taken:
        _drop_weights(store, trial_id_of(trial))
    return tuple(trial.number for trial in taken)


def _drop_weights(store: Store, trial_id: int) -> None:
    """Remove weights that were stored for a trial which was never settled."""
    kept = select(AttemptTable.trial_id).where(AttemptTable.trial_id == trial_id, AttemptTable.weights_artifact != "")
    if store.transact(lambda session: session.scalar(kept)) is not None:
        with suppress(ArtifactError):
            drop_weights(store, trial_id)
