"""What a study is created with, each fact declared once.

A field of `StudyConfig` says what it means, what it may be and whether it may change later. The options of
`marsearch create` and `run` (`search.cli.options`), the stored row (`storage.studies.studies`) and the comparison
with a study that exists already (`differences`) are derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

from storage.data.quality.rules import Rule

Kind = Literal["name", "fixed", "changeable", "initial", "derived"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a field of the configuration is, beside its type, its range and its meaning.

    kind: "name" of the study; an option that is "fixed" for good, "changeable" by the same command with another value,
    or "initial", which only matters when the study is created; or "derived" from the data, the space and the options.
    metavar: what stands for the option's value in its help; "" for the names of the choices.
    option: what the option is called where that is not the field's name.
    from_file: the option names a file, or what stands for one, and the field holds its text.
    duration: the option is a time, the field holds its seconds.
    shown: whether the value is shown with the study, in `status` and in Optuna's user attributes.
    """

    kind: Kind
    metavar: str = ""
    option: str = ""
    from_file: bool = False
    duration: bool = False
    shown: bool = False


_DERIVED = Setting(kind="derived")


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class StudyConfig:
    """What all hosts of a study must agree on. Without the derived fields it is what a person asks for."""

    study: Annotated[str, Setting(kind="name"), Field(description="name of the study")]
    space: Annotated[
        str,
        Setting(kind="fixed", metavar="NAME|FILE", from_file=True),
        Field(description="what is searched: standard, cpu, whole, or a space file (.yaml); default standard"),
    ] = "base: standard\n"
    sampler: Annotated[
        Literal["tpe", "random", "grid"],
        Setting(kind="fixed", shown=True),
        Field(description="how trials are chosen"),
    ] = "tpe"
    pruner: Annotated[
        Literal["asha", "hyperband", "median", "none"],
        Setting(kind="fixed", shown=True),
        Field(description="how hopeless trials are ended"),
    ] = "asha"
    objective: Annotated[
        Literal["miou", "miou_strict"] | None,
        Setting(kind="fixed", shown=True),
        Field(description="mean IoU that the study maximises; default miou, strict where a constant answer wins that"),
    ] = None
    trials: Annotated[
        int,
        Setting(kind="changeable", metavar="N", shown=True),
        Field(ge=1, description="finished trials over all workers"),
    ] = 100
    budget_s: Annotated[
        float | None,
        Setting(kind="changeable", option="--for", metavar="TIME", duration=True, shown=True),
        Field(gt=0, description="end when hosts have worked on it for so long: 8h, 90m, 1h30m; default no end"),
    ] = None
    patience_trials: Annotated[
        int | None,
        Setting(kind="changeable", option="--patience", metavar="N", shown=True),
        Field(ge=1, le=2**31 - 1, description="end after so many finished trials without a better one; default no end"),
    ] = None
    epochs: Annotated[
        int,
        Setting(kind="fixed", metavar="N", shown=True),
        Field(ge=1, le=2000, description="epochs of each training"),
    ] = 30
    warm_start: Annotated[
        str,
        Setting(kind="initial", metavar="reports|FILE|none"),
        Field(description="recipes that are tried first"),
    ] = "reports"
    holdout: Annotated[
        float,
        Setting(kind="fixed", metavar="SHARE"),
        Field(ge=0.0, le=0.5, description="share of samples no trial sees"),
    ] = 0.0
    keep: Annotated[
        int,
        Setting(kind="changeable", metavar="K"),
        Field(ge=1, description="weights are kept for the best K trials"),
    ] = 20
    clean: Annotated[
        Rule,
        Setting(kind="fixed", shown=True),
        Field(description="rule that finds contaminated samples, which are left out"),
    ] = "auto"
    seed: Annotated[
        int,
        Setting(kind="fixed", metavar="S", shown=True),
        Field(ge=0, le=2**31 - 1, description="of split, sampler and trainings"),
    ] = 0
    max_params: Annotated[
        int | None,
        Setting(kind="fixed", metavar="N"),
        Field(ge=1, le=2**63 - 1, description="refuse networks with more parameters; default no limit"),
    ] = None
    max_gpu_gb: Annotated[
        float | None,
        Setting(kind="fixed", metavar="X"),
        Field(
            ge=0.001,
            le=1e6,
            description="refuse trainings estimated to take more GPU memory, in GiB; default what the device has",
        ),
    ] = None
    data_digest: Annotated[
        str,
        Setting(kind="derived", shown=True),
        Field(description="sha256 of the data set"),
    ] = ""
    space_digest: Annotated[
        str,
        Setting(kind="derived", shown=True),
        Field(description="sha256 of the space, bound to the data"),
    ] = ""
    facts: Annotated[str, _DERIVED, Field(description="what the recipe needs to know of the data, JSON")] = ""
    split: Annotated[str, _DERIVED, Field(description="index lists, method and seed of the split, JSON")] = ""
    constant_miou: Annotated[
        float | None,
        _DERIVED,
        Field(description="mean IoU of the best constant answer on the validation part"),
    ] = None
    constant_miou_strict: Annotated[
        float | None,
        _DERIVED,
        Field(description="the same, strict"),
    ] = None
    report: Annotated[str, _DERIVED, Field(description="report on the data, JSON")] = ""
    domains: Annotated[str, _DERIVED, Field(description="what the space allows on each axis, JSON")] = ""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A field of `StudyConfig` as it is declared.

    type: without its annotations. help: what it means. low, high: its range, None where it has no end.
    """

    name: str
    type: Any
    default: Any
    setting: Setting
    help: str
    low: float | None
    high: float | None

    @property
    def option(self) -> str:
        """The command line option: ``--max-params``."""
        return self.setting.option or f"--{self.name.replace('_', '-')}"


@cache
def declared(*kinds: Kind) -> tuple[Declared, ...]:
    """The fields of these kinds, or all fields, in the order of their declaration."""
    hints = get_type_hints(StudyConfig, include_extras=True)
    every = (_declared(field.name, hints[field.name], field.default) for field in fields(StudyConfig))
    return tuple(field for field in every if not kinds or field.setting.kind in kinds)


def shown(config: StudyConfig) -> dict[str, Any]:
    """The values that are shown with a study, by field."""
    return {field.name: getattr(config, field.name) for field in declared() if field.setting.shown}


def differences(old: StudyConfig, new: StudyConfig) -> dict[str, str]:
    """By field, in words, why `new` is not the same study as `old`; empty when it is."""
    found = {
        field.name: f"{field.option} {_words(getattr(new, field.name))} instead of {_words(getattr(old, field.name))}"
        for field in declared("fixed")
        if not field.setting.from_file and getattr(old, field.name) != getattr(new, field.name)
    }
    if old.data_digest != new.data_digest:
        found["data_digest"] = "--data is another data set"
    elif old.space_digest != new.space_digest and "epochs" not in found:  # which are a part of the space
        found["space_digest"] = "--space describes another space"
    return found


def refusal(study: str, url: str, found: Mapping[str, str]) -> str:
    """The sentence that refuses to continue a study with these differences."""
    return f"study {study!r} exists in {url} and differs: {'; '.join(found.values())}: use the same, or another name"


def _declared(name: str, hint: Any, default: Any) -> Declared:
    kind: Any = hint.__origin__
    notes: tuple[Any, ...] = hint.__metadata__
    setting = next(note for note in notes if isinstance(note, Setting))
    field = next(note for note in notes if not isinstance(note, Setting))
    ends = {type(end).__name__: end for end in field.metadata}
    return Declared(
        name=name,
        type=kind,
        default=default,
        setting=setting,
        help=field.description,
        low=ends["Ge"].ge if "Ge" in ends else None,
        high=ends["Le"].le if "Le" in ends else None,
    )


def _words(value: Any) -> str:
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
