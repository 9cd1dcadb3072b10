"""optuna-dashboard, served by waitress over the study's storage and artifacts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from search.errors import UsageError
from storage.store import Store

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def build_application(store: Store) -> Application:
    """The dashboard as a WSGI application.

    It is given the storage object: with a URL it would read the whole study again at every poll (measured: 26 s
    against 1.6 s at 10,000 trials).
    """
    from optuna_dashboard import wsgi

    dashboard: Application = wsgi(store.trials, artifact_store=store.artifacts)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Without the header optuna-dashboard 0.21 answers 500, to health checks for instance.
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            # An uploaded file must not be taken for a page of ours.
            return start_response(status, [*headers, ("X-Content-Type-Options", "nosniff")], *rest)

        return dashboard(environ, start)

    return application


def serve(store: Store, host: str, port: int) -> None:
    """Serve until Ctrl-C. Raises UsageError when the address cannot be used."""
    import waitress

    try:
        server = waitress.create_server(build_application(store), host=host, port=port, threads=8)
    except OSError as error:
        raise UsageError(f"{host}:{port}: cannot be listened on ({error.strerror}), choose another --port") from error
    if host not in ("127.0.0.1", "localhost", "::1"):
        print(f"whoever reaches {host}:{port} can change and delete studies: there is no login", file=sys.stderr)
    print(f"dashboard of {store.url} on http://{host}:{port}", file=sys.stderr, flush=True)
    try:
        server.run()
    finally:
        server.close()
