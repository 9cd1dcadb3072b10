"""Commands that make a study and work on it, and the demo, which does both."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.ending import end, end_with_report, end_with_study
from search.cli.options import takes_config
from search.errors import UsageError
from search.log import log_to_stderr, tell
from search.settings import read_settings
from storage.studies.config import StudyConfig

if TYPE_CHECKING:
    from search.host.context import WorkOptions

OUT = "bundle; default demo-bundle in MARSEARCH_HOME"


@takes_config
def create(config: StudyConfig, space_name: str, data: options.Data, as_json: options.AsJson = False) -> None:
    """Create a study; the same data and options again change nothing."""
    from search.api.creation import make, plan_before_database
    from search.api.place import open_storage

    planned = plan_before_database(read_settings().storage, config, data, space_name)
    with open_storage(purpose="make") as (store, settings):
        make(store, config, data, space_name, settings.home, planned=planned)
        end_with_study(store, config.study, as_json=as_json)


def work(
    study: options.Study,
    workers: options.Workers = None,
    trials: Annotated[int | None, typer.Option(metavar="N", min=1, help="finished trials; default the study's")] = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
    on: options.On = "local",
    per_gpu: options.PerGpu = None,
    as_json: options.AsJson = False,
) -> None:
    """Train trials of a study until it is finished; Ctrl-C leaves in order."""
    from search.api.place import WORKER_S, open_storage
    from search.api.work import check_workers, serve
    from search.host.context import WorkOptions
    from search.worker.devices import device_slots

    check_workers(workers, per_gpu)
    own: dict[str, Any] = {"workers": workers, "timeout": timeout, "device": device, "per_gpu": per_gpu}
    order = WorkOptions(study=study, home=read_settings().home, trials=trials, **own)
    if on == "ray":
        over = serve_on_ray(order)
    else:
        with open_storage(WORKER_S) as (store, _):
            device_slots(device, workers, Path())  # one that is not there is refused before data are fetched
            over = serve(store, order)
    end_of_work(study, over=over, as_json=as_json)


@takes_config
def run(
    config: StudyConfig,
    space_name: str,
    data: options.Data,
    workers: options.Workers = None,
    timeout: options.Timeout = None,
    device: options.Device = "auto",
    per_gpu: options.PerGpu = None,
    as_json: options.AsJson = False,
) -> None:
    """Create a study and work on it; the same command again continues."""
    from search.api.creation import make, plan_before_database
    from search.api.place import WORKER_S, open_storage
    from search.api.work import check_workers, serve
    from search.host.context import WorkOptions
    from search.worker.devices import device_slots

    check_workers(workers, per_gpu)
    device_slots(device, workers, Path())  # one that is not there is refused before anything is made
    planned = plan_before_database(read_settings().storage, config, data, space_name)
    with open_storage(WORKER_S, purpose="make") as (store, settings):
        make(store, config, data, space_name, settings.home, planned=planned, device=device, workers=workers)
        own: dict[str, Any] = {"workers": workers, "timeout": timeout, "device": device, "per_gpu": per_gpu}
        over = serve(store, WorkOptions(study=config.study, home=settings.home, **own))
    end_of_work(config.study, over=over, as_json=as_json)


def end_of_work(study: str, *, over: bool, as_json: bool) -> None:
    """What a host ends with. Where its study goes on, it was told to leave, and waits for no database any more."""
    from search.api.place import open_storage

    if not over and not as_json:
        end({}, "work", study, as_json=False)
        return
    with open_storage(purpose="look") as (store, _):
        end_with_study(store, study, as_json=as_json)


def demo(
    trials: options.Trials = 12,
    workers: Annotated[int, typer.Option(metavar="N", min=1, max=256, help="trainings at a time")] = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="bundle; default demo-bundle in MARSEARCH_HOME")
    ] = None,
) -> None:
    """Search on synthetic data: study `demo`, pruning, leaderboard, exported bundle."""
    from search.api.creation import make
    from search.api.place import WORKER_S, open_storage
    from search.api.work import serve
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
        make(store, config, data, "demo space", settings.home)
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
    recipe: options.Recipe,
    as_json: options.AsJson = False,
) -> None:
    """Let the next free worker try a recipe."""
    with options.known(study) as known:
        known.enqueue(recipe)
        end_with_report(known.status.report, as_json=as_json, follows=False)


def serve_on_ray(order: WorkOptions) -> bool:
    """Work on the study with all nodes of a Ray cluster, say how it ended, and return whether it is finished."""
    from search.api.place import WORKER_S, open_storage
    from search.api.work import report
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
        return report(order.study, outcome)
