"""The trials of a study, best first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spaces.recipe import Recipe
from spaces.recipe.architecture import Pix2Pix
from storage.trials.queries import rank as trial_rank

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from search.training.metrics import Constant

_ORDER = ("complete", "pruned", "running", "waiting", "fail")
_STYLES = {"complete": "green", "pruned": "yellow", "running": "cyan", "waiting": "dim", "fail": "red"}
_ABSENT = "-"
NUMBERS_WIDTH = 53  # of all columns but the recipe
HEAD = ("trial", "state", "mIoU", "strict", "epochs", "params", "time", "recipe")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial as the leaderboard shows it; None where it is not known.

    number: of the trial, from 0.
    state: complete, pruned, running, waiting or fail.
    value: the study's objective, 0 to 1; of a pruned trial the last one reported.
    miou, miou_strict: both forms of the mean IoU of the epoch that counts, 0 to 1.
    epochs: trained so far.
    parameters: trainable numbers of the network.
    seconds: of training.
    summary: the recipe in a few words, from `summarise`.
    """

    number: int
    state: str
    value: float | None = None
    miou: float | None = None
    miou_strict: float | None = None
    epochs: int = 0
    parameters: int | None = None
    seconds: float | None = None
    summary: str = ""


def rank(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Complete trials first, then pruned, running, waiting, failed; within a state the highest value first.

    Equal values: fewer parameters first, then the earlier trial.
    """
    return tuple(sorted(rows, key=_place))


def render(
    rows: Sequence[Row], console: Console, *, title: str = "", limit: int = 20, constant: Constant | None = None
) -> None:
    """Print the leaderboard, at most ``limit`` rows of it, and how many are not shown.

    constant: the best constant answer, a last row of its own.
    """
    ranked = rank(rows)
    console.print(_table(ranked[:limit], title, console.width, constant))
    if len(ranked) > limit:
        console.print(f"and {len(ranked) - limit} more", style="dim")


def summarise(recipe: Recipe) -> str:
    """A recipe in a few words, such as ``unet d3 f16 batch plain, cross_entropy+dice, adamw 1.0e-03 b32``."""
    model, optimisation = recipe.model, recipe.optimisation
    family = f"pix2pix {model.generator.family}" if isinstance(model, Pix2Pix) else model.family
    network = model.network
    terms = [name for name in recipe.loss.needs_one if getattr(recipe.loss, name) is not None]
    return (
        f"{family} d{network.depth} f{network.filters} {network.norm} {network.block}, {'+'.join(terms)}, "
        f"{optimisation.optimizer} {optimisation.rate:.1e} b{optimisation.batch_size}"
    )


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row under `HEAD`."""
    scores, seconds = (_score(row.miou), _score(row.miou_strict)), _time(row.seconds)
    return str(row.number), row.state, *scores, str(row.epochs), _parameters(row.parameters), seconds, row.summary


def constant_cells(constant: Constant) -> tuple[str, ...]:
    """The texts of the row of the best constant answer."""
    return "", "", _score(constant.miou), _score(constant.miou_strict), "", "", "", "best constant answer"


def _place(row: Row) -> tuple[int, float, float, int]:
    state = _ORDER.index(row.state) if row.state in _ORDER else len(_ORDER)
    return state, *trial_rank(row.value, row.parameters, row.number)


def _table(rows: Sequence[Row], title: str, width: int, constant: Constant | None) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=0
    )
    for name in HEAD[:-1]:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    # One trial, one line: the recipe gets what the numbers leave, and is cut there.
    table.add_column(HEAD[-1], overflow="ellipsis", no_wrap=True, max_width=max(12, width - NUMBERS_WIDTH))
    for row in rows:
        number, state, *numbers, summary = cells(row)
        table.add_row(number, Text(state, style=_STYLES.get(row.state, "")), *numbers, Text(summary))
    if constant is not None:
        *numbers, name = constant_cells(constant)
        table.add_row(*numbers, Text(name), style="dim")
    return table


def _score(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else _ABSENT


def _parameters(count: int | None) -> str:
    if count is None:
        return _ABSENT
    if count < 1000:
        return str(count)
    return f"{count / 1e3:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return _ABSENT
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
