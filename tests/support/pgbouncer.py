"""A real pgbouncer in front of a PostgreSQL server: sessions are shared, each transaction may meet another one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from .waiting import wait_for

SETTINGS = """
[databases]
* = host={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {sessions}
server_round_robin = 1
"""


@contextmanager
def pgbouncer(url: str, folder: Path, *, mode: str = "transaction", sessions: int = 3) -> Iterator[str]:
    """The URL by which the database is reached through the pooler. url: by a socket's folder. sessions: that it has."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("needs pgbouncer")
    parsed = make_url(url)
    server, port = str(parsed.query["host"]), _free_port()
    file = folder / "pgbouncer.ini"
    text = SETTINGS.format(server=server, port=port, mode=mode, sessions=sessions).replace("host=", _as_user(parsed), 1)
    file.write_text(text)
    for above in (file, *list(file.parents)[:3]):
        above.chmod(above.stat().st_mode | 0o555)
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program, *_servers_owner(server), str(file)], stdout=log, stderr=log)
    try:
        wait_for(lambda: _listens(port), what=(folder / "pgbouncer.log").read_text)
        name = parsed.database or ""
        yield f"postgresql+psycopg://{parsed.username or 'postgres'}@127.0.0.1:{port}/{name}"
    finally:
        process.kill()
        process.wait()


def _as_user(parsed: object) -> str:
    return f"user={getattr(parsed, 'username', None) or 'postgres'} host="


def _servers_owner(server: str) -> list[str]:
    """It does not run as root, and only the server's owner may enter the folder of its socket."""
    return ["-u", pwd.getpwuid(Path(server).stat().st_uid).pw_name] if os.getuid() == 0 else []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
