"""A trial loop claims a trial only while its host stays and its study goes on."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from search.host.context import HostContext, Timing, WorkOptions
from search.host.state import HostState
from search.host.trial_loop import _claim, _run_one
from search.studies.create import Created
from search.studies.study import open_study
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerProcess
from storage.store import Store


@pytest.fixture
def context(store: Store, created: Created, tmp_path: Path) -> HostContext:
    options = WorkOptions(study="tiny", workers=1, trials=None, timeout=None, device="cpu", home=tmp_path)
    workers = [WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=tmp_path / "worker.log"))]
    return HostContext(store, open_study(store, "tiny", tmp_path), options, "w", workers, HostState(), Timing())


@pytest.mark.parametrize("why", ["pause", "stop", "leaves"])
def test_a_loop_that_waited_for_a_worker_claims_no_trial_of_a_study_that_is_held(
    context: HostContext, store: Store, why: str
) -> None:
    study = context.study()
    if why == "leaves":
        context.state.shutdown.begin()
    else:
        context.state.command = why  # type: ignore[assignment]
    assert not _run_one(context, study)
    assert optuna.load_study(study_name="tiny", storage=store.trials).get_trials() == []
    assert context.free.qsize() == 1  # the worker is there for whoever may go on


def test_a_loop_claims_a_trial_while_its_study_goes_on(context: HostContext) -> None:
    trial = _claim(context, context.study(), "cpu")
    assert trial is not None
    assert trial.number == 0
