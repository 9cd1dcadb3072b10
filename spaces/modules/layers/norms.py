"""Normalisations that also train on a single value, as one image at 1x1 is.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

MOST_GROUPS = 8
"""Most groups of a group normalisation: the narrow levels here have 8 to 64 channels, and 32 groups
(arXiv 1803.08494) would leave one or two channels in each."""


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation (arXiv 1502.03167) that also trains on a single value per channel.

    One image at 1x1 has no variance, and torch refuses it: the running statistics serve instead.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W) per channel."""
        if self.training and maps.shape[0] * maps.shape[2] * maps.shape[3] == 1:
            return functional.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        return super().forward(maps)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation (arXiv 1607.08022) with scale and shift, and without them only at 1x1.

    A 1x1 map minus its own mean is zero whatever it held: such maps are scaled and shifted only.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W) per image and channel."""
        if maps.shape[2] * maps.shape[3] == 1:
            return maps * self.weight[:, None, None] + self.bias[:, None, None]
        return super().forward(maps)


class GroupNorm(nn.GroupNorm):
    """Group normalisation (arXiv 1803.08494); groups of a single value are scaled and shifted only."""

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W) per image and group of channels."""
        if self.num_channels // self.num_groups * maps.shape[2] * maps.shape[3] == 1:
            return maps * self.weight[:, None, None] + self.bias[:, None, None]
        return super().forward(maps)


def group_count(channels: int) -> int:
    """The largest divisor of channels up to MOST_GROUPS that leaves two channels or more in a group.

    A group of one channel would have no variance at 1x1. A prime number of channels makes one group.
    """
    fitting = [n for n in range(1, MOST_GROUPS + 1) if channels % n == 0 and channels // n >= 2]
    return max(fitting, default=1)
