"""Every request comes through here: the right host, a login, and no writing on behalf of another site."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from search.dashboard.access import HOSTS, PASSWORD, Access, Role
from search.dashboard.response import Application, Environ, Response, StartResponse, refusal

HEALTH = "/healthz"
ROLE = "marsearch.role"  # what a request may do, in its WSGI environment
READING = ("GET", "HEAD")
WRITING = ("POST", "PUT", "DELETE")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gate:
    """Lets through what may pass. bound: the address that the server listens on."""

    inside: Application
    access: Access
    bound: str

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        if environ.get("PATH_INFO") == HEALTH:
            return Response(kind="text/plain", body=b"ok\n")(environ, start_response)
        refused = self._refused(environ)
        return (refused or self.inside)(environ, start_response)

    def _refused(self, environ: Environ) -> Response | None:
        method, host = environ["REQUEST_METHOD"], environ.get("HTTP_HOST", self.bound)
        if not self.access.knows(host, self.bound):
            name = host[:100]
            return refusal(421, f"this dashboard does not go by the name {name!r}: add it to {HOSTS} if it should")
        if method not in READING + WRITING:
            return refusal(405, "GET, HEAD, POST, PUT and DELETE are understood", headers=(("Allow", "GET, HEAD"),))
        role = self.access.role(environ.get("HTTP_AUTHORIZATION", ""))
        environ[ROLE] = role
        if role is Role.NOBODY:
            return _login(environ)
        if method in WRITING:
            return self._refused_to_write(environ, role)
        return None

    def _refused_to_write(self, environ: Environ, role: Role) -> Response | None:
        if role is not Role.WRITER:
            how = (
                "log in with the other password" if self.access.password else f"start it with {PASSWORD} to change that"
            )
            return refusal(403, f"this dashboard is read-only for you: {how}")
        if not _from_here(environ):
            return refusal(403, "another site must not write here")
        return None


def _login(environ: Environ) -> Response:
    if environ.get("HTTP_AUTHORIZATION"):
        _logger.warning("a login from %s was refused", environ.get("REMOTE_ADDR", "nobody knows where"))
    realm = ("WWW-Authenticate", 'Basic realm="marsearch", charset="UTF-8"')
    return refusal(401, "a password is needed", headers=(realm, ("Cache-Control", "no-store")))


def _from_here(environ: Environ) -> bool:
    """Whether a page of ours sends this, or no page at all: browsers say where a request that writes comes from."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return bool(site == "same-origin")
    if origin is None:
        return True
    host: str = environ.get("HTTP_HOST", "")
    return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
