"""The catalogue: every axis of the recipe as a row, for `marsearch space show` and docs/space.md."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.axis import Scalar, describe
from spaces.domain import Default, Domain, Searched, is_off, options
from spaces.recipe import Recipe
from spaces.recipe.part import Part
from spaces.space import Space
from spaces.tree import Leaf, Node, Optional, PerClass, Section, children

COMMAND: Final = "marsearch space show --markdown > docs/space.md"
NAME: Final = "NAME"  # stands for the name of a class
_ON_OR_OFF: Final = CategoricalDistribution((True, False))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One axis.

    path: dotted name, as a space file nests it.
    type: integer, real, choice or switch.
    range: what is allowed, in words; of a bound space what its study allows.
    default: the recipe's own.
    searched: whether a study samples it; without a space, whether one of the whole space does.
    reports: letters of the reports that have it, "+" for none.
    meaning: one phrase.
    """

    path: str
    type: str
    range: str
    default: str
    searched: bool
    reports: str
    meaning: str

    def as_dict(self) -> dict[str, Any]:
        """The row for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """The axes of one part. title: its place in a space file, and which families have it. text: what it is."""

    title: str
    text: str
    rows: tuple[Row, ...]


def catalogue(space: Space | None = None) -> tuple[Chapter, ...]:
    """Every axis, a chapter per part, the fields that families share once.

    space: None for the whole recipe, where the generator of an adversarial family stands for the families before
    it; else what its study allows, without the parts that are off.
    """
    found = _Catalogue(space)
    chapters = [chapter for name, node in children(Recipe) for chapter in found.chapters(Recipe, name, node, name)]
    return tuple(chapter for chapter in chapters if chapter.rows)


def markdown() -> str:
    """The page docs/space.md."""
    lines = [_PREAMBLE]
    for chapter in catalogue():
        lines += [f"## {chapter.title}", "", chapter.text, "", *_TABLE_HEAD, *map(_markdown_row, chapter.rows), ""]
    return "\n".join(lines)


_PREAMBLE: Final = f"""# Every axis of the space

What a recipe consists of, and so what a study can search. A study searches a part of it unless `whole` is asked for:
[what is searched by default, and why](spaces.md). Written by `{COMMAND}`.

- **Searched**: a study of the space `whole` samples the whole range, as does one of a [space file](space-file.md) that
  does not say otherwise. Where it says `-`, the default stays; a space file opens the axis, and a recipe that is
  enqueued may have any value on it.
- **Reports**: the letters of the student reports that have the axis; `+` when none has it.
- An optional part is on or off: that is its axis `.use`. Its other axes exist while it is on.
- `{NAME}` stands for the name of a class.
- The seed is no axis: the study sets it for each trial.
"""
_TABLE_HEAD: Final = (
    "| axis | type | range | default | searched | reports | meaning |",
    "|---|---|---|---|---|---|---|",
)


def _markdown_row(row: Row) -> str:
    searched = "yes" if row.searched else "-"
    return f"| `{row.path}` | {row.type} | {row.range} | {row.default} | {searched} | {row.reports} | {row.meaning} |"


@dataclass(frozen=True)
class _Catalogue:
    space: Space | None

    def chapters(self, part: type[Part], name: str, node: Node, path: str) -> Iterator[Chapter]:
        """The chapter of the part behind a field, and those below it; none for a field that is an axis."""
        match node:
            case Section() if node.discriminator:
                yield from self._families(node, path)
            case Section():
                yield from self._part(node.options[""], path, ())
            case Optional():
                yield from self._part(node.part, path, tuple(self._use(part, name, node, path)))

    def _part(self, part: type[Part], path: str, first: tuple[Row, ...]) -> Iterator[Chapter]:
        nodes = {} if self._off(path) else dict(children(part))
        rows = [row for name, node in nodes.items() for row in self._rows(part, name, node, f"{path}.{name}")]
        yield Chapter(title=path, text=_text(part), rows=(*first, *rows))
        for name, node in nodes.items():
            if not _is_short(node):
                yield from self.chapters(part, name, node, f"{path}.{name}")

    def _families(self, node: Section, path: str) -> Iterator[Chapter]:
        """Which families there are, then their fields by the class that declares them."""
        yield Chapter(title=path, text="The families of networks.", rows=tuple(self._family(node, path)))
        names = [name for name in node.options if self._has_family(f"{path}.{node.discriminator}", name)]
        owners: dict[type[Part], list[str]] = {}
        for name in names:
            for owner in dict.fromkeys(_owner(node.options[name], field) for field, _ in children(node.options[name])):
                owners.setdefault(owner, []).append(name)
        for owner, families in owners.items():
            own = [(field, inner) for field, inner in children(owner) if _owner(owner, field) is owner]
            rows = [row for field, inner in own for row in self._rows(owner, field, inner, f"{path}.{field}")]
            yield Chapter(title=f"{path}: {', '.join(families)}", text=_text(owner), rows=tuple(rows))
            for field, inner in own:
                if self.space is not None and not _is_short(inner):
                    yield from self.chapters(owner, field, inner, f"{path}.{field}")

    def _rows(self, part: type[Part], name: str, node: Node, path: str) -> Iterator[Row]:
        """The rows of one field in its part's own table."""
        meaning = _meaning(part, name)
        match node:
            case Leaf(axis=axis):
                yield from self._row(path, axis.distribution, node.default, axis.searched, axis.reports, meaning)
            case PerClass(axis=axis):
                for label in self._labels(path):
                    yield from self._row(f"{path}.{label}", axis.distribution, 1.0, False, axis.reports, meaning)
            case Section() if self.space is None:
                yield from self._family(node, path)
            case Optional() if _is_short(node):
                yield from self._use(part, name, node, path)
                for field, inner in () if self._off(path) else children(node.part):
                    yield from self._rows(node.part, field, inner, f"{path}.{field}")

    def _use(self, part: type[Part], name: str, node: Optional, path: str) -> Iterator[Row]:
        switch, meaning = node.switch, _meaning(part, name)
        yield from self._row(f"{path}.use", _ON_OR_OFF, node.default, switch.searched, switch.reports, meaning)

    def _family(self, node: Section, path: str) -> Iterator[Row]:
        letters = "".join(option.reports for option in node.options.values())
        reports = " ".join(sorted(set(letters) - {" "}))
        which = CategoricalDistribution(list(node.options))
        yield from self._row(f"{path}.{node.discriminator}", which, node.default, True, reports, "which family")

    def _row(
        self, path: str, whole: BaseDistribution, default: Scalar, searched: bool, reports: str, meaning: str
    ) -> Iterator[Row]:
        allowed = _words(whole)
        if self.space is not None and not path.endswith(f".{NAME}"):
            if path not in self.space.domains:
                return
            domain = self.space.domains[path]
            searched = isinstance(domain, Searched)
            allowed = _words(domain.distribution) if isinstance(domain, Searched) else _word(domain.value)
        yield Row(
            path=path,
            type=_type(whole),
            range=allowed,
            default=_word(default),
            searched=searched,
            reports=reports,
            meaning=meaning,
        )

    def _labels(self, path: str) -> list[str]:
        """The classes that a space file names, or one that stands for them all."""
        if self.space is None:
            return [NAME]
        domains = {label: self.space.domains.get(f"{path}.{label}") for label in self.space.facts.class_names}
        return [label for label, domain in domains.items() if not isinstance(domain, Default)] or [NAME]

    def _has_family(self, path: str, name: str) -> bool:
        domain = self.space.domains.get(path) if self.space is not None else Searched(CategoricalDistribution((name,)))
        return domain is not None and name in options(path, domain)

    def _off(self, path: str) -> bool:
        use: Domain | None = self.space.domains.get(f"{path}.use") if self.space is not None else None
        return use is not None and is_off(use)


def _is_short(node: Node) -> bool:
    """Whether a field needs no chapter: an axis, or an optional part of nothing but axes."""
    if isinstance(node, Optional):
        return all(isinstance(inner, (Leaf, PerClass)) for _, inner in children(node.part))
    return not isinstance(node, Section)


def _owner(part: type[Part], field: str) -> type[Part]:
    """The class that declares the field, the most basic one where several do."""
    classes = [kind for kind in part.__mro__ if issubclass(kind, Part) and field in inspect.get_annotations(kind)]
    return classes[-1]


def _text(part: type[Part]) -> str:
    """The first paragraph of the part's docstring in one line."""
    return " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())


def _meaning(part: type[Part], field: str) -> str:
    return part.model_fields[field].description or ""


def _type(distribution: BaseDistribution) -> str:
    if isinstance(distribution, IntDistribution):
        return "integer"
    if isinstance(distribution, FloatDistribution):
        return "real"
    switch = isinstance(distribution, CategoricalDistribution) and set(distribution.choices) == {True, False}
    return "switch" if switch else "choice"


def _words(distribution: BaseDistribution) -> str:
    log = ", log scale" if getattr(distribution, "log", False) else ""
    return f"{describe(distribution).removeprefix('one of ')}{log}"


def _word(value: Scalar | None) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
