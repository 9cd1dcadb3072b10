"""A study as the service sees it: created once from data, space and options; opened by every host."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.errors import UsageError
from search.studies.constraints import Gpu, constraint_values, countable, refusal, violation_of
from search.studies.samplers import build_pruner, build_sampler, trial_seed
from search.worker.job_files import facts_of, panel_samples
from spaces import (
    FINALS,
    DataFacts,
    Recipe,
    Space,
    SpaceError,
    bind,
    dump_domains,
    load_preset,
    load_recipe,
    load_space,
    preset_names,
    same_mapping,
)
from spaces.domain import Searched
from storage.artifacts.artifact_store import exists, load_file, save_file
from storage.data.dataset import Dataset, class_shares, read_dataset, write_dataset
from storage.data.outliers import find_outliers
from storage.data.split import split_dataset
from storage.errors import StudyError
from storage.store import Store
from storage.studies.studies import (
    DatasetRecord,
    StudyConfig,
    check_name,
    create_study,
    existing_config,
    load_config,
    put_dataset,
)
from storage.trials.retries import first_attempt

VALIDATION_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks of a new study; the field names are the options of `marsearch create`.

    space: text of the space file, "" for the whole space. space_name: what the text is called in messages.
    warm_start: "reports" (`spaces.FINALS`), "none", the name of a preset or the path of a recipe file.
    max_params, max_gpu_gb: limits of a recipe, see `search.studies.constraints`; None for none, or the device's own.
    """

    study: str
    data: Path
    space: str
    space_name: str
    sampler: str
    pruner: str
    objective: str
    trials: int
    epochs: int
    warm_start: str
    holdout: float
    keep: int
    seed: int
    max_params: int | None = None
    max_gpu_gb: float | None = None


@dataclass(frozen=True, kw_only=True)
class Created:
    """What `create` did. notes: sentences for the person, among them the warm starts that were skipped."""

    new: bool
    config: StudyConfig
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OpenStudy:
    """A study with everything a host needs to work on it.

    data: local file of the data set. train, validation: sample indices. panel: the samples shown for each trial.
    """

    config: StudyConfig
    space: Space
    dataset: Dataset
    data: Path
    train: tuple[int, ...]
    validation: tuple[int, ...]
    panel: tuple[int, ...]


def create(store: Store, wish: Wish) -> Created:
    """Create the study, or find that the same one is there already.

    Raises DataError, SpaceError, StudyError or UsageError, each before anything is written.
    """
    check_name(wish.study)
    dataset = read_dataset(wish.data)
    space, digest = _wished_space(existing_config(store, wish.study), facts_of(dataset), wish)
    points = list(space.grid()) if wish.sampler == "grid" else []
    config = _config(wish, dataset, space, digest)
    recipes, skipped = _warm_starts(space, config)
    _keep_data(store, dataset, wish.data)
    new = create_study(store, config)
    notes = list(skipped) if new else []
    if new:
        _keep_data(store, dataset, wish.data)  # the last other study of these data may just have been deleted
        study = optuna.load_study(study_name=wish.study, storage=store.trials)
        for params in [*recipes, *points]:
            study.enqueue_trial(params, skip_if_exists=True)
        notes += [f"{len(points)} points of the grid are enqueued"] if points else []
    return Created(new=new, config=config, notes=tuple(notes))


def open_study(store: Store, name: str, home: Path) -> OpenStudy:
    """Open a study, fetching its data set into home's cache. Raises StudyError, DataError, ArtifactError."""
    config = load_config(store, name)
    data = home / "cache" / f"dataset-{config.data_digest}.npz"
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        load_file(store.artifacts, data.name, data)
    dataset = read_dataset(data)
    split = json.loads(config.split)
    return OpenStudy(
        config=config,
        space=space_of(config),
        dataset=dataset,
        data=data.resolve(),
        train=tuple(split["train"]),
        validation=tuple(split["validation"]),
        panel=panel_samples(dataset, split["validation"]),
    )


def space_of(config: StudyConfig) -> Space:
    """The space of the study as it was created; axes that came later are at their defaults and not sampled.

    Raises StudyError when today's axes cannot express it: then its trials can be listed, but no more be tried.
    """
    try:
        return load_space(DataFacts.model_validate_json(config.facts), config.domains)
    except SpaceError as error:
        raise StudyError(f"study {config.study} can be looked at, but not continued: {error}") from error


def recipe_of(config: StudyConfig, space: Space, trial: FrozenTrial) -> Recipe:
    """The recipe of a trial that has been sampled: its parameters, and the seed that its first attempt gives."""
    return space.recipe(trial.params, seed=trial_seed(config.seed, first_attempt(trial)))


def load_study(store: Store, config: StudyConfig, gpu: Gpu | None = None, pixel_bytes: int = 1) -> Study:
    """A study object of its own for one thread, with the study's sampler and pruner.

    gpu, pixel_bytes: of the trainings that the thread will run, so that recipes too large for them are not proposed.
    """
    sampler = build_sampler(config, violation_of(space_of(config), config, gpu, pixel_bytes))
    return optuna.load_study(
        study_name=config.study, storage=store.trials, sampler=sampler, pruner=build_pruner(config)
    )


def enqueue(store: Store, name: str, recipe: Recipe) -> None:
    """Let the next free worker try this recipe.

    Raises SpaceError when it lies outside the study's space, UsageError when it is over the study's own limits.
    """
    config = load_config(store, name)
    space = space_of(config)
    params = space.params(as_planned(recipe, space))
    _check_limits(recipe, space, config)
    optuna.load_study(study_name=name, storage=store.trials).enqueue_trial(params)


def enqueue_named(store: Store, name: str, named: str) -> None:
    """Let the next free worker try a preset or the recipe in a file. Raises as `recipe_for` and `enqueue`."""
    enqueue(store, name, recipe_for(load_config(store, name), named))


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


def recipe_for(config: StudyConfig, named: str) -> Recipe:
    """The recipe of that name, planned for the study's data where it has to be. Raises as `read_recipe`."""
    return read_recipe(named, DataFacts.model_validate_json(config.facts), len(json.loads(config.split)["train"]))


def as_planned(recipe: Recipe, space: Space) -> Recipe:
    """The recipe with the study's own epochs and patience, where it samples neither: a study compares equal budgets."""
    own = {name: space.domains[f"optimisation.{name}"] for name in ("epochs", "patience")}
    changes = {name: domain.value for name, domain in own.items() if not isinstance(domain, Searched)}
    return recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=changes)})


def _warm_starts(space: Space, config: StudyConfig) -> tuple[list[dict[str, bool | int | float | str]], list[str]]:
    if config.warm_start == "none":
        return [], []
    if config.warm_start != "reports":
        recipe = as_planned(recipe_for(config, config.warm_start), space)
        params = space.params(recipe)
        _check_limits(recipe, space, config)
        return [params], []
    taken, skipped = [], []
    for name in FINALS:
        try:
            recipe = as_planned(recipe_for(config, name), space)
            params = space.params(recipe)
            _check_limits(recipe, space, config)
            taken.append(params)
        except SpaceError as error:
            skipped.append(f"preset {name} is not in this space and is skipped ({error})")
        except UsageError as error:
            skipped.append(f"preset {name} is skipped ({error})")
    return taken, skipped


def _check_limits(recipe: Recipe, space: Space, config: StudyConfig) -> None:
    """Raise UsageError for a recipe over the study's own limits; what a device has, each worker sees for itself.

    Without torch to count with it is left to the workers, which refuse such a recipe before they train it.
    """
    if not countable():
        return
    # One byte per pixel at least: the worker, which has the data, counts them exactly.
    why = refusal(constraint_values(recipe, space.facts, config, None, pixel_bytes=1), config, None)
    if why:
        raise UsageError(f"over the limits of study {config.study}: {why.removeprefix('refused before training: ')}")


def _wished_space(known: StudyConfig | None, facts: DataFacts, wish: Wish) -> tuple[Space, str]:
    """The space that the wish describes, and its digest: that of the study there is, where the same was wished for.

    The digest of a study that is older than an axis differs from what the same file has today.
    """
    if known is not None and (known.epochs, DataFacts.model_validate_json(known.facts)) == (wish.epochs, facts):
        with suppress(SpaceError):  # which `bind` words better
            if same_mapping(known.space, wish.space):
                return space_of(known), known.space_digest
    space = bind(facts, wish.space, epochs=wish.epochs, name=wish.space_name)
    return space, space.digest


def _config(wish: Wish, dataset: Dataset, space: Space, digest: str) -> StudyConfig:
    contaminated = find_outliers(dataset, "mask")
    split = split_dataset(
        dataset, seed=wish.seed, validation=VALIDATION_SHARE, holdout=wish.holdout, contaminated=contaminated
    )
    if not len(split.train) or not len(split.validation):
        raise UsageError(
            f"{wish.data}: {len(dataset.images)} samples leave {len(split.train)} to train and"
            f" {len(split.validation)} to validate: more samples (or groups) are needed"
        )
    parts = {name: [int(i) for i in getattr(split, name)] for name in ("train", "validation", "holdout")}
    return StudyConfig(
        study=wish.study,
        data_digest=dataset.digest,
        space_digest=digest,
        space=wish.space,
        facts=space.facts.model_dump_json(),
        sampler=wish.sampler,
        pruner=wish.pruner,
        objective=wish.objective,
        trials=wish.trials,
        epochs=wish.epochs,
        warm_start=wish.warm_start,
        holdout=wish.holdout,
        keep=wish.keep,
        seed=wish.seed,
        split=json.dumps({**parts, "method": split.method, "seed": split.seed}),
        max_params=wish.max_params,
        max_gpu_gb=wish.max_gpu_gb,
        domains=dump_domains(space),
    )


def _keep_data(store: Store, dataset: Dataset, source: Path) -> None:
    import tempfile

    artifact = f"dataset-{dataset.digest}.npz"
    if not exists(store.artifacts, artifact):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / artifact
            write_dataset(dataset, copy)
            save_file(store.artifacts, artifact, copy)
    shares = class_shares(dataset.masks, dataset.classes, dataset.ignore_label)
    put_dataset(store, dataset_record(dataset, source, shares, artifact))


def dataset_record(dataset: Dataset, source: Path, shares: Sequence[float], artifact: str) -> DatasetRecord:
    """The row that describes a data set."""
    return DatasetRecord(
        digest=dataset.digest,
        path_hint=source.name,
        samples=len(dataset.images),
        tests=0 if dataset.test_images is None else len(dataset.test_images),
        height=dataset.height,
        width=dataset.width,
        channels=dataset.channels,
        class_names=dataset.class_names,
        class_shares=tuple(shares),
        artifact_id=artifact,
    )


def plan_as_dict(config: StudyConfig) -> dict[str, object]:
    """The config for JSON output, without the long index lists."""
    return {name: value for name, value in asdict(config).items() if name not in ("split", "facts", "space", "domains")}
