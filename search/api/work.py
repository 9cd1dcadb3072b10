"""Working on a study, and what is said when that ends."""

from __future__ import annotations

import signal
from dataclasses import asdict

from search.api.notebook import NotebookProgress
from search.errors import TrainingFailed, UsageError
from search.host.context import WorkOptions
from search.host.host import work
from search.host.progress import LogProgress, Progress
from search.host.shutdown import Signals
from search.host.work_done import WorkDone
from search.log import is_json, tell
from search.output import in_notebook
from storage.store import Store


def serve(store: Store, order: WorkOptions, signals: Signals | None = None) -> bool:
    """Work on the study, say how it ended, and return whether it is finished.

    signals: see `search.host.host.work`. Raises TrainingFailed when it is finished with nothing complete.
    """
    return report(order.study, work(store, order, progress_of(order.study), signals=signals))


def serve_and_go_on(store: Store, order: WorkOptions) -> None:
    """As `serve`, for a process that goes on: what it was asked meanwhile it is asked again, with its own handlers.

    So Ctrl-C lets the trials under way go back to the queue, and is a KeyboardInterrupt then.
    """
    asked = Signals()
    serve(store, order, asked)
    if asked.last is not None:
        signal.raise_signal(asked.last)


def progress_of(study: str) -> Progress:
    """How progress is shown here: as events, in a notebook, or on a terminal."""
    if is_json():
        return LogProgress(study)
    return NotebookProgress(study) if in_notebook() else Progress(study)


def check_workers(workers: int | None, per_gpu: str | int | None) -> None:
    """Raises UsageError where how many trainings there are at a time is both given and to be found out."""
    if workers is not None and per_gpu == "auto":
        raise UsageError(f"--workers {workers} --per-gpu auto: the second finds out how many, leave one of them out")


def report(study: str, outcome: WorkDone) -> bool:
    """Say what came of it; whether the study is finished. Raises TrainingFailed when it is, with nothing complete."""
    known = {**asdict(outcome.counts), "finished": outcome.finished, "target": outcome.target}
    known |= {"reason": outcome.reason, "end": outcome.end.reason if outcome.end is not None else None}
    ended = "finished" if outcome.over else "stopped"
    tell(outcome.sentence(study), "work ended", study=study, ended=ended, **known)
    if outcome.fruitless:
        reason = outcome.reason or (outcome.end.reason if outcome.end is not None else "none is known")
        raise TrainingFailed(f"no trial is complete; the most frequent reason: {reason}")
    return outcome.over
