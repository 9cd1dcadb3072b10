from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spaces.facts import DataFacts
from spaces.modules.augmentation.augment import build_augment
from spaces.modules.augmentation.mixing import Donors, box, choose_pixels, draw_donors, draw_pixels, put
from spaces.recipe.data_options import Augment, Geometry, Mixing

FACTS = DataFacts(channels=1, height=12, width=20, class_names=("sky", "soil", "rock"), excluded=("sky",))
OFF = Augment(flip_horizontal=False)
ROCK, IGNORED = 2, 255


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labels(*size: int, seed: int = 0) -> torch.Tensor:
    """Masks of all three classes and ignored pixels, each with a rock."""
    masks = torch.tensor([0, 1, ROCK, IGNORED], dtype=torch.uint8)[torch.randint(0, 4, size, generator=generator(seed))]
    masks[:, 0, 0] = ROCK
    return masks


def donors(count: int = 5) -> Donors:
    """Donors whose every pixel has a brightness of its own, from 1000."""
    pixels = torch.arange(count * 12 * 20).view(count, 1, 12, 20) + 1000
    return Donors(images=pixels.to(torch.int32), masks=labels(count, 12, 20), label=ROCK)


def batch(count: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Dark images without a rock."""
    masks = torch.randint(0, 2, (count, 12, 20), generator=generator(1), dtype=torch.uint8)
    return masks[:, None].float(), masks


def mixed(section: Mixing, **others: object) -> tuple[torch.Tensor, torch.Tensor]:
    augment = OFF.model_copy(update={"mixing": section, **others})
    return build_augment(augment, FACTS, std=[1.0], donors=donors())(*batch(), generator())


def put_slowly(images: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, list[list[int]]]:
    """From the brightness of what was put in: the labels that belong there, and the pixels that came."""
    given, expected, came = donors(), torch.full(images.shape[-2:], -1), []
    for row, column in np.argwhere(images.numpy() >= 1000):
        place = int(images[row, column]) - 1000
        donor, from_row, from_column = place // 240, place % 240 // 20, place % 20
        assert row == from_row
        assert column == (19 - from_column if mirrored else from_column)
        expected[row, column] = int(given.masks[donor, from_row, from_column])
        came.append([donor, int(row), int(column)])
    return expected, came


def test_copy_paste_puts_all_pixels_of_the_class_at_their_place_and_no_other() -> None:
    images, masks = batch()
    changed, changed_masks = mixed(Mixing(probability=1.0))
    assert changed_masks.dtype == torch.uint8
    for b in range(len(images)):
        expected, came = put_slowly(changed[b, 0], mirrored=False)
        here = expected >= 0
        assert len({donor for donor, _, _ in came}) == 1
        assert torch.equal(here, donors().masks[came[0][0]] == ROCK)
        assert (changed_masks[b][here] == ROCK).all()
        assert torch.equal(changed_masks[b][~here], masks[b][~here])
        assert torch.equal(changed[b, 0][~here], images[b, 0][~here])


def test_cutmix_puts_one_rectangle_with_its_labels_and_a_pixel_of_the_class_in_it() -> None:
    images, masks = batch()
    changed, changed_masks = mixed(Mixing(method="cutmix", probability=1.0))
    for b in range(len(images)):
        expected, came = put_slowly(changed[b, 0], mirrored=False)
        here = expected >= 0
        rows, columns = ({place[axis] for place in came} for axis in (1, 2))
        assert int(here.sum()) == (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
        assert len({donor for donor, _, _ in came}) == 1
        assert torch.equal(changed_masks[b][here].long(), expected[here])
        assert (changed_masks[b] == ROCK).any()
        assert torch.equal(changed_masks[b][~here], masks[b][~here])
        assert torch.equal(changed[b, 0][~here], images[b, 0][~here])
    assert (changed_masks == IGNORED).any()  # what a donor does not know, the image does not either


@pytest.mark.parametrize("method", ["copy_paste", "cutmix"])
def test_the_probability_is_the_share_of_images_that_receive_something(method: str) -> None:
    changed, _ = mixed(Mixing(method=method, probability=0.3))  # type: ignore[arg-type]
    received = (changed >= 1000).flatten(1).any(dim=1)
    assert stats.binomtest(int(received.sum()), 200, 0.3).pvalue > 1e-4


def test_donors_are_mirrored_only_where_the_section_flips() -> None:
    changed, _ = mixed(Mixing(probability=1.0), flip_horizontal=True)
    mirrored = 0
    for image in changed[:, 0]:
        row, column = np.argwhere(image.numpy() >= 1000)[0]
        at_its_place = (int(image[row, column]) - 1000) % 20 == column
        put_slowly(image, mirrored=not at_its_place)
        mirrored += not at_its_place
    assert stats.binomtest(mirrored, 200, 0.5).pvalue > 1e-4


def test_what_is_put_in_is_not_distorted_but_gets_noise() -> None:
    everything = Geometry(zoom=0.5, rotation=45.0, elastic=3.0, grid_distortion=0.3)
    changed, masks = mixed(Mixing(probability=1.0), geometry=everything)
    for b in range(20):
        expected, _ = put_slowly(changed[b, 0], mirrored=False)
        assert torch.equal(expected >= 0, masks[b] == ROCK)
    noisy, _ = mixed(Mixing(probability=1.0), noise=0.3)
    pasted = noisy[noisy > 500]
    assert float((pasted - pasted.round()).abs().mean()) > 0.01


def test_without_donors_nothing_happens_and_nothing_is_drawn() -> None:
    images, masks = batch()
    rng = generator()
    before = rng.get_state()
    section = OFF.model_copy(update={"mixing": Mixing(probability=1.0)})
    same, same_masks = build_augment(section, FACTS, std=[1.0])(images, masks, rng)
    assert torch.equal(same, images)
    assert torch.equal(same_masks, masks)
    assert torch.equal(rng.get_state(), before)


def test_every_donor_comes_equally_often_and_keeps_its_mask() -> None:
    given = donors()
    images, masks = draw_donors(given, 2000, generator())
    which = ((images[:, 0, 0, 0] - 1000) / 240).long()
    assert images.dtype == torch.float32
    assert torch.equal(masks, given.masks[which])
    assert stats.chisquare(np.bincount(which.numpy(), minlength=5)).pvalue > 1e-4


def test_pixels_of_the_class_are_drawn_evenly() -> None:
    mask = labels(1, 6, 9)
    rows, columns = draw_pixels(mask.expand(4000, -1, -1), ROCK, generator())
    assert rows.shape == columns.shape == (4000, 1, 1)
    counts = np.bincount((rows * 9 + columns).flatten().numpy(), minlength=54).reshape(6, 9)
    rocks = (mask[0] == ROCK).numpy()
    assert counts[~rocks].sum() == 0
    assert stats.chisquare(counts[rocks]).pvalue > 1e-4


@given(data=st.data(), height=st.integers(1, 12), width=st.integers(1, 12), area=st.floats(0, 1))
def test_a_box_is_what_its_definition_says(data: st.DataObject, height: int, width: int, area: float) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    centre = (torch.tensor(row).view(1, 1, 1), torch.tensor(column).view(1, 1, 1))
    ours = box(height, width, centre, torch.tensor(area, dtype=torch.float64).view(1, 1, 1))
    side = np.sqrt(area)
    for y in range(height):
        for x in range(width):
            within = min(side / 2 * height - abs(y - row), side / 2 * width - abs(x - column))
            if abs(within) > 1e-9 or area in (0.0, 1.0):  # on the border of others it is rounding that decides
                assert bool(ours[0, y, x]) == (within >= 0)
    assert ours[0, row, column]


def test_a_box_takes_an_evenly_drawn_share_of_the_area() -> None:
    masks = torch.zeros(1000, 101, 101, dtype=torch.uint8)
    masks[:, 50, 50] = ROCK
    chosen = choose_pixels(Mixing(method="cutmix", probability=1.0), masks, ROCK, generator())
    area = chosen.float().mean(dim=(1, 2)).numpy()
    assert stats.kstest(area, "uniform").statistic < 0.05  # the finest steps are 2 % of the area


def test_labels_keep_the_type_of_the_batch() -> None:
    given = draw_donors(donors(), 3, generator())
    images, masks = batch(3)
    _, wide = put(images, masks.long(), given, torch.ones(3, 12, 20, dtype=torch.bool))
    assert wide.dtype == torch.int64
    assert torch.equal(wide, given[1].long())
