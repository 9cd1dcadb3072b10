"""Names of classes: told apart by people, so not by spaces, case or the way a letter is encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from storage.errors import DataError

MOST_CLASSES = 255  # a label is a byte, and one value is left over for the ignored
LONGEST_NAME = 200  # characters of a class name, which is part of a parameter's name in the database
_JOINERS = "\u200c\u200d"  # format characters that Persian, Indic scripts and emoji are written with
# control characters, halves of a character, line and paragraph ends; format characters, which turn what follows around
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp", "Cf"}


def canonical_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names without spaces around them, each letter in its composed form (NFC)."""
    return tuple(unicodedata.normalize("NFC", name).strip() for name in names)


def check_count(count: int, first: str = "") -> None:
    """Raise DataError unless there are 2 to `MOST_CLASSES` names. first: the name of label 0, for the message."""
    most = MOST_CLASSES
    if 2 <= count <= most:
        return
    if count > most:
        mend = f"np.minimum(masks, {most - 1}) with class_names[:{most}] joins the last classes"
    else:
        other = first[:LONGEST_NAME] if first and first != "background" else "rock"
        mend = f"name every label, the background's too, such as class_names={['background', other]!a}"
    raise DataError(f"has {count} class name{'s' if count != 1 else ''}; expected 2 to {most}: {mend}")


def check_names(names: Sequence[str]) -> None:
    """Raise DataError for names of classes that cannot be told apart, shown or stored."""
    check_count(len(names), *names[:1])
    if any(not name.strip() for name in names):
        raise DataError(f"has an empty class name among {list(names)}; name every class")
    if long := next((name for name in names if len(name) > LONGEST_NAME), ""):
        raise DataError(
            f"has a class name of {len(long)} characters; expected at most {LONGEST_NAME}:"
            f" np.array(class_names).astype('U{LONGEST_NAME}') cuts it"
        )
    check_writable(names)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"has duplicate class names {twice}; give each class its own name")
    _check_distinct(names)


def check_writable(names: Sequence[str]) -> None:
    """Raise DataError for a name that would steer a terminal, turn the direction of a text, or hide in it."""
    for name in names:
        if sign := next((sign for sign in name if _unwritable(sign)), ""):
            raise DataError(
                f"has the class name {name!a} with a character that cannot be written; expected plain words:"
                f" np.char.replace(class_names, {sign!a}, '') takes it out"
            )


def _unwritable(sign: str) -> bool:
    return sign not in _JOINERS and unicodedata.category(sign) in _UNWRITABLE


def _check_distinct(names: Sequence[str]) -> None:
    """Raise DataError for names that look alike: equal but for case, spaces, accents' encoding or letter forms."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_seen(name), name)
        if other is not name:
            raise DataError(
                f"has the class names {other!r} and {name!r}, which look alike; give each class its own name"
            )


def _seen(name: str) -> str:
    """What is left of a name that a person compares (compatibility forms, case, spaces and joiners apart)."""
    plain = unicodedata.normalize("NFKC", name).casefold().replace("_", "")
    return "".join(sign for sign in plain if not sign.isspace() and sign not in _JOINERS)
