"""Recipes that a person asks a study to try: by a preset's name or from a file."""

from __future__ import annotations

from pathlib import Path

import optuna

from search.errors import UsageError
from search.studies.limits import constraint_values, countable, refusal
from search.studies.study import StudyDefinition
from spaces import DataFacts, Recipe, Space, SpaceError, adapt, load_preset, load_recipe, preset_names
from spaces.axis import Scalar
from spaces.domain import Default, Fixed, Searched, nearest
from spaces.recipe import Optimisation
from storage.store import Store
from storage.studies.studies import load_config
from storage.trials.queries import same_recipe

BUDGET = ("epochs", "patience")
WEIGHTS = ("ema", "kept", "fit_offset")
RATES = ("lr", "sgd_lr")


def enqueue(store: Store, name: str, recipe: str | Recipe) -> None:
    """Let the next free worker try a preset, the recipe in a file, or a recipe itself.

    Raises StudyError for an unknown study, UsageError for a recipe that is tried already, and as `recipe_for` and
    `params_for`.
    """
    study = StudyDefinition(load_config(store, name))
    wanted = recipe if isinstance(recipe, Recipe) else recipe_for(study, recipe)
    enqueue_recipe(store, study, wanted, recipe if isinstance(recipe, str) else "the recipe")


def enqueue_recipe(store: Store, study: StudyDefinition, recipe: Recipe, named: str) -> None:
    """Let the next free worker try the recipe. named: what a refusal calls it.

    Raises UsageError for a recipe that is tried already, and as `params_for`.
    """
    params = params_for(study, recipe)
    opened = optuna.load_study(study_name=study.config.study, storage=store.trials)
    trials = opened.get_trials(deepcopy=False)
    if (twin := same_recipe(trials, params, before=len(trials))) is not None:
        state = twin.state.name.lower()
        raise UsageError(f"{named}: trial {twin.number} has the same recipe ({state}), another one was expected")
    opened.enqueue_trial(params)


def read_recipe(named: str, facts: DataFacts | None = None, samples: int = 0) -> Recipe:
    """The recipe of a preset's name or of a YAML file.

    facts, samples: of the data and its training part, for presets that are planned from them.
    Raises SpaceError, naming both ways, or saying that a preset needs the facts.
    """
    if named in preset_names():
        return load_preset(named, facts, samples)
    path = Path(named)
    if not path.is_file():
        raise SpaceError(f"{named}: neither a recipe file nor a preset, presets are {', '.join(preset_names())}")
    try:
        return load_recipe(path.read_text("utf-8"), named)
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{named}: not readable as text ({error})") from error


def recipe_for(study: StudyDefinition, named: str) -> Recipe:
    """The recipe of that name, planned for the study's data where it has to be. Raises as `read_recipe`."""
    return read_recipe(named, study.facts, len(study.split.train))


def published_for(study: StudyDefinition, named: str) -> Recipe:
    """A published recipe that the study tries first, as `recipe_for`.

    It learns the pixels of excluded classes where the study's score counts them, as its neighbours in the study do.
    """
    recipe = recipe_for(study, named)
    left_open = isinstance(study.space.domains["loss.ignore_excluded"], Default)
    if study.config.objective != "miou_strict" or not left_open:
        return recipe
    return recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"ignore_excluded": False})})


def as_planned(space: Space, recipe: Recipe) -> Recipe:
    """The recipe as a study of this space tries it: comparable with the others, and without what means nothing there.

    It gets the study's own epochs and patience, where the space samples neither: a study compares equal budgets. Where
    the space fixes which weights count, that holds for it, too. A learning rate that its optimiser does not read is the
    space's nearest one.
    """
    own = {name: space.domains[f"optimisation.{name}"] for name in (*BUDGET, *WEIGHTS)}
    fixed = {name: domain for name, domain in own.items() if name in BUDGET or isinstance(domain, Fixed)}
    changes = {name: domain.value for name, domain in fixed.items() if not isinstance(domain, Searched)}
    optimisation = recipe.optimisation.model_copy(update=changes | _rates(space, recipe.optimisation))
    return adapt(recipe.model_copy(update={"optimisation": optimisation}), space.facts)


def _rates(space: Space, section: Optimisation) -> dict[str, float]:
    """The two learning rates of the section in the space: the one that its optimiser reads is as it was."""
    shared, own = (space.domains[f"optimisation.{name}"] for name in RATES)
    if section.optimizer != "sgd":
        return {"sgd_lr": nearest(own, section.sgd_lr)}
    if isinstance(own, Searched):
        return {"lr": nearest(shared, section.lr), "sgd_lr": section.rate}
    return {}


def params_for(study: StudyDefinition, recipe: Recipe) -> dict[str, Scalar]:
    """The parameters with which the study tries the recipe.

    Raises SpaceError when it lies outside the study's space, UsageError when it is over the study's own limits; those
    of a device, and all of them where there is no torch, are left to the workers.
    """
    planned = as_planned(study.space, recipe)
    params = study.space.params(planned)
    if countable() and (why := refusal(constraint_values(study, planned), study.config, None)):
        reason = why.removeprefix("refused before training: ")
        raise UsageError(f"over the limits of study {study.config.study}: {reason}")
    return params
