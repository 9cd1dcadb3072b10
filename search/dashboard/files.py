"""Files that are sent as they are: our own style and scripts, the dashboard's page, artifacts."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import BinaryIO

from bottle import HTTPError, HTTPResponse

from search.dashboard.response import HTML, document, refusal
from storage.artifacts.artifact_store import ArtifactStore, not_found

KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-src 'self'; object-src 'none'; connect-src 'self';"
    " style-src 'self' data: 'unsafe-inline'; script-src 'self' 'unsafe-eval'"  # for its parallel coordinates
)


class Artifacts:
    """The artifact store for optuna-dashboard: a missing file is no error of the server, removing it none at all.

    Made to be given to its `wsgi`; follows Optuna's artifact protocol.
    """

    def __init__(self, inside: ArtifactStore) -> None:
        self._inside = inside

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The file's bytes. Raises an answer 404 when it is missing."""
        try:
            return self._inside.open_reader(artifact_id)
        except not_found() as error:
            raise HTTPError(404, "this file is not there any more") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the bytes under the id."""
        self._inside.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Forget the file, also one that is missing already."""
        try:
            self._inside.remove(artifact_id)
        except not_found():
            return


def own_file(name: str) -> HTTPResponse:
    """One of the style and scripts of our page; 404 for another name."""
    body = _static(name)
    return refusal(404, "there is no such file") if body is None else document(body, KINDS[name.rpartition(".")[2]])


def dashboard_page() -> HTTPResponse:
    """The one page of optuna-dashboard as it is, under the policy that optuna-dashboard gives it."""
    return document(_dashboard(), HTML, {"Content-Security-Policy": POLICY})


@cache
def _static(name: str) -> bytes | None:
    file = resources.files(__package__).joinpath("board", "static", name)
    return file.read_bytes() if file.is_file() else None


@cache
def _dashboard() -> bytes:
    return resources.files("optuna_dashboard").joinpath("index.html").read_bytes()
