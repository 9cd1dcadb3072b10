"""Guesses of a password get slower and slower, for whoever guesses and for nobody else."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from search.dashboard.access import Access, Role
from search.dashboard.application import build_application
from search.dashboard.login import Credentials, Login, TooManyGuesses
from search.dashboard.throttle import FREE, FREE_OF_ALL, LONGEST_S, MOST_CLIENTS, Throttle, client_of
from storage.store import Store

from .conftest import PASSWORD, VIEWER, Client


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def login(clock: Clock) -> Login:
    return Login(Access(password=PASSWORD, viewer=VIEWER), Throttle(clock))


def sent(password: str, address: str = "192.0.2.1", cookie: str = "") -> Credentials:
    coded = base64.b64encode(f"me:{password}".encode()).decode()
    return Credentials(address=address, authorization=f"Basic {coded}", cookie=cookie)


def looked_at(login: Login, password: str, address: str = "192.0.2.1", cookie: str = "") -> bool:
    try:
        login.role(sent(password, address, cookie))
    except TooManyGuesses:
        return False
    return True


def test_a_client_that_guesses_gets_few_guesses(login: Login, clock: Clock) -> None:
    """A thousand passwords a second for an hour."""
    tried = 0
    for second in range(3600):
        clock.now += 1
        tried += sum(looked_at(login, f"guess {second} {n}") for n in range(10))
    assert tried <= FREE + 10 + 3600 / LONGEST_S
    assert not looked_at(login, PASSWORD)
    assert looked_at(login, PASSWORD, "192.0.2.2")
    clock.now += LONGEST_S + 1
    assert login.role(sent(PASSWORD)) is Role.WRITER


def test_guesses_from_everywhere_are_slow_together(login: Login, clock: Clock) -> None:
    tried = 0
    for second in range(60):
        clock.now += 1
        addresses = [f"10.{second}.{n // 250}.{n % 250}" for n in range(1000)]
        tried += sum(looked_at(login, f"guess {address}", address) for address in addresses)
    assert tried <= FREE_OF_ALL + 61


def test_a_browser_that_has_logged_in_does_not_wait_for_strangers(login: Login, clock: Clock) -> None:
    """Not even at the same address, as everybody has behind a proxy."""
    cookies = {role: login.new_cookie(role, sent("")).split(";")[0] for role in (Role.WRITER, Role.VIEWER)}
    for n in range(1000):
        looked_at(login, f"guess {n}")
        looked_at(login, f"guess {n}", f"10.0.{n // 250}.{n % 250}")
    assert not looked_at(login, PASSWORD)
    assert login.role(sent(PASSWORD, cookie=cookies[Role.WRITER])) is Role.WRITER
    assert login.role(sent(VIEWER, cookie=f"a=b; {cookies[Role.VIEWER]}")) is Role.VIEWER


def test_who_may_look_gets_no_more_guesses_at_the_other_password(login: Login) -> None:
    tried = 0
    for n in range(200):
        cookie = login.new_cookie(login.role(sent(VIEWER, "192.0.2.9")), sent("", "192.0.2.9")) if n < 5 else ""
        cookie = cookie or login.new_cookie(Role.VIEWER, sent("", "192.0.2.9"))
        tried += looked_at(login, f"guess {n}", "192.0.2.9", cookie.split(";")[0])
    assert tried <= FREE + 2


@pytest.mark.parametrize("cookie", ["marsearch_client=", "marsearch_client=x", "marsearch_client=\u00fc", "=", ";;"])
def test_a_made_up_cookie_helps_nobody(login: Login, cookie: str) -> None:
    assert sum(looked_at(login, f"guess {n}", cookie=cookie) for n in range(100)) <= FREE + 2
    assert login.role(Credentials(address="192.0.2.1", cookie=login.new_cookie(Role.WRITER, sent("")))) is Role.NOBODY


def test_a_browser_that_repeats_its_old_password_is_no_guesser(login: Login) -> None:
    assert all(looked_at(login, "the password of last week") for _ in range(1000))
    assert login.role(sent(PASSWORD)) is Role.WRITER


def test_what_is_remembered_is_bounded(clock: Clock) -> None:
    throttle = Throttle(clock)
    for n in range(MOST_CLIENTS + 500):
        throttle.wrong(f"client {n}", "wrong", stranger=True)
    assert len(throttle) <= MOST_CLIENTS


def test_a_network_of_ipv6_is_one_client() -> None:
    assert client_of("2001:db8::1") == client_of("2001:db8::ffff:2") != client_of("2001:db8:0:1::1")
    assert client_of("192.0.2.1") != client_of("192.0.2.2")
    assert client_of("") == client_of("") != client_of("192.0.2.2")


def test_the_answer_says_when_to_try_again(store: Store, tmp_path: Path, login: Login) -> None:
    client = Client(build_application(store, tmp_path, login))
    answers = [client("GET", "/board", f"guess {n}") for n in range(FREE + 3)]
    assert [answer.status for answer in answers[: FREE + 1]] == [401] * (FREE + 1)
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert "too many wrong passwords" in answers[-1].json()["reason"]
    assert client("GET", "/healthz").status == 200
    assert client("GET", "/board").status == 401


def test_a_login_makes_the_browser_known_once(client: Client) -> None:
    answer = client("GET", "/api/studies", PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    again = client("GET", "/api/studies", PASSWORD, cookie=cookie.split(";")[0])
    assert "set-cookie" not in again.headers
    assert client("GET", "/api/studies", cookie=cookie.split(";")[0]).status == 401
    assert "set-cookie" not in client("GET", "/api/studies", "wrong").headers
