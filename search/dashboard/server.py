"""The server: waitress, in threads, with bounds on what it takes."""

from __future__ import annotations

import sys
from pathlib import Path

from search.dashboard.access import Access, is_loopback
from search.dashboard.application import build_application
from search.errors import UsageError
from storage.store import Store

THREADS = 8
ANSWER_S = 5.0  # a browser is told then that the database is away
LARGEST_BODY = 16 << 20  # bytes of a request, which waitress takes in before it asks us; an upload grows by a third
NO_BODY = 64 << 10  # where nobody may write
CONNECTIONS = 200


def serve(store: Store, home: Path, access: Access, host: str, port: int) -> None:
    """Serve until Ctrl-C. Raises UsageError when the address cannot be used."""
    import waitress

    try:
        server = waitress.create_server(
            build_application(store, home, access, host),
            host=host,
            port=port,
            threads=THREADS,
            ident="",
            connection_limit=CONNECTIONS,
            max_request_body_size=LARGEST_BODY if access.password else NO_BODY,
            max_request_header_size=32 << 10,
        )
    except OSError as error:
        raise UsageError(f"{host}:{port}: cannot be listened on ({error.strerror}), choose another --port") from error
    print(f"dashboard of {store.url} on {_url(host, port)} ({_who(access)})", file=sys.stderr, flush=True)
    if access.closed and not is_loopback(host):
        print("the password travels as it is: put a TLS proxy in front, see docs/dashboard.md", file=sys.stderr)
    try:
        server.run()
    finally:
        server.close()


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _who(access: Access) -> str:
    if not access.closed:
        return "read-only, without a login"
    return "with a login" if access.password else "with a login, read-only"
