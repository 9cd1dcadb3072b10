"""Report D's search done again: random, grid and TPE over its five axes, each with the same number of trials.

Each way is an ordinary study in the reproduction's own database, so that it continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import threading
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import yaml
from optuna.trial import FrozenTrial

from search.host import host
from search.host.progress import View
from search.host.shutdown import stop_on_signals
from search.reproduction.agenda import SPLIT_SEED, Part, Request, split_parts
from search.reproduction.found import Search, Searches, Tried, draw_searches, searches_as_csv, searches_as_markdown
from search.reproduction.paper import D_BEST
from search.reproduction.pool import DatasetRef
from search.reproduction.reproduce import Say, describe, known_results, make_folder, train_missing, write_text
from search.reproduction.task import make_task, narrow_filters
from search.studies.study import OpenStudy, Wish, create, open_study
from search.worker.devices import places
from search.worker.process import DeviceSlot
from spaces import SpaceError, load_preset
from spaces.axis import Scalar
from storage.data.dataset import Dataset, build_dataset, read_dataset, write_dataset
from storage.store import Store, open_store
from storage.trials.retries import retried

SAMPLERS = ("random", "grid", "tpe")
BASE = "report-d-unet"  # everything that is not searched
AXES = """
model:
  filters: [8, 16, 32]
  activation: [relu, leaky_relu, elu]
  kernel: [3, 5]
  depth: [3, 4]
  dropout: [0.0, 0.2, 0.4]
"""
"""The part of the space that is searched: report D's five axes; its best is 16, relu, 3, 4, 0.2."""


def search_again(request: Request, trials: int, *, stop: threading.Event, say: Say) -> Searches:
    """Run the three studies to ``trials`` each, train report D's own best once, write ``D7.md``, ``.csv``, ``.png``.

    Raises DataError, SpaceError, StudyError, UsageError, or TrainingFailed when trainings only fail.
    """
    seats = places(request.device, request.workers, request.out / "logs")
    dataset = read_dataset(request.data)
    make_folder(request.out)
    whole, _ = split_parts(dataset, replace(request, folds=0))
    data = _subset(dataset, whole, request)
    with _storage(request.out) as store:
        names = {sampler: _create(store, sampler, data, request, trials) for sampler in SAMPLERS}
        opened = open_study(store, names["grid"], request.out)
        points = spread_out(list(opened.space.grid()), SPLIT_SEED)
        targets = {sampler: min(trials, len(points)) if sampler == "grid" else trials for sampler in SAMPLERS}
        _enqueue(store, names["grid"], points[:trials])
        for sampler in SAMPLERS:
            if not stop.is_set():
                say(f"search by {sampler}: study {names[sampler]}, {targets[sampler]} trials")
                _work(store, names[sampler], targets[sampler], request, stop)
        reference = _reference(opened, request, seats, stop, say)
        found = tuple(_found(store, opened, sampler, names[sampler], targets[sampler]) for sampler in SAMPLERS)
    used = replace(whole, train=opened.train, validation=opened.validation)
    setting = describe(dataset, replace(request, seeds=1, folds=0), used)
    done = Searches(setting=setting, points=len(points), searches=found, reference=reference)
    _write(request.out, done)
    return done


def space_text(epochs: int, width: float) -> str:
    """The space file: the preset of report D with its five axes opened."""
    values = load_preset(BASE).model_dump(mode="json")
    del values["seed"]
    opened: dict[str, Any] = yaml.safe_load(AXES)["model"]
    opened["filters"] = list(dict.fromkeys(narrow_filters(filters, width) for filters in opened["filters"]))
    values["model"] |= opened
    values["optimisation"] |= {"epochs": epochs, "patience": epochs}
    return yaml.safe_dump(values, sort_keys=False)


def spread_out(points: Sequence[Mapping[str, Scalar]], seed: int) -> list[Mapping[str, Scalar]]:
    """The points of a grid in an order whose every beginning has the values of each axis equally often, or nearly.

    A grid in its own order, cut off, would have tried the first values of the first axes only.
    """
    left = [points[index] for index in np.random.default_rng(seed).permutation(len(points))]
    used: Counter[tuple[str, Scalar]] = Counter()
    order: list[Mapping[str, Scalar]] = []
    while left:
        rarest = min(range(len(left)), key=lambda index: sum(used[item] ** 2 for item in left[index].items()))
        order.append(left.pop(rarest))
        used.update(order[-1].items())
    return order


@contextmanager
def _storage(out: Path) -> Iterator[Store]:
    # The experimental features are chosen with care (TPE's group, stale trials), and the minor version is pinned.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    store = open_store(f"sqlite:///{out / 'd7.db'}", str(out / "d7-artifacts"))
    try:
        yield store
    finally:
        store.close()


def _subset(dataset: Dataset, whole: Part, request: Request) -> Path:
    """The data file of the studies: the request's own, or one with the subset's tiles only."""
    if request.tiles is None or request.tiles >= whole.train_clean:
        return request.data
    chosen = np.asarray(sorted((*whole.train, *whole.validation)), dtype=np.int64)
    smaller = build_dataset(
        images=dataset.images[chosen],
        masks=dataset.masks[chosen],
        class_names=dataset.class_names,
        excluded=dataset.excluded,
        ignore_label=dataset.ignore_label,
        group=None if dataset.group is None else dataset.group[chosen],
    )
    path = request.out / f"d7-{smaller.digest[:8]}.npz"
    write_dataset(smaller, path)
    return path


def _create(store: Store, sampler: str, data: Path, request: Request, trials: int) -> str:
    """Create the study, or find it; other data, axes or epochs make another one. Returns its name."""
    text = space_text(request.epochs, request.width)
    digest = hashlib.sha256(json.dumps([read_dataset(data).digest, text, request.epochs]).encode()).hexdigest()
    wish = Wish(
        study=f"d7-{sampler}-{digest[:6]}",
        data=data,
        space=text,
        space_name="the space of D7",
        sampler="tpe" if sampler == "tpe" else "random",  # the grid's points are enqueued here, in our own order
        pruner="none",
        objective="miou",
        trials=trials,
        epochs=request.epochs,
        warm_start="none",
        holdout=0.0,
        keep=1,
        seed=SPLIT_SEED,
    )
    create(store, wish)
    return wish.study


def _enqueue(store: Store, name: str, points: Sequence[Mapping[str, Scalar]]) -> None:
    study = optuna.load_study(study_name=name, storage=store.trials)
    for point in points:
        study.enqueue_trial(dict(point), skip_if_exists=True)


def _work(store: Store, name: str, target: int, request: Request, stop: threading.Event) -> None:
    """Work on the study as `marsearch work` does; a study that a signal ended sets the flag."""
    order = host.Order(
        study=name,
        workers=request.workers,
        trials=target,
        timeout=None,
        device=request.device,
        home=request.out,
    )
    outcome = host.work(store, order, View(name))
    if outcome.finished < outcome.target:
        stop.set()


def _reference(
    opened: OpenStudy, request: Request, seats: Sequence[DeviceSlot], stop: threading.Event, say: Say
) -> Tried | None:
    """Report D's best parameters, trained once on the studies' split."""
    chosen = {f"model.{name}": value for name, value in D_BEST.items()}
    chosen["model.filters"] = narrow_filters(int(D_BEST["filters"]), request.width)
    facts, digest = opened.space.facts, opened.dataset.digest
    task = make_task(
        "d7-report-d-seed0",
        opened.space.recipe(chosen, seed=0),
        preset=BASE,
        train=opened.train,
        validation=opened.validation,
        data_digest=digest,
    )
    results = known_results(request.out, [task], facts)
    ground = DatasetRef(data=opened.data, digest=digest, facts=facts)
    with stop_on_signals(stop):
        train_missing([task], results, ground, seats=seats, out=request.out, stop=stop, say=say)
    result = results.get(task.name)
    if result is None or result.best is None:
        return None
    model = task.recipe.model.network
    return Tried(
        number=0,
        values={name: getattr(model, name) for name in D_BEST},
        miou=result.best.miou,
        miou_strict=result.best.miou_strict,
        parameters=result.parameters,
        seconds=result.seconds,
    )


def _found(store: Store, opened: OpenStudy, sampler: str, name: str, target: int) -> Search:
    trials = optuna.load_study(study_name=name, storage=store.trials).get_trials(deepcopy=False)
    replaced = {number for trial in trials for number in retried(trial)}
    finished = [trial for trial in trials if trial.state.is_finished() and trial.number not in replaced]
    return Search(sampler=sampler, target=target, tried=tuple(_tried(opened, trial) for trial in finished))


def _tried(opened: OpenStudy, trial: FrozenTrial) -> Tried:
    known = trial.user_attrs
    try:
        model = opened.space.recipe(trial.params).model.network
        values = {name: getattr(model, name) for name in D_BEST}
    except SpaceError:  # it failed before it was sampled to its end
        values = {}
    return Tried(
        number=trial.number,
        values=values,
        miou=known.get("miou"),
        miou_strict=known.get("miou_strict"),
        parameters=known.get("parameters", 0),
        seconds=known.get("training_seconds", 0.0),
    )


def _write(out: Path, done: Searches) -> None:
    write_text(out / "D7.md", searches_as_markdown(done))
    write_text(out / "D7.csv", searches_as_csv(done))
    draw_searches(out / "D7.png", done)
