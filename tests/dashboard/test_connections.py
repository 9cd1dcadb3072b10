"""Slow and greedy connections do not keep anybody out: the real server, over sockets."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from search.dashboard import application
from search.dashboard.access import Access
from search.dashboard.application import build_application
from search.dashboard.connections import Limits
from search.dashboard.exclusive import Exclusive
from search.dashboard.login import Login
from search.dashboard.server import LARGEST_BODY, open_server
from storage.store import Store
from support.waiting import LIMIT_S, wait_for

from .conftest import PASSWORD, VIEWER

LOGIN = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
LOOKS = "Basic " + base64.b64encode(f"me:{VIEWER}".encode()).decode()

Open = Callable[[], socket.socket]


@contextmanager
def serving(store: Store, home: Path, limits: Limits) -> Iterator[Any]:
    login = Login(Access(password=PASSWORD, viewer=VIEWER))
    server = open_server(build_application(store, home, login), login, "127.0.0.1", 0, limits)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.task_dispatcher.shutdown()
        with suppress(OSError):  # it may have done so, and closed the trigger, before that is pulled to its end
            server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))  # in its own thread
        thread.join(30)


def opener(server: Any, stack: ExitStack) -> Open:
    def one() -> socket.socket:
        return stack.enter_context(socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=30))

    return one


def ask(server: Any, path: str, authorization: str) -> int:
    """The status."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.effective_port), timeout=LIMIT_S)
    with closing(connection):
        connection.request("GET", path, headers={"Authorization": authorization})
        return connection.getresponse().status


@pytest.mark.parametrize("said", [b"", b"GET /board HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"])
def test_a_person_is_served_beside_300_slow_connections(store: Store, tmp_path: Path, said: bytes) -> None:
    with serving(store, tmp_path, Limits(most=200)) as server, ExitStack() as stack:
        connect = opener(server, stack)
        for _ in range(300):
            connect().sendall(said)
        for path in ("/board/1", "/api/studies", "/healthz"):
            assert ask(server, path, LOGIN) == 200


def test_health_and_the_board_answer_while_plots_wait(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen at once, and one that is being drawn for as long as the test likes: two wait, the others are told."""
    exclusive = Exclusive(wait_s=LIMIT_S)
    monkeypatch.setattr(application, "Exclusive", lambda: exclusive)
    answers: list[int] = []
    with serving(store, tmp_path, Limits()) as server:
        plots = [f"/api/studies/1/plot/{kind}" for kind in ("contour", "rank")] * 8
        threads = [threading.Thread(target=lambda p=plot: answers.append(ask(server, p, LOOKS))) for plot in plots]
        with exclusive.turn():
            for thread in threads:
                thread.start()
            wait_for(lambda: len(answers) == 14)
            for path in ("/healthz", "/board/1", "/api/studies/1"):
                assert ask(server, path, LOGIN) == 200
            assert answers == [503] * 14
        for thread in threads:
            thread.join(LIMIT_S)
        assert answers[14:] == [200, 200]


def closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1024) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    "said",
    [b"", b"\r\n\r\n", b"GET /board HTTP/1.1\r\nX", f"POST /api/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
     f"Authorization: {LOGIN}\r\nContent-Length: 9\r\n\r\n12345".encode()],
)  # fmt: skip
def test_what_is_not_sent_in_time_is_not_waited_for(store: Store, tmp_path: Path, said: bytes) -> None:
    """Nor is the time counted anew with each byte."""
    with serving(store, tmp_path, Limits(header_s=0.2, body_s=0.3)) as server, ExitStack() as stack:
        connection = opener(server, stack)()
        connection.sendall(said)
        more = said[:1] or b"\r"

        def gone() -> bool:
            try:
                connection.sendall(more if b"Content-Length" not in said else b"")
            except OSError:
                return True
            return closed(connection)

        wait_for(gone, what="the end of the connection")
        assert ask(server, "/healthz", LOGIN) == 200


def test_a_connection_at_work_is_not_closed_for_its_age(store: Store, tmp_path: Path) -> None:
    with serving(store, tmp_path, Limits(header_s=1.5)) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.effective_port), timeout=LIMIT_S)
        began = time.monotonic()
        with closing(connection):
            while time.monotonic() - began < 2.5:
                connection.request("GET", "/board/1", headers={"Authorization": LOGIN})
                assert connection.getresponse().read()


@pytest.mark.parametrize("framing", [f"Content-Length: {LARGEST_BODY - 1}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize(("authorization", "status"), [("", 401), ("Basic d3JvbmdseQ==", 401), (LOOKS, 403)])
def test_a_body_is_not_read_from_who_may_not_write(
    store: Store, tmp_path: Path, framing: str, expect: str, authorization: str, status: int
) -> None:
    """The answer comes after the header, and what follows it is no request of its own."""
    with serving(store, tmp_path, Limits()) as server, ExitStack() as stack:
        connection = opener(server, stack)()
        login = f"Authorization: {authorization}\r\n" if authorization else ""
        head = f"POST /api/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n{login}{expect}{framing}\r\n\r\n"
        connection.sendall(head.encode() + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while data := connection.recv(65536):
            answer += data
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_large_body_without_a_login_is_not_taken_in(store: Store, tmp_path: Path) -> None:
    with serving(store, tmp_path, Limits()) as server, ExitStack() as stack:
        connection = opener(server, stack)()
        connection.sendall(
            f"POST /api/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {15 << 20}\r\n\r\n".encode()
        )
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            connection.sendall(b"x" * (15 << 20))


def test_who_may_write_sends_a_body(store: Store, tmp_path: Path) -> None:
    with serving(store, tmp_path, Limits()) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.effective_port), timeout=LIMIT_S)
        body = '{"study_name": "x", "directions": ["minimize"]}'
        headers = {"Authorization": LOGIN, "Content-Type": "application/json"}
        with closing(connection):
            connection.request("POST", "/api/studies", body=body, headers=headers)
            assert connection.getresponse().status == 201
