"""The server: waitress, in threads, with bounds on what it takes."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.dashboard.access import Access, Role, is_loopback
from search.dashboard.application import build_application
from search.dashboard.connections import Limits, guard
from search.dashboard.login import Credentials, Login, TooManyGuesses
from search.dashboard.response import Application
from search.errors import UsageError
from storage.store import Store

THREADS = 8  # three of them at most are in a long plot, see `search.dashboard.exclusive`
ANSWER_S = 5.0  # a browser is told then that the database is away
LARGEST_BODY = 16 << 20  # bytes of a request by a writer; base64 makes an upload a third larger
IDLE_S = 60  # a connection without any traffic is closed then
NEVER = 1 << 40  # bytes: a thread never blocks on a slow reader; output overflows to a temporary file


def serve(store: Store, home: Path, access: Access, host: str, port: int) -> None:
    """Serve until Ctrl-C. Raises UsageError when the address cannot be used."""
    login = Login(access)
    server = open_server(build_application(store, home, login, host), login, host, port)
    print(f"dashboard of {store.url} on {_url(host, port)} ({_who(access)})", file=sys.stderr, flush=True)
    if access.closed and not is_loopback(host):
        print("the password travels as it is: put a TLS proxy in front, see docs/dashboard.md", file=sys.stderr)
    try:
        server.run()
    finally:
        server.close()


def open_server(application: Application, login: Login, host: str, port: int, limits: Limits | None = None) -> Any:
    """A server that listens already; its `run` serves. Raises UsageError when the address cannot be used."""
    import waitress

    limits = limits or Limits(most=_most_connections())
    try:
        server = waitress.create_server(
            application,
            host=host,
            port=port,
            threads=THREADS,
            ident="",
            connection_limit=limits.most + 100,  # never reached, since the guard makes room
            channel_timeout=IDLE_S,
            cleanup_interval=5,
            max_request_body_size=LARGEST_BODY,
            max_request_header_size=32 << 10,
            outbuf_high_watermark=NEVER,
            asyncore_use_poll=True,
        )
    except OSError as error:
        raise UsageError(f"{host}:{port}: cannot be listened on ({error.strerror}), choose another --port") from error
    guard(server, limits, lambda headers, address: _may_send(login, headers, address))
    return server


def _may_send(login: Login, headers: Mapping[str, str], address: str) -> bool:
    """Whether the sender may write, and so send a body."""
    sent = Credentials(
        address=address, authorization=headers.get("AUTHORIZATION", ""), cookie=headers.get("COOKIE", "")
    )
    try:
        return login.role(sent) is Role.WRITER
    except TooManyGuesses:
        return False


def _most_connections() -> int:
    """Half of the files that the process may have open, and no more than it needs."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return Limits.most if allowed == resource.RLIM_INFINITY else min(Limits.most, allowed // 2)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _who(access: Access) -> str:
    if not access.closed:
        return "read-only, without a login"
    return "with a login" if access.password else "with a login, read-only"
