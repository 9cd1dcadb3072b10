"""Names of classes: told apart by people, so not by spaces, case or the way a letter is encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from storage.errors import DataError


def canonical_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names without spaces around them, each letter in its composed form (NFC)."""
    return tuple(unicodedata.normalize("NFC", name).strip() for name in names)


def check_distinct(names: Sequence[str]) -> None:
    """Raise DataError for names that look alike: equal but for case, spaces, accents' encoding or letter forms."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_seen(name), name)
        if other is not name:
            raise DataError(
                f"has the class names {other!r} and {name!r}, which look alike; give each class its own name"
            )


def _seen(name: str) -> str:
    """What is left of a name that a person compares (compatibility forms, case and spaces apart)."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().replace("_", "").split())
