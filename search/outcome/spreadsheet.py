"""CSV that a spreadsheet shows as it stands: no name of a stranger's becomes a formula.

A cell that begins with one of these signs is a formula there (OWASP, "CSV injection"); an apostrophe before it makes
it text. Numbers stay as they are.
"""

from __future__ import annotations

import csv
import io
import re

_FORMULA = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001 - the wide forms, which some spreadsheets read as the others
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:inf|nan)")


def safe_cell(text: str) -> str:
    """The text of a cell, with an apostrophe before it where it would be a formula."""
    if not text.lstrip(" \n").startswith(_FORMULA) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def safe_csv(text: str) -> str:
    """A whole CSV with every cell safe."""
    out = io.StringIO(newline="")
    end = "\r\n" if "\r\n" in text else "\n"
    rows = csv.reader(io.StringIO(text, newline=""))
    csv.writer(out, lineterminator=end).writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()
