"""The boundary loss (arXiv 1812.07032): probabilities times the signed distance to the true boundary.

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot

_FAR = 1e6  # pixels: no image is as large, and its square is still a float32


@torch.no_grad()
def signed_distances(target: Tensor, classes: int) -> Tensor:
    """Signed distance of each pixel to the boundary of each class (B, K, H, W) float32, in pixels.

    target (B, H, W) int64 with labels 0 .. K-1 or IGNORED. Outside class k: the distance to its nearest pixel,
    above 0. Inside: 1 pixel less than the distance to the nearest pixel of another class, negated, so 0 on the
    inner side of the boundary (the convention of the paper's authors and of MONAI).
    A class that an image lacks, or that alone fills it, has no boundary there: 0, and the other classes teach those
    pixels. Pixels that do not count belong to no class: no distance is measured to them.
    Exact, on the target's device, which is not waited for.
    """
    here = one_hot(target, classes)
    distances = _distances(here)
    # Inside a class, the nearest pixel of any other is the nearest of the other classes' nearest.
    nearest_other = torch.where(here, _FAR, distances).amin(dim=1, keepdim=True)
    signed = torch.where(here, 1 - nearest_other, distances)
    return torch.where(signed.abs() < _FAR - 1, signed, 0.0)


def _distances(here: Tensor) -> Tensor:
    """Distance of each pixel to the nearest True one (B, K, H, W) float32, in pixels; _FAR where there is none.

    One axis after the other (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012): along the longer one by
    running extremes, along the shorter one by trying each offset, O(pixels * shorter edge).
    """
    if here.shape[-2] > here.shape[-1]:
        return _distances(here.transpose(-1, -2)).transpose(-1, -2)
    place = torch.arange(here.shape[-1], device=here.device, dtype=torch.float32)
    before = torch.where(here, place, -_FAR).cummax(-1).values
    after = torch.where(here, place, 2 * _FAR).flip(-1).cummin(-1).values.flip(-1)
    rows = torch.minimum(place - before, after - place).clamp_max(_FAR).square()
    nearest = rows.clone()
    for offset in range(1, here.shape[-2]):
        for found, other in (
            (nearest[..., offset:, :], rows[..., :-offset, :]),
            (nearest[..., :-offset, :], rows[..., offset:, :]),
        ):
            torch.minimum(found, other + offset * offset, out=found)
    return nearest.sqrt().clamp_max(_FAR)


def boundary(logits: Tensor, target: Tensor, weights: Tensor, distances: Tensor) -> Tensor:
    """Boundary loss (arXiv 1812.07032): mean over the pixels i that count of sum_k s_k * p_ik * distance_ik.

    logits (B, K, H, W) float, target (B, H, W) int64 with labels 0 .. K-1 or IGNORED, weights (K,) at or above zero
    (see targets), distances (B, K, H, W) from signed_distances. p is the softmax; s_k is w_k over the sum of the
    weights of the classes that occur. In pixels, within the image's diagonal on either side of 0; least where every
    pixel is right, which is below 0 for regions with an inside. 0 with zero gradients when nothing counts.
    """
    counts = one_hot(target, logits.shape[1]).sum((0, 2, 3))
    shares = class_shares(counts, weights)[:, None, None]
    each = (functional.softmax(logits, dim=1) * distances * shares).sum(1)
    return (each * (target != IGNORED)).sum() / counts.sum().clamp_min(1)
