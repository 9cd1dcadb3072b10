"""The options of a study as Python takes them: the fields of `StudyConfig`, by the same names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from pydantic import ValidationError

from search.errors import UsageError
from storage.data.quality.rules import Rule
from storage.studies.config import StudyConfig, declared
from storage.studies.durations import read_duration

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = declared("fixed", "changeable", "initial")


class StudyOptions(TypedDict, total=False):
    """What `Study.create` takes beside name and data; meaning, range and default of each stand in `StudyConfig`."""

    space: str | Path | None
    sampler: Literal["tpe", "random", "grid"]
    pruner: Literal["asha", "hyperband", "median", "none"]
    objective: Literal["miou", "miou_strict"] | None
    trials: int
    budget_s: float | str | None
    patience_trials: int | None
    epochs: int
    warm_start: str
    holdout: float
    keep: int
    clean: Rule
    seed: int
    max_params: int | None
    max_gpu_gb: float | None


def config_of(study: str, options: Mapping[str, Any]) -> StudyConfig:
    """The configuration that these options make. Raises UsageError for one that there is not, or of another range."""
    known = [field.name for field in OPTIONS]
    if unknown := [name for name in options if name not in known]:
        raise UsageError(f"{unknown[0]}: no option of a study, these are {', '.join(known)}")
    texts = {field.name: space_text(options.get(field.name)) for field in OPTIONS if field.setting.from_file}
    times = {f.name: seconds_of(f.name, options[f.name]) for f in OPTIONS if f.setting.duration and f.name in options}
    try:
        return StudyConfig(study=study, **{**options, **texts, **times})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name, why = first["loc"][0], first["msg"]
        raise UsageError(f"{name}={first['input']!r}: {why[:1].lower()}{why[1:]}") from None


def seconds_of(name: str, time: float | str | None) -> float | None:
    """The seconds of a time, which may be a text such as ``1h30m``. Raises UsageError for another text."""
    try:
        return read_duration(time) if isinstance(time, str) else time
    except ValueError as error:
        raise UsageError(f"{name} {error}") from error


def shows_options(create: F) -> F:
    """Give a function that takes `StudyOptions` the signature that says each by name and default, for help."""
    signature = inspect.signature(create)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    default = {field.name: None if field.setting.from_file else field.default for field in OPTIONS}
    kinds = {name: hint.__forward_arg__ for name, hint in StudyOptions.__annotations__.items()}
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=kinds[name])
        for name, value in default.items()
    ]
    vars(create)["__signature__"] = signature.replace(parameters=[*own, *more])
    return create


def space_text(named: str | Path | None, option: str = "space") -> str:
    """The text of the space of that name or of a space file, of the default space for None; a text itself is taken.

    option: what it is called in messages. Raises UsageError when it is no name and cannot be read.
    """
    from spaces import NAMED

    if named is None:
        return StudyConfig.space
    if named in NAMED:
        return f"base: {named}\n"
    if "\n" in str(named):
        return str(named)
    path = Path(named)
    try:
        if path.stat().st_size > 1_000_000:
            raise UsageError(f"{path}: {path.stat().st_size:,} bytes, a text file of at most 1,000,000 was expected")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = f"{', '.join(NAMED)} or a space file (.yaml)"
        raise UsageError(f"{option} {named}: {known} was expected, there is no readable text file ({error})") from error
