"""The whole service in the browser, put together: gate, headers, our own answers, optuna-dashboard behind them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qs

from search.dashboard.access import Access, Role
from search.dashboard.authentication import ROLE, WRITING, Gate
from search.dashboard.board.page import board_page, no_study_page
from search.dashboard.board.snapshot import Board
from search.dashboard.files import Artifacts, dashboard_page, own_file
from search.dashboard.headers import SafeHeaders
from search.dashboard.poll.detail import Details
from search.dashboard.response import Application, Environ, Response, StartResponse, refusal
from search.dashboard.view import ViewStorage
from search.errors import SearchError
from storage.errors import DatabaseError, StorageError, StudyError
from storage.store import Store

MOST_AFTER = 10**9  # a number of a trial in a question

_logger = logging.getLogger(__name__)
_Answer = Callable[[Environ, re.Match[str]], Response | None]


def build_application(store: Store, home: Path, access: Access, bound: str = "127.0.0.1") -> Application:
    """The dashboard as a WSGI application.

    home: where this machine keeps checkpoints. bound: the address that the server listens on.
    """
    from optuna_dashboard import wsgi

    view = ViewStorage(store, home)
    inside = Desk(view, wsgi(view, artifact_store=Artifacts(store.artifacts)))
    return SafeHeaders(Gate(inside, access, bound))


class Desk:
    """Answers what is ours and passes everything else on to optuna-dashboard."""

    def __init__(self, view: ViewStorage, dashboard: Application) -> None:
        self._view = view
        self._dashboard = dashboard
        self._details = Details(view)
        self._board = Board(view)
        self._ours: Mapping[tuple[str, str], _Answer] = {
            ("GET", r"/api/studies/(?P<study>[0-9]{1,18})/*"): self._detail,
            ("DELETE", r"/api/studies/(?P<study>[^/]+)/*"): self._delete,
            ("POST", r"/api/studies/(?P<study>[^/]+)/+rename/*"): self._keep_name,
            ("GET", r"/dashboard(/.*)?"): lambda environ, found: dashboard_page(),
            ("GET", r"/board/(?P<study>[0-9]{1,18})/?"): self._page,
            ("GET", r"/board/?"): self._first_page,
            ("GET", r"/board/(?P<file>[a-z]+\.(?:css|js))"): lambda environ, found: own_file(found["file"]),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        # Without the header optuna-dashboard 0.21 answers 500, to health checks for instance.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")
        try:
            answer = self._answer(environ) or self._dashboard
            return answer(environ, start_response)
        except (StorageError, SearchError) as error:
            _logger.warning("%s %s: %s", environ["REQUEST_METHOD"], environ.get("PATH_INFO"), error)
            return refusal(503 if isinstance(error, DatabaseError) else 409, str(error))(environ, start_response)
        finally:
            if environ["REQUEST_METHOD"] in WRITING:
                self._view.look_again()

    def _answer(self, environ: Environ) -> Response | None:
        method = "GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"]
        for (of, pattern), answer in self._ours.items():
            found = re.fullmatch(pattern, environ.get("PATH_INFO", "")) if of == method else None
            if found is not None:
                return answer(environ, found)
        return None

    def _detail(self, environ: Environ, found: re.Match[str]) -> Response | None:
        text = parse_qs(environ.get("QUERY_STRING", "")).get("after", ["0"])[0]
        if re.fullmatch(r"[0-9]{1,9}", text) is None:
            return refusal(400, "`after` should be a number, 0 or larger")
        answer = self._details.answer(int(found["study"]), min(int(text), MOST_AFTER))
        return None if answer is None else Response(kind="application/json", body=answer.body, tag=answer.tag)

    def _delete(self, environ: Environ, found: re.Match[str]) -> Response | None:
        """A study of ours with all its files; of another one optuna-dashboard knows the files."""
        try:
            number = int(found["study"])
            if self._view.our_name(number) is None:
                return None
            self._view.delete_study(number)
        except (KeyError, ValueError):
            return refusal(404, "there is no such study")
        return Response(status=204, kind="application/json")

    def _keep_name(self, environ: Environ, found: re.Match[str]) -> Response | None:
        """optuna-dashboard renames by making a copy and deleting the study: its plan, runs and weights would go."""
        try:
            ours = self._view.our_name(int(found["study"]))
        except (KeyError, ValueError):
            return refusal(404, "there is no such study")
        return None if ours is None else refusal(409, f"{ours} is a study of marsearch, which keeps its name")

    def _page(self, environ: Environ, found: re.Match[str]) -> Response:
        top = parse_qs(environ.get("QUERY_STRING", "")).get("top", [""])[0]
        try:
            seen = self._board.look(int(found["study"]), int(top) if re.fullmatch(r"[0-9]{1,2}", top) else None)
        except (KeyError, StudyError):
            return no_study_page(self._board.studies(), status=404)
        return board_page(seen, self._board.studies(), writes=environ[ROLE] is Role.WRITER)

    def _first_page(self, environ: Environ, found: re.Match[str]) -> Response:
        studies = self._board.studies()
        if not studies:
            return no_study_page(studies)
        return Response(status=302, headers=(("Location", f"/board/{studies[-1].id}"),))
