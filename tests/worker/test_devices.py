"""How many workers a host has, and what each gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from search.commands.own_device import own_device
from search.errors import UsageError
from search.training.device import autocast_dtype
from search.worker.devices import (
    built_for_cuda,
    cores,
    device_slots,
    has_bfloat16,
    planned_gb,
    quota,
    unused_memory,
    workers_on_cpu,
)
from spaces import DataFacts
from spaces.crops import step_pixels


def written(folder, files):
    """The folder with these files, as the kernel shows a control group."""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def no_limit(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "250000 100000\n"}, 2.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu.max": "what\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_the_limit_of_a_container_is_read_in_both_ways_it_is_written(tmp_path, files, expected):
    assert quota(written(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "max\n", "memory.stat": "anon 5\nfile 7\n"}, float("inf")),
        ({"memory.max": "4000\n", "memory.stat": "anon 1500\nfile 2400\n"}, 2500.0),
        ({"memory/memory.limit_in_bytes": "4000\n", "memory/memory.stat": "cache 9\ntotal_rss 1000\n"}, 3000.0),
        ({"memory.max": "4000\n"}, float("inf")),
        ({"memory.max": "4000\n", "memory.stat": "file 7\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_the_memory_of_a_container_is_read_in_both_ways_it_is_written(tmp_path, files, expected):
    assert unused_memory(written(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("of_cores", "free_gb", "trials", "expected"),
    [
        (2, 24.0, 40, 2),
        (64, 256.0, 40, 4),  # a search learns from trials that have ended
        (64, 256.0, 400, 40),
        (64, 256.0, None, 64),  # trainings that have nothing to learn from each other
        (8, 5.0, None, 2),  # memory for two
        (8, 0.3, 40, 1),
        (4, 64.0, 1, 1),
    ],
)
def test_cores_have_a_worker_each_as_far_as_memory_and_trials_go(of_cores, free_gb, trials, expected):
    assert workers_on_cpu(of_cores, free_gb, trials) == expected


@pytest.mark.parametrize(
    ("height", "width", "data_gb", "workers", "in_float32"),
    [
        (64, 128, 0.02, 4, 4),
        (128, 128, 0.2, 4, 4),
        (256, 256, 0.2, 2, 1),  # eight times the pixels of the first
        (1000, 1500, 0.2, 2, 1),  # crops of 256
        (64, 128, 6.0, 1, 1),  # each worker holds the data
    ],
)
def test_large_images_and_large_data_leave_memory_for_fewer_workers(height, width, data_gb, workers, in_float32):
    known = DataFacts(channels=1, height=height, width=width, class_names=("a", "b"))
    for half, expected in ((True, workers), (False, in_float32)):
        each = planned_gb(step_pixels(known), int(data_gb * 2**30), half=half)
        assert workers_on_cpu(4, 12.0, None, each) == expected


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n", True),
        ("processor : 0\nflags\t\t: fpu sse avx2\nbugs : avx512_bf16\n", False),
        ("processor : 0\nFeatures : fp asimd bf16\n", False),
    ],
)
def test_whether_a_processor_has_bfloat16_is_read_from_its_flags(tmp_path, text, known):
    (tmp_path / "cpuinfo").write_text(text)
    assert has_bfloat16(tmp_path / "cpuinfo") is known
    assert has_bfloat16(tmp_path / "nothing") is False


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", False),
        ("__version__ = '2.6.0+cpu'\ncuda = None\n", False),
        ("debug = False\ncuda: Optional[str] = '12.8'\n", True),
        ("__all__ = ['cuda']\n", True),
    ],
)
def test_whether_torch_was_built_for_cuda_is_read_from_its_version(tmp_path, text, known):
    (tmp_path / "version.py").write_text(text)
    assert built_for_cuda(tmp_path / "version.py") is known
    assert built_for_cuda(tmp_path / "nothing.py")
    assert built_for_cuda(Path(torch.version.__file__)) is (torch.version.cuda is not None)


def test_a_gpu_is_nothing_to_a_torch_without_cuda(driver, monkeypatch, caplog):
    driver("GPU-1", "GPU-2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("search.worker.devices.built_for_cuda", lambda version: False)
    assert {slot.device for slot in device_slots("auto", 2, Path())} <= {"cpu", "mps"}
    assert "the installed torch was built without CUDA: computing on the CPU" in caplog.text
    for wanted in ("cuda", "cuda:1"):
        with pytest.raises(UsageError, match=f"--device {wanted}: there is an NVIDIA GPU, .*: install one that"):
            device_slots(wanted, None, Path())


@pytest.mark.parametrize("usable", [True, False])
def test_a_command_of_its_own_process_uses_the_first_gpu_if_torch_can(driver, monkeypatch, usable):
    driver("GPU-1", "GPU-2")
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    said = []
    assert own_device("auto", said.append) == ("cuda" if usable else "cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert len(said) == (not usable)
    assert own_device("cpu", said.append) == "cpu"
    if usable:
        assert own_device("cuda:0", said.append) == "cuda"
    else:
        with pytest.raises(UsageError, match=r"--device cuda:0: .* torch .* cannot use"):
            own_device("cuda:0", said.append)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system tells no flags")
def test_torch_says_the_same_of_this_processor():
    assert has_bfloat16() is (autocast_dtype(torch.device("cpu")) is torch.bfloat16)


def test_trainings_whose_number_is_found_out_may_each_have_all_of_the_memory(driver, monkeypatch):
    driver("GPU-1", "GPU-2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    slots = device_slots("auto", None, Path(), 4, whole=True)
    assert len(slots) == 8
    assert {(slot.gpu.share, slot.gpu.gb) for slot in slots} == {(1.0, 24.0)}


def test_the_cores_are_shared_out_to_the_workers(monkeypatch):
    monkeypatch.setattr("search.worker.devices.cores", lambda: 12)
    monkeypatch.setattr("search.worker.devices.free_gb", lambda: 64.0)
    assert [slot.threads for slot in device_slots("cpu", None, Path(), trials=40)] == [3] * 4


def test_a_container_that_may_take_less_than_a_core_still_has_one(monkeypatch):
    monkeypatch.setattr("search.worker.devices.quota", lambda folder: 0.5)
    assert cores() == 1


@pytest.mark.parametrize(("set_to", "threads"), [("", 6), ("2", 2), ("0", 6), ("much", 6), ("64", 6)])
def test_no_worker_has_more_threads_than_the_environment_allows(monkeypatch, set_to, threads):
    monkeypatch.setattr("search.worker.devices.cores", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", set_to)
    found = device_slots("cpu", 2, Path())
    assert [slot.threads for slot in found] == [threads] * 2
    assert {slot.environment["OMP_NUM_THREADS"] for slot in found} == {str(threads)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.check=3", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_a_worker_asks_for_huge_pages_unless_that_is_settled(monkeypatch, before, after):
    monkeypatch.setenv("GLIBC_TUNABLES", before)
    (slot,) = device_slots("cpu", 1, Path())
    assert slot.environment["GLIBC_TUNABLES"] == after


def test_a_worker_on_a_gpu_keeps_its_pages(driver, monkeypatch):
    driver("GPU-1")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (slot,) = device_slots("auto", None, Path())
    assert "GLIBC_TUNABLES" not in slot.environment


@pytest.mark.parametrize("together", [1, 2, 3, 10])
def test_trainings_that_take_part_of_a_gpu_share_it(driver, monkeypatch, together):
    driver("GPU-1", "GPU-2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    slots = device_slots("auto", None, Path(), together)
    assert {slot.gpu.share for slot in slots} == {1 / together}
    gpus = [slot.gpu.id for slot in slots if slot.gpu is not None]
    assert (gpus.count("GPU-1"), gpus.count("GPU-2")) == (together, together)
