from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import interpolate, ndimage, stats

from spaces.modules.augmentation.geometry import (
    THINNEST,
    balanced,
    draw_map,
    positions,
    resample,
    smooth_field,
    spline,
    stretch,
    turned,
    warp,
)
from spaces.recipe.data_options import Geometry

CPU = torch.device("cpu")
EVERYTHING = Geometry(zoom=0.5, rotation=45.0, elastic=8.0, grid_distortion=0.5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ones(count: int) -> torch.Tensor:
    return torch.ones(count, 1, 1, 1)


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64).view(1, 1, 1)


@pytest.mark.parametrize(("height", "width", "channels"), [(9, 14, 3), (14, 9, 1), (1, 5, 1), (64, 128, 1)])
def test_resampling_is_scipys_with_mirrored_borders(height: int, width: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((2, channels, height, width)) * 255
    masks = rng.integers(0, 256, (2, height, width), dtype=np.uint8)
    x, y = rng.uniform(-width, 2 * width, (2, height, width)), rng.uniform(-height, 2 * height, (2, height, width))
    ours, our_masks = resample(*(torch.tensor(a) for a in (images, masks)), (torch.tensor(x), torch.tensor(y)))
    for b in range(2):
        theirs = [ndimage.map_coordinates(image, (y[b], x[b]), order=1, mode="reflect") for image in images[b]]
        np.testing.assert_allclose(ours[b].numpy(), theirs, atol=1e-9)
        nearest = ndimage.map_coordinates(masks[b], (y[b], x[b]), order=0, mode="reflect")
        np.testing.assert_array_equal(our_masks[b].numpy(), nearest)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("size", [(8, 8), (64, 128), (33, 517)])
def test_a_map_that_changes_nothing_gives_every_label_back(size: tuple[int, int], dtype: torch.dtype) -> None:
    masks = torch.randint(0, 256, (3, *size), generator=generator()).to(dtype)
    images, same = resample(masks[:, None].float(), masks, positions(*size, CPU))
    assert same.dtype is dtype
    assert torch.equal(same, masks)
    torch.testing.assert_close(images[:, 0], masks.float(), atol=0.05, rtol=0)  # of 255: rounding of the grid


@pytest.mark.parametrize(("right", "down"), [(3, 0), (-5, 2), (0, 7), (4, -8)])
def test_a_shift_by_whole_pixels_is_a_crop_of_the_mirrored_image(right: int, down: int) -> None:
    masks = torch.randint(0, 5, (2, 8, 14), generator=generator(), dtype=torch.uint8)
    x, y = positions(8, 14, CPU)
    images, moved = resample(masks[:, None].float(), masks, (x + right, y + down))
    wide = np.pad(masks.numpy(), ((0, 0), (8, 8), (8, 8)), mode="symmetric")
    np.testing.assert_array_equal(moved.numpy(), wide[:, 8 + down : 16 + down, 8 + right : 22 + right])
    torch.testing.assert_close(images[:, 0], moved.float(), atol=1e-4, rtol=0)


def test_a_quarter_turn_is_rot90() -> None:
    masks = torch.randint(0, 200, (2, 15, 15), generator=generator(), dtype=torch.uint8)
    places = turned(positions(15, 15, CPU), (7.0, 7.0), torch.ones(1, 1, 1), torch.full((1, 1, 1), math.pi / 2))
    images, quarter = resample(masks[:, None].float(), masks, places)
    assert torch.equal(quarter, torch.rot90(masks, 1, (1, 2)))
    torch.testing.assert_close(images[:, 0], quarter.float(), atol=0.01, rtol=0)


@given(scale=st.floats(0.4, 2.5), angle=st.floats(-3.2, 3.2))
def test_a_wide_image_is_turned_and_scaled_without_shear(scale: float, angle: float) -> None:
    x, y = turned(tuple(p.double() for p in positions(4, 9, CPU)), (4.0, 1.5), number(scale), number(angle))
    taken = torch.stack((x, y), dim=-1).reshape(-1, 2)
    rows, columns = np.mgrid[:4, :9]
    pixels = torch.tensor(np.stack((columns, rows), axis=-1).reshape(-1, 2)).double()
    ours, theirs = ((a[:, None] - a).norm(dim=-1) for a in (taken, pixels))
    torch.testing.assert_close(ours * scale, theirs)
    torch.testing.assert_close(taken.mean(dim=0), torch.tensor([4.0, 1.5]).double())  # around the image's centre


@given(changes=st.lists(st.floats(-1, 1), min_size=5, max_size=5), size=st.integers(8, 200))
def test_a_grid_distortion_is_the_line_through_its_cells_borders(changes: list[float], size: int) -> None:
    change = 0.9 * balanced(torch.tensor([changes], dtype=torch.float64))
    place = torch.arange(size).double() + stretch(size, change)[0]
    even = np.linspace(0, size, 6) - 0.5
    borders = np.concatenate(([0], np.cumsum(1 + change[0].numpy()))) * size / 5 - 0.5
    np.testing.assert_allclose(place.numpy(), np.interp(np.arange(size), even, borders), atol=1e-9)
    assert borders[-1] == pytest.approx(size - 0.5)  # the ends stay in place
    assert (place.diff() > 0).all()
    assert float(change.abs().max()) <= 0.9 + 1e-12


def test_cells_change_by_up_to_the_share_that_is_given() -> None:
    cells = 20 * torch.arange(5)  # in each, the ten innermost pixels stand apart by its width
    for share, largest in ((0.3, 0.3), (0.5, 0.5)):
        x, _ = draw_map(Geometry(grid_distortion=share), 8, 100, ones(500), generator())
        widths = (x[:, 0, cells + 15] - x[:, 0, cells + 5]) / 10
        assert float((widths - 1).abs().max()) == pytest.approx(largest, abs=0.02)
        torch.testing.assert_close(widths.mean(dim=1), torch.ones(500))
    x, _ = draw_map(Geometry(grid_distortion=0.5), 8, 100, 3 * ones(500), generator())
    assert float(x[:, 0].diff(dim=1).min()) >= THINNEST - 1e-4


def test_zooms_are_drawn_evenly_on_a_logarithmic_axis_and_angles_evenly() -> None:
    x, y = draw_map(Geometry(zoom=0.5, rotation=30.0), 8, 10, ones(3000), generator())
    for places, middle in ((x, 4.5), (y, 3.5)):  # around the centre
        torch.testing.assert_close(places.mean(dim=(1, 2)), torch.full((3000,), middle), atol=1e-3, rtol=0)
    right, down = x[:, 0, 1] - x[:, 0, 0], y[:, 0, 1] - y[:, 0, 0]
    zoom, angle = -torch.hypot(right, down).log() / math.log(1.5), torch.rad2deg(torch.atan2(down, right)) / 30
    for drawn in (zoom, angle):
        assert stats.kstest(drawn.numpy(), "uniform", (-1, 2)).pvalue > 1e-4
    assert abs(float(torch.corrcoef(torch.stack((zoom, angle)))[0, 1])) < 0.05


@pytest.mark.parametrize(("size", "spacing"), [(17, 4.0), (64, 16.0), (9, 20.0)])
def test_splines_are_scipys_and_sum_to_one(size: int, spacing: float) -> None:
    ours = spline(size, spacing, CPU)
    knots = spacing * np.arange(-3, ours.shape[1] + 1)
    theirs = interpolate.BSpline.design_matrix(np.arange(size).astype(float), knots, 3).toarray()
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)
    torch.testing.assert_close(ours.sum(dim=1), torch.ones(size))


def test_an_elastic_deformation_reaches_its_largest_shift_which_is_drawn_evenly() -> None:
    still_x, still_y = positions(24, 40, CPU)
    for limit, furthest in ((3.0, 3.0), (8.0, 24 / 5)):
        x, y = draw_map(Geometry(elastic=limit), 24, 40, ones(1500), generator())
        largest = torch.hypot(x - still_x, y - still_y).amax(dim=(1, 2))
        assert stats.kstest(largest.numpy() / furthest, "uniform").pvalue > 1e-4


@pytest.mark.parametrize(("height", "width"), [(64, 128), (8, 8), (16, 24), (130, 90), (8, 300)])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_no_elastic_deformation_folds_the_image(height: int, width: int, factor: float) -> None:
    """The map's area element stays positive up to the largest shift of the axis under the largest class factor."""
    for limit in (1.0, 3.0, 8.0):
        strength = factor * ones(150)
        x, y = draw_map(Geometry(elastic=limit), height, width, strength, generator(), strongest=factor)
        area = x.diff(dim=2)[:, 1:] * y.diff(dim=1)[..., 1:] - x.diff(dim=1)[..., 1:] * y.diff(dim=2)[:, 1:]
        assert float(area.min()) > 0


def test_a_smooth_field_has_length_one_at_its_longest() -> None:
    field = smooth_field(30, 20, 30, 6.0, generator())
    torch.testing.assert_close(torch.linalg.vector_norm(field, dim=1).amax(dim=(1, 2)), torch.ones(30))


@pytest.mark.parametrize("seed", range(3))
def test_an_image_of_labels_and_its_mask_move_together(seed: int) -> None:
    labels = (torch.randn(16, 1, 8, 16, generator=generator(seed)) > 0).float()
    masks = torch.nn.functional.interpolate(labels, scale_factor=8)[:, 0].to(torch.uint8)
    images, moved = warp(masks[:, None].float(), masks, EVERYTHING, ones(16), generator(seed))
    away = (images[:, 0] - moved.float()).abs()
    assert float(away.max()) <= 0.75 + 1e-3  # the nearest pixel has a quarter of the weight or more
    inside = ((images[:, 0] - images[:, 0].round()).abs() < 1e-3) & (away > 1e-2)
    assert not inside.any()  # away from edges they agree exactly
    assert float((moved != masks).float().mean()) > 0.2
    assert float((away > 0.5).float().mean()) < 0.02


def test_strength_multiplies_every_limit() -> None:
    masks = torch.randint(0, 5, (4, 32, 48), generator=generator(), dtype=torch.uint8)
    images, same = warp(masks[:, None].float(), masks, EVERYTHING, 0 * ones(4), generator())
    assert torch.equal(same, masks)
    torch.testing.assert_close(images[:, 0], masks.float(), atol=1e-3, rtol=0)
    half = Geometry(rotation=10.0, grid_distortion=0.2)
    double = Geometry(rotation=20.0, grid_distortion=0.4)
    expected = draw_map(double, 32, 48, ones(4), generator())
    for ours, theirs in zip(draw_map(half, 32, 48, 2 * ones(4), generator()), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    (x, _), (wider, _) = (
        draw_map(Geometry(zoom=zoom), 8, 8, factor * ones(4), generator()) for zoom, factor in ((0.2, 2.0), (0.4, 1.0))
    )
    torch.testing.assert_close(x, wider)


def test_nothing_asked_for_leaves_the_batch_and_the_generator_alone() -> None:
    images, masks, rng = torch.rand(2, 1, 8, 8), torch.zeros(2, 8, 8), generator()
    before = rng.get_state()
    assert all(a is b for a, b in zip(warp(images, masks, Geometry(), ones(2), rng), (images, masks), strict=True))
    assert torch.equal(rng.get_state(), before)
