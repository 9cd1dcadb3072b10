"""Commands that make a study and work on it, and the demo, which does both."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.options import WORKER_S, open_storage, takes_config
from search.errors import TrainingFailed, UsageError
from search.log import is_json, log_to_stderr, tell
from search.settings import read_settings
from storage.studies.config import StudyConfig

if TYPE_CHECKING:
    from search.host.context import WorkOptions
    from search.host.work_done import WorkDone
    from storage.store import Store

OUT = "bundle; default demo-bundle in MARSEARCH_HOME"


@takes_config
def create(config: StudyConfig, space_name: str, data: options.Data) -> None:
    """Create a study; the same data and options again change nothing."""
    with open_storage(purpose="make") as (store, _):
        make(store, config, data, space_name)


def work(
    study: options.Study,
    workers: options.Workers = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=1, help="finished trials; default the study's")] = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
    on: options.On = "local",
    per_gpu: options.PerGpu = None,
) -> None:
    """Train trials of a study until it is finished; Ctrl-C leaves in order."""
    from search.host.context import WorkOptions

    options.check_workers(workers, per_gpu)
    own: dict[str, Any] = {"workers": workers, "timeout": timeout, "device": device, "per_gpu": per_gpu}
    order = WorkOptions(study=study, home=read_settings().home, trials=trials, **own)
    if on == "ray":
        serve_on_ray(order)
        return
    with open_storage(WORKER_S) as (store, _):
        serve(store, order)


@takes_config
def run(
    config: StudyConfig,
    space_name: str,
    data: options.Data,
    workers: options.Workers = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
    per_gpu: options.PerGpu = None,
) -> None:
    """Create a study and work on it; the same command again continues."""
    from search.host.context import WorkOptions
    from search.worker.devices import device_slots

    options.check_workers(workers, per_gpu)
    with open_storage(WORKER_S, purpose="make") as (store, settings):
        device_slots(device, workers, Path())  # one that is not there is refused before anything is made
        make(store, config, data, space_name)
        own: dict[str, Any] = {"workers": workers, "timeout": timeout, "device": device, "per_gpu": per_gpu}
        serve(store, WorkOptions(study=config.study, home=settings.home, **own))


def demo(
    trials: options.Trials = 12,
    workers: options.Workers = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="bundle; default demo-bundle in MARSEARCH_HOME")
    ] = None,
) -> None:
    """Search on synthetic data: study `demo`, pruning, leaderboard, exported bundle."""
    from search.commands.bundle import export_trial
    from search.host.context import WorkOptions
    from search.outcome.bundle import check_target
    from search.outcome.leaderboard import render
    from search.output import console
    from search.studies.reports import constant, leaderboard
    from storage.data.dataset import write_dataset
    from storage.data.synthetic import synthesise

    with open_storage(WORKER_S, purpose="make") as (store, settings):
        bundle = out or settings.home / "demo-bundle"
        check_target(bundle)
        data = settings.home / "demo.npz"
        data.parent.mkdir(parents=True, exist_ok=True)
        write_dataset(synthesise(train=320, test=40, seed=0), data)
        space = (resources.files("search.cli") / "demo.yaml").read_text("utf-8")
        config = StudyConfig(study="demo", space=space, trials=trials, epochs=9, warm_start="none")
        make(store, config, data, "demo space")
        finished = serve(store, WorkOptions(study="demo", home=settings.home, workers=workers, trials=trials))
        render(leaderboard(store, "demo"), console(), constant=constant(store, "demo"))
        if not finished:
            typer.echo("continue marsearch demo")
            return
        number = export_trial(store, "demo", bundle, trial=None, home=settings.home, say=typer.echo)
        typer.echo(f"bundle   {bundle}  (trial {number})")
        typer.echo("watch    marsearch dashboard    then open http://127.0.0.1:8080")


def enqueue(
    study: options.Study,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name of a preset, or a recipe file (.yaml)")],
) -> None:
    """Let the next free worker try a recipe."""
    from search.studies.recipes import enqueue as enqueue_named

    with open_storage() as (store, _):
        enqueue_named(store, study, recipe)
        tell(f"{recipe} waits in study {study}{_held_up(store, study)}", "recipe enqueued", study=study, recipe=recipe)


def _held_up(store: Store, study: str) -> str:
    """Why nobody takes up what waits, and what helps; "" where somebody does."""
    from search.studies.reports import study_report
    from storage.studies.ends import End

    known = study_report(store, study)
    match known["state"]:
        case "finished" if known["end"] is not None:
            end = End(**known["end"])
            return f": the study has ended, {end.reason}, {end.remedy}"
        case "finished":
            enough = known["finished"] + known["trials"]["waiting"]
            command = f"marsearch work {study} --trials {enough}"
            return f": the study has its {known['target']} trials, go on with: {command}"
        case "idle":
            return f": nobody works on it, start with: marsearch work {study}"
        case "running":
            return ""
    return f": the study is {known['state']}, go on with: marsearch study resume {study}"


def make(store: Store, config: StudyConfig, data: Path, space_name: str) -> None:
    """Create the study and say what came of it."""
    from search.studies.create import create as create_study
    from search.studies.limits import limits_note, weights_note
    from search.studies.study import Study

    created, name = create_study(store, config, data, space_name=space_name), config.study
    for note in created.notes:
        tell(note, "note", study=name)
    if not created.new:
        tell(f"study {name} is there already, with the same data and space", "study found", study=name)
        return
    study = Study(created.config)
    for note in study.report.notes:
        tell(note, "note on the data", study=name)
    made = f"study {name} created in {store.url}; {weights_note(study)}; {study.constant}"
    tell(made, "study created", study=name, target=config.trials)
    if limits := limits_note(study):
        tell(limits, "note", study=name)


def serve(store: Store, order: WorkOptions) -> bool:
    """Work on the study, say how it ended, and return whether it is finished."""
    from search.host.host import work
    from search.host.progress import LogProgress, Progress

    outcome = work(store, order, LogProgress(order.study) if is_json() else Progress(order.study))
    return _report(order.study, outcome)


def serve_on_ray(order: WorkOptions) -> bool:
    """Work on the study with all nodes of a Ray cluster, say how it ended, and return whether it is finished."""
    from search.cluster.ray_cluster import connected, environment_of, nodes_of, size_slots
    from search.cluster.work import work

    if order.device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {order.device}: Ray chooses the GPUs, auto, cpu or cuda was expected")
    if order.per_gpu == "auto":
        raise UsageError("--per-gpu auto: on Ray, which places trainings beforehand, a number was expected")
    with connected() as ray:
        nodes = nodes_of(ray)
        environment = environment_of(read_settings(), nodes, os.environ)
        slots = size_slots(nodes, order.workers, 0 if order.device == "cpu" else order.per_gpu)
        if order.device == "cuda" and not slots.gpus:
            raise UsageError("--device cuda: slots with GPUs were expected, and this cluster shows none")
        with open_storage(WORKER_S) as (store, _), log_to_stderr(study=order.study):
            tell(slots.note(len(nodes)), "ray")
            outcome = work(ray, store, order, slots, environment)
        return _report(order.study, outcome)


def _report(study: str, outcome: WorkDone) -> bool:
    """Say what came of it; whether the study is finished. Raises TrainingFailed when it is, with nothing complete."""
    known = {**asdict(outcome.counts), "finished": outcome.finished, "target": outcome.target}
    known |= {"reason": outcome.reason, "end": outcome.end.reason if outcome.end is not None else None}
    ended = "finished" if outcome.over else "stopped"
    tell(outcome.sentence(study), "work ended", study=study, ended=ended, **known)
    if outcome.fruitless:
        reason = outcome.reason or (outcome.end.reason if outcome.end is not None else "none is known")
        raise TrainingFailed(f"no trial is complete; the most frequent reason: {reason}")
    return outcome.over
