"""Responses for Bottle: a refusal as JSON, or a document with ETag and gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

from bottle import HTTPResponse, request

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

SMALL = 1024  # bytes that are not worth compressing
LARGE = 1 << 20  # bytes from which on the quickest compression is good enough
HTML = "text/html; charset=utf-8"
JSON = "application/json"


def refusal(status: int, reason: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """An error response with its reason, in the form that the pages of optuna-dashboard display."""
    return HTTPResponse(json.dumps({"reason": reason}), status, {"Content-Type": JSON, **(headers or {})})


def document(body: bytes, kind: str, headers: Mapping[str, str] | None = None, tag: str = "") -> HTTPResponse:
    """The response to Bottle's current request: 304 if the client has the body, compressed if it accepts gzip.

    kind: the media type. tag: for the ETag, by default a digest of the body.
    """
    tag = tag or tag_of(body)
    found = {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding", **(headers or {})}
    if f'"{tag}"' in request.get_header("If-None-Match", ""):
        return HTTPResponse(b"", 304, found)
    if len(body) >= SMALL and _takes_gzip(request.get_header("Accept-Encoding", "")):
        body = gzip.compress(body, 1 if len(body) >= LARGE else 6, mtime=0)
        found["Content-Encoding"] = "gzip"
    return HTTPResponse(body, 200, {"Content-Type": kind, "Content-Length": str(len(body)), **found})


def tag_of(body: bytes) -> str:
    """A short digest of the body, for the ETag."""
    return blake2b(body, digest_size=12).hexdigest()


def send(answer: HTTPResponse, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Send a response outside of Bottle, as a WSGI application does."""
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    start_response(answer.status_line, [*answer.headerlist, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header allows gzip."""
    for offer in accepted.split(","):
        name, _, weight = offer.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
