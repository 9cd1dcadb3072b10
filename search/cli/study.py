"""Commands that make a study and work on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options
from search.cli.options import WORKER_S, open_storage, read_text, seconds
from search.errors import UsageError
from search.log import is_json, log_to_stderr, tell
from search.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from search.settings import Settings
    from search.studies.study import Created, Wish
    from storage.store import Store


def create(
    study: options.Study,
    data: options.Data,
    space: options.SpaceFile = None,
    sampler: options.Sampler = "tpe",
    pruner: options.Pruner = "asha",
    objective: options.Metric = "miou",
    trials: options.Trials = 100,
    epochs: options.Epochs = 30,
    warm_start: options.WarmStart = "reports",
    holdout: options.Holdout = 0.0,
    keep: options.Keep = 20,
    seed: options.Seed = 0,
    max_params: options.MaxParams = None,
    max_gpu_gb: options.MaxGpuGb = None,
) -> None:
    """Create a study; the same data and options again change nothing."""
    wish = _wish(
        study,
        data,
        space,
        sampler,
        pruner,
        objective,
        trials,
        epochs,
        warm_start,
        holdout,
        keep,
        seed,
        max_params,
        max_gpu_gb,
    )
    with open_storage() as (store, _):
        make(store, wish)


def work(
    study: options.Study,
    workers: options.Workers = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=1, help="finished trials; default the study's")] = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
    on: options.On = "local",
    gpus_per_slot: options.GpusPerSlot = None,
) -> None:
    """Train trials of a study until it is finished; Ctrl-C leaves in order."""
    limit = seconds(timeout)
    if on == "ray":
        serve_on_ray(study, workers, trials, limit, device, gpus_per_slot)
        return
    if gpus_per_slot == 0:
        raise UsageError("--gpus-per-slot 0 is for --on ray: here, --device cpu trains without a GPU")
    with open_storage(WORKER_S) as (store, settings):
        serve(store, settings, study, workers, trials, limit, device, gpus_per_slot or 1.0)


def run(
    study: options.Study,
    data: options.Data,
    space: options.SpaceFile = None,
    sampler: options.Sampler = "tpe",
    pruner: options.Pruner = "asha",
    objective: options.Metric = "miou",
    trials: options.Trials = 100,
    epochs: options.Epochs = 30,
    warm_start: options.WarmStart = "reports",
    holdout: options.Holdout = 0.0,
    keep: options.Keep = 20,
    seed: options.Seed = 0,
    max_params: options.MaxParams = None,
    max_gpu_gb: options.MaxGpuGb = None,
    workers: options.Workers = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
) -> None:
    """Create a study and work on it; the same command again continues."""
    limit = seconds(timeout)
    wish = _wish(
        study,
        data,
        space,
        sampler,
        pruner,
        objective,
        trials,
        epochs,
        warm_start,
        holdout,
        keep,
        seed,
        max_params,
        max_gpu_gb,
    )
    with open_storage(WORKER_S) as (store, settings):
        make(store, wish)
        serve(store, settings, study, workers, None, limit, device)


def enqueue(
    study: options.Study,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name of a preset, or a recipe file (.yaml)")],
) -> None:
    """Let the next free worker try a recipe."""
    from search.studies import study as service

    with open_storage() as (store, _):
        service.enqueue_named(store, study, recipe)
        tell(f"{recipe} waits in study {study}", "recipe enqueued", study=study, recipe=recipe)


def make(store: Store, wish: Wish) -> Created:
    """Create the study and say what came of it."""
    from search.studies.estimates import limits_note, weights_note
    from search.studies.study import create as create_study

    created = create_study(store, wish)
    for note in created.notes:
        tell(note, "note", study=wish.study)
    if created.new:
        made = f"study {wish.study} created in {store.url}; {weights_note(created.config)}"
        tell(made, "study created", study=wish.study, target=created.config.trials)
        if limits := limits_note(created.config):
            tell(limits, "note", study=wish.study)
    else:
        tell(f"study {wish.study} is there already, with the same data and space", "study found", study=wish.study)
    return created


def serve(
    store: Store,
    settings: Settings,
    study: str,
    workers: int | None,
    trials: int | None,
    timeout: float | None,
    device: str,
    gpus_per_slot: float = 1.0,
) -> bool:
    """Work on the study, say how it ended, and return whether it is finished."""
    from search.host.host import WorkOptions, work
    from search.host.log_progress import LogProgress
    from search.host.progress import Progress

    order = WorkOptions(
        study=study,
        workers=workers,
        trials=trials,
        timeout=timeout,
        device=device,
        home=settings.home,
        gpus_per_slot=gpus_per_slot,
    )
    outcome = work(store, order, LogProgress(study) if is_json() else Progress(study))
    return _told(study, outcome.finished, outcome.target)


def serve_on_ray(
    study: str,
    workers: int | None,
    trials: int | None,
    timeout: float | None,
    device: str,
    gpus_per_slot: float | None,
) -> bool:
    """Work on the study with all nodes of a Ray cluster, say how it ended, and return whether it is finished."""
    from search.cluster.host_environment import environment_of
    from search.cluster.placement import size_slots
    from search.cluster.ray_cluster import connected, nodes_of
    from search.cluster.work import RayWorkOptions, slots_note, work

    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {device}: Ray chooses the GPUs, auto, cpu or cuda was expected")
    with connected() as ray:
        nodes = nodes_of(ray)
        environment = environment_of(read_settings(), nodes, os.environ)
        slots = size_slots(nodes, workers, 0.0 if device == "cpu" else gpus_per_slot)
        if device == "cuda" and not slots.gpus:
            raise UsageError("--device cuda: slots with GPUs were expected, and this cluster shows none")
        asked = RayWorkOptions(
            study=study, slots=slots, trials=trials, timeout=timeout, device=device, environment=environment
        )
        with open_storage(WORKER_S) as (store, _), log_to_stderr(study=study):
            tell(slots_note(slots, len(nodes)), "ray")
            finished, target = work(ray, store, asked)
        return _told(study, finished, target)


def _told(study: str, finished: int, target: int) -> bool:
    ended = "finished" if finished >= target else "stopped"
    told = f"{ended}: {finished} of {target} trials of study {study}"
    tell(told, "work ended", study=study, ended=ended, finished=finished, target=target)
    return finished >= target


def _wish(
    study: str,
    data: Path,
    space: Path | None,
    sampler: str,
    pruner: str,
    objective: str,
    trials: int,
    epochs: int,
    warm_start: str,
    holdout: float,
    keep: int,
    seed: int,
    max_params: int | None,
    max_gpu_gb: float | None,
) -> Wish:
    from search.studies.study import Wish

    return Wish(
        study=study,
        data=data,
        space=read_text(space),
        space_name=str(space) if space is not None else "space",
        sampler=sampler,
        pruner=pruner,
        objective=objective,
        trials=trials,
        epochs=epochs,
        warm_start=warm_start,
        holdout=holdout,
        keep=keep,
        seed=seed,
        max_params=max_params,
        max_gpu_gb=max_gpu_gb,
    )
