"""What a search costs beside its trainings: a host and its worker on PostgreSQL, beside plain Optuna, in one run.

Trainings are stand-ins that end an epoch every 50 ms; all else is real: the worker process and its messages, epochs,
reports, the pruner's questions, checkpoints, weights, predictions and pictures of each trial, settling and claiming.
Plain Optuna samples the same space, sleeps, reports and asks its pruner. The share is that of the clock in
which no epoch runs and no recipe is sampled, from the end of the first training to that of the last one, and to the
time at which the last trial is settled, pictures and all.

    python benchmarks/service_share.py [--trials 20] [--epochs 50] [--epoch 0.05] [--url postgresql://...]
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from rich.console import Console
from storage_load import new_database, server

from search.host.context import WorkOptions
from search.host.host import work
from search.host.progress import Progress
from search.studies.create import create
from search.studies.pruners import build_pruner
from search.training.epoch import EpochRecord
from spaces import Recipe, Space
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.store import open_store
from storage.studies.config import StudyConfig

Interval = tuple[float, float]
"""When something began and ended, in seconds of the clock."""
Shares = tuple[float, float, int]
"""See `share`."""

STUDY = "share"
SPACE = "base: standard\nmodel: {depth: 3, filters: [8, 12, 16]}\n"
STAND_IN = """
import search.training.fit
from service_share import stand_in

search.training.fit.fit = stand_in
"""
"""What a worker runs when it starts (``sitecustomize``): `fit` is `stand_in` for it."""


def stand_in(recipe: Recipe, data: Any, device: str = "cpu", *, should_stop: Any = None, **_: Any) -> Iterator[Any]:
    """Yields an epoch whenever one would be over; its weights are those that the network begins with."""
    import torch

    from search.errors import Stopped
    from search.training.checkpoint import Snapshot
    from search.training.fit import Epoch
    from spaces.modules.networks.network import build_network, count_parameters

    length = float(os.environ["SERVICE_SHARE_EPOCH"])
    network = build_network(recipe, data.facts, mean=[127.0], std=[60.0])
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    parameters, epochs = count_parameters(network), recipe.optimisation.epochs
    classes, began = data.facts.classes, time.time()
    shown = torch.zeros(len(data.shown), data.facts.height, data.facts.width, dtype=torch.uint8)
    for number in range(1, epochs + 1):
        time.sleep(max(0.0, began + number * length - time.time()))
        if should_stop():
            raise Stopped("stopped")
        with Path(os.environ["SERVICE_SHARE_LOG"]).open("a") as log:
            log.write(f"{began + (number - 1) * length} {began + number * length}\n")
        score = 0.5 + 0.001 * number
        record = EpochRecord(
            number=number, train_loss=1 / number, validation_loss=1 / number, miou=score, miou_strict=score,
            accuracy=score, iou=(None, *[score] * (classes - 1)), confusion=((1,) * classes,) * classes, lr=1e-3,
            seconds=length, memory_mb=1.0, parameters=parameters, last=number == epochs,
        )  # fmt: skip
        snapshot = Snapshot(epoch=number, tensors=weights, document={"best_epoch": number, "kept_epoch": number})
        yield Epoch(record=record, weights=weights, shown=shown, snapshot=lambda kept=snapshot: kept)


@contextmanager
def sampling() -> Iterator[list[Interval]]:
    """When recipes are sampled in this process."""
    found: list[Interval] = []
    real = Space.suggest

    def timed(*given: Any, **more: Any) -> Recipe:
        began = time.time()
        try:
            return real(*given, **more)
        finally:
            found.append((began, time.time()))

    with mock.patch.object(Space, "suggest", timed):
        yield found


def config(told: argparse.Namespace) -> StudyConfig:
    return StudyConfig(
        study=STUDY, space=SPACE, trials=told.trials, epochs=told.epochs, keep=5, pruner="asha", warm_start="none"
    )


def ours(url: str, folder: Path, told: argparse.Namespace) -> Shares:
    """Of a host and its worker."""
    log = folder / "epochs.txt"
    data = folder / "tiles.npz"
    write_dataset(synthesise(train=64, test=0, seed=0), data)
    (folder / "prelude").mkdir()
    (folder / "prelude" / "sitecustomize.py").write_text(STAND_IN)
    paths = (folder / "prelude", Path(__file__).parent, Path(__file__).parents[1])
    told_worker = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "SERVICE_SHARE_EPOCH": str(told.epoch),
        "SERVICE_SHARE_LOG": str(log),
    }
    store = open_store(url, str(folder / "artifacts"))
    create(store, config(told), data)
    options = WorkOptions(study=STUDY, home=folder / "home", workers=1, device="cpu")
    with mock.patch.dict(os.environ, told_worker), sampling() as sampled:
        work(store, options, Progress(STUDY, Console(file=io.StringIO())))
    trials = optuna.load_study(study_name=STUDY, storage=store.trials).get_trials()
    store.close()
    pairs = (line.split() for line in log.read_text().splitlines())
    return share(trials, sampled, [(float(begun), float(ended)) for begun, ended in pairs], told.epochs)


def plain(url: str, told: argparse.Namespace, space: Space) -> Shares:
    """The same with Optuna's storage, loop and pruner alone, one report an epoch."""
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(
        study_name=STUDY,
        storage=RDBStorage(url),
        direction="maximize",
        sampler=sampler,
        pruner=build_pruner(config(told)),
    )
    epochs: list[Interval] = []

    def objective(trial: optuna.Trial) -> float:
        space.suggest(trial, seed=0)
        began = time.time()
        for number in range(1, told.epochs + 1):
            time.sleep(max(0.0, began + number * told.epoch - time.time()))
            epochs.append((began + (number - 1) * told.epoch, began + number * told.epoch))
            trial.report(0.5 + 0.001 * number, number)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 0.5

    with sampling() as sampled:
        study.optimize(objective, n_trials=told.trials)
    return share(study.get_trials(), sampled, epochs, told.epochs)


def share(
    trials: list[optuna.trial.FrozenTrial], sampled: list[Interval], epochs: list[Interval], first: int
) -> Shares:
    """The share until the last training's end, that until the last trial is settled; epochs after the first trial's.

    first: how many these are. A moment in which an epoch runs and a recipe is sampled counts once.
    """
    counted = epochs[first:]
    begun = epochs[first - 1][1]
    settled = max(trial.datetime_complete for trial in trials if trial.datetime_complete).timestamp()
    busy, until = 0.0, begun
    for start, end in sorted([*sampled, *counted]):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return 1 - busy / (until - begun), 1 - busy / (settled - begun), len(counted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--epoch", type=float, default=0.05, help="seconds")
    parser.add_argument("--url", help="of a PostgreSQL where databases may be created")
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)  # of the sampler's groups, at every trial
    what = f"{told.trials} trials of {told.epochs} epochs of {1000 * told.epoch:.0f} ms"
    print(f"| {what} | epochs | service | with the last trial's pictures |\n|---|---|---|---|")
    with nullcontext(told.url) if told.url else server() as url, tempfile.TemporaryDirectory() as folder:
        run = f"share_{time.time_ns()}"
        found, whole, epochs = ours(new_database(url, f"{run}_ours"), Path(folder), told)
        print(f"| marsearch | {epochs} | {found:.1%} | {whole:.1%} |", flush=True)
        found, whole, epochs = plain(new_database(url, f"{run}_plain"), told, _space(Path(folder)))
        print(f"| plain Optuna | {epochs} | {found:.1%} | {whole:.1%} |")


def _space(folder: Path) -> Space:
    from search.worker.job_files import facts_of
    from spaces import bind
    from storage.data.dataset import read_dataset

    return bind(facts_of(read_dataset(folder / "tiles.npz")), SPACE)


if __name__ == "__main__":
    main()
