"""Working on a study from Python: the signals of a process that goes on, and any thread."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from search import Study
from search.api.notebook import NotebookProgress
from search.api.work import progress_of
from search.errors import UsageError
from search.host.context import WorkOptions
from search.host.progress import Progress
from search.host.shutdown import Signals, counted_signals
from search.host.work_done import WorkDone
from storage.store import Store
from storage.trials.queries import Counts
from support.studies import LONG_SPACE
from support.waiting import wait_for

ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def handlers() -> Iterator[list[object]]:
    """The handlers of the process, as they are to be again in the end: those of Python, whatever started the tests."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = [signal.getsignal(number) for number in ASKED]
    yield before
    assert [signal.getsignal(number) for number in ASKED] == before
    signal.signal(signal.SIGINT, inherited)


def done(finished: int = 0) -> WorkDone:
    counts = Counts(complete=finished, pruned=0, failed=0, running=0, waiting=1)
    return WorkDone(counts=counts, target=6, exhausted=False, reason="", end=None)


def host_that_is_sent(monkeypatch: pytest.MonkeyPatch, *numbers: int) -> list[WorkOptions]:
    """Instead of a host: what it was asked to do, and that it was sent these signals meanwhile."""
    asked: list[WorkOptions] = []

    def work(store: Store, order: WorkOptions, progress: Progress, *, signals: Signals | None) -> WorkDone:
        asked.append(order)
        with counted_signals(signals=signals) as counted:
            for number in numbers:
                os.kill(os.getpid(), number)
            assert counted.count == len(numbers) or threading.current_thread() is not threading.main_thread()
        return done(finished=0 if numbers else 6)

    monkeypatch.setattr("search.api.work.work", work)
    return asked


def test_an_interrupt_is_one_when_the_host_has_left_in_order(
    study: Study, handlers: list[object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host_that_is_sent(monkeypatch, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        study.work()
    assert "stopped: 0 of 6 trials of study tiny" in capsys.readouterr().err


def test_another_signal_reaches_the_handler_that_the_process_has(
    study: Study, handlers: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    host_that_is_sent(monkeypatch, signal.SIGTERM)
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        study.work()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]


def test_what_is_asked_reaches_the_host(study: Study, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = host_that_is_sent(monkeypatch)
    study.work(2, trials=5, timeout="1h30m", device="cpu")
    study.work(per_gpu="auto", timeout=3.5)
    common = {"study": "tiny", "home": home}
    assert asked == [
        WorkOptions(workers=2, trials=5, timeout=5400, device="cpu", **common),
        WorkOptions(per_gpu="auto", timeout=3.5, **common),
    ]
    with pytest.raises(UsageError, match="leave one of them out"):
        study.work(2, per_gpu="auto")
    with pytest.raises(UsageError, match="timeout soon: a time"):
        study.work(timeout="soon")
    assert len(asked) == 2


def test_a_notebook_has_a_progress_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(progress_of("mars")) is Progress
    monkeypatch.setattr("search.api.work.in_notebook", lambda: True)
    assert type(progress_of("mars")) is NotebookProgress


@pytest.mark.whole
def test_a_thread_works_until_the_study_is_stopped_and_ctrl_c_hands_the_trial_back(
    home: Path, tiny_data: Path, handlers: list[object]
) -> None:
    options = {"trials": 1, "epochs": 2000, "pruner": "none", "warm_start": "none"}
    with Study.create("long", data=tiny_data, space=LONG_SPACE, home=home, **options) as study:
        thread = threading.Thread(target=study.work, args=(1,), kwargs={"device": "cpu"})
        thread.start()
        wait_for(lambda: any(worker["training"] for worker in study.status.report["workers"]))
        study.stop()
        thread.join(120)
        assert not thread.is_alive()
        assert study.status.trials["waiting"] == 1

        study.resume()
        ours = os.getpid()

        def interrupt() -> None:
            wait_for(lambda: study.status.trials["running"] == 1)
            os.kill(ours, signal.SIGINT)

        waiting = threading.Thread(target=interrupt)
        waiting.start()
        with pytest.raises(KeyboardInterrupt):
            study.work(1, device="cpu")
        waiting.join()
        assert study.status.trials["waiting"] == 1
        assert study.status.trials["running"] == 0
