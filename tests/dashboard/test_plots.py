"""Plots of wide studies are bounded, made one at a time, and never those of another study."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from optuna_dashboard import wsgi

from search.dashboard import plots as module
from search.dashboard.exclusive import Busy, Exclusive
from search.dashboard.view import ViewStorage
from storage.store import Store
from storage.studies.control import delete_study
from storage.studies.studies import create_study

from .conftest import PASSWORD, VIEWER, Client, plan

Train = Callable[..., Any]
AXES = 60


@pytest.fixture
def wide(store: Store, study: optuna.Study) -> None:
    """Thirty trials of sixty axes in the study."""
    space = {f"axis {number}": FloatDistribution(0, 1) for number in range(AXES)}
    for n in range(30):
        params = {name: (n + k) % 30 / 30 for k, name in enumerate(space)}
        study.add_trial(create_trial(value=n / 30, distributions=space, params=params))


@pytest.mark.parametrize("kind", ["contour", "rank"])
def test_a_plot_of_all_pairs_of_a_wide_study_is_refused_with_a_way_out(wide: None, client: Client, kind: str) -> None:
    refused = client("GET", f"/api/studies/1/plot/{kind}", VIEWER)
    assert refused.status == 400
    reason = refused.json()["reason"]
    assert f"{AXES} parameters" in reason
    query = reason.partition("?")[2]
    drawn = client("GET", f"/api/studies/1/plot/{kind}?{query}", VIEWER)
    assert drawn.status == 200
    assert len(drawn.json()["data"]) >= 3


@pytest.mark.parametrize("kind", [*module.OF_PARAMETERS, "edf", "timeline"])
def test_a_small_study_has_every_plot(client: Client, study: optuna.Study, kind: str) -> None:
    space = {name: FloatDistribution(0, 1) for name in "ab"}
    study.add_trials(
        [create_trial(value=n, distributions=space, params={"a": n / 9, "b": 1 - n / 9}) for n in range(9)]
    )
    answer = client("GET", f"/api/studies/1/plot/{kind}", VIEWER)
    assert answer.status == 200
    assert answer.json()["data"]
    again = client("GET", f"/api/studies/1/plot/{kind}", VIEWER, if_none_match=answer.headers["etag"])
    assert again.status == 304


@pytest.mark.parametrize(("kind", "trials"), [("rank", 30_000), ("contour", 30_000), ("slice", 30_000)])
def test_fewer_parameters_are_allowed_with_more_trials_but_two_always(kind: str, trials: int) -> None:
    allowed = [module._most_parameters(kind, count) for count in (1, 100, 1000, trials, 10 * trials)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[-1] == 2
    assert trials * allowed[3] <= max(module.MOST_CELLS, 2 * trials)


@pytest.mark.parametrize("path", ["plot/nothing", "plot/rank?params=nothing", "plot/contour?params=%0a"])
def test_what_is_no_plot_is_refused(wide: None, client: Client, path: str) -> None:
    assert client("GET", f"/api/studies/1/{path}", VIEWER).status == 400


def test_one_at_a_time_some_wait_and_the_others_are_told_at_once() -> None:
    exclusive = Exclusive(waiting=2, wait_s=60.0)
    go, busy, entered = threading.Event(), threading.Event(), []

    def make() -> bytes:
        entered.append(1)
        busy.set()
        go.wait(60)
        return b"made"

    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(exclusive.get("name", 1, make))) for _ in range(3)]
    for thread in threads:
        thread.start()
        busy.wait(60)
    full = [thread for thread in threads if thread.is_alive()]
    assert len(full) == 3
    _until_full(exclusive)
    with pytest.raises(Busy, match="ask again"):
        exclusive.get("another", 1, lambda: b"")
    go.set()
    for thread in threads:
        thread.join(60)
    assert got == [b"made"] * 3
    assert entered == [1]


def _until_full(exclusive: Exclusive) -> None:
    """Wait until two wait for their turn: then a third one is refused at once."""
    deadline = threading.Event()
    for _ in range(600):
        try:
            exclusive.get("another", 1, lambda: b"")
        except Busy:
            return
        deadline.wait(0.1)
    raise AssertionError("nobody waits")


def test_who_waits_for_too_long_is_told() -> None:
    exclusive = Exclusive(waiting=2, wait_s=0.01)
    with exclusive.turn(), pytest.raises(Busy):
        exclusive.get("name", 1, lambda: b"")


def test_an_older_result_is_better_than_none() -> None:
    """Ten browsers that look at one study ask for its importances at once, after each trial that has ended."""
    exclusive = Exclusive(waiting=0, wait_s=0.0)
    assert exclusive.get("name", 1, lambda: b"old") == b"old"
    with exclusive.turn():
        assert exclusive.get("name", 2, lambda: b"new") == b"old"
        with pytest.raises(Busy):
            exclusive.get("other", 2, lambda: b"new")
    assert exclusive.get("name", 2, lambda: b"new") == b"new"


def test_what_is_kept_is_bounded_and_made_anew_when_it_was_given_up() -> None:
    exclusive = Exclusive(most_bytes=10)
    made = []

    def make(key: int) -> bytes:
        made.append(key)
        return b"12345"

    for key in (1, 2, 1, 3, 1, 2):
        exclusive.get(key, 1, lambda key=key: make(key))
    assert made == [1, 2, 3, 2]
    assert exclusive.get("large", 1, lambda: b"x" * 100) == b"x" * 100


def test_a_busy_server_says_when_to_ask_again(wide: None, view: ViewStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.dashboard import application

    exclusive = Exclusive(waiting=0, wait_s=0.0)
    monkeypatch.setattr(application, "Exclusive", lambda: exclusive)
    client = Client(application.build_routes(view))
    with exclusive.turn():
        for path in ("/api/studies/1/plot/edf", "/api/studies/1/param_importances", "/csv/1", "/board/1/axes"):
            answer = client("GET", path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert client("GET", "/board/1").status == 200
        assert client("GET", "/api/studies/1").status == 200


def test_a_plot_is_drawn_once_for_the_same_trials(
    wide: None, client: Client, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    original = module._draw
    monkeypatch.setattr(module, "_draw", lambda *given: drawn.append(1) or original(*given))
    for _ in range(3):
        assert client("GET", "/api/studies/1/plot/edf", VIEWER).status == 200
    assert len(drawn) == 1
    train(TrialState.COMPLETE, 0.4)
    assert client("GET", "/api/studies/1/plot/edf", VIEWER).status == 200
    assert len(drawn) == 2


def test_importances_are_those_of_optuna_dashboard(view: ViewStorage, wide: None, client: Client) -> None:
    theirs = Client(wsgi(view))("GET", "/api/studies/1/param_importances", accept_encoding="gzip")
    ours = client("GET", "/api/studies/1/param_importances", VIEWER)
    assert _by_name(ours.json()) == pytest.approx(_by_name(theirs.json()))
    assert len(_by_name(ours.json())) == AXES


def _by_name(document: dict[str, Any]) -> dict[str, float]:
    return {one["name"]: one["importance"] for one in document["param_importances"][0]}


def test_importances_before_two_trials_are_none(client: Client, train: Train) -> None:
    train(TrialState.COMPLETE, 0.4)
    assert client("GET", "/api/studies/1/param_importances", VIEWER).json() == {"param_importances": [[]]}


def test_the_next_study_of_the_same_id_has_its_own_plots(store: Store, client: Client) -> None:
    """SQLite gives the id of a deleted study to the next one: nothing of the old one may be shown for it."""

    def fill(axis: str, others: int) -> None:
        space = {axis: FloatDistribution(0, 1), "same": FloatDistribution(0, 1)}
        optuna.load_study(study_name="mars", storage=store.trials).add_trials([
            create_trial(value=n / 9, distributions=space, params={axis: n / 9, "same": others / 9}) for n in range(9)
        ])  # fmt: skip

    def shown() -> str:
        paths = ("param_importances", "plot/slice", "plot/parallel_coordinate", "plot/contour")
        return json.dumps([client("GET", f"/api/studies/1/{path}", PASSWORD).json() for path in paths])

    fill("old axis", 1)
    assert "old axis" in shown()
    delete_study(store, "mars")
    create_study(store, plan())
    fill("new axis", 2)
    assert "old axis" not in shown()
    assert "new axis" in shown()


def test_nothing_of_a_deleted_study_of_several_objectives_is_shown(client: Client, store: Store) -> None:
    from optuna.study import StudyDirection

    def fill(axis: str) -> None:
        space = {axis: FloatDistribution(0, 1)}
        directions = [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE]
        study = optuna.create_study(study_name="x", storage=store.trials, directions=directions)
        study.add_trials([create_trial(values=[n, n], distributions=space, params={axis: n / 9}) for n in range(9)])

    fill("old axis")
    assert b"old axis" in client("GET", "/api/studies/2", PASSWORD).body
    optuna.delete_study(study_name="x", storage=store.trials)
    fill("new axis")
    body = client("GET", "/api/studies/2", PASSWORD).body
    assert b"old axis" not in body
    assert b"new axis" in body
