"""What a data set says of itself beside images and labels: the colours of its classes, its licence, its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError

LONGEST = 1000  # characters of a licence or a source: a name and an address, no text of a licence
_KEYS = {"colours": "class_colours", "licence": "data_licence", "source": "data_source"}
CARD_KEYS = tuple(_KEYS.values())
_COLOUR = re.compile(r"#[0-9A-F]{6}")


@dataclass(frozen=True, kw_only=True)
class DataCard:
    """What pictures, pages and model cards show of a data set; nothing is trained on it.

    colours: ``#RRGGBB`` of each class in label order, or none at all. licence, source: one line each, or "".
    """

    colours: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""

    def said(self) -> dict[str, Any]:
        """What is there, by field."""
        return {name: value for name, value in asdict(self).items() if value}


EMPTY = DataCard()


def checked_card(card: DataCard, class_names: tuple[str, ...]) -> DataCard:
    """The card with each text on one line. Raises DataError for colours that are none, or not one for each class."""
    if card.colours and len(card.colours) != len(class_names):
        raise DataError(
            f"has {len(card.colours)} class colours for {len(class_names)} classes; give each class one, or none"
        )
    colours = tuple(colour.upper() for colour in card.colours)
    if wrong := next((colour for colour in colours if not _COLOUR.fullmatch(colour)), ""):
        raise DataError(f"has the class colour {wrong[:20]!a}; expected #RRGGBB, such as '#C1440E'")
    return DataCard(colours=colours, licence=_line(card.licence, "licence"), source=_line(card.source, "source"))


def card_of(arrays: Mapping[str, NDArray[Any]]) -> DataCard:
    """The card in the arrays of a file. Raises DataError for arrays that hold no text."""
    colours = arrays.get(_KEYS["colours"], np.array([], np.str_))
    if colours.ndim != 1 or colours.dtype.kind != "U":
        raise DataError(
            f"'{_KEYS['colours']}' has shape {colours.shape} and dtype {colours.dtype}; expected one text for each"
            " class, such as class_colours=['#C1440E', '#3C3C3C']"
        )
    if len(colours) > 255:  # before a tuple is made of them
        raise DataError(f"has {len(colours):,} class colours; expected one for each class")
    texts = {name: _text(arrays, _KEYS[name]) for name in ("licence", "source")}
    return DataCard(colours=tuple(str(colour) for colour in colours), **texts)


def card_arrays(card: DataCard) -> dict[str, NDArray[Any]]:
    """The arrays that `card_of` reads; none for an empty card."""
    return {_KEYS[name]: np.array(value, dtype=np.str_) for name, value in card.said().items()}


def _text(arrays: Mapping[str, NDArray[Any]], key: str) -> str:
    array = arrays.get(key, np.array(""))
    if array.size != 1 or array.dtype.kind != "U":
        raise DataError(
            f"'{key}' has shape {array.shape} and dtype {array.dtype}; expected one text, such as {key}='CC-BY-4.0'"
        )
    return str(array.reshape(()))


def _line(text: str, what: str) -> str:
    """The text without line ends and characters that steer a terminal."""
    line = " ".join(text.split())
    if len(line) > LONGEST:
        raise DataError(f"has a {what} of {len(line):,} characters; expected a name or an address, at most {LONGEST}")
    if sign := next((sign for sign in line if not sign.isprintable()), ""):
        raise DataError(f"has a {what} with the character {sign!a}, which cannot be written; expected plain words")
    return line
