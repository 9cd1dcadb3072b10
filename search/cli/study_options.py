"""The options of a study's configuration, made from its declaration (`storage.studies.config`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from search.cli import options
from search.cli.options import read_text
from storage.studies.config import Declared, StudyConfig, declared

MADE = ("config", "space_name")  # the parameters of a command that are made here
OPTIONS = declared("fixed", "changeable", "initial")


def takes_config(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument STUDY and the options of a study, and call it with the configuration they make.

    The command takes it as `config`, and as `space_name` what the space is called in messages. Its own parameters
    without a default come before the options of the study, the others after them.
    """
    parameters = inspect.signature(command, eval_str=True).parameters.values()
    own = [parameter for parameter in parameters if parameter.name not in MADE]
    needed = [parameter for parameter in own if parameter.default is parameter.empty]
    further = [parameter for parameter in own if parameter.default is not parameter.empty]
    study = inspect.Parameter("study", inspect.Parameter.KEYWORD_ONLY, annotation=options.Study)
    every = [study, *needed, *map(_parameter, OPTIONS), *further]
    every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in every]

    @wraps(command)
    def run(**values: Any) -> None:
        given = {field.name: values.pop(field.name) for field in OPTIONS}
        name = "space" if given["space"] is None else str(given["space"])
        command(config=_config(values.pop("study"), given), space_name=name, **values)

    del run.__dict__["__wrapped__"]  # whose annotations typer would read
    run.__dict__["__signature__"] = inspect.Signature(every)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return run


def _config(study: str, values: dict[str, Any]) -> StudyConfig:
    texts = {field.name: read_text(values[field.name]) for field in OPTIONS if field.setting.from_file}
    return StudyConfig(study=study, **values | texts)


def _parameter(field: Declared) -> inspect.Parameter:
    kind, default = (Path | None, None) if field.setting.from_file else (field.type, field.default)
    option = typer.Option(
        field.option, metavar=field.setting.metavar or None, min=field.low, max=field.high, help=field.help
    )
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )
