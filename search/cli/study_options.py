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

OPTIONS = declared("fixed", "changeable", "initial")


def takes_config(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument STUDY and the options of a study, and call it with the configuration they make.

    The command takes it as `config`, and as `space_name` what the space is called in messages. Its own parameters
    without a default come before the options of the study, the others after them.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    own = [parameter for name, parameter in parameters.items() if name not in ("config", "space_name")]
    study = inspect.Parameter("study", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=options.Study)
    every = sorted([study, *map(_parameter, OPTIONS), *own], key=lambda each: each.default is not each.empty)

    @wraps(command)
    def run(study: str, **values: Any) -> None:
        given = {field.name: values.pop(field.name) for field in OPTIONS}
        texts = {field.name: read_text(given[field.name]) for field in OPTIONS if field.setting.from_file}
        config = StudyConfig(study=study, **given | texts)
        command(config=config, space_name=str(given["space"] or "space"), **values)

    del run.__dict__["__wrapped__"]  # whose annotations typer would read
    run.__dict__["__signature__"] = inspect.Signature(every)
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return run


def _parameter(field: Declared) -> inspect.Parameter:
    setting, kind, default = field.setting, field.type, field.default
    if setting.from_file:
        kind, default = Path | None, None
    option = typer.Option(field.option, metavar=setting.metavar or None, min=field.low, max=field.high, help=field.help)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(field.name, either, default=default, annotation=Annotated[kind, option])
