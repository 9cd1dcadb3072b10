from __future__ import annotations

import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, make_dataclass, replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from search.training.epoch import EpochRecord
from storage.artifacts.artifact_store import exists
from storage.errors import StudyError
from storage.store import Store
from storage.studies.attempts import KeptWeights, drop_weights, finish_run, kept_weights, runs, start_run
from storage.studies.epochs import add_epoch, curve, stored_fields
from storage.studies.studies import StudyConfig, create_study

ROW = EpochRecord(
    number=1,
    train_loss=0.5,
    validation_loss=math.inf,
    miou=0.625,
    miou_strict=0.476,
    accuracy=0.75,
    iou=(0.1, None, 1 / 3),
    lr=1e-3,
    seconds=1.25,
    memory_mb=512.0,
)


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def _start(store: Store, trial: int = 0, device: str = "cpu") -> int:
    return start_run(store, study="mars", trial=trial, worker="w1", device=device)


def _same(one: tuple[EpochRecord, ...], other: tuple[EpochRecord, ...]) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def test_a_curve_comes_back_in_order_with_its_gaps(mars: Store) -> None:
    run = _start(mars)
    rows = tuple(replace(ROW, number=number, train_loss=math.nan if number == 2 else 0.5) for number in (1, 2, 3))
    for row in reversed(rows):
        add_epoch(mars, run, row)
    assert _same(curve(mars, "mars", 0, EpochRecord), rows)


def test_an_epoch_written_twice_is_there_once_with_the_last_numbers(mars: Store) -> None:
    run = _start(mars)
    add_epoch(mars, run, ROW)
    add_epoch(mars, run, ROW)
    assert len(curve(mars, "mars", 0, EpochRecord)) == 1
    add_epoch(mars, run, replace(ROW, miou=0.7, iou=(0.2,)))
    assert [(row.miou, row.iou) for row in curve(mars, "mars", 0, EpochRecord)] == [(0.7, (0.2,))]


def test_a_trial_has_one_run_and_a_curve_of_its_own(mars: Store) -> None:
    first, other = _start(mars), _start(mars, trial=1)
    assert first < other
    add_epoch(mars, first, replace(ROW, number=5))
    add_epoch(mars, other, ROW)
    assert _start(mars) == first
    assert len(runs(mars, "mars")) == 2
    assert [row.number for row in curve(mars, "mars", 0, EpochRecord)] == [5]
    assert [row.number for row in curve(mars, "mars", 1, EpochRecord)] == [1]
    assert curve(mars, "mars", 2, EpochRecord) == ()


def test_eight_threads_that_start_the_same_run_share_it(mars: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: _start(mars, trial=3), range(16)))) == 1
    assert len(runs(mars, "mars")) == 1


def test_a_run_is_recorded_from_start_to_end(mars: Store) -> None:
    before = datetime.now(UTC)
    run = _start(mars, trial=3, device="cuda:0")
    (begun,) = runs(mars, "mars")
    assert (begun.id, begun.trial, begun.worker, begun.device) == (run, 3, "w1", "cuda:0")
    assert (begun.state, begun.reason, begun.value, begun.weights_artifact) == ("running", "", None, "")
    assert begun.finished is None
    finish_run(mars, run, state="pruned", reason="rung 2", value=0.5, parameters=5_000_000_000, weights_artifact="w")
    (ended,) = runs(mars, "mars")
    assert (ended.state, ended.reason, ended.value) == ("pruned", "rung 2", 0.5)
    assert (ended.parameters, ended.weights_artifact) == (5_000_000_000, "w")
    assert ended.started == begun.started
    assert ended.finished is not None
    assert before <= ended.started <= ended.finished <= datetime.now(UTC)


def test_a_value_that_is_not_a_number_is_none(mars: Store) -> None:
    run = _start(mars)
    finish_run(mars, run, state="failed", value=math.nan)
    assert runs(mars, "mars")[0].value is None


def test_runs_of_other_studies_are_not_seen(mars: Store, plan: StudyConfig) -> None:
    create_study(mars, replace(plan, study="venus"))
    start_run(mars, study="venus", trial=0, worker="w", device="cpu")
    assert runs(mars, "mars") == ()
    assert len(runs(mars, "venus")) == 1


def test_weights_are_listed_best_first_and_dropped_with_their_file(mars: Store) -> None:
    for trial, value in enumerate((0.3, None, 0.9, 0.3)):
        run = _start(mars, trial=trial)
        mars.artifacts.write(f"weights-{run}", io.BytesIO(b"weights"))
        finish_run(mars, run, state="complete", value=value, weights_artifact=f"weights-{run}")
    finish_run(mars, _start(mars, trial=4), state="complete", value=1.0)
    kept = kept_weights(mars, "mars")
    assert [weights.trial for weights in kept] == [2, 0, 3, 1]
    best = kept[0]
    assert best == KeptWeights(run=best.run, trial=2, artifact=f"weights-{best.run}", value=0.9)
    drop_weights(mars, best.run)
    assert not exists(mars.artifacts, best.artifact)
    assert [weights.trial for weights in kept_weights(mars, "mars")] == [0, 3, 1]
    drop_weights(mars, best.run)
    mars.artifacts.remove(kept[1].artifact)
    drop_weights(mars, kept[1].run)
    assert [weights.trial for weights in kept_weights(mars, "mars")] == [3, 1]
    assert runs(mars, "mars")[2].value == 0.9


def test_what_is_unknown_is_refused(mars: Store) -> None:
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        start_run(mars, study="venus", trial=0, worker="w", device="cpu")
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        runs(mars, "venus")
    with pytest.raises(StudyError, match="no run 77"):
        finish_run(mars, 77, state="complete")
    with pytest.raises(IntegrityError):
        add_epoch(mars, 77, ROW)
    drop_weights(mars, 77)


NUMBERS = (math.nan, math.inf, -math.inf, 0.0, 5e-324, -2.2e-308, 1.7976931348623157e308, 0.1, 1 / 3, math.pi)


def test_every_number_survives_the_way_through_the_database(mars: Store) -> None:
    run = _start(mars)
    rows = tuple(replace(ROW, number=n, lr=x, miou=x, seconds=x / 3) for n, x in enumerate(NUMBERS, start=1))
    for row in rows:
        add_epoch(mars, run, row)
    assert _same(curve(mars, "mars", 0, EpochRecord), rows)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A record of the caller's own, with a field that no column has."""

    number: int
    train_loss: float
    iou: tuple[float | None, ...] = ()
    note: str = "none"


def test_any_record_is_kept_as_far_as_it_has_columns(mars: Store) -> None:
    add_epoch(mars, _start(mars), Loss(number=1, train_loss=0.5, note="lost"))
    assert curve(mars, "mars", 0, Loss) == (Loss(number=1, train_loss=0.5),)


def test_a_record_that_could_not_be_read_again_is_refused(mars: Store) -> None:
    kind = make_dataclass("Kind", [("number", int), ("grip", float)])
    with pytest.raises(TypeError, match=r"Kind\.grip has neither a column nor a default"):
        add_epoch(mars, _start(mars), kind(number=1, grip=0.5))


def test_what_is_measured_of_an_epoch_has_a_column() -> None:
    """All but the confusion matrix, which is large, what the attempt's own row says, and where the training ends."""
    assert {field.name for field in fields(EpochRecord)} - set(stored_fields(EpochRecord)) == {
        "confusion",
        "parameters",
        "last",
    }
