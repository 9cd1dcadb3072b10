from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from search.training.samples import Samples, build_donors, build_samples, isolated, rarest_label
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe.data_options import Data, Oversample

SKY, SOIL, ROCK, IGNORED = 0, 1, 2, 255


def data_facts(*excluded: str) -> DataFacts:
    return DataFacts(channels=1, height=8, width=9, class_names=("sky", "soil", "rock"), excluded=excluded)


FACTS = data_facts("sky")


def arrays(count: int, rare: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that are all their own number, and masks of sky, soil and ignored pixels; rocks where it is said."""
    random = torch.Generator().manual_seed(0)
    masks = torch.tensor([SKY, SOIL, IGNORED], dtype=torch.uint8)[torch.randint(0, 3, (count, 8, 9), generator=random)]
    masks[rare, 2:4, 3] = ROCK
    return torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 8, 9).contiguous(), masks


def built(section: Oversample | None, *, count: int = 10, rare: list[int] | None = None, epochs: int = 10) -> Samples:
    images, masks = arrays(count, [3, 7] if rare is None else rare)
    rarest = None if rare == [] else ROCK
    return build_samples(Data(oversample=section), epochs, images, masks, FACTS, rarest, IGNORED)


def pairs(samples: Samples, epoch: int) -> list[tuple[int, torch.Tensor]]:
    """Number of the image and mask of each sample of an epoch."""
    rows = samples.indices(epoch)
    images = samples.images.index_select(0, samples.source.index_select(0, rows))
    return list(zip(images[:, 0, 0, 0].tolist(), samples.masks.index_select(0, rows), strict=True))


@pytest.mark.parametrize(("section", "rare"), [(None, [3, 7]), (Oversample(), [])])
def test_without_oversampling_or_a_rarest_class_every_sample_comes_once(
    section: Oversample | None, rare: list[int]
) -> None:
    samples = built(section, rare=rare)
    for epoch in (1, 10):
        assert samples.indices(epoch).tolist() == list(range(10))
        assert samples.count(epoch) == 10
    assert len(samples.masks) == 10


@given(copies=st.integers(2, 8), count=st.integers(1, 12), isolate=st.booleans(), data=st.data())
def test_images_of_the_rarest_class_come_as_often_as_asked(
    copies: int, count: int, isolate: bool, data: st.DataObject
) -> None:
    rare = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    samples = built(Oversample(copies=copies, isolate=isolate), count=count, rare=rare)
    _, masks = arrays(count, rare)
    came = pairs(samples, 1)
    assert samples.count(1) == len(came) == count + (copies - 1) * len(rare)
    assert len(samples.masks) == count + (len(rare) if isolate else 0)  # copies take no memory
    for number in range(count):
        own = [mask for image, mask in came if image == number]
        assert len(own) == (copies if number in rare else 1)
        whole = sum(torch.equal(mask, masks[number]) for mask in own)
        assert whole == (1 if isolate and number in rare and _has_soil(masks[number]) else len(own))


def _has_soil(mask: torch.Tensor) -> bool:
    return bool((mask == SOIL).any())


@pytest.mark.parametrize(
    ("epochs", "phase", "begins"), [(10, 1.0, 1), (10, 0.3, 8), (30, 0.1, 28), (3, 0.1, 3), (1, 0.5, 1), (7, 0.5, 4)]
)
def test_repetition_begins_so_that_the_last_share_of_the_epochs_has_it(epochs: int, phase: float, begins: int) -> None:
    samples = built(Oversample(copies=4, phase=phase), epochs=epochs)
    assert samples.begins == begins
    assert [samples.count(epoch) for epoch in range(1, epochs + 1)] == [10] * (begins - 1) + [16] * (
        epochs - begins + 1
    )
    for epoch in range(1, epochs + 1):
        rows = samples.indices(epoch)
        assert rows.device.type == "cpu"
        assert len(rows) == samples.count(epoch)
        assert rows[:10].tolist() == list(range(10))


@pytest.mark.parametrize(
    ("excluded", "ignore_label", "other"),
    [(("sky",), IGNORED, SKY), (("soil",), IGNORED, SOIL), (("sky", "soil"), None, SKY), ((), IGNORED, IGNORED)],
)
def test_an_isolated_copy_keeps_the_class_and_what_is_ignored(
    excluded: tuple[str, ...], ignore_label: int | None, other: int
) -> None:
    images, masks = arrays(10, [3, 7])
    if ignore_label is None:
        masks = torch.where(masks == IGNORED, SOIL, masks)
    section = Data(oversample=Oversample(copies=3, isolate=True))
    samples = build_samples(section, 1, images, masks, data_facts(*excluded), ROCK, ignore_label)
    for number, mask in pairs(samples, 1)[10:]:
        expected = [value if value in (ROCK, ignore_label) else other for value in masks[number].flatten().tolist()]
        assert mask.dtype == torch.uint8
        assert mask.flatten().tolist() == expected
    assert torch.equal(samples.masks[:10], masks)


def test_isolated_copies_need_a_label_to_turn_to() -> None:
    images, masks = arrays(10, [3])
    section = Data(oversample=Oversample(isolate=True))
    with pytest.raises(SpaceError, match=r"data.oversample.isolate .* neither an excluded class nor an ignore_label"):
        build_samples(section, 1, images, masks.clamp_max(ROCK), data_facts(), ROCK, None)
    assert torch.equal(isolated(masks, ROCK, IGNORED, None), torch.where(masks == ROCK, ROCK, IGNORED))


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=3, max_size=3), st.booleans())
def test_the_rarest_class_occurs_and_counts(shares: list[float], excluded: bool) -> None:
    allowed = [k for k in range(3) if shares[k] > 0 and not (excluded and k == 0)]
    rarest = rarest_label(shares, FACTS if excluded else data_facts())
    assert (rarest is None) == (not allowed)
    if rarest is not None:
        assert rarest in allowed
        assert shares[rarest] == min(shares[k] for k in allowed)
        assert all(shares[k] > shares[rarest] for k in allowed if k < rarest)


@pytest.mark.parametrize("rare", [[3, 7], [0], list(range(10))])
def test_donors_are_the_images_of_the_rarest_class(rare: list[int]) -> None:
    images, masks = arrays(10, rare)
    donors = build_donors(images, masks, ROCK)
    assert donors is not None
    assert donors.label == ROCK
    assert donors.images[:, 0, 0, 0].tolist() == rare
    assert torch.equal(donors.masks, masks[rare])
    assert (donors.masks.data_ptr() == masks.data_ptr()) == (len(rare) == 10)  # the whole part is not held twice


def test_there_are_no_donors_of_a_class_that_does_not_occur() -> None:
    images, masks = arrays(10, [])
    assert build_donors(images, masks, ROCK) is None
    assert build_donors(images, masks, None) is None


def test_epochs_of_a_long_training_repeat_for_a_share_of_it() -> None:
    for phase in (0.1, 0.25, 0.7, 1.0):
        with_more = sum(built(Oversample(phase=phase), epochs=200).count(epoch) > 10 for epoch in range(1, 201))
        assert with_more == math.ceil(200 * phase - 1e-9)
