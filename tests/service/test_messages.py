"""Every message survives the way over the pipe."""

from __future__ import annotations

import json

import pytest

from search.service.messages import Failed, Finished, Ready, Stop, Stopped, Train, Trained, from_line, to_line

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
    Trained(
        job=1,
        number=2,
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
    ),
    Finished(job=1, best=2),
    Stopped(job=1),
    Failed(job=1, reason="out of memory: é", detail="a\nb"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_a_message_is_one_line_and_comes_back_equal(message: object) -> None:
    line = to_line(message)  # type: ignore[arg-type]
    assert line.count("\n") == 1
    assert from_line(line) == message


@pytest.mark.parametrize("line", ["{}", "[]", '{"kind": "Shout"}', "not json"])
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises((ValueError, json.JSONDecodeError)):
        from_line(line)
