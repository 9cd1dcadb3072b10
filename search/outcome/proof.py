"""That a bundle just written holds what it says: compared with the network it came from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from search.errors import BundleError
from search.outcome.contents import BundleContents
from search.outcome.evaluation import evaluate
from search.outcome.onnx_file import MOVED, as_batch, check_onnx
from search.training.metrics import Scores
from search.training.pieces.windows import Window, window_of
from spaces.modules.networks.network import Network

SAME_OUTPUT = 1e-5  # of the largest logit
# Batch size, memory layout and device change the last bits, so a few pixels near a tie may change sides. Of a small
# set they can move the mean visibly: a score is another one when it differs and so do more than a few pixels.
SAME_SCORE = 0.005
SAME_PIXELS = 0.001
_IMAGES = 4  # at most, for the outputs; the scores are reproduced on all images


def prove(onnx: Path, network: Network, reloaded: Network, contents: BundleContents, *, device: str) -> None:
    """Raise BundleError unless the reloaded network and the ONNX file do what the network does, scores included.

    onnx: the ONNX file. network: as trained. reloaded: as read from the bundle. device: for the scores.
    """
    if not all(
        np.allclose(buffer.flatten().numpy(), numbers, rtol=1e-5)
        for buffer, numbers in ((network.mean, contents.mean), (network.std, contents.std))
    ):
        raise BundleError("mean and std are not those inside the weights: hand in the numbers of that training")
    few = min(_IMAGES, contents.recipe.optimisation.batch_size)
    window = window_of(contents.recipe, contents.facts)
    images = as_batch(_shown_at_once(contents.validation_images[:few], window), contents.pixels.dtype)
    expected, came = _logits(network, images), _logits(reloaded, images)
    if not np.isfinite(expected).all():
        raise BundleError("the network gives numbers that are not finite: its training diverged, export another trial")
    far = float(np.abs(came - expected).max())
    if far > SAME_OUTPUT * max(1.0, float(np.abs(expected).max())):
        raise BundleError(f"the network read back from the bundle is off by {far:.2g}: write the bundle again")
    check_onnx(onnx, images, expected, moved=MOVED if _unpools(contents) else 0.0)
    _compare(contents.scores, measure(reloaded, contents, device=device))


def measure(network: Network, contents: BundleContents, *, device: str = "cpu") -> Scores:
    """The scores of the network on the validation part."""
    images, masks, ignored = contents.validation_images, contents.validation_masks, contents.ignore_label
    found, _ = evaluate(
        network,
        contents.recipe,
        images,
        masks,
        contents.facts,
        ignore_label=ignored,
        sizes=contents.validation_sizes,
        device=device,
    )
    return found.scores


def _shown_at_once(images: NDArray[Any], window: Window) -> NDArray[Any]:
    """A window of each image, which the network sees at a time; of a smaller one with its border repeated."""
    part = images[:, : window.height, : window.width]
    more = [(0, size - side) for size, side in zip((window.height, window.width), part.shape[1:3], strict=True)]
    return np.pad(part, ((0, 0), *more, (0, 0))[: part.ndim], mode="edge") if any(map(any, more)) else part


def _unpools(contents: BundleContents) -> bool:
    return getattr(contents.recipe.model.network, "upsampling", "") == "max_unpool"


def _logits(network: Network, images: NDArray[Any]) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: NDArray[np.float32] = network(torch.from_numpy(images)).numpy()
    return logits


def _compare(recorded: Scores, measured: Scores) -> None:
    """Raise BundleError when either mean IoU is another one."""
    before, after = np.asarray(recorded.confusion), np.asarray(measured.confusion)
    if before.shape == after.shape and np.abs(before - after).sum() / 2 <= SAME_PIXELS * before.sum():
        return
    for name in ("miou", "miou_strict"):
        wanted, came = getattr(recorded, name), getattr(measured, name)
        same = math.isnan(wanted) if math.isnan(came) else abs(wanted - came) <= SAME_SCORE
        if not same:
            raise BundleError(
                f"the exported network has {name} {came:.4f} on the validation images, {wanted:.4f} was recorded:"
                " are these the weights and the data of that trial?"
            )
