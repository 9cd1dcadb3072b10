"""Every message survives the way over the pipe."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import pytest

from search.training.epoch import EpochRecord, read_records
from search.worker.protocol import (
    Checkpointing,
    EpochEnd,
    Failed,
    Finished,
    Message,
    Note,
    Ready,
    Resumed,
    Samples,
    Saved,
    Stop,
    Stopped,
    Train,
    from_line,
    to_line,
)


def record(number: int) -> EpochRecord:
    return EpochRecord(
        number=number,
        train_loss=0.5,
        validation_loss=0.25,
        miou=0.5,
        miou_strict=0.25,
        accuracy=0.75,
        iou=(None, 0.5),
        confusion=((1, 2), (3, 4)),
        lr=1e-3,
        seconds=1.5,
        memory_mb=3.0,
        parameters=10,
        last=number == 3,
    )


MESSAGES = [
    Ready(),
    Train(
        job=1,
        recipe="model: {}\n",
        samples=Samples(path="/d.npz", train=(1, 2), validation=(3,), panel=(3,)),
        out="/o",
        device="cpu",
        objective="miou",
    ),
    Stop(job=2),
    EpochEnd(job=2, record=record(3)),
    Resumed(job=2, history=(record(1), record(2))),
    Saved(job=1, epoch=2),
    Note(job=1, text="the disk is full"),
    Finished(job=1, best=2),
    Stopped(job=1),
    Failed(job=1, reason="out of memory: é", detail="a\nb", kind="memory"),
]


TRAIN = MESSAGES[1]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_is_one_line_and_comes_back_equal(message: Message) -> None:
    line = to_line(message)
    assert line.count("\n") == 1
    assert from_line(line) == message


def test_a_number_that_is_undefined_stays_so() -> None:
    found = from_line(to_line(EpochEnd(job=2, record=replace(record(3), miou=math.nan, train_loss=math.inf))))
    assert isinstance(found, EpochEnd)
    assert math.isnan(found.record.miou)
    assert replace(found.record, miou=0.5) == replace(record(3), train_loss=math.inf)


BAD_LINES = [
    "",
    "{}",
    "[]",
    '{"message": "Shout"}',
    '{"message": ["Stop"]}',
    "not json",
    '{"message": "Stop"}',
    '{"message": "Stop", "job": 1, "x": 2}',
    '{"message": "EpochEnd", "job": 1, "record": {"number": 1}}',
    '{"message": "EpochEnd", "job": 1, "record": [1]}',
    '{"message": "Resumed", "job": 1, "history": 7}',
    to_line(MESSAGES[3]).replace('"number": 3', '"number": 3, "x": 2'),
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"message|JSON|Expecting|validation"):
        from_line(line)


def test_half_a_line_of_a_killed_child_is_refused() -> None:
    line = to_line(MESSAGES[3])
    for length in range(0, len(line) - 1, 7):
        with pytest.raises(ValueError, match=r"."):
            from_line(line[:length])


def test_a_job_has_no_checkpoints_unless_it_says_so() -> None:
    assert isinstance(TRAIN, Train)
    assert TRAIN.checkpoint == Checkpointing(path="", resume="", seconds=10.0)


def test_a_checkpoint_tells_of_its_epochs() -> None:
    said = Resumed(job=7, history=(record(1), record(2)))
    assert said.epoch == 2


def as_json(*records: EpochRecord, **changes: object) -> list[dict[str, object]]:
    return json.loads(json.dumps([asdict(record) | changes for record in records]))


def test_the_curve_of_a_checkpoint_is_read() -> None:
    assert read_records(as_json(record(1), record(2))) == (record(1), record(2))
    assert read_records([]) == ()


FIRST = {  # the fields that an epoch had in the first version
    *("number", "train_loss", "validation_loss", "miou", "miou_strict", "accuracy", "iou", "confusion"),
    *("lr", "seconds", "memory_mb", "parameters", "last"),
}


def test_a_curve_of_the_first_version_is_read_by_this_one() -> None:
    """A field that came later has a default; one that is unknown here, of a later version, is left out."""
    older = [{name: fields[name] for name in FIRST} for fields in as_json(record(1))]
    assert read_records(older) == (record(1),)
    assert read_records(as_json(record(1), a_later_field=1)) == (record(1),)


@pytest.mark.parametrize("name", ["accuracy", "iou", "confusion", "parameters", "last"])
def test_a_curve_that_lacks_a_field_with_a_default_is_read(name: str) -> None:
    (fields,) = as_json(record(1))
    del fields[name]
    (found,) = read_records([fields])
    assert found == replace(record(1), **{name: getattr(found, name)})


BAD_CURVES = [None, "text", {}, [1], as_json(record(2)), as_json(record(1)) * 2, [{"number": 1}]]


@pytest.mark.parametrize("history", BAD_CURVES, ids=repr)
def test_a_curve_with_a_gap_or_of_something_else_is_refused(history: object) -> None:
    with pytest.raises(ValueError, match=r"epochs|fields"):
        read_records(history)
