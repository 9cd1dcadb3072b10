"""Trials on virtual workers, and those that were pruned and may go on."""

from __future__ import annotations

from dataclasses import dataclass

import optuna
from optuna.trial import Trial, TrialState, create_trial
from replay_problems import Values

from search.studies.pruners import REDUCTION
from storage.trials.retries import HISTORY, earlier_attempts


@dataclass(order=True)
class Work:
    """A trial on a virtual worker: `epoch` ends at `moment`."""

    moment: float
    number: int
    epoch: int
    trial: Trial
    scores: Values
    seconds: Values


class Promotable:
    """The pruned trials, and whether their rung would promote them by now (arXiv 1810.05934, algorithm 2)."""

    def __init__(self) -> None:
        """Nothing has reached a rung."""
        self._scores: dict[int, list[float]] = {}
        self._cut: dict[int, list[Work]] = {}

    def reached(self, work: Work, score: float, *, pruned: bool) -> None:
        """A trial has reached a rung."""
        self._scores.setdefault(work.epoch, []).append(score)
        if pruned:
            self._cut.setdefault(work.epoch, []).append(work)

    def taken(self) -> Work | None:
        """The best of the latest rung that has one among its best third; it is not there any more."""
        for rung in sorted(self._cut, reverse=True):
            enough = sorted(self._scores[rung], reverse=True)[: len(self._scores[rung]) // REDUCTION]
            best = max(self._cut[rung], key=lambda work: work.scores[rung - 1], default=None)
            if best is not None and enough and best.scores[rung - 1] >= enough[-1]:
                self._cut[rung].remove(best)
                return best
        return None


def resumed(study: optuna.Study, trial: Trial) -> Trial:
    """The pruned trial as a running one, with its reports and rungs, as the next attempt of the same."""
    frozen = study.get_trials(deepcopy=False)[trial.number]
    again = create_trial(
        state=TrialState.RUNNING,
        params=frozen.params,
        distributions=frozen.distributions,
        intermediate_values=frozen.intermediate_values,
        system_attrs={**frozen.system_attrs, HISTORY: [*earlier_attempts(frozen), frozen.number]},
    )
    return Trial(study, study._storage.create_new_trial(study._study_id, template_trial=again))
