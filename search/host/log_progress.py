"""Progress for a log collector: an event for each trial that begins here and each that ends, wherever it ran."""

from __future__ import annotations

from typing import Self

from optuna.study import Study
from optuna.trial import FrozenTrial

from search.host.progress import View, sentence
from search.host.state import HostState
from search.log import tell
from search.studies.queries import count


class LogView(View):
    """A view without a terminal, whose lines have fields: study, trial, state, value, epochs, seconds, worker ..."""

    def __init__(self, study: str) -> None:
        super().__init__(study)
        self._worker = ""
        self._begun: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def say(self, sentence: str) -> None:
        """Log a sentence; any thread may."""
        tell(sentence, "said", study=self._study, worker=self._worker)

    def refresh(self, study: Study, board: HostState, target: int, workers: int) -> None:
        """Log what has begun and ended since the last time."""
        self._worker = board.worker
        for slot, (number, epoch, epochs, _) in sorted(board.running.items()):
            if number not in self._begun:
                self._begun.add(number)
                self._tell(f"trial {number} trains", "trial began", trial=number, slot=slot, epoch=epoch, epochs=epochs)
        trials = study.get_trials(deepcopy=False)
        finished = count(trials).finished
        for trial in self._ended(trials):
            self._tell(
                sentence(trial, finished, target),
                "trial ended",
                **fields(trial),
                here=trial.number in board.trained,
                finished=finished,
                target=target,
            )

    def _tell(self, message: str, event: str, **known: object) -> None:
        tell(message, event, study=self._study, worker=self._worker, **known)


def fields(trial: FrozenTrial) -> dict[str, object]:
    """What there is to say of a trial that has ended; value is None unless it is complete."""
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.values[0] if trial.values else None,
        "epochs": trial.user_attrs.get("epochs", trial.last_step),
        "seconds": round(trial.duration.total_seconds(), 3) if trial.duration is not None else None,
        "reason": trial.user_attrs.get("reason"),
    }
