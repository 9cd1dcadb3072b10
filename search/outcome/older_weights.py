"""The names that tensors of kept weights had before the networks got families; what they hold is the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_PARTS = re.compile(r"^body\.(encoder|bottleneck|upsampling|decoder)\.")  # now in a trunk that families share
_UPSAMPLING = re.compile(r"^(body\.trunk\.upsampling\.[0-9]+)\.(?:0\.)?(weight|bias)$")  # now a module around it


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under today's names; those that have them already stay as they are."""
    return {_name(name): tensor for name, tensor in weights.items()}


def _name(name: str) -> str:
    return _UPSAMPLING.sub(r"\1.convolution.\2", _PARTS.sub(r"body.trunk.\1.", name))
