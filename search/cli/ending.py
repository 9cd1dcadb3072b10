"""How a command ends: with one JSON document where it was asked for, otherwise with the next command to type."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from search.log import NEXT, tell

if TYPE_CHECKING:
    from storage.store import Store


def end(document: Mapping[str, Any], *then: str | Path, as_json: bool, said: str = "") -> None:
    """Print the document on standard output, or on stderr what was done, said, and the next command.

    then: the words of that command behind ``marsearch``, none where nothing follows.
    """
    if as_json:
        typer.echo(json.dumps(document))
        return
    if said:
        typer.echo(said, err=True)
    if then:
        command = f"marsearch {shlex.join(map(str, then))}"
        tell(f"{NEXT}{command}", "next", command=command)


def end_with_study(store: Store, study: str, *, as_json: bool) -> None:
    """`end_with_report` on the study as it stands."""
    from search.studies.reports import study_report

    end_with_report(study_report(store, study), as_json=as_json)


def end_with_report(report: Mapping[str, Any], *, as_json: bool, follows: bool = True) -> None:
    """`end` with the document of ``status --json``, and what comes next for the study.

    follows: whether the next command is said; not by a command that is followed by different ones.
    """
    study = report["study"]
    then = ("work", study) if report["best"] is None or report["state"] == "idle" else ("export", study, "best")
    end(report, *(then if follows and report["state"] not in ("paused", "stopped") else ()), as_json=as_json)
