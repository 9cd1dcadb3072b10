"""The boundary loss (arXiv 1812.07032): probabilities times the signed distance to the true boundary.

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot


def _image_distances(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Signed distances (K, H, W) in pixels of one image's labels (H, W)."""
    distances = np.full((classes, *labels.shape), np.inf, dtype=np.float32)
    for k in range(classes):
        elsewhere = labels != k
        if not elsewhere.all():
            distances[k] = distance_transform_edt(elsewhere)
    # Inside a class, the nearest pixel of any other is the nearest of the other classes' nearest.
    inside = distances == 0
    nearest_other = np.where(inside, np.float32(np.inf), distances).min(axis=0)
    signed = np.where(inside, 1 - nearest_other, distances)
    return np.where(np.isfinite(signed), signed, np.float32(0))


@torch.no_grad()
def signed_distances(target: Tensor, classes: int) -> Tensor:
    """Signed distance of each pixel to the boundary of each class (B, K, H, W) float32, in image diagonals, -1 .. 1.

    target (B, H, W) int64 with labels 0 .. K-1 or IGNORED. Outside class k: the distance to its nearest pixel,
    above 0. Inside: 1 pixel less than the distance to the nearest pixel of another class, negated, so 0 on the
    inner side of the boundary (the convention of the paper's authors and of MONAI).
    A class that an image lacks, or that alone fills it, has no boundary there: 0, and the other classes teach those
    pixels. Pixels that do not count belong to no class: no distance is measured to them.
    In diagonals, not pixels, so that the term is on the scale of the others at any image size. Computed on the CPU.
    """
    labels = target.cpu().numpy()
    maps = np.stack([_image_distances(image, classes) for image in labels])
    return torch.from_numpy(maps / np.float32(math.hypot(*labels.shape[1:]))).to(target.device)


def boundary(logits: Tensor, target: Tensor, weights: Tensor, distances: Tensor) -> Tensor:
    """Boundary loss (arXiv 1812.07032): mean over the pixels i that count of sum_k s_k * p_ik * distance_ik.

    logits (B, K, H, W) float, target (B, H, W) int64 with labels 0 .. K-1 or IGNORED, weights (K,) at or above zero
    (see targets), distances (B, K, H, W) from signed_distances. p is the softmax; s_k is w_k over the sum of the
    weights of the classes that occur. Between -1 and 1, least where every pixel is right, which is below 0 for
    regions with an inside. 0 with zero gradients when nothing counts.
    """
    counts = one_hot(target, logits.shape[1]).sum((0, 2, 3))
    shares = class_shares(counts, weights)[:, None, None]
    each = (functional.softmax(logits, dim=1) * distances * shares).sum(1)
    return (each * (target != IGNORED)).sum() / counts.sum().clamp_min(1)
