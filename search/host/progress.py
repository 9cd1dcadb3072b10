"""Progress on stderr: a table on a terminal, elsewhere a line, or an event, for each trial that has ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.host.context import HostContext
from search.host.state import HostState, Training
from search.log import log_fields, log_lines, tell
from search.output import console as new_console
from search.training.epoch import EpochRecord
from storage.trials.queries import Counts, best_of, count, remaining_seconds, so_far
from storage.trials.retries import earlier_attempts
from storage.trials.trial_times import seconds_of

_BAR = 30  # columns


class Endings:
    """Remembers which trials had ended; those that had at the first look are not news."""

    def __init__(self) -> None:
        self._seen: set[int] | None = None

    def look(self, trials: Sequence[FrozenTrial], target: int, constant: str = "") -> list[tuple[FrozenTrial, str]]:
        """The trials that have ended since the last look, in order, and a line on each.

        trials: all of the study. constant: what stands behind a score, see `StudyDefinition.constant_note`.
        """
        ended = {trial.number for trial in trials if trial.state.is_finished()}
        seen = ended if self._seen is None else self._seen
        new, self._seen = ended - seen, ended | seen
        retried = {number for trial in trials for number in earlier_attempts(trial)}
        finished = count(trials).finished
        done = f"{finished}/{target}" if finished <= target else f"{finished}"
        return [(t, f"{done}  {_line_on(t, constant, retried=t.number in retried)}") for t in trials if t.number in new]


def _line_on(trial: FrozenTrial, constant: str, *, retried: bool) -> str:
    """One line on a trial that has ended. retried: another one has taken its place."""
    seconds, said = seconds_of(trial), trial.user_attrs
    took = f", {seconds:.0f} s" if seconds is not None else ""
    what = {
        TrialState.COMPLETE: f"complete, {trial.value or 0.0:.4f}{constant}",
        TrialState.PRUNED: str(said.get("reason", "pruned")),
        TrialState.FAIL: f"{'goes back' if retried else 'failed'}: {said.get('reason', 'lost')}",
    }[trial.state]
    return f"trial {trial.number} {what}{took}"


class Progress(AbstractContextManager[Any]):
    """What a person sees while a host works: enter it, refresh it, leave it."""

    def __init__(self, study: str, console: Console | None = None) -> None:
        self._study = study
        self._console = console or new_console(sys.stderr)
        self._live = Live(console=self._console, refresh_per_second=4, transient=False, auto_refresh=False)
        self._endings = Endings()

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._live.start()

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def messages(self, host: str) -> AbstractContextManager[None]:
        """Show what our packages log while the block runs. host: the id of the host."""
        return log_lines(self.message)

    def message(self, sentence: str) -> None:
        """Show a sentence above the progress; any thread may."""
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def refresh(self, trials: Sequence[FrozenTrial], context: HostContext) -> None:
        """Show the study as it is now. trials: all of it."""
        if self._console.is_terminal:
            self._live.update(render(standing(trials, context)), refresh=True)
            return
        for _, line in self._endings.look(trials, context.target, context.opened.constant_note):
            self.message(line)


class LogProgress(Progress):
    """Progress for a log collector: an event for each trial that begins here and each that ends, wherever it ran."""

    def __init__(self, study: str) -> None:
        super().__init__(study, new_console(sys.stderr, force_terminal=False))
        self._begun: set[int] = set()

    def messages(self, host: str) -> AbstractContextManager[None]:
        """Give the names of study and host to every record while the block runs; records are JSON already."""
        return log_fields(study=self._study, worker=host)

    def refresh(self, trials: Sequence[FrozenTrial], context: HostContext) -> None:
        """Log what has begun and ended since the last time."""
        state, target, constant = context.state, context.target, context.opened.best_constant
        for training, latest in _under_way(state):
            if training.trial not in self._begun:
                self._begun.add(training.trial)
                where = {"slot": training.worker, "epoch": latest.number, "epochs": training.epochs}
                tell(f"trial {training.trial} trains", "trial began", trial=training.trial, **where)
        for trial, line in self._endings.look(trials, target, context.opened.constant_note):
            here = {"here": trial.number in state.trained, "finished": count(trials).finished, "target": target}
            tell(line, "trial ended", **_fields(trial), constant=constant, **here)


def _fields(trial: FrozenTrial) -> dict[str, object]:
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.values[0] if trial.values else None,
        "epochs": trial.user_attrs.get("epochs", trial.last_step),
        "seconds": None if (seconds := seconds_of(trial)) is None else round(seconds, 3),
        "reason": trial.user_attrs.get("reason"),
    }


def _under_way(state: HostState) -> list[tuple[Training, EpochRecord]]:
    """The trainings with an epoch behind them, by worker, and the newest epoch of each."""
    held = sorted(state.trainings.values(), key=lambda training: training.worker)
    return [(training, training.latest) for training in held if training.latest is not None]


@dataclass(frozen=True, kw_only=True)
class ShownCounts(Counts):
    """Trials by state. ending: those that a host stores while their workers train the next ones; not among running."""

    ending: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a study stands, in the words of the display.

    counts: of its trials, target of them end it. best: the best trial. left: time until the end, "" where it cannot be
    told. trainings: of this host those with an epoch behind them: worker, trial, epoch, epochs, score. held: why
    nothing new begins here, and how it goes on; "" while it does.
    """

    study: str
    counts: ShownCounts
    target: int
    best: str
    left: str
    trainings: tuple[tuple[str, int, int, int, str], ...]
    held: str


def _shown(counts: Counts, state: HostState) -> ShownCounts:
    held = list(state.trainings.values())
    ending = min(counts.running, len(held) - len({training.worker for training in held}))
    return ShownCounts(**asdict(counts) | {"running": counts.running - ending, "ending": ending})


def standing(trials: Sequence[FrozenTrial], context: HostContext) -> Standing:
    """How the study stands. trials: all of it."""
    name, state, target = context.options.study, context.state, context.target
    counts, best = count(trials), best_of(trials)
    left = state.ends.remaining_s(remaining_seconds(trials, target, context.at_a_time))
    note, value = context.opened.constant_note, context.opened.value
    return Standing(
        study=name,
        counts=_shown(counts, state),
        target=target,
        best=f"best {best.value:.4f}, trial {best.number}{note}" if best else "no complete trial yet",
        left=f"about {clock(left)} left" if left is not None and counts.finished < target else "",
        trainings=tuple(
            (training.worker, training.trial, latest.number, training.epochs, f"mIoU {value(latest):.4f}")
            for training, latest in _under_way(state)
        ),
        held=_held(name, state),
    )


def render(seen: Standing) -> Group:
    """The table of a terminal: counts, best, time left, and a bar for each running trial."""
    counts = seen.counts
    head = Text.assemble(
        (f"study {seen.study}  ", "bold"),
        f"{so_far(counts.finished, seen.target)}  ",
        (f"{counts.complete} complete ", "green"),
        (f"{counts.pruned} pruned ", "yellow"),
        (f"{counts.failed} failed ", "red" if counts.failed else "dim"),
        f"{counts.running} running ",
        f"{counts.ending} ending " if counts.ending else "",
        f"{counts.waiting} waiting",
    )
    tail = Text(seen.best)
    tail.append(f"   {seen.left}" if seen.left else "", style="dim")
    table = Table.grid(padding=(0, 2))
    for most in (None, None, _BAR, None, None):  # on a narrow terminal the bar gives way, nothing else
        table.add_column(max_width=most, no_wrap=most is None)
    for worker, trial, epoch, epochs, score in seen.trainings:
        bar = ProgressBar(total=epochs, completed=epoch)
        table.add_row(worker, f"trial {trial}", bar, f"epoch {epoch}/{epochs}", score)
    return Group(head, tail, table, Text(seen.held, "yellow"))


def _held(name: str, state: HostState) -> str:
    """Why nothing new begins here, and how it goes on; empty while it does."""
    if state.shutdown.begun:
        return "stopping: trials under way go back to the queue"
    if state.ends.time_over:
        return "the study's time is over: trials under way go back to the queue"
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
