"""One trial of a study."""

from __future__ import annotations

from dataclasses import dataclass, field

from optuna.trial import FrozenTrial

from search.outcome.leaderboard import Row
from search.studies.reports import recipe_of, row_of
from search.studies.study import StudyDefinition
from spaces import Recipe


@dataclass(frozen=True, kw_only=True)
class Trial(Row):
    """One trial: what was tried, and what came of it; None where that is not known (yet).

    number: from 0. state: complete, pruned, running, waiting or fail. value: the study's objective, 0 to 1; of a pruned
    trial the last one reported. miou, miou_strict: both forms of the mean IoU, 0 to 1. epochs: trained so far.
    parameters: trainable numbers of the network. seconds: of training. summary: the recipe in a few words.
    recipe: all of it; with changes (`model_copy`) it can be given to `Study.enqueue`.
    """

    recipe: Recipe | None = field(default=None, repr=False)

    def __str__(self) -> str:
        scores = [f"{self.value:.4f}"] if self.value is not None else []
        return ", ".join([f"trial {self.number}", self.state, *scores, *filter(None, [self.summary])])


def trial_of(study: StudyDefinition, trial: FrozenTrial) -> Trial:
    """The trial in words of its study."""
    return Trial(**vars(row_of(study, trial)), recipe=recipe_of(study, trial))
