"""The dashboard in a real browser: the board with every view and control, a login, optuna-dashboard behind it."""

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


@contextmanager
def chromium_page(**context: Any) -> Iterator[Watched]:
    """A page of a new browser. context: as Playwright's `new_context` takes it."""
    executable = browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield Watched(chromium.new_context(**{"viewport": {"width": 1400, "height": 1000}} | context).new_page())
        chromium.close()


def serious(page: Any) -> list[str]:
    """What axe finds wrong for people who cannot see well or use no mouse, of its two worst degrees."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


def drawn(page: Any) -> None:
    """Wait until the board has drawn what its scripts draw."""
    for what in ("[data-chart=best]", "[data-chart=learning]", "#viewer"):
        page.locator(f"{what}[data-drawn]").wait_for()
    page.get_by_text("Which settings matter is told from 20").wait_for()


def cells(page: Any) -> str:
    """What the canvases of the pictures hold."""
    return str(page.evaluate("[...document.querySelectorAll('#viewer canvas')].map(c => c.toDataURL()).join()"))


@pytest.mark.whole
def test_who_has_no_password_reaches_nothing(searched: Path) -> None:
    executable = browser()
    from playwright.sync_api import Error, sync_playwright

    login = {"username": "me", "password": "a long password"}
    with serving(searched, MARSEARCH_DASHBOARD_PASSWORD=PASSWORD) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            chromium.new_page().goto(f"{address}/board/1")
        answer = chromium.new_context(http_credentials=login).new_page().goto(f"{address}/board/1")
        assert answer is not None
        assert (answer.status, answer.json()) == (401, {"reason": "a password is needed"})
        chromium.close()


@pytest.mark.whole
def test_the_board_is_the_front_page_and_every_view_of_it_works(searched: Path) -> None:
    """Without a password: everybody looks and nobody changes anything."""
    with serving(searched) as address, chromium_page(bypass_csp=False) as seen:
        page = seen.page
        page.goto(address)
        assert page.url == f"{address}/board/1"
        page.get_by_role("heading", name="mars").wait_for()
        drawn(page)
        assert page.locator("form").count() == 0
        assert page.locator("#leaders tbody tr:has(a)").count() == 3
        assert page.locator("#classes svg.chart .line").count() >= 3
        assert page.locator("#workers").inner_text().count("left in order") == 1
        seen.shot(searched / "board.png")
        _views(page)
        _pictures(page)
        _worst(page)
        page.emulate_media(color_scheme="dark")
        seen.shot(searched / "board-dark.png")
        page.set_viewport_size({"width": 420, "height": 900})
        page.wait_for_function("() => document.documentElement.scrollWidth <= 420")
        seen.shot(searched / "board-narrow.png")
        page.set_viewport_size({"width": 1400, "height": 1000})
        _optuna_dashboard(seen, address, searched)
    assert seen.hosts == {address.split("/")[2]}
    assert seen.complaints == []


def _views(page: Any) -> None:
    """What the charts and the leaderboard let people choose."""
    before = page.locator("[data-chart=learning] canvas").evaluate("c => c.toDataURL()")
    for what in ("training loss", "validation loss"):
        page.get_by_label(what).check()
        after = page.locator("[data-chart=learning] canvas").evaluate("c => c.toDataURL()")
        assert after != before
        before = after
    page.locator("#leaders summary").first.click()
    assert page.locator("#leaders details").first.get_attribute("open") is not None
    page.get_by_role("link", name="3", exact=True).first.click()
    page.wait_for_url("**/board/1?top=3")
    drawn(page)


def _pictures(page: Any) -> None:
    """Each layer, errors, strength, zoom and the epochs change what is drawn, and back again it is as before."""
    first = cells(page)
    for box in page.locator("#viewer [data-label]").all():
        box.uncheck()
    assert cells(page) != first
    for box in page.locator("#viewer [data-label]").all():
        box.check()
    assert cells(page) == first
    page.get_by_label("errors", exact=True).check()
    assert cells(page) != first
    assert page.locator(".legend.errors").is_visible()
    page.get_by_label("predictions", exact=True).check()
    page.get_by_label("strength").fill("20")
    assert cells(page) != first
    page.get_by_label("strength").fill("70")
    width = page.locator("#viewer canvas").first.bounding_box()["width"]
    page.get_by_label("zoom").fill("200")
    assert page.locator("#viewer canvas").first.bounding_box()["width"] == pytest.approx(2 * width, abs=3)
    page.get_by_label("zoom").fill("100")
    page.get_by_label("epoch").fill("0")
    assert page.locator("#viewer thead").inner_text().count("epoch 1") == 3
    assert page.locator("#moment-name").inner_text() == "an early one"
    assert cells(page) != first
    page.get_by_label("epoch").press("End")
    assert cells(page) == first


def _worst(page: Any) -> None:
    """Of each class at most twelve images, the worst first."""
    page.locator("#worst-viewer[data-drawn]").wait_for()
    seen = set()
    for choice in page.locator("[name=worst]").all():
        choice.check()
        scores = [float(text) for text in page.locator(".worst b").all_inner_texts()]
        assert 1 <= len(scores) <= 12
        assert scores == sorted(scores)
        assert page.locator(".worst canvas").count() == 3 * len(scores)
        seen.add(page.locator(".worst").inner_text())
    assert len(seen) > 1


def _optuna_dashboard(seen: Watched, address: str, folder: Path) -> None:
    """One click away, with its own pages as they are."""
    page = seen.page
    page.get_by_role("link", name="optuna-dashboard").click()
    page.get_by_text("Hyperparameter Importance").first.wait_for()
    assert page.url == f"{address}/dashboard/studies/1"
    page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")
    page.goto(f"{address}/dashboard/studies/1/trials?numbers=0")
    page.get_by_text("00_panel.png").first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('img[src*=artifacts]')].filter(i => i.naturalWidth > 300).length >= 3"
    )
    seen.shot(folder / "trial.png")
    text = page.inner_text("body")
    for name in ("10_curves.png", "20_confusion.png", "30_iou.csv", "40_recipe.yaml", "iou_soil", "miou_strict"):
        assert name in text, name
    page.goto(f"{address}/dashboard/studies/1/analytics")
    page.get_by_text("Hyperparameter Relationships").first.wait_for()
    page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")


@pytest.mark.whole
def test_with_the_password_every_control_changes_the_study(searched: Path) -> None:
    login = {"username": "me", "password": PASSWORD}
    secret = {"MARSEARCH_DASHBOARD_PASSWORD": PASSWORD}
    with serving(searched, **secret) as address, chromium_page(http_credentials=login) as seen:
        page = seen.page
        page.goto(address)
        drawn(page)
        page.get_by_label("trials in all").fill("0")
        page.get_by_role("button", name="Change").click()
        page.get_by_text("a number of trials from 1 to 1,000,000 was expected, got '0'").wait_for()
        with page.expect_request("**/board/1?top=5&now=1"):  # a refresh, which leaves it there
            pass
        page.wait_for_load_state("networkidle")
        assert page.get_by_label("trials in all").input_value() == "0"
        assert page.get_by_text("was expected, got '0'").is_visible()
        seen.complaints.clear()  # the browser says that the answer was 400
        page.get_by_label("trials in all").fill("9")
        page.get_by_role("button", name="Change").click()
        page.get_by_text("3 of 9").first.wait_for()
        for button, state in (("Pause", "paused"), ("Resume", "idle"), ("Stop", "stopped"), ("Resume", "idle")):
            page.get_by_role("button", name=button).click()
            page.locator(f".chip.{state}").wait_for()
        page.get_by_label("note").fill("looked at on Monday\nagain on Tuesday")
        page.get_by_role("button", name="Keep").click()
        page.get_by_text("The note is kept.").wait_for()
        assert page.get_by_label("note").input_value() == "looked at on Monday\nagain on Tuesday"
        _try_recipes(page)
        assert page.locator(".facts").inner_text().count("1 waiting") == 1
    assert seen.hosts == {address.split("/")[2]}
    assert [said for said in seen.complaints if "400" not in said] == []


def _try_recipes(page: Any) -> None:
    """A trial with changes: refused beside the field, then taken; the same again is refused."""
    page.get_by_role("link", name="change trial").first.click()
    rate = page.get_by_label("lr", exact=True)
    for wrong in ("fast", "5"):
        rate.fill(wrong)
        page.get_by_role("button", name="Try it").click()
        page.get_by_text(f"lr: 0.001 to 0.01 was expected, got '{wrong}'").wait_for()
        assert rate.input_value() == wrong
    rate.fill("0.0025")
    page.get_by_role("button", name="Try it").click()
    page.get_by_text("waits for the next free worker").wait_for()
    page.get_by_role("link", name="Try a recipe").click()
    page.get_by_label("begin with").fill("3")
    page.get_by_role("button", name="Fill in").click()
    page.get_by_label("begin with").fill("baseline")
    page.get_by_role("button", name="Fill in").click()
    page.get_by_role("heading", name="A recipe to try").wait_for()
    page.get_by_role("link", name="back").click()
    page.get_by_role("heading", name="Leaderboard").wait_for()


@pytest.mark.whole
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_people_out_who_see_badly_or_use_no_mouse(searched: Path, scheme: str) -> None:
    login = {"username": "me", "password": PASSWORD}
    secret = {"MARSEARCH_DASHBOARD_PASSWORD": PASSWORD}
    settings = {"http_credentials": login, "color_scheme": scheme, "bypass_csp": True}  # axe is put into the page
    with serving(searched, **secret) as address, chromium_page(**settings) as seen:
        page = seen.page
        page.goto(address)
        drawn(page)
        assert serious(page) == []
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.goto(f"{address}/board/1/try")
        assert serious(page) == []
        page.get_by_label("depth", exact=True).count()
        page.goto(f"{address}/board/99")
        assert serious(page) == []


@pytest.mark.whole
def test_a_tab_that_nobody_sees_asks_for_nothing(searched: Path) -> None:
    with serving(searched) as address, chromium_page() as seen:
        page, asked = seen.page, []
        page.clock.install()
        page.goto(f"{address}/board/1")
        drawn(page)
        page.on("request", lambda request: asked.append(request.url))
        page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })")
        page.evaluate("window.away = true")
        page.clock.run_for(60_000)
        assert asked == []
        page.evaluate("window.away = false")
        with page.expect_request("**/board/1?top=5&now=1"):
            page.clock.run_for(6_000)


@pytest.mark.whole
def test_what_did_not_come_is_asked_for_again(searched: Path) -> None:
    """The first answer to every request for curves and pictures is lost; the page itself never changes."""
    with serving(searched) as address, chromium_page() as seen:
        page, lost = seen.page, set[str]()

        def answer(route: Any) -> None:
            first = route.request.url not in lost
            lost.add(route.request.url)
            if first:
                route.abort()
            else:
                route.continue_()

        page.route("**/curves", answer)
        page.route("**/artifacts/**", answer)
        page.goto(f"{address}/board/1")
        drawn(page)
        page.locator("#worst-viewer[data-drawn]").wait_for()
        each = "new Set([...document.querySelectorAll('#viewer canvas')].map(canvas => canvas.toDataURL()))"
        page.wait_for_function(f"() => {each}.size > 4")
        assert any("/artifacts/" in url for url in lost)


@pytest.mark.whole
def test_the_board_follows_the_search_without_losing_its_place(searched: Path, data: Path) -> None:
    """It is told apart from a page that was loaded again: what a person has chosen, and the nodes, stay."""
    with serving(searched) as address, chromium_page() as seen:
        page = seen.page
        page.goto(f"{address}/board/1")
        drawn(page)
        page.get_by_label("errors", exact=True).check()
        page.locator("#leaders summary").first.click()
        page.evaluate("document.querySelector('#leaders table').dataset.mine = 'kept'; window.same = true")
        page.evaluate("window.table = document.querySelector('#leaders table')")
        search(searched, data, 4)
        page.get_by_text("4 of 4").first.wait_for()
        assert page.locator("#leaders tbody tr:has(a)").count() == 4
        page.wait_for_function("() => document.querySelectorAll('#viewer thead th').length === 6")
        assert page.get_by_label("errors", exact=True).is_checked()
        assert page.locator("#leaders details").first.get_attribute("open") is not None
        assert page.evaluate("window.same && window.table === document.querySelector('#leaders table')")


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
