"""The threshold above which a pixel belongs to one class, found on the validation part.

Two classes have one: the background, by the logit of a network of its own (report E 4.6), and the rarest class that
counts, by its lead over the others. For a mean of IoUs the most probable class is not the best answer: of two classes a
pixel belongs to the rare one where its probability exceeds IoU / (1 + IoU), with the IoU that is reached in the end
(the analogue for F1 is Lipton, Elkan and Naryanaswamy, arXiv 1402.1892), so the threshold depends on how well a class
is found at all.

Shapes: B images, K classes, H and W pixels, T candidate thresholds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from search.training.confusion import count_cells
from search.training.metrics import Objective, Scores, scores
from spaces.facts import DataFacts

PROBABILITIES = 99
"""Thresholds tried for the background: the logits of the probabilities 0.01, 0.02, ... 0.99."""
LARGEST, STEPS = 6.0, 60
"""Thresholds tried for a lead: so many steps to either side of 0, up to the largest, a ratio of 400 to 1."""


class ThresholdSearch:
    """Counts every validation pixel once, in a way that gives the confusion matrix of every threshold at the end.

    A pixel belongs to the class where its evidence lies above the threshold, otherwise to the most probable other
    class. So a pixel changes sides at one threshold only, and counting its place among the thresholds beside truth
    and class is enough.
    """

    def __init__(
        self, facts: DataFacts, ignore_label: int | None, label: int, candidates: Tensor, preferred: float
    ) -> None:
        """Start with no pixel.

        label: of the class. candidates: (T,) float32 thresholds, rising, on the device of what is counted.
        preferred: of thresholds that score alike the one nearest to it is the best.
        """
        self.facts = facts
        self.ignore_label = ignore_label
        self.label = label
        self.candidates = candidates
        self.preferred = preferred
        cells = (len(candidates) + 1) * facts.classes**2
        self._counts = torch.zeros(cells, dtype=torch.int64, device=candidates.device)

    def add(self, logits: Tensor, evidence: Tensor, truth: Tensor) -> None:
        """Count logits (B, K, H, W), the evidence for the class (B, H, W) and labels (B, H, W)."""
        classes = self.facts.classes
        other = _others(logits, self.label).argmax(dim=1)
        truth = truth.long()
        counted = (truth >= 0) & (truth < classes)
        if self.ignore_label is not None:
            counted &= truth != self.ignore_label
        place = torch.bucketize(evidence, self.candidates)  # how many candidates lie below the evidence
        cell = torch.where(counted, (place * classes + truth) * classes + other, len(self._counts))
        self._counts += count_cells(cell, len(self._counts) + 1)[:-1]

    def best(self, objective: Objective) -> tuple[float, Scores]:
        """The candidate with the highest mean IoU, and its scores.

        objective: what the training goes by. The lenient mean drops all pixels whose truth is background, so that to
        call anything background can only cost.
        """
        judged = [scores(confusion, self.facts) for confusion in self.confusions().cpu()]
        values: list[float] = [getattr(found, objective) for found in judged]
        values = [-1.0 if math.isnan(value) else value for value in values]
        away = (self.candidates - self.preferred).abs().tolist()
        chosen = max(range(len(values)), key=lambda place: (values[place], -away[place]))
        return float(self.candidates[chosen]), judged[chosen]

    def confusions(self) -> Tensor:
        """The confusion matrix of each candidate, int64 (T, K, K), rows are the truth."""
        classes = self.facts.classes
        counts = self._counts.view(-1, classes, classes)
        below = counts.cumsum(0)[:-1]  # at or below the candidate: not of the class
        above = counts.sum(dim=(0, 2)) - below.sum(dim=2)  # (T, K): called the class
        below[:, :, self.label] += above
        return below


def background_search(facts: DataFacts, ignore_label: int | None, device: torch.device) -> ThresholdSearch:
    """The search for the background's threshold, a logit. It is the first of the classes excluded from the mean."""
    shares = torch.arange(1, PROBABILITIES + 1, dtype=torch.float64) / (PROBABILITIES + 1)
    candidates = torch.logit(shares).float()
    return ThresholdSearch(facts, ignore_label, facts.excluded_labels[0], candidates.to(device), float(candidates[0]))


def lead_search(facts: DataFacts, ignore_label: int | None, label: int, device: torch.device) -> ThresholdSearch:
    """The search for the lead over all other logits that the logit of a class must have."""
    steps = torch.arange(-STEPS, STEPS + 1, dtype=torch.float64) * (LARGEST / STEPS)
    return ThresholdSearch(facts, ignore_label, label, steps.float().to(device), 0.0)


def lead(logits: Tensor, label: int) -> Tensor:
    """How far the class's logit lies above the highest other one, (B, H, W), of logits (B, K, H, W)."""
    return logits[:, label] - _others(logits, label).amax(dim=1)


def _others(logits: Tensor, label: int) -> Tensor:
    others = logits.clone()
    others[:, label] = -math.inf
    return others
