"""A study ends by its time or by patience: nothing new begins, nothing is lost, and it can go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import update

from search.host.context import HostContext, Timing
from search.host.host import work
from search.host.maintenance import Maintenance
from search.host.state import TIME_OVER, HostState
from search.host.trial_loop import _claim
from search.studies.create import create
from search.studies.reports import study_list, study_report
from search.studies.study import open_study
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerProcess
from storage.database.optuna_schema import trial_id_of
from storage.database.schema import StudyTable
from storage.store import Store
from storage.studies.control import delete_study
from storage.studies.ends import Ends, ends
from storage.studies.hosts import register
from support.hosts import EAGER, order, quiet
from support.studies import LONG_SPACE, Inputs, host_row

Make = Callable[..., Inputs]


def add(store: Store, *trials: dict[str, object]) -> None:
    study = optuna.load_study(study_name="tiny", storage=store.trials)
    for trial in trials:
        study.add_trial(optuna.create_trial(**trial))  # type: ignore[arg-type]


BEST = {"state": TrialState.COMPLETE, "value": 2.0}  # better than any mIoU
WAITS = {"state": TrialState.WAITING}


@pytest.mark.whole
def test_patience_ends_a_study_after_so_many_trials_without_a_better_one(
    store: Store, inputs: Make, tmp_path: Path
) -> None:
    create(store, *inputs(trials=50, epochs=1, patience_trials=2))
    add(store, BEST)
    said = StringIO()
    done = work(store, order(tmp_path), quiet(said), EAGER)
    assert (done.over, done.fruitless, done.counts.running) == (True, False, 0)
    assert done.finished in (3, 4)  # one that ran when it was reached is finished, too
    assert "study tiny ends: no better trial in the last 2\n" in said.getvalue()
    ending = "no better trial in the last 2: go on with a larger --patience, or without it, in the same marsearch"
    assert ending in done.sentence("tiny")
    report = study_report(store, "tiny")
    assert (report["state"], report["end"]["reason"]) == ("finished", "no better trial in the last 2")
    (listed,) = study_list(store)
    assert (listed["state"], listed["end"]) == ("finished", "no better trial in the last 2")

    add(store, WAITS)
    late = work(store, order(tmp_path), quiet(), EAGER)
    assert (late.finished, late.counts.waiting, late.over) == (done.finished, 1, True)
    assert "1 more waits; no better trial in the last 2: go on" in late.sentence("tiny")

    create(store, *inputs(trials=50, epochs=1, patience_trials=4))
    assert work(store, order(tmp_path), quiet(), EAGER).finished in (5, 6)
    create(store, *inputs(trials=50, epochs=1))
    report = study_report(store, "tiny")
    assert (report["state"], report["end"]) == ("idle", None)


def test_hosts_count_the_time_that_they_work_and_end_with_it(store: Store, inputs: Make, tmp_path: Path) -> None:
    create(store, *inputs(space=LONG_SPACE, trials=50, epochs=2000, pruner="none", budget_s=1.5))
    said = StringIO()
    done = work(store, order(tmp_path), quiet(said), EAGER)
    assert (done.finished, done.over, done.counts.running) == (0, True, 0)
    assert done.fruitless  # which makes the command a failure
    assert "study tiny ends: its 1.5s are over\n" in said.getvalue()
    assert "its 1.5s are over: go on with a larger --for" in done.sentence("tiny")
    assert ends(store, "tiny").worked_s >= 1.5


@pytest.fixture
def context(store: Store, inputs: Make, tmp_path: Path) -> HostContext:
    create(store, *inputs())
    workers = [WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=tmp_path / "worker.log"))]
    return HostContext(store, open_study(store, "tiny", tmp_path), order(tmp_path), "w", workers, HostState(), Timing())


def test_a_host_follows_the_number_of_trials_unless_it_has_its_own(
    context: HostContext, store: Store, inputs: Make
) -> None:
    maintenance = Maintenance(context, quiet())
    more = context.target + 5
    create(store, *inputs(trials=more))
    maintenance.obey()
    assert (context.target, context.wanted) == (more, more)
    context.options = replace(context.options, trials=2)
    create(store, *inputs(trials=more + 1))
    maintenance.obey()
    assert context.target == more


def test_no_trial_begins_once_an_end_is_reached(context: HostContext, store: Store) -> None:
    study = context.study()
    for limits in (Ends(budget_s=60, worked_s=60.0), Ends(patience_trials=1)):
        context.state.ends = limits
        add(store, {"state": TrialState.PRUNED})
        assert _claim(context, study, "cpu") is None
        assert context.over(study.get_trials(deepcopy=False))
    context.state.ends = Ends(budget_s=60, worked_s=59.0, patience_trials=3)
    assert not context.over(study.get_trials(deepcopy=False))
    assert _claim(context, study, "cpu") is not None


def test_a_trial_that_still_runs_may_be_a_better_one(context: HostContext, store: Store) -> None:
    context.state.ends, study = Ends(patience_trials=2), context.study()
    running = _claim(context, study, "cpu")
    assert running is not None
    add(store, BEST, {"state": TrialState.PRUNED}, {"state": TrialState.PRUNED})
    assert _claim(context, study, "cpu") is None
    assert not context.over(study.get_trials(deepcopy=False))
    study.tell(running.number, 3.0)
    assert not context.over(study.get_trials(deepcopy=False))
    assert _claim(context, study, "cpu") is not None


def test_only_time_takes_a_training_from_a_host() -> None:
    state = HostState()
    state.ends = Ends(patience_trials=1)
    assert state.held == ""
    state.ends = Ends(budget_s=1.0, worked_s=1.0)
    assert state.held == TIME_OVER


def test_the_time_of_a_paused_study_stands(context: HostContext, store: Store) -> None:
    maintenance = Maintenance(context, quiet())
    maintenance.count_time()
    for command, worked in (("pause", False), ("run", True)):
        context.state.command = command  # type: ignore[assignment]
        before = ends(store, "tiny").worked_s
        maintenance.count_time()
        assert (ends(store, "tiny").worked_s > before) == worked


def test_a_host_hears_of_another_budget(context: HostContext, store: Store, inputs: Make) -> None:
    maintenance = Maintenance(context, quiet())
    store.transact(lambda session: session.execute(update(StudyTable).values(worked_s=60.0)))
    for budget, held in ((60.0, TIME_OVER), (120.0, ""), (30.0, TIME_OVER), (None, "")):
        create(store, *inputs(budget_s=budget))
        maintenance.obey()
        assert context.state.held == held


def test_what_goes_wrong_while_the_study_is_being_deleted_is_that(context: HostContext, store: Store) -> None:
    study = context.study()
    trial = study.ask()
    register(store, host_row(study="tiny", id="w"))
    with pytest.MonkeyPatch.context() as cut:  # between the rows of the trials and the study itself
        cut.setattr(type(store.trials), "delete_study", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            delete_study(store, "tiny", force=True)
    try:
        store.trials.get_trial(trial_id_of(trial))
    except KeyError as error:
        context.fail(error)
    assert [str(error) for error in context.trouble] == ["study 'tiny' was deleted while this host worked on it"]
