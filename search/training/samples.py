"""Which samples an epoch trains on: the training part, and images of the rarest class on top.

Shapes: N images, M masks, R images that hold the rarest class, C channels, H and W pixels.
"""

from __future__ import annotations

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
    additional: (A,) rows of masks that come on top, on the CPU; a row stands there as often as it comes.
    begins: the first epoch, from 1, in which they do.
    """

    images: Tensor
    masks: Tensor
    source: Tensor
    additional: Tensor
    begins: int

    def count(self, epoch: int) -> int:
        """How many samples that epoch has."""
        return len(self.images) + (len(self.additional) if epoch >= self.begins else 0)

    def indices(self, epoch: int) -> Tensor:
        """The rows of masks that epoch trains on, in order, on the CPU; each of the first N once."""
        own = torch.arange(len(self.images))
        return torch.cat((own, self.additional)) if epoch >= self.begins else own


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
) -> Samples:
    """The samples of a training of that many epochs, from images (N, C, H, W) and masks (N, H, W).

    Report E: images of the rarest class come copies times instead of once, in a last share of the epochs
    (rounded, at least one). Report A: in the copies, every other pixel becomes background: the first class that
    is excluded from the mean or, where none is, the ignore label. Without a rarest class nothing is repeated.
    Raises SpaceError where the copies have no label to turn to.
    """
    section, own = data.oversample, torch.arange(len(images))
    if section is None or rarest is None:
        return _samples(images, masks, source=own, additional=own[:0], begins=1)
    rare = holding(masks, rarest)
    source, repeated = own, rare.cpu()
    if section.isolate:
        background = _background_label(facts, ignore_label)
        masks = torch.cat((masks, isolated(masks.index_select(0, rare), rarest, background, ignore_label)))
        source, repeated = torch.cat((own, repeated)), torch.arange(len(own), len(masks))
    additional = repeated.repeat(section.copies - 1)
    return _samples(images, masks, source=source, additional=additional, begins=_first_epoch(section, epochs))


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


def _samples(images: Tensor, masks: Tensor, *, source: Tensor, additional: Tensor, begins: int) -> Samples:
    return Samples(images=images, masks=masks, source=source.to(images.device), additional=additional, begins=begins)


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
