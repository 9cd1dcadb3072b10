"""The whole service in the browser: login and safe headers around the routes of optuna-dashboard and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bottle import Bottle, HTTPError, HTTPResponse, request

from search.dashboard.authentication import Authentication
from search.dashboard.board.routes import add_board
from search.dashboard.exclusive import Exclusive
from search.dashboard.files import Artifacts
from search.dashboard.headers import SafeHeaders
from search.dashboard.login import Login
from search.dashboard.overrides import Overrides
from search.dashboard.plots import Plots
from search.dashboard.response import Application, refusal
from search.dashboard.view import ViewStorage
from storage.store import Store


def build_application(store: Store, home: Path, login: Login, bound: str = "127.0.0.1") -> Application:
    """The dashboard as a WSGI application.

    home: where this machine keeps checkpoints. bound: the address that the server listens on.
    """
    view = ViewStorage(store, home)
    return SafeHeaders(Authentication(build_routes(view), login, bound))


def build_routes(view: ViewStorage) -> Bottle:
    """optuna-dashboard's routes and ours in one Bottle application, without a login."""
    from optuna_dashboard import wsgi

    app: Any = wsgi(view, artifact_store=Artifacts(view.store.artifacts))
    exclusive = Exclusive()
    app.install(Overrides(view, Plots(view, exclusive)))
    app.add_hook("before_request", _complete_headers)
    app.default_error_handler = _explain
    add_board(app, view, exclusive)
    return app


def _complete_headers() -> None:
    """Without this header optuna-dashboard 0.21 answers 500, to health checks for instance."""
    request.environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")


def _explain(error: HTTPError) -> HTTPResponse:
    """An error of Bottle's own, such as an unknown path, in the form of ours."""
    return refusal(error.status_code, str(error.body))
