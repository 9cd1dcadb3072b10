"""Terms of the loss as functions of logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from spaces.modules.losses.prediction import Prediction


def over_logits(term: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The term with logits (B, K, H, W) in place of the prediction."""

    def of(logits: Tensor, *others: Any, **options: Any) -> Tensor:
        return term(Prediction(logits), *others, **options)

    return of
