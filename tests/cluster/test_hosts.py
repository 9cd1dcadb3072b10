"""The hosts of a cluster without a cluster: started, replaced, given up and stopped."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.cluster import hosts as module
from search.cluster.hosts import MOST_FAILURES, ClusterHosts, HostExit, HostProcess
from search.cluster.ray_cluster import Slots

WELL, FAILED = HostExit(status=0, last_line="finished"), HostExit(status=1, last_line="no such study")


def test_a_host_ends_with_what_it_said_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marsearch = tmp_path / "marsearch"
    marsearch.write_text("#!/bin/sh\necho 'stopped: 3 of 4 trials' >&2\necho 'next: marsearch work mars' >&2\n")
    marsearch.chmod(0o755)
    monkeypatch.setattr(module, "sys", SimpleNamespace(executable=str(marsearch), stderr=sys.stderr))
    assert HostProcess().run(("work", "mars"), {}).why == "stopped: 3 of 4 trials"


class RayError(Exception):
    """What Ray raises."""


class Reference:
    """What a method of an actor will return; nothing until it is set."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


class Actor:
    """A host that starts and ends when the test sets what its methods return."""

    def __init__(self) -> None:
        self.started, self.ended = Reference(), Reference()
        self.stops = 0
        self.killed = False
        self.machine = SimpleNamespace(remote=lambda: self.started)
        self.run = SimpleNamespace(remote=self._run)
        self.stop = SimpleNamespace(remote=self._stop)

    def _run(self, *command: Any) -> Reference:
        self.command = command
        return self.ended

    def _stop(self) -> None:
        self.stops += 1


class Ray:
    """As much of Ray's module as is used."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self) -> None:
        self.actors: list[Actor] = []

    def remote(self, **options: Any) -> Any:
        self.options = options
        return lambda kind: SimpleNamespace(remote=self._make)

    def wait(self, references: list[Reference], *, num_returns: int, timeout: float) -> tuple[list[Reference], list]:
        ready = [reference for reference in references if reference.value is not None]
        return ready, [reference for reference in references if reference.value is None]

    def get(self, reference: Reference, timeout: float) -> Any:
        if isinstance(reference.value, RayError):
            raise reference.value
        return reference.value

    def kill(self, actor: Actor) -> None:
        actor.killed = True

    def _make(self) -> Actor:
        self.actors.append(Actor())
        return self.actors[-1]


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.0)
    return Ray()


def hosts_of(ray: Ray, count: int = 1) -> ClusterHosts:
    return ClusterHosts(ray, Slots(count=count, room=count, cpus=2, gpus=0.5), ("work", "mars"), {"PGPASSWORD": "x"})


def end(hosts: ClusterHosts, actor: Actor, found: HostExit | RayError) -> None:
    actor.started.value, actor.ended.value = "node-1", found
    hosts.poll(0.0)


def test_each_slot_gets_a_host_with_its_part_of_a_node(ray: Ray) -> None:
    hosts = hosts_of(ray, 2)
    hosts.poll(0.0)
    assert [actor.command for actor in ray.actors] == [(("work", "mars"), {"PGPASSWORD": "x"})] * 2
    assert (ray.options["num_cpus"], ray.options["num_gpus"]) == (2, 0.5)
    hosts.poll(0.0)
    assert len(ray.actors) == 2
    assert hosts.alive()


def test_a_lost_host_is_replaced_and_its_node_is_named(ray: Ray, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    hosts = hosts_of(ray)
    hosts.poll(0.0)
    end(hosts, ray.actors[0], RayError("The actor died\nits node was lost"))
    hosts.poll(0.0)
    assert len(ray.actors) == 2
    assert ray.actors[0].killed
    assert [record.getMessage() for record in caplog.records] == [
        "slot 1 is on node-1",
        "slot 1 on node-1 ended (lost with its node or process: its node was lost): it begins anew",
    ]


def test_a_slot_whose_hosts_only_fail_is_given_up(ray: Ray, caplog: pytest.LogCaptureFixture) -> None:
    hosts = hosts_of(ray)
    for _ in range(MOST_FAILURES):
        hosts.poll(0.0)
        end(hosts, ray.actors[-1], FAILED)
    assert not hosts.alive()
    assert hosts.given_up == [FAILED]
    assert "slot 1 on node-1 ended badly 6 times (status 1: no such study): it is given up" in caplog.text


def test_hosts_that_end_well_are_followed_by_others_as_often_as_needed(ray: Ray) -> None:
    hosts = hosts_of(ray)
    for _ in range(2 * MOST_FAILURES):
        hosts.poll(0.0)
        end(hosts, ray.actors[-1], WELL)
    assert hosts.alive()
    assert len(ray.actors) == 2 * MOST_FAILURES


def test_a_stop_closes_slots_without_a_host_and_asks_the_others(ray: Ray) -> None:
    hosts = hosts_of(ray, 2)
    hosts.poll(0.0)
    ray.actors[0].started.value = "node-1"
    hosts.poll(0.0)
    hosts.stop()
    hosts.stop()
    assert (ray.actors[0].stops, ray.actors[1].stops) == (2, 0)
    assert ray.actors[1].killed  # it waits for room that nobody needs any more
    end(hosts, ray.actors[0], WELL)
    assert not hosts.alive()


def test_a_host_whose_start_failed_is_replaced(ray: Ray) -> None:
    hosts = hosts_of(ray)
    hosts.poll(0.0)
    ray.actors[0].started.value = ray.actors[0].ended.value = RayError("out of memory")
    hosts.poll(0.0)
    hosts.poll(0.0)
    assert len(ray.actors) == 2
    hosts.kill()
    assert ray.actors[1].killed
    assert not hosts.alive()
