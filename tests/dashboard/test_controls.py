"""What people change on our page: by whom, with what effect, and what it says when it is refused."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search.dashboard.board.recipe_form import groups, start_values
from search.dashboard.board.snapshot import Board
from search.dashboard.view import ViewStorage
from storage.store import Store
from storage.studies.control import command
from storage.studies.studies import load_config, trials_of

from .conftest import PASSWORD, VIEWER, Answer, Client

Train = Callable[..., Any]
FORMS = {"command": {"command": "pause"}, "trials": {"trials": 30}, "note": {"note": "x"}, "try": {"from": "baseline"}}


def said(answer: Answer) -> str:
    return html.unescape(answer.body.decode())


@pytest.mark.parametrize("form", FORMS)
def test_who_only_reads_changes_nothing(client: Client, open_client: Client, store: Store, form: str) -> None:
    assert client.send(f"/board/1/{form}", VIEWER, **FORMS[form]).status == 403
    assert client.send(f"/board/1/{form}", None, **FORMS[form]).status == 401
    assert open_client.send(f"/board/1/{form}", None, **FORMS[form]).status == 403
    foreign = client("POST", f"/board/1/{form}", PASSWORD, "command=pause", sec_fetch_site="cross-site")
    assert foreign.status == 403
    assert (command(store, "mars"), load_config(store, "mars").trials, trials_of(store, "mars")) == ("run", 12, [])


def test_the_page_offers_forms_to_who_may_write(client: Client, train: Train) -> None:
    train(TrialState.COMPLETE, 0.3)
    assert said(client("GET", "/board/1", PASSWORD)).count("<form") == 3
    reading = said(client("GET", "/board/1", VIEWER))
    assert "<form" not in reading
    assert "change and try" not in reading
    assert "needs the password" in said(client("GET", "/board/1/try", VIEWER))


@pytest.mark.parametrize(("given", "told"), [("pause", "paused"), ("stop", "stopped"), ("run", "idle")])
def test_commands_reach_the_study(client: Client, store: Store, given: str, told: str) -> None:
    answer = client.send("/board/1/command", PASSWORD, command=given)
    assert (answer.status, answer.headers["location"]) == (303, f"/board/1?done={given}")
    assert command(store, "mars") == given
    page = said(client("GET", answer.headers["location"], PASSWORD))
    assert f'<span class="chip {told}">' in page
    assert 'id="done"' in page
    assert ('value="run"' in page) == (given != "run")


def test_more_trials_are_the_studys_target(client: Client, store: Store) -> None:
    assert client.send("/board/1/trials", PASSWORD, trials=" 30 ").status == 303
    assert load_config(store, "mars").trials == 30
    assert "0 of 30" in said(client("GET", "/board/1", PASSWORD))


@pytest.mark.parametrize(
    ("form", "sent", "why"),
    [
        ("command", {"command": "fly"}, "run, pause or stop was expected, got 'fly'"),
        ("command", {}, "run, pause or stop was expected, got ''"),
        ("trials", {"trials": "many"}, "a number of trials from 1 to 1,000,000 was expected, got 'many'"),
        ("trials", {"trials": "9" * 5000}, "a number of trials from 1 to 1,000,000 was expected, got '999"),
        ("trials", {"trials": "0"}, "a number of trials from 1 to 1,000,000 was expected, got '0'"),
        ("note", {"note": "x" * 20_001}, "a note has at most 20,000 characters, got 20,001"),
    ],
)
def test_a_refusal_stands_beside_its_form(
    client: Client, store: Store, form: str, sent: dict[str, str], why: str
) -> None:
    answer = client.send(f"/board/1/{form}", PASSWORD, **sent)
    assert answer.status == 400
    page = said(answer)
    assert why in page.partition(f'id="{form}"')[2].partition("</form>")[0]
    assert (command(store, "mars"), load_config(store, "mars").trials) == ("run", 12)


def test_a_note_is_the_one_of_optuna_dashboard(client: Client) -> None:
    note = 'first line\n<b>second</b> & "more"'
    assert client.send("/board/1/note", PASSWORD, note=note).status == 303
    assert client("GET", "/api/studies/1", PASSWORD).json()["note"]["body"] == note
    assert note in said(client("GET", "/board/1", VIEWER))


def test_unknown_studies_take_no_forms(client: Client, store: Store) -> None:
    optuna.create_study(study_name="plain", storage=store.trials)
    assert client.send("/board/99/command", PASSWORD, command="stop").status in (404, 409)
    assert client.send("/board/2/command", PASSWORD, command="stop").status in (404, 409)
    assert client("GET", "/board/99/try", PASSWORD).status in (404, 409)


def filled_in(view: ViewStorage, start: str = "baseline", **changes: str) -> dict[str, str]:
    """The fields of the form as a browser sends them."""
    study = Board(view).study(1)
    every = groups(study, start_values(study, start, None))
    return {field.path: field.value for group in every for field in (*group.searched, *group.others)} | changes


def test_a_recipe_that_was_filled_in_waits(client: Client, store: Store, view: ViewStorage) -> None:
    sent = filled_in(view, **{"model.depth": "3", "loss.dice.use": "true"})
    answer = client.send("/board/1/try", PASSWORD, **sent)
    assert (answer.status, answer.headers["location"]) == (303, "/board/1?done=try")
    (waits,) = trials_of(store, "mars")
    assert waits.state is TrialState.WAITING
    params = waits.system_attrs["fixed_params"]
    assert (params["model.depth"], params["loss.dice.use"]) == (3, True)
    assert "loss.focal.gamma" not in params  # of a part that is off
    again = client.send("/board/1/try", PASSWORD, **sent)
    assert again.status == 400
    assert "trial 0 has the same recipe (waiting)" in said(again)


def test_a_trial_with_changes_begins_with_its_settings(client: Client, store: Store, train: Train) -> None:
    trial = train(TrialState.COMPLETE, 0.3)
    page = said(client("GET", "/board/1/try?from=0", PASSWORD))
    assert "Trial 0 with changes" in page
    depth = page.partition('name="model.depth"')[2].partition("/>")[0]
    assert f'value="{trial.params["model.depth"]}"' in depth


def test_settings_outside_their_axes_are_named_beside_their_fields(
    client: Client, store: Store, view: ViewStorage
) -> None:
    sent = filled_in(view, **{"model.depth": "99", "optimisation.lr": "quick", "model.block": "<b>"})
    answer = client.send("/board/1/try", PASSWORD, **sent)
    assert answer.status == 400
    page = said(answer)
    assert "3 settings are outside what the study allows." in page
    for path, why in (("model.depth", "got '99'"), ("optimisation.lr", "got 'quick'"), ("model.block", "got '<b>'")):
        assert why in page.partition(f'id="w-{path}"')[2].partition("</p>")[0]
    assert "<b>'" not in answer.body.decode()
    assert trials_of(store, "mars") == []


@pytest.mark.parametrize("start", ["no-such-preset", "7", "9" * 5000, "<script>", "/etc/passwd", "pyproject.toml"])
def test_a_start_that_is_not_there_is_said(client: Client, start: str) -> None:
    answer = client("GET", f"/board/1/try?from={start}", PASSWORD)
    assert answer.status == 400
    assert "the number of a trial or the name of a preset was expected, got" in said(answer)
    assert b"<script>" not in answer.body
