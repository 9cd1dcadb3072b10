"""The loss section of the recipe: a table of terms by levels, and how much each class counts."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spaces.axis import Switch, choice, floats
from spaces.recipe.part import Part


class Term(Part):
    """One term of the loss; weights are shares, divided by their sum."""

    weight: Annotated[
        float, floats(0.05, 1.0, reports="A B C D E"), Field(description="share of the term in the loss")
    ] = 1.0


class CrossEntropy(Term):
    """Categorical cross entropy."""


class Dice(Term):
    """Dice loss (arXiv 1606.04797)."""

    average: Annotated[
        Literal["per_class", "pooled"],
        choice("per_class", "pooled", reports="B E"),
        Field(description="mean over the classes, or one ratio over all of them (B eq. 2, E table 2)"),
    ] = "per_class"
    excluded: Annotated[
        bool,
        choice(True, False, searched=False, reports="A B E"),
        Field(description="count the classes excluded from the mean as regions, too (nnU-Net: not)"),
    ] = True


class Focal(Term):
    """Focal loss (arXiv 1708.02002): cross entropy times ``(1 - p) ** gamma``."""

    gamma: Annotated[
        float, floats(0.5, 5.0, reports="A B C E"), Field(description="how much easy pixels are played down")
    ] = 2.0


class Tversky(Term):
    """Tversky loss (arXiv 1706.05721); with both weights 0.5 it is the Dice loss."""

    false_positives: Annotated[float, floats(0.1, 1.0), Field(description="weight of pixels claimed wrongly")] = 0.3
    false_negatives: Annotated[float, floats(0.1, 1.0), Field(description="weight of pixels missed")] = 0.7


class Terms(Part):
    """A weighted sum of one or more terms over the same logits."""

    needs_one: ClassVar[tuple[str, ...]] = (
        "cross_entropy",
        "bce",
        "dice",
        "focal",
        "boundary",
        "lovasz",
        "tversky",
        "mae",
    )

    cross_entropy: Annotated[
        CrossEntropy | None, Switch(reports="A B C D E"), Field(description="categorical cross entropy")
    ] = CrossEntropy()
    bce: Annotated[
        Term | None, Switch(reports="E"), Field(description="binary cross entropy of each class against the rest")
    ] = None
    dice: Annotated[Dice | None, Switch(reports="A B C E"), Field(description="Dice loss (arXiv 1606.04797)")] = None
    focal: Annotated[Focal | None, Switch(reports="A B C E"), Field(description="focal loss (arXiv 1708.02002)")] = None
    boundary: Annotated[Term | None, Switch(reports="A"), Field(description="boundary loss (arXiv 1812.07032)")] = None
    lovasz: Annotated[Term | None, Switch(), Field(description="Lovász-softmax (arXiv 1705.08790)")] = None
    tversky: Annotated[Tversky | None, Switch(), Field(description="Tversky loss (arXiv 1706.05721)")] = None
    mae: Annotated[Term | None, Switch(reports="D"), Field(description="mean absolute error of the probabilities")] = (
        None
    )

    @model_validator(mode="after")
    def _one_is_on(self) -> Self:
        if all(getattr(self, name) is None for name in self.needs_one):
            raise ValueError(f"at least one of {', '.join(self.needs_one)} must be on")
        return self


class Level(Terms):
    """The terms at one level of the network, and the level's share in the loss."""

    level_weight: Annotated[
        float, floats(0.05, 1.0, reports="A"), Field(description="share of the level, divided by their sum")
    ] = 1.0


class Loss(Level):
    """The loss at the network's output, and at heads below it (deep supervision, reports A and C).

    low, inter: every family names heads for them; in a WNet the first bottleneck and the first U-Net's output.
    A level that is off has no heads.
    """

    low: Annotated[
        Level | None, Switch(searched=False, reports="A C"), Field(description="deep supervision at the deepest level")
    ] = None
    inter: Annotated[
        Level | None, Switch(searched=False, reports="A C"), Field(description="deep supervision halfway up")
    ] = None
    ignore_excluded: Annotated[
        bool,
        choice(True, False, reports="C"),
        Field(description="leave pixels of the classes excluded from the mean out of the loss"),
    ] = True


class ClassWeights(Part):
    """How much each class counts in the loss; scaled to mean 1 over the classes that count.

    They weigh pixels. Dice, Tversky, Lovász and boundary loss balance the classes already: weighed once more, they
    hardly see any but the rarest.
    """

    scheme: Annotated[
        Literal["none", "inverse_frequency", "explicit", "adaptive"],
        choice("none", "inverse_frequency", "explicit", "adaptive", reports="A B E"),
        Field(
            description="equal weights, (1 / share) ** smoothing, the factors themselves, or 1 / (IoU + iou_offset)"
            " of the epoch before (MarsSeg)"
        ),
    ] = "none"
    smoothing: Annotated[
        float, floats(0.0, 1.0, reports="B E"), Field(description="exponent of the inverse frequency")
    ] = 0.5
    iou_offset: Annotated[
        float,
        floats(0.02, 1.0, log=True, reports="E"),
        Field(description="what scheme adaptive adds to a class's IoU on the training part"),
    ] = 0.1
    background: Annotated[
        float, floats(0.0, 1.0, reports="B E"), Field(description="factor on the classes excluded from the mean")
    ] = 1.0
    regions: Annotated[
        bool,
        choice(True, False, searched=False, reports="A B E"),
        Field(description="weigh the classes in the terms that compare regions, too (Dice, Tversky, Lovász, boundary)"),
    ] = False
    factors: dict[str, Annotated[float, floats(0.0, 1000.0, searched=False, reports="E")]] = Field(
        default_factory=dict, description="factor per class name; with scheme explicit the weights, all classes named"
    )
