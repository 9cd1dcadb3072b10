"""Distance maps and the boundary loss against distances between all pairs of pixels, SciPy and MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from spaces.modules.losses.boundary import _nearest, _squares, boundary, signed_distances
from spaces.modules.losses.targets import IGNORED, one_hot
from support.examples import examples


def reference_distances(labels: np.ndarray, classes: int) -> np.ndarray:
    """One image's map from its definition: the nearest of all pixels."""
    maps = np.zeros((classes, *labels.shape))
    places = {k: [at for at, label in np.ndenumerate(labels) if label == k] for k in range(classes)}
    for k in range(classes):
        others = [at for j in range(classes) if j != k for at in places[j]]
        for here, label in np.ndenumerate(labels):
            if label == k and others:
                maps[(k, *here)] = 1 - min(math.dist(here, at) for at in others)
            elif label != k and places[k]:
                maps[(k, *here)] = min(math.dist(here, at) for at in places[k])
    return maps


def reference_boundary(logits: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    classes = len(weights)
    mass = sum(weight for k, weight in enumerate(weights) if (target == k).any())
    total, pixels = 0.0, 0
    for image, labels in zip(logits, target, strict=True):
        distances = reference_distances(labels, classes)
        for here, label in np.ndenumerate(labels):
            if label != IGNORED:
                e = np.exp(image[(slice(None), *here)])
                shares = [weights[k] / mass if mass and (target == k).any() else 0 for k in range(classes)]
                total += sum(shares[k] * e[k] / e.sum() * distances[(k, *here)] for k in range(classes))
                pixels += 1
    return total / pixels if pixels else 0.0


@st.composite
def targets(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Patches of labels, with absent classes, images of one class or of none, and pixels that do not count."""
    classes = draw(st.integers(2, 5))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 6)), draw(st.integers(1, 7)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = draw(st.lists(st.sampled_from([IGNORED, *range(classes)]), min_size=1, max_size=classes))
    target = rng.choice(labels, shape)
    target[:, :, shape[2] // 2 :] = target[:, :, -1:]
    return target, classes


@settings(deadline=None, max_examples=examples(60))
@given(case=targets())
def test_the_maps_agree_with_all_pairs_of_pixels(case: tuple[np.ndarray, int]) -> None:
    target, classes = case
    maps = signed_distances(torch.tensor(target), classes)
    expected = np.stack([reference_distances(labels, classes) for labels in target])
    assert maps.dtype == torch.float32
    counted = np.broadcast_to((target != IGNORED)[:, None], expected.shape)
    np.testing.assert_allclose(maps.numpy()[counted], expected[counted], atol=1e-5)
    assert maps.isfinite().all()
    assert maps.abs().max() <= math.hypot(*target.shape[1:])


@settings(deadline=None, max_examples=examples(60))
@given(case=targets(), seed=st.integers(0, 2**32))
def test_the_loss_agrees_with_the_reference(case: tuple[np.ndarray, int], seed: int) -> None:
    target, classes = case
    rng = np.random.default_rng(seed)
    logits, weights = rng.normal(size=(len(target), classes, *target.shape[1:])), rng.choice([0, 0.1, 1, 7.5], classes)
    maps = signed_distances(torch.tensor(target), classes).double()
    loss = boundary(torch.tensor(logits), torch.tensor(target), torch.tensor(weights), maps)
    assert loss.item() == pytest.approx(reference_boundary(logits, target, weights), abs=1e-5)


def blobs(classes: int = 5, images: int = 3) -> tuple[Tensor, Tensor]:
    """Logits, and labels in connected regions, every class in every image."""
    generator = torch.Generator().manual_seed(3)
    field = torch.nn.functional.interpolate(
        torch.randn(images, classes, 5, 8, generator=generator), size=(20, 32), mode="bilinear"
    )
    target = field.argmax(1)
    assert all((target[b] == k).any() for b in range(images) for k in range(classes))
    return torch.randn(images, classes, 20, 32, generator=generator, dtype=torch.float64), target


def test_the_maps_are_scipys_of_the_mask_and_of_its_complement() -> None:
    _, target = blobs()
    maps = signed_distances(target, 5)
    for b in range(3):
        for k in range(5):
            inside = (target[b] == k).numpy()
            expected = distance_transform_edt(~inside) - np.maximum(distance_transform_edt(inside) - 1, 0)
            np.testing.assert_allclose(maps[b, k].numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(64, 128), (128, 64), (104, 104), (105, 105), (150, 200)])
def test_maps_of_any_size_are_scipys(shape: tuple[int, int]) -> None:
    """In 16-bit integers up to 104x104, in float32 beyond; a class of one pixel is far away from most."""
    target = torch.randint(1, 3, (2, *shape), generator=torch.Generator().manual_seed(0))
    target[0, shape[0] - 1, 0] = 0
    maps = signed_distances(target, 4)
    for b, k in ((0, 0), (0, 1), (1, 2)):
        inside = (target[b] == k).numpy()
        expected = distance_transform_edt(~inside) - np.maximum(distance_transform_edt(inside) - 1, 0)
        np.testing.assert_allclose(maps[b, k].numpy(), expected, rtol=1e-5)
    assert not maps[:, 3].any()
    assert not maps[1, 0].any()


@pytest.mark.parametrize("shape", [(8, 12), (200, 300)])
def test_a_gpu_which_is_not_asked_what_classes_there_are_finds_the_same(shape: tuple[int, int]) -> None:
    here = one_hot(torch.randint(1, 3, (2, *shape), generator=torch.Generator().manual_seed(0)), 4)
    here[0, 1] = False
    squares, none = _squares(here)
    assert torch.equal(_nearest(here, none, squares.dtype), squares)
    assert (squares[0, 1] == none).all()


def test_the_loss_is_monais() -> None:
    losses = pytest.importorskip("monai.losses")
    logits, target = blobs()
    found = boundary(logits, target, torch.ones(5, dtype=torch.float64), signed_distances(target, 5).double())
    expected = losses.BoundaryLoss(softmax=True, to_onehot_y=True)(logits, target[:, None])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_a_square_has_negative_inside_zero_at_its_rim_and_positive_outside() -> None:
    target = torch.zeros(1, 7, 7, dtype=torch.int64)
    target[0, 1:6, 1:6] = 1
    square = signed_distances(target, 2)[0, 1]
    assert square[3].tolist() == pytest.approx([1, 0, -1, -2, -1, 0, 1])
    assert square[0, 0].item() == pytest.approx(math.sqrt(2))


def test_pixels_that_do_not_count_are_no_boundary() -> None:
    target = torch.tensor([[[0, 0, IGNORED, IGNORED, 1]]])
    maps = signed_distances(target, 3)[0, :, 0]
    assert maps[0, [0, 1, 4]].tolist() == pytest.approx([-3, -2, 3])
    assert maps[1, [0, 1, 4]].tolist() == pytest.approx([4, 3, -2])
    assert maps[2].tolist() == [0] * 5


@settings(deadline=None, max_examples=examples(40))
@given(case=targets(), seed=st.integers(0, 2**32))
def test_no_prediction_is_better_than_the_truth(case: tuple[np.ndarray, int], seed: int) -> None:
    target, classes = torch.tensor(case[0]), case[1]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(target), classes, *target.shape[1:], generator=generator) * 3
    weights = torch.rand(classes, generator=generator)
    maps = signed_distances(target, classes)
    right = (target[:, None] == torch.arange(classes)[:, None, None]) * 1e3
    best = boundary(right.float(), target, weights, maps).item()
    assert best <= 1e-6
    assert boundary(logits, target, weights, maps).item() >= best - 1e-5


def test_the_loss_follows_flips_of_the_image() -> None:
    logits, target = blobs()
    weights = torch.tensor([0.2, 1.0, 3.0, 0.5, 9.0], dtype=torch.float64)
    found = boundary(logits, target, weights, signed_distances(target, 5))
    for axes in ([1], [2], [1, 2]):
        turned = target.flip(axes)
        flipped = boundary(logits.flip([axis + 1 for axis in axes]), turned, weights, signed_distances(turned, 5))
        torch.testing.assert_close(flipped, found)
