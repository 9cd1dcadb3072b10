"""A trial loop claims a trial only while its host stays and its study goes on, and the next one ahead of its turn."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from search.host.context import HostContext, Timing, WorkOptions
from search.host.sharing import MOST
from search.host.state import HostState
from search.host.trial_loop import _claim, _run_one
from search.studies.create import Created, create
from search.studies.study import open_study
from search.worker.devices import DeviceSlot
from search.worker.gpus import Gpu
from search.worker.process import WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Message, Train
from spaces import load_recipe
from storage.store import Store
from support.studies import EPOCH, Inputs
from support.waiting import wait_for


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


def trials_of(store: Store) -> list[FrozenTrial]:
    return optuna.load_study(study_name="tiny", storage=store.trials).get_trials()


class Scripted(WorkerProcess):
    """A worker that says what a training with an epoch a second would say.

    orders: what it was given. last: set, it may say the last epoch; ended: set, it may say that the training diverged.
    """

    def __init__(self, slot: DeviceSlot) -> None:
        super().__init__(slot)
        self.orders: list[Train] = []
        self.last, self.ended = threading.Event(), threading.Event()

    def train(self, job: Train, *, silence: float | None = None) -> Generator[Message, None, None]:
        self.orders.append(job)
        epochs = load_recipe(job.recipe).optimisation.epochs
        for number in range(1, epochs + 1):
            if number == epochs:
                assert self.last.wait(60)
            yield EpochEnd(job=job.job, record=replace(EPOCH, number=number, last=number == epochs, seconds=1.5))
        assert self.ended.wait(60)
        yield Failed(job=job.job, reason="it diverged", detail="", kind="diverged")


@pytest.fixture
def scripted(context: HostContext) -> Scripted:
    worker = Scripted(context.workers[0].slot)
    context.workers[:], context.free = [worker], queue.Queue()
    context.free.put(worker)
    return worker


@pytest.fixture
def loops(context: HostContext, scripted: Scripted) -> Iterator[list[bool]]:
    """Two trial loops, each of which runs one trial; what they return."""
    with two_loops(context, [scripted]) as found:
        yield found


@contextmanager
def two_loops(context: HostContext, workers: Sequence[Scripted]) -> Iterator[list[bool]]:
    """Each runs one trial; in the end the workers may end what they train."""
    found: list[bool] = []

    def loop() -> None:
        study = context.study()
        while not _run_one(context, study):
            pass
        found.append(True)

    threads = [threading.Thread(target=loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        for worker in workers:
            worker.last.set()
            worker.ended.set()
        for thread in threads:
            thread.join(60)
    assert found == [True, True]


def test_the_next_trial_is_made_ready_during_the_last_epochs_of_the_one_before(
    context: HostContext, scripted: Scripted, loops: list[bool], store: Store
) -> None:
    wait_for(lambda: len(context.state.trainings) == 1 and scripted.orders)
    assert context.free.empty()  # 1.5 s are left, which is more than it takes
    scripted.last.set()
    wait_for(lambda: len(context.state.trainings) == 2)
    wait_for(lambda: all(trial.params for trial in trials_of(store)))
    assert len(trials_of(store)) == 2
    assert [order.job for order in scripted.orders] == [1]  # one at a time
    scripted.ended.set()
    wait_for(lambda: len(loops) == 2)
    assert [order.job for order in scripted.orders] == [1, 2]
    assert [trial.state for trial in trials_of(store)] == [TrialState.FAIL] * 2


def test_a_trial_that_waits_for_its_worker_goes_back_when_the_study_is_paused(
    context: HostContext, scripted: Scripted, loops: list[bool], store: Store
) -> None:
    scripted.last.set()
    wait_for(lambda: len(context.state.trainings) == 2)
    wait_for(lambda: all(trial.params for trial in trials_of(store)))
    context.state.command = "pause"
    scripted.ended.set()
    wait_for(lambda: len(loops) == 2)
    assert len(scripted.orders) == 1
    first, second, retry = trials_of(store)
    assert (first.state, second.state, retry.state) == (TrialState.FAIL, TrialState.FAIL, TrialState.WAITING)
    assert retry.params == second.params


def test_a_trial_that_was_lost_while_it_waited_is_not_trained(
    context: HostContext, scripted: Scripted, loops: list[bool]
) -> None:
    """Nor is the worker ended, which trains another one."""
    scripted.last.set()
    wait_for(lambda: len(context.state.trainings) == 2)
    context.state.lose([1])
    scripted.ended.set()
    wait_for(lambda: len(loops) == 2)
    assert len(scripted.orders) == 1


def test_a_gpu_has_a_second_training_once_the_first_one_is_timed_alone(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """With `--per-gpu auto`: five epochs of the first are over, the first of which counts for nothing."""
    create(store, *inputs(epochs=6))
    options = WorkOptions(study="tiny", device="cuda", home=tmp_path, per_gpu="auto")
    slot = DeviceSlot(name="slot 1", device="cuda", gpu=Gpu(id="GPU-1", gb=8.0), log=tmp_path / "worker.log")
    workers = [Scripted(replace(slot, name=f"slot {number}")) for number in range(1, MOST + 1)]
    opened = open_study(store, "tiny", tmp_path)
    context = HostContext(store, opened, options, "w", list(workers), HostState(), Timing())
    assert context.free.qsize() == 1
    with two_loops(context, workers):
        wait_for(lambda: workers[1].orders)
        assert [len(worker.orders) for worker in workers] == [1, 1, 0, 0]
        assert len(trials_of(store)) == 2
    assert [trial.state for trial in trials_of(store)] == [TrialState.FAIL] * 2
