"""WSGI middleware that checks the host name, the login, and the origin of writing requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bottle import HTTPResponse

from search.dashboard.access import HOSTS, PASSWORD, Role
from search.dashboard.login import Credentials, Login, TooManyGuesses
from search.dashboard.response import Application, Environ, StartResponse, refusal, send

HEALTH = "/healthz"
ROLE = "marsearch.role"  # what a request may do, in its WSGI environment
READING = ("GET", "HEAD")
WRITING = ("POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Authentication:
    """Passes on permitted requests. bound: the address that the server listens on."""

    inside: Application
    login: Login
    bound: str

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        if environ.get("PATH_INFO") == HEALTH:
            return send(HTTPResponse(b"ok\n", 200, {"Content-Type": "text/plain"}), environ, start_response)
        refused = self._foreign(environ)
        if refused is not None:
            return send(refused, environ, start_response)
        sent = _credentials(environ)
        try:
            role = self.login.role(sent)
        except TooManyGuesses as error:
            later = {"Retry-After": str(error.retry_after_s), "Cache-Control": "no-store"}
            return send(refusal(429, str(error), later), environ, start_response)
        environ[ROLE] = role
        refused = self._refused(environ, role)
        if refused is not None:
            return send(refused, environ, start_response)
        return self.inside(environ, _with_cookie(start_response, self.login.new_cookie(role, sent)))

    def _foreign(self, environ: Environ) -> HTTPResponse | None:
        method, host = environ["REQUEST_METHOD"], environ.get("HTTP_HOST", self.bound)
        if not self.login.access.knows(host, self.bound):
            name = host[:100]
            return refusal(421, f"this dashboard does not go by the name {name!r}: add it to {HOSTS} if it should")
        if method not in READING + WRITING:
            return refusal(405, "GET, HEAD, POST, PUT and DELETE are understood", {"Allow": "GET, HEAD"})
        return None

    def _refused(self, environ: Environ, role: Role) -> HTTPResponse | None:
        if role is Role.NOBODY:
            realm = 'Basic realm="marsearch", charset="UTF-8"'
            return refusal(401, "a password is needed", {"WWW-Authenticate": realm, "Cache-Control": "no-store"})
        return self._refused_to_write(environ, role) if environ["REQUEST_METHOD"] in WRITING else None

    def _refused_to_write(self, environ: Environ, role: Role) -> HTTPResponse | None:
        if role is not Role.WRITER:
            how = (
                "log in with the other password"
                if self.login.access.password
                else f"start it with {PASSWORD} to change that"
            )
            return refusal(403, f"this dashboard is read-only for you: {how}")
        if not _from_here(environ):
            return refusal(403, "another site must not write here")
        return None


def _credentials(environ: Environ) -> Credentials:
    return Credentials(
        address=environ.get("REMOTE_ADDR", ""),
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        cookie=environ.get("HTTP_COOKIE", ""),
    )


def _with_cookie(start_response: StartResponse, cookie: str) -> StartResponse:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("Set-Cookie", cookie)], *rest)

    return start if cookie else start_response


def _from_here(environ: Environ) -> bool:
    """Whether a page of ours sends this, or no page at all: browsers say where a request that writes comes from."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return bool(site == "same-origin")
    if origin is None:
        return True
    host: str = environ.get("HTTP_HOST", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
