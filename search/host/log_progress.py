"""Progress for a log collector: an event for each trial that begins here and each that ends, wherever it ran."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Self

from optuna.trial import FrozenTrial

from search.host.progress import Progress
from search.host.state import HostState
from search.log import log_fields, tell
from search.studies.queries import count
from storage.trials.trial_times import seconds_of


class LogProgress(Progress):
    """Progress without a terminal, whose lines have fields: study, trial, state, value, epochs, seconds, worker ..."""

    def __init__(self, study: str) -> None:
        super().__init__(study)
        self._begun: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def messages(self, host: str) -> AbstractContextManager[None]:
        """Give the names of study and host to every record while the block runs; records are JSON already."""
        self._host = host
        return log_fields(study=self._study, worker=host)

    def refresh(self, trials: Sequence[FrozenTrial], state: HostState, target: int, workers: int) -> None:
        """Log what has begun and ended since the last time."""
        for training in sorted(state.trainings.values(), key=lambda training: training.worker):
            if training.epoch and training.trial not in self._begun:
                self._begun.add(training.trial)
                where = {"slot": training.worker, "epoch": training.epoch, "epochs": training.epochs}
                self._tell(f"trial {training.trial} trains", "trial began", trial=training.trial, **where)
        finished = count(trials).finished
        for trial, line in self._endings(target).look(trials):
            here = {"here": trial.number in state.trained, "finished": finished, "target": target}
            self._tell(line, "trial ended", **fields(trial), **here)

    def _tell(self, message: str, event: str, **known: object) -> None:
        tell(message, event, study=self._study, worker=self._host, **known)


def fields(trial: FrozenTrial) -> dict[str, object]:
    """What there is to say of a trial that has ended; value is None unless it is complete."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.values[0] if trial.values else None,
        "epochs": trial.user_attrs.get("epochs", trial.last_step),
        "seconds": None if (seconds := seconds_of(trial)) is None else round(seconds, 3),
        "reason": trial.user_attrs.get("reason"),
    }
