"""A reproduction with real workers: what it writes, what it does not do twice, how it stops; then its parts alone."""

from __future__ import annotations

import dataclasses
import itertools
import json
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import optuna
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.errors import TrainingFailed, UsageError
from search.log import log_lines
from search.reproduction import searches
from search.reproduction.plan import Budget, DatasetRef, Part, Request, Task, at_budget, in_turn, split_parts
from search.reproduction.reproduce import reproduce
from search.reproduction.table import SEARCH_BEST, SEARCH_PRESET, TABLES, PaperRow, PaperTable, Reproduction
from search.reproduction.training import Result, result_path, seconds_left, train_missing
from search.training.epoch import EpochRecord
from search.worker import pool
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerDied
from search.worker.protocol import EpochEnd, Failed, Finished, Message, Stopped, Train
from spaces import Recipe, bind, load_preset
from spaces.facts import DataFacts
from spaces.recipe import Background, Optimisation
from spaces.recipe.architecture import UNet
from spaces.recipe.loss import ClassWeights
from storage.data.dataset import Dataset, build_dataset, read_dataset
from storage.data.quality.outliers import find_outliers
from storage.data.subset import choose_tiles, rarest_class
from storage.data.synthetic import synthesise
from storage.store import open_store
from support.examples import examples
from support.processes import Running, environment, marsearch_command
from support.waiting import LIMIT_S, wait_for

FOLDS = ("fold1of2", "fold2of2")
FACTS = DataFacts(channels=1, height=24, width=32, class_names=("ground", "rock"), excluded=())
NAMES = ("background", "soil", "bedrock", "sand", "big rock")
MARS = DataFacts(channels=1, height=64, width=128, class_names=NAMES, excluded=("background",))
CONFUSION = ((3, 1), (2, 4))
DATASET = DatasetRef(data=Path("data.npz"), digest="d", facts=FACTS)


def row(title: str, preset: str, miou: float) -> PaperRow:
    return PaperRow(title=title, preset=preset, track="losses", metric="miou", miou=miou)


TABLE = PaperTable(
    name="T9", caption="a table", rows=(row("Small", "small", 40.0), row("Large", "large", 50.0)), remarks=("Note.",)
)
BROKEN = PaperTable(name="T0", caption="a table", rows=(row("Broken", "broken", 40.0),), remarks=())
RECIPES = {
    "small": Recipe(model=UNet(depth=2, filters=8), optimisation=Optimisation(batch_size=16)),
    "large": Recipe(model=UNet(depth=2, filters=16), optimisation=Optimisation(batch_size=16)),
    "broken": Recipe(class_weights=ClassWeights(scheme="explicit", factors={"lava": 2.0})),
}


def request_of(data: Path, out: Path, **changes: object) -> Request:
    values: dict[str, object] = {
        "data": data,
        "out": out,
        "workers": 2,  # with one thread each: two threads on a busy core are many times slower
        "device": "cpu",
    }
    budget = {name: changes.pop(name) for name in ("epochs", "seeds", "tiles", "width", "folds") if name in changes}
    return Request(budget=budget_of(**budget), **(values | changes))  # type: ignore[arg-type]


def budget_of(**changes: object) -> Budget:
    values: dict[str, object] = {"epochs": 2, "seeds": 2, "tiles": 24, "width": 0.5, "folds": 2}
    return Budget(**(values | changes))  # type: ignore[arg-type]


def train(tables: list[PaperTable], request: Request, lines: list[str]) -> tuple[Reproduction, ...]:
    with log_lines(lines.append):
        return reproduce(tables, request, stop=threading.Event(), load=RECIPES.__getitem__)


def missing(done: Reproduction) -> int:
    return sum(ours.missing for ours in done.rows)


def stamps(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}


@dataclasses.dataclass(frozen=True)
class Finish:
    """Two rows, two seeds, two folds: eight trainings. lines: what was logged of them."""

    request: Request
    done: Reproduction
    lines: list[str]


@pytest.fixture(scope="module")
def finished(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Finish:
    request = request_of(tiny_data, tmp_path_factory.mktemp("reproduction"))
    lines: list[str] = []
    (done,) = train([TABLE], request, lines)
    return Finish(request, done, lines)


@pytest.mark.whole
def test_every_row_is_trained_with_every_seed_and_on_every_fold(finished: Finish) -> None:
    for ours, filters in zip(finished.done.rows, (4, 8), strict=True):
        assert [result.task.name[-5:] for result in ours.results] == ["seed0", "seed1"]
        assert all(result.task.recipe.model.network.filters == filters for result in ours.results)
        assert (ours.missing, ours.failures) == (0, ())
        assert ours.pooled is not None
    small, large = (ours.parameters for ours in finished.done.rows)
    assert small is not None
    assert large is not None
    assert small < large


@pytest.mark.whole
def test_a_line_is_logged_of_every_training(finished: Finish) -> None:
    assert [line.split()[0] for line in finished.lines] == [f"{number}/8" for number in range(1, 9)]
    assert sorted(line.split()[1][:-1] for line in finished.lines) == sorted(
        f"{preset}-{what}" for preset in RECIPES if preset != "broken" for what in ("seed0", "seed1", *FOLDS)
    )
    assert all(" s; about " in line and line.endswith(" left") for line in finished.lines[:-1])
    assert "left" not in finished.lines[-1]


@pytest.mark.whole
def test_folds_together_score_the_pixels_of_both(finished: Finish) -> None:
    request, done = finished.request, finished.done
    dataset = read_dataset(request.data)
    _, *folds = split_parts(dataset, request)
    scored = np.concatenate([fold.validation for fold in folds])
    pixels = [int((dataset.masks[scored] == label).sum()) for label in range(5)]
    for ours in done.rows:
        assert ours.pooled is not None
        assert np.array(ours.pooled.confusion).sum(axis=1).tolist() == pixels


@pytest.mark.whole
def test_every_file_is_there(finished: Finish) -> None:
    request, done = finished.request, finished.done
    assert (request.out / "T9.md").read_text().startswith("# Table T9 beside ours")
    assert len((request.out / "T9.csv").read_text().splitlines()) == 3
    assert (request.out / "T9.png").read_bytes()[:4] == b"\x89PNG"
    for ours in done.rows:
        for result in ours.results:
            path = request.out / "runs" / f"{result.task.name}-{result.task.digest[:8]}.json"
            assert path == result_path(request.out / "runs", result.task)
            document = json.loads(path.read_text())
            assert document["best"]["miou"] == max(point["miou"] for point in document["curve"])
            assert document["last"]["miou"] == document["curve"][-1]["miou"]
            assert [point["number"] for point in document["curve"]] == [1, 2]
            assert document["best_epoch"] in (1, 2)
            assert f"filters: {result.task.recipe.model.network.filters}\n" in document["recipe"]


@pytest.mark.whole
def test_what_is_finished_is_not_trained_again(finished: Finish) -> None:
    request, done = finished.request, finished.done
    before, logs = stamps(request.out), list((request.out / "logs").iterdir())
    lines: list[str] = []
    (again,) = train([TABLE], request, lines)
    assert lines == ["8 of 8 trainings are there already"]
    assert repr(again) == repr(done)
    assert stamps(request.out) == before
    assert list((request.out / "logs").iterdir()) == logs  # no worker was started


@pytest.mark.whole
def test_only_what_is_missing_is_trained_and_gives_the_same(finished: Finish) -> None:
    request, done = finished.request, finished.done
    lost = next((request.out / "runs").glob("large-seed1-*"))
    confusion = json.loads(lost.read_text())["best"]["confusion"]
    lost.unlink()
    before = stamps(request.out)
    lines: list[str] = []
    again, broken = train([TABLE, BROKEN], request, lines)
    after = stamps(request.out)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {lost.name, *(name for name in after if name.startswith("broken"))}
    assert json.loads(lost.read_text())["best"]["confusion"] == confusion  # the same seed, the same network
    assert repr(again.rows[0]) == repr(done.rows[0])
    (ours,) = broken.rows
    assert len(ours.failures) == 4
    assert "lava" in ours.failures[0]
    assert sum("failed: SpaceError" in line for line in lines) == 4
    text = (request.out / "T0.md").read_text()
    assert "broken-seed0: SpaceError" in text
    assert "No row has all of its folds yet." in text


@pytest.mark.whole
def test_a_stop_keeps_what_is_there_and_says_what_is_missing(finished: Finish, tmp_path: Path) -> None:
    request, done = finished.request, finished.done
    stop = threading.Event()
    stop.set()
    longer = dataclasses.replace(request, budget=budget_of(seeds=3))
    (thin,) = reproduce([TABLE], longer, stop=stop, load=RECIPES.__getitem__)
    assert missing(thin) == 2
    assert repr(thin.rows[0].results) == repr(done.rows[0].results)
    assert "2 trainings are not done yet" in (request.out / "T9.md").read_text()
    empty = dataclasses.replace(request, out=tmp_path / "new")
    (nothing,) = reproduce([TABLE], empty, stop=stop, load=RECIPES.__getitem__)
    assert missing(nothing) == 8
    assert (tmp_path / "new" / "T9.png").exists()


def test_bad_requests_are_refused_before_anything_is_written(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match="--out"):
        train([TABLE], request_of(tiny_data, tmp_path / "taken"), [])
    with pytest.raises(UsageError, match="--device"):
        train([TABLE], request_of(tiny_data, tmp_path / "out", device="tpu"), [])
    assert not (tmp_path / "out").exists()


@pytest.mark.whole
def test_a_signal_stops_the_command_in_order(tiny_data: Path, tmp_path: Path) -> None:
    options = ("--table", "C1", "--epochs", "900", "--seeds", "1", "--width", "0.05", "--workers", "1")
    command = marsearch_command("reproduce", "--data", tiny_data, *options)
    with Running(command, cwd=tmp_path, env=environment()) as process:
        wait_for(process.workers)
        started = process.workers()
        left = process.stop(signal.SIGINT)
    assert left.returncode == 0, left
    assert "stopped; the same command again continues where it was" in left.stderr
    assert "Traceback" not in left.stderr
    assert left.stdout == (tmp_path / "reproduce" / "C1.md").read_text()
    assert "6 trainings are not done yet" in left.stdout
    psutil.wait_procs(started, timeout=LIMIT_S)
    assert not [child for child in started if child.is_running()]


# One training at a time, with a worker that only pretends.

Script = Callable[[Train], Iterator[Message]]


class PretendWorker:
    """A worker process that sends what its script yields."""

    script: Script

    def __init__(self, slot: DeviceSlot) -> None:
        self.slot = slot

    def __enter__(self) -> PretendWorker:
        return self

    def __exit__(self, *error: object) -> None: ...

    def next_job(self) -> int:
        return 1

    def train(self, job: Train) -> Iterator[Message]:
        return type(self).script(job)

    def stop_current(self) -> None: ...


def trained(
    number: int, miou: float, confusion: tuple[tuple[int, ...], ...] = CONFUSION, seconds: float = 2.0
) -> EpochEnd:
    record = EpochRecord(
        number=number,
        train_loss=1.0,
        validation_loss=1.0,
        miou=miou,
        miou_strict=miou,
        accuracy=0.7,
        iou=(0.5, None),
        confusion=confusion,
        lr=1e-3,
        seconds=seconds,
        memory_mb=1.0,
        parameters=9,
    )
    return EpochEnd(job=1, record=record)


def pretend(monkeypatch: pytest.MonkeyPatch, script: Script, names: list[str], stop: threading.Event) -> list[Result]:
    class Scripted(PretendWorker):
        pass

    Scripted.script = staticmethod(script)  # type: ignore[assignment,method-assign]
    monkeypatch.setattr(pool, "WorkerProcess", Scripted)
    tasks = [task(name, preset=name, part=part([0], [1])) for name in names]
    slot = DeviceSlot(name="slot 1", device="cpu", log=Path("log"))
    with tempfile.TemporaryDirectory() as folder:
        results = train_missing(tasks, [slot], folder=Path(folder), stop=stop)
    return list(results.values())


def test_the_best_epoch_counts_and_the_last_one_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(job: Train) -> Iterator[Message]:
        assert (job.objective, job.samples.train, job.samples.validation) == ("miou", (0,), (1,))
        yield trained(1, 0.6)
        yield trained(2, 0.1, confusion=((0, 4), (6, 0)))
        yield Finished(job=1, best=1)

    (result,) = pretend(monkeypatch, script, ["a"], threading.Event())
    assert result.best is not None
    assert (result.best_epoch, result.best.confusion) == (1, CONFUSION)
    assert result.as_dict()["last"].miou == 0
    assert (result.seconds, result.parameters, result.failure) == (4.0, 9, "")


def test_a_failed_training_is_recorded_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(job: Train) -> Iterator[Message]:
        yield trained(1, 0.6)
        yield Failed(job=1, reason="Diverged: the loss became nan in epoch 2", detail="")

    (result,) = pretend(monkeypatch, script, ["a"], threading.Event())
    assert (result.best, result.failure) == (None, "Diverged: the loss became nan in epoch 2")
    assert len(result.epochs) == 1
    assert result.final


def test_a_dead_worker_is_recorded_and_the_next_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = itertools.count()

    def script(job: Train) -> Iterator[Message]:
        yield trained(1, 0.6)
        if next(deaths) == 0:
            raise WorkerDied("killed by signal 9")
        yield Finished(job=1, best=1)

    first, second = pretend(monkeypatch, script, ["a", "b"], threading.Event())
    assert (first.failure, first.final) == ("killed by signal 9", False)
    assert second.failure == ""


def test_workers_that_only_die_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(job: Train) -> Iterator[Message]:
        raise WorkerDied("no such device")
        yield

    with pytest.raises(TrainingFailed, match="5 trainings in a row died, the last one with: no such device"):
        pretend(monkeypatch, script, [str(number) for number in range(9)], threading.Event())


@pytest.mark.parametrize("end", [Stopped(job=1), WorkerDied("the worker ended")])
def test_nothing_is_kept_of_a_training_that_was_stopped(
    monkeypatch: pytest.MonkeyPatch, end: Message | WorkerDied
) -> None:
    stop = threading.Event()

    def script(job: Train) -> Iterator[Message]:
        yield trained(1, 0.6)
        stop.set()
        if isinstance(end, WorkerDied):
            raise end
        yield end

    assert pretend(monkeypatch, script, ["a", "b"], stop) == []


def test_all_trainings_failed_is_a_failure(monkeypatch: pytest.MonkeyPatch, tiny_data: Path, tmp_path: Path) -> None:
    class Failing(PretendWorker):
        def train(self, job: Train) -> Iterator[Message]:
            yield Failed(job=1, reason="SpaceError: no such class", detail="")

    monkeypatch.setattr(pool, "WorkerProcess", Failing)
    with pytest.raises(TrainingFailed, match="all 8 trainings failed, the last one with: SpaceError: no such class"):
        train([TABLE], request_of(tiny_data, tmp_path), [])
    assert "SpaceError" in (tmp_path / "T9.md").read_text()


def test_a_stopped_reproduction_continues_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tiny_data: Path, tmp_path: Path
) -> None:
    asked: list[str] = []

    class Quick(PretendWorker):
        def train(self, job: Train) -> Iterator[Message]:
            asked.append(job.recipe)
            yield trained(1, 0.5, confusion=tuple(map(tuple, np.eye(5, dtype=int).tolist())))
            yield Finished(job=1, best=1)

    monkeypatch.setattr(pool, "WorkerProcess", Quick)
    request = request_of(tiny_data, tmp_path, workers=1)
    stop = threading.Event()
    with log_lines(lambda _: stop.set()):
        (thin,) = reproduce([TABLE], request, stop=stop, load=RECIPES.__getitem__)
    before = stamps(tmp_path)
    assert [name[:12] for name in before] == ["small-seed0-"]
    assert (missing(thin), len(asked)) == (7, 1)
    lines: list[str] = []
    (done,) = train([TABLE], request, lines)
    assert (missing(done), len(asked)) == (0, 8)
    assert lines[0] == "1 of 8 trainings are there already"
    assert lines[1].startswith("2/8  large-seed0: ")  # the first training of each row comes first
    assert {name: stamps(tmp_path)[name] for name in before} == before


# The parts alone.


def part(train: list[int], validation: list[int]) -> Part:
    return Part(
        train=tuple(train), validation=tuple(validation), train_clean=len(train), validation_clean=len(validation)
    )


def task(name: str, preset: str = "p", **changes: object) -> Task:
    values: dict[str, object] = {"recipe": Recipe(), "part": part([0, 1], [2]), "dataset": DATASET}
    return Task(name=name, preset=preset, **(values | changes))  # type: ignore[arg-type]


def test_a_digest_is_of_recipe_data_and_samples_but_not_of_the_name() -> None:
    digest = task("a").digest
    assert task("b").digest == digest
    others = [{"recipe": Recipe(seed=1)}, {"part": part([0, 3], [2])}, {"part": part([0, 1], [3])}]
    others.append({"dataset": dataclasses.replace(DATASET, digest="e")})
    assert len({digest, *(task("a", **other).digest for other in others)}) == 5


@pytest.mark.parametrize("preset", [row.preset for table in TABLES.values() for row in table.rows])
@pytest.mark.parametrize("width", [1.0, 0.5, 0.01])
def test_every_row_fits_every_budget(preset: str, width: float) -> None:
    plain = load_preset(preset)
    recipe = at_budget(plain, budget_of(epochs=7, width=width), 3)
    assert (recipe.optimisation.epochs, recipe.optimisation.patience, recipe.seed) == (7, 7, 3)
    assert recipe.model.network.filters == max(4, round(plain.model.network.filters * width))
    if width == 1.0:
        changes = {"optimisation": recipe.optimisation, "seed": 3}
        assert recipe == plain.model_copy(update=changes)


def test_the_background_network_is_narrowed_too() -> None:
    recipe = at_budget(Recipe(background=Background(filters=20)), budget_of(width=0.5), 0)
    assert recipe.background is not None
    assert recipe.background.filters == 10


def test_first_trainings_come_first() -> None:
    rows = [[task("a0"), task("a1"), task("a2")], [task("b0"), task("b1")]]
    assert [found.name for found in in_turn(rows)] == ["a0", "b0", "a1", "b1", "a2"]
    assert in_turn([]) == []


def test_the_time_left_goes_by_what_each_preset_took() -> None:
    tasks = [task("a0", "a"), task("a1", "a"), task("b0", "b"), task("b1", "b"), task("c0", "c")]

    def took(name: str, seconds: float, failure: str = "") -> Result:
        planned = next(task for task in tasks if task.name == name)
        epochs = (trained(1, 0.5, seconds=seconds).record,)
        best = 0 if failure else 1
        return Result(task=planned, device="cpu", epochs=epochs, best_epoch=best, failure=failure)

    results = {"a0": took("a0", 10.0), "b0": took("b0", 30.0)}
    assert seconds_left(tasks, results, 1) == 10 + 30 + 20  # c as the mean of both
    assert seconds_left(tasks, results, 2) == 30
    assert seconds_left(tasks, results, 8) == 20  # three trainings cannot use more than three workers
    assert seconds_left(tasks, {"a0": took("a0", 1.0, "out of memory")}, 1) == 0  # nothing is known yet


@settings(max_examples=examples(60), deadline=None)
@given(shows=st.lists(st.booleans(), min_size=1, max_size=40), data=st.data())
def test_a_subset_keeps_the_share_of_the_rarest_class(shows: list[bool], data: st.DataObject) -> None:
    masks = np.zeros((len(shows), 8, 8), np.uint8)
    masks[:, 4:] = 1
    masks[shows, 0, 0] = 2
    dataset = build_dataset(images=masks, masks=masks, class_names=("ground", "soil", "rock"), excluded=("ground",))
    samples = data.draw(st.lists(st.sampled_from(range(len(shows))), unique=True, min_size=1))
    count = data.draw(st.integers(1, len(samples)))
    seed = data.draw(st.integers(0, 9))
    chosen = choose_tiles(dataset, samples, count, seed=seed)
    assert len(chosen) == len(set(chosen)) == count
    assert set(chosen) <= set(samples)
    assert list(chosen) == sorted(chosen)
    rare, there = sum(shows[sample] for sample in chosen), sum(shows[sample] for sample in samples)
    assert abs(rare - count * there / len(samples)) <= 1
    assert (rare > 0) == (there > 0)
    assert chosen == choose_tiles(dataset, samples[::-1], count, seed=seed)


def test_the_rarest_class_counts_in_the_mean_and_is_there() -> None:
    masks = np.full((2, 8, 8), 3, np.uint8)
    masks[0, 0, 0], masks[1, 0, :2] = 0, 1
    dataset = build_dataset(images=masks, masks=masks, class_names=("a", "b", "c", "d"), excluded=("a",))
    assert rarest_class(dataset) == 1


def synthetic() -> Dataset:
    return synthesise(train=120, test=0, seed=4, height=16, width=32)


def test_the_parts_of_a_subset_are_clean_and_of_one_share() -> None:
    dataset = synthetic()
    parts = split_parts(dataset, request_of(Path("data.npz"), Path(), tiles=40, folds=3))
    contaminated = find_outliers(dataset, "mask")
    assert len(parts) == 4
    for part in parts:
        assert len(part.train) == 40
        assert len(part.validation) == round(40 / part.train_clean * part.validation_clean)
        assert not contaminated[list(part.train)].any()
        assert dataset.group is not None
        assert not set(dataset.group[list(part.train)]) & set(dataset.group[list(part.validation)])


def test_without_a_subset_the_recipe_cleans_for_itself() -> None:
    dataset = synthetic()
    (whole,) = split_parts(dataset, request_of(Path("data.npz"), Path(), tiles=None, folds=0))
    assert len(whole.train) > whole.train_clean
    assert len(whole.train) - whole.train_clean <= int(find_outliers(dataset, "mask").sum())
    (more,) = split_parts(dataset, request_of(Path("data.npz"), Path(), tiles=5000, folds=0))
    assert more == whole


# Report D's searches.


def test_the_space_of_d7_is_five_axes_and_holds_report_ds_best() -> None:
    space = bind(MARS, searches.space_text(budget_of(epochs=8, width=1.0)), epochs=8)
    assert {path for path in space.searched if path.startswith("model.")} == {f"model.{name}" for name in SEARCH_BEST}
    points = list(space.grid())
    assert len(points) == 108
    best = {f"model.{name}": value for name, value in SEARCH_BEST.items()}
    assert best in points
    recipe = space.recipe(best)
    plain = load_preset(SEARCH_PRESET)
    assert recipe.model == plain.model
    assert recipe.loss == plain.loss
    assert (recipe.optimisation.epochs, recipe.optimisation.patience) == (8, 8)


def test_a_narrow_space_of_d7_has_no_value_twice() -> None:
    points = list(bind(MARS, searches.space_text(budget_of(epochs=8, width=0.01)), epochs=8).grid())
    assert len(points) == 36
    assert all("model.filters" not in point or point["model.filters"] == 4 for point in points)


@pytest.mark.parametrize("seed", range(3))
def test_every_beginning_of_the_grids_order_is_even(seed: int) -> None:
    axes = {"filters": (8, 16, 32), "activation": ("relu", "elu", "silu"), "kernel": (3, 5), "dropout": (0.0, 0.2, 0.4)}
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    order = searches.spread_out(points, seed)
    assert sorted(map(repr, order)) == sorted(map(repr, points))
    for length in range(1, len(order) + 1):
        for axis, values in axes.items():
            counts = [sum(point[axis] == value for point in order[:length]) for value in values]
            assert max(counts) - min(counts) <= 2
    assert order == searches.spread_out(points, seed)
    assert order != searches.spread_out(points, seed + 1)


def test_the_three_studies_wait_with_the_same_budget(tiny_data: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    done = searches.search_again(request_of(tiny_data, tmp_path), 5, stop=stop)
    assert done.targets == {"random": 5, "grid": 5, "tpe": 5}
    assert done.tried.empty
    done = searches.search_again(request_of(tiny_data, tmp_path), 500, stop=stop)
    points = done.points
    assert done.targets == {"random": points, "grid": points, "tpe": points}  # no search trains a recipe twice
    store = open_store(f"sqlite:///{tmp_path / 'd7.db'}", str(tmp_path / "d7-artifacts"))
    studies = {study.study_name: study for study in optuna.get_all_study_summaries(store.trials)}
    store.close()
    assert sorted(name.split("-")[1] for name in studies) == ["grid", "random", "tpe"]
    grid = next(study for name, study in studies.items() if "grid" in name)
    assert grid.n_trials == points  # the first five are not enqueued twice
    assert "trials are not done yet" in (tmp_path / "D7.md").read_text()


@pytest.mark.long
@pytest.mark.timeout(900)  # nine trainings and seven processes that load torch
def test_d7_searches_three_ways_and_continues(tiny_data: Path, tmp_path: Path) -> None:
    request = request_of(tiny_data, tmp_path, epochs=1, width=0.25, workers=2)
    first = searches.search_again(request, 2, stop=threading.Event())
    assert [len(first.of(search)) for search in first.targets] == [2, 2, 2]
    more = searches.search_again(request, 3, stop=threading.Event())
    assert [len(more.of(search)) for search in more.targets] == [3, 3, 3]
    for search in first.targets:
        assert more.of(search)[:2].to_dict("records") == first.of(search).to_dict("records")
        assert more.best(search) is not None
    reference = more.best("report D")
    assert reference is not None
    assert reference["filters"] == 4
    text = (tmp_path / "D7.md").read_text()
    assert "| report D | 16-32-64-128 | relu | 3 | 4 | 0.2 |" in text
    assert len((tmp_path / "D7.csv").read_text().splitlines()) == 1 + 9 + 1
