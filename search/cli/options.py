"""The options that several commands share, and how their values are read."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from search.errors import UsageError
from storage.data.quality.rules import Rule
from storage.studies.config import Declared, StudyConfig, declared
from storage.studies.durations import read_duration

if TYPE_CHECKING:
    from search.api.study import Study as KnownStudy
    from storage.store import Purpose

COMPLETION_S = 1.0  # of one who has pressed a key
MOST_PER_GPU = 32


def seconds_of(option: str) -> Callable[[str], float]:
    """What reads the seconds of a duration that is given to this option. It raises UsageError for anything else."""

    def seconds(text: str) -> float:
        try:
            return read_duration(text)
        except ValueError as error:
            raise UsageError(f"{option} {error}") from error

    return seconds


def _per_gpu(text: str) -> int | str:
    """A number of trainings that share a GPU, or "auto". Raises UsageError for anything else."""
    if text == "auto" or (text.isdecimal() and 1 <= int(text) <= MOST_PER_GPU):
        return text if text == "auto" else int(text)
    raise UsageError(f"--per-gpu {text}: a number from 1 to {MOST_PER_GPU} was expected, or auto")


def one_out(out: Path | None, option: Path | None) -> Path:
    """Where a command writes: OUT, or --out. Raises UsageError for neither or both."""
    if (out is None) == (option is None):
        given = "none" if out is None else f"both {out} and --out {option}"
        raise UsageError(f"OUT: one place to write to was expected, {given} was given")
    return out or option or Path()


def study_names(incomplete: str) -> list[str]:
    """The studies that a shell may complete this beginning to; none where the storage does not answer."""
    with suppress(Exception):
        from search.api.place import open_storage
        from storage.studies.studies import list_studies

        with open_storage(COMPLETION_S, purpose="look") as (store, _):
            return [name for name in list_studies(store) if name.startswith(incomplete)]
    return []


def recipe_names(incomplete: str) -> list[str]:
    """The presets that a shell may complete this beginning to; it knows files by itself."""
    from spaces import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


Study = Annotated[str, typer.Argument(metavar="STUDY", help="name of the study", autocompletion=study_names)]
Recipe = Annotated[
    str,
    typer.Argument(metavar="RECIPE", help="name of a preset, or a recipe file (.yaml)", autocompletion=recipe_names),
]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="OUT", help="the same as OUT")]
Data = Annotated[Path, typer.Option("--data", metavar="FILE", help="data set: an .npz, a folder, or a CSV of paths")]
Trials = Annotated[int, typer.Option("--trials", metavar="N", min=1, help="finished trials over all workers")]
Clean = Annotated[Rule, typer.Option("--clean", help="rule that finds contaminated samples, which are left out")]
LARGEST_SEED = 2**31 - 1
Seed = Annotated[int, typer.Option(metavar="S", min=0, max=LARGEST_SEED, help="of the split and the training")]
DataSeed = Annotated[int, typer.Option(metavar="S", min=0, max=LARGEST_SEED, help="of everything random in them")]
SplitSeed = Annotated[int, typer.Option(metavar="S", min=0, max=LARGEST_SEED, help="of the split")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=256, help="trainings at a time; default one per GPU or core"),
]
Timeout = Annotated[
    float | None,
    typer.Option(parser=seconds_of("--timeout"), metavar="TIME", help="leave after this long: 90s, 6m, 2h"),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|mps|cuda|cuda:0,2", help="where to train")]
OwnDevice = Annotated[str, typer.Option(metavar="auto|cpu|mps|cuda|cuda:N", help="where to compute")]
On = Annotated[Literal["local", "ray"], typer.Option("--on", help="this machine, or the Ray cluster of RAY_ADDRESS")]
PerGpu = Annotated[
    str | None,
    typer.Option("--per-gpu", metavar="K|auto", parser=_per_gpu, help="trainings that share a GPU; default 1"),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]

OPTIONS = declared("fixed", "changeable", "initial")


def takes_config(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument STUDY and the options of a study, and call it with the configuration they make.

    The command takes it as `config`, and as `space_name` what the space is called in messages. Its own parameters
    without a default come before the options of the study, the others after them.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    own = [parameter for name, parameter in parameters.items() if name not in ("config", "space_name")]
    study = inspect.Parameter("study", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Study)
    every = sorted([study, *map(_parameter, OPTIONS), *own], key=lambda each: each.default is not each.empty)

    @wraps(command)
    def run(study: str, **values: Any) -> None:
        from search.api.options import space_text

        given = {field.name: values.pop(field.name) for field in OPTIONS}
        files = (field for field in OPTIONS if field.setting.from_file)
        texts = {field.name: space_text(given[field.name], field.option) for field in files}
        config = StudyConfig(study=study, **given | texts)
        command(config=config, space_name=str(given["space"] or "space"), **values)

    del run.__dict__["__wrapped__"]  # whose annotations typer would read
    run.__dict__["__signature__"] = inspect.Signature(every)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return run


def _parameter(field: Declared) -> inspect.Parameter:
    setting, kind, default = field.setting, field.type, field.default
    if setting.from_file:
        kind, default = str | None, None
    known: dict[str, Any] = {"metavar": setting.metavar or None, "help": field.help}
    reads = {"parser": seconds_of(field.option)} if setting.duration else {"min": field.low, "max": field.high}
    option = typer.Option(field.option, **known | reads)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(field.name, either, default=default, annotation=Annotated[kind, option])


def refuse_same_file(file: Path, out: Path) -> None:
    """Raise UsageError when a command would write over the file that it reads, also by way of a link."""
    try:
        same = file.samefile(out)
    except OSError:  # one of them is not there, or cannot be looked at, which whoever opens it says
        return
    if same:
        raise UsageError(f"{out}: is the file {file} that is read, choose another place for what is written")


def known(study: str, purpose: Purpose | None = "change") -> KnownStudy:
    """The study of this name where the environment says, not looked at yet. purpose: see `search.api.place.Place`."""
    from search.api.place import Place
    from search.api.study import Study
    from search.settings import read_settings

    return Study(study, Place(read_settings(), purpose))
