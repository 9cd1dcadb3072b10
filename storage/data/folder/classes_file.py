"""``classes.yaml``: what the classes are called, what stands for them in masks, and what is said of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from storage.data.class_names import canonical_names, check_names
from storage.data.folder.codes import COLOUR, in_words, packed
from storage.data.folder.files import read_text
from storage.data.folder.yaml_tree import LARGEST, Tree, read_tree
from storage.errors import DataError

NAME = "classes.yaml"
KEYS = ("classes", "void", "excluded_from_mean", "licence", "source")
CLASS_KEYS = ("name", "value", "colour", "display")
_SPELLINGS = {"license": "licence", "color": "colour", "colours": "colour", "colors": "colour", "values": "value"}
_EXAMPLE = "classes: [ground, rock] or classes: [{name: ground, value: 0}, {name: rock, value: 1}]"


@dataclass(frozen=True, kw_only=True)
class ClassList:
    """What the file says.

    names: in label order. values, colours: the codes that stand for them in masks (`codes`), of all or of none.
    display: their codes in pictures, of all or of none. void: codes that mean nothing; None without
    that key. excluded: names of classes left out of the mean.
    """

    names: tuple[str, ...]
    values: tuple[int, ...] = ()
    colours: tuple[int, ...] = ()
    display: tuple[int, ...] = ()
    void: tuple[int, ...] | None = None
    excluded: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""


def read_class_list(folder: Path) -> ClassList | None:
    """The file in the folder; None without one. Raises DataError, a sentence that names the file."""
    path = folder / NAME
    if not path.exists():
        other = next((path.with_name(name) for name in ("classes.yml", "classes.txt", "classes.json")), path)
        if other.exists():
            raise DataError(f"holds {other.name}; expected {NAME}, such as {_EXAMPLE}: rename it")
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{NAME} is a link that leads out of the folder; copy what it points at")
    return parse_class_list(read_text(path, NAME, LARGEST))


def parse_class_list(text: str) -> ClassList:
    """What a text says. Raises DataError."""
    document = read_tree(text, NAME)
    if not isinstance(document, dict):
        raise DataError(f"{NAME} holds no keys; expected {_EXAMPLE}")
    said = _with_known_keys(document, KEYS, NAME)
    if "classes" not in said:
        raise DataError(f"{NAME} has no key classes; expected {_EXAMPLE}")
    rows = _rows(said["classes"])
    names = canonical_names([_word(row["name"], "the name of a class") for row in rows])
    if len(names) < 2:
        raise DataError(f"{NAME} names one class alone; expected two or more: what is around it is a class, too")
    try:
        check_names(names)
    except DataError as error:
        raise DataError(f"{NAME} {error}") from error
    values, colours = _codes(rows, "value"), _codes(rows, "colour")
    made = ClassList(
        names=names,
        values=values,
        colours=colours,
        display=_codes(rows, "display") or colours,
        void=None if "void" not in said else _void(said["void"]),
        excluded=canonical_names(
            [_word(name, "excluded_from_mean") for name in _as_list(said.get("excluded_from_mean"))]
        ),
        licence=_word(said.get("licence", ""), "licence"),
        source=_word(said.get("source", ""), "source"),
    )
    _check_excluded(made)
    _check_void(made)
    return made


def number(text: str, place: str) -> int:
    """A number in a mask. Raises DataError."""
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) >= COLOUR:
        raise DataError(f"{NAME} gives {place} the value {text[:40]!a}; expected a whole number from 0, such as 3")
    return int(text)


def colour(text: str, place: str) -> int:
    """A colour as a code. Raises DataError."""
    match = re.fullmatch(r"#?([0-9A-Fa-f]{6})", text)
    if match is None:
        mend = "in quotes, since # begins a comment" if not text else "six digits 0 to F in quotes"
        raise DataError(f"{NAME} gives {place} the colour {text[:40]!a}; expected '#RRGGBB' {mend}, such as '#C1440E'")
    return packed(bytes.fromhex(match[1]))


def _rows(tree: Tree) -> list[Mapping[str, Tree]]:
    """What is said of each class, by key: of a list of names, of mappings, or of a mapping from names."""
    if isinstance(tree, dict):
        tree = [_row_of(name, said) for name, said in tree.items()]
    if not isinstance(tree, list) or not tree:
        raise DataError(f"{NAME} lists no classes; expected {_EXAMPLE}")
    rows: list[Mapping[str, Tree]] = [
        _with_known_keys(row, CLASS_KEYS, f"{NAME}, classes,") if isinstance(row, dict) else {"name": row}
        for row in tree
    ]
    nameless = [place for place, row in enumerate(rows) if "name" not in row]
    if nameless:
        raise DataError(f"{NAME} has no name for class number {nameless[0]}; expected {_EXAMPLE}")
    return rows


def _row_of(name: str, said: Tree) -> Tree:
    """A class of a mapping: its name with a value, a colour, or more."""
    if isinstance(said, dict):
        return {"name": name, **said}
    if isinstance(said, list) or not said:
        return {"name": name, "colour": said} if said else {"name": name}
    return {"name": name, ("value" if re.fullmatch(r"[0-9]{1,5}", said) else "colour"): said}


def _codes(rows: Sequence[Mapping[str, Tree]], key: str) -> tuple[int, ...]:
    """What each class has under this key, of all or of none."""
    having = [row for row in rows if key in row]
    if having and len(having) < len(rows):
        lacking = next(row["name"] for row in rows if key not in row)
        raise DataError(f"{NAME} has no {key} for class {lacking}, but for others; give each class one, or none")
    codes = tuple(_code(row[key], f"class {row['name']}", key) for row in having)
    if key != "display":
        _check_distinct(codes, [str(row["name"]) for row in having], key)
    return codes


def _code(tree: Tree, place: str, key: str) -> int:
    if key == "value":
        return number(_word(tree, f"the value of {place}"), place)
    if isinstance(tree, list):
        parts = [number(_word(part, f"the colour of {place}"), place) for part in tree]
        if len(parts) != 3 or max(parts) > 255:
            raise DataError(f"{NAME} gives {place} the colour {parts[:4]}; expected red, green and blue, 0 to 255 each")
        return packed(parts)
    return colour(_word(tree, f"the colour of {place}"), place)


def _check_distinct(codes: Sequence[int], names: Sequence[str], key: str) -> None:
    seen: dict[int, str] = {}
    for code, name in zip(codes, names, strict=True):
        if (other := seen.setdefault(code, name)) is not name:
            raise DataError(f"{NAME} gives the classes {other} and {name} the same {key} {in_words(code)}; correct one")


def _void(tree: Tree) -> tuple[int, ...]:
    """Codes of what means nothing: one or several numbers and colours."""
    return tuple(
        number(text, "void") if re.fullmatch(r"[0-9]{1,5}", text) else colour(text, "void")
        for text in (_word(item, "void") for item in _as_list(tree))
    )


def _check_void(made: ClassList) -> None:
    taken = dict(zip((*made.values, *made.colours), made.names * 2, strict=False))
    if both := next((code for code in made.void or () if code in taken), None):
        raise DataError(f"{NAME} says that {in_words(both)} is void and class {taken[both]}; keep one of them")


def _check_excluded(made: ClassList) -> None:
    if unknown := next((name for name in made.excluded if name not in made.names), ""):
        raise DataError(f"{NAME} excludes {unknown} from the mean; expected some of {', '.join(made.names[:8])}")


def _as_list(tree: Tree | None) -> list[Tree]:
    if tree is None or tree == "":
        return []
    return tree if isinstance(tree, list) else [tree]


def _word(tree: Tree, what: str) -> str:
    if isinstance(tree, str):
        return tree
    raise DataError(
        f"{NAME} has {'a list' if isinstance(tree, list) else 'keys'} for {what}; expected one word or number"
    )


def _with_known_keys(said: Mapping[str, Tree], known: Iterable[str], place: str) -> dict[str, Tree]:
    """The mapping with keys in our spelling. Raises DataError for unknown ones: most are slips."""
    made = {}
    for key, value in said.items():
        right = _SPELLINGS.get(key, key)
        if right not in known:
            close = get_close_matches(right, list(known), 1)
            mend = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise DataError(f"{place} has the unknown key {key[:40]!a}; {mend}")
        if right in made:
            raise DataError(f"{place} says {right} twice; keep one of them")
        made[right] = value
    return made
