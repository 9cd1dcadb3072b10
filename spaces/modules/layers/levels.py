"""What each level of a network has: its width, its kind of block, the style of its place."""

from __future__ import annotations

from typing import Literal

from spaces.modules.layers.blocks import Style
from spaces.recipe.architecture import Architecture

_first: dict[str, tuple[str, str]] = {
    "residual_first": ("residual", "plain"),
    "inception_first": ("inception", "plain"),
}
"""Patterns whose first level is of one kind and the others of another one (report A, table 2)."""

_halves: dict[str, tuple[str, str]] = {
    "plain_then_residual": ("plain", "residual"),
    "plain_then_inception": ("plain", "inception"),
    "nearest_then_transposed": ("nearest", "transposed"),
}
"""Patterns whose first half of the levels is of one kind and the second of another one (report A's first model)."""


def level_widths(model: Architecture) -> tuple[int, ...]:
    """Channels of each level from the finest down to the deepest: depth + 1 numbers, none above model.widest."""
    grown = (round(model.filters * model.growth**level) for level in range(model.depth + 1))
    return tuple(min(model.widest, max(1, channels)) for channels in grown)


def level_kinds(pattern: str, count: int) -> tuple[str, ...]:
    """The kind of each of count levels in the order of computation; a name that is no pattern is repeated.

    Of an odd number of levels the one in the middle belongs to the first half.
    """
    if pattern in _first:
        first, rest = _first[pattern]
        return (first, *(rest for _ in range(count - 1)))
    if pattern in _halves:
        first, second = _halves[pattern]
        half = (count + 1) // 2
        return tuple(first if level < half else second for level in range(count))
    return (pattern,) * count


def style_at(
    model: Architecture, place: Literal["encoder", "bottleneck", "decoder"], *, norm: str | None = None
) -> Style:
    """The style of the blocks at one place: whether they drop channels, whether they weigh them.

    norm: instead of the model's own, for branches that differ in it.
    """
    return Style(
        kernel=model.kernel,
        norm=model.norm if norm is None else norm,
        activation=model.activation,
        dropout=model.dropout if model.dropout_place in ("every_block", place) else 0.0,
        squeeze=model.squeeze in ("every_block", place),
    )
