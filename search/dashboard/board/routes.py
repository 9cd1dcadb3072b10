"""Where our pages are found: `/board` for the only study or the list, `/board/ID`, what they load, and their forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from bottle import HTTPResponse, request

from search.dashboard.access import Role
from search.dashboard.authentication import ROLE
from search.dashboard.board.axes import Axes
from search.dashboard.board.controls import Controls, Sent, note_of, refusal_of, trial_of
from search.dashboard.board.curves import curves_document
from search.dashboard.board.page import (
    POLICY,
    Reader,
    Said,
    board_page,
    list_page,
    no_study_page,
    other_page,
    waiting_page,
)
from search.dashboard.board.recipe_form import Refused, groups, start_values
from search.dashboard.board.snapshot import Board, StudyRef
from search.dashboard.exclusive import Exclusive
from search.dashboard.files import own_file
from search.dashboard.response import HTML, JSON, document
from search.dashboard.view import ViewStorage
from search.errors import UsageError
from search.studies.baseline import NAMES
from search.studies.reports import study_list
from spaces import SpaceError, preset_names
from storage.errors import StudyError

DONE = {  # what a page says after a form, by the word in its address
    "run": "The study goes on.",
    "pause": "The study pauses: trainings stop after their epoch, and the page shows it within seconds.",
    "stop": "The study stops: its hosts leave after the epochs under way.",
    "trials": "The number of trials is changed.",
    "note": "The note is kept.",
    "try": "The recipe waits for the next free worker.",
}


class Pages:
    """Answers the requests for our pages. exclusive: runs expensive computations one at a time."""

    def __init__(self, view: ViewStorage, exclusive: Exclusive) -> None:
        self.board = Board(view)
        self.controls = Controls(self.board)
        self.axes = Axes(self.board, exclusive)

    def first(self) -> HTTPResponse:
        """The board of the only study, or the list of all."""
        reader = self._reader()
        if not reader.studies:
            return no_study_page(reader)
        if len(reader.studies) > 1:
            return list_page(reader, study_list(self.board.view.store))
        return HTTPResponse(status=302, headers={"Location": f"/board/{reader.studies[-1].id}"})

    def study(self, study_id: int, said: Said | None = None) -> HTTPResponse:
        """The board of a study; of a large one that was not read yet a page that asks again at once."""
        reader, top = self._reader(), request.query.get("top", "")
        here = next((study for study in reader.studies if study.id == study_id), None)
        if here is None:
            return no_study_page(reader, status=404)
        if said is None and request.query.get("now") != "1" and not self.board.view.is_read(study_id):
            return waiting_page(here, reader)
        done = DONE.get(request.query.get("done", ""), "")
        try:
            seen = self.board.look(study_id, int(top) if re.fullmatch(r"[0-9]{1,2}", top) else None)
            note = note_of(self.board, self.board.study(study_id))
        except (KeyError, StudyError):
            return no_study_page(self._reader(), status=404)
        return board_page(seen, reader, note, said or Said(done=done))

    def curves(self, study_id: int) -> HTTPResponse:
        """The numbers of the charts."""
        return document(json.dumps(curves_document(self.board, study_id), separators=(",", ":")).encode(), JSON)

    def importance(self, study_id: int) -> HTTPResponse:
        """Importance and parallel coordinates, as a piece of a page."""
        return document(self.axes.fragment(study_id), HTML, {"Content-Security-Policy": POLICY})

    def form(self, study_id: int) -> HTTPResponse:
        """The form for a recipe, from a trial or a preset."""
        return self._form(study_id, request.query.get("from", "") or self._best(study_id), None)

    def send(self, kind: str) -> Callable[[int], HTTPResponse]:
        """What answers a form of that kind."""
        act = {"command": self.controls.command, "trials": self.controls.trials, "note": self.controls.note}[kind]

        def answer(study_id: int) -> HTTPResponse:
            sent = _sent()
            self.board.study(study_id)  # KeyError or StudyError for one that is not there
            if wrong := refusal_of(act, study_id, sent):
                return self.study(study_id, Said(form=kind, wrong=wrong, sent=sent))
            return _see_other(f"/board/{study_id}?done={sent['command'] if kind == 'command' else kind}")

        return answer

    def try_recipe(self, study_id: int) -> HTTPResponse:
        """Answer the form for a recipe."""
        sent = _sent()
        try:
            wrong = refusal_of(self.controls.try_recipe, study_id, sent)
        except Refused as refused:
            return self._form(study_id, sent.get("from", ""), sent, refused.wrong)
        if wrong:
            return self._form(study_id, sent.get("from", ""), sent, {"": wrong})
        return _see_other(f"/board/{study_id}?done=try")

    def _form(self, study_id: int, start: str, sent: Sent | None, wrong: dict[str, str] | None = None) -> HTTPResponse:
        study, reader = self.board.study(study_id), self._reader()
        trial = trial_of(self.board.trials(study_id), start)
        try:
            values = sent if sent is not None else start_values(study, start, trial)
        except (SpaceError, StudyError, UsageError) as error:
            values, wrong = {}, {"": str(error)}
        here = StudyRef(id=study_id, name=study.config.study)
        return other_page(
            "try.html",
            f"a recipe for {here.name}",
            reader,
            status=400 if wrong else 200,
            shown=here,
            url="",
            start=start,
            trial=None if trial is None else trial.number,
            presets=preset_names(),
            groups=groups(study, values, wrong),
            wrong=(wrong or {}).get("", ""),
            several=len(wrong or {}),
        )

    def _best(self, study_id: int) -> str:
        """What a form begins with where nobody says: the best trial, or else the baseline."""
        best = self.board.digest(study_id, self.board.study(study_id), self.board.trials(study_id)).best
        return str(best[0].number) if best else NAMES[0]

    def _reader(self) -> Reader:
        return Reader(writes=request.environ.get(ROLE) is Role.WRITER, studies=self.board.studies())


def add_board(app: Any, view: ViewStorage, exclusive: Exclusive) -> None:
    """Add our routes to the application."""
    pages = Pages(view, exclusive)
    app.get("/board", callback=pages.first)
    app.get("/board/<study_id:int>", callback=pages.study)
    app.get("/board/<study_id:int>/curves", callback=pages.curves)
    app.get("/board/<study_id:int>/axes", callback=pages.importance)
    app.get("/board/<study_id:int>/try", callback=pages.form)
    app.post("/board/<study_id:int>/try", callback=pages.try_recipe)
    for kind in ("command", "trials", "note"):
        app.post(f"/board/<study_id:int>/{kind}", callback=pages.send(kind))
    app.get("/board/<name:re:[A-Za-z.]+\\.(?:css|js)>", callback=own_file)


def _sent() -> dict[str, str]:
    """The fields of the form, each once."""
    return {name: str(request.forms.getunicode(name, "")) for name in request.forms}


def _see_other(place: str) -> HTTPResponse:
    return HTTPResponse(status=303, headers={"Location": place, "Cache-Control": "no-store"})
