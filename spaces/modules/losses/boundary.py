"""The boundary loss (arXiv 1812.07032): probabilities times the signed distance to the true boundary.

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot

TOGETHER = 32  # maps: half a megabyte of the homework's tiles


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
    squares, none = _squares(here)
    # Inside a class, the nearest pixel of any other is the nearest of the other classes' nearest.
    nearest_other = squares.masked_fill(here, none).amin(dim=1, keepdim=True)
    chosen = torch.where(here, nearest_other, squares)
    distances = chosen.float().sqrt()
    return torch.where(here, 1 - distances, distances).masked_fill_(chosen >= none, 0.0)


def _squares(here: Tensor) -> tuple[Tensor, int]:
    """The square of each pixel's distance to the nearest True one (B, K, H, W), and the number where there is none.

    In 16-bit integers as long as they fit, twice as quick, in float32 for larger maps: both exact. On a CPU only for
    the classes that an image has, and some maps at a time, so that they stay in its cache.
    """
    if here.shape[-2] > here.shape[-1]:
        squares, none = _squares(here.transpose(-1, -2))
        return squares.transpose(-1, -2), none
    height, width = here.shape[-2:]
    none = (width - 1) ** 2 + (height - 1) ** 2 + 1  # above every square of a distance
    number = torch.int16 if none + (height - 1) ** 2 < 2**15 else torch.float32
    if here.device.type != "cpu":
        return _nearest(here, none, number), none
    found = torch.full(here.shape, none, dtype=number)
    present = here.any(-1).any(-1)
    parts = [_nearest(part, none, number) for part in torch.split(here[present], TOGETHER)]
    found[present] = torch.cat(parts)
    return found, none


def _nearest(here: Tensor, none: int, number: torch.dtype) -> Tensor:
    """The same for maps (..., H, W) in numbers of that type.

    One axis after the other (Felzenszwalb and Huttenlocher, Theory of Computing 8, 2012): along W in steps of 1, 2, 4
    ..., of which each distance is a sum, along H by trying each offset, O(pixels * H).
    """
    height, width = here.shape[-2:]
    steps = here.logical_not().to(number).mul_(width)
    added = torch.empty_like(steps)
    for step in (1 << place for place in range((width - 1).bit_length())):
        torch.add(steps, step, out=added)
        torch.minimum(steps[..., step:], added[..., :-step], out=steps[..., step:])
        torch.minimum(steps[..., :-step], added[..., step:], out=steps[..., :-step])
    rows = torch.mul(steps, steps).masked_fill_(steps >= width, none)
    nearest = rows.clone()
    for offset in range(1, height):
        rows += 2 * offset - 1  # the square of the offset in all
        torch.minimum(nearest[..., offset:, :], rows[..., :-offset, :], out=nearest[..., offset:, :])
        torch.minimum(nearest[..., :-offset, :], rows[..., offset:, :], out=nearest[..., :-offset, :])
    return nearest


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
