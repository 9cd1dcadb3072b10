"""What is reported of a study is read in as many statements as there are kinds of facts, however many trials it has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import optuna
import pytest
from sqlalchemy import event

from search.studies import reports
from search.studies.create import Created
from search.studies.reports import study_list, study_report
from search.studies.study import StudyDefinition
from storage.store import Store, open_store
from storage.studies.studies import trials_of
from support.studies import add_every_kind


@pytest.fixture
def study(store: Store, created: Created) -> optuna.Study:
    """The study `tiny` with trials of every kind, of which the first that waits becomes the best one, with a recipe."""
    found = optuna.load_study(study_name="tiny", storage=store.trials)
    add_every_kind(found)
    best = found.ask()
    StudyDefinition(created.config).space.suggest(best)
    best.report(0.6, 3)
    found.tell(best, 0.6)
    return found


def statements(store: Store, report: Callable[[Store], object]) -> list[str]:
    """What a command that only makes this report asks the database."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    with closing(open_store(store.url, store.artifacts_url, purpose="look")) as fresh:
        event.listen(fresh.engine, "before_cursor_execute", note)
        report(fresh)
    return asked


def test_a_report_is_that_of_all_trials_read_whole(
    store: Store, study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = study_report(store, "tiny")
    monkeypatch.setattr(reports, "outcomes", trials_of)
    assert report == study_report(store, "tiny")
    assert report["best"]["number"] == 6
    assert report["best"]["recipe"]["model"]["family"] == "unet"
    assert report["trials"] == {"complete": 4, "pruned": 1, "failed": 1, "running": 1, "waiting": 1}
    (listed,) = study_list(store)
    assert (listed["finished"], listed["running"], listed["best"]) == (6, 1, 0.6)


@pytest.mark.parametrize("report", [lambda store: study_report(store, "tiny"), study_list], ids=["status", "list"])
def test_a_report_reads_neither_curves_nor_parameters_of_its_trials(
    store: Store, study: optuna.Study, report: Callable[[Store], object]
) -> None:
    few = statements(store, report)
    for _ in range(5):
        add_every_kind(study)
    many = statements(store, report)
    assert len(many) == len(few)
    for table in ("trial_intermediate_values", "trial_params", "marsearch_epochs"):
        assert [text for text in many if table in text and "study_id" in text] == []  # of the best one, by its id
