"""A trained network with what it takes to use it: the classes, their colours, and the scale of its images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from search.commands.predict import label_images
from search.errors import UsageError
from search.outcome.bundle import Bundle, read_bundle
from search.outcome.pictures.colours import class_colours, paint
from spaces import Recipe
from storage.data.casts import as_images
from storage.data.image_checks import check_images
from storage.errors import DataError


class TrainedNetwork(nn.Module):
    """The network of a bundle, in eval mode on the CPU.

    As a `torch.nn.Module` it takes images (B, C, H, W) in the pixel values of the data that it was trained on, and
    returns logits (B, K, H, W); `predict` takes arrays as they are in a data file.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__()
        self.network = bundle.network
        self._bundle = bundle
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """The logits (B, K, H, W) of images (B, C, H, W)."""
        logits: Tensor = self.network(images)
        return logits

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes: label k is `class_names[k]`."""
        return self._bundle.facts.class_names

    @property
    def class_colours(self) -> tuple[str, ...]:
        """The colours of the classes in every picture, as ``#RRGGBB``."""
        return class_colours(self._bundle.facts)

    @property
    def recipe(self) -> Recipe:
        """How it was trained."""
        return self._bundle.recipe

    @property
    def metrics(self) -> dict[str, Any]:
        """Its scores, and what is known of its data: the bundle's metrics.json."""
        return dict(self._bundle.metrics)

    def predict(
        self, images: NDArray[Any] | Sequence[NDArray[Any]], *, tta: bool = False, device: str = "auto"
    ) -> NDArray[np.uint8]:
        """The label of each pixel: (H, W) of one image, (N, H, W) of several.

        images: one image (H, W) or (H, W, 3), or several of a size, (N, H, W) or (N, H, W, 3), in the pixel values of
        the data that the network was trained on. tta: the mean over images mirrored as in the training.
        device: auto, cpu, mps, cuda or cuda:N.
        Warns, in words, where images look other than those of the training. Raises DataError for arrays that are no
        images, UsageError for images that the network cannot label: of other channels, or on another scale.
        """
        given = _array(images)
        one = self._is_one(given)
        checked = np.ascontiguousarray(as_images(given[None] if one else given, "images"))
        check_images(checked, "images")
        labels = label_images(self._bundle, checked, source="the images", tta=tta, device=device, say=_warn)
        return labels[0] if one else labels

    def paint(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Labels (H, W) or (N, H, W) in the colours of their classes, (..., 3)."""
        return paint(labels, self._bundle.facts, self._bundle.ignore_label)

    def _is_one(self, images: NDArray[Any]) -> bool:
        """Whether the array is one image. Raises UsageError for a coloured one that would pass for many grey ones."""
        channels = self._bundle.facts.channels
        coloured = images.ndim > 2 and images.shape[-1] == 3
        if channels == 1 and coloured and images.ndim == 3:
            raise UsageError("the images: 3 channels, the bundle was trained on 1")
        return images.ndim == 2 or (images.ndim == 3 and channels == 3 and coloured)


def load_bundle(path: str | Path) -> TrainedNetwork:
    """The trained network of a bundle, after the sha256 of every file was compared with its manifest.

    Nothing in a bundle is executed or unpickled. Raises BundleError when it is no bundle, of another version, or when
    a file is missing, altered or not listed.
    """
    return TrainedNetwork(read_bundle(path))


def _array(images: NDArray[Any] | Sequence[NDArray[Any]]) -> NDArray[Any]:
    try:
        return np.asarray(images)
    except ValueError as error:
        mend = "[network.predict(image) for image in images]"
        raise DataError(f"the images have different sizes: label them one by one, {mend}") from error


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=2)
