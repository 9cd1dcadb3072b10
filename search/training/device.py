"""What a device can do, and arrays made resident on it.

Shapes: N images, C channels, H and W pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spaces.modules.loss_scale import LossScale

FLOAT16_FROM = (7, 0)
"""The first generation of GPUs that is quicker in float16 than in float32 (Volta), as `search.worker.gpus` knows."""


CONTEXT = 600 * 2**20
"""Bytes that a process takes on a GPU before it has a tensor: CUDA's context, cuDNN, cuBLAS and its workspace."""


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The type that training's forward pass computes in, or None for float32; fixed for a machine.

    bfloat16 on a GPU that has it, and on a CPU with bf16 instructions: 3.9x with AMX and 2.1x with
    AVX512-BF16 (measured, U-Net of 16 filters); emulated elsewhere, hence float32 there. float16 on GPUs that are
    older and have tensor cores (Volta, Turing), with a `loss_scale`.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float16 if torch.cuda.get_device_capability(device) >= FLOAT16_FROM else None
    if device.type == "cpu" and (torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()):
        return torch.bfloat16
    return None


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """The context of a training step's forward pass on that device."""
    dtype = autocast_dtype(device)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)


def exact_float32() -> None:
    """Have GPUs compute float32 as float32, where torch lets cuDNN round it to TF32.

    So a validation scores what the exported network answers on any machine.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


@contextmanager
def claimed(device: torch.device, share: float = 1.0) -> Iterator[None]:
    """Let one training have a device: at most that share of its memory, of which the peak is counted from here on.

    share: of the whole memory, above 0 to 1, CONTEXT included, which torch does not count; half of it is for tensors at
    least. At the end the memory is given back to others that share the device.
    """
    if device.type != "cuda":
        yield
        return
    torch.cuda.empty_cache()  # of an earlier training that failed
    context = CONTEXT / torch.cuda.get_device_properties(device).total_memory
    # A share that is hardly more than the context leaves too little anyway, which the training is to say by itself.
    torch.cuda.set_per_process_memory_fraction(max(share / 2, share - context), device.index)  # no device, but a number
    torch.cuda.reset_peak_memory_stats(device)
    try:
        yield
    finally:
        with suppress(RuntimeError):  # of a training that broke CUDA, whose own error is on its way
            torch.cuda.empty_cache()


def loss_scale(device: torch.device) -> LossScale | None:
    """The factor on a loss of a training on that device; None where it does not compute in float16."""
    return LossScale(device) if autocast_dtype(device) is torch.float16 else None


_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # what cuBLAS says first on a GPU that is full
    "cudnn_status_alloc_failed",
    "_allocation_failed",  # cuDNN since 9: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, ..._HOST_...
)


def out_of_memory(error: BaseException) -> bool:
    """Whether the error says that the device or the host had no memory left."""
    text = " ".join(str(error).lower().split())
    return isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS)


def peak_memory_mb(device: torch.device) -> float:
    """The most memory taken so far, in MiB: by tensors on a GPU, by the process on a CPU; 0.0 when unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 2**20
    if sys.platform == "win32":
        return 0.0
    import resource  # absent on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB elsewhere


def resident_images(images: NDArray[Any], device: torch.device) -> Tensor:
    """Images (N, H, W) or (N, H, W, 3) as a tensor (N, C, H, W) on the device; uint16 becomes float32.

    Kept as uint8 where they are: a quarter of the memory, and `image_batch` converts what it takes.
    """
    if images.dtype not in (np.uint8, np.float32):
        images = images.astype(np.float32)  # exact for uint16, which torch barely supports
    tensor = torch.tensor(images)
    return (tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)).to(device)


def layout(norm: str) -> torch.memory_format:
    """The order in memory in which a network with that normalisation is quickest.

    Channels last, by 1.1x to 2x in bfloat16; group normalisation alone is 1.5x slower that way (measured on CPU).
    """
    return torch.contiguous_format if norm == "group" else torch.channels_last


def image_batch(images: Tensor, index: Tensor, memory_format: torch.memory_format = torch.channels_last) -> Tensor:
    """The images (N, C, H, W) at index (B,), as float32 (B, C, H, W) in that order of memory."""
    return images.index_select(0, index).to(dtype=torch.float32, memory_format=memory_format)
