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
WIDTHS = {"trial": 5, "state": 8, "mIoU": 6, "strict": 6, "Dice": 6, "epochs": 6, "params": 6, "time": 7}
HEAD = (*WIDTHS, "recipe")
NARROWEST_RECIPE = 12
WITH_DICE = 100  # columns; a narrower terminal shows more of the recipe instead
_GIVES_WAY = ("recipe", "time", "params", "epochs", "strict")  # on a narrow terminal, the first one first


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial as the leaderboard shows it; None where it is not known.

    number: of the trial, from 0.
    state: complete, pruned, running, waiting or fail.
    value: the study's objective, 0 to 1; of a pruned trial the last one reported.
    miou, miou_strict: both forms of the mean IoU of the epoch that counts, 0 to 1.
    mean_dice: lenient mean Dice of the same epoch, 0 to 1, of complete trials.
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
    mean_dice: float | None = None
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


def _place(row: Row) -> tuple[int, float, float, int]:
    state = _ORDER.index(row.state) if row.state in _ORDER else len(_ORDER)
    return state, *trial_rank(row.value, row.parameters, row.number)


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row under `HEAD`."""
    scores, seconds = map(_score, (row.miou, row.miou_strict, row.mean_dice)), _time(row.seconds)
    return str(row.number), row.state, *scores, str(row.epochs), _parameters(row.parameters), seconds, row.summary


def constant_cells(constant: Constant) -> tuple[str, ...]:
    """The texts of the row of the best constant answer."""
    return "", "", _score(constant.miou), _score(constant.miou_strict), "", "", "", "", "best constant answer"


def columns(rows: Sequence[Row], width: int, constant: Constant | None) -> tuple[str, ...]:
    """Those of `HEAD` that are shown: the strict mean where it is another one, and what the width has room for.

    Trial, state and mIoU always are.
    """
    beside = () if constant is None else ((constant.miou, constant.miou_strict),)
    pairs = (*((row.miou, row.miou_strict) for row in rows), *beside)
    left_out = set() if any(_score(one) != _score(other) for one, other in pairs) else {"strict"}
    if width < WITH_DICE or all(row.mean_dice is None for row in rows):
        left_out.add("Dice")
    for name in _GIVES_WAY:
        shown = [each for each in HEAD if each not in left_out]
        if _width(shown) <= width:
            break
        left_out.add(name)
    return tuple(each for each in HEAD if each not in left_out)


def _width(names: Sequence[str]) -> int:
    """Columns of the terminal that a table takes: one between two columns and one on each side."""
    return sum(WIDTHS.get(name, NARROWEST_RECIPE) for name in names) + len(names) + 1


def _table(rows: Sequence[Row], title: str, width: int, constant: Constant | None) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False, padding=0
    )
    shown = columns(rows, width, constant)
    # One trial, one line: the recipe gets what the numbers leave, and is cut there.
    room = max(NARROWEST_RECIPE, width - _width(shown) + NARROWEST_RECIPE)
    for name in shown:
        most = room if name == "recipe" else None
        table.add_column(
            name,
            justify="left" if name in ("state", "recipe") else "right",
            no_wrap=True,
            overflow="ellipsis",
            max_width=most,
        )
    for row in rows:
        known = dict(zip(HEAD, cells(row), strict=True))
        table.add_row(*(Text(known[name], _STYLES.get(row.state, "") if name == "state" else "") for name in shown))
    if constant is not None:
        known = dict(zip(HEAD, constant_cells(constant), strict=True))
        if "recipe" not in shown:
            known["state"] = "constant"
        table.add_row(*(Text(known[name]) for name in shown), style="dim")
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
