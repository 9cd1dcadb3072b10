"""A form for one recipe: a field for each setting that a study leaves open, and back from what was filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from search.errors import UsageError
from search.studies.difference import SECTIONS, spelled, values_of, words
from search.studies.recipes import as_planned, recipe_for
from search.studies.study import StudyDefinition
from spaces import Recipe, SpaceError, preset_names
from spaces.axis import Scalar, contains, describe
from spaces.domain import Default, Domain, Fixed

TITLES = {"model": "Network", "loss": "Loss", "augment": "Augmentation", "optimisation": "Optimisation", "data": "Data"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One setting in the form.

    path: its dotted name, by which it is sent. label: in words. value: as text. options: text and label of each choice,
    () for a number. allowed: the range in words. searched: the study samples it.
    wrong: why what was filled in is refused, "" for nothing.
    """

    path: str
    label: str
    value: str
    options: tuple[tuple[str, str], ...]
    allowed: str
    searched: bool
    wrong: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The fields of a section of the recipe, those that the study samples first."""

    title: str
    searched: tuple[Field, ...]
    others: tuple[Field, ...]


class Refused(Exception):
    """What was filled in makes no recipe. wrong: why, in words, by the dotted name of the field."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(wrong.values()))
        self.wrong = dict(wrong)


def start_values(study: StudyDefinition, start: str, trial: FrozenTrial | None) -> dict[str, Scalar]:
    """The settings that a form begins with: those of a trial, or else of the preset of that name.

    Raises SpaceError and StudyError for a recipe that today's axes cannot express, UsageError for an unknown start.
    """
    if trial is not None:
        return values_of(study.recipe(trial))
    if start not in preset_names():  # which may name a file of this machine
        raise UsageError(f"the number of a trial or the name of a preset was expected, got {start!r:.60}")
    return values_of(as_planned(study.space, recipe_for(study, start)))


def groups(
    study: StudyDefinition, values: Mapping[str, Scalar | str], wrong: Mapping[str, str] | None = None
) -> tuple[Group, ...]:
    """The form's fields by section. values: by dotted name; what is missing has a value of its axis."""
    found: dict[str, list[Field]] = {}
    searched = study.space.searched
    for path, domain in _open(study):
        section = path.partition(".")[0]
        title = TITLES.get(section, words(section).capitalize())
        field = _field(path, domain, values.get(path), (wrong or {}).get(path, ""), searched=path in searched)
        found.setdefault(title, []).append(field)
    order = {TITLES[section]: place for place, section in enumerate(SECTIONS)}
    return tuple(
        Group(
            title=title,
            searched=tuple(field for field in fields if field.searched),
            others=tuple(field for field in fields if not field.searched),
        )
        for title, fields in sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
    )


def read_recipe_form(study: StudyDefinition, sent: Mapping[str, str]) -> Recipe:
    """The recipe that was filled in; settings that it has no use for are left out.

    Raises Refused for a value outside its axis, SpaceError for values that make no recipe together.
    """
    values: dict[str, Scalar] = {}
    wrong: dict[str, str] = {}
    for path, domain in _open(study):
        if path in sent:
            value = _read(distribution_of(domain), sent[path].strip())
            if value is None:
                wrong[path] = f"{words(path)}: {describe(distribution_of(domain))} was expected, got {sent[path]!r:.60}"
            else:
                values[path] = value
    if wrong:
        raise Refused(wrong)
    return study.space.recipe(study.space.used(values))


def distribution_of(domain: Domain) -> BaseDistribution:
    """What the field may have."""
    if isinstance(domain, Fixed):
        raise SpaceError("a fixed setting has no field")
    return domain.distribution


def _open(study: StudyDefinition) -> Iterator[tuple[str, Domain]]:
    """The settings that the study does not fix, those of parts that it leaves out aside."""
    domains = study.space.domains
    never = tuple(path.removesuffix("use") for path, use in domains.items() if path.endswith(".use") and _never(use))
    for path, domain in domains.items():
        if not isinstance(domain, Fixed) and not path.startswith(never):
            yield path, domain


def _never(use: Domain) -> bool:
    return isinstance(use, Fixed) and use.value is False


def _field(path: str, domain: Domain, value: Scalar | str | None, wrong: str, *, searched: bool) -> Field:
    among = distribution_of(domain)
    options: tuple[tuple[str, str], ...] = ()
    if isinstance(among, CategoricalDistribution):
        options = tuple((_text(choice), spelled(choice)) for choice in among.choices if choice is not None)
    return Field(
        path=path,
        label=words(path),
        value=_text(_anything(domain) if value is None else value),
        options=options,
        allowed=describe(among),
        searched=searched,
        wrong=wrong,
    )


def _anything(domain: Domain) -> Scalar:
    """A value for a setting that the recipe does not have: the default, or the first of the axis."""
    among = distribution_of(domain)
    if isinstance(domain, Default) and domain.value is not None:
        return domain.value
    if isinstance(among, CategoricalDistribution):
        return next(choice for choice in among.choices if choice is not None)
    assert isinstance(among, IntDistribution | FloatDistribution)
    return among.low


def _text(value: Scalar | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _read(among: BaseDistribution, text: str) -> Scalar | None:
    """The value that the text stands for; None for one outside the axis."""
    if isinstance(among, CategoricalDistribution):
        return next((choice for choice in among.choices if choice is not None and _text(choice) == text), None)
    try:
        value: Scalar = int(text) if isinstance(among, IntDistribution) else float(text)
    except ValueError:
        return None
    return value if contains(among, value) else None
