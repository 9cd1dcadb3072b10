"""The recipe: one frozen value that says everything about one training.

Its type is the search space: every field carries its own axis (`spaces.axis`) beside its type, default
and help, an optional part is ``Part | None``, and nothing else lists the fields again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spaces.axis import Switch, choice, floats, integers
from spaces.recipe.architecture import Model, UNet
from spaces.recipe.data_options import Augment, Data
from spaces.recipe.loss import ClassWeights, Loss
from spaces.recipe.part import Part


class Optimisation(Part):
    """How the weights are found."""

    optimizer: Annotated[
        Literal["sgd", "adam", "adamw"],
        choice("sgd", "adam", "adamw", reports="B C E"),
        Field(description="SGD with Nesterov momentum, Adam (L2 decay) or AdamW (decoupled decay)"),
    ] = "adamw"
    lr: Annotated[
        float, floats(1e-5, 1e-1, log=True, reports="B"), Field(description="learning rate, at its highest")
    ] = 1e-3
    sgd_lr: Annotated[
        float,
        floats(0.0, 1.0, searched=False),
        Field(description="learning rate of SGD, whose good rates are higher than Adam's; 0 for that of `lr`"),
    ] = 0.0
    weight_decay: Annotated[float, floats(1e-6, 1e-1, log=True, reports="E"), Field(description="weight decay")] = 1e-4
    momentum: Annotated[
        float,
        floats(0.0, 0.99, searched=False, reports="D"),
        Field(description="momentum of SGD, beta1 of Adam and AdamW (Pix2Pix: 0.5)"),
    ] = 0.9
    schedule: Annotated[
        Literal["none", "plateau", "one_cycle", "cosine", "poly"],
        choice("none", "plateau", "one_cycle", "cosine", "poly", reports="A B C E"),
        Field(
            description="constant, halved when validation stalls (floor 1e-5), one-cycle, cosine annealing, or"
            " (1 - step / steps) ** 0.9 (nnU-Net)"
        ),
    ] = "one_cycle"
    batch_size: Annotated[
        Literal[4, 8, 12, 16, 24, 32, 48, 64, 128, 256],
        choice(4, 8, 12, 16, 24, 32, 48, 64, 128, 256, reports="B"),
        Field(description="images per step"),
    ] = 32
    epochs: Annotated[
        int, integers(1, 2000, searched=False, reports="D"), Field(description="passes over the training part")
    ] = 30
    patience: Annotated[
        int,
        integers(1, 2000, searched=False, reports="B C"),
        Field(
            description="stop after this many epochs without a better validation score; an annealed schedule"
            " (one_cycle, cosine, poly) runs to its end"
        ),
    ] = 30
    clip: Annotated[
        float,
        floats(0.0, 100.0, searched=False),
        Field(description="largest norm of the gradient over all weights, 0 for any (nnU-Net: 12)"),
    ] = 0.0
    decayed: Annotated[
        Literal["kernels", "all"],
        choice("kernels", "all", searched=False, reports="A B C D E"),
        Field(description="what decays: kernels alone, or norms and biases, too, as torch does by itself"),
    ] = "kernels"
    ema: Annotated[
        float,
        floats(0.0, 0.9999, searched=False),
        Field(
            description="decay per step of the moving average of the weights that is scored and kept, 0 for none;"
            " less in the first 9 / (1 - ema) steps, which makes it the mean over about the last tenth of them"
        ),
    ] = 0.0
    kept: Annotated[
        Literal["best", "last"],
        choice("best", "last", searched=False),
        Field(description="the epoch whose weights and score count: the one of the best validation score, or the last"),
    ] = "best"
    fit_offset: Annotated[
        bool,
        choice(True, False, searched=False),
        Field(
            description="add a constant to the logits of the rarest class, the one that scores best on validation;"
            " it is kept in the network (without effect beside a background network, which has a threshold of its own)"
        ),
    ] = False

    @property
    def rate(self) -> float:
        """The learning rate at its highest, of the optimiser that is used."""
        return self.sgd_lr if self.optimizer == "sgd" and self.sgd_lr > 0 else self.lr


class Background(Part):
    """A second, binary network that finds the background (report E 4.6): a small U-Net with its own optimiser.

    Where its probability is above a threshold, the pixel is background; elsewhere the multi-class network's most
    probable foreground class holds. The threshold is the one with the best score on validation, by the mean IoU that
    the training goes by.
    """

    depth: Annotated[
        int, integers(2, 5, reports="C E"), Field(description="levels of the background network above the deepest one")
    ] = 3
    filters: Annotated[
        int, integers(4, 32, log=True, reports="C E"), Field(description="channels of its first level")
    ] = 8
    block: Annotated[
        Literal["plain", "residual"],
        choice("plain", "residual", reports="C E"),
        Field(description="block of its levels"),
    ] = "plain"
    lr: Annotated[
        float,
        floats(1e-4, 1e-2, log=True, reports="C E"),
        Field(description="its learning rate (AdamW), on the recipe's schedule"),
    ] = 1e-3


class Recipe(Part):
    """Everything about one training, except the data itself."""

    model: Model = UNet()
    loss: Loss = Loss()
    class_weights: ClassWeights = ClassWeights()
    augment: Augment = Augment()
    optimisation: Optimisation = Optimisation()
    data: Data = Data()
    background: Annotated[
        Background | None,
        Switch(searched=False, reports="B C E"),
        Field(description="a second network that finds the background"),
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**63, description="of weights, batches, dropout and augmentation")] = 0
