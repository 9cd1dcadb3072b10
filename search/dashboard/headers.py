"""Security headers on every response: no guessed types, no foreign frames, no scripts from uploaded files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from search.dashboard.response import Application, Environ, StartResponse

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
FILE = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
DASHBOARD = "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"  # beside what optuna-dashboard says itself
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "text/csv", "text/plain", "audio/", "video/")
FOREVER = "private, max-age=604800, immutable"  # a file's name is random and never used again
_NEVER = ("access-control-allow-origin", "server")


@dataclass(frozen=True)
class SafeHeaders:
    """WSGI middleware that adds the missing security headers and removes harmful ones."""

    inside: Application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        path: str = environ.get("PATH_INFO", "")

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() not in _NEVER]
            return start_response(status, complete(path, status, kept), *rest)

        return self.inside(environ, start)


def complete(path: str, status: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of a response, completed."""
    given = {name.lower(): value for name, value in headers}
    more = dict(EVERYWHERE)
    if path.startswith("/artifacts/"):
        more |= _of_file(status, given.get("content-type", ""))
    elif "content-security-policy" not in given:
        more["Content-Security-Policy"] = NOTHING
    elif path.startswith("/dashboard"):
        more["Content-Security-Policy"] = DASHBOARD  # two such headers: both hold
    more.setdefault("Cache-Control", "private, no-cache" if path.startswith("/static/") else "no-store")
    return headers + [(name, value) for name, value in more.items() if _missing(name, given)]


def _missing(name: str, given: dict[str, str]) -> bool:
    return name.lower() not in given or name == "Content-Security-Policy"


def _of_file(status: str, kind: str) -> dict[str, str]:
    """Headers of an uploaded file: pictures and plain text are displayed, others downloaded; scripts never run."""
    found = {"Content-Security-Policy": FILE}
    if status.startswith("200"):
        found["Cache-Control"] = FOREVER
        found["Content-Disposition"] = "inline" if kind.lower().startswith(SHOWN) else "attachment"
    return found
