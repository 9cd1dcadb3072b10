"""What each slot of a cluster gets, and what all hosts of it must reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cluster.ray_cluster import Node, Slots, environment_of, size_slots
from search.errors import UsageError
from search.settings import read_settings


def cpus(*counts: float) -> list[Node]:
    return [Node(address=f"10.0.0.{number}", cpus=count, gpus=0) for number, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("nodes", "workers", "per_gpu", "expected"),
    [
        (cpus(2, 2), 4, None, Slots(count=4, room=4, cpus=1, gpus=0)),
        (cpus(2, 2), None, None, Slots(count=2, room=2, cpus=2, gpus=0)),
        (cpus(1), None, None, Slots(count=1, room=1, cpus=1, gpus=0)),
        (cpus(0, 8), 2, None, Slots(count=2, room=2, cpus=4, gpus=0)),  # a head that only heads
        (cpus(8, 2), 3, None, Slots(count=3, room=5, cpus=2, gpus=0)),
        (cpus(2, 2), 5, None, Slots(count=5, room=4, cpus=1, gpus=0)),  # the fifth waits
        ([], None, None, Slots(count=1, room=0, cpus=1, gpus=0)),  # a cluster that grows on demand
        ([Node(address="a", cpus=32, gpus=4)], None, None, Slots(count=4, room=4, cpus=8, gpus=1)),
        ([Node(address="a", cpus=32, gpus=4)], None, 2, Slots(count=8, room=8, cpus=4, gpus=0.5)),
        ([Node(address="a", cpus=32, gpus=4)], None, 4, Slots(count=16, room=16, cpus=2, gpus=0.25)),
        ([Node(address="a", cpus=32, gpus=4)], 3, 0, Slots(count=3, room=3, cpus=10, gpus=0)),
        ([Node(address="a", cpus=9, gpus=1)], None, 3, Slots(count=3, room=3, cpus=3, gpus=1 / 3)),
        (cpus(8), 2, 1, Slots(count=2, room=0, cpus=1, gpus=1)),
    ],
)
def test_slots_share_the_cluster(nodes: list[Node], workers: int | None, per_gpu: int | None, expected: Slots) -> None:
    assert size_slots(nodes, workers, per_gpu) == expected


def test_every_host_is_told_the_same_absolute_places_and_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    told = {"PGPASSWORD": "sesame", "AWS_ACCESS_KEY_ID": "key", "HOME": "/root", "MARSEARCH_EPOCH_LIMIT": "60"}
    settings = read_settings({"MARSEARCH_STORAGE": "postgresql://db/mars", "MARSEARCH_ARTIFACTS": "s3://bucket/mars"})
    assert environment_of(settings, cpus(2, 2), told) == {
        "PGPASSWORD": "sesame",
        "AWS_ACCESS_KEY_ID": "key",
        "MARSEARCH_EPOCH_LIMIT": "60",
        "MARSEARCH_HOME": "/runs",
        "MARSEARCH_STORAGE": "postgresql://db/mars",
        "MARSEARCH_ARTIFACTS": "s3://bucket/mars",
    }


def test_one_machine_may_have_everything_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    two_on_one = [Node(address="10.0.0.1", cpus=2, gpus=0)] * 2
    told = environment_of(read_settings({}), two_on_one, {})
    assert told["MARSEARCH_STORAGE"] == f"sqlite:///{tmp_path}/runs/marsearch.db"
    assert told["MARSEARCH_ARTIFACTS"] == f"{tmp_path}/runs/artifacts"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "MARSEARCH_STORAGE=sqlite:.*a file that 2 machines cannot share, a PostgreSQL URL"),
        ({"MARSEARCH_STORAGE": "postgresql://u:pw@db/x"}, "MARSEARCH_ARTIFACTS=runs/artifacts: another folder on each"),
    ],
)
def test_what_several_machines_cannot_share_is_refused(variables: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        environment_of(read_settings(variables), cpus(2, 2), {})
    assert "pw" not in str(caught.value)
