"""A study of ours keeps its name and all that is of it, however a request spells its path; names can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.dashboard.view import ViewStorage
from storage.errors import StudyError
from storage.store import Store
from storage.studies.studies import list_studies, load_config

from .conftest import PASSWORD, Client

ENDS = ("", "/", "//", "\n", "\n/", "\r", "\x00", " ", "\u2028", "\x0b")
NUMBERS = ("1", "01", "\uff11", "\u0661", "001")  # some are digits to Python only


def wsgi_path(path: str) -> str:
    return path.encode().decode("latin-1")


@pytest.mark.parametrize("number", NUMBERS)
def test_no_spelling_of_a_path_renames_or_deletes_a_study_of_ours(
    client: Client, store: Store, train: Callable[..., Any], number: str
) -> None:
    train(TrialState.RUNNING)
    before = load_config(store, "mars")
    for end in ENDS:
        answer = client("POST", wsgi_path(f"/api/studies/{number}/rename{end}"), PASSWORD, {"study_name": "venus"})
        assert answer.status in (404, 409), end
        assert list_studies(store) == ("mars",)
    assert load_config(store, "mars") == before
    assert [study.study_name for study in store.trials.get_all_studies()] == ["mars"]


def test_the_view_itself_keeps_a_study_of_ours(view: ViewStorage, store: Store) -> None:
    """Whatever a later version of optuna-dashboard makes of a request: it deletes through this method."""
    with pytest.raises(StudyError, match="mars is a study of marsearch"):
        view.delete_study(1)
    assert list_studies(store) == ("mars",)


@pytest.mark.parametrize("name", ["a\nb", "a\x00b", "\x1b[31m", "\u2028", "", " ", "x" * 501, 7, None, ["a"]])
def test_names_that_cannot_be_written_are_refused(client: Client, view: ViewStorage, store: Store, name: Any) -> None:
    assert client("POST", "/api/studies", PASSWORD, {"study_name": "x", "directions": ["minimize"]}).status == 201
    for path in ("/api/studies", "/api/studies/2/rename", "/api/studies\n"):
        asked = {"study_name": name, "directions": ["minimize"]}
        answer = client("POST", path, PASSWORD, asked)
        assert answer.status == (404 if path.endswith("\n") else 400), path
        assert "name" in answer.json()["reason"] or answer.status == 404
    if isinstance(name, str):
        with pytest.raises(StudyError):
            view.create_new_study([StudyDirection.MINIMIZE], name)
    assert sorted(study.study_name for study in store.trials.get_all_studies()) == ["mars", "x"]


@pytest.mark.parametrize("number", ["-1", "2147483648", "9" * 30])
def test_numbers_that_no_study_can_have_are_not_found(client: Client, number: str) -> None:
    for method, path in (("GET", "/api/studies/{}"), ("DELETE", "/api/studies/{}"), ("GET", "/board/{}"),
                         ("POST", "/api/studies/{}/rename"), ("GET", "/api/studies/{}/plot/edf"),
                         ("GET", "/csv/{}")):  # fmt: skip
        assert client(method, path.format(number), PASSWORD, {"study_name": "x"}).status == 404, path
