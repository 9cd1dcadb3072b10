"""The answer that pages poll for: what optuna-dashboard itself would say, made once, sent once."""

from __future__ import annotations

import json
import math
import sys
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from optuna_dashboard import wsgi
from sqlalchemy import update

from search.dashboard.poll import trial_json as module
from search.dashboard.poll.detail import Details
from search.dashboard.view import ViewStorage
from storage.database.optuna_schema import TRIAL_COMPLETED_UTC, TRIAL_STARTED_UTC, TrialModel
from storage.store import Store

from .conftest import PASSWORD, Client

Train = Callable[..., Any]


def without_distributions(document: dict[str, Any]) -> dict[str, Any]:
    for trial in document["trials"] + document["best_trials"]:
        for param in trial["params"]:
            param.pop("distribution", None)
        for name in ("datetime_start", "datetime_complete"):  # ours tell the zone
            if name in trial:
                trial[name] = datetime.fromisoformat(trial[name]).astimezone(UTC).isoformat()
    for name in ("intersection_search_space", "union_search_space"):  # the order of options is by chance there
        for axis in document[name]:
            axis["distribution"].get("choices", []).sort(key=str)
    document["union_user_attrs"].sort(key=str)
    return document


def test_the_answer_is_that_of_optuna_dashboard(
    view: ViewStorage, study: optuna.Study, train: Train, client: Client
) -> None:
    for number in range(12):
        state = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)[number % 3]
        train(state, 0.1 * number if state is TrialState.COMPLETE else None, over=None if number % 2 else number - 3.0)
    odd = train(TrialState.RUNNING)
    for step, value in enumerate((math.nan, math.inf, -math.inf), 10):
        odd.report(value, step)
    study.tell(odd, math.inf)
    study.set_user_attr("list", [1, 2])
    assert client("PUT", "/api/studies/1/2/note", PASSWORD, {"version": 1, "body": "ü"}).status == 204
    assert client("PUT", "/api/studies/1/note", PASSWORD, {"version": 1, "body": "of the study"}).status == 204
    for after in (0, 5, 13, 99):
        ours = Details(view).answer(1, after)
        theirs = Client(wsgi(view))("GET", f"/api/studies/1?after={after}", accept_encoding="gzip")
        assert ours is not None
        assert without_distributions(json.loads(ours.body)) == without_distributions(theirs.json())


def test_nothing_is_sent_twice(client: Client, train: Train, study: optuna.Study) -> None:
    running = train(TrialState.RUNNING)
    first = client("GET", "/api/studies/1", PASSWORD)
    again = client("GET", "/api/studies/1", PASSWORD, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    running.report(0.9, 9)
    moved = client("GET", "/api/studies/1", PASSWORD, if_none_match=first.headers["etag"])
    assert moved.status == 200
    study.set_user_attr("said", "something")
    said = client("GET", "/api/studies/1", PASSWORD, if_none_match=moved.headers["etag"])
    assert said.status == 200


def test_a_finished_trial_is_written_once(view: ViewStorage, train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    from search.dashboard.poll import detail

    def counted(study_id: int, trial: Any, note: Any, more: Any) -> bytes:
        written.append(trial.number)
        return module.trial_json(study_id, trial, note, more)

    monkeypatch.setattr(detail, "trial_json", counted)
    train(TrialState.COMPLETE, 0.1)
    train(TrialState.RUNNING)
    details = Details(view)
    for _ in range(3):
        details.answer(1, 0)
    assert written == [0, 1, 1, 1]


def test_large_answers_are_compressed_for_whom_understands_it(client: Client, train: Train) -> None:
    train(TrialState.COMPLETE, 0.1)
    plain = client("GET", "/api/studies/1", PASSWORD)
    packed = client("GET", "/api/studies/1", PASSWORD, accept_encoding="br, gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert zlib.decompress(packed.body, 31) == plain.body
    assert len(packed.body) * 3 < len(plain.body)
    assert client("GET", "/api/studies/1", PASSWORD, accept_encoding="gzip;q=0").headers.get("content-encoding") is None
    assert client("HEAD", "/api/studies/1", PASSWORD).body == b""


def test_values_of_attributes_are_bounded(client: Client, train: Train, store: Store) -> None:
    trial = train(TrialState.RUNNING)
    trial.set_user_attr("traceback", "x" * 100_000)
    found = client("GET", "/api/studies/1", PASSWORD).json()["trials"][0]["user_attrs"]
    assert {len(one["value"]) for one in found if one["key"] == "traceback"} == {module.LONGEST}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1e9", "after=%D9%A1", "after=9999999999999"])
def test_a_question_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    assert client("GET", f"/api/studies/1?{query}", PASSWORD).status == 400


def test_a_study_that_is_not_there_is_not_found(client: Client) -> None:
    for path in ("/api/studies/77", "/board/77", f"/api/studies/{'9' * 18}"):
        assert client("GET", path, PASSWORD).status == 404


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_times_are_in_utc_and_say_so(
    client: Client, train: Train, store: Store, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Also of a trial in the hour that comes twice at the end of summer time: it does not end before it began."""
    train(TrialState.COMPLETE, 0.1)
    started = datetime(2025, 11, 2, 5, 50, tzinfo=UTC)  # 1:50 in New York, for the first time
    store.transact(
        lambda session: session.execute(
            update(TrialModel).values({
                TRIAL_STARTED_UTC: started.replace(tzinfo=None),
                TRIAL_COMPLETED_UTC: (started + timedelta(minutes=40)).replace(tzinfo=None),
            })
        )
    )  # fmt: skip
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        found = client("GET", "/api/studies/1", PASSWORD).json()["trials"][0]
        page = client("GET", "/board/1", PASSWORD).body.decode()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found["datetime_start"] == "2025-11-02T05:50:00+00:00"
    assert found["datetime_complete"] == "2025-11-02T06:30:00+00:00"
    assert "40 min 0 s" in page


def test_what_json_cannot_hold_leaves_the_page_readable(view: ViewStorage, study: optuna.Study, train: Train) -> None:
    """A browser takes neither Infinity nor half of a surrogate pair as bytes."""
    for text in ("\ud800", "ü"):
        trial = train(TrialState.RUNNING, over=math.inf)
        trial.set_user_attr("text", text)
        study.tell(trial, 0.5)
    found = Details(view).answer(1, 0)
    assert found is not None

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    trials = json.loads(found.body, parse_constant=refuse)["trials"]
    attributes = [{a["key"]: a["value"] for a in trial["user_attrs"]} for trial in trials]
    assert [found["text"] for found in attributes] == ["\ud800", "ü"]
    assert trials[1]["constraints"] == [sys.float_info.max]
