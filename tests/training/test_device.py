from __future__ import annotations

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


def test_a_training_has_its_share_of_a_gpu_and_gives_the_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, ...]] = []
    for name in ("empty_cache", "reset_peak_memory_stats", "set_per_process_memory_fraction"):
        monkeypatch.setattr(torch.cuda, name, lambda *arguments, name=name: said.append((name, *arguments)))
    gpu = torch.device("cuda", 0)
    with claimed(gpu, 0.25):
        begun = list(said)
    assert begun == [
        ("empty_cache",),
        ("set_per_process_memory_fraction", 0.25, gpu),
        ("reset_peak_memory_stats", gpu),
    ]
    assert said[len(begun) :] == [("empty_cache",)]
    with claimed(CPU, 0.25):
        pass
    assert len(said) == len(begun) + 1


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
        ("cuDNN error: CUDNN_STATUS_ALLOC_FAILED", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", False),
    ],
)
def test_words_that_mean_too_little_memory(text: str, memory: bool) -> None:
    assert out_of_memory(RuntimeError(text)) is memory
