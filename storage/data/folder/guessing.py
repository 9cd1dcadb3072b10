"""Which label each code of the masks becomes where nobody says it: only what is beyond doubt, and with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from storage.data.card import DataCard
from storage.data.folder.classes_file import NAME
from storage.data.folder.codes import COLOUR, CodeBook, grey_of, in_words
from storage.data.folder.coding import Coding, numbers_of, table_of, words_of
from storage.data.labels import IGNORED
from storage.errors import DataError

MOST_GUESSED = 32  # classes that nobody has named; more values are no labels, more often than not
_VOID = "255 is taken for void, which counts nowhere"


def guessed_coding(book: CodeBook, names: Sequence[str] = ()) -> Coding:
    """The labels of all codes that were met; classes are in the order of their numbers or colours.

    names: of classes, for masks that hold the numbers 0 to K-1. Raises DataError where it is doubtful what codes mean.
    """
    _check_one_way(book)
    codes = numbers_of(book)
    order = sorted(set(codes))
    if len(order) == 1:
        raise DataError(
            f"the masks hold nothing but {in_words(order[0])}; expected two classes or more: label more images, or say"
            f" in {NAME} what else there is, such as classes: [ground, rock]"
        )
    if order[-1] >= COLOUR:
        return _of_colours(codes, order, book)
    if order == [0, IGNORED]:
        called = tuple(names) if len(names) == 2 else ("background", "foreground")
        said = f"the masks hold 0 and 255, taken for the classes {', '.join(called)}"
        return _coding(codes, order, called, said)
    return _of_numbers(codes, order, book, names)


def _of_colours(codes: Sequence[int], order: Sequence[int], book: CodeBook) -> Coding:
    _check_few(codes, order, book)
    called = tuple(in_words(code) for code in order)
    said = f"the masks are in {len(order)} colours, each taken for a class: {', '.join(called)}"
    return _coding(codes, order, called, said, colours=called)


def _of_numbers(codes: Sequence[int], order: list[int], book: CodeBook, names: Sequence[str]) -> Coding:
    void = order[-1] == IGNORED
    classes = order[:-1] if void else order
    if classes[-1] < len(names):
        return _coding(codes, range(len(names)), tuple(names), _VOID if void else "", void=void)
    _check_few(codes, order, book)
    _check_gapless(classes, order)
    said = f"the masks hold {words_of(classes)}, taken for the classes "
    called, colours = tuple(f"class {code}" for code in classes), _palette(book, classes)
    said += (
        ", ".join(called) + (", with the colours of their palette" if colours else "") + (f"; {_VOID}" if void else "")
    )
    return _coding(codes, classes, called, said, colours=colours, void=void)


def _coding(
    codes: Sequence[int],
    order: Sequence[int],
    names: tuple[str, ...],
    said: str,
    *,
    colours: tuple[str, ...] = (),
    void: bool = False,
) -> Coding:
    labels = {code: label for label, code in enumerate(order)} | ({IGNORED: IGNORED} if void else {})
    return Coding(
        table=table_of(codes, labels),
        names=names,
        excluded=(),
        ignore_label=IGNORED if void else None,
        card=DataCard(colours=colours),
        notes=(f"{said} (name them in {NAME})",) if said else (),
    )


def _palette(book: CodeBook, order: Sequence[int]) -> tuple[str, ...]:
    """The colours of the masks' palette where it tells these classes apart, and is no scale of greys."""
    colours = [book.palette[code] for code in order if code in book.palette]
    apart = len(set(colours)) == len(order)
    return tuple(map(in_words, colours)) if apart and any(grey_of(colour) is None for colour in colours) else ()


def _check_one_way(book: CodeBook) -> None:
    """Raise DataError for numbers beside true colours, and for palettes that give a number several colours."""
    if book.disagreeing:
        raise DataError(
            f"{book.disagreeing} has other colours for the same numbers than the masks before; say in {NAME} by which"
            " to go, such as classes: [{name: ground, value: 0}, ...] or classes: {ground: '#C1440E', ...}"
        )
    met = list(zip(book.codes, book.first, strict=True))
    coloured = next((first for code, first in met if grey_of(code) is None), "")
    numbered = next((first for code, first in met if code < COLOUR), "")
    if coloured and numbered:
        raise DataError(
            f"{numbered} holds numbers and {coloured} colours; save all masks in one way, as PNG with a number for"
            " each class"
        )


def _check_few(codes: Sequence[int], order: Sequence[int], book: CodeBook) -> None:
    """Raise DataError for more values than people give to classes."""
    if len(order) > MOST_GUESSED:
        what = "colours" if order[-1] >= COLOUR else "values"
        raise DataError(
            f"the masks hold {len(order)} different {what}, such as {words_of(order)}, the last first in"
            f" {book.first[codes.index(order[-1])]}: probably resized or compressed with smooth borders; where all are"
            f" classes, name them in {NAME}"
        )


def _check_gapless(classes: Sequence[int], order: Sequence[int]) -> None:
    """Raise DataError for numbers that may be labels, or greys, or a part of the labels only."""
    if list(classes) in (list(range(len(classes))), list(range(1, len(classes) + 1))) and len(classes) > 1:
        return
    line = ", ".join(f"class {code}: {code}" for code in order)
    raise DataError(
        f"the masks hold {words_of(order)}, and not all numbers between; say in {NAME} what they mean, such as"
        f" classes: {{{line}}}"
    )
