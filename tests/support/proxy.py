"""A TCP proxy before a database that can fall silent: connections stay open, and nothing passes in either direction."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url


class SilentProxy:
    """Listens on a port of the loopback for a server behind a Unix socket; new connections are always accepted."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._speaks = threading.Event()
        self._speaks.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Pass nothing on from now; what is sent meanwhile waits."""
        self._speaks.clear()

    def speak(self) -> None:
        """Pass on what has waited, and all that follows."""
        self._speaks.set()

    def close(self) -> None:
        """End all connections."""
        self.speak()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                self._speaks.wait()
                target.sendall(content)
        self._speaks.wait()  # an end is news, too
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def silent_proxy(url: str) -> Iterator[tuple[SilentProxy, str]]:
    """A proxy before the PostgreSQL server of this URL, and the URL of the same database through it."""
    parsed = make_url(url)
    folder = parsed.query["host"]
    assert isinstance(folder, str)
    proxy = SilentProxy(f"{folder}/.s.PGSQL.5432")
    through = parsed.difference_update_query(["host"]).set(host="127.0.0.1", port=proxy.port)
    try:
        yield (
            proxy,
            through.update_query_dict({"sslmode": "disable", "connect_timeout": "2"}).render_as_string(
                hide_password=False
            ),
        )
    finally:
        proxy.close()
