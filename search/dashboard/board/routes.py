"""Where our page is found: `/board` for the latest study, `/board/ID`, and its style and scripts."""

from __future__ import annotations

import re
from typing import Any

from bottle import HTTPResponse, request

from search.dashboard.access import Role
from search.dashboard.authentication import ROLE
from search.dashboard.board.page import board_page, no_study_page
from search.dashboard.board.snapshot import Board
from search.dashboard.files import own_file
from search.dashboard.view import ViewStorage
from storage.errors import StudyError


def add_board(app: Any, view: ViewStorage) -> None:
    """Add our routes to the application."""
    board = Board(view)

    def first() -> HTTPResponse:
        studies = board.studies()
        if not studies:
            return no_study_page(studies)
        return HTTPResponse(status=302, headers={"Location": f"/board/{studies[-1].id}"})

    def page(study_id: int) -> HTTPResponse:
        top = request.query.get("top", "")
        try:
            seen = board.look(study_id, int(top) if re.fullmatch(r"[0-9]{1,2}", top) else None)
        except (KeyError, StudyError):
            return no_study_page(board.studies(), status=404)
        return board_page(seen, board.studies(), writes=request.environ.get(ROLE) is Role.WRITER)

    app.get("/board", callback=first)
    app.get("/board/<study_id:int>", callback=page)
    app.get("/board/<name:re:[a-z]+\\.(?:css|js)>", callback=own_file)
