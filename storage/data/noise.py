"""Random fields that terrain is made of: smooth ones for shapes, band-limited ones for textures.

All are float32, zero mean and unit variance over their distribution. Legend: N images, H x W pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def smooth(random: np.random.Generator, count: int, height: int, width: int, scale: float) -> Field:
    """Smooth fields (N,H,W) whose features are about `scale` pixels across; not periodic."""
    rows, columns = _kernels(height, scale), _kernels(width, scale)
    knots = random.standard_normal((count, rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ knots @ columns.T, dtype=np.float32)


def lines(random: np.random.Generator, count: int, width: int, scale: float) -> Field:
    """Smooth curves (N,W) whose waves are about `scale` pixels long."""
    columns = _kernels(width, scale)
    knots = random.standard_normal((count, columns.shape[1]), dtype=np.float32)
    return np.asarray(knots @ columns.T, dtype=np.float32)


def grain(
    random: np.random.Generator, height: int, width: int, *, wavelength: Field, angle: Field, stretch: float
) -> Field:
    """Textures (N,H,W) of waves `wavelength` (N,) pixels long that run along `angle` (N,) radians.

    stretch: 1 for a texture alike in all directions, above 1 for ripples that many times longer than wide.
    """
    down = np.fft.fftfreq(height).astype(np.float32)[None, :, None]
    across = np.fft.rfftfreq(width).astype(np.float32)[None, None, :]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along, beside = across * cosine + down * sine, down * cosine - across * sine
    distance = np.sqrt(along**2 + (stretch * beside) ** 2) * wavelength[:, None, None]
    passband = np.exp(-np.square(np.log(np.maximum(distance, 1e-3)) / 0.45)).astype(np.float32)
    white = np.fft.rfft2(random.standard_normal((len(wavelength), height, width), dtype=np.float32))
    field = np.fft.irfft2(white * passband, s=(height, width))
    deviation = field.std(axis=(1, 2), keepdims=True)
    return np.asarray(field / np.maximum(deviation, 1e-6), dtype=np.float32)


def _kernels(length: int, scale: float) -> Field:
    """Gaussian bumps (length, knots) half a scale apart, of unit energy at each pixel."""
    step = scale / 2
    knots = np.arange(-step, length + 2 * step, step)
    bumps = np.exp(-0.5 * np.square((np.arange(length)[:, None] - knots) / step))
    normed: Field = (bumps / np.sqrt(np.square(bumps).sum(axis=1, keepdims=True))).astype(np.float32)
    return normed
