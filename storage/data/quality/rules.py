"""The names of the rules that find contaminated samples; `storage.data.quality.outliers` has what they do."""

from __future__ import annotations

from typing import Literal

Rule = Literal["auto", "mask", "mahalanobis", "mean", "none"]
