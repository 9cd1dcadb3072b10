"""The dashboard in a real browser: the study, its curves, and a trial's pictures."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no browser: .ci/run installs chromium")
        pytest.skip("no chromium on this machine")
    return found


@pytest.fixture
def address(marsearch: Run, data: Path, space: Path, tmp_path: Path) -> Iterator[str]:
    options = ("--data", data, "--space", space, "--trials", "3", "--epochs", "3", "--pruner", "none")
    ran = marsearch("run", "mars", *options)
    assert ran.returncode == 0, ran.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "search.cli", "dashboard", "--port", str(port)],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    first = server.stderr.readline()  # comes once it listens
    assert f"http://127.0.0.1:{port}" in first
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_a_person_watches_a_study(address: str, tmp_path: Path) -> None:
    executable = browser()
    from playwright.sync_api import sync_playwright

    asked: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.get_by_text("1. mars").first.click()
        page.get_by_text("Intermediate values").first.wait_for()
        page.locator(".js-plotly-plot .scatterlayer .trace").first.wait_for(state="attached")
        page.screenshot(path=tmp_path / "study.png", full_page=True)

        page.goto(f"{address}/dashboard/studies/1/trials?numbers=0")
        page.get_by_text("00_panel.png").first.wait_for()
        page.wait_for_function(
            "() => [...document.querySelectorAll('img[src*=artifacts]')].filter(i => i.naturalWidth > 300).length >= 3"
        )
        page.screenshot(path=tmp_path / "trial.png", full_page=True)
        text = page.inner_text("body")
        chromium.close()
    for name in ("10_curves.png", "20_confusion.png", "30_iou.csv", "40_recipe.yaml", "iou_soil", "miou_strict"):
        assert name in text, name
    assert {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))} == {address.split("/")[2]}
    keep = os.environ.get("MARSEARCH_TEST_PICTURES")
    if keep:
        for name in ("study.png", "trial.png"):
            shutil.copy(tmp_path / name, keep)


def test_a_health_check_without_headers_is_answered(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /api/studies HTTP/1.0\r\n\r\n")
        assert b" 200 " in connection.makefile("rb").readline()
    with urllib.request.urlopen(f"{address}/dashboard", timeout=20) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
