"""The URL of an SQLite file. Loads no SQLAlchemy, so that a command's defaults cost nothing."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote


def sqlite_url(file: Path) -> str:
    """The URL of this file, in which signs that mean something in a URL are written as such, and read back."""
    return f"sqlite:///{quote(str(file))}"
