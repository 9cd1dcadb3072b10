"""CSV files with a header, as spreadsheets write them: groups, and lists of images and masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from storage.data.folder.files import read_text
from storage.errors import DataError

LARGEST = 200_000_000  # bytes; a million rows with two long paths each


def read_table(path: Path, columns: Sequence[str], name: str, *, inside: Path | None = None) -> list[dict[str, str]]:
    """The rows with these columns; others are let be, cells lose the spaces around them.

    name: what messages call the file. inside: a folder out of which no link may lead. Raises DataError.
    """
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise DataError(f"{name} is a link that leads out of the folder; copy what it points at")
    text = read_text(path, name, LARGEST)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0]), strict=True)
        header = [cell.strip().lower() for cell in next(rows, [])]
        if missing := [column for column in columns if column not in header]:
            raise DataError(
                f"{name} has no column {missing[0]}, but {', '.join(header[:8]) or 'nothing'}; expected a first line"
                f" {','.join(columns)}"
            )
        return [_row(header, cells, f"{name}, line {rows.line_num},") for cells in rows if any(map(str.strip, cells))]
    except csv.Error as error:
        raise DataError(f"{name} is not readable as CSV ({error}); save it as comma-separated text") from error


def _delimiter(header: str) -> str:
    """What stands between the cells: spreadsheets of many countries take a semicolon."""
    return max(",;\t", key=header.count)


def _row(header: Sequence[str], cells: Sequence[str], place: str) -> dict[str, str]:
    if len(cells) != len(header):
        raise DataError(f"{place} has {len(cells)} cells; expected {len(header)}, as the first line")
    return {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
