"""What stands in the pixels of masks: numbers, or colours. A code is a number, or COLOUR and three bytes of RGB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.folder.decoding import LOSSY, Header, read_alpha, read_image, read_numbers, read_palette
from storage.errors import DataError

COLOUR = 1 << 24  # also the first number that is too large
MOST = 255  # different codes: a label is a byte
_PROBABLY = "a photograph, or resized or compressed with smooth borders; give masks with one number or colour per class"


class CodeBook:
    """The different codes of all masks, numbered as they are met.

    codes: those met so far. first: the mask that each was met in first. palette: colours of numbers, where all masks
    with palettes agree on them.
    """

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.first: list[str] = []
        self.palette: dict[int, int] = {}
        self.disagreeing = ""  # the first mask whose palette gives a number another colour
        self._places = np.zeros(2 * COLOUR, np.uint8)  # of each code, from 1; untouched pages take no memory

    def read(self, header: Header, *, by_colour: bool = False) -> NDArray[np.uint8]:
        """The places (H, W) in `codes` of a mask's pixels.

        by_colour: of a mask with a palette the colours count, not the numbers. Raises DataError for what is no mask.
        """
        _check_kind(header)
        if header.mode in ("RGB", "RGBA", "PA") or (header.mode == "P" and by_colour):
            _check_opaque(header)
            return self._placed(_packed(read_image(header)), header.name)
        if header.mode == "LA":
            _check_opaque(header)
            return self._placed(read_image(header), header.name)
        numbers = read_numbers(header)
        if numbers.dtype.kind == "i" and (numbers.min() < 0 or numbers.max() >= COLOUR):
            wrong = int(numbers.min() if numbers.min() < 0 else numbers.max())
            raise DataError(f"{header.name} holds the number {wrong}; expected 0 to {COLOUR - 1:,}, 255 for void")
        places = self._placed(numbers, header.name)
        if header.mode == "P":
            self._note_palette(header, {self.codes[place] for place in np.unique(places).tolist()})
        return places

    def add(self, code: int, name: str) -> int:
        """The place of a code, which may be new."""
        if not self._places[code]:
            if len(self.codes) == MOST:
                raise DataError(
                    f"{name} brings the masks to more than {MOST} values or colours, as many as {_PROBABLY}"
                )
            self.codes.append(code)
            self.first.append(name)
            self._places[code] = len(self.codes)
        return int(self._places[code]) - 1

    def _placed(self, codes: NDArray[Any], name: str) -> NDArray[np.uint8]:
        places = self._places[codes]
        if not places.all():
            for code in self._new(codes[places == 0], name):
                self.add(code, name)
            places = self._places[codes]
        return np.asarray(places - 1, np.uint8)

    def _new(self, codes: NDArray[Any], name: str) -> list[int]:
        found = np.unique(codes)
        if len(self.codes) + len(found) > MOST:
            what = "colours" if found[-1] >= COLOUR else "values"
            raise DataError(
                f"{name} holds {len(found):,} {what} that no mask before has, too many for labels: probably {_PROBABLY}"
            )
        return [int(code) for code in found]

    def _note_palette(self, header: Header, used: set[int]) -> None:
        colours = read_palette(header)
        for number in sorted(used):
            if number < len(colours):
                colour = packed(colours[number])
                if self.palette.setdefault(number, colour) != colour:
                    self.disagreeing = self.disagreeing or header.name


def packed(colour: Sequence[int]) -> int:
    """The code of a colour."""
    red, green, blue = colour
    return COLOUR | red << 16 | green << 8 | blue


def grey_of(code: int) -> int | None:
    """The number that a grey colour stands for, the code of a number itself; None of another colour."""
    if code < COLOUR:
        return code
    red, green, blue = code >> 16 & 255, code >> 8 & 255, code & 255
    return red if red == green == blue else None


def in_words(code: int) -> str:
    """The code as classes.yaml says it."""
    return str(code) if code < COLOUR else f"#{code - COLOUR:06X}"


def _packed(image: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = image.astype(np.int32)
    return COLOUR | wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _check_kind(header: Header) -> None:
    if header.format in LOSSY:
        raise DataError(
            f"{header.name} is a JPEG, which changes labels along borders; save masks as PNG, from where they were"
            " drawn"
        )
    if header.mode == "F":
        raise DataError(f"{header.name} holds floating point numbers; save masks as whole numbers, as PNG")
    if header.cut:
        raise DataError(f"{header.name} has 16 bits a channel; save masks with one number a pixel, or in 8-bit colours")


def _check_opaque(header: Header) -> None:
    """Raise DataError where a mask is transparent, which may mean void or nothing."""
    if header.has_alpha and (read_alpha(header) != 255).any():
        raise DataError(
            f"{header.name} has transparent pixels; save masks without an alpha channel, void as a number or colour of"
            " its own"
        )
