"""The sheet every picture is drawn on: matplotlib without pyplot, so that threads do not meet in it."""

from __future__ import annotations

import logging
import unicodedata
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from storage.atomic_write import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
MARGIN = 6  # pixels beside a text
SMALLEST = 5.0  # points of a title that is made to fit
INK = "#222222"
FAINT = "#B8B8B8"
_SIZES = {"o": 7, "D": 6, "|": 14}  # of the markers
_DRAWING = Lock()  # matplotlib's font caches are not made for several threads
_PLACEHOLDERS = "Last Resort"  # a font that comes with matplotlib and has the same box for every sign of a script
_INVISIBLE = ("Cc", "Cf", "Mn", "Zs")  # what a text may hold and no font needs to draw

_logger = logging.getLogger(__name__)


def blank(width: int, height: int) -> Figure:
    """An empty white figure of so many pixels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")


def save(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, whole or not at all; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with _DRAWING, warnings.catch_warnings(), replacing(path) as file:
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # `_use_fonts` says it better
        FigureCanvasAgg(figure)
        _use_fonts(figure)
        _fit_texts(figure)
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def _fit_texts(figure: Figure) -> None:
    """Make titles that would run over the right edge of the figure as small as they must be."""
    for text in figure.texts:
        room, size = figure.bbox.width - text.get_window_extent().x0 - MARGIN, float(text.get_fontsize())
        while text.get_window_extent().width > room and size > SMALLEST:  # widths do not follow sizes exactly
            size -= 0.5
            text.set_fontsize(size)


def _use_fonts(figure: Figure) -> None:
    """Let each text be drawn by fonts that have its signs: a class name may be in any script."""
    from matplotlib.text import Text

    for axes in figure.axes:  # which make the labels of their ticks when they are first asked for them
        axes.get_xticklabels(), axes.get_yticklabels()
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *_fonts_for(frozenset(text.get_text()))])


@cache
def _fonts_for(signs: frozenset[str]) -> tuple[str, ...]:
    """The families that have what the default font lacks, a few; what none has is said, once."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    default = get_font(findfont(FontProperties())).get_charmap()
    lacking = {sign for sign in signs if ord(sign) not in default and unicodedata.category(sign) not in _INVISIBLE}
    families = []
    known = (entry for entry in fontManager.ttflist if not entry.name.startswith(_PLACEHOLDERS))
    for entry in sorted(known, key=lambda entry: (entry.style != "normal", entry.weight != 400)):
        if not lacking:
            break
        font = get_font(entry.fname)
        had = {sign for sign in lacking if ord(sign) in font.get_charmap()} if font.scalable else set()
        if had:
            families.append(entry.name)
            lacking -= had
    if lacking:
        _say_lacking("".join(sorted(lacking)))
    return tuple(families)


@cache
def _say_lacking(signs: str) -> None:
    _logger.warning(
        "no font on this machine has the signs %s: pictures show boxes; install one that has them, such as Noto",
        signs,
    )


def plain(text: str, limit: int = 0) -> str:
    """Text that matplotlib does not read as mathematics, cut to ``limit`` characters if that is not 0."""
    short = text if not limit or len(text) <= limit else text[: limit - 1] + "…"
    return short.replace("$", r"\$")


def percent(share: float) -> str:
    """A share of 1 with enough digits that a rare class does not read as zero."""
    if share >= 0.01 or share == 0:
        return f"{share:.1%}"
    return f"{share:.2%}" if share >= 1e-4 else "< 0.01%"


def tidy(axes: Axes, title: str = "") -> None:
    """The common look of a plot: thin grid, no box, small labels."""
    axes.set_title(title, fontsize=11, loc="left", color=INK)
    axes.grid(True, color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=INK, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)


def draw_legend(axes: Axes, entries: Sequence[tuple[str, str, str]]) -> None:
    """A legend above the plot. entries: marker ("-" and "--" for lines), colour, text; a white one is drawn hollow."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **marker_style(marker, INK if c == "white" else c, c)) for marker, c, _ in entries]
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0), "ncols": 4}
    spaces: dict[str, Any] = {"handletextpad": 0.4, "columnspacing": 1.0, "borderaxespad": 0.2}
    axes.legend(handles, [text for *_, text in entries], fontsize=9, frameon=False, **place, **spaces)


def marker_style(marker: str, edge: str, face: str) -> dict[str, Any]:
    """How matplotlib draws a marker, or a line where ``marker`` is the style of one."""
    if marker not in _SIZES:
        return {"linestyle": marker, "color": edge, "linewidth": 2}
    look = {"marker": marker, "color": edge, "markerfacecolor": face}
    return look | {"markersize": _SIZES[marker], "markeredgewidth": 1.5, "linestyle": "none"}
