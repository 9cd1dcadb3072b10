"""Recipes over a limit are refused before training, and the search learns to leave them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from math import log2
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import Trial

from search.errors import UsageError
from search.studies.create import Created, create
from search.studies.limits import constraint_values, limits_note, refusal, violation_of
from search.studies.pruners import build_pruner, rungs
from search.studies.recipes import enqueue
from search.studies.samplers import build_sampler
from search.studies.study import StudyDefinition, open_study
from search.training.footprint import meta_network
from search.worker.devices import device_slots, smallest_gpu
from search.worker.gpus import Gpu
from spaces import DataFacts, Recipe, bind, dump_domains
from spaces.modules.networks.network import build_network, count_parameters
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.trials.queries import best_of, count
from support.cost import cpu_seconds
from support.driver import Card
from support.studies import Inputs

NAMES = ("background", "soil", "bedrock", "sand", "big rock")
FACTS = DataFacts(channels=1, height=64, width=128, class_names=NAMES, excluded=("background",))
UNETS = """
model: {family: unet, depth: [2, 3, 4, 5], decoder_block: same, bottleneck: plain, skip: concat, dropout: 0.0,
        dropout_place: every_block, squeeze: nowhere, upsampling: nearest}
loss: {cross_entropy: {weight: 1}, bce: null, dice: null, focal: null, boundary: null, lovasz: null, tversky: null,
       mae: null, ignore_excluded: true}
class_weights: {scheme: none, smoothing: 0.5, iou_offset: 0.1, background: 1}
augment: {flip_horizontal: true, flip_vertical: false, noise: 0.0, blur: 0.0, brightness: 0.0, contrast: 0.0,
          geometry: null, mixing: null}
optimisation: {weight_decay: 1e-4, schedule: none}
data: {oversample: null}
"""


@pytest.fixture
def plan(created: Created) -> StudyConfig:
    return created.config


def study_of(plan: StudyConfig, text: str = "") -> StudyDefinition:
    """The study of this configuration on data with the facts above, in the space of this text."""
    space = bind(FACTS, text, epochs=plan.epochs)
    derived = {"facts": FACTS.model_dump_json(), "space_digest": space.digest, "domains": dump_domains(space)}
    return StudyDefinition(replace(plan, space=text, **derived))


def values(plan: StudyConfig, device_gb: float | None, *, quick: bool = False) -> Mapping[str, float]:
    """The constraints of that study on the default recipe."""
    return constraint_values(study_of(plan), Recipe(), Gpu(id="GPU-0", gb=device_gb), quick=quick)


def parameters(recipe: Recipe) -> int:
    return count_parameters(meta_network(recipe, FACTS))


def test_without_limits_there_are_no_constraints(plan: StudyConfig) -> None:
    assert values(plan, None) == {}
    assert violation_of(StudyDefinition(plan)) is None
    assert refusal({}, plan, None) == ""


def test_a_constraint_is_the_number_of_doublings_over_the_limit(plan: StudyConfig) -> None:
    own = parameters(Recipe())
    assert values(replace(plan, max_params=own), None) == {"params": 0.0}
    assert values(replace(plan, max_params=own // 4), None)["params"] == pytest.approx(2, abs=1e-3)
    assert values(replace(plan, max_params=own * 2), None)["params"] == pytest.approx(-1)


def test_memory_is_limited_by_the_device_unless_the_plan_says_otherwise(plan: StudyConfig) -> None:
    (small,) = values(plan, 1.0).values()
    (large,) = values(plan, 4.0).values()
    assert small - large == pytest.approx(2)
    assert values(replace(plan, max_gpu_gb=4.0), 1.0) == {"gpu_gb": large}
    assert values(replace(plan, max_gpu_gb=4.0), None) == {"gpu_gb": large}
    assert set(values(replace(plan, max_params=5), 1.0)) == {"params", "gpu_gb"}


def test_memory_is_not_looked_at_where_parameters_decide(plan: StudyConfig) -> None:
    both = replace(plan, max_params=5, max_gpu_gb=0.1)
    assert set(values(both, None, quick=True)) == {"params"}
    assert set(values(replace(both, max_params=10**9), None, quick=True)) == {
        "params",
        "gpu_gb",
    }


def test_a_refusal_says_how_much_and_how_much_is_allowed(plan: StudyConfig) -> None:
    over = {"params": 1.0, "gpu_gb": 2.0}
    assert refusal(over, replace(plan, max_params=1000, max_gpu_gb=8.0), None) == (
        "refused before training: 2,000 parameters, --max-params is 1,000;"
        " about 32.0 GiB of GPU memory, --max-gpu-gb is 8"
    )
    gpu = Gpu(id="GPU-0", gb=24.0)
    assert refusal({"gpu_gb": 1.0}, plan, gpu).endswith("about 48.0 GiB of GPU memory, the device has 24")
    assert refusal({"params": 0.0, "gpu_gb": -1.0}, replace(plan, max_params=5), gpu) == ""


def test_images_of_bytes_stay_bytes_on_the_device(store: Store, created: Created, tmp_path: Path) -> None:
    opened = open_study(store, "tiny", tmp_path)
    images = [opened.dataset.images.astype(kind) for kind in ("uint8", "uint16", "float32")]
    assert [replace(opened, dataset=replace(opened.dataset, images=each)).pixel_bytes for each in images] == [1, 4, 4]


def test_a_gpu_is_shared_evenly_and_a_cpu_is_none(driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    driver("GPU-0", Card(uuid="GPU-1"), Card(uuid="GPU-2", memory=16.0, capability=(6, 1)))
    large, small = Gpu(id="GPU-1", gb=12.0, share=0.5), Gpu(id="GPU-2", gb=8.0, share=0.5, half=False)
    for workers, on_one_gpu in ((4, 1), (3, 1), (2, 2), (None, 2)):
        slots = device_slots("cuda", workers, Path(), on_one_gpu)
        assert [slot.gpu for slot in slots] == [large, small, large, small][: workers or 4]
        assert smallest_gpu(slots) == small
    alone = device_slots("cuda:0", 1, Path())
    assert [slot.gpu for slot in alone] == [Gpu(id="GPU-1", gb=24.0)]
    assert [slot.gpu for slot in device_slots("cpu", 2, Path())] == [None, None]
    assert smallest_gpu(device_slots("cpu", 2, Path())) is None


def test_a_gpu_whose_memory_the_driver_does_not_tell_limits_nothing(
    driver: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-8a,1")
    driver(Card(uuid="GPU-8abc", memory=None, capability=None), Card(uuid="GPU-9", memory=None))
    slots = device_slots("cuda", None, Path())
    assert [slot.gpu for slot in slots] == [Gpu(id="GPU-8abc"), Gpu(id="GPU-9")]
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["GPU-8abc", "GPU-9"]
    assert {slot.environment["CUDA_DEVICE_ORDER"] for slot in slots} == {"PCI_BUS_ID"}
    assert smallest_gpu(slots) is None


@pytest.mark.whole
def test_a_recipe_is_judged_in_the_time_of_one_step_of_a_small_training(plan: StudyConfig) -> None:
    space = bind(FACTS)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    limited = study_of(replace(plan, max_params=10**6))
    network = build_network(Recipe(), FACTS, mean=(0.5,), std=(0.2,))
    images = torch.zeros((4, 1, FACTS.height, FACTS.width))

    def judged(recipe: Recipe) -> None:
        assert set(constraint_values(limited, recipe, Gpu(id="GPU-0", gb=8.0))) == {"params", "gpu_gb"}

    recipes = [space.suggest(study.ask()) for _ in range(25)]
    step = cpu_seconds(lambda: network(images).sum().backward())
    costs = [cpu_seconds(partial(judged, recipe)) for recipe in recipes]
    assert max(costs) < 5 * step


def refused(trial: Trial, over: float) -> None:
    """What the objective does with a recipe over a limit."""
    trial.set_constraint("params", over)
    raise optuna.TrialPruned


def test_refused_trials_are_finished_and_never_the_best(plan: StudyConfig) -> None:
    sampler = build_sampler(StudyDefinition(plan))
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=build_pruner(plan))

    def objective(trial: Trial) -> float:
        StudyDefinition(plan).space.suggest(trial)
        if trial.number % 2:
            refused(trial, 1.0)
        trial.set_constraint("params", -1.0)
        return 0.1 * trial.number

    study.optimize(objective, n_trials=6)
    counts = count(study.trials)
    assert (counts.complete, counts.pruned, counts.finished) == (3, 3, 6)
    best = best_of(study.trials)
    assert best is not None
    assert best.number == study.best_trial.number == 4


@pytest.mark.parametrize("pruner", ["asha", "median", "hyperband"])
def test_refused_trials_change_nothing_for_the_pruner(plan: StudyConfig, pruner: str) -> None:
    plan = replace(plan, pruner=pruner, epochs=9, trials=100)

    def ends(refusals: int) -> list[int]:
        """At which rung each of 20 trainings ends, with so many refused trials before each."""
        study = optuna.create_study(direction="maximize", pruner=build_pruner(plan))
        ended: list[int] = []

        def objective(trial: Trial) -> float:
            if trial.number % (refusals + 1) < refusals:
                refused(trial, 1.0)
            number = len(ended)
            trial.set_constraint("params", -1.0)
            value = 0.9 - 0.001 * number if number < 8 else 0.01
            for step in sorted(rungs(plan)):
                trial.report(value, step)
                if step < plan.epochs and trial.should_prune():
                    ended.append(step)
                    raise optuna.TrialPruned
            ended.append(plan.epochs)
            return value

        study.optimize(objective, n_trials=20 * (refusals + 1))
        return ended

    if pruner == "hyperband":  # which bracket a trial belongs to depends on its number
        assert ends(3)[0] == 9
    else:
        assert ends(3) == ends(0)


@cache
def tight(text: str, share: float) -> int:
    """The limit that this share of the random recipes of a space file keep."""
    space = bind(FACTS, text)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=99))
    sizes = sorted(parameters(space.suggest(study.ask())) for _ in range(200))
    return sizes[round(share * 200) - 1]


def infeasible(plan: StudyConfig, text: str, *, mode: str, trials: int = 200) -> list[bool]:
    """Whether each trial of a search on a synthetic objective was over a limit that one random recipe in 20 keeps."""
    study = study_of(replace(plan, sampler="tpe", trials=trials, max_params=tight(text, 0.05)), text)
    space, plan = study.space, study.config
    screen = violation_of(study) if mode == "screened" else None
    search = optuna.create_study(
        direction="maximize", sampler=build_sampler(StudyDefinition(plan), screen), pruner=build_pruner(plan)
    )
    over: list[bool] = []

    def objective(trial: Trial) -> float:
        recipe = space.suggest(trial)
        value = log2(parameters(recipe) / (plan.max_params or 1))
        over.append(value > 0)
        if mode != "failed":
            trial.set_constraint("params", value)
        if value > 0:
            raise optuna.TrialPruned if mode != "failed" else MemoryError
        return 0.7 - 0.05 * abs(float(np.log10(recipe.optimisation.lr)) + 3)

    search.optimize(objective, n_trials=plan.trials, catch=(MemoryError,))
    return over


@pytest.mark.whole
def test_a_search_under_a_tight_limit_ends_within_it(plan: StudyConfig) -> None:
    assert sum(infeasible(plan, UNETS, mode="screened", trials=120)[-100:]) < 10


def test_the_sampler_learns_from_refusals_alone(plan: StudyConfig) -> None:
    over = infeasible(plan, UNETS, mode="pruned")
    assert sum(over[:20]) > 15  # the random ones, of which one in 20 keeps the limit
    assert sum(over[-100:]) < 50
    assert sum(over[-100:]) < sum(over[:100])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_search_of_the_whole_space_under_a_tight_limit_ends_within_it(plan: StudyConfig, seed: int) -> None:
    plan = replace(plan, seed=seed)
    found = {mode: infeasible(plan, "", mode=mode) for mode in ("failed", "pruned", "screened")}
    shares = {mode: (sum(over[:100]), sum(over[-100:])) for mode, over in found.items()}
    print(f"infeasible of the first and last 100 trials, seed {seed}: {shares}")
    assert shares["failed"][1] > 80
    assert shares["screened"][1] < 10


@pytest.mark.whole
def test_a_screened_trial_is_sampled_the_same_again(plan: StudyConfig) -> None:
    study = study_of(replace(plan, max_params=tight(UNETS, 0.3)), UNETS)

    def params(trials: int) -> list[dict[str, object]]:
        sampler = build_sampler(study, violation_of(study))
        search = optuna.create_study(direction="maximize", sampler=sampler)
        search.optimize(lambda trial: study.space.suggest(trial).optimisation.lr, n_trials=trials)
        return [trial.params for trial in search.trials]

    assert params(14) == params(14)


def test_an_enqueued_trial_is_not_screened(plan: StudyConfig) -> None:
    limited = study_of(replace(plan, max_params=1), UNETS)
    space = limited.space
    study = optuna.create_study(sampler=build_sampler(limited, violation_of(limited)))
    donor = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    wanted = space.suggest(donor)
    study.enqueue_trial(donor.params)
    assert space.suggest(study.ask()) == wanted


def test_presets_over_the_limit_are_not_tried_first(store: Store, inputs: Callable[..., Inputs]) -> None:
    made = create(store, *inputs(space="", warm_start="reports", max_params=20_000))
    waiting = optuna.load_study(study_name="tiny", storage=store.trials).get_trials()
    assert made.config.max_params == 20_000
    assert any(note.startswith(f"{len(waiting)} of ") and "published recipes fit" in note for note in made.notes)
    space = StudyDefinition(made.config).space
    recipes = [space.recipe(trial.system_attrs["fixed_params"]) for trial in waiting]
    assert all(count_parameters(meta_network(recipe, space.facts)) <= 20_000 for recipe in recipes)
    assert "--max-params 20,000: refuses " in limits_note(StudyDefinition(made.config))
    with pytest.raises(UsageError, match=r"over the limits of study tiny: .* parameters, --max-params is 20,000"):
        enqueue(store, "tiny", "report-c-unet")


def test_an_impossible_limit_is_said_at_once(plan: StudyConfig) -> None:
    assert limits_note(StudyDefinition(plan)) == ""
    note = limits_note(StudyDefinition(replace(plan, max_params=1, max_gpu_gb=0.5)))
    assert note.startswith("--max-params 1 and --max-gpu-gb 0.5: refuses all of 24 random recipes")
