"""Labels for images, from a trained network.

An image that is larger than what the network saw in its training is looked at in windows, as a validation does it.
Shapes: N images, K classes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.errors import TrainingFailed
from search.training.device import exact_float32, image_batch, out_of_memory, resident_images
from search.training.pieces.canvas import Size, build_canvas, means_of_small, own_sizes
from search.training.pieces.maps import raw_maps, split_maps
from search.training.pieces.windows import Window, plan_windows, slide
from spaces.modules.networks.network import Network

Mirror = Literal["horizontal", "vertical"]
_NO_MEMORY = "not enough memory to label one image: free some, or use another device"
_DIMENSION: dict[Mirror, int] = {"horizontal": -1, "vertical": -2}


def probabilities(network: nn.Module, images: Tensor, mirrors: Sequence[Mirror] = ()) -> Tensor:
    """Class probabilities (B, K, H, W) of images (B, C, H, W).

    mirrors: the mean of those of the image and of its mirror images in these directions and their combinations,
    mirrored back; only those that the network was trained with (`Augment.mirrors`).
    """
    found: Tensor = network(images).softmax(dim=1)
    for some in _combinations(mirrors)[1:]:
        flipped = tuple(_DIMENSION[mirror] for mirror in some)
        found = found + network(images.flip(flipped)).softmax(dim=1).flip(flipped)
    return found / float(2 ** len(mirrors))


def _combinations(mirrors: Sequence[Mirror]) -> list[tuple[Mirror, ...]]:
    """None of the directions, each alone, and all combinations."""
    return [some for count in range(len(mirrors) + 1) for some in combinations(mirrors, count)]


@torch.inference_mode()
def predict_labels(
    network: nn.Module,
    images: NDArray[Any],
    *,
    batch_size: int,
    device: str = "cpu",
    mirrors: Sequence[Mirror] = (),
    sizes: NDArray[np.int32] | None = None,
    window: Window | None = None,
) -> NDArray[np.uint8]:
    """The most probable label of each pixel, uint8 (N, H, W), computed in float32.

    images: (N, H, W) or (N, H, W, 3) in the data's own scale, N may be 0. The network is moved to the
    device and back, and its training mode is left as it was.
    batch_size: at most so many at a time, as many as the training took; halved while there is no memory for them.
    sizes: (N, 2), of images on a canvas; what lies outside an image has the label 0.
    window: slides over images that are larger, which a `Network` alone allows; None shows all images whole.
    Raises TrainingFailed when there is no memory for a single image, or window.
    """
    exact_float32()
    target = torch.device(device)
    home = next((p.device for p in network.parameters()), target)
    was_training = network.training
    network.to(target).eval()
    try:
        if window is not None and not (sizes is None and window.holds(*images.shape[1:3])):
            return _by_windows(network, images, sizes, window, batch_size, target, mirrors)
        masks = list(_batches(network, images, batch_size, target, mirrors))
    finally:
        network.to(home).train(was_training)
    return torch.cat(masks).numpy() if masks else np.zeros(images.shape[:3], np.uint8)


def _by_windows(
    network: nn.Module,
    images: NDArray[Any],
    sizes: NDArray[np.int32] | None,
    window: Window,
    size: int,
    device: torch.device,
    mirrors: Sequence[Mirror],
) -> NDArray[np.uint8]:
    """The labels (N, H, W) of images that a window slides over; the images stay on the CPU."""
    assert isinstance(network, Network), "windows are merged before a network has decided"
    labels = np.zeros(images.shape[:3], dtype=np.uint8)
    own = own_sizes(images, sizes)
    flips = [tuple(_DIMENSION[mirror] for mirror in some) for some in _combinations(mirrors)]
    start = 0
    while start < len(images):
        try:
            for found in _merged(network, images[start:], own[start:], window, size, device, flips):
                height, width = own[start]
                labels[start, :height, :width] = found
                start += 1
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if size == 1:
                raise TrainingFailed(f"{device}: {_NO_MEMORY}") from error
            size //= 2
            if device.type == "cuda":
                torch.cuda.empty_cache()
    return labels


def _merged(
    network: Network,
    images: NDArray[Any],
    sizes: Sequence[Size],
    window: Window,
    batch_size: int,
    device: torch.device,
    flips: Sequence[tuple[int, ...]],
) -> Iterator[NDArray[np.uint8]]:
    """The labels (height, width) of one image after another."""
    means = means_of_small(images, sizes, (window.height, window.width))
    canvas = build_canvas(resident_images(images, torch.device("cpu")), sizes, means)
    batches = plan_windows(sizes, window, batch_size, torch.device("cpu"))

    def maps_of(pieces: Tensor) -> Tensor:
        pieces = pieces.to(device)
        every = [raw_maps(network, pieces.flip(flipped)).flip(flipped) for flipped in flips]
        return torch.cat(every, dim=1)

    for _, maps in slide(maps_of, canvas, sizes, batches, torch.channels_last):
        answers = (network.decided(*split_maps(network, part[None])) for part in maps.chunk(len(flips)))
        if len(flips) == 1:
            yield next(answers)[0].argmax(dim=0).to("cpu", torch.uint8).numpy()
        else:
            mean = torch.stack([answer.softmax(dim=1) for answer in answers]).mean(dim=0)
            yield mean[0].argmax(dim=0).to("cpu", torch.uint8).numpy()


def _batches(
    network: nn.Module, images: NDArray[Any], size: int, device: torch.device, mirrors: Sequence[Mirror]
) -> Iterator[Tensor]:
    """The labels of one batch after another, so that the device never holds all images."""
    start = 0
    while start < len(images):
        labels = _labels(network, images[start : start + size], device, mirrors)
        if labels is not None:
            start += size
            yield labels
        elif size == 1:
            raise TrainingFailed(f"{device}: {_NO_MEMORY}")
        else:
            size //= 2


def _labels(network: nn.Module, images: NDArray[Any], device: torch.device, mirrors: Sequence[Mirror]) -> Tensor | None:
    """The labels of one batch on the CPU; None when there is no memory for it."""
    try:
        part = resident_images(images, device)
        batch = image_batch(part, torch.arange(len(part), device=device))
        return probabilities(network, batch, mirrors).argmax(dim=1).to("cpu", torch.uint8)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None
