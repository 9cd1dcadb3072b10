"""The pictures of the dashboard in these pages, taken of a real search in a real browser, so that they stay true.

    python docs/pictures/make.py [--home DIR]

searches on synthetic data first, which takes minutes on two cores; --home takes the studies of a MARSEARCH_HOME as they
are instead. Needs `chromium` and Playwright, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from PIL import Image

PASSWORD = secrets.token_urlsafe()  # with one a person sees the controls
HERE = Path(__file__).parent
SPACE = """
model: {family: unet, depth: [2, 3], filters: {low: 4, high: 10, log: true}, growth: {low: 1.2, high: 1.8},
        block: [plain, residual], decoder_block: same, bottleneck: plain, skip: concat, norm: [batch, none],
        dropout: {low: 0.0, high: 0.2}, dropout_place: every_block, squeeze: nowhere, upsampling: [nearest, bilinear]}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {noise: {low: 0.0, high: 0.1}, blur: 0.0, brightness: 0.0, contrast: 0.0, geometry: null, mixing: null}
optimisation: {optimizer: [sgd, adamw], batch_size: [8, 16], lr: {low: 3e-3, high: 3e-2, log: true},
               schedule: [one_cycle, cosine]}
data: {oversample: null}
"""
DRAWN = "() => document.querySelector('#axes svg') && document.querySelector('#viewer[data-drawn]')"
WIDTH, HEIGHT = 1400, 1050
PATIENCE_MS = 180_000


def search(home: Path) -> None:
    """A study whose trials are all trained to their end."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "space.yaml").write_text(SPACE)
    data = str(home / "mars.npz")
    _marsearch(home, "data", "synth", data, "--train", "120", "--size", "48x96")
    options = ["--trials", "26", "--epochs", "8", "--pruner", "none", "--warm-start", "none", "--workers", "2"]
    _marsearch(home, "run", "mars", "--data", data, "--space", str(home / "space.yaml"), *options)


def take(home: Path) -> None:
    """The pictures of the study in that home."""
    from playwright.sync_api import sync_playwright

    with serving(home) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        login = {"username": "me", "password": PASSWORD}
        for scheme, name in (("light", "study.png"), ("dark", "study-dark.png")):
            page = _page(browser, address, http_credentials=login, color_scheme=scheme)
            page.screenshot(path=HERE / name)
            _shrink(HERE / name)
        page = _page(browser, address, http_credentials=login)
        _without_the_rest(page, "#pictures", "#worst", "#axes")
        page.screenshot(path=HERE / "board.png", full_page=True)
        _shrink(HERE / "board.png")
        browser.close()


def _shrink(path: Path) -> None:
    """As 256 colours, a third of the bytes."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def _page(browser: Any, address: str, **settings: Any) -> Any:
    page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **settings).new_page()
    page.goto(address)
    page.wait_for_function(DRAWN, timeout=PATIENCE_MS)
    return page


def _without_the_rest(page: Any, *kept: str) -> None:
    """Leave these cards of the page only."""
    page.evaluate(
        "kept => document.querySelectorAll('main > *').forEach(e => kept.some(k => e.matches(k)) || e.remove())",
        list(kept),
    )


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """A dashboard over the home; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "search.cli", "dashboard", "--port", str(port)]
    process = subprocess.Popen(command, env=_environment(home), cwd=home)
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int) -> None:
    end = monotonic() + 120
    while monotonic() < end:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.2)
    raise SystemExit("the dashboard did not start")


def _marsearch(home: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "search.cli", *words], env=_environment(home), cwd=home, check=True)


def _environment(home: Path) -> dict[str, str]:
    own = {"MARSEARCH_HOME": str(home), "MARSEARCH_DASHBOARD_PASSWORD": PASSWORD, "OMP_NUM_THREADS": "1"}
    root = str(HERE.parents[1])
    return os.environ | own | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))}


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, metavar="DIR")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = (told.home or Path(folder)).resolve()
        if told.home is None:
            search(home)
        take(home)


if __name__ == "__main__":
    main()
