"""The recipe that a study's trials are compared with in words: the preset `baseline`, tried in the study or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from optuna.trial import FrozenTrial, TrialState

from search.studies.difference import Change, changes
from search.studies.recipes import as_planned
from search.studies.study import StudyDefinition
from spaces import Recipe, SpaceError, load_preset
from spaces.axis import Scalar
from spaces.domain import Fixed
from storage.errors import StudyError
from storage.trials.queries import params_of

NAMES = ("baseline", "small-baseline")  # the first that a study has tried, or else the first
FIRST = 100  # trials among which the baseline's is looked for: it is tried first, if at all


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What trials are compared with.

    name: of the preset. recipe: as the study would try it; None where today's axes cannot express the study's space.
    trial: number of the complete trial of this recipe; None without one. value: its score.
    """

    name: str
    recipe: Recipe | None = None
    trial: int | None = None
    value: float | None = None

    def changes(self, study: StudyDefinition, trial: FrozenTrial) -> tuple[Change, ...] | None:
        """What the trial's recipe changes, in the settings that the study does not fix; None where nobody can say."""
        try:
            recipe, domains = study.recipe(trial), study.space.domains
        except (SpaceError, StudyError):
            return None
        if self.recipe is None:
            return None
        return changes(recipe, self.recipe, {path for path, domain in domains.items() if not isinstance(domain, Fixed)})

    def gain(self, trial: FrozenTrial) -> float | None:
        """The trial's score less the baseline's; None without either, and for the baseline itself."""
        if self.value is None or not trial.values or trial.number == self.trial:
            return None
        return float(trial.values[0] - self.value)


def baseline(study: StudyDefinition, trials: Sequence[FrozenTrial]) -> Baseline:
    """The study's baseline. trials: in order of their numbers."""
    try:
        known = _presets(study)
    except StudyError:
        return Baseline(name=NAMES[0])
    for name, recipe, params in known:
        for trial in trials[:FIRST] if params else ():
            if trial.state is TrialState.COMPLETE and trial.values and params_of(trial) == params:
                return Baseline(name=name, recipe=recipe, trial=trial.number, value=trial.values[0])
    return Baseline(name=known[0][0], recipe=known[0][1])


@lru_cache(maxsize=8)
def _presets(study: StudyDefinition) -> tuple[tuple[str, Recipe, Mapping[str, Scalar]], ...]:
    """Each preset with its recipe and parameters in the study; without parameters where it lies outside the space."""
    found = []
    for name in NAMES:
        recipe = as_planned(study.space, load_preset(name, study.facts, len(study.split.train)))
        try:
            params = study.space.params(recipe)
        except SpaceError:
            params = {}
        found.append((name, recipe, params))
    return tuple(found)
