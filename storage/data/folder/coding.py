"""Which label each code of the masks becomes, as classes.yaml says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.data.card import DataCard
from storage.data.folder.classes_file import NAME, ClassList
from storage.data.folder.codes import COLOUR, CodeBook, grey_of, in_words
from storage.data.labels import IGNORED
from storage.errors import DataError

_SHOWN = 6  # codes that a sentence lists


@dataclass(frozen=True, kw_only=True, eq=False)
class Coding:
    """Labels for codes.

    table: (256,) the label of each place in `CodeBook.codes`. names, excluded: of classes. ignore_label: IGNORED where
    something is void. notes: what was assumed, in sentences.
    """

    table: NDArray[np.uint8]
    names: tuple[str, ...]
    excluded: tuple[str, ...]
    ignore_label: int | None
    card: DataCard
    notes: tuple[str, ...] = ()


def by_colour(classes: ClassList | None) -> bool:
    """Whether the colours of a palette count, and not its numbers."""
    return classes is not None and bool(classes.colours) and not classes.values


def listed_coding(book: CodeBook, classes: ClassList) -> Coding:
    """The labels of all codes that were met. Raises DataError for one that classes.yaml does not name."""
    codes, wanted = _as_listed(book, classes)
    labels = {code: label for label, code in enumerate(wanted)}
    void, notes = classes.void, list[str]()
    if void is None and IGNORED in codes and IGNORED not in labels:
        void = (IGNORED,)
        notes.append(f"the masks hold {IGNORED}, which {NAME} does not name: taken for void, which counts nowhere")
    for code in void or ():
        shade = grey_of(code)
        labels |= {code: IGNORED} | ({shade: IGNORED} if shade is not None and shade not in labels else {})
    unknown = [(code, first) for code, first in zip(codes, book.first, strict=True) if code not in labels]
    if unknown:
        raise DataError(_unknown(unknown, wanted))
    display = tuple(in_words(code) for code in classes.display)
    return Coding(
        table=table_of(codes, labels),
        names=classes.names,
        excluded=classes.excluded,
        ignore_label=IGNORED if void else None,
        card=DataCard(colours=display, licence=classes.licence, source=classes.source),
        notes=tuple(notes),
    )


def _as_listed(book: CodeBook, classes: ClassList) -> tuple[list[int], Sequence[int]]:
    """The codes as the file has them, and the code of each class among them."""
    coloured = any(code >= COLOUR for code in book.codes)
    greys = all(grey_of(code) is not None for code in book.codes)
    if coloured and classes.colours and not (greys and classes.values):
        return _all_colours(book), classes.colours
    codes = numbers_of(book)
    if any(code >= COLOUR for code in codes):
        raise DataError(
            f"the masks are in colours, such as {words_of([code for code in codes if code >= COLOUR])}; expected a"
            f" colour of each class in {NAME}, such as {{name: {classes.names[0]}, colour: '#C1440E'}}"
        )
    if classes.values:
        return codes, classes.values
    shades = [grey for code in classes.colours if (grey := grey_of(code)) is not None]
    if len(shades) == len(classes.names) and not set(codes) <= set(range(len(shades))):
        return codes, shades
    return codes, range(len(classes.names))


def _all_colours(book: CodeBook) -> list[int]:
    """The codes as colours: numbers of grey masks are greys."""
    return [code if code >= COLOUR else COLOUR | min(code, 255) * 0x010101 for code in book.codes]


def numbers_of(book: CodeBook) -> list[int]:
    """The codes as numbers where all are numbers or greys; as they are otherwise."""
    greys = [grey for code in book.codes if (grey := grey_of(code)) is not None]
    return greys if len(greys) == len(book.codes) else book.codes


def _unknown(unknown: Sequence[tuple[int, str]], wanted: Sequence[int]) -> str:
    code, first = unknown[0]
    what = "colour" if code >= COLOUR else "value"
    others = f" (and {len(unknown) - 1} more {what}s)" if len(unknown) > 1 else ""
    shown = f"'{in_words(code)}'" if code >= COLOUR else in_words(code)
    return (
        f"{first} holds the {what} {in_words(code)}{others}, which {NAME} does not name; it has {words_of(wanted)}:"
        f" add a class for it, or void: {shown}"
    )


def table_of(codes: Sequence[int], labels: Mapping[int, int]) -> NDArray[np.uint8]:
    """The label of each place in `CodeBook.codes`, (256,)."""
    table = np.full(256, IGNORED, np.uint8)
    table[: len(codes)] = [labels[code] for code in codes]
    return table


def words_of(codes: Sequence[int]) -> str:
    """The codes as a sentence lists them, the first few and the last."""
    shown = [in_words(code) for code in codes]
    if len(shown) <= _SHOWN:
        return ", ".join(shown)
    return f"{', '.join(shown[: _SHOWN - 1])}, ... {shown[-1]}"
