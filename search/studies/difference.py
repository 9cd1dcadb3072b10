"""What a recipe changes against another one, in words: ``depth 4 -> 3``, ``loss cross entropy -> dice + focal``."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from spaces import Recipe
from spaces.axis import Scalar
from spaces.recipe.part import Part

Values = Mapping[str, Scalar]
SECTIONS = ("model", "loss", "augment", "optimisation", "data")  # whose names say nothing beside those of their fields
_FIRST = ("model.family", "loss", "optimisation.optimizer", "optimisation.lr", "optimisation.batch_size")
_RENAMED = {"family": "network", "optimizer": "optimiser", "class_weights scheme": "class weights"}
_SAME = 1e-9  # numbers as close as this, relative to each other, are the same setting


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting that differs. name: in words. before, after: its values, "" for a recipe without such a setting."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        if self.before and self.after:
            return f"{self.name} {self.before} -> {self.after}"
        return f"{self.name} {self.after}" if self.after else f"no {self.name}"


def changes(recipe: Recipe, base: Recipe, among: Container[str]) -> tuple[Change, ...]:
    """What the recipe changes against `base`, what matters most first.

    among: dotted names of the settings that count; a study's trials have the other ones in common.
    """
    new, old = values_of(recipe), values_of(base)
    terms = (_terms(recipe), _terms(base))
    found = {} if terms[0] == terms[1] else {"loss": Change(name="loss", before=terms[1], after=terms[0])}
    for path in sorted({*new, *old}, key=_place):
        if path in among and not _is_term(recipe, path) and not _same(new.get(path), old.get(path)):
            change = Change(name=words(path), before=spelled(old.get(path)), after=spelled(new.get(path)))
            if change.after:  # a part that is off needs no word on each of its settings
                found[path] = change
    return tuple(found[path] for path in sorted(found, key=_place))


def values_of(recipe: Part, prefix: str = "") -> dict[str, Scalar]:
    """Every setting of the recipe by its dotted name, with ``.use`` for a part that may be off; the seed is none."""
    return dict(_leaves(recipe, prefix))


def words(path: str) -> str:
    """A setting's dotted name in words: ``optimisation.weight_decay`` is "weight decay"."""
    section, _, rest = path.removesuffix(".use").partition(".")
    name = (rest or section) if section in SECTIONS else " ".join((section, *rest.split("."))).strip()
    name = _RENAMED.get(name, name)
    return name.replace(".", " ").replace("_", " ")


def spelled(value: Scalar | None) -> str:
    """A value for people: numbers with two digits, switches as on and off; "" for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"
    return f"{value:,}" if isinstance(value, int) else value.replace("_", " ")


def _leaves(part: Part, prefix: str) -> Iterator[tuple[str, Scalar]]:
    for name, field in type(part).model_fields.items():
        value, path = getattr(part, name), f"{prefix}{name}"
        if path == "seed":
            continue
        if isinstance(value, Mapping):
            yield from ((f"{path}.{label}", factor) for label, factor in value.items())
        elif isinstance(value, Part):
            if type(None) in getattr(field.annotation, "__args__", ()):
                yield f"{path}.use", True
            yield from _leaves(value, f"{path}.")
        else:
            yield (f"{path}.use", False) if value is None else (path, value)


def _terms(recipe: Recipe) -> str:
    on = (name for name in recipe.loss.needs_one if getattr(recipe.loss, name) is not None)
    return " + ".join(name.replace("_", " ") for name in on)


def _is_term(recipe: Recipe, path: str) -> bool:
    return any(path == f"loss.{name}.use" for name in recipe.loss.needs_one)


def _same(one: Scalar | None, other: Scalar | None) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _SAME * max(abs(one), abs(other))
    return one == other


def _place(path: str) -> tuple[int, int, str]:
    """Where a setting stands: the few that people ask for first, switches, and then the others by section."""
    if path in _FIRST:
        return _FIRST.index(path), 0, path
    section = path.partition(".")[0]
    return len(_FIRST) + (SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)), path.count("."), path
