"""Windows over whole images: what they say is merged as a float64 reference does, and a local function is untouched."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from search.training.device import resident_images
from search.training.pieces.canvas import Size, build_canvas, means_of_small
from search.training.pieces.windows import Window, plan_windows, slide, starts
from support.examples import examples

CPU = torch.device("cpu")


def images_of(sizes: list[Size], channels: int = 1, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    height, width = np.array(sizes).max(axis=0)
    shape = (len(sizes), height, width) if channels == 1 else (len(sizes), height, width, channels)
    return random.integers(0, 256, shape).astype(np.uint8)


def merged(maps_of, images: np.ndarray, sizes: list[Size], window: Window, batch_size: int) -> list[Tensor]:
    means = means_of_small(images, sizes, (window.height, window.width))
    canvas = build_canvas(resident_images(images, CPU), sizes, means)
    batches = plan_windows(sizes, window, batch_size, CPU)
    assert all(len(batch.image) <= batch_size for batch in batches)
    found = dict(slide(maps_of, canvas, sizes, batches, torch.channels_last))
    assert list(found) == list(range(len(sizes)))
    return [found[number] for number in range(len(sizes))]


def reference(maps_of, image: np.ndarray, side: int) -> np.ndarray:
    """One window after another in float64, the weights as nnU-Net's paper describes them."""
    height, width = image.shape
    mean = float(np.rint(image.astype(np.float64).mean()))
    padded = np.pad(image.astype(np.float64), ((0, side), (0, side)), constant_values=mean)
    line = np.array([math.exp(-0.5 * ((k - (side - 1) / 2) / (side / 8)) ** 2) for k in range(side)])
    weights = line[:, None] * line[None, :]
    summed, total = np.zeros((2, *padded.shape)), np.zeros(padded.shape)
    for top in starts(height, side):
        for left in starts(width, side):
            piece = torch.from_numpy(padded[None, None, top : top + side, left : left + side])
            summed[:, top : top + side, left : left + side] += maps_of(piece)[0].numpy() * weights
            total[top : top + side, left : left + side] += weights
    return (summed / np.maximum(total, 1e-300))[:, :height, :width]


def depends_on_the_place(images: Tensor) -> Tensor:
    rows = torch.linspace(-1, 1, images.shape[2], dtype=images.dtype)[:, None]
    return torch.cat((images * rows, images.cumsum(dim=3) * 0.01), dim=1)


@pytest.mark.parametrize("size", [(40, 56), (32, 33), (71, 32), (20, 50), (9, 12)])
def test_windows_are_merged_as_the_reference_does(size: Size) -> None:
    images = images_of([size])
    [found] = merged(depends_on_the_place, images, [size], Window(height=32, width=32, padded=True), 3)
    wanted = reference(depends_on_the_place, images[0], 32)
    assert np.allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-3)


@settings(max_examples=examples(60), deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(8, 90), st.integers(8, 90)), min_size=1, max_size=4),
    side=st.sampled_from([16, 32]),
    padded=st.booleans(),
    batch_size=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
)
def test_a_local_function_of_windows_is_that_of_the_image(
    sizes: list[Size], side: int, padded: bool, batch_size: int, channels: int
) -> None:
    """Whatever the images, the windows and the batches: each pixel gets its own answer, of its own image."""

    def local(images: Tensor) -> Tensor:
        return torch.cat((images * 2 + 1, -images), dim=1)

    images = images_of(sizes, channels)
    found = merged(local, images, sizes, Window(height=side, width=side + 8, padded=padded), batch_size)
    for maps, image, (height, width) in zip(found, images, sizes, strict=True):
        own = torch.from_numpy(image[:height, :width].astype(np.float32).reshape(height, width, -1)).permute(2, 0, 1)
        assert torch.allclose(maps, local(own[None])[0], rtol=1e-6)


def test_an_image_in_one_window_is_answered_to_the_bit() -> None:
    images = images_of([(24, 40)])
    for window in (Window(height=64, width=64, padded=False), Window(height=24, width=40, padded=True)):
        [found] = merged(depends_on_the_place, images, [(24, 40)], window, 4)
        assert torch.equal(found, depends_on_the_place(torch.from_numpy(images[:, None]).float())[0])


@settings(max_examples=examples(100), deadline=None)
@given(length=st.integers(1, 3000), window=st.sampled_from([32, 96, 256]))
def test_windows_cover_a_side_and_overlap_by_half(length: int, window: int) -> None:
    begins = starts(length, window)
    assert begins[0] == 0
    assert begins[-1] == max(0, length - window)
    assert all(0 < after - before <= window // 2 for before, after in pairwise(begins))
