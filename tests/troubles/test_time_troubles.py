"""Times and what outlives them: summer time ends, zones differ, ids come again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import update

from search.dashboard import view as view_module
from search.dashboard.plots import Plots
from search.dashboard.poll.detail import Details
from search.dashboard.view import ViewStorage
from search.host.progress import Endings
from search.studies.create import create
from search.studies.reports import study_list, study_report, trial_reports
from storage.database.engine import transaction
from storage.database.optuna_schema import TRIAL_COMPLETED_UTC, TRIAL_STARTED_UTC, TrialModel, trial_id_of
from storage.store import Store, open_store
from storage.studies.control import delete_study
from storage.studies.studies import trials_of
from storage.trials.queries import remaining_seconds
from storage.trials.retries import database_of
from support.studies import GRID, Inputs, add_host

BEFORE = datetime(2025, 10, 26, 0, 50)  # UTC; 02:50 in Berlin, for the first time
AFTER = datetime(2025, 10, 26, 1, 10)  # UTC; 02:10 in Berlin, for the second time
NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?![\d:.]*(?:Z|[+-]\d\d:?\d\d))")


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is seen at once."""
    monkeypatch.setattr(view_module, "FRESH_S", 0.0)


@pytest.fixture
def autumn(store: Store, inputs: Callable[..., Inputs], berlin: None, tmp_path: Path) -> Iterator[Store]:
    """A store with a trial of twenty minutes in the night in which summer time ends, and one that began after it."""
    create(store, *inputs(trials=3))
    study = optuna.load_study(study_name="tiny", storage=store.trials)
    study.tell(study.ask(), 0.5)
    study.ask()
    first, second = study.get_trials(deepcopy=False)
    with transaction(database_of(store.trials).engine) as session:
        for trial, values in (
            (first, {TRIAL_STARTED_UTC: BEFORE, TRIAL_COMPLETED_UTC: AFTER}),
            (second, {TRIAL_STARTED_UTC: AFTER}),
        ):
            session.execute(update(TrialModel).where(TrialModel.trial_id == trial_id_of(trial)).values(values))
    opened = open_store(store.url, str(tmp_path / "artifacts"))  # which has read nothing yet
    yield opened
    opened.close()


def test_a_trial_across_the_end_of_summer_time_has_its_twenty_minutes_everywhere(autumn: Store, tmp_path: Path) -> None:
    """optuna/optuna-dashboard#759: differences of local times were negative, or wrong by an hour."""
    (first, _) = trial_reports(autumn, "tiny")
    assert first["duration_s"] == 1200.0
    trials = trials_of(autumn, "tiny")
    assert remaining_seconds(trials, target=3, workers=1) == 2400.0
    endings = Endings()
    endings.look((), 3)
    ((_, line),) = endings.look(trials, 3)
    assert line.endswith(", 1200 s")
    view = ViewStorage(autumn, tmp_path)
    (number,) = (s._study_id for s in view.get_all_studies())
    figure = json.loads(Plots(view).plot(number, "timeline"))
    (bar,) = (bars for bars in figure["data"] if bars["name"] == "COMPLETE")
    assert bar["x"] == [1200_000.0]
    assert re.fullmatch(r"Datetime \(UTC[+]0[12]:00\)", figure["layout"]["xaxis"]["title"]["text"])


def test_every_time_that_is_told_has_its_zone(autumn: Store, tmp_path: Path) -> None:
    """microsoft/nni#1182: a time without a zone is taken for the reader's own."""
    add_host(autumn, study="tiny")
    view = ViewStorage(autumn, tmp_path)
    (number,) = (s._study_id for s in view.get_all_studies())
    detail = Details(view).answer(number, 0)
    assert detail is not None
    told = [json.dumps(study_report(autumn, "tiny")), json.dumps(study_list(autumn)), detail.body.decode()]
    assert [NAIVE.findall(text) for text in told] == [[], [], []]
    assert "2025-10-26T00:50:00+00:00" in told[2]
    assert "+00:00" in told[0]


def test_what_was_seen_of_a_deleted_study_is_not_shown_for_the_next_of_its_id(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """optuna/optuna-dashboard#503: SQLite gives ids out again, and caches that are keyed by them went on."""
    view = ViewStorage(store, tmp_path)
    plots, details = Plots(view), Details(view)

    def begin() -> int:
        create(store, *inputs(space=GRID, sampler="grid", trials=4))
        (study,) = view.get_all_studies()
        return study._study_id

    first = begin()
    study = optuna.load_study(study_name="tiny", storage=store.trials)
    for _ in range(4):
        trial = study.ask()
        trial.suggest_categorical("model.norm", ["batch", "none"])
        trial.suggest_int("model.depth", 2, 3)
        study.tell(trial, 0.1 + 0.2 * (trial.params["model.depth"] == 3))
    assert [t.state for t in view.get_all_trials(first)] == [TrialState.COMPLETE] * 4
    assert len(json.loads(plots.importances(first))["param_importances"][0]) == 2
    assert b'"Complete"' in details.answer(first, 0).body  # type: ignore[union-attr]
    delete_study(store, "tiny")
    assert begin() == first  # the same name, id and first trial, which has not begun either
    assert [t.state for t in view.get_all_trials(first)] == [TrialState.WAITING] * 4
    assert json.loads(plots.importances(first))["param_importances"] == [[]]
    assert b'"Complete"' not in details.answer(first, 0).body  # type: ignore[union-attr]
