from __future__ import annotations

import numpy as np
import pytest
import torch

from search.training.device import autocast, autocast_dtype, image_batch, layout, peak_memory_mb, resident_images

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
