"""How good a network is on labelled images, in numbers and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.training.metrics import Constant, Scores, both, constant_of, mean_dice, mean_dice_strict, scores

if TYPE_CHECKING:
    from spaces.facts import DataFacts
    from spaces.modules.networks.network import Network
    from spaces.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured on so many images."""

    facts: DataFacts
    scores: Scores
    images: int

    @property
    def constant(self) -> Constant:
        """What the best constant answer reaches on the same pixels."""
        return constant_of(self.scores, self.facts)

    def __str__(self) -> str:
        return f"mIoU {both(self.scores.miou, self.scores.miou_strict)}, {self.constant}"

    def document(self) -> dict[str, Any]:
        """All of it, ready for JSON; an undefined number is None."""
        return {
            "images": self.images,
            "miou": number(self.scores.miou),
            "miou_strict": number(self.scores.miou_strict),
            "mean_dice": number(mean_dice(self.scores, self.facts)),
            "mean_dice_strict": number(mean_dice_strict(self.scores, self.facts)),
            "accuracy": number(self.scores.accuracy),
            "constant": constant_document(self.constant),
            "classes": {name: self._class(label) for label, name in enumerate(self.facts.class_names)},
            "confusion": [list(row) for row in self.scores.confusion],
        }

    def table(self) -> str:
        """For a person: a row for each class, then the means and the best constant answer.

        Where no class is excluded the strict shares are the others, and are left out.
        """
        told, constant = self.document(), self.constant
        columns = [place for place, name in enumerate(_SHARES) if self.facts.excluded or not name.endswith("_strict")]
        classes = told["classes"].items()
        rows = [(name, [each[share] for share in _SHARES], each["truth_pixels"]) for name, each in classes]
        rows.append(("mean", [told[mean] for mean in _MEANS], None))
        rows.append(("best constant answer", [number(constant.miou), number(constant.miou_strict), None, None], None))
        head = ("class", *(_HEADS[place] for place in columns), "pixels")
        cells = [(name, *(_cell(shares[place]) for place in columns), _cell(pixels)) for name, shares, pixels in rows]
        widths = [max(len(row[column]) for row in (head, *cells)) for column in range(len(head))]
        return "\n".join(_line(row, widths) for row in (head, *cells))

    def _class(self, label: int) -> dict[str, Any]:
        pixels = np.asarray(self.scores.confusion, dtype=np.int64)
        return {
            **{name: number(getattr(self.scores, name)[label]) for name in _SHARES},
            "truth_pixels": int(pixels[label].sum()),
            "predicted_pixels": int(pixels[:, label].sum()),
        }


_SHARES = ("iou", "iou_strict", "dice", "dice_strict")
_HEADS = ("IoU", "IoU strict", "Dice", "Dice strict")
_MEANS = ("miou", "miou_strict", "mean_dice", "mean_dice_strict")


def evaluate(
    network: Network,
    recipe: Recipe,
    images: NDArray[Any],
    masks: NDArray[np.uint8],
    facts: DataFacts,
    *,
    ignore_label: int | None,
    sizes: NDArray[np.int32] | None = None,
    trained: DataFacts | None = None,
    device: str = "cpu",
) -> tuple[Evaluation, NDArray[np.uint8]]:
    """Label images (N, H, W) or (N, H, W, 3) and compare with masks (N, H, W); the labels, too.

    In batches of at most the recipe's size, and in windows over images that are larger than what it saw when it was
    trained. sizes: (N, 2), of images on a canvas. trained: the facts of the data of its training; `facts` without.
    """
    import torch

    from search.outcome.predict import predict_labels
    from search.training.confusion import confusion_matrix
    from search.training.pieces.windows import window_of

    window, size = window_of(recipe, trained or facts), recipe.optimisation.batch_size
    labels = predict_labels(network, images, batch_size=size, device=device, sizes=sizes, window=window)
    pixels = torch.from_numpy(labels), torch.from_numpy(np.ascontiguousarray(masks))
    confusion = confusion_matrix(*pixels, facts.classes, ignore_label)
    return Evaluation(facts=facts, scores=scores(confusion, facts), images=len(images)), labels


def number(value: float) -> float | None:
    """JSON knows no NaN."""
    return value if math.isfinite(value) else None


def constant_document(constant: Constant) -> dict[str, float | None]:
    """The best constant answer, ready for JSON."""
    return {"miou": number(constant.miou), "miou_strict": number(constant.miou_strict)}


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = (text.rjust(width) for text, width in zip(row, widths, strict=True))
    return "  ".join([name.strip().ljust(widths[0]), *numbers])
