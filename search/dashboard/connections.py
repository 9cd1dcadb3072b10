"""Limits on connections: deadlines for header and body, eviction of idle ones, no body without permission.

waitress reads a request whole before it asks the application, and closes a connection only when nothing comes at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

MaySend = Callable[[Mapping[str, str], str], bool]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a connection may take.

    header_s, body_s: time until a request's header and body are complete, counted from when the connection became idle.
    most: number of connections; one more evicts the connection that has been idle for longest.
    """

    header_s: float = 15.0
    body_s: float = 120.0
    most: int = 500


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """A parser that checks after the header whether the sender may send a body; otherwise the body is not read.

    The application then answers at once, as it would with the body, and the connection is closed.
    """

    completed: bool

    def __init__(self, adj: Any, may_send: Callable[[Mapping[str, str]], bool]) -> None:
        super().__init__(adj)
        self._may_send = may_send
        self._admitted = False

    def received(self, data: bytes) -> int:
        """Take in data; how many bytes of it belong to this request."""
        taken: int = super().received(data)
        if self._admitted or not self.headers_finished or self.completed:
            return taken
        self._admitted = self._may_send(self.headers)
        if self._admitted:
            return taken
        self.body_rcv, self.chunked, self.expect_continue, self.completed = None, False, False, True
        self.headers |= {"CONTENT_LENGTH": "0", "CONNECTION": "close"}
        return len(data)  # what follows is the body, and no request of its own


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection with limits. may_send: whether a sender may send a body, by headers and address."""

    def __init__(
        self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None, *, limits: Limits, may_send: MaySend
    ) -> None:
        self.limits = limits
        self.free_since = time.monotonic()
        super().__init__(server, sock, addr, adj, map=map)
        self.parser_class = partial(Parser, may_send=lambda headers: may_send(headers, str(addr[0])))
        self._make_room()

    @property
    def idle(self) -> bool:
        """Whether the server waits for the client: no request is in work and no output is pending."""
        return not (self.requests or self.total_outbufs_len or self.will_close)

    def readable(self) -> bool:
        """Asked by waitress in every round, at least once a second: the place to close what has taken too long."""
        now = time.monotonic()
        if not self.idle:
            self.free_since = now
        elif now - self.free_since > self._patience_s():
            self.will_close = True
        return bool(super().readable())

    def _patience_s(self) -> float:
        in_body = self.request is not None and self.request.headers_finished
        return self.limits.body_s if in_body else self.limits.header_s

    def _make_room(self) -> None:
        others = [channel for channel in self.server.active_channels.values() if channel is not self]
        if len(others) >= self.limits.most:
            idle = [channel for channel in others if channel.idle]
            if idle:
                min(idle, key=lambda channel: channel.free_since).will_close = True


def guard(server: Any, limits: Limits, may_send: MaySend) -> None:
    """Let the connections of a server of waitress, which may listen on several addresses, have limits."""
    listeners = [server] if hasattr(server, "channel_class") else [*server.map.values()]
    for listener in listeners:
        if hasattr(listener, "channel_class"):
            listener.channel_class = partial(Channel, limits=limits, may_send=may_send)
