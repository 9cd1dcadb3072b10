from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage, stats
from torch.utils._python_dispatch import TorchDispatchMode

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.augmentation.augment import build_augment, strengths
from spaces.modules.augmentation.intensity import blur, relight
from spaces.modules.augmentation.mixing import Donors
from spaces.recipe.data_options import Augment, Geometry, Mixing

OFF = Augment(flip_horizontal=False)
EVERYTHING = Augment(
    flip_vertical=True,
    noise=0.3,
    blur=1.5,
    brightness=0.5,
    contrast=0.5,
    geometry=Geometry(zoom=0.5, rotation=45.0, elastic=4.0, grid_distortion=0.5),
    mixing=Mixing(probability=0.5),
    class_factors={"b": 2.0, "d": 0.5},
)
CUTMIX = EVERYTHING.model_copy(update={"mixing": Mixing(method="cutmix", probability=0.5)})


def batch(channels: int = 1, size: tuple[int, int] = (9, 14)) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose first channel is their mask, so that any difference between the two shows."""
    masks = torch.randint(0, 4, (64, *size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return masks[:, None].float().repeat(1, channels, 1, 1), masks


def data_facts(channels: int = 1) -> DataFacts:
    return DataFacts(channels=channels, height=9, width=14, class_names=("a", "b", "c", "d"))


def donors(channels: int = 1) -> Donors:
    masks = torch.randint(0, 4, (5, 9, 14), generator=torch.Generator().manual_seed(9), dtype=torch.uint8)
    masks[:, 4, 7] = 3
    return Donors(images=masks[:, None].repeat(1, channels, 1, 1), masks=masks, label=3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("field", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
def test_images_and_masks_flip_together(field: str, axis: int) -> None:
    images, masks = batch()
    section = OFF.model_copy(update={field: True})
    flipped, flipped_masks = build_augment(section, data_facts(), std=[1.0])(images, masks, generator())
    assert torch.equal(flipped[:, 0], flipped_masks.float())
    same = (flipped_masks == masks).all(dim=(1, 2))
    mirrored = (flipped_masks == masks.flip(axis)).all(dim=(1, 2))
    assert (same ^ mirrored).all()
    assert 16 < int(mirrored.sum()) < 48  # p = 0.5 of 64


def test_nothing_on_changes_nothing() -> None:
    images, masks = batch()
    same, same_masks = build_augment(OFF, data_facts(), std=[1.0])(images, masks, generator())
    assert torch.equal(same, images)
    assert torch.equal(same_masks, masks)


@pytest.mark.parametrize("section", [EVERYTHING, CUTMIX], ids=["copy_paste", "cutmix"])
def test_the_seed_decides(section: Augment) -> None:
    images, masks = batch()
    before = images.clone()
    apply = build_augment(section, data_facts(), std=[1.0], donors=donors())
    first, again, other = (apply(images, masks, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(images, before)  # the input is left as it was
    assert torch.equal(images[:, 0], masks.float())


def test_the_order_in_memory_does_not_matter() -> None:
    images, masks = batch(3)
    apply = build_augment(EVERYTHING, data_facts(3), std=[1.0] * 3, donors=donors(3))
    planes, labels = apply(images, masks, generator())
    last, same = apply(images.contiguous(memory_format=torch.channels_last), masks, generator())
    torch.testing.assert_close(last, planes)
    assert torch.equal(same, labels)


class NoWaiting(TorchDispatchMode):
    """Fails at operations whose result the host has to know, or whose shape hangs on it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().removeprefix("aten::").split(".")[0]
        waits = name in ("_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "unique")
        index = [i for i in (args[1] if name in ("index", "index_put_") else ()) if i is not None]
        if waits or any(i.dtype in (torch.bool, torch.uint8) for i in index):
            raise AssertionError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("section", [EVERYTHING, CUTMIX], ids=["copy_paste", "cutmix"])
def test_no_step_waits_for_the_device(section: Augment) -> None:
    images, masks = batch()
    apply = build_augment(section, data_facts(), std=[1.0], donors=donors())
    with NoWaiting():
        apply(images, masks, generator())
    with pytest.raises(AssertionError, match="waits"), NoWaiting():
        images[images > 0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("section", [EVERYTHING, CUTMIX], ids=["copy_paste", "cutmix"])
def test_a_gpu_repeats_itself_and_is_not_waited_for(section: Augment) -> None:
    images, masks = (part.cuda() for part in batch())
    given = donors()
    resident = Donors(images=given.images.cuda(), masks=given.masks.cuda(), label=given.label)
    apply = build_augment(section, data_facts(), std=[1.0], donors=resident)
    results = [apply(images, masks, torch.Generator("cuda").manual_seed(0)) for _ in range(2)]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    torch.cuda.set_sync_debug_mode("error")
    try:
        apply(images, masks, torch.Generator("cuda").manual_seed(0))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_noise_is_in_units_of_the_data_and_spares_the_mask() -> None:
    images, masks = torch.zeros(300, 3, 20, 20), torch.ones(300, 20, 20, dtype=torch.uint8)
    section = OFF.model_copy(update={"noise": 0.2})
    noisy, same = build_augment(section, data_facts(3), std=[10.0, 20.0, 40.0])(images, masks, generator())
    assert torch.equal(same, masks)
    sigma = noisy.std(dim=(2, 3)) / torch.tensor([10.0, 20.0, 40.0])  # (B, C), each about the image's own draw
    assert float(sigma.max()) < 0.25
    assert sigma.mean(dim=0).tolist() == pytest.approx([0.1, 0.1, 0.1], abs=0.01)  # evenly from 0 to 0.2
    assert float(noisy.mean()) == pytest.approx(0.0, abs=0.05)


def test_blur_changes_the_image_and_not_the_mask() -> None:
    images, masks = batch(3)
    blurred, same = build_augment(OFF.model_copy(update={"blur": 1.5}), data_facts(3), std=[1.0] * 3)(
        images, masks, generator()
    )
    assert torch.equal(same, masks)
    assert float((blurred - images).abs().mean()) > 0.1
    assert (blurred.std(dim=(1, 2, 3)) <= images.std(dim=(1, 2, 3)) + 1e-5).all()


def test_blur_is_a_gaussian() -> None:
    """Far from the border it is scipy's, and a constant image stays as it is up to the border."""
    image = torch.rand(1, 1, 41, 51, generator=generator(), dtype=torch.float64)
    ours = blur(image, torch.full((1, 1, 1, 1), 1.3, dtype=torch.float64))[0, 0].numpy()
    theirs = ndimage.gaussian_filter(image[0, 0].numpy(), 1.3, truncate=8)
    assert ours[12:-12, 12:-12] == pytest.approx(theirs[12:-12, 12:-12], abs=1e-9)
    flat = torch.full((2, 1, 8, 8), 7.0)
    torch.testing.assert_close(blur(flat, torch.tensor([0.0, 1.5]).view(2, 1, 1, 1)), flat)
    torch.testing.assert_close(blur(image, torch.zeros(1, 1, 1, 1, dtype=torch.float64)), image)


def test_relighting_scales_around_each_channels_own_mean() -> None:
    images = torch.rand(3, 2, 5, 7, generator=generator(), dtype=torch.float64) * 200
    gain, shift = torch.tensor([0.5, 1.0, 1.5]).double().view(3, 1, 1, 1), torch.rand(3, 2, 1, 1).double()
    ours = relight(images, gain, shift)
    for b in range(3):
        for c in range(2):
            values = images[b, c].flatten().tolist()
            mean = sum(values) / 35
            expected = [(value - mean) * float(gain[b]) + mean + float(shift[b, c]) for value in values]
            assert ours[b, c].flatten().tolist() == pytest.approx(expected)
    assert torch.equal(relight(images, torch.ones(3, 1, 1, 1).double(), torch.zeros(1, 2, 1, 1).double()), images)


def test_brightness_shifts_evenly_to_both_sides_in_units_of_the_data() -> None:
    images, masks = torch.full((1000, 2, 8, 8), 100.0), torch.ones(1000, 8, 8, dtype=torch.uint8)
    section = OFF.model_copy(update={"brightness": 0.5})
    shifted, same = build_augment(section, data_facts(2), std=[10.0, 40.0])(images, masks, generator())
    assert torch.equal(same, masks)
    shift = (shifted - 100).mean(dim=(2, 3))
    torch.testing.assert_close(shift[:, 0] * 4, shift[:, 1], atol=1e-3, rtol=1e-3)  # all channels together
    assert stats.kstest(shift[:, 0].numpy() / 5, "uniform", (-1, 2)).pvalue > 1e-4
    torch.testing.assert_close(shifted.std(dim=(2, 3)), torch.zeros(1000, 2), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("factor", "low", "high"), [(1.0, 0.5, 1.5), (3.0, 0.0, 2.5)])
def test_contrast_changes_evenly_to_both_sides_and_never_turns_round(factor: float, low: float, high: float) -> None:
    images = torch.rand(1000, 1, 8, 8, generator=generator()) * 200
    masks = torch.ones(1000, 8, 8, dtype=torch.uint8)
    section = OFF.model_copy(update={"contrast": 0.5, "class_factors": {"b": factor}})
    changed, _ = build_augment(section, data_facts(), std=[1.0])(images, masks, generator())
    torch.testing.assert_close(changed.mean(dim=(2, 3)), images.mean(dim=(2, 3)))
    gain = (changed.std(dim=(2, 3)) / images.std(dim=(2, 3)))[:, 0].numpy()
    assert gain.min() == pytest.approx(low, abs=0.02)
    assert gain.max() == pytest.approx(high, abs=0.02)
    above = gain[gain > 0.01]  # those held at 0 apart
    assert stats.kstest(above, "uniform", (low, high - low)).pvalue > 1e-4


@given(
    factors=st.lists(st.floats(0, 3, width=32), min_size=4, max_size=4),
    pixels=st.lists(st.sampled_from([0, 1, 2, 3, 200, 255]), min_size=6, max_size=6),
)
def test_the_largest_factor_among_an_images_classes_counts(factors: list[float], pixels: list[int]) -> None:
    by_label = torch.tensor([*factors, *[-1.0] * 252])
    masks = torch.tensor(pixels, dtype=torch.uint8).view(2, 1, 3)
    expected = [max((factors[p] for p in mask if p < 4), default=1.0) for mask in (pixels[:3], pixels[3:])]
    assert strengths(masks, by_label).flatten().tolist() == expected
    assert strengths(masks.long(), by_label).shape == (2, 1, 1, 1)


def test_class_factors_strengthen_every_change_of_an_images_values_and_shape() -> None:
    """Images of class a alone are spared, those of c (which is not named) are changed as they were, d twice."""
    masks = torch.tensor([0, 2, 3], dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 100, 9, 14).flatten(0, 1)
    images = torch.rand(300, 1, 9, 14, generator=generator()) * 100
    for field in ("noise", "blur", "brightness", "contrast", "geometry"):
        change = Geometry(rotation=10.0) if field == "geometry" else 0.3
        plain = OFF.model_copy(update={field: change})
        ours = plain.model_copy(update={"class_factors": {"a": 0.0, "d": 2.0}})
        before, after = (
            (build_augment(section, data_facts(), std=[30.0])(images, masks, generator())[0] - images).view(3, -1)
            for section in (plain, ours)
        )
        torch.testing.assert_close(after[0], torch.zeros_like(after[0]), atol=1e-3, rtol=0)
        torch.testing.assert_close(after[1], before[1], atol=1e-3, rtol=0)
        assert float(after[2].abs().mean()) > 1.3 * float(before[2].abs().mean())


def test_class_factors_name_classes_of_the_data() -> None:
    with pytest.raises(SpaceError, match=r"augment.class_factors names \['stone'\], but the classes are \['a', 'b'"):
        build_augment(Augment(class_factors={"stone": 2.0}), data_facts(), std=[1.0])


def test_std_must_fit_the_channels() -> None:
    with pytest.raises(ValueError, match="std has 1 numbers for images of 3 channels"):
        build_augment(Augment(), data_facts(3), std=[1.0])


CHANGES = {
    "noise": Augment(flip_horizontal=False, noise=0.3, probability=0.25),
    "blur": Augment(flip_horizontal=False, blur=1.5, probability=0.25),
    "brightness": Augment(flip_horizontal=False, brightness=0.5, probability=0.25),
    "geometry": Augment(flip_horizontal=False, geometry=Geometry(rotation=45.0, zoom=0.5, probability=0.25)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_share_of_the_images_is_changed_and_the_others_stay_to_the_bit(name: str) -> None:
    """nnU-Net (arXiv 1809.10486, supplement) changes a tenth to a fifth of the images in each way, not all of them."""
    images = torch.rand(2000, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 255
    masks = torch.randint(0, 3, (2000, 8, 8), generator=torch.Generator().manual_seed(1))
    facts = DataFacts(channels=1, height=8, width=8, class_names=("a", "b", "c"))
    step = build_augment(CHANGES[name], facts, std=[50.0])
    changed, labels = step(images.clone(), masks.clone(), torch.Generator().manual_seed(2))
    moved = (changed != images).flatten(1).any(dim=1)
    assert 0.2 < moved.float().mean().item() < 0.3
    assert torch.equal(labels[~moved], masks[~moved])
    assert (labels != masks).any().item() == (name == "geometry")
