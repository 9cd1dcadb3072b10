"""Creating a study: from data, a space and options to a study whose first trials wait."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState, create_trial

from search.errors import UsageError
from search.studies.objective import objective_for, objective_note
from search.studies.recipes import as_planned, params_for, published_for, recipe_for
from search.studies.study import StudyDefinition
from search.training.arrays import label_counts
from search.training.metrics import best_constant
from search.worker.job_files import facts_of
from spaces import FINALS, Recipe, Space, SpaceError, bind, dump_domains, same_mapping
from spaces.axis import Scalar, describe
from spaces.domain import Domain, Fixed, Searched, Unavailable
from storage.data.dataset import Dataset, read_dataset
from storage.data.quality.examination import Examination, examine
from storage.data.split import dump_split
from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import StudyConfig, declared, differences, refusal
from storage.studies.datasets import keep_dataset, samples_of
from storage.studies.studies import check_name, create_study, existing_config, trials_of

MOST_NAMED = 4  # differences of a space that one sentence names

Params = Mapping[str, Scalar]


@dataclass(frozen=True, kw_only=True)
class Created:
    """What `create` did. new: the study was not there before. notes: what a person should know of it, in sentences."""

    new: bool
    config: StudyConfig
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A new study as it would be created: its data, its whole configuration, its first trials, sentences on them."""

    dataset: Dataset
    config: StudyConfig
    trials: tuple[Params, ...]
    notes: tuple[str, ...]


def create(
    store: Store, wanted: StudyConfig, data: Path, *, space_name: str = "space", planned: Plan | None = None
) -> Created:
    """Create the study, or find that the same one is there already; then only what may change is taken over.

    wanted: without its derived fields. space_name: what the space file is called in messages. planned: what `plan`
    makes of the same arguments, where that is known already.
    Trials to begin with are worked out for a new study only: a file of `--warm-start` may be gone by the second time.
    A creation that was interrupted is completed by the same call.
    Raises DataError, SpaceError, StudyError or UsageError, each before anything is written.
    """
    check_name(wanted.study)
    dataset = read_dataset(data) if planned is None else planned.dataset
    known = existing_config(store, wanted.study)
    if known is not None:
        space_of = partial(_space, dataset=dataset, name=space_name)
        wanted = replace(wanted, data_digest=dataset.digest, objective=wanted.objective or known.objective)
        if not known.space and wanted.space == StudyConfig.space:  # created when the whole space was the default
            wanted = replace(wanted, space="")
        return _found(store, known, wanted, space_of(wanted), len(dataset.images))
    found = planned or _planned(wanted, dataset, data, space_name)
    name = data.name or data.resolve().name  # of a folder that is given as a dot
    keep_dataset(store, dataset, name)
    new = create_study(store, found.config, found.trials)
    if new:
        keep_dataset(store, dataset, name)  # the last other study of these data may just have been deleted
    return Created(new=new, config=found.config, notes=found.notes if new else ())


def plan(wanted: StudyConfig, data: Path, *, space_name: str = "space") -> Plan:
    """What `create` would make of a study that is not there. Raises as `create`."""
    check_name(wanted.study)
    return _planned(wanted, read_dataset(data), data, space_name)


def _planned(wanted: StudyConfig, dataset: Dataset, data: Path, space_name: str) -> Plan:
    space_of = partial(_space, dataset=dataset, name=space_name)
    space_of(wanted)  # what is wrong with the space is said before the data are looked through
    wanted, found = _examined(wanted, dataset, data)
    config = _completed(wanted, found, space_of(wanted))
    trials, notes = _first_trials(StudyDefinition(config))
    waiting = [create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": params}) for params in trials]
    config, bound = _bounded(config, waiting)
    notes = (*notes, *bound, *_beyond(len(trials), config.trials))
    if note := objective_note(config.objective or "miou", wanted.objective, StudyDefinition(config).constant):
        notes = (note, *notes)
    return Plan(dataset=dataset, config=config, trials=tuple(trials), notes=notes)


def _bounded(config: StudyConfig, trials: Iterable[FrozenTrial]) -> tuple[StudyConfig, tuple[str, ...]]:
    """The configuration with a target that its space has recipes for, and a note where it was larger."""
    target = StudyDefinition(config).target(config.trials, trials)
    if target == config.trials:
        return config, ()
    recipes = f"{target} recipe{'s' if target != 1 else ''}"
    note = f"the space has only {recipes}: the study ends with {target} trials instead of {config.trials}"
    return replace(config, trials=target), (note,)


def _first_trials(study: StudyDefinition) -> tuple[list[Params], tuple[str, ...]]:
    """The parameters of the trials that the study begins with, each set once, and notes on them."""
    points: list[Params] = list(study.space.grid()) if study.config.sampler == "grid" else []
    warm, notes = _warm_starts(study)
    if points:
        notes = (*notes, f"{len(points)} points of the grid are enqueued")
    # As text, in which 1, 1.0 and True are different values.
    distinct = {json.dumps(point, sort_keys=True): point for point in (*warm, *points)}
    return list(distinct.values()), notes


def _beyond(first: int, trials: int) -> tuple[str, ...]:
    """A note where more recipes are tried first than there will be trials."""
    more = first - trials
    if more <= 0:
        return ()
    what = f"{more} of the {first} recipes tried first {'goes' if more == 1 else 'go'} beyond --trials {trials}"
    return (f"{what} and wait{'s' if more == 1 else ''}: --trials {first} has room for all",)


def _found(store: Store, known: StudyConfig, wanted: StudyConfig, space: Space, samples: int) -> Created:
    """Continue a study that exists. Raises StudyError naming what differs."""
    study = StudyDefinition(known)
    same = wanted.data_digest == known.data_digest
    changed = _changed_axes(study.space, space) if same and not same_mapping(known.space, wanted.space) else []
    digest = known.space_digest if same and not changed else space.digest
    found = differences(known, replace(wanted, space_digest=digest))
    if not same:
        before = samples_of(store, known.data_digest)
        counted = "" if before in (None, samples) else f" ({samples:,} samples instead of {before:,})"
        found["data_digest"] = f"--data is another data set{counted}"
    elif changed:
        found["space_digest"] = f"--space differs: {_listed(changed)}"
    if found:
        raise StudyError(refusal(known.study, store.url, found))
    config = replace(known, **{field.name: getattr(wanted, field.name) for field in declared("changeable")})
    config, bound = _bounded(config, trials_of(store, known.study))
    create_study(store, config)
    return Created(new=False, config=config, notes=(*_ignored(known, wanted), *bound))


def _ignored(known: StudyConfig, wanted: StudyConfig) -> tuple[str, ...]:
    return tuple(
        f"{field.option} {getattr(wanted, field.name)} changes nothing: the study was created with"
        f" {getattr(known, field.name)}; what else is to be tried: marsearch enqueue {known.study} RECIPE"
        for field in declared("initial")
        if getattr(wanted, field.name) != getattr(known, field.name)
    )


def _changed_axes(old: Space, new: Space) -> list[str]:
    """In words, the axes on which the new space allows something else than the old one; `epochs` is an option."""
    return [
        f"{path} {_words(new.domains[path])} instead of {_words(domain)}"
        for path, domain in old.domains.items()
        if path != "optimisation.epochs"
        and not isinstance(domain, Unavailable)
        and path in new.domains  # else it is of a family that the new space leaves out, and that axis is told
        and new.domains[path].as_text() != domain.as_text()
    ]


def _words(domain: Domain) -> str:
    match domain:
        case Searched(distribution=distribution):
            return describe(distribution)
        case Fixed(value=value):
            return str(value)
    return f"{domain.value} (not searched)"


def _warm_starts(study: StudyDefinition) -> tuple[list[Params], tuple[str, ...]]:
    named = study.config.warm_start
    if named != "reports":
        return [params_for(study, recipe_for(study, named))] if named != "none" else [], ()
    recipes = [published_for(study, name) for name in FINALS]
    taken: list[Params] = []
    for recipe in recipes:
        with suppress(SpaceError, UsageError):  # what it would take is said when somebody enqueues it by name
            taken.append(params_for(study, recipe))
    if len(taken) == len(FINALS):
        return taken, ()
    whole = bind(study.facts, epochs=study.config.epochs)
    inside, most = (sum(_holds(space, recipe) for recipe in recipes) for space in (study.space, whole))
    more = f"; --space whole has room for {most}" if most > inside else ""
    return taken, (f"{len(taken)} of {len(FINALS)} published recipes fit and are tried first{more}",)


def _holds(space: Space, recipe: Recipe) -> bool:
    try:
        space.params(as_planned(space, recipe))
    except SpaceError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _space(wanted: StudyConfig, dataset: Dataset, name: str) -> Space:
    """The space that is asked for, of these data. name: what it is called in messages."""
    strict = wanted.objective == "miou_strict"
    return bind(facts_of(dataset), wanted.space, epochs=wanted.epochs, strict=strict, name=name)


def _examined(wanted: StudyConfig, dataset: Dataset, data: Path) -> tuple[StudyConfig, Examination]:
    """The configuration with what follows from the data. Raises DataError for data that cannot be split."""
    found = examine(dataset, str(data), clean=wanted.clean, seed=wanted.seed, holdout=wanted.holdout)
    facts = facts_of(dataset)
    counts = label_counts(dataset.masks[found.split.validation], dataset.classes, dataset.ignore_label)
    constant = best_constant(counts, facts)
    known = replace(
        wanted,
        objective=wanted.objective or objective_for(constant),
        constant_miou=None if math.isnan(constant.miou) else constant.miou,
        constant_miou_strict=None if math.isnan(constant.miou_strict) else constant.miou_strict,
        data_digest=dataset.digest,
        facts=facts.model_dump_json(),
    )
    return known, found


def _completed(wanted: StudyConfig, found: Examination, space: Space) -> StudyConfig:
    """The configuration with what follows from the space, the split and the report on the data."""
    return replace(
        wanted,
        space_digest=space.digest,
        split=dump_split(found.split),
        report=found.report.model_dump_json(),
        domains=dump_domains(space),
    )
