"""What a network says of one batch: logits, and the probabilities that several terms of a loss share.

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, eq=False)
class Prediction:
    """Logits (B, K, H, W), float. Their softmax is made once, and goes back through once, for all terms."""

    logits: Tensor

    @property
    def classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    @cached_property
    def log_p(self) -> Tensor:
        """The logarithms of the probabilities, (B, K, H, W)."""
        return functional.log_softmax(self.logits, dim=1)

    @cached_property
    def p(self) -> Tensor:
        """The probabilities, (B, K, H, W)."""
        return self.log_p.exp()

    def log_p_of(self, target: Tensor) -> Tensor:
        """The log-probability of each pixel's own class (B, H, W), of class 0 below label 0; target (B, H, W) int64."""
        return self.log_p.gather(1, target.clamp_min(0)[:, None])[:, 0]
