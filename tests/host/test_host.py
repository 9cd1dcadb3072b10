"""A whole search with real children: it trains, prunes, keeps, survives crashes and stops in order."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.commands.bundle import export_trial
from search.errors import TrainingFailed, UsageError
from search.host.context import Timing, WorkOptions
from search.host.host import work
from search.host.progress import Progress
from search.host.state import INTERRUPTED
from search.outcome.pictures.label_maps import read_sheet
from search.studies.create import Created, create
from search.studies.reports import leaderboard, study_report, trial_reports
from search.training.epoch import EpochRecord
from storage.store import Store
from storage.studies.attempts import attempts, kept_weights
from storage.studies.epochs import curve
from storage.studies.hosts import hosts
from storage.trials.queries import count
from storage.trials.retries import earlier_attempts
from support.commands import kept_handlers
from support.processes import workers_of
from support.studies import TINY_SPACE, Inputs
from support.waiting import meanwhile, wait_for

PICTURES = ["00_panel.png", "10_curves.png", "20_confusion.png"]
FILES = [*PICTURES, "30_iou.csv", "40_recipe.yaml", "50_confusion.csv", "60_labels.png"]
WORST = ["61_worst_labels.png", "62_worst_images.jpg", "63_worst.json"]


def order(home: Path, **changes: object) -> WorkOptions:
    return replace(
        WorkOptions(study="tiny", workers=2, trials=None, timeout=None, device="cpu", home=home),
        **changes,  # type: ignore[arg-type]
    )


def quiet(lines: io.StringIO | None = None) -> Progress:
    return Progress("tiny", Console(file=lines or io.StringIO()))


def trials_of(store: Store) -> list[FrozenTrial]:
    return optuna.load_study(study_name="tiny", storage=store.trials).get_trials()


def test_a_search_from_start_to_export(store: Store, created: Created, tmp_path: Path) -> None:
    said = io.StringIO()
    outcome = work(store, order(tmp_path), quiet(said), Timing(heartbeat=0.2))
    assert (outcome.finished, outcome.target) == (6, 6)
    trials = trials_of(store)
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    complete = [t for t in trials if t.state is TrialState.COMPLETE]
    assert complete

    for trial in complete:
        files = {m.filename: m.artifact_id for m in get_all_artifact_meta(trial, storage=store.trials)}
        assert sorted(files) in (FILES, FILES + WORST)
        with store.artifacts.open_reader(files["60_labels.png"]) as file:
            sheet = read_sheet(file.read())
        assert sheet is not None
        assert set(sheet.epochs) == {1, trial.user_attrs["best_epoch"]}  # first rung and half way are the same
        points = curve(store, "tiny", trial.number, EpochRecord)
        assert [p.number for p in points] == [1, 2, 3]
        assert trial.value == pytest.approx(max(p.miou for p in points))
        assert set(trial.intermediate_values) == {1, 3}
        named = {k for k in trial.user_attrs if k.startswith("iou_")}
        assert named <= {f"iou_{n}" for n in ("soil", "bedrock", "sand", "big rock")}
    best = max(complete, key=lambda t: t.value or 0.0)
    assert WORST[0] in {m.filename for m in get_all_artifact_meta(best, storage=store.trials)}
    (signs,) = (host.signs for host in hosts(store, "tiny"))
    assert signs.devices[0].name == "cpu"
    assert any("begins on slot" in line for line in signs.log)
    best_two = sorted(complete, key=lambda t: -(t.value or 0))[:2]
    kept = kept_weights(store, "tiny")
    assert {k.trial for k in kept} == {t.number for t in best_two}
    stored = {p.name for p in Path(store.artifacts_url).iterdir() if p.name.startswith("weights-")}
    assert stored == {k.artifact for k in kept}

    number = export_trial(store, "tiny", tmp_path / "bundle", trial=None, home=tmp_path)
    assert number == best_two[0].number
    other = next(t.number for t in trials if t.number not in {k.trial for k in kept})
    with pytest.raises(UsageError, match="its weights are not kept, those of"):
        export_trial(store, "tiny", tmp_path / "other", trial=other, home=tmp_path)
    with pytest.raises(UsageError, match="there is no trial 99, it has"):
        export_trial(store, "tiny", tmp_path / "other", trial=99, home=tmp_path)
    assert not (tmp_path / "other").exists()

    report = study_report(store, "tiny")
    assert report["best"]["number"] == number
    assert report["trials"]["running"] == 0
    assert [host.state for host in hosts(store, "tiny")] == ["left"]
    assert len(leaderboard(store, "tiny")) == len(trial_reports(store, "tiny")) == len(trials)
    assert "6/6" in said.getvalue()
    assert f"{complete[0].value:.4f} (best constant answer {report['best']['constant']['miou']:.4f})" in said.getvalue()

    again = work(store, order(tmp_path), quiet())
    assert (again.finished, len(trials_of(store))) == (6, len(trials))


@pytest.mark.whole
def test_the_value_is_that_of_the_weights_that_are_kept(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """Of a moving average at the last epoch: in trial, leaderboard and bundle, whose proof scores the weights."""
    space = TINY_SPACE.replace("schedule: none", "schedule: none, kept: last, ema: 0.9")
    create(store, *inputs(space=space, trials=2, pruner="none"))
    work(store, order(tmp_path), quiet())
    for trial in trials_of(store):
        points = curve(store, "tiny", trial.number, EpochRecord)
        assert trial.value == points[-1].miou == trial.user_attrs["miou"]
        assert trial.user_attrs["best_epoch"] == len(points)
    best = max(trials_of(store), key=lambda t: t.value or 0.0)
    export_trial(store, "tiny", tmp_path / "bundle", trial=best.number, home=tmp_path)
    metrics = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    assert metrics["epoch"] == 3
    assert metrics["miou"] == leaderboard(store, "tiny")[0].miou == best.value


@pytest.mark.whole
def test_the_same_study_gives_the_same_weights(store: Store, inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    from safetensors.numpy import load

    found = []
    for name in ("one", "two"):
        create(store, *inputs(study=name, trials=1, keep=1))
        work(store, order(tmp_path, study=name, workers=1), quiet())
        (kept,) = kept_weights(store, name)
        with store.artifacts.open_reader(kept.artifact) as file:
            found.append(load(file.read()))
    assert found[0].keys() == found[1].keys()
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.whole
def test_a_killed_child_is_recorded_and_replaced(
    store: Store, inputs: Callable[..., Inputs], gate: Path, tmp_path: Path
) -> None:
    create(store, *inputs(trials=3, epochs=8, pruner="none"))

    def kill_first() -> None:
        wait_for(lambda: any(len(curve(store, "tiny", run.trial, EpochRecord)) == 4 for run in attempts(store, "tiny")))
        gate.touch()
        for worker in workers_of(os.getpid()):
            worker.kill()

    with meanwhile(kill_first):
        outcome = work(store, order(tmp_path, workers=1), quiet())
    assert outcome.finished == 3
    trials = trials_of(store)
    counts = count(trials)
    assert (counts.complete, counts.failed) == (3, 0)
    (failed,) = (t for t in trials if t.state is TrialState.FAIL)
    assert "killed by signal 9" in failed.user_attrs["reason"]
    (again,) = (t for t in trials if earlier_attempts(t) == [failed.number])
    assert (again.params, again.system_attrs["own_failures"]) == (failed.params, 1)
    assert [p.number for p in curve(store, "tiny", again.number, EpochRecord)] == list(range(1, 9))
    assert [r.state for r in attempts(store, "tiny")].count("retried") == 1
    assert workers_of(os.getpid()) == []


def test_a_stopped_host_hands_its_trials_back(store: Store, inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    create(store, *inputs(trials=2, epochs=60, pruner="none"))

    def stop() -> None:
        wait_for(lambda: any(curve(store, "tiny", run.trial, EpochRecord) for run in attempts(store, "tiny")))
        os.kill(os.getpid(), signal.SIGTERM)

    with meanwhile(stop), kept_handlers():
        outcome = work(store, order(tmp_path, workers=1), quiet())
    assert outcome.finished < outcome.target
    assert workers_of(os.getpid()) == []
    first, *rest = trials_of(store)
    assert (first.state, first.user_attrs["reason"]) == (TrialState.FAIL, INTERRUPTED)
    assert [t.state for t in rest] == [TrialState.WAITING]
    assert rest[0].params == first.params
    assert count([first, *rest]).finished == 0


def test_the_timeout_ends_the_host(store: Store, inputs: Callable[..., Inputs], tmp_path: Path) -> None:
    create(store, *inputs(trials=50, epochs=200, pruner="none"))
    outcome = work(store, order(tmp_path, workers=1, timeout=6.0), quiet())
    assert outcome.finished < outcome.target
    assert not [t for t in trials_of(store) if t.state is TrialState.RUNNING]


def test_a_host_whose_trainings_only_fail_gives_up(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, *inputs(trials=40))
    monkeypatch.setenv("PYTHONPATH", str(broken_torch(tmp_path)), prepend=os.pathsep)
    with pytest.raises(TrainingFailed, match=r"5 trainings in a row failed, the last one with: .*no such device"):
        work(store, order(tmp_path, workers=1), quiet())
    trials = trials_of(store)
    assert [t.state for t in trials].count(TrialState.FAIL) >= 5
    assert count(trials).failed >= 1  # two retries, then it is given up


def test_unknown_devices_are_refused(store: Store, created: Created, tmp_path: Path) -> None:
    for device in ("tpu", "cuda:9", "cuda:x"):
        with pytest.raises(UsageError, match="--device"):
            work(store, order(tmp_path, device=device), quiet())


def broken_torch(folder: Path) -> Path:
    (folder / "broken" / "torch").mkdir(parents=True)
    (folder / "broken" / "torch" / "__init__.py").write_text("raise RuntimeError('no such device')")
    return folder / "broken"
