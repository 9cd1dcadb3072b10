"""One colour per class, the same in every picture and told apart by colour-blind eyes."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from spaces.facts import DataFacts

# Okabe and Ito, "Color universal design" (2008); its two last colours mark errors, see below.
CLASS_COLOURS = ("#E69F00", "#0072B2", "#F0E442", "#CC79A7", "#009E73", "#7F3C8D", "#A5682A")
EXCLUDED_COLOURS = ("#3C3C3C", "#7A7A7A")
WRONG = "#D55E00"
WRONG_NOT_COUNTED = "#56B4E9"
IGNORED = "#FFFFFF"
_GOLDEN = 0.618034  # share of the hue circle between neighbours: no two of the first dozens come close


def class_colours(facts: DataFacts) -> tuple[str, ...]:
    """One ``#RRGGBB`` per label: the data's own, else greys for the classes left out of the mean and colours"
    " for others."""
    if facts.colours:
        return facts.colours
    greys = 0
    colours: list[str] = []
    for name in facts.class_names:
        if name in facts.excluded:
            colours.append(EXCLUDED_COLOURS[greys % len(EXCLUDED_COLOURS)])
            greys += 1
        else:
            colours.append(_colour(len(colours) - greys))
    return tuple(colours)


def rgb(colour: str) -> NDArray[np.uint8]:
    """``#RRGGBB`` as three numbers 0-255."""
    return np.frombuffer(bytes.fromhex(colour[1:]), dtype=np.uint8)


def paint(labels: NDArray[np.uint8], facts: DataFacts, ignore_label: int | None) -> NDArray[np.uint8]:
    """Labels (H, W) as colours (H, W, 3); ignored and unknown labels are white."""
    table = np.full((256, 3), rgb(IGNORED), dtype=np.uint8)
    for label, colour in enumerate(class_colours(facts)):
        table[label] = rgb(colour)
    if ignore_label is not None:
        table[ignore_label] = rgb(IGNORED)
    painted: NDArray[np.uint8] = table[labels]
    return painted


def _colour(index: int) -> str:
    """The colour of the class that is number ``index`` among those that count."""
    if index < len(CLASS_COLOURS):
        return CLASS_COLOURS[index]
    value = (0.95, 0.7, 0.45)[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN % 1.0, 0.65, value)
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"
