"""The numbers of the board's charts, bounded however long a study is: the best so far, and learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState

from search.dashboard.board.snapshot import Board
from search.studies.baseline import baseline
from search.studies.study import StudyDefinition
from storage.studies.epochs import EpochPoint, curves

MOST_DOTS = 400  # trials of the chart, evenly over all of them
MOST_STEPS = 200  # of the best so far
MOST_RUNNING = 8  # running trials with a curve, the newest ones
FINISHED = 4  # of the best trials, whose curves stand behind them
MOST_POINTS = 100  # of a curve

Values = list[float | None]


def curves_document(board: Board, study_id: int) -> dict[str, Any]:
    """What the charts of the study show, ready for JSON. Raises as `Board.study`."""
    study, trials = board.study(study_id), board.trials(study_id)
    digest, base = board.digest(study_id, study, trials), baseline(study, trials)
    running = [t.number for t in trials if t.state is TrialState.RUNNING][-MOST_RUNNING:]
    best = [trial.number for trial in digest.best[:FINISHED]]
    known = curves(board.view.store, study.config.study, {*running, *best})
    dots = thinned(digest.scored, MOST_DOTS)
    steps = thinned([trial for trial in digest.scored if trial.best], MOST_STEPS)
    return {
        "metric": "strict mIoU" if study.config.objective == "miou_strict" else "mIoU",
        "constant": study.best_constant,
        "baseline": base.value,
        "last": len(trials) - 1,
        "dots": {"trial": [dot.number for dot in dots], "value": [round(dot.value, 5) for dot in dots]},
        "best": {"trial": [step.number for step in steps], "value": [round(step.value, 5) for step in steps]},
        "epochs": study.config.epochs,
        "running": [_curve(study, number, known.get(number, ())) for number in running],
        "finished": [_curve(study, number, known[number]) for number in best if number in known],
    }


def thinned(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly over all, the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def _curve(study: StudyDefinition, number: int, points: Sequence[EpochPoint]) -> dict[str, Any]:
    kept: list[EpochPoint] = thinned(points, MOST_POINTS)
    strict = study.config.objective == "miou_strict"
    return {
        "trial": number,
        "epoch": [point.number for point in kept],
        "score": _rounded([point.miou_strict if strict else point.miou for point in kept]),
        "training loss": _rounded([point.train_loss for point in kept]),
        "validation loss": _rounded([point.validation_loss for point in kept]),
    }


def _rounded(values: Values) -> Values:
    return [None if value is None else round(value, 5) for value in values]
