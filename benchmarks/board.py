"""The board in a browser at growing numbers of trials, beside the same study in stock optuna-dashboard.

Chromium opens the page of a study with an empty cache: once right after the server has started, which has then read
nothing yet, and again later. First paint is the browser's own mark (first contentful paint); whole is when the
page has drawn all that it shows. Bytes are as they travel, of everything that was loaded by then.

    python benchmarks/board.py [--trials 10 1000 10000] [--epochs 30] [--out DIR]
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import playwright.sync_api
from dashboard import serving
from large_study import fill

from storage.store import open_store

FLAGS = ["--no-sandbox", "--disable-gpu"]
PLACES = {"marsearch": "/board/1", "optuna-dashboard": "/dashboard/studies/1"}
READY = {
    "marsearch": "() => document.querySelector('[data-chart=best][data-drawn]')"
    " && (document.querySelector('#axes svg') || /told from/.test(document.body.innerText))",
    "optuna-dashboard": "() => document.querySelector('.js-plotly-plot .scatterlayer .trace')",
}
PATIENCE_MS = 120_000  # after which a page counts as not drawn
VISITS = {"marsearch": 5, "optuna-dashboard": 1}  # later ones
BYTES = (
    "() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    ".reduce((sum, entry) => sum + entry.transferSize, 0)"
)
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One visit. paint, whole: seconds, infinite for a page that was not drawn in time. size: bytes."""

    paint: float
    whole: float
    size: int


def visit(browser: Any, kind: str, port: int) -> Opened:
    page = browser.new_context().new_page()
    began = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}{PLACES[kind]}", timeout=PATIENCE_MS)
    try:
        page.wait_for_function(READY[kind], timeout=PATIENCE_MS)
        whole = time.perf_counter() - began
    except playwright.sync_api.TimeoutError:
        whole = math.inf
    found = Opened(paint=page.evaluate(PAINT) / 1000, whole=whole, size=page.evaluate(BYTES))
    page.context.close()
    return found


def measure(browser: Any, kind: str, trials: int, epochs: int) -> tuple[Opened, Opened]:
    """The first visit after the start of the server, and the middle of later ones."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = f"sqlite:///{home / 'study.db'}"
        store = open_store(url, str(home / "artifacts"))
        fill(store, trials, epochs)
        store.close()
        with serving(kind, url, home) as served:
            first = visit(browser, kind, served.port)
            later = [visit(browser, kind, served.port) for _ in range(VISITS[kind])]
    return first, Opened(
        paint=statistics.median(seen.paint for seen in later),
        whole=statistics.median(seen.whole for seen in later),
        size=round(statistics.median(seen.size for seen in later)),
    )


def table(found: dict[tuple[str, int], tuple[Opened, Opened]], counts: Sequence[int]) -> str:
    lines = ["| trials | | first paint, s | whole, s | bytes | first visit: paint, whole, s |"]
    lines.append("|---|---|---|---|---|---|")
    for count in counts:
        for kind in PLACES:
            first, later = found[kind, count]
            lines.append(
                f"| {count:,} | {kind} | {later.paint:.2f} | {later.whole:.2f} | {later.size:,}"
                f" | {first.paint:.2f}, {first.whole:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--out", type=Path, metavar="DIR")
    told = parser.parse_args()
    with playwright.sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        found = {(kind, count): measure(browser, kind, count, told.epochs) for count in told.trials for kind in PLACES}
        version = browser.version
        browser.close()
    machine = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}, Chromium {version}"
    text = (
        f"# The board as a study grows, beside stock optuna-dashboard\n\n{date.today()}, {machine}, SQLite."
        " Later visits (the middle of five, of stock one) have an empty cache; inf is more than two minutes.\n\n"
        f"    python benchmarks/board.py\n\n{table(found, told.trials)}\n"
    )
    print(text)
    if told.out:
        told.out.mkdir(parents=True, exist_ok=True)
        (told.out / f"{date.today()}-board-cpu.md").write_text(text)


if __name__ == "__main__":
    main()
