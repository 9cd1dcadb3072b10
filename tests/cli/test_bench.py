"""`marsearch bench` measures trainings by worker processes and says what to do with the numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.cli import answer
from search.commands import bench
from search.commands.bench import Bench, Rate, _counts
from search.training.fit import STATISTICS_IMAGES
from search.worker.devices import DeviceSlot
from spaces import load_preset
from storage.data.quality.examination import examine
from storage.data.synthetic import synthesise
from support.driver import Card, Driver


def rate(workers: int, epoch_s: float) -> Rate:
    return Rate(workers=workers, threads=1, epoch_s=epoch_s, images=100.0)


def measured(*rates: Rate, gpus: int = 0) -> Bench:
    return Bench(device="8 cores", gpus=gpus, epochs=30, parameters=1000, overhead_s=6.0, rates=rates)


def test_a_night_is_what_all_workers_end_in_eight_hours() -> None:
    found = measured(rate(2, 3.8))
    assert found.trial_s(found.rates[0]) == pytest.approx(120.0)
    assert found.night(found.rates[0]) == pytest.approx(480.0)


def test_more_workers_are_suggested_only_where_they_end_clearly_more_trials() -> None:
    assert measured(rate(1, 4.0), rate(2, 8.0)).best.workers == 1
    assert measured(rate(1, 4.0), rate(2, 6.0)).best.workers == 2
    assert measured(rate(1, 4.0), rate(2, 8.0), rate(4, 20.0)).best.workers == 1


def test_what_is_suggested_is_an_option_of_work() -> None:
    assert measured(rate(1, 4.0), rate(2, 6.0)).suggested == "--workers 2"
    assert measured(rate(2, 4.0), rate(4, 6.0), gpus=2).suggested == "--per-gpu 2"
    assert measured(rate(3, 4.0), gpus=2).suggested == "--workers 3"


def test_the_numbers_of_workers_follow_the_devices(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for module in ("search.commands.bench", "search.worker.devices"):
        monkeypatch.setattr(f"{module}.cores", lambda: 6)
        monkeypatch.setattr(f"{module}.free_gb", lambda: 13.0)
    assert _counts("cpu", tmp_path, 2.0) == [1, 3, 6]
    assert _counts("cpu", tmp_path, 3.0) == [1, 2, 4]  # memory has room for no more
    assert _counts("cpu", tmp_path, 20.0) == [1]
    driver(Card(uuid="GPU-1"), Card(uuid="GPU-2"))
    assert _counts("auto", tmp_path, 2.0) == [2, 4]


@pytest.mark.parametrize(("seconds", "images"), [(0.5, 256), (1.0, 160), (60.0, 128)])
def test_slow_machines_measure_epochs_of_fewer_images(
    seconds: float, images: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """seconds: of an epoch of 32 images. What is known is told after each number of workers."""
    dataset = synthesise(train=800, test=0, seed=0, height=16, width=16)
    split = examine(dataset, "tiles", clean="none", seed=0).split
    measured_on: list[int] = []

    def rated(work: Any, slots: Sequence[DeviceSlot], share: float) -> Rate:
        measured_on.append(len(work.samples.train))
        assert share == pytest.approx(len(split.train) / measured_on[-1])
        return rate(len(slots), 1.0)

    record = SimpleNamespace(seconds=seconds, parameters=7)
    monkeypatch.setattr(bench, "_overhead", lambda work, slot: (2.0, record))
    monkeypatch.setattr(bench, "_rate", rated)
    options = {"device": "cpu", "workers": [1, 2], "folder": tmp_path}
    first, last = bench.measure(load_preset("small-baseline"), dataset, tmp_path / "tiles.npz", split, **options)
    assert [len(found.rates) for found in (first, last)] == [1, 2]
    assert (last.parameters, last.overhead_s) == (7, 2.0)
    assert measured_on == pytest.approx([images, images], rel=0.3)
    assert min(measured_on) >= 0.8 * bench.FEWEST


def test_so_many_images_are_measured_as_the_statistics_need() -> None:
    assert bench.FEWEST == STATISTICS_IMAGES


@pytest.mark.whole
def test_a_persons_own_numbers_fit_a_terminal(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "MEASURED_S", 0.1)
    assert answer(["bench", "small-baseline", "--data", str(data), "--device", "cpu", "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert "suggested: --workers 2" in said
    assert answer(["bench", "small-baseline", "--data", str(data), "--device", "cpu", "--workers", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    [one] = document["rates"]
    assert (document["suggested"], one["workers"]) == ("--workers 1", 1)
    assert one["night"] == pytest.approx(8 * 3600 / one["trial_s"])
    assert one["trial_s"] == pytest.approx(document["overhead_s"] + 30 * one["epoch_s"])
    assert min(one["images"], one["epoch_s"], document["parameters"]) > 0


def test_what_cannot_be_measured_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert answer(["bench", "nothing.yaml"]) == 2
    assert "neither a recipe file nor a preset" in capsys.readouterr().err
    assert answer(["bench", "--data", str(tmp_path / "missing.npz")]) == 2
    assert "missing.npz" in capsys.readouterr().err
