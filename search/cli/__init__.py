"""The command line: `marsearch`. Commands import what they need when they run, so that `--help` answers at once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.exceptions import TyperException

try:
    from search.cli import bench, bundle, data, reproduce, space, study, watch
    from search.errors import SearchError, TrainingFailed
    from search.log import log_as_json, tell
    from search.output import lost_report, make_lenient
    from spaces.errors import SpaceError
    from storage.errors import StorageError
except ModuleNotFoundError as error:
    # The package index has an unrelated `spaces`, and one of two packages of a name hides the other.
    theirs = (error.name or "").partition(".")[0]
    if theirs not in ("spaces", "storage"):
        raise
    fix = f"pip uninstall {theirs}, then pip install --force-reinstall --no-deps marsearch"
    raise SystemExit(f"marsearch: another package called {theirs} is in the way of ours: {fix}") from None

HELP = "Hyperparameter search for semantic segmentation trained from scratch."
LONGEST = 2000  # characters of a message; a wrong value that it quotes may have more


def _group(text: str, *commands: Callable[..., object], completion: bool = False) -> typer.Typer:
    group = typer.Typer(
        help=text,
        no_args_is_help=True,
        add_completion=completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for command in commands:
        group.command(command.__name__.removesuffix("_studies").removesuffix("_"))(command)
    return group


searches = (study.demo, study.create, study.work, study.run, study.enqueue, watch.status, watch.trials)
networks = (bundle.train, bundle.export, bundle.predict, bundle.evaluate, reproduce.reproduce)
app = _group(HELP, *searches, *networks, bench.bench, watch.dashboard, watch.doctor, completion=True)
sets = (data.synth, data.import_, data.inspect, data.clean)
app.add_typer(_group("Make, import, look at and clean data sets.", *sets), name="data")
app.add_typer(_group("Look at the search space.", space.show), name="space")
steering = (watch.list_studies, watch.pause, watch.resume, watch.stop, watch.delete)
app.add_typer(_group("List and steer studies.", *steering), name="study")


def _log_as(kind: str) -> str:
    if kind == "json":
        log_as_json()
    return kind


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"marsearch {version('marsearch')}")
        raise typer.Exit


@app.callback(help=HELP)
def _start(
    told: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="show the version and leave")
    ] = False,
    log: Annotated[
        Literal["text", "json"],
        typer.Option(envvar="MARSEARCH_LOG", is_eager=True, callback=_log_as, help="what goes to stderr"),
    ] = "text",
) -> None: ...


def main() -> None:
    """Run a command. Exit status 0: done; 2: wrong use or bad input, one line on stderr; 1: failure."""
    make_lenient("stdout", "stderr")
    status = answer(sys.argv[1:])
    if not status and (reason := lost_report()):
        status = _say(f"what was to be written to standard output is lost: {reason}", 1)
    gc.freeze()  # all goes with the process: to look for cycles first takes a sixth of a short command (measured)
    raise SystemExit(status)


def answer(arguments: list[str]) -> int:
    """Run the command with these arguments and return its exit status."""
    try:
        return int(app([_expanded(text) for text in arguments], standalone_mode=False, prog_name="marsearch") or 0)
    except TrainingFailed as error:
        return _say(str(error), 1)
    except (SpaceError, StorageError, SearchError) as error:
        return _say(str(error))
    except TyperException as error:
        text = error.format_message()
        return _say(text) if not text.startswith("Usage:") else _fail(text)
    except ModuleNotFoundError as error:
        return _say(_lacking(error))
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)


def _expanded(argument: str) -> str:
    """``--out=~/x`` as a shell expands ``--out ~/x``: it leaves what stands behind a sign as it is."""
    option, sign, value = argument.partition("=")
    home = sign and option.startswith("--") and value.startswith("~/")
    return f"{option}={Path(value).expanduser()}" if home else argument


def _say(text: str, status: int = 2) -> int:
    line = " ".join(text.split())  # what it quotes may hold what a terminal obeys
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"
    return _fail(f"marsearch: {shown}", status)


def _lacking(error: ModuleNotFoundError) -> str:
    """The small container image leaves out what only trainings need. Raises the error when the module is our own."""
    name = (error.name or "").partition(".")[0]
    if name in ("", "search", "spaces", "storage"):
        raise error
    return f"this command needs the Python package {name}, which this installation lacks: run it where workers run"


def _fail(text: str, status: int = 2) -> int:
    tell(text, "error", status=status)
    return status
