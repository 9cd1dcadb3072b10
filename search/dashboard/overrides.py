"""Routes of optuna-dashboard that marsearch answers itself or guards.

A Bottle plugin wraps the route that Bottle has matched, so no spelling of a path bypasses it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from bottle import HTTPResponse, Route, request, response
from optuna.exceptions import StorageInternalError

from search.dashboard.authentication import WRITING
from search.dashboard.exclusive import Busy
from search.dashboard.files import dashboard_page
from search.dashboard.plots import Plots, TooLarge
from search.dashboard.poll.detail import Details
from search.dashboard.response import JSON, document, refusal
from search.dashboard.view import ViewStorage
from search.errors import SearchError, UsageError
from search.outcome.spreadsheet import safe_csv
from storage.database.retry import reason
from storage.errors import DatabaseError, StorageError
from storage.studies.studies import check_name

MOST_AFTER = 10**9  # a number of a trial in a question
LARGEST_ID = 2**31 - 1  # of Optuna's tables

_STUDY = "/api/studies/<study_id:int>"
_View = Callable[..., Any]
_logger = logging.getLogger(__name__)


class Overrides:
    """The plugin. view: the studies as they are shown; plots: answers that take long."""

    name = "marsearch"
    api = 2

    def __init__(self, view: ViewStorage, plots: Plots) -> None:
        self._view = view
        self._plots = plots
        self._details = Details(view)
        self._app: Any = None
        self._generations: dict[int, int] = {}
        self._ours: dict[tuple[str, str], Callable[[_View], _View]] = {
            ("GET", "/"): lambda _: _to_board,
            ("GET", "/dashboard<:re:(/.*)?>"): lambda _: dashboard_page,
            ("GET", _STUDY): self._detail,
            ("DELETE", _STUDY): self._delete,
            ("POST", "/api/studies"): self._create,
            ("POST", f"{_STUDY}/rename"): self._rename,
            ("GET", f"{_STUDY}/plot/<plot_type>"): lambda _: self._plot,
            ("GET", f"{_STUDY}/param_importances"): lambda _: self._importances,
            ("GET", "/csv/<study_id:int>"): self._csv,
        }

    def setup(self, app: Any) -> None:
        """Check that every overridden route exists: another version of optuna-dashboard may have moved it."""
        missing = set(self._ours) - {(route.method, route.rule) for route in app.routes}
        if missing:
            raise RuntimeError(f"this version of optuna-dashboard has no {missing}")
        self._app = app

    def apply(self, callback: _View, route: Route) -> _View:
        """The callback for this route."""
        of_json = getattr(callback, "__wrapped__", None)  # without optuna-dashboard's own handling of errors
        view: _View = of_json or callback
        ours = self._ours.get((route.method, route.rule))
        return self._guarded(view if ours is None else ours(view), bool(of_json))

    def _guarded(self, view: _View, of_json: bool) -> _View:
        def answer(**named: Any) -> Any:
            if any(isinstance(value, int) and not 0 <= value <= LARGEST_ID for value in named.values()):
                return refusal(404, "there is nothing of that number")
            if of_json:
                response.content_type = JSON
            try:
                return view(**named)
            except Exception as error:
                return _error_response(error)
            finally:
                if request.method in WRITING:
                    self._view.expire()

        return answer

    def _detail(self, theirs: _View) -> _View:
        def detail(study_id: int) -> Any:
            after = request.query.get("after", "0")
            if re.fullmatch(r"[0-9]{1,9}", after) is None:
                return refusal(400, "`after` should be a number, 0 or larger")
            found = self._details.answer(study_id, min(int(after), MOST_AFTER))
            if found is not None:
                return document(found.body, JSON, tag=found.tag)
            self._forget_theirs(study_id)
            return theirs(study_id=study_id)

        return detail

    def _forget_theirs(self, study_id: int) -> None:
        """Clear optuna-dashboard's cache, keyed by id, when the id now belongs to another study."""
        self._view.get_all_trials(study_id, deepcopy=False)  # detects a reused id
        before, now = self._generations.get(study_id), self._view.generation(study_id)
        self._generations[study_id] = now
        if before != now:
            self._app._inmemory_cache.clear()

    def _delete(self, theirs: _View) -> _View:
        """A study of ours with all its files; of another one optuna-dashboard knows the files."""

        def delete(study_id: int) -> Any:
            if self._view.our_name(study_id) is None:
                return theirs(study_id=study_id)
            self._view.remove(study_id)
            return HTTPResponse(status=204, headers={"Content-Type": JSON})

        return delete

    def _create(self, theirs: _View) -> _View:
        def create() -> Any:
            _check_new_name()
            return theirs()

        return create

    def _rename(self, theirs: _View) -> _View:
        """optuna-dashboard renames by copying and deleting the study: its config, attempts and files would be lost."""

        def rename(study_id: int) -> Any:
            ours = self._view.our_name(study_id)
            if ours is not None:
                return refusal(409, f"{ours} is a study of marsearch, which keeps its name")
            _check_new_name()
            return theirs(study_id=study_id)

        return rename

    def _plot(self, study_id: int, plot_type: str) -> Any:
        params = tuple(name for name in request.query.get("params", "").split(",") if name)
        return document(self._plots.plot(study_id, plot_type, params), JSON)

    def _importances(self, study_id: int) -> Any:
        return document(self._plots.importances(study_id), JSON)

    def _csv(self, theirs: _View) -> _View:
        def csv(study_id: int) -> Any:
            with self._plots.turn():
                answer = theirs(study_id=study_id)
            return safe_csv(answer) if isinstance(answer, str) else answer

        return csv


def _to_board() -> HTTPResponse:
    """The board is the front page."""
    return HTTPResponse(status=302, headers={"Location": "/board"})


def _check_new_name() -> None:
    """Raise UsageError when the request asks for a name that no study may have."""
    asked = request.json
    name = asked.get("study_name") if isinstance(asked, dict) else None
    if not isinstance(name, str):
        raise UsageError("a study's name was expected as `study_name`")
    try:
        check_name(name)
    except StorageError as error:
        raise UsageError(str(error)) from error


def _error_response(error: Exception) -> HTTPResponse:
    """The error response for an exception."""
    if isinstance(error, HTTPResponse):
        return error
    if isinstance(error, Busy):
        return refusal(503, str(error), {"Retry-After": str(error.retry_after_s)})
    if isinstance(error, KeyError):
        return refusal(404, "there is no such study")
    if isinstance(error, UsageError | TooLarge):
        return refusal(400, str(error))
    if isinstance(error, StorageError | SearchError):
        _logger.warning("%s %s: %s", request.method, request.path, error)
        return refusal(503 if isinstance(error, DatabaseError) else 409, str(error))
    if isinstance(error, StorageInternalError):  # Optuna's, such as for a database that one may only read
        why = f"the database does not take this: {reason(error.__cause__ or error)}"
        _logger.warning("%s %s: %s", request.method, request.path, why)
        return refusal(503, why)
    _logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return refusal(500, "internal server error")
