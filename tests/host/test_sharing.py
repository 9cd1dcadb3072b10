"""How many trainings share a GPU: chosen from measurements alone, and never more than train most."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.host.sharing import EPOCHS, GAIN, MOST, TRIALS, Choice, Sharing, TimedEpoch, choose
from search.worker.devices import DeviceSlot
from search.worker.gpus import Gpu
from search.worker.process import WorkerProcess
from support.studies import EPOCH
from support.waiting import wait_for


def timed(trial: int, together: int, *seconds: float) -> list[TimedEpoch]:
    return [TimedEpoch(trial=trial, together=together, seconds=value) for value in seconds]


ALONE = timed(0, 1, 1.0, 1.0) + timed(1, 1, 5.0, 5.0)


@pytest.mark.parametrize(
    ("epochs", "running", "expected"),
    [
        ([], [], Choice(trainings=1)),
        ([], [0], Choice(trainings=1)),
        (timed(0, 1, 1.0), [0], Choice(trainings=1)),
        (timed(0, 1, 1.0, 1.0), [0], Choice(trainings=2)),  # known alone, so it may have company
        (timed(0, 1, 1.0, 1.0), [0, 1], Choice(trainings=1)),  # the second one is to be alone, too
        (timed(0, 1, 1.0, 1.0) + timed(0, 2, 1.4, 1.4), [0], Choice(trainings=1)),  # nothing more to learn from it
        (ALONE + timed(0, 2, 1.4, 1.4), [1], Choice(trainings=2)),
    ],
)
def test_a_training_is_timed_alone_and_then_beside_another(
    epochs: list[TimedEpoch], running: list[int], expected: Choice
) -> None:
    assert choose(epochs, running) == expected


@pytest.mark.parametrize(
    ("slower", "chosen", "says"),
    [
        (1.0, 2, "2 trainings at a time train 2.00 times as much as 1, so 2 it is"),
        (1.4, 2, "train 1.43 times as much as 1, so 2 it is"),
        (1.95, 1, "2 trainings at a time train 1.03 times as much as 1, so 1 it is"),  # within what epochs differ by
        (2.8, 1, "train 0.71 times as much as 1, so 1 it is"),
    ],
)
def test_one_more_stays_where_both_together_train_more(slower: float, chosen: int, says: str) -> None:
    """However dear their recipes are: each is compared with itself."""
    beside = timed(0, 2, slower, slower) + timed(1, 2, 5 * slower, 5 * slower)
    choice = choose(ALONE + beside, [], most=2)
    assert choice.trainings == chosen
    assert says in choice.why


def searched(slower: Sequence[float], epochs: Sequence[int], noise: float, seed: int) -> Choice:
    """What a GPU comes to on which k trainings take slower[k - 1] times as long as one; epochs: of each trial."""
    draws, found = np.random.default_rng(seed), list[TimedEpoch]()
    waiting, running, steady = list(enumerate(epochs)), dict[int, int](), dict[int, int]()
    choice = choose(found, running)
    while (waiting or running) and not choice.why:
        while waiting and len(running) < choice.trainings:
            trial, left = waiting.pop(0)
            running[trial], steady = left, {}
        together = len(running)
        for trial in list(running):
            if steady.get(trial):
                seconds = (1 + trial) * slower[together - 1] * (1 + noise * draws.standard_normal())
                found += timed(trial, together, max(seconds, 1e-3))
            steady[trial] = 1
            running[trial] -= 1
        if any(left <= 0 for left in running.values()):
            running, steady = {trial: left for trial, left in running.items() if left > 0}, {}
        choice = choose(found, running)
    return choice


@given(
    slower=st.lists(st.floats(1.0, 1.8), min_size=MOST - 1, max_size=MOST - 1),
    epochs=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    seed=st.integers(0, 99),
)
def test_it_never_ends_with_a_slower_number(slower: list[float], epochs: list[int], seed: int) -> None:
    """Whatever ends when: each step that was taken made the GPU train more."""
    factors = [1.0, *np.cumprod(slower)]
    choice = searched(factors, epochs, 0.0, seed)
    throughput = [count / factor for count, factor in enumerate(factors, start=1)]
    if choice.why:
        taken = throughput[: choice.trainings]
        assert taken == sorted(taken)
        assert all(more >= GAIN * less * (1 - 1e-9) for less, more in pairwise(taken))
        if choice.trainings < MOST:
            assert throughput[choice.trainings] < GAIN * taken[-1] * (1 + 1e-9)


def test_what_is_clear_is_found_out_though_epochs_differ() -> None:
    twice, contended = [1.0, 1.05, 2.2, 4.0], [1.0, 2.4, 4.0, 6.0]
    for seed in range(20):
        assert searched(twice, [30] * 20, 0.03, seed).trainings == 2
        assert searched(contended, [30] * 20, 0.03, seed).trainings == 1


@pytest.fixture
def workers(tmp_path: Path) -> list[WorkerProcess]:
    slot = DeviceSlot(name="slot", device="cuda", gpu=Gpu(id="GPU-1", gb=8.0), log=tmp_path / "log")
    return [WorkerProcess(replace(slot, name=f"slot {number}")) for number in range(MOST)]


@pytest.fixture
def free() -> queue.Queue[WorkerProcess]:
    return queue.Queue()


def test_a_gpu_begins_with_one_worker_and_has_another_once_its_training_is_timed(
    workers: list[WorkerProcess], free: queue.Queue[WorkerProcess]
) -> None:
    sharing = Sharing(workers, free)
    assert free.qsize() == 1
    first = free.get()
    with ExitStack() as trainings:
        trainings.enter_context(sharing.running(first, 0, 2.0, lambda: False))
        for _ in range(EPOCHS):
            sharing.ended(first, 0, EPOCH)
            assert free.empty()  # the first epoch does not count
        sharing.ended(first, 0, EPOCH)
        second = free.get_nowait()
        assert second is not first
        with sharing.running(second, 1, 2.0, lambda: False):
            for _ in range(EPOCHS + 1):
                sharing.ended(second, 1, EPOCH)
        sharing.give_back(second)
        assert free.get_nowait() is second  # the first one has not been timed beside another


def test_a_worker_is_laid_aside_when_fewer_are_to_run(
    workers: list[WorkerProcess], free: queue.Queue[WorkerProcess], caplog: pytest.LogCaptureFixture
) -> None:
    sharing, slow = Sharing(workers, free), replace(EPOCH, seconds=2.5)
    caplog.set_level("INFO")
    for trial in range(TRIALS):
        first = free.get_nowait()
        with sharing.running(first, trial, 2.0, lambda: False):
            for _ in range(EPOCHS + 1):
                sharing.ended(first, trial, replace(EPOCH, seconds=1.0))
            second = free.get_nowait()
            with sharing.running(second, 100 + trial, 2.0, lambda: False):
                for _ in range(EPOCHS + 1):
                    sharing.ended(first, trial, slow)
            sharing.give_back(second)
        sharing.give_back(first)
    assert free.qsize() == 1
    assert caplog.messages == ["GPU-1: 2 trainings at a time train 0.80 times as much as 1, so 1 it is"]


def test_a_training_waits_until_its_memory_is_free(
    workers: list[WorkerProcess], free: queue.Queue[WorkerProcess]
) -> None:
    """What the first one needs is what it was seen to take, when that is more than was thought."""
    sharing, begun = Sharing(workers, free), threading.Event()

    def train() -> None:
        with sharing.running(workers[1], 1, 4.0, lambda: False):
            begun.set()

    with sharing.running(workers[0], 0, 3.0, lambda: False):
        sharing.ended(workers[0], 0, replace(EPOCH, memory_mb=5 * 1024.0))
        thread = threading.Thread(target=train)
        thread.start()
        assert not begun.wait(0.2)
    wait_for(begun.is_set)
    thread.join()


def test_a_training_that_is_given_up_waits_no_longer(
    workers: list[WorkerProcess], free: queue.Queue[WorkerProcess]
) -> None:
    sharing = Sharing(workers, free)
    with sharing.running(workers[0], 0, 6.0, lambda: False), sharing.running(workers[1], 1, 6.0, lambda: True):
        pass


def test_one_that_needs_all_of_the_memory_trains_alone(
    workers: list[WorkerProcess], free: queue.Queue[WorkerProcess]
) -> None:
    with Sharing(workers, free).running(workers[0], 0, 9.0, lambda: False):
        pass
