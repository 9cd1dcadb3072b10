"""The recipe: one frozen value that says everything about one training.

Its type is the search space: every field carries its own axis (`spaces.axis`) beside its type, default
and help, an optional part is ``Part | None``, and nothing else lists the fields again.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spaces.axis import choice, floats, integers


class Part(BaseModel):
    """A section of the recipe: frozen, strict about types, closed to unknown fields.

    needs_one: at least one of the optional parts inside must be on.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    needs_one: ClassVar[bool] = False


class UNet(Part):
    """U-Net (arXiv 1505.04597): encoder, bottleneck, decoder with skips by concatenation."""

    family: Literal["unet"] = "unet"
    depth: Annotated[int, integers(2, 6), Field(description="levels that halve the image")] = 4
    filters: Annotated[int, integers(4, 64, log=True), Field(description="channels of the first level")] = 16
    growth: Annotated[float, floats(1.0, 2.0), Field(description="channels of a level over those of the one above")] = (
        2.0
    )
    widest: Annotated[
        int,
        integers(16, 1024, searched=False),
        Field(description="most channels of any level (nnU-Net caps its 2D networks at 512)"),
    ] = 512
    block: Annotated[
        Literal["plain", "residual"],
        choice("plain", "residual"),
        Field(description="two convolutions, without or with a shortcut around them"),
    ] = "plain"
    kernel: Annotated[int, integers(3, 7, step=2, searched=False), Field(description="kernel size of the blocks")] = 3
    norm: Annotated[
        Literal["none", "batch", "instance", "layer", "group"],
        choice("none", "batch", "instance", "layer", "group"),
        Field(description="normalisation after each convolution"),
    ] = "batch"
    activation: Annotated[
        Literal["relu", "leaky_relu", "elu", "gelu", "silu"],
        choice("relu", "leaky_relu", "elu", "gelu", "silu"),
        Field(description="non-linearity after each normalisation"),
    ] = "relu"
    dropout: Annotated[float, floats(0.0, 0.6), Field(description="share of channels dropped after each block")] = 0.0
    upsampling: Annotated[
        Literal["nearest", "bilinear", "transposed"],
        choice("nearest", "bilinear", "transposed"),
        Field(description="how the decoder doubles the image"),
    ] = "transposed"


class Term(Part):
    """One term of the loss; weights are shares, divided by their sum."""

    weight: Annotated[float, floats(0.05, 1.0), Field(description="share of the term in the loss")] = 1.0


class Focal(Term):
    """Focal loss (arXiv 1708.02002): cross entropy times ``(1 - p) ** gamma``."""

    gamma: Annotated[float, floats(0.5, 5.0), Field(description="how much easy pixels are played down")] = 2.0


class Loss(Part):
    """A weighted sum of one or more terms over the same logits."""

    needs_one: ClassVar[bool] = True

    cross_entropy: Annotated[Term | None, Field(description="cross entropy")] = Term()
    dice: Annotated[Term | None, Field(description="Dice loss (arXiv 1606.04797)")] = None
    focal: Annotated[Focal | None, Field(description="focal loss (arXiv 1708.02002)")] = None
    ignore_excluded: Annotated[
        bool,
        choice(True, False),
        Field(description="leave pixels of the classes excluded from the mean out of the loss (report C)"),
    ] = True

    @model_validator(mode="after")
    def _one_is_on(self) -> Loss:
        if self.cross_entropy is None and self.dice is None and self.focal is None:
            raise ValueError("at least one of cross_entropy, dice, focal must be on")
        return self


class ClassWeights(Part):
    """How much each class counts in the loss; scaled to mean 1 over the classes that count."""

    scheme: Annotated[
        Literal["none", "inverse_frequency", "explicit"],
        choice("none", "inverse_frequency", "explicit"),
        Field(description="equal weights, (1 / share) ** smoothing, or the factors themselves"),
    ] = "none"
    smoothing: Annotated[float, floats(0.0, 1.0), Field(description="exponent of the inverse frequency")] = 0.5
    background: Annotated[
        float, floats(0.0, 1.0), Field(description="factor on the classes excluded from the mean (reports B, E)")
    ] = 1.0
    factors: dict[str, Annotated[float, floats(0.0, 1000.0, searched=False)]] = Field(
        default_factory=dict, description="factor per class name; with scheme explicit the weights, all classes named"
    )


class Augment(Part):
    """What is done at random to a training image and its mask."""

    flip_horizontal: Annotated[bool, choice(True, False), Field(description="mirror left and right, p = 0.5")] = True
    flip_vertical: Annotated[bool, choice(True, False), Field(description="mirror top and bottom, p = 0.5")] = False
    noise: Annotated[
        float, floats(0.0, 0.3), Field(description="largest standard deviation of Gaussian noise, in image deviations")
    ] = 0.0
    blur: Annotated[float, floats(0.0, 1.5), Field(description="largest sigma of a Gaussian blur, in pixels")] = 0.0


class Optimisation(Part):
    """How the weights are found."""

    optimizer: Annotated[
        Literal["sgd", "adam", "adamw"],
        choice("sgd", "adam", "adamw"),
        Field(description="SGD with Nesterov momentum, Adam (L2 decay) or AdamW (decoupled decay)"),
    ] = "adamw"
    lr: Annotated[float, floats(1e-5, 1e-1, log=True), Field(description="learning rate, at its highest")] = 1e-3
    weight_decay: Annotated[float, floats(1e-6, 1e-1, log=True), Field(description="weight decay")] = 1e-4
    momentum: Annotated[
        float, floats(0.8, 0.99, searched=False), Field(description="momentum of SGD, beta1 of Adam and AdamW")
    ] = 0.9
    schedule: Annotated[
        Literal["none", "plateau", "one_cycle", "cosine"],
        choice("none", "plateau", "one_cycle", "cosine"),
        Field(description="constant, halved when validation stalls (floor 1e-5), one-cycle, cosine annealing"),
    ] = "one_cycle"
    batch_size: Annotated[
        Literal[4, 8, 16, 32, 64, 128, 256],
        choice(4, 8, 16, 32, 64, 128, 256),
        Field(description="images per step"),
    ] = 32
    epochs: Annotated[int, integers(1, 2000, searched=False), Field(description="passes over the training part")] = 30
    patience: Annotated[
        int,
        integers(1, 2000, searched=False),
        Field(description="stop after this many epochs without a better validation score"),
    ] = 30


class Data(Part):
    """What is done to the training part before the first epoch."""

    cleaning: Annotated[
        Literal["none", "mask", "mahalanobis", "mean"],
        choice("none", "mask", "mahalanobis", "mean", searched=False),
        Field(description="which contaminated samples are left out: by shared mask, Mahalanobis distance or mean"),
    ] = "mask"


class Recipe(Part):
    """Everything about one training, except the data itself."""

    model: UNet = UNet()
    loss: Loss = Loss()
    class_weights: ClassWeights = ClassWeights()
    augment: Augment = Augment()
    optimisation: Optimisation = Optimisation()
    data: Data = Data()
    seed: Annotated[int, Field(ge=0, lt=2**63, description="of weights, batches, dropout and augmentation")] = 0
