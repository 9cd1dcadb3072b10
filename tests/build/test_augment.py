from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from spaces.build.augment import blur, build_augment
from spaces.facts import DataFacts
from spaces.recipe import Augment

OFF = Augment(flip_horizontal=False)


def batch(channels: int = 1, size: tuple[int, int] = (9, 14)) -> tuple[torch.Tensor, torch.Tensor]:
    """Images whose first channel is their mask, so that any difference between the two shows."""
    masks = torch.randint(0, 4, (64, *size), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return masks[:, None].float().repeat(1, channels, 1, 1), masks


def data_facts(channels: int = 1) -> DataFacts:
    return DataFacts(channels=channels, height=9, width=14, class_names=("a", "b", "c", "d"))


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


def test_the_seed_decides() -> None:
    images, masks = batch()
    apply = build_augment(Augment(flip_vertical=True, noise=0.3, blur=1.5), data_facts(), std=[1.0])
    first, again, other = (apply(images, masks, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(images[:, 0], masks.float())  # the input is left as it was


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


def test_std_must_fit_the_channels() -> None:
    with pytest.raises(ValueError, match="std has 1 numbers for images of 3 channels"):
        build_augment(Augment(), data_facts(3), std=[1.0])
