"""Which samples an epoch trains on: the training part, and images of the rarest class on top.

Where a training sees crops, a sample is one crop of an image, and an image has as many as cover it about once.
Shapes: N images, M masks, R images that hold the rarest class, C channels, H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.augmentation.mixing import Donors
from spaces.recipe.data_options import Data, Oversample


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """The samples of a training; a sample is a row of masks, and its image is the one at source.

    images: (N, C, H, W) on the device, in the data's own scale.
    masks: (M, H, W) on the device, M >= N: isolated copies stand after the first N.
    source: (M,) rows of images, on the device.
    own: rows of the first N masks, on the CPU; a row stands there as often as it comes, at least once.
    additional: (A,) rows that come on top, likewise; of crops plus M, since these are placed on the rarest class.
    begins: the first epoch, from 1, in which they do.
    """

    images: Tensor
    masks: Tensor
    source: Tensor
    own: Tensor
    additional: Tensor
    begins: int

    def count(self, epoch: int) -> int:
        """How many samples that epoch has."""
        return len(self.own) + (len(self.additional) if epoch >= self.begins else 0)

    def indices(self, epoch: int) -> Tensor:
        """The rows of masks that epoch trains on, in order, on the CPU; each of the first N once, or for each crop."""
        return torch.cat((self.own, self.additional)) if epoch >= self.begins else self.own


def rarest_label(shares: Sequence[float], facts: DataFacts) -> int | None:
    """The class of the smallest share above 0 that is not excluded from the mean; None where there is none.

    shares: share of each class among the labelled pixels, in label order. Of equal ones the first counts.
    """
    present = [k for k, share in enumerate(shares) if share > 0 and k not in facts.excluded_labels]
    return min(present, key=lambda k: shares[k], default=None)


def holding(masks: Tensor, label: int) -> Tensor:
    """The rows of masks (N, H, W) with at least one pixel of the label: (R,), ascending."""
    return torch.nonzero((masks == label).flatten(1).any(dim=1)).flatten()


def build_samples(
    data: Data,
    epochs: int,
    images: Tensor,
    masks: Tensor,
    facts: DataFacts,
    rarest: int | None,
    ignore_label: int | None,
    crops: Sequence[int] | None = None,
) -> Samples:
    """The samples of a training of that many epochs, from images (N, C, H, W) and masks (N, H, W).

    crops: how many each image has; None where it is trained on whole. For a repeated image come as many more as a third
    of an image's, on average: so many are placed on a class anyway.

    Report E: images of the rarest class come copies times instead of once, in a last share of the epochs
    (rounded, at least one). Report A: in the copies, every other pixel becomes background: the first class that
    is excluded from the mean or, where none is, the ignore label. Without a rarest class nothing is repeated.
    Raises SpaceError where the copies have no label to turn to.
    """
    section, own = data.oversample, torch.arange(len(images))
    taken = own if crops is None else own.repeat_interleave(torch.tensor(crops), output_size=sum(crops))
    if section is None or rarest is None:
        return _samples(images, masks, source=own, own=taken, additional=own[:0], begins=1)
    rare = holding(masks, rarest)
    source, repeated = own, rare.cpu()
    if section.isolate:
        background = _background_label(facts, ignore_label)
        masks = torch.cat((masks, isolated(masks.index_select(0, rare), rarest, background, ignore_label)))
        source, repeated = torch.cat((own, repeated)), torch.arange(len(own), len(masks))
    if crops is not None:
        repeated = (repeated + len(masks)).repeat(math.ceil(sum(crops) / len(crops) / 3))
    additional = repeated.repeat(section.copies - 1)
    begins = _first_epoch(section, epochs)
    return _samples(images, masks, source=source, own=taken, additional=additional, begins=begins)


def isolated(masks: Tensor, label: int, background: int, ignore_label: int | None) -> Tensor:
    """Masks (R, H, W) in which every pixel of another class becomes background; ignored ones stay so."""
    kept = masks == label
    if ignore_label is not None:
        kept = kept | (masks == ignore_label)
    return torch.where(kept, masks, background)


def build_donors(images: Tensor, masks: Tensor, rarest: int | None) -> Donors | None:
    """The images (N, C, H, W) and masks (N, H, W) that hold the rarest class; None where none does."""
    if rarest is None:
        return None
    rows = holding(masks, rarest)
    if len(rows) == 0:
        return None
    if len(rows) < len(masks):  # else they are shared, not copied
        images, masks = images.index_select(0, rows), masks.index_select(0, rows)
    return Donors(images=images, masks=masks, label=rarest)


def _samples(images: Tensor, masks: Tensor, *, source: Tensor, own: Tensor, additional: Tensor, begins: int) -> Samples:
    source = source.to(images.device)
    return Samples(images=images, masks=masks, source=source, own=own, additional=additional, begins=begins)


def _first_epoch(section: Oversample, epochs: int) -> int:
    return epochs - max(1, round(section.phase * epochs)) + 1


def _background_label(facts: DataFacts, ignore_label: int | None) -> int:
    if facts.excluded:
        return facts.excluded_labels[0]
    if ignore_label is None:
        raise SpaceError(
            "data.oversample.isolate turns other pixels into background, but the data has neither an excluded class"
            " nor an ignore_label: set it to false"
        )
    return ignore_label
