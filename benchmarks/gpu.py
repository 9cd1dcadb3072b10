"""Everything that only a GPU can show, in one command: is a training on it right, what does it take, how quick is it.

    python benchmarks/gpu.py [--out gpu_lines.jsonl] [--limit 330]
    python benchmarks/gpu.py --report gpu_lines.jsonl

The parts run one after the other, each in a process of its own, so that an error on the device costs one part alone.
What they find is written line by line; a part that is cut off leaves the lines it had. The table comes last, and is
made of the file by itself with `--report`. Nothing is fetched; `gpu_wheels.sh` collects packages for a machine that
reaches none. `--device cpu --quick` shows on any machine that all parts run.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import optuna
import torch
from gpu_checks import CHECKS, networks
from gpu_lines import Line, read_lines, write_lines
from gpu_memory import in_all, memory
from gpu_search import search
from gpu_speed import BATCH, CEILING, FULL, LAYOUTS, QUICK, images_per_second, layouts, trials_per_hour
from training_step import RECIPES, WAYS, recipe_of

from search.commands.own_device import own_device
from search.errors import UsageError
from search.worker.driver import gpu_loads
from search.worker.gpus import visible_gpus


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the parts are told. folder: for files that they leave."""

    device: str
    quick: bool
    folder: Path


def _checks(told: Told) -> Iterator[Line]:
    for part, check in CHECKS.items():
        yield from networks(told.device, ["unet"]) if part == "networks" and told.quick else check(told.device)


def _speed(told: Told) -> Iterator[Line]:
    size = QUICK if told.quick else FULL
    yield from images_per_second(told.device, size, ["U-Net 16"] if told.quick else RECIPES)
    yield from layouts(told.device, size)


def _workers(told: Told) -> Iterator[Line]:
    recipe = recipe_of("U-Net 16", BATCH, (QUICK if told.quick else FULL).narrower)
    return trials_per_hour(told.device, [1] if told.quick else [1, 2, 4, 8], recipe, told.folder / "workers")


def _search(told: Told) -> Iterator[Line]:
    trials, workers = (3, 1) if told.quick else (24, 2)
    return search(told.device, trials, workers, told.folder / "search", limit=600.0 if told.quick else 120.0)


def _memory(told: Told) -> Iterator[Line]:
    return memory(told.device, [56], (32, 64)) if told.quick else memory(told.device, range(40))


PARTS: dict[str, Callable[[Told], Iterator[Line]]] = {
    "checks": _checks,
    "speed": _speed,
    "estimate": _memory,
    "workers": _workers,
    "search": _search,
}
SHARES = {"checks": 0.2, "speed": 0.25, "estimate": 0.3, "workers": 0.6, "search": 1.0}
"""Of the time that is left when a part begins, it may take so much."""


def run_parts(told: argparse.Namespace) -> None:
    """Each part in a process of its own, ended with all that it started when its time is over."""
    end = time.monotonic() + told.limit
    for part in told.parts or PARTS:
        limit = SHARES[part] * (end - time.monotonic()) if not told.parts else end - time.monotonic()
        command = [sys.executable, __file__, "--part", part, "--out", str(told.out), "--device", told.device]
        process = subprocess.Popen(command + ["--quick"] * told.quick, start_new_session=True)
        began = time.monotonic()
        try:
            status = process.wait(max(1.0, limit))
            failure = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            failure = f"cut off after {limit:.0f} s"
        finally:
            _end(process)
        if failure:
            write_lines(told.out, [Line(part=part, name="the part itself", passed=False, text=failure)])
        print(f"       {part:<9} took {time.monotonic() - began:.0f} s", flush=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what the part left, its own children among it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def table(lines: Sequence[Line]) -> str:
    """All findings: where they are from, what failed, what held, and then the measurements, a table each."""
    lines = [*lines, *in_all([line.numbers for line in lines if line.part == "estimate" and line.numbers])]
    judged = [line for line in lines if line.passed is not None]
    failed, held = ([line for line in judged if line.passed is passed] for passed in (False, True))
    found = [line.text + "\n" for line in lines if line.part == "where"]
    found += [f"{len(held)} of {len(judged)} checks hold"]
    found += [f"FAILED {line.part}, {line.name}: {line.text}" for line in failed]
    if held:
        found += ["\n| holds | what was seen |\n|---|---|"]
        found += [f"| {line.part}, {line.name} | {line.text} |" for line in held]
    unseen = [line for line in lines if line.part == "estimate" and line.passed is None and not line.numbers]
    found += [f"\n{line.name}: {line.text}" for line in unseen]
    speed = {line.name: line.numbers for line in lines if line.part == "speed" and line.name in RECIPES}
    if speed:
        found += [f"\n| recipe, images/s | {' | '.join(WAYS)} | times plain | times 16 bits | of the ceiling |"]
        found += ["|---|" + "---|" * (len(WAYS) + 3)]
        found += [_speed_row(name, numbers) for name, numbers in speed.items()]
        found += [f"\n{line.name}: {line.text}" for line in lines if line.name in (CEILING, LAYOUTS)]
    workers = [line.numbers for line in lines if line.part == "workers" and line.numbers]
    if workers:
        head = "| trainings at a time | trials an hour | images/s | s of a trial that are no epoch |"
        found += [f"\n{head}\n|---|---|---|---|"]
        found += [_workers_row(row) for row in workers]
    return "\n".join(found)


def _workers_row(row: dict[str, float]) -> str:
    return f"| {row['workers']:.0f} | {row['hourly']:,.0f} | {row['images']:,.0f} | {row['overhead']:.2f} |"


def _speed_row(name: str, numbers: dict[str, float]) -> str:
    rates = [numbers[way] for way in WAYS]
    cells = [f"{rate:,.0f}" for rate in rates]
    cells += [f"{rates[-1] / rate:.1f}x" for rate in rates[:-1]]
    return f"| {name} | {' | '.join(cells)} | {numbers['share']:.0%} |"


def _where(device: str) -> Line:
    name = f"{os.cpu_count()} cores"
    if device != "cpu":  # asked of the driver: a part may want to know what was in use before CUDA was
        loads = gpu_loads([gpu.uuid for gpu in visible_gpus()[:1]])
        name = loads[0].name if loads else "a GPU whose driver does not answer"
    text = f"{date.today()}, {device}, {name}, torch {torch.__version__}, Python {platform.python_version()}"
    return Line(part="where", name="the machine", text=text)


def _found(part: str, told: Told, out: Path) -> Iterator[Line]:
    """What a part finds; the first of all says where, so that the table of a file that was cut knows it, too."""
    if not any(line.part == "where" for line in read_lines(out)):
        yield _where(told.device)
    yield from PARTS[part](told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu_lines.jsonl"), help="a new file for what is found")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--limit", type=float, default=330.0, help="seconds for all parts, without start and table")
    parser.add_argument("--quick", action="store_true", help="as little of each as shows that it runs")
    parser.add_argument("--parts", nargs="+", choices=PARTS, help="these alone")
    parser.add_argument("--report", type=Path, metavar="FILE", help="only print the table of a file")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if told.report:
        print(table(list(read_lines(told.report))))
        return
    if told.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here: use --device cpu --quick to see that the parts run")
    told.out = told.out.resolve()
    folder = told.out.with_suffix(".files")
    if told.part:
        with suppress(UsageError):  # the driver shows none to us; what needs only torch goes on
            own_device(told.device, print)  # the first GPU of all, by the driver's order, for torch as for the driver
        part = Told(device=told.device, quick=told.quick, folder=folder)
        write_lines(told.out, _found(told.part, part, told.out))
        return
    if told.out.exists():
        parser.error(f"{told.out} is there already: name a new file, or print it with --report")
    told.out.touch()
    run_parts(told)
    print(f"\n{table(list(read_lines(told.out)))}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the part under way ends, too
    main()
