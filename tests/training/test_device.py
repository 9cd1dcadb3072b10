from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from search.training.device import (
    autocast,
    autocast_dtype,
    claimed,
    exact_float32,
    image_batch,
    layout,
    out_of_memory,
    peak_memory_mb,
    resident_images,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(("amx", "avx"), [(True, False), (False, True), (False, False)])
def test_bfloat16_only_where_the_cpu_has_it(amx: bool, avx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    expected = torch.bfloat16 if amx or avx else None
    assert autocast_dtype(CPU) is expected
    assert autocast_dtype(torch.device("mps")) is None
    with autocast(CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (expected or torch.float32)


def test_images_keep_their_numbers() -> None:
    grey = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4) * 2700
    assert resident_images(grey, CPU).dtype == torch.float32
    assert np.array_equal(resident_images(grey, CPU)[:, 0].numpy(), grey)
    colour = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    resident = resident_images(colour, CPU)
    assert (resident.dtype, resident.shape) == (torch.uint8, (4, 3, 5, 6))
    batch = image_batch(resident, torch.tensor([3, 1]))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(batch.permute(0, 2, 3, 1).numpy(), colour[[3, 1]].astype(np.float32))


def test_group_norm_keeps_torchs_own_layout() -> None:
    assert layout("group") is torch.contiguous_format
    assert layout("batch") is torch.channels_last


def test_the_process_takes_memory() -> None:
    assert 50 < peak_memory_mb(CPU) < 1e6


@pytest.mark.parametrize(
    ("name", "share", "tensors"),
    [("cuda", 0.25, 0.25 - 0.075), ("cuda:0", 1.0, 1.0 - 0.075), ("cuda", 0.1, 0.05)],
)
def test_a_training_has_its_share_of_a_gpu_and_gives_the_memory_back(
    name: str, share: float, tensors: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own checks of what it is given run: only what its C++ does is stood in for.

    tensors: the share that is left of a GPU of 8,000 MiB beside the context's 600, half of it at least.
    """
    said: list[tuple[object, ...]] = []

    def stands_in(place: object, function: str, answer: object = None) -> None:
        def said_so(*arguments: object) -> object:
            said.append((function, *arguments))
            return answer

        monkeypatch.setattr(place, function, said_so, raising=False)

    monkeypatch.setattr(torch.cuda.memory, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda.memory, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    eight_gb = SimpleNamespace(total_memory=8000 * 2**20)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: eight_gb)
    for function in ("_cuda_emptyCache", "_cuda_setMemoryFraction", "_cuda_resetPeakMemoryStats"):
        stands_in(torch._C, function)
    with claimed(torch.device(name), share):
        begun = list(said)
    limited = ("_cuda_setMemoryFraction", pytest.approx(tensors), 0)
    assert begun == [("_cuda_emptyCache",), limited, ("_cuda_resetPeakMemoryStats", 0)]
    assert said[len(begun) :] == [("_cuda_emptyCache",)]
    with claimed(CPU, share):
        pass
    assert len(said) == len(begun) + 1


def test_an_error_of_cuda_is_not_hidden_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its context is dead, everything that is asked of CUDA fails."""
    dead: list[bool] = []

    def empty_cache() -> None:
        if dead:
            raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    for name in ("set_per_process_memory_fraction", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *arguments: None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=8 * 2**30))

    def training() -> None:
        with claimed(torch.device("cuda")):
            dead.append(True)
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        training()


def test_a_validation_is_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    exact_float32()
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("CUDA out of memory. Tried to allocate 2.00 GiB", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`", True),
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", True),
        ("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_words_that_mean_too_little_memory(text: str, memory: bool) -> None:
    assert out_of_memory(RuntimeError(text)) is memory
