"""Creating a study: once, with what it was asked for, and nothing half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from search.errors import UsageError
from search.studies.create import Created, create
from search.studies.recipes import as_planned, enqueue, read_recipe, recipe_for
from search.studies.study import StudyDefinition, open_study
from spaces import FINALS, DataFacts, Recipe, Space, SpaceError, bind, dump_recipe, load_preset
from spaces.domain import Default
from spaces.recipe import Optimisation
from storage.data.dataset import build_dataset, write_dataset
from storage.data.quality.outliers import find_outliers
from storage.data.synthetic import synthesise
from storage.errors import DataError, StudyError
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.studies import list_studies
from support.studies import GRID, TINY_SPACE, Inputs


def test_the_same_again_changes_nothing(store: Store, created: Created, inputs: Callable[..., Inputs]) -> None:
    assert created.new
    again = create(store, *inputs())
    assert not again.new
    assert again.config == created.config


@pytest.mark.parametrize("change", [{"space": "model: {depth: 2}"}, {"seed": 5}, {"epochs": 4}, {"sampler": "random"}])
def test_another_study_of_that_name_is_refused(
    store: Store, created: Created, inputs: Callable[..., Inputs], change: dict[str, object]
) -> None:
    with pytest.raises(StudyError, match="tiny"):
        create(store, *inputs(**change))
    assert open_study(store, "tiny", Path(store.artifacts_url).parent).config == created.config


def test_a_refused_study_leaves_nothing(store: Store, inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    with pytest.raises(SpaceError):
        create(store, *inputs(space="model: {depth: 99}"))
    with pytest.raises(SpaceError, match="a grid needs finitely many values"):
        create(store, *inputs(sampler="grid"))
    with pytest.raises(DataError):
        create(store, *inputs(data=tmp_path / "missing.npz"))
    assert list_studies(store) == ()


def test_the_split_belongs_to_the_study(store: Store, created: Created, tmp_path: Path) -> None:
    opened = open_study(store, "tiny", tmp_path)
    split = json.loads(created.config.split)
    assert opened.samples.train == tuple(split["train"])
    assert set(opened.panel) <= set(opened.validation)
    assert not set(opened.samples.train) & set(opened.validation)
    assert not find_outliers(opened.dataset, "auto")[np.asarray(opened.validation)].any()
    groups = opened.dataset.group
    assert groups is not None
    assert not set(groups[list(opened.samples.train)]) & set(groups[list(opened.validation)])


def test_the_data_is_found_elsewhere_by_its_digest(
    store: Store, inputs: Callable[..., Inputs], tiny_data: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.npz"
    moved.write_bytes(tiny_data.read_bytes())
    made = create(store, *inputs(data=moved))
    moved.unlink()
    opened = open_study(store, "tiny", tmp_path / "elsewhere")
    assert opened.dataset.digest == made.config.data_digest


def test_warm_starts_are_checked_first(store: Store, inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    made = create(store, *inputs(warm_start="reports"))
    counted = f"0 of {len(FINALS)} published recipes fit and are tried first"
    assert made.notes == (f"{counted}; --space whole has room for {len(FINALS)}",)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {depth: 5}")
    with pytest.raises(SpaceError, match=r"model\.depth"):
        create(store, *inputs(study="third", warm_start=str(recipe)))


def enqueued(store: Store, space: Space) -> list[Recipe]:
    """What waits in the study tiny, in order."""
    waiting = optuna.load_study(study_name="tiny", storage=store.trials).get_trials()
    return [space.recipe(trial.system_attrs["fixed_params"]) for trial in waiting]


def test_a_study_of_the_whole_space_first_tries_every_final(store: Store, inputs: Callable[..., Inputs]) -> None:
    made = create(store, *inputs(space="", warm_start="reports", trials=len(FINALS)))
    assert made.notes == ()
    study = StudyDefinition(made.config)
    space = study.space
    samples = len(study.split.train)
    tried = enqueued(store, space)
    assert tried == [as_planned(study.space, load_preset(name, space.facts, samples)) for name in FINALS]
    assert {recipe.optimisation.epochs for recipe in tried} == {made.config.epochs}
    assert samples < 80  # a twentieth of them is under four: nnU-Net's rules want the smallest batch
    assert tried[FINALS.index("nnunet-plan")].optimisation.batch_size == 4


def test_the_default_space_begins_with_the_published_recipes_that_fit(
    store: Store, inputs: Callable[..., Inputs]
) -> None:
    made = create(store, *inputs(space=StudyConfig.space, warm_start="reports", trials=len(FINALS)))
    tried = enqueued(store, StudyDefinition(made.config).space)
    assert 0 < len(tried) < len(FINALS)
    [note] = made.notes
    assert note.startswith(f"{len(tried)} of {len(FINALS)} published recipes fit and are tried first; --space whole")
    assert {(recipe.optimisation.ema, recipe.optimisation.kept) for recipe in tried} == {(0.999, "last")}
    assert all(recipe.optimisation.fit_offset for recipe in tried)
    [baseline, rare, *_] = tried
    assert baseline.loss.dice is None
    assert rare.loss.dice is not None


@pytest.mark.parametrize(
    ("space", "learnt"), [("base: standard", True), ("base: standard\nloss: {ignore_excluded: true}", False)]
)
def test_published_recipes_learn_the_pixels_that_the_score_counts(
    space: str, learnt: bool, store: Store, inputs: Callable[..., Inputs]
) -> None:
    """Under the strict mean; a space that says otherwise holds for them, too."""
    made = create(store, *inputs(space=space, warm_start="reports", objective="miou_strict"))
    study = StudyDefinition(made.config)
    tried = enqueued(store, study.space)
    assert tried
    assert {recipe.loss.ignore_excluded for recipe in tried} == {not learnt}
    assert load_preset("baseline").loss.ignore_excluded


@pytest.mark.parametrize(
    ("own", "optimiser", "lr", "sgd_lr", "found"),
    [
        ("{low: 0.1, high: 0.2}", "adamw", 3e-3, 0.0, (3e-3, 0.1)),
        ("[0.05, 0.1, 0.3]", "adamw", 3e-3, 0.25, (3e-3, 0.3)),
        ("0.0", "adamw", 3e-3, 0.25, (3e-3, 0.0)),
        ("{low: 0.05, high: 0.2}", "sgd", 0.08, 0.0, (1e-2, 0.08)),
        ("{low: 0.1, high: 0.2}", "sgd", 3e-3, 0.15, (3e-3, 0.15)),
        ("0.0", "sgd", 3e-3, 0.0, (3e-3, 0.0)),
    ],
)
def test_a_rate_that_the_optimiser_does_not_read_is_moved_into_the_space(
    own: str, optimiser: Literal["adamw", "sgd"], lr: float, sgd_lr: float, found: tuple[float, float]
) -> None:
    space = bind(
        DataFacts(channels=1, height=64, width=128, class_names=("soil", "rock")),
        f"optimisation: {{optimizer: [adamw, sgd], lr: {{low: 1e-3, high: 1e-2}}, sgd_lr: {own}}}",
    )
    recipe = Recipe(optimisation=Optimisation(optimizer=optimiser, lr=lr, sgd_lr=sgd_lr))
    tried = as_planned(space, recipe)
    space.params(tried)
    assert (tried.optimisation.lr, tried.optimisation.sgd_lr) == found
    assert tried.optimisation.rate == recipe.optimisation.rate


def test_a_rate_that_the_optimiser_reads_must_lie_in_the_space(store: Store, inputs: Callable[..., Inputs]) -> None:
    space = StudyDefinition(create(store, *inputs(space=StudyConfig.space)).config).space
    recipe = Recipe(optimisation=Optimisation(optimizer="sgd", sgd_lr=0.3))
    with pytest.raises(SpaceError, match=r"optimisation\.sgd_lr: the recipe has 0\.3, this study allows 0\.01 to 0\.2"):
        space.params(as_planned(space, recipe))


def test_the_space_for_cpus_begins_with_recipes_of_its_own(store: Store, inputs: Callable[..., Inputs]) -> None:
    made = create(store, *inputs(space="base: cpu", warm_start="reports"))
    tried = enqueued(store, StudyDefinition(made.config).space)
    assert {recipe.model.network.shrink for recipe in tried} == {2}
    assert len(tried) == 2


def test_a_recipe_keeps_its_weights_as_it_says_where_the_space_says_nothing(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("optimisation: {ema: 0.9, kept: last}")
    made = create(store, *inputs(space="base: whole", warm_start=str(tmp_path / "mine.yaml")))
    [recipe] = enqueued(store, StudyDefinition(made.config).space)
    assert (recipe.optimisation.ema, recipe.optimisation.kept) == (0.9, "last")


def test_a_larger_space_is_not_praised_where_limits_leave_recipes_out(
    store: Store, inputs: Callable[..., Inputs]
) -> None:
    [note, *_] = create(store, *inputs(space="base: whole", warm_start="reports", max_params=100)).notes
    assert note == f"0 of {len(FINALS)} published recipes fit and are tried first"


def test_a_study_of_when_the_whole_space_was_the_default_goes_on(store: Store, inputs: Callable[..., Inputs]) -> None:
    old = create(store, *inputs(space=""))
    for same in (StudyConfig.space, "base: whole", "rest: searched"):
        again = create(store, *inputs(space=same))
        assert (again.new, again.config) == (False, old.config)
    with pytest.raises(StudyError, match=r"--space differs: model\.family unet"):
        create(store, *inputs(space="base: cpu"))


def test_the_default_space_does_not_pass_for_another(store: Store, inputs: Callable[..., Inputs]) -> None:
    assert create(store, *inputs(space=StudyConfig.space)).new
    assert not create(store, *inputs(space=StudyConfig.space)).new
    for other in ("", "base: whole", "base: cpu"):
        with pytest.raises(StudyError, match="--space differs: "):
            create(store, *inputs(space=other))


@pytest.mark.parametrize("objective", ["miou", "miou_strict"])
def test_excluded_pixels_are_trained_on_as_the_objective_counts_them(
    store: Store, inputs: Callable[..., Inputs], objective: str
) -> None:
    def asked(**changes: object) -> Inputs:
        return inputs(space=StudyConfig.space, objective=objective, **changes)

    made = create(store, *asked())
    domain = StudyDefinition(made.config).space.domains["loss.ignore_excluded"]
    assert (type(domain), domain.value) == (Default, objective == "miou")
    assert not create(store, *asked()).new
    assert not create(store, *asked(trials=20)).new
    assert not create(store, *inputs(space=StudyConfig.space)).new  # the objective is the study's own


def test_enqueue_refuses_what_the_space_does_not_hold(store: Store, created: Created) -> None:
    with pytest.raises(SpaceError, match="this study"):
        enqueue(store, "tiny", "baseline")
    with pytest.raises(SpaceError, match="this study"):
        enqueue(store, "tiny", "nnunet-plan")
    with pytest.raises(SpaceError, match=r"neither a recipe file nor a preset, presets are a-table-1, .*baseline"):
        read_recipe("nothing.yaml")
    with pytest.raises(StudyError, match="elsewhere"):
        enqueue(store, "elsewhere", "baseline")
    assert optuna.load_study(study_name="tiny", storage=store.trials).get_trials() == []


def test_a_preset_is_enqueued_by_name_for_the_data_of_the_study(store: Store, inputs: Callable[..., Inputs]) -> None:
    made = create(store, *inputs(space=""))
    enqueue(store, "tiny", "nnunet-plan")
    study = StudyDefinition(made.config)
    space = study.space
    [tried] = enqueued(store, space)
    assert tried == as_planned(study.space, recipe_for(study, "nnunet-plan"))
    assert tried.model.network.depth == 2  # 24 pixels: halved three times they would be under four


def test_a_study_stays_a_plain_optuna_study(store: Store, created: Created, tmp_path: Path) -> None:
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert study.user_attrs["space_digest"] == created.config.space_digest


def test_a_larger_target_is_taken_over(store: Store, created: Created, inputs: Callable[..., Inputs]) -> None:
    again = create(store, *inputs(trials=9))
    assert not again.new
    assert open_study(store, "tiny", Path(store.artifacts_url).parent).config == replace(created.config, trials=9)


def test_the_words_of_a_refusal_name_what_differs(
    store: Store, created: Created, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    def refusal(**changes: object) -> str:
        with pytest.raises(StudyError, match=r"study 'tiny' exists in .* and differs: ") as caught:
            create(store, *inputs(**changes))
        return str(caught.value).partition("and differs: ")[2]

    narrower = TINY_SPACE.replace("high: 1e-2", "high: 5e-3")
    assert refusal(space=narrower).startswith(
        "--space differs: optimisation.lr 0.001 to 0.005 instead of 0.001 to 0.01:"
    )
    assert refusal(space=TINY_SPACE.replace("depth: 2", "depth: [2, 3]"), seed=4).startswith(
        "--seed 4 instead of 0; --space differs: model.depth 2 to 3 instead of 2:"
    )
    larger = tmp_path / "larger.npz"
    write_dataset(synthesise(train=60, test=4, seed=1, height=24, width=32), larger)
    assert refusal(data=larger).startswith("--data is another data set (60 samples instead of 48):")
    assert refusal(epochs=4).startswith("--epochs 4 instead of 3:")


def test_a_space_without_some_families_is_another_space(store: Store, inputs: Callable[..., Inputs]) -> None:
    create(store, *inputs(space=""))
    with pytest.raises(StudyError, match=r"--space differs: model\.family unet instead of one of unet, unetpp, "):
        create(store, *inputs(space="model: {family: unet}"))


def test_the_same_space_in_other_words_is_the_same_study(
    store: Store, created: Created, inputs: Callable[..., Inputs]
) -> None:
    assert not create(store, *inputs(space="# another comment\n" + TINY_SPACE.replace("depth: 2", "depth: [2]"))).new


def test_a_warm_start_matters_only_when_the_study_is_created(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    space, recipe = StudyDefinition(create(store, *inputs(study="donor")).config).space, tmp_path / "mine.yaml"
    donor = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    recipe.write_text(dump_recipe(space.suggest(donor)))
    made = create(store, *inputs(warm_start=str(recipe)))
    assert len(waiting(store)) == 1
    recipe.unlink()
    again = create(store, *inputs(warm_start=str(recipe)))
    assert (again.new, again.config, again.notes) == (False, made.config, ())
    [note] = create(store, *inputs(warm_start="none")).notes
    assert note.startswith(f"--warm-start none changes nothing: the study was created with {recipe}; ")
    assert len(waiting(store)) == 1


def test_presets_are_adapted_to_data_without_excluded_classes(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    data = tmp_path / "plain.npz"
    drawn = synthesise(train=60, test=0, seed=1, height=24, width=32)
    plain = build_dataset(images=drawn.images, masks=drawn.masks, class_names=drawn.class_names, excluded=())
    write_dataset(plain, data)
    made = create(store, *inputs(data=data, space="", warm_start="reports"))
    study = StudyDefinition(made.config)
    tried = enqueued(store, study.space)
    assert len(tried) == len(FINALS)
    assert tried[0] == as_planned(study.space, load_preset("baseline"))
    assert not tried[0].loss.ignore_excluded
    assert load_preset("baseline").loss.ignore_excluded
    with pytest.raises(UsageError, match="trial 0 has the same recipe"):
        enqueue(store, "tiny", "baseline")
    assert len(enqueued(store, study.space)) == len(tried)


def test_every_conflict_of_a_recipe_is_named(store: Store, created: Created) -> None:
    with pytest.raises(SpaceError, match=r"model\.depth: .*; model\.filters: .*; model\.growth: "):
        enqueue(store, "tiny", "baseline")


def test_a_creation_that_ends_at_any_step_is_completed_by_the_same(
    store: Store, inputs: Callable[..., Inputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps on the data set and the study; `create_study` is interrupted at each statement in its own test."""

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    steps = [f"storage.studies.datasets.{step}" for step in ("write_dataset", "save_file", "put_dataset")]
    for step in (*steps, "search.studies.create.create_study"):
        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with pytest.raises(Killed):
                create(store, *inputs(space=GRID, sampler="grid"))
        assert list_studies(store) == ()
    made = create(store, *inputs(space=GRID, sampler="grid"))
    assert made.new
    points = list(StudyDefinition(made.config).space.grid())
    assert len(points) == 4
    assert waiting(store) == points
    assert not create(store, *inputs(space=GRID, sampler="grid")).new
    assert waiting(store) == points


def waiting(store: Store) -> list[dict[str, Any]]:
    """The parameters of the trials of the study tiny that wait."""
    trials = optuna.load_study(study_name="tiny", storage=store.trials).get_trials(states=(TrialState.WAITING,))
    return [trial.system_attrs["fixed_params"] for trial in trials]
