"""What is done to the data of the training part: before the first epoch, and to each batch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spaces.axis import Switch, choice, floats, integers
from spaces.recipe.part import Part


class Geometry(Part):
    """Random distortions of image and mask together, bilinear for images, nearest for masks."""

    probability: Annotated[
        float, floats(0.1, 1.0), Field(description="share of the images that are distorted (nnU-Net: 0.2)")
    ] = 1.0
    zoom: Annotated[
        float, floats(0.0, 0.5, reports="A"), Field(description="largest zoom: scales from 1 / (1 + zoom) to 1 + zoom")
    ] = 0.0
    rotation: Annotated[
        float, floats(0.0, 45.0, reports="C"), Field(description="largest rotation to either side, in degrees")
    ] = 0.0
    elastic: Annotated[
        float, floats(0.0, 8.0, reports="C"), Field(description="largest shift of an elastic deformation, in pixels")
    ] = 0.0
    grid_distortion: Annotated[
        float,
        floats(0.0, 0.5, reports="C"),
        Field(description="largest change of a cell's width and height in a 5x5 grid, as a share of it"),
    ] = 0.0


class Mixing(Part):
    """Pixels of another training image that holds the rarest class, put into this one."""

    method: Annotated[
        Literal["copy_paste", "cutmix"],
        choice("copy_paste", "cutmix"),
        Field(description="only the pixels of the rarest class (arXiv 2012.07177), or a rectangle (arXiv 1905.04899)"),
    ] = "copy_paste"
    probability: Annotated[float, floats(0.05, 1.0), Field(description="share of images that receive something")] = 0.3


class Augment(Part):
    """What is done at random to a training image and its mask."""

    flip_horizontal: Annotated[
        bool, choice(True, False, reports="A B C D"), Field(description="mirror left and right, p = 0.5")
    ] = True
    flip_vertical: Annotated[
        bool, choice(True, False, reports="B C D"), Field(description="mirror top and bottom, p = 0.5")
    ] = False
    probability: Annotated[
        float,
        floats(0.1, 1.0),
        Field(description="share of the images that each of noise, blur, and brightness with contrast changes"),
    ] = 1.0
    noise: Annotated[
        float,
        floats(0.0, 0.3, reports="E"),
        Field(description="largest standard deviation of Gaussian noise, in image deviations"),
    ] = 0.0
    blur: Annotated[
        float, floats(0.0, 1.5, reports="E"), Field(description="largest sigma of a Gaussian blur, in pixels")
    ] = 0.0
    brightness: Annotated[
        float, floats(0.0, 0.5), Field(description="largest shift of brightness, in image deviations")
    ] = 0.0
    contrast: Annotated[
        float, floats(0.0, 0.5), Field(description="largest change of contrast around the image's mean, as a share")
    ] = 0.0
    geometry: Annotated[
        Geometry | None, Switch(reports="A C E"), Field(description="zoom, rotation, elastic and grid distortion")
    ] = None
    mixing: Annotated[Mixing | None, Switch(), Field(description="copy-paste or CutMix of the rarest class")] = None
    class_factors: dict[str, Annotated[float, floats(0.0, 3.0, searched=False, reports="A")]] = Field(
        default_factory=dict,
        description="factor per class name on noise, blur, brightness, contrast and geometry of images that hold the"
        " class; the largest of an image's factors counts",
    )

    @property
    def mirrors(self) -> tuple[Literal["horizontal", "vertical"], ...]:
        """The directions in which images are mirrored: a network trained so takes a mirror image for an image."""
        horizontal: tuple[Literal["horizontal"], ...] = ("horizontal",) if self.flip_horizontal else ()
        vertical: tuple[Literal["vertical"], ...] = ("vertical",) if self.flip_vertical else ()
        return (*horizontal, *vertical)


class Oversample(Part):
    """Images that hold the rarest class come more often."""

    copies: Annotated[
        int, integers(2, 8, reports="A E"), Field(description="how often such an image comes in an epoch (report E: 4)")
    ] = 4
    phase: Annotated[
        float,
        floats(0.1, 1.0, reports="E"),
        Field(description="share of the epochs, counted from the end, in which they do"),
    ] = 1.0
    isolate: Annotated[
        bool,
        choice(True, False, reports="A"),
        Field(description="in the additional copies every pixel of another class becomes background in the mask"),
    ] = False


class Data(Part):
    """What of the training part an epoch shows."""

    cleaning: Annotated[
        Literal["none", "mask", "mahalanobis", "mean"],
        choice("none", "mask", "mahalanobis", "mean", searched=False, reports="A C D"),
        Field(
            description="contaminated samples that are left out: the study's (mask), or by Mahalanobis distance or mean"
        ),
    ] = "mask"
    oversample: Annotated[
        Oversample | None, Switch(reports="A E"), Field(description="repeat images of the rarest class")
    ] = None
    crop: Annotated[
        int,
        integers(0, 2048, step=32),
        Field(
            description="side in pixels of the random square crops of a step; 0 for a planned one: whole images where"
            " all are of one size of at most 65,536 pixels"
        ),
    ] = 0
