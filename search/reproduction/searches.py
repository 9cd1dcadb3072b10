"""Report D's search done again: random, grid and TPE over its five axes, each with the same number of trials.

Each way is an ordinary study in the reproduction's own database, so that it continues where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import yaml

from search.host.context import WorkOptions
from search.host.host import work
from search.host.progress import LogProgress, Progress
from search.host.shutdown import counted_signals
from search.log import is_json
from search.outcome.pictures.canvas import INK, blank, draw_legend, plain, save, tidy
from search.outcome.spreadsheet import safe_csv
from search.reproduction import plan
from search.reproduction.plan import SPLIT_SEED, Budget, DatasetRef, Part, Request, Setting, Task
from search.reproduction.report import describe, percent, render
from search.reproduction.reproduce import write_report
from search.reproduction.table import SEARCH_AXES, SEARCH_BEST, SEARCH_PRESET, Scalar
from search.reproduction.training import train_missing
from search.studies.create import create
from search.studies.study import OpenStudy, open_study
from search.worker.devices import device_slots
from spaces import Recipe, SpaceError, load_preset
from storage.data.dataset import Dataset, read_dataset, select_samples, write_dataset
from storage.database.sqlite_url import sqlite_url
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.studies.studies import trials_of
from storage.trials.retries import earlier_attempts

SAMPLERS = {"random": "random search", "grid": "grid search", "tpe": "Bayesian (TPE)"}
REFERENCE = "report D"
COLUMNS = ("search", "trial", *SEARCH_AXES, "miou", "miou_strict", "parameters", "seconds")
_COLOURS = {"random": "#7A7A7A", "grid": "#E69F00", "tpe": "#0072B2"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Searches:
    """Report D's section 7 done again. points: of the whole grid. targets: the trials that each search may try.

    tried: `COLUMNS` of each finished trial, in order: the search (of `SAMPLERS`; `REFERENCE` for report D's best,
    trained once by us), the trial's number, the searched values, scores at its best epoch as shares of 1, the number of
    trainable parameters and the seconds of training; None for what a failed trial does not have.
    """

    setting: Setting
    points: int
    targets: Mapping[str, int]
    tried: pd.DataFrame

    def of(self, search: str) -> pd.DataFrame:
        """The trials of one search."""
        return self.tried[self.tried.search == search]

    def best(self, search: str) -> dict[Hashable, Any] | None:
        """The trial of the highest lenient mIoU, the first of equals."""
        tried = self.of(search).dropna(subset=["miou"]).to_dict("records")
        return max(tried, key=lambda trial: trial["miou"], default=None)


def search_again(request: Request, trials: int, *, stop: threading.Event) -> Searches:
    """Run the three studies to ``trials`` each, train report D's own best once, write ``D7.md``, ``.csv``, ``.png``.

    Raises DataError, SpaceError, StudyError, UsageError, or TrainingFailed when trainings only fail.
    """
    slots = device_slots(request.device, request.workers, request.out / "logs")
    request = replace(request, budget=replace(request.budget, seeds=1, folds=0))
    setting = plan.prepare(dataset := read_dataset(request.data), request)
    data = _data_file(dataset, setting.part, request)
    with closing(open_store(sqlite_url(request.out / "d7.db"), str(request.out / "d7-artifacts"))) as store:
        names = {sampler: _create(store, sampler, data, request, trials) for sampler in SAMPLERS}
        opened = open_study(store, names["grid"], request.out)
        points = spread_out(list(opened.space.grid()), SPLIT_SEED)
        grid = optuna.load_study(study_name=names["grid"], storage=store.trials)
        for point in points[:trials]:
            grid.enqueue_trial(dict(point), skip_if_exists=True)
        targets = dict.fromkeys(SAMPLERS, min(trials, len(points)))
        for sampler, target in targets.items():
            if not stop.is_set():
                log.info("search by %s: study %s, %d trials", sampler, names[sampler], target)
                _work(store, names[sampler], target, request, stop)
        parts = {name: getattr(opened.samples, name) for name in ("train", "validation", "contaminated")}
        setting = replace(setting, part=replace(setting.part, **parts))
        reference, runs = _reference(request, opened, setting.part), request.out / "runs"
        with counted_signals(stop):
            results = train_missing([reference], slots, folder=runs, stop=stop)
        rows = [row for sampler in SAMPLERS for row in _finished(store, opened, sampler, names[sampler])]
    for result in results.values():
        if result.best:
            known = result.epochs[result.best_epoch - 1].summary() | {"training_seconds": result.seconds}
            rows.append(_row(REFERENCE, 0, result.task.recipe, known))
    tried = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    done = Searches(setting=setting, points=len(points), targets=targets, tried=tried)
    write_report(request.out, "D7", as_markdown(done), as_csv(done), partial(draw, done=done))
    return done


def space_text(budget: Budget) -> str:
    """The space file: the preset of report D with its five axes opened."""
    values = plan.at_budget(load_preset(SEARCH_PRESET), budget, 0).model_dump(mode="json", exclude={"seed"})
    filters = [plan.narrow_filters(int(number), budget.width) for number in SEARCH_AXES["filters"]]
    values["model"] |= SEARCH_AXES | {"filters": list(dict.fromkeys(filters))}
    return yaml.safe_dump(values, sort_keys=False)


def spread_out(points: Sequence[Mapping[str, Scalar]], seed: int) -> list[Mapping[str, Scalar]]:
    """The points of a grid in an order whose every beginning has the values of each axis equally often, or nearly.

    A grid in its own order, cut off, would have tried the first values of the first axes only.
    """
    left = [points[index] for index in np.random.default_rng(seed).permutation(len(points))]
    used: Counter[tuple[str, Scalar]] = Counter()
    order: list[Mapping[str, Scalar]] = []
    while left:
        order.append(min(left, key=lambda point: sum(used[item] ** 2 for item in point.items())))
        left.remove(order[-1])
        used.update(order[-1].items())
    return order


def as_markdown(done: Searches) -> str:
    """Setting, the best of each search beside report D's, and how the budget was spent."""
    bests = [(SAMPLERS[search], done.best(search), len(done.of(search))) for search in done.targets]
    ranked = sorted(((best["miou"], name) for name, best, _ in bests if best and best["miou"]), reverse=True)
    found = [(name, best, best, trials) for name, best, trials in bests]
    return render(
        "search.md.j2",
        vars(done),
        trials=max(done.targets.values()),
        found=[(REFERENCE, SEARCH_BEST, done.best(REFERENCE), "-"), *found],
        levels=lambda values: "-".join(str(values["filters"] * 2**level) for level in range(values["depth"])),
        ranking=[f"{name} {percent(miou)}" for miou, name in ranked],
        missing=sum(target - len(done.of(search)) for search, target in done.targets.items()),
    )


def as_csv(done: Searches) -> str:
    """One line per trial, and a last one for report D's parameters; scores in per cent."""
    metrics = done.tried[["miou", "miou_strict"]].map(lambda share: f"{100 * share:.4f}", na_action="ignore")
    return safe_csv(done.tried.assign(**metrics).to_csv(index=False, lineterminator="\n"))


def draw(path: Path, done: Searches) -> None:
    """Draw the best lenient mIoU so far over the trials of each search, and report D's parameters as a line."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(900, 480)
    figure.suptitle("Table D7: the best so far of each search", x=0.02, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.02, 0.9, plain(describe(done.setting), 110), va="top", fontsize=10, color="#666666")
    axes = figure.add_axes((0.08, 0.12, 0.89, 0.67))
    tidy(axes)
    entries = []
    for index, search in enumerate(done.targets):
        scores, colour = 100 * done.of(search).miou.astype(float), _COLOURS[search]
        numbers = range(1, len(scores) + 1)
        if len(scores):
            axes.plot(numbers, scores, "o", color=colour, markersize=5, alpha=0.45)
            # Thinner from search to search, so that those that begin with the same trials stay visible.
            best, width = scores.cummax().ffill(), 4.5 - 1.3 * index
            axes.step(numbers, best, where="post", color=colour, linewidth=width)
            entries.append(("-", colour, SAMPLERS[search]))
    if reference := done.best(REFERENCE):
        axes.axhline(100 * reference["miou"], color=INK, linestyle="--", linewidth=1.2)
        entries.append(("--", INK, "report D's best, trained here"))
    axes.set_xlabel("trials", fontsize=9)
    axes.set_ylabel("lenient mIoU, per cent", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(axes, entries)
    save(figure, path)


def _data_file(dataset: Dataset, whole: Part, request: Request) -> Path:
    """The data file of the studies: the request's own, or one with the subset's tiles only."""
    if not whole.is_subset:
        return request.data
    smaller = select_samples(dataset, np.asarray(sorted((*whole.train, *whole.validation)), dtype=np.int64))
    path = request.out / f"d7-{smaller.digest[:8]}.npz"
    write_dataset(smaller, path)
    return path


def _create(store: Store, sampler: str, data: Path, request: Request, trials: int) -> str:
    """Create the study, or find it; other data, axes or epochs make another one. Returns its name."""
    text = space_text(request.budget)
    digest = hashlib.sha256(json.dumps([read_dataset(data).digest, text, request.budget.epochs]).encode()).hexdigest()
    config = StudyConfig(
        study=f"d7-{sampler}-{digest[:6]}",
        space=text,
        sampler="tpe" if sampler == "tpe" else "random",  # the grid's points are enqueued here, in our own order
        pruner="none",
        trials=trials,
        epochs=request.budget.epochs,
        warm_start="none",
        keep=1,
        seed=SPLIT_SEED,
    )
    create(store, config, data, space_name="the space of D7")
    return config.study


def _work(store: Store, name: str, target: int, request: Request, stop: threading.Event) -> None:
    """Work on the study as `marsearch work` does; a study that a signal ended sets the flag."""
    order = WorkOptions(study=name, home=request.out, workers=request.workers, trials=target, device=request.device)
    outcome = work(store, order, LogProgress(name) if is_json() else Progress(name))
    if not outcome.over:
        stop.set()


def _reference(request: Request, opened: OpenStudy, part: Part) -> Task:
    """Report D's best parameters are its preset; they are trained once on the studies' split."""
    recipe = plan.at_budget(load_preset(SEARCH_PRESET), request.budget, 0)
    dataset = DatasetRef(data=opened.data, digest=opened.dataset.digest, facts=opened.space.facts)
    return Task(name="d7-report-d-seed0", preset=SEARCH_PRESET, recipe=recipe, dataset=dataset, part=part)


def _finished(store: Store, opened: OpenStudy, sampler: str, name: str) -> Iterator[dict[str, Any]]:
    trials = trials_of(store, name)
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    for trial in trials:
        if trial.state.is_finished() and trial.number not in replaced:
            recipe = None  # it failed before it was sampled to its end
            with suppress(SpaceError):
                recipe = opened.space.recipe(trial.params)
            yield _row(sampler, trial.number, recipe, trial.user_attrs)


def _row(search: str, number: int, recipe: Recipe | None, known: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `Searches.tried`. known: what is known of its best epoch, as a trial's user attributes name it."""
    axes = {name: getattr(recipe.model.network, name) for name in SEARCH_AXES} if recipe else {}
    scores = {name: known.get(name) for name in ("miou", "miou_strict")}
    costs = {"parameters": known.get("parameters", 0), "seconds": known.get("training_seconds", 0.0)}
    return {"search": search, "trial": number, **axes, **scores, **costs}
