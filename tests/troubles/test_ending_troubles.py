"""How a search ends, and what it says of it: nothing complete, a space that is used up, recipes that come again."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search.host.host import work
from search.studies.create import create
from search.studies.samplers import load_study
from search.studies.study import StudyDefinition
from search.worker.checkpoint_file import epoch_of
from spaces import dump_recipe
from storage.store import Store
from storage.studies.control import set_command
from support.commands import Command, command_here
from support.hosts import EAGER, order, quiet, trials_of
from support.processes import environment, marsearch_command, workers_of
from support.spaces import fixed_space
from support.studies import GRID, LONG_SPACE, TINY_SPACE, Inputs, add_host
from support.waiting import wait_for

MIXED = fixed_space("model: {norm: [batch, none], filters: 4}\noptimisation: {batch_size: [8, 16]}")  # four points


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str], store: Store) -> Command:
    """A command in this process, on the same storage as `store`."""
    run = command_here(tmp_path, capsys)
    places = {"MARSEARCH_STORAGE": f"sqlite:///{tmp_path / 'studies.db'}", "MARSEARCH_ARTIFACTS": "artifacts"}
    return lambda *arguments: run(*arguments, **places)


def enqueue_points(store: Store, *points: dict[str, object]) -> None:
    """Ask for these as the dashboard does, which looks at nothing."""
    study = optuna.load_study(study_name="tiny", storage=store.trials)
    for point in points:
        study.enqueue_trial(point)


def points_of(store: Store) -> list[dict[str, object]]:
    return [dict(trial.params) for trial in trials_of(store)]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("if number == 1: raise KeyError('odd')", "KeyError: 'odd'"),
        ("return step(setup, rows, number, *rest) * float('nan')", "the loss became nan"),
    ],
)
def test_a_search_in_which_nothing_is_complete_is_a_failure_with_its_reason(
    marsearch: Command,
    store: Store,
    inputs: Callable[..., Inputs],
    break_child: Callable[[str], None],
    broken: str,
    reason: str,
) -> None:
    """kubeflow/katib#2452: an experiment counted as succeeded although every trial of it had failed."""
    create(store, *inputs(trials=1))
    break_child(broken)
    ended = marsearch("work", "tiny", "--workers", "1", "--device", "cpu")
    *_, told, last = ended.stderr.splitlines()
    assert ended.returncode == 1
    assert told == "finished: 1 of 1 trials of study tiny: 0 complete, 0 pruned, 1 failed"
    assert "no trial is complete" in last
    assert reason in last
    again = marsearch("work", "tiny", "--workers", "1", "--device", "cpu")
    assert (again.returncode, again.stderr.splitlines()[-1]) == (1, last)


@pytest.mark.parametrize(("trials", "tried"), [(20, 4), (3, 3)])
def test_a_grid_ends_when_its_points_are_done_and_says_what_is_left(
    marsearch: Command, tiny_data: Path, tmp_path: Path, trials: int, tried: int
) -> None:
    """optuna/optuna#2021: a grid of fewer points than trials tried some again, one of more ended without a word."""
    (tmp_path / "grid.yaml").write_text(GRID)
    options = ("--data", tiny_data, "--space", "grid.yaml", "--sampler", "grid", "--trials", trials, "--epochs", 1)
    made = marsearch("create", "tiny", *options, "--warm-start", "none", "--pruner", "none")
    said = {20: "the space has only 4 recipes: the study ends with 4 trials instead of 20", 3: "1 of the 4 "}[trials]
    assert said in made.stderr
    ended = marsearch("work", "tiny", "--workers", "1", "--device", "cpu", "--trials", trials)
    assert ended.returncode == 0, ended.stderr
    assert f"finished: {tried} of {tried} trials of study tiny: {tried} complete" in ended.stderr
    assert ("every recipe of its space is tried" in ended.stderr) == (tried == 4)
    assert ("1 more waits: marsearch work tiny --trials 4" in ended.stderr) == (tried == 3)
    assert json.loads(marsearch("status", "tiny", "--json").stdout)["state"] == "finished"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_space_of_few_recipes_ends_with_each_tried_once(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, sampler: str
) -> None:
    """optuna/optuna#5489: a sampler proposed recipes again that it had tried, so the luckiest repeat won."""
    made = create(store, *inputs(space=MIXED, sampler=sampler, trials=11, epochs=1, pruner="none"))
    assert made.config.trials == 4
    assert any("only 4 recipes" in note for note in made.notes)
    outcome = work(store, order(tmp_path, trials=11, workers=2), quiet(), EAGER)
    assert (outcome.finished, outcome.target) == (4, 4)
    assert len({json.dumps(point, sort_keys=True) for point in points_of(store)}) == 4


def test_a_recipe_is_not_proposed_twice_where_some_axes_have_no_end(
    store: Store, inputs: Callable[..., Inputs]
) -> None:
    """optuna/optuna#2021: repeats crowd out what was not tried, also where only a part of the space is finite."""
    mixed = fixed_space(
        "model: {norm: [batch, none], filters: [4, 5, 6]}\n"
        "loss: {mae: {use: [true, false], weight: {low: 0.1, high: 1.0}}}"
    )
    made = create(store, *inputs(space=mixed, trials=100))
    assert made.config.trials == 100
    study, space = load_study(store, StudyDefinition(made.config)), StudyDefinition(made.config).space
    seen = []
    for _ in range(30):
        trial = study.ask()
        space.suggest(trial)
        seen.append(json.dumps(trial.params, sort_keys=True))
        study.tell(trial, 0.9 if "loss.mae.weight" not in trial.params else 0.1)
    assert len(set(seen)) == 30


def test_a_recipe_that_others_ask_for_again_is_not_trained_again(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """optuna/optuna#2021: of equal recipes with different seeds the luckiest looks like the best."""
    create(store, *inputs(space=GRID, trials=3, epochs=1, pruner="none"))
    point = {"model.depth": 2, "model.norm": "batch"}
    enqueue_points(store, point, point, point | {"model.depth": 3})
    work(store, order(tmp_path), quiet(), EAGER)
    first, again, other = trials_of(store)
    assert [t.state for t in (first, again, other)] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE]
    assert "trial 0 has the same recipe" in again.user_attrs["reason"]
    assert again.value is None


def test_enqueuing_says_when_nobody_takes_it_up(
    marsearch: Command, store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """optuna/optuna#3518: a trial that was enqueued where nobody works waited for ever, without a word."""
    made = create(store, *inputs(space=GRID.replace("filters: 4", "filters: [4, 5, 6]"), trials=1))
    recipes = [StudyDefinition(made.config).space.recipe(point) for point in StudyDefinition(made.config).space.grid()]
    files = [tmp_path / f"recipe{number}.yaml" for number in range(len(recipes))]
    for file, recipe in zip(files, recipes, strict=True):
        file.write_text(dump_recipe(recipe))
    idle = marsearch("enqueue", "tiny", files[0])
    assert (idle.returncode, "nobody works on it, start with: marsearch work tiny" in idle.stderr) == (0, True)
    again = marsearch("enqueue", "tiny", files[0])
    assert (again.returncode, "trial 0 has the same recipe" in again.stderr) == (2, True)
    for command, word in (("pause", "paused"), ("stop", "stopped")):
        set_command(store, "tiny", command)  # type: ignore[arg-type]
        held = marsearch("enqueue", "tiny", files[1 if command == "pause" else 2])
        assert f"the study is {word}, go on with: marsearch study resume tiny" in held.stderr
    set_command(store, "tiny", "run")
    add_host(store, study="tiny")
    busy = marsearch("enqueue", "tiny", files[3])
    assert (busy.returncode, busy.stderr) == (0, f"{files[3]} waits in study tiny\n")
    study = optuna.load_study(study_name="tiny", storage=store.trials)
    study.tell(study.ask(), 0.5)
    done = marsearch("enqueue", "tiny", files[4])
    assert "the study has its 1 trials, go on with: marsearch work tiny --trials 5" in done.stderr


def test_more_recipes_to_begin_with_than_trials_are_told(marsearch: Command, tiny_data: Path, tmp_path: Path) -> None:
    """optuna/optuna#3518: enqueued trials that the target leaves out waited without a word."""
    (tmp_path / "space.yaml").write_text(TINY_SPACE)
    made = marsearch("create", "tiny", "--data", tiny_data, "--space", "whole", "--trials", 2)
    said = re.search(r"([0-9]+) of the ([0-9]+) recipes tried first go beyond --trials 2 and wait: ", made.stderr)
    assert said, made.stderr
    assert int(said[1]) == int(said[2]) - 2
    made = marsearch("create", "less", "--data", tiny_data, "--space", "whole", "--trials", int(said[2]) - 1)
    assert f"1 of the {said[2]} recipes tried first goes beyond --trials {int(said[2]) - 1} and waits: " in made.stderr
    assert f"--trials {said[2]} has room for all" in made.stderr


@pytest.mark.whole
@pytest.mark.parametrize("output", ["terminal", "file"])
def test_a_terminal_that_is_closed_ends_a_host_in_order(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, output: str
) -> None:
    """pytorch/torchtune#371: a closed session ended the training at once, and nothing was kept."""
    create(store, *inputs(space=LONG_SPACE, trials=2, epochs=2000, pruner="none"))
    master, slave = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    places = {"MARSEARCH_STORAGE": f"sqlite:///{tmp_path / 'studies.db'}", "MARSEARCH_ARTIFACTS": "artifacts"}
    log = (tmp_path / "log").open("w")
    host = subprocess.Popen(
        marsearch_command("work", "tiny", "--workers", "1", "--device", "cpu"),
        stdin=slave,
        stdout=slave if output == "terminal" else log,
        stderr=slave if output == "terminal" else log,
        cwd=tmp_path,
        env=environment(**places),
        preexec_fn=own_terminal,
    )
    os.close(slave)
    log.close()
    os.set_blocking(master, False)

    def trains() -> bool:
        with suppress(BlockingIOError):
            os.read(master, 65536)  # a terminal that nobody reads would hold its writer
        return epochs_beyond(tmp_path, 0)

    try:
        wait_for(trains)
        children = workers_of(host.pid)
        os.close(master)  # the kernel sends SIGHUP to all of its session
        assert host.wait(120) == 0
    finally:
        host.kill()
        host.wait()
    assert not [child for child in children if child.is_running()]
    first, retry = trials_of(store)
    assert (first.state, retry.state) == (TrialState.FAIL, TrialState.WAITING)
    assert first.user_attrs["reason"] == "the host was stopped during the training"


@pytest.mark.whole
def test_a_host_that_shall_outlive_its_terminal_does(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    """pytorch/torchtune#371: whoever starts a host with `nohup` wants it to go on."""
    create(store, *inputs(space=LONG_SPACE, trials=1, epochs=2000, pruner="none"))
    places = {"MARSEARCH_STORAGE": f"sqlite:///{tmp_path / 'studies.db'}", "MARSEARCH_ARTIFACTS": "artifacts"}
    command = marsearch_command("work", "tiny", "--workers", "1", "--device", "cpu")
    with (tmp_path / "log").open("w") as log:
        host = subprocess.Popen(["nohup", *command], cwd=tmp_path, env=environment(**places), stdout=log, stderr=log)
    try:
        wait_for(lambda: any((tmp_path / "runs" / "checkpoints").glob("*.safetensors")))
        host.send_signal(signal.SIGHUP)
        before = max(t.last_step or 0 for t in trials_of(store))
        wait_for(lambda: host.poll() is not None or epochs_beyond(tmp_path, before + 3))
        assert host.poll() is None
        host.send_signal(signal.SIGTERM)
        assert host.wait(120) == 0
    finally:
        host.kill()
        host.wait()


def epochs_beyond(home: Path, number: int) -> bool:
    return any((epoch_of(file) or 0) > number for file in (home / "runs" / "checkpoints").glob("*.safetensors"))
