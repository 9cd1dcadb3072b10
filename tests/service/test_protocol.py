"""Every message survives the way over the pipe."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from search.worker.protocol import (
    Failed,
    Finished,
    Message,
    Note,
    Ready,
    Resumed,
    Saved,
    Stop,
    Stopped,
    Train,
    Trained,
    from_line,
    to_line,
    trained_epochs,
)


def trained(number: int, job: int = 1) -> Trained:
    return Trained(
        job=job,
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
        improved=True,
        last=False,
    )


MESSAGES = [
    Ready(),
    Train(
        job=1,
        recipe="model: {}\n",
        data="/d.npz",
        train=(1, 2),
        validation=(3,),
        panel=(3,),
        out="/o",
        device="cpu",
        objective="miou",
    ),
    Stop(job=2),
    trained(2),
    Resumed(job=2, epoch=2, history=(asdict(trained(1)), asdict(trained(2))), seconds=3.0),
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
    again = from_line(line)
    if isinstance(message, Resumed):  # its history holds fields as JSON has them
        assert isinstance(again, Resumed)
        assert (again.job, again.epoch, again.seconds) == (message.job, message.epoch, message.seconds)
        assert again.epochs() == message.epochs()
    else:
        assert again == message


BAD_LINES = [
    "",
    "{}",
    "[]",
    '{"message": "Shout"}',
    "not json",
    '{"message": "Stop"}',
    '{"message": "Stop", "job": 1, "x": 2}',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"message|JSON|Expecting"):
        from_line(line)


def test_half_a_line_of_a_killed_child_is_refused() -> None:
    line = to_line(MESSAGES[3])
    for length in range(0, len(line) - 1, 7):
        with pytest.raises(ValueError, match=r"."):
            from_line(line[:length])


def test_a_job_without_checkpoints_is_what_it_was() -> None:
    assert isinstance(TRAIN, Train)
    assert (TRAIN.checkpoint, TRAIN.resume, TRAIN.checkpoint_seconds) == ("", "", 10.0)


def test_a_curve_becomes_messages_of_the_new_job() -> None:
    said = Resumed(job=7, epoch=2, history=(asdict(trained(1)), asdict(trained(2))), seconds=3.0)
    assert said.epochs() == (trained(1, job=7), trained(2, job=7))


BAD_CURVES = [None, "text", {}, [1], [asdict(trained(2))], [asdict(trained(1))] * 2, [{"number": 1}]]


@pytest.mark.parametrize("history", BAD_CURVES, ids=repr)
def test_a_curve_with_a_gap_or_of_something_else_is_refused(history: object) -> None:
    with pytest.raises(ValueError, match=r"epochs|fields"):
        trained_epochs(history, 1)
