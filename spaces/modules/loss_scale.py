"""The factor on a loss that keeps small gradients above zero in float16 (arXiv 1710.03740, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from spaces.modules.optimizer import Optimizer

FIRST, GROWTH, BACKOFF, INTERVAL = 2.0**16, 2.0, 0.5, 2000
"""torch's: the factor to begin with, doubled after so many steps without an overflow, halved after one."""


class LossScale:
    """Scales one loss, its gradients back, and follows what they show; `torch.amp.GradScaler` for our optimisers.

    Everything stays on the device: a step whose gradients overflow is left out by the optimiser without a wait.
    overflow: 1.0 once a gradient of this step is infinite or no number.
    """

    def __init__(self, device: torch.device) -> None:
        self._scale = torch.full((), FIRST, device=device)
        self._steps = torch.zeros((), dtype=torch.int32, device=device)  # since the last change
        self.overflow = torch.zeros((), device=device)

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to go backward from."""
        return loss * self._scale

    def unscale(self, parameters: Iterable[Parameter]) -> None:
        """Bring the parameters' gradients to their size, in place; look whether one overflows."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self.overflow, self._scale.reciprocal())

    def follow(self) -> None:
        """After a step: another factor where it was too large, or has been small enough for long."""
        torch._amp_update_scale_(self._scale, self._steps, self.overflow, GROWTH, BACKOFF, INTERVAL)
        self.overflow.zero_()

    def state(self) -> dict[str, Tensor]:
        """Its tensors, to be kept in a checkpoint and copied into."""
        return {"scale": self._scale, "steps": self._steps}


def descend(loss: Tensor, optimizers: Sequence[Optimizer], scale: LossScale | None) -> None:
    """One step of the optimisers down the loss; scale: of the loss, None where nothing is computed in float16."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    (loss if scale is None else scale.scaled(loss)).backward()  # type: ignore[no-untyped-call]
    if scale is None:
        for optimizer in optimizers:
            optimizer.step()
        return
    for optimizer in optimizers:
        scale.unscale(optimizer.parameters)
    for optimizer in optimizers:  # after all have been looked at: a step is taken as a whole or not at all
        optimizer.step(scale.overflow)
    scale.follow()
