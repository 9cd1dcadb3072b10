"""What a person sees while a host works: the score at every width, and no more running trials than workers."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from rich.console import Console

from search.host.context import HostContext
from search.host.progress import Endings, render, standing
from search.host.state import HostState, Training
from storage.trials.queries import so_far


def trials(complete: int, running: int) -> list[FrozenTrial]:
    found = [create_trial(state=TrialState.COMPLETE, value=0.6) for _ in range(complete)]
    found += [create_trial(state=TrialState.RUNNING) for _ in range(running)]
    for number, trial in enumerate(found):
        trial.number = number
    return found


def shown(width: int, *, target: int = 12) -> list[str]:
    """Three trials of two workers: the third one is held for a worker that stores its former."""
    state = HostState()
    for number, worker, epoch in ((3, "cpu 1", 4), (4, "cpu 2", 17), (5, "cpu 1", 0)):
        latest = SimpleNamespace(number=epoch, miou=0.5123) if epoch else None
        state.trainings[number] = Training(trial=number, worker=worker, latest=cast(Any, latest), epochs=30)
    opened = SimpleNamespace(constant_note=" (best constant answer 0.2000)", value=lambda epoch: epoch.miou)
    known = {"options": SimpleNamespace(study="first"), "state": state, "target": target, "at_a_time": 2}
    context = cast(HostContext, SimpleNamespace(**known, opened=opened))
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(render(standing(trials(3, 3), context)))
    return cast(io.StringIO, console.file).getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 50, 80, 120])
def test_every_width_shows_the_score_of_each_training_in_its_line(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    (line,) = (line for line in lines if "trial 4" in line)
    assert "epoch 17/30" in line
    assert line.rstrip().endswith("mIoU 0.5123")
    assert any("best 0.6000" in line for line in lines)


def test_no_more_trials_run_than_there_are_workers() -> None:
    assert "2 running 1 ending 0 waiting" in shown(120)[0]


@pytest.mark.parametrize(
    ("finished", "target", "words"),
    [
        (3, 8, "3 of 8 trials"),
        (8, 8, "8 of 8 trials"),
        (10, 8, "10 trials (8 were asked for)"),
        (2, 1, "2 trials (1 was asked for)"),
    ],
)
def test_more_trials_than_asked_for_are_said_in_words(finished: int, target: int, words: str) -> None:
    assert so_far(finished, target) == words


def test_a_line_on_a_trial_beyond_the_target_names_no_share() -> None:
    endings = Endings()
    endings.look(trials(0, 3), 2)
    assert [line.split("  ")[0] for _, line in endings.look(trials(3, 0), 2)] == ["3", "3", "3"]
