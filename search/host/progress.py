"""Live progress on stderr: a table on a terminal, a line per finished trial elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.host.endings import Endings
from search.host.state import HostState
from search.log import log_lines
from search.studies.queries import best_of, count, remaining_seconds


class Progress:
    """What a person sees while a host works: enter it, refresh it, leave it."""

    def __init__(self, study: str, console: Console | None = None) -> None:
        self._host = ""
        self._study = study
        self._console = console or Console(file=sys.stderr)
        self._live = Live(console=self._console, refresh_per_second=4, transient=False, auto_refresh=False)
        self._seen: Endings | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def messages(self, host: str) -> AbstractContextManager[None]:
        """Show what our packages log while the block runs. host: the id of the host."""
        self._host = host
        return log_lines(self.message)

    def message(self, sentence: str) -> None:
        """Show a sentence above the progress; any thread may."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def refresh(self, trials: Sequence[FrozenTrial], state: HostState, target: int, workers: int) -> None:
        """Show the study as it is now. trials: all of it."""
        if self._console.is_terminal:
            self._live.update(render(self._study, trials, state, target, workers), refresh=True)
            return
        for _, line in self._endings(target).look(trials):
            self.message(line)

    def _endings(self, target: int) -> Endings:
        self._seen = self._seen or Endings(target)
        return self._seen


def render(name: str, trials: Sequence[FrozenTrial], state: HostState, target: int, workers: int) -> Group:
    """The table of a terminal: counts, best, time left, and a bar for each running trial."""
    counts, best = count(trials), best_of(trials)
    left = remaining_seconds(trials, target, workers)
    head = Text.assemble(
        (f"study {name}  ", "bold"),
        f"{counts.finished} of {target} trials  ",
        (f"{counts.complete} complete ", "green"),
        (f"{counts.pruned} pruned ", "yellow"),
        (f"{counts.failed} failed ", "red" if counts.failed else "dim"),
        f"{counts.running} running {counts.waiting} waiting",
    )
    tail = Text(f"best {best.value:.4f} (trial {best.number})" if best is not None else "no complete trial yet")
    tail.append(f"   about {clock(left)} left" if left is not None and counts.finished < target else "", style="dim")
    table = Table.grid(padding=(0, 2))
    for training in sorted(state.trainings.values(), key=lambda training: training.worker):
        if training.record is not None:
            bar = ProgressBar(total=training.epochs, completed=training.epoch, width=30)
            epoch, score = f"epoch {training.epoch}/{training.epochs}", f"mIoU {training.score:.4f}"
            table.add_row(training.worker, f"trial {training.trial}", bar, epoch, score)
    return Group(head, tail, table, Text(_held(name, state), "yellow"))


def _held(name: str, state: HostState) -> str:
    """Why nothing new begins here, and how it goes on; empty while it does."""
    if state.shutdown.begun:
        return "stopping: trials under way go back to the queue"
    if state.command == "run":
        return ""
    does = "waits" if state.command == "pause" else "leaves"
    return f"the study is to {state.command}: this host {does}; go on with: marsearch study resume {name}"


def clock(seconds: float) -> str:
    """A duration in words of two units: ``3 d 4 h``, ``2 h 5 min``, ``3 min 20 s``."""
    whole = round(seconds)
    if whole >= 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
