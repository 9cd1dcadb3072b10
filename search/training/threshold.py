"""The threshold above which the background network's word counts (report E 4.6), found on the validation part.

Shapes: B images, K classes, H and W pixels, T candidate thresholds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from search.training.metrics import Objective, Scores, scores
from spaces.facts import DataFacts

CANDIDATES = 99
"""Thresholds tried: the logits of the probabilities 0.01, 0.02, ... 0.99."""


class ThresholdSearch:
    """Counts every validation pixel once, in a way that gives the confusion matrix of every threshold at the end.

    A pixel is background where the background network's logit lies above the threshold, otherwise the most
    probable other class. So a pixel changes sides at one threshold only, and counting its place among the
    thresholds beside truth and class is enough.
    """

    def __init__(self, facts: DataFacts, ignore_label: int | None, device: torch.device) -> None:
        """Start with no pixel. The background is the first of the classes excluded from the mean."""
        self.facts = facts
        self.ignore_label = ignore_label
        shares = torch.arange(1, CANDIDATES + 1, dtype=torch.float64) / (CANDIDATES + 1)
        self.candidates = torch.logit(shares).float().to(device)
        self._counts = torch.zeros((CANDIDATES + 1) * facts.classes**2, dtype=torch.int64, device=device)

    def add(self, logits: Tensor, background: Tensor, truth: Tensor) -> None:
        """Count logits (B, K, H, W), the background network's logit (B, H, W) and labels (B, H, W)."""
        classes, label = self.facts.classes, self.facts.excluded_labels[0]
        other = logits.index_fill(1, torch.tensor([label], device=logits.device), -math.inf).argmax(dim=1)
        truth = truth.long()
        counted = (truth >= 0) & (truth < classes)
        if self.ignore_label is not None:
            counted &= truth != self.ignore_label
        place = torch.bucketize(background, self.candidates)  # how many candidates lie below the logit
        cell = torch.where(counted, (place * classes + truth) * classes + other, len(self._counts))
        self._counts += torch.bincount(cell.flatten(), minlength=len(self._counts) + 1)[:-1]

    def best(self, objective: Objective) -> tuple[float, Scores]:
        """The candidate (a logit) with the highest mean IoU, the lowest of equals, and its scores.

        objective: what the training goes by. The lenient mean drops all pixels whose truth is background, so that to
        call anything background can only cost.
        """
        confusions = self.confusions()
        judged = [scores(confusion, self.facts) for confusion in confusions.cpu()]
        values: list[float] = [getattr(found, objective) for found in judged]
        values = [-1.0 if math.isnan(value) else value for value in values]
        chosen = max(range(len(values)), key=values.__getitem__)
        return float(self.candidates[chosen]), judged[chosen]

    def confusions(self) -> Tensor:
        """The confusion matrix of each candidate, int64 (T, K, K), rows are the truth."""
        classes = self.facts.classes
        counts = self._counts.view(CANDIDATES + 1, classes, classes)
        below = counts.cumsum(0)[:-1]  # at or below the candidate: not background
        above = counts.sum(dim=(0, 2)) - below.sum(dim=2)  # (T, K): called background
        below[:, :, self.facts.excluded_labels[0]] += above
        return below
