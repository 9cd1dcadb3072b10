"""The model section of the recipe: one part per family of networks, all made of the same blocks.

Literature: U-Net arXiv 1505.04597, UNet++ 1807.10165, UNet 3+ 2004.08790, DeepLabV3+ 1802.02611,
MarsSeg 2404.04155, Pix2Pix 1611.07004; WNet is report A's, the dual-branch U-Net report B's.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spaces.axis import choice, floats, integers
from spaces.recipe.part import Part

Block = Literal[
    "plain",
    "residual",
    "inception",
    "dense",
    "residual_first",
    "inception_first",
    "plain_then_residual",
    "plain_then_inception",
]
"""A kind of block, or a named pattern over the levels in the order in which they are computed: the encoder from
the finest level down, the decoder from the deepest up. ``residual_first``: one residual block, then plain ones
(report A, table 2); ``plain_then_residual``: the first half plain, the second residual (report A's first model)."""

DecoderBlock = Literal[
    "same",
    "plain",
    "residual",
    "inception",
    "dense",
    "residual_first",
    "inception_first",
    "plain_then_residual",
    "plain_then_inception",
]
Bottleneck = Literal["plain", "expanded", "residual", "inception", "dilated", "pyramid", "dual", "pointwise"]
Norm = Literal["none", "batch", "instance", "layer", "group"]
Upsampling = Literal["nearest", "bilinear", "transposed", "max_unpool", "nearest_then_transposed"]

_BLOCKS = choice(
    "plain",
    "residual",
    "inception",
    "dense",
    "residual_first",
    "inception_first",
    "plain_then_residual",
    "plain_then_inception",
    reports="A B E",
)
_DECODER_BLOCKS = choice(
    "same",
    "plain",
    "residual",
    "inception",
    "dense",
    "residual_first",
    "inception_first",
    "plain_then_residual",
    "plain_then_inception",
    reports="A",
)
_BOTTLENECKS = choice(
    "plain", "expanded", "residual", "inception", "dilated", "pyramid", "dual", "pointwise", reports="A B"
)
_UPSAMPLING = choice("nearest", "bilinear", "transposed", "max_unpool", "nearest_then_transposed", reports="A C D E")


class Architecture(Part):
    """What every family has: a pyramid of levels made of blocks."""

    depth: Annotated[int, integers(2, 6, reports="A B C D E"), Field(description="levels above the deepest one")] = 4
    filters: Annotated[
        int, integers(4, 64, log=True, reports="A B C D E"), Field(description="channels of the first level")
    ] = 16
    growth: Annotated[
        float, floats(1.0, 2.0, reports="D"), Field(description="channels of a level over those of the one above")
    ] = 2.0
    widest: Annotated[
        int,
        integers(16, 1024, searched=False),
        Field(description="most channels of any level (nnU-Net caps its 2D networks at 512)"),
    ] = 512
    block: Annotated[
        Block, _BLOCKS, Field(description="block of each level, or a named pattern over the levels of the encoder")
    ] = "plain"
    kernel: Annotated[
        int, integers(3, 7, step=2, searched=False, reports="D"), Field(description="kernel size of the blocks")
    ] = 3
    norm: Annotated[
        Norm,
        choice("none", "batch", "instance", "layer", "group", reports="A B"),
        Field(description="normalisation after each convolution"),
    ] = "batch"
    activation: Annotated[
        Literal["relu", "leaky_relu", "elu", "gelu", "silu"],
        choice("relu", "leaky_relu", "elu", "gelu", "silu", reports="D"),
        Field(description="non-linearity after each normalisation"),
    ] = "relu"
    dropout: Annotated[
        float,
        floats(0.0, 0.6, reports="A B D"),
        Field(description="share of channels dropped after a block, but not before the head"),
    ] = 0.0
    dropout_place: Annotated[
        Literal["every_block", "encoder", "bottleneck", "decoder"],
        choice("every_block", "encoder", "bottleneck", "decoder", reports="A B D"),
        Field(description="which blocks drop channels"),
    ] = "every_block"
    squeeze: Annotated[
        Literal["nowhere", "bottleneck", "every_block"],
        choice("nowhere", "bottleneck", "every_block", reports="A B"),
        Field(description="where squeeze-and-excitation (arXiv 1709.01507) weighs the channels"),
    ] = "nowhere"
    shrink: Annotated[
        Literal[1, 2, 4],
        choice(1, 2, 4, searched=False),
        Field(
            description="the network works on the image at so many times smaller a size (means of pixels), its logits"
            " are brought back bilinearly: at 2 a step costs about a quarter"
        ),
    ] = 1

    @property
    def network(self) -> Architecture:
        """The network that is trained and kept: the part itself, or the generator of an adversarial family."""
        return self


class UShape(Architecture):
    """What the families made of whole U-Nets have: an encoder, a bottleneck, a decoder, skips between."""

    decoder_block: Annotated[
        DecoderBlock, _DECODER_BLOCKS, Field(description="block of the decoder's levels, or a named pattern over them")
    ] = "same"
    bottleneck: Annotated[Bottleneck, _BOTTLENECKS, Field(description="what the deepest level does")] = "plain"
    skip: Annotated[
        Literal["concat", "weighted_sum", "attention_gate"],
        choice("concat", "weighted_sum", "attention_gate", reports="A C E"),
        Field(
            description="how encoder and decoder meet: side by side, learnable weighted sum, gated (arXiv 1804.03999)"
        ),
    ] = "concat"
    upsampling: Annotated[
        Upsampling, _UPSAMPLING, Field(description="how the decoder doubles the image, or a named pattern")
    ] = "transposed"


class UNet(UShape):
    """U-Net (arXiv 1505.04597), in all five reports."""

    reports: ClassVar[str] = "A B C D E"
    family: Literal["unet"] = "unet"


class WNet(UShape):
    """WNet (report A): two U-Nets in series; the second sees the image and the first one's class probabilities."""

    reports: ClassVar[str] = "A"
    family: Literal["wnet"] = "wnet"
    second_bottleneck: Annotated[
        Bottleneck, _BOTTLENECKS, Field(description="bottleneck of the second U-Net (report A: 1x1 convolution)")
    ] = "pointwise"
    second_decoder_block: Annotated[
        DecoderBlock,
        _DECODER_BLOCKS,
        Field(description="decoder blocks of the second U-Net (report A: 1 residual, 2 plain)"),
    ] = "same"


class DualUNet(UShape):
    """Dual-branch U-Net (report B): two U-Nets side by side, their outputs concatenated into one convolution."""

    reports: ClassVar[str] = "B"
    family: Literal["dual_unet"] = "dual_unet"
    branches: Annotated[
        Literal["equal", "fine_coarse"],
        choice("equal", "fine_coarse", reports="B"),
        Field(description="both branches see the image, or the second sees it at half the size"),
    ] = "equal"
    second_norm: Annotated[
        Literal["same", "none", "batch", "instance", "layer", "group"],
        choice("same", "none", "batch", "instance", "layer", "group", reports="B"),
        Field(description="normalisation of the second branch"),
    ] = "same"


class UNetPlusPlus(Architecture):
    """UNet++ (arXiv 1807.10165): nested dense skips; a head on each node of the finest level."""

    reports: ClassVar[str] = "A E"
    family: Literal["unetpp"] = "unetpp"
    bottleneck: Annotated[Bottleneck, _BOTTLENECKS, Field(description="what the deepest level does")] = "plain"
    upsampling: Annotated[
        Upsampling, _UPSAMPLING, Field(description="how the decoder doubles the image, or a named pattern")
    ] = "bilinear"


class UNet3Plus(Architecture):
    """UNet 3+ (arXiv 2004.08790): a decoder level sees all encoder levels above and decoder levels below."""

    reports: ClassVar[str] = "A E"
    family: Literal["unet3plus"] = "unet3plus"
    bottleneck: Annotated[Bottleneck, _BOTTLENECKS, Field(description="what the deepest level does")] = "plain"
    full_scale_upsampling: Annotated[
        Literal["nearest", "bilinear", "transposed"],
        choice("nearest", "bilinear", "transposed", reports="E"),
        Field(description="how deeper levels are brought to a decoder level's size"),
    ] = "bilinear"


class DeepLab(Architecture):
    """DeepLabV3+ (arXiv 1802.02611) with an encoder of our blocks: atrous pyramid, one low-level skip."""

    reports: ClassVar[str] = "E"
    family: Literal["deeplab"] = "deeplab"
    output_stride: Annotated[
        Literal[4, 8, 16],
        choice(4, 8, 16, reports="E"),
        Field(description="how much smaller the deepest maps are; levels beyond it are dilated instead"),
    ] = 8
    rates: Annotated[
        Literal["small", "paper"],
        choice("small", "paper", reports="E"),
        Field(description="dilation rates of the atrous pyramid at stride 16: 1 2 4, or 6 12 18 (paper)"),
    ] = "small"
    decoder_filters: Annotated[
        int, integers(8, 256, log=True, reports="E"), Field(description="channels of the pyramid and of the decoder")
    ] = 64


class MarsSeg(Architecture):
    """MarsSeg (arXiv 2404.04155) with an encoder of our blocks: little downsampling, connectors, one decoder."""

    reports: ClassVar[str] = "E"
    family: Literal["marsseg"] = "marsseg"
    halvings: Annotated[
        int, integers(1, 3, reports="E"), Field(description="how often the encoder halves the image")
    ] = 2
    decoder_filters: Annotated[
        int,
        integers(8, 256, log=True, reports="E"),
        Field(description="channels of the strip pyramid, and the most of any other level"),
    ] = 64


Generator = Annotated[
    UNet | UNetPlusPlus | UNet3Plus | WNet | DualUNet | DeepLab | MarsSeg, Field(discriminator="family")
]


class Pix2Pix(Part):
    """Pix2Pix (arXiv 1611.07004, report D): a generator of masks against a PatchGAN on (image, mask) pairs.

    The generator's loss is the mean of BCE and loss by ``adversarial_weight`` and ``pixel_weight``, with the recipe's
    own loss section (cross entropy or MAE in report D). The discriminator exists during training only.
    """

    reports: ClassVar[str] = "D"
    family: Literal["pix2pix"] = "pix2pix"
    generator: Generator = UNet()
    adversarial_weight: Annotated[
        float, floats(0.01, 10.0, log=True, reports="D"), Field(description="weight of fooling the discriminator")
    ] = 1.0
    pixel_weight: Annotated[
        float, floats(1.0, 1000.0, log=True, reports="D"), Field(description="weight of the recipe's loss")
    ] = 100.0
    discriminator_filters: Annotated[
        int, integers(8, 64, log=True, reports="D"), Field(description="channels of the discriminator's first level")
    ] = 64
    discriminator_layers: Annotated[
        int,
        integers(1, 3, reports="D"),
        Field(description="halvings of the PatchGAN before its last two layers: patches of 16, 34 or 70 pixels"),
    ] = 2
    discriminator_lr: Annotated[
        float, floats(0.1, 2.0, log=True, reports="D"), Field(description="its learning rate (Adam) over `lr`")
    ] = 1.0
    generated: Annotated[
        float,
        floats(0.0, 0.5, reports="D"),
        Field(description="share of each batch that the generator labels itself, in the second half of the epochs"),
    ] = 0.0

    @property
    def network(self) -> Architecture:
        """The network that is trained and kept: the generator."""
        return self.generator


Model = Annotated[
    UNet | UNetPlusPlus | UNet3Plus | WNet | DualUNet | DeepLab | MarsSeg | Pix2Pix, Field(discriminator="family")
]
