"""Does a short search on two cores beat the recipe that was made by hand? All of it in one run.

The presets `baseline`, made by hand, and `weighted-oversampled` are trained first, one thread each, side by side. A
study of the space `cpu` then works for as long as so many trainings of the baseline would take on as many threads. Its
best bundle stands beside the two in a table, and the best score so far in a picture.

    python benchmarks/quick_proof.py DATA --out FOLDER [--trainings 20] [--workers 2] [--epochs 30]

Nothing of the machine's is used but the processor. After an interrupt (Ctrl-C) the table says how far it is, and the
same command again goes on to the same end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HAND_MADE = ("baseline", "weighted-oversampled")
HAND_MADE_EPOCHS = 22
MARSEARCH = (sys.executable, "-m", "search.cli")
STUDY = "quick-proof"


@dataclass(frozen=True, kw_only=True)
class Training:
    """A bundle and what it took. seconds: of the processor, by the process and its children."""

    bundle: Path
    seconds: float


def begin(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start marsearch with one thread; what it prints goes into the log."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with log.open("ab") as written:
        return subprocess.Popen([*MARSEARCH, *arguments], stdout=written, stderr=written, env=environment)


def hand_made(data: Path, out: Path) -> dict[str, Training]:
    """Train the recipes side by side; a kept result is not made again."""
    kept = out / "hand_made.json"
    if not kept.exists():
        running = {}
        for name in HAND_MADE:
            arguments = ["train", name, "--data", str(data), "--out", str(out / name)]
            process = begin([*arguments, "--epochs", str(HAND_MADE_EPOCHS)], out / f"{name}.log")
            running[process.pid] = name
        seconds = {}
        while running:
            pid, status, used = os.wait3(0)
            name = running.pop(pid)
            if status:
                raise RuntimeError(f"training {name} failed: see {out / name}.log")
            seconds[name] = used.ru_utime + used.ru_stime
        kept.write_text(json.dumps(seconds))
    return {n: Training(bundle=out / n, seconds=s) for n, s in json.loads(kept.read_text()).items()}


def ended(pid: int) -> tuple[int, float]:
    """The status of the process and the seconds it took. An interrupt goes to it, too: it ends its epochs first."""
    while True:
        with suppress(KeyboardInterrupt):
            _, status, used = os.wait4(pid, 0)
            return status, used.ru_utime + used.ru_stime


def search(data: Path, out: Path, told: argparse.Namespace, seconds: float) -> tuple[Training, list[dict[str, Any]]]:
    """Search for so many seconds of the clock, and export the best; with the study's trials."""
    os.environ["MARSEARCH_HOME"] = str(out / "home")
    arguments = ["run", STUDY, "--data", str(data), "--space", "cpu", "--trials", "100000"]
    arguments += ["--for", f"{round(seconds)}s", "--epochs", str(told.epochs), "--workers", str(told.workers)]
    status, used = ended(begin(arguments, out / "search.log").pid)
    took = out / "search_seconds.json"  # of all runs that the search was cut into
    before: list[float] = json.loads(took.read_text()) if took.exists() else []
    took.write_text(json.dumps([*before, used]))
    if status:
        raise SystemExit(f"the search ended with status {status}: see {out / 'search.log'}")
    listed = subprocess.run([*MARSEARCH, "trials", STUDY, "--format", "json"], check=True, capture_output=True)
    bundle = out / "best"
    if begin(["export", STUDY, str(bundle)], out / "search.log").wait():
        raise RuntimeError(f"nothing was exported: see {out / 'search.log'}")
    return Training(bundle=bundle, seconds=sum(json.loads(took.read_text()))), json.loads(listed.stdout)


def line(name: str, training: Training, unit: float) -> str:
    """A row of the table. unit: seconds of the training that the others are told in."""
    scores = json.loads((training.bundle / "metrics.json").read_text())
    iou = ", ".join(f"{label} {share:.3f}" for label, share in scores["iou"].items() if share is not None)
    cost = f"{training.seconds / unit:.1f}"
    return f"| {name} | {scores['miou']:.4f} | {scores['miou_strict']:.4f} | {iou} | {cost} |"


def draw(trials: list[dict[str, Any]], made: dict[str, float], unit: float, path: Path) -> None:
    """The best score of a complete trial against the compute that the trials had taken by then."""
    from matplotlib.figure import Figure

    spent, best, points = 0.0, 0.0, [(0.0, 0.0)]
    for trial in sorted(trials, key=lambda each: each["number"]):
        spent += (trial["duration_s"] or 0.0) / unit
        if trial["state"] == "complete" and trial["value"] > best:
            best = trial["value"]
            points.append((spent, best))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.step(*zip(*points, (spent, best), strict=True), where="post", label="search, best so far")
    for place, (name, score) in enumerate(made.items()):
        axes.axhline(score, color=f"C{place + 1}", linestyle="--", label=name)
    axes.set(xlabel="compute, in trainings of the baseline", ylabel="validation mIoU", xlim=(0, spent))
    axes.set_ylim(bottom=min(score for _, score in points[1:]) - 0.02)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trainings", type=float, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=30)
    told = parser.parse_args()
    out = told.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    made = hand_made(told.data.resolve(), out)
    unit = made[HAND_MADE[0]].seconds
    found, trials = search(told.data.resolve(), out, told, told.trainings * unit / told.workers)
    print("| network | mIoU | strict mIoU | IoU by class | compute, trainings of the baseline |\n|---|---|---|---|---|")
    for name, training in [*made.items(), (f"best of {len(trials)} trials", found)]:
        print(line(name, training, unit))
    scores = {name: json.loads((each.bundle / "metrics.json").read_text())["miou"] for name, each in made.items()}
    draw(trials, scores, unit, out / "best_so_far.png")
    print(f"\n{unit:.0f} s of one core for the baseline; {(time.monotonic() - began) / 60:.0f} minutes in all")


if __name__ == "__main__":
    main()
