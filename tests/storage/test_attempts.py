"""Attempts and epochs: claimed with the trial, settled once and by its host only, curves complete, weights kept."""

from __future__ import annotations

import io
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, make_dataclass, replace

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError

from search.training.epoch import EpochRecord
from storage.artifacts.artifact_store import exists
from storage.database.optuna_schema import study_id_of, trial_id_of
from storage.errors import StudyError
from storage.store import Store
from storage.studies.attempts import (
    LOST,
    Ending,
    Holder,
    attempts,
    claim_trial,
    drop_weights,
    kept_weights,
    note_weights,
    rank,
    settle,
)
from storage.studies.config import StudyConfig
from storage.studies.epochs import add_epoch, curve, stored_fields
from storage.studies.studies import create_study
from storage.trials.retries import earlier_attempts, reclaim
from storage.trials.trial_storage import sample_at_most
from support.studies import EPOCH, begin, end

ROW = replace(EPOCH, validation_loss=math.inf, iou=(0.1, None, 1 / 3))


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def trials_of(store: Store, study: str = "mars") -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=study, storage=store.trials).get_trials()


def _same(one: tuple[EpochRecord, ...], other: tuple[EpochRecord, ...]) -> bool:
    return repr(one) == repr(other)  # NaN is not equal to itself


def test_a_curve_comes_back_in_order_with_its_gaps(mars: Store) -> None:
    trial = trial_id_of(begin(mars))
    rows = tuple(replace(ROW, number=number, train_loss=math.nan if number == 2 else 0.5) for number in (1, 2, 3))
    for row in reversed(rows):
        add_epoch(mars, trial, row)
    assert _same(curve(mars, "mars", 0, EpochRecord), rows)


def test_an_epoch_written_twice_is_there_once_with_the_last_numbers(mars: Store) -> None:
    trial = trial_id_of(begin(mars))
    add_epoch(mars, trial, ROW)
    add_epoch(mars, trial, ROW)
    assert len(curve(mars, "mars", 0, EpochRecord)) == 1
    add_epoch(mars, trial, replace(ROW, miou=0.7, iou=(0.2,)))
    assert [(row.miou, row.iou) for row in curve(mars, "mars", 0, EpochRecord)] == [(0.7, (0.2,))]


def test_each_trial_has_one_attempt_and_a_curve_of_its_own(mars: Store) -> None:
    first, other = begin(mars), begin(mars)
    add_epoch(mars, trial_id_of(first), replace(ROW, number=5))
    add_epoch(mars, trial_id_of(other), ROW)
    assert [found.trial for found in attempts(mars, "mars")] == [0, 1]
    assert [row.number for row in curve(mars, "mars", 0, EpochRecord)] == [5]
    assert [row.number for row in curve(mars, "mars", 1, EpochRecord)] == [1]
    assert curve(mars, "mars", 2, EpochRecord) == ()


def test_eight_threads_claim_every_waiting_trial_once_each_with_its_attempt(mars: Store) -> None:
    study = optuna.load_study(study_name="mars", storage=mars.trials)
    for value in range(12):
        study.enqueue_trial({"x": value / 20})
    sample_at_most(mars.trials, study_id_of(study), 12)

    def claim(host: int) -> int:
        own = optuna.load_study(study_name="mars", storage=mars.trials)
        claimed = 0
        while claim_trial(own, Holder(host=f"h{host}", device="cpu")) is not None:
            claimed += 1
        return claimed

    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(claim, range(8)))
    assert sum(claimed) == 12
    found = attempts(mars, "mars")
    assert [attempt.trial for attempt in found] == list(range(12))
    assert Counter(attempt.host for attempt in found) == Counter({f"h{n}": c for n, c in enumerate(claimed) if c})


def test_an_attempt_is_recorded_from_claim_to_settlement(mars: Store) -> None:
    trial = begin(mars, device="cuda:0")
    (begun,) = attempts(mars, "mars")
    assert (begun.trial_id, begun.trial, begun.host, begun.device) == (trial_id_of(trial), 0, "w", "cuda:0")
    assert (begun.state, begun.reason, begun.value, begun.weights_artifact) == ("running", "", None, "")
    assert begun.finished is None
    known = {"reason": "rung 2", "value": 0.5, "parameters": 5_000_000_000, "weights_artifact": "w"}
    assert end(mars, trial, state="pruned", **known)
    (ended,) = attempts(mars, "mars")
    assert (ended.state, ended.reason, ended.value) == ("pruned", "rung 2", 0.5)
    assert (ended.parameters, ended.weights_artifact) == (5_000_000_000, "w")
    assert ended.started == begun.started
    assert ended.finished is not None
    assert ended.started <= ended.finished
    (told,) = trials_of(mars)
    assert (told.state, told.value, told.user_attrs["reason"]) == (TrialState.PRUNED, 0.5, "rung 2")


@pytest.mark.parametrize("state", ["complete", "pruned", "failed", "retried"])
def test_a_settlement_that_is_repeated_changes_nothing_and_answers_the_same(mars: Store, state: str) -> None:
    trial = begin(mars)
    ending = Ending(state=state, value=0.5 if state == "complete" else None, reason="so")  # type: ignore[arg-type]
    frozen = mars.trials.get_trial(trial_id_of(trial))
    for _ in range(3):
        assert settle(mars, trial.study, frozen, "w", ending)
    assert len(trials_of(mars)) == (2 if state == "retried" else 1)
    assert [found.state for found in attempts(mars, "mars")] == [state]


def test_a_failure_that_is_retried_and_its_retry_are_one_step(mars: Store) -> None:
    trial = begin(mars)
    trial.suggest_float("x", 0, 1)
    assert end(mars, trial, state="retried", reason="out of memory", traceback="line 7", fault="own")
    failed, retry = trials_of(mars)
    assert (failed.state, failed.user_attrs["reason"]) == (TrialState.FAIL, "out of memory")
    assert failed.user_attrs["traceback"] == "line 7"
    assert (retry.state, retry.params, earlier_attempts(retry)) == (TrialState.WAITING, failed.params, [0])
    assert (retry.system_attrs["own_failures"], retry.user_attrs) == (1, {})
    again = begin(mars)
    assert again.number == retry.number


def test_a_trial_that_was_reclaimed_cannot_be_settled_by_its_old_host(mars: Store) -> None:
    trial = begin(mars)
    study_id = study_id_of(trial.study)
    assert reclaim(mars.trials, study_id, mars.trials.get_trial(trial_id_of(trial)), "silent")
    assert not end(mars, trial, state="complete", value=0.9)
    lost, retry = trials_of(mars)
    assert (lost.state, lost.value, retry.state) == (TrialState.FAIL, None, TrialState.WAITING)
    assert [found.state for found in attempts(mars, "mars")] == [LOST]
    assert begin(mars, host="other").number == retry.number
    assert [found.host for found in attempts(mars, "mars")] == ["w", "other"]


def test_another_host_cannot_settle_a_trial(mars: Store) -> None:
    trial = begin(mars)
    assert not end(mars, trial, host="other", state="complete", value=0.9)
    assert trials_of(mars)[0].state is TrialState.RUNNING
    assert end(mars, trial, state="complete", value=0.5)


def test_attempts_of_other_studies_are_not_seen(mars: Store, plan: StudyConfig) -> None:
    create_study(mars, replace(plan, study="venus"))
    begin(mars, "venus")
    assert attempts(mars, "mars") == ()
    assert len(attempts(mars, "venus")) == 1


def test_weights_are_listed_best_first_and_dropped_with_their_file(mars: Store) -> None:
    for value in (0.3, None, 0.9, 0.3):
        trial = begin(mars)
        mars.artifacts.write(f"weights-{trial.number}", io.BytesIO(b"weights"))
        assert end(mars, trial, state="complete", value=value, weights_artifact=f"weights-{trial.number}")
    assert end(mars, begin(mars), state="complete", value=1.0)
    kept = kept_weights(mars, "mars")
    assert [weights.trial for weights in kept] == [2, 0, 3, 1]
    best = kept[0]
    assert (best.artifact, best.value) == ("weights-2", 0.9)
    drop_weights(mars, best.trial_id)
    assert not exists(mars.artifacts, best.artifact)
    assert [weights.trial for weights in kept_weights(mars, "mars")] == [0, 3, 1]
    drop_weights(mars, best.trial_id)
    mars.artifacts.remove(kept[1].artifact)
    drop_weights(mars, kept[1].trial_id)
    assert [weights.trial for weights in kept_weights(mars, "mars")] == [3, 1]
    assert attempts(mars, "mars")[2].value == 0.9


def test_of_equal_weights_those_of_the_best_trial_are_kept_first(mars: Store) -> None:
    for parameters in (0, 300, 100, 100):
        trial = begin(mars)
        name = f"weights-{trial.number}"
        assert end(mars, trial, state="complete", value=0.5, weights_artifact=name, parameters=parameters)
    kept = kept_weights(mars, "mars")
    assert [weights.trial for weights in kept] == [2, 3, 1, 0]
    assert kept[0].rank == rank(0.5, 100, 2)


def test_late_weights_are_noted_at_complete_attempts_only(mars: Store) -> None:
    done, going = begin(mars), begin(mars)
    assert end(mars, done, state="complete", value=0.5)
    assert note_weights(mars, trial_id_of(done), "late")
    assert not note_weights(mars, trial_id_of(going), "late")
    assert not note_weights(mars, 77, "late")
    assert [weights.trial for weights in kept_weights(mars, "mars")] == [0]


def test_what_is_unknown_is_refused(mars: Store) -> None:
    for read in (attempts, kept_weights):
        with pytest.raises(StudyError, match="unknown study 'venus'"):
            read(mars, "venus")  # type: ignore[operator]
    with pytest.raises(IntegrityError):
        add_epoch(mars, 77, ROW)
    drop_weights(mars, 77)


NUMBERS = (math.nan, math.inf, -math.inf, 0.0, 5e-324, -2.2e-308, 1.7976931348623157e308, 0.1, 1 / 3, math.pi)


def test_every_number_survives_the_way_through_the_database(mars: Store) -> None:
    trial = trial_id_of(begin(mars))
    rows = tuple(replace(ROW, number=n, lr=x, miou=x, seconds=x / 3) for n, x in enumerate(NUMBERS, start=1))
    for row in rows:
        add_epoch(mars, trial, row)
    assert _same(curve(mars, "mars", 0, EpochRecord), rows)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A record of the caller's own, with a field that no column has."""

    number: int
    train_loss: float
    iou: tuple[float | None, ...] = ()
    note: str = "none"


def test_any_record_is_kept_as_far_as_it_has_columns(mars: Store) -> None:
    add_epoch(mars, trial_id_of(begin(mars)), Loss(number=1, train_loss=0.5, note="lost"))
    assert curve(mars, "mars", 0, Loss) == (Loss(number=1, train_loss=0.5),)


def test_a_record_that_could_not_be_read_again_is_refused(mars: Store) -> None:
    kind = make_dataclass("Kind", [("number", int), ("grip", float)])
    with pytest.raises(TypeError, match=r"Kind\.grip has neither a column nor a default"):
        add_epoch(mars, trial_id_of(begin(mars)), kind(number=1, grip=0.5))


def test_what_is_measured_of_an_epoch_has_a_column() -> None:
    """All but the confusion matrix, which is large, what the attempt's own row says, and where the training ends."""
    assert {field.name for field in fields(EpochRecord)} - set(stored_fields(EpochRecord)) == {
        "confusion",
        "parameters",
        "last",
    }
