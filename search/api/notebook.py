"""Progress in a notebook: one display that is written anew while a host works."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from html import escape
from importlib import import_module
from threading import Lock
from typing import Any

from optuna.trial import FrozenTrial

from search.host.context import HostContext
from search.host.progress import Progress, Standing, standing
from storage.trials.queries import so_far

SENTENCES = 8  # the newest that are shown below the bars
_FAINT = "opacity: 0.65"


class NotebookProgress(Progress):
    """What a person sees below the cell: counts, the best trial, a bar for each training, and the newest sentences.

    IPython, which is loaded where there is a notebook, is asked when something is shown first.
    """

    def __init__(self, study: str) -> None:
        super().__init__(study)
        self._handle: Any = None
        self._shown = ""
        self._seen: Standing | None = None
        self._sentences: deque[str] = deque(maxlen=SENTENCES)
        self._showing = Lock()

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def message(self, sentence: str) -> None:
        """Show a sentence below the progress; any thread may."""
        self._sentences.append(sentence)
        self._show()

    def refresh(self, trials: Sequence[FrozenTrial], context: HostContext) -> None:
        """Show the study as it is now. trials: all of it."""
        self._seen = standing(trials, context)
        self._show()

    def _show(self) -> None:
        with self._showing:
            page = as_html(self._seen, tuple(self._sentences))
            if page == self._shown:
                return
            self._shown, display = page, import_module("IPython.display")
            if self._handle is None:
                self._handle = display.display(display.HTML(page), display_id=True)
            else:
                self._handle.update(display.HTML(page))


def as_html(seen: Standing | None, sentences: Sequence[str] = ()) -> str:
    """The display, in the notebook's own colours. seen: None before the study was looked at."""
    parts = [] if seen is None else [_head(seen), *(_training(*training) for training in seen.trainings)]
    if seen is not None and seen.held:
        parts.append(f"<div><b>{escape(seen.held)}</b></div>")
    parts += [f'<div style="{_FAINT}">{escape(sentence)}</div>' for sentence in sentences]
    return f'<div style="font-family: sans-serif; font-size: 13px; line-height: 1.6">{"".join(parts)}</div>'


def _head(seen: Standing) -> str:
    counts = seen.counts
    numbers = (
        f"{counts.complete} complete, {counts.pruned} pruned, {counts.failed} failed, {counts.running} running,"
        f"{f' {counts.ending} ending,' if counts.ending else ''} {counts.waiting} waiting"
    )
    done = so_far(counts.finished, seen.target)
    left = f' <span style="{_FAINT}">{escape(seen.left)}</span>' if seen.left else ""
    return (
        f"<div><b>study {escape(seen.study)}</b> &nbsp;{done} "
        f'<span style="{_FAINT}">({numbers})</span></div>{_bar(counts.finished, seen.target, "100%")}'
        f"<div>{escape(seen.best)}{left}</div>"
    )


def _training(worker: str, trial: int, epoch: int, epochs: int, score: str) -> str:
    words = f"trial {trial}, epoch {epoch} of {epochs}, {escape(score)}"
    faint = f'<span style="{_FAINT}">{escape(worker)}</span>'
    return f'<div style="margin-top: 4px">{faint} &nbsp;{words}</div>{_bar(epoch, epochs, "50%")}'


def _bar(done: int, total: int, width: str) -> str:
    share = min(1.0, done / max(1, total))
    track = f"background: rgba(128, 128, 128, 0.25); border-radius: 3px; height: 6px; width: {width}; max-width: 40em"
    fill = f"background: #0072B2; border-radius: 3px; height: 6px; width: {share:.1%}"
    return f'<div style="{track}"><div style="{fill}"></div></div>'
