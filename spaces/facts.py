"""What a search space must know of the data it is bound to."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-F]{6}$")]


class DataFacts(BaseModel):
    """The facts of one data set that shape a network, fixed for the life of a study.

    channels: 1 (grey) or 3 (colour).
    height, width: pixels, at least 8 each, of the highest and of the widest image; images of any size are padded inside
        the network.
    mixed: the images have several sizes.
    class_names: in label order, so that label k is ``class_names[k]``; two or more, all different.
    excluded: the classes left out of the mean IoU (the homework's background), each a class name.
    colours: ``#RRGGBB`` of each class in pictures, as the data give them; empty where they give none.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    channels: int = Field(ge=1, le=3)
    height: int = Field(ge=8)
    width: int = Field(ge=8)
    class_names: tuple[str, ...] = Field(min_length=2, max_length=255)
    excluded: tuple[str, ...] = ()
    colours: tuple[Colour, ...] = ()
    mixed: bool = False

    @model_validator(mode="after")
    def _names_agree(self) -> DataFacts:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"class names must differ, got {list(self.class_names)}")
        unknown = [name for name in self.excluded if name not in self.class_names]
        if unknown:
            raise ValueError(f"excluded classes {unknown} are not among {list(self.class_names)}")
        if len(self.excluded) >= len(self.class_names):
            raise ValueError("every class is excluded from the mean: leave at least one in")
        if self.colours and len(self.colours) != len(self.class_names):
            raise ValueError(f"{len(self.colours)} colours for {len(self.class_names)} classes: one for each, or none")
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Facts without colours, of images of one size, read and digest as they did before there were any others."""
        values: dict[str, Any] = write(self)
        later = {name for name in ("colours", "mixed") if not getattr(self, name)}
        return {name: value for name, value in values.items() if name not in later}

    @property
    def classes(self) -> int:
        """The number of classes K, also the number of the network's output channels."""
        return len(self.class_names)

    @property
    def excluded_labels(self) -> tuple[int, ...]:
        """The labels of the excluded classes, in label order."""
        return tuple(k for k, name in enumerate(self.class_names) if name in self.excluded)
