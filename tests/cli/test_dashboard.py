"""The dashboard in a real browser: a login, the study and its curves, a trial's pictures, our leaderboard."""

from __future__ import annotations

import os
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.commands import Command
from support.processes import Running, environment, marsearch_command, run_marsearch
from support.studies import TINY_SPACE

PASSWORD = "a long password: ü"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium on this machine")
    return found


@contextmanager
def serving(folder: Path, **variables: str) -> Iterator[str]:
    """The command `marsearch dashboard` as a process; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = marsearch_command("dashboard", "--port", port)
    with Running(command, cwd=folder, env=environment(**variables)) as server:
        server.wait_for_text(f"http://127.0.0.1:{port}")  # comes once it listens
        yield f"http://127.0.0.1:{port}"
        server.stop()


def search(folder: Path, data: Path, trials: int) -> None:
    """Let the study reach so many trials."""
    (folder / "space.yaml").write_text(TINY_SPACE)
    options = ("--trials", trials, "--epochs", "3", "--pruner", "none")
    ran = run_marsearch("run", "mars", "--data", data, "--space", "space.yaml", *options, cwd=folder)
    assert ran.returncode == 0, ran


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small, finished study."""
    folder = tmp_path_factory.mktemp("search")
    search(folder, data, 3)
    return folder


@pytest.fixture
def searched(finished: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return Path(shutil.copytree(finished, tmp_path / "search"))


class Watched:
    """A page whose requests and complaints are written down."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        page.on("request", self._asked)
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(request.url.split("/")[2])

    def shot(self, path: Path) -> None:
        self.page.screenshot(path=path, full_page=True)
        if keep := os.environ.get("MARSEARCH_TEST_PICTURES"):
            shutil.copy(path, keep)


@pytest.mark.whole
def test_a_person_logs_in_and_watches_a_study(searched: Path) -> None:
    executable = browser()
    from playwright.sync_api import Error, sync_playwright

    login = {"username": "me", "password": PASSWORD}
    with serving(searched, MARSEARCH_DASHBOARD_PASSWORD=PASSWORD) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            chromium.new_page().goto(f"{address}/board/1")
        wrong = chromium.new_context(http_credentials=login | {"password": "a long password"}).new_page()
        answer = wrong.goto(f"{address}/board/1")
        assert answer is not None
        assert (answer.status, answer.json()) == (401, {"reason": "a password is needed"})
        context = chromium.new_context(http_credentials=login, viewport={"width": 1400, "height": 1000})
        seen = Watched(context.new_page())
        _study_page(seen, address, searched)
        _trial_page(seen, address, searched)
        _leaderboard(seen, address, searched)
        _selection(seen, address)
        chromium.close()
    assert seen.hosts == {address.split("/")[2]}
    assert seen.complaints == []


def _study_page(seen: Watched, address: str, folder: Path) -> None:
    seen.page.goto(address)
    seen.page.get_by_text("1. mars").first.click()
    seen.page.get_by_text("Intermediate values").first.wait_for()
    seen.page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")
    seen.shot(folder / "study.png")


def _trial_page(seen: Watched, address: str, folder: Path) -> None:
    seen.page.goto(f"{address}/dashboard/studies/1/trials?numbers=0")
    seen.page.get_by_text("00_panel.png").first.wait_for()
    seen.page.wait_for_function(
        "() => [...document.querySelectorAll('img[src*=artifacts]')].filter(i => i.naturalWidth > 300).length >= 3"
    )
    seen.shot(folder / "trial.png")
    text = seen.page.inner_text("body")
    for name in ("10_curves.png", "20_confusion.png", "30_iou.csv", "40_recipe.yaml", "iou_soil", "miou_strict"):
        assert name in text, name


def _leaderboard(seen: Watched, address: str, folder: Path) -> None:
    """By the link of the dashboard's page; as tall as it is wide, light and dark, and there and back."""
    page = seen.page
    page.get_by_role("link", name="Leaderboard").click()
    page.get_by_role("heading", name="mars").wait_for()
    assert page.url == f"{address}/board/1"
    assert page.locator("#leaders tbody tr:has(a)").count() == 3
    assert page.locator("#pictures tbody td").count() > 0
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').filter(e => /artifacts/.test(e.name)).length >= 3"
    )
    assert page.locator("#classes svg.chart .line").count() >= 3
    assert page.locator("#workers").inner_text().count("left in order") == 1
    seen.shot(folder / "board.png")
    page.get_by_label("show errors").check()
    assert page.locator(".cell.error").first.is_visible()
    assert not page.locator(".cell.prediction").first.is_visible()
    page.emulate_media(color_scheme="dark")
    seen.shot(folder / "board-dark.png")
    page.get_by_role("link", name="Dashboard").click()
    page.get_by_text("Hyperparameter Importance").first.wait_for()


def _selection(seen: Watched, address: str) -> None:
    """Pages that draw every parameter of every trial."""
    seen.page.goto(f"{address}/dashboard/studies/1/analytics")
    seen.page.get_by_text("Hyperparameter Relationships").first.wait_for()
    seen.page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")


@pytest.mark.whole
def test_the_leaderboard_follows_the_search_without_losing_its_place(searched: Path, data: Path) -> None:
    """It is told apart from a page that was loaded again: what a person has chosen, and the nodes, stay."""
    executable = browser()
    from playwright.sync_api import sync_playwright

    with serving(searched) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = chromium.new_page()
        page.goto(f"{address}/board/1")
        page.get_by_label("show errors").check()
        page.evaluate("document.querySelector('#leaders table').dataset.mine = 'kept'; window.same = true")
        page.evaluate("window.table = document.querySelector('#leaders table')")
        search(searched, data, 4)
        page.get_by_text("4 of 4").first.wait_for()
        assert page.locator("#leaders tbody tr:has(a)").count() == 4
        assert page.get_by_label("show errors").is_checked()
        assert page.evaluate("window.same && window.table === document.querySelector('#leaders table')")
        chromium.close()


def test_a_health_check_without_headers_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        host, port = address.removeprefix("http://").split(":")
        for path in ("/healthz", "/api/studies"):
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                assert b" 200 " in connection.makefile("rb").readline()
        with urllib.request.urlopen(f"{address}/dashboard", timeout=20) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Server"] is None
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"POST /api/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
            assert b" 413 " in connection.makefile("rb").readline()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nobody_else_is_let_in_without_a_password(marsearch: Command, host: str, tmp_path: Path) -> None:
    ran = marsearch("dashboard", "--host", host)
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "MARSEARCH_DASHBOARD_PASSWORD" in ran.stderr
    assert not (tmp_path / "runs").exists()
