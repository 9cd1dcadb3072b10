"""An answer of ours to a browser: compressed where the browser takes that, not sent again if the browser has it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

SMALL = 1024  # bytes that are not worth compressing
LARGE = 1 << 20  # bytes from which on the quickest compression is good enough
REASONS = {
    200: "OK",
    204: "No Content",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    421: "Misdirected Request",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, kw_only=True)
class Response:
    """What is sent. tag: the same for the same body, "" for an answer that is always sent whole."""

    status: int = 200
    kind: str = "text/html; charset=utf-8"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    tag: str = field(default="")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer as a WSGI application does."""
        headers = [*self.headers]
        if self.tag:
            headers += [("ETag", f'W/"{self.tag}"'), ("Cache-Control", "private, no-cache")]
            if has(environ, self.tag):
                start_response(line(304), [*headers, ("Vary", "Accept-Encoding")])
                return []
        body, headers = self.body, [*headers, ("Content-Type", self.kind)]
        if len(body) >= SMALL:
            headers.append(("Vary", "Accept-Encoding"))
            if takes_gzip(environ):
                body = gzip(body)
                headers.append(("Content-Encoding", "gzip"))
        start_response(line(self.status), [*headers, ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def as_json(document: Any, status: int = 200, **more: Any) -> Response:
    """The document as an answer in JSON."""
    return Response(status=status, kind="application/json", body=json.dumps(document).encode(), **more)


def refusal(status: int, reason: str, **more: Any) -> Response:
    """Why something is not done, in the form that the pages of optuna-dashboard show to a person."""
    return as_json({"reason": reason}, status, **more)


def line(status: int) -> str:
    """The status as WSGI wants it."""
    return f"{status} {REASONS[status]}"


def takes_gzip(environ: Environ) -> bool:
    """Whether the browser says that it understands gzip."""
    for offer in environ.get("HTTP_ACCEPT_ENCODING", "").split(","):
        name, _, weight = offer.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def tag_of(body: bytes) -> str:
    """A short text that is the same for the same body only."""
    return blake2b(body, digest_size=12).hexdigest()


def has(environ: Environ, tag: str) -> bool:
    """Whether the browser has the body of that tag."""
    return f'"{tag}"' in environ.get("HTTP_IF_NONE_MATCH", "")


def gzip(body: bytes) -> bytes:
    """The body compressed; a large one quickly rather than well."""
    packer = zlib.compressobj(1 if len(body) >= LARGE else 6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()
