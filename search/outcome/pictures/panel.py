"""Image, truth, prediction and error side by side, in class colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.canvas import FAINT, INK, blank, plain, save
from search.outcome.pictures.colours import IGNORED, WRONG, WRONG_NOT_COUNTED, class_colours, paint, rgb
from storage.data.canvas import own_part

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spaces.facts import DataFacts

PANEL_IMAGES = 6
COLUMNS = ("image", "truth", "prediction", "error")
_LEGEND_CLASSES = 24  # more would not be told apart anyway
_NARROWEST = 640  # pixels, for the legends
_MARGIN, _GAP, _BLOCK_GAP, _TITLE, _HEADER, _CAPTION, _LEGEND_LINE = 16, 6, 28, 40, 24, 18, 24  # pixels


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where the cells of a panel are, in pixels from the top left corner.

    rows, blocks: samples below each other, and groups of columns beside each other.
    columns: cells per sample.
    cell_height, cell_width: of one cell.
    legend: lines kept free at the bottom.
    """

    rows: int
    blocks: int
    columns: int
    cell_height: int
    cell_width: int
    legend: int

    @property
    def width(self) -> int:
        """Of the whole picture."""
        cells = self.blocks * self._block - _GAP + (self.blocks - 1) * (_BLOCK_GAP - _GAP)
        return max(_NARROWEST, 2 * _MARGIN + cells)

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return _TITLE + _HEADER + self.rows * self._row + self.legend * _LEGEND_LINE + _MARGIN

    def corner(self, sample: int, column: int) -> tuple[int, int]:
        """Left and top of a sample's cell; samples run down the first block, then down the second."""
        block, row = divmod(sample, self.rows)
        left = _MARGIN + block * (self._block + _BLOCK_GAP - _GAP) + column * (self.cell_width + _GAP)
        return left, _TITLE + _HEADER + row * self._row

    @property
    def _block(self) -> int:
        return self.columns * (self.cell_width + _GAP)

    @property
    def _row(self) -> int:
        return self.cell_height + _CAPTION


def draw_panel(
    path: Path,
    *,
    images: NDArray[Any],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    facts: DataFacts,
    ignore_label: int | None,
    title: str,
    sizes: NDArray[np.int32] | None = None,
) -> None:
    """Draw the first `PANEL_IMAGES` samples, one per row: image, truth, prediction, error.

    images: (N, H, W) or (N, H, W, 3), any scale. truth, prediction: labels (N, H, W).
    sizes: height and width of each, (N, 2), where they differ: beside an image nothing is drawn.
    An error on a class that is left out of the mean has its own colour: only the strict mIoU sees it.
    """
    count = min(len(images), PANEL_IMAGES)
    grid = lay_out(count, len(COLUMNS), images.shape[1], images.shape[2], legend=2)
    sheet = np.full((grid.height, grid.width, 3), 255, dtype=np.uint8)
    captions = []
    for sample in range(count):
        image, labels, found = (own_part(arrays, sizes, sample) for arrays in (images, truth, prediction))
        picture = visible(image)
        error, wrong = _error(picture, labels, found, facts, ignore_label)
        # The network says something on ignored pixels too; that is shown, it is only not judged.
        painted = paint(labels, facts, ignore_label), paint(found, facts, None)
        for column, cell in enumerate((picture, *painted, error)):
            put(sheet, grid, sample, column, cell, smooth=column == 0)
        captions.append(f"{wrong:.1%} wrong")
    figure = compose(sheet, grid, COLUMNS, title, captions=captions)
    class_legend(figure, grid, facts, np.concatenate([truth[:count].ravel(), prediction[:count].ravel()]), line=1)
    _error_legend(figure, grid, facts, ignore_label)
    save(figure, path)


def lay_out(samples: int, columns: int, height: int, width: int, *, legend: int, blocks: int = 0) -> Grid:
    """Choose rows, blocks and a cell size that keep the picture about as wide as high.

    Flat images stand in one block of rows, square and tall ones in two, unless ``blocks`` says how many;
    small images grow by a whole factor, large ones shrink.
    """
    square = width < 1.5 * height
    blocks = blocks or (2 if samples > 1 and square else 1)
    target = 200 if square else 256
    longest = max(height, width)
    factor = target // longest if longest <= target else target / longest
    return Grid(
        rows=-(-samples // blocks),
        blocks=blocks,
        columns=columns,
        cell_height=max(1, round(height * factor)),
        cell_width=max(1, round(width * factor)),
        legend=legend,
    )


def visible(image: NDArray[Any]) -> NDArray[np.uint8]:
    """One image (H, W) or (H, W, 3) of any scale as bytes (H, W, 3), its 1st to 99th percentile spread over 0-255."""
    values = np.nan_to_num(image.astype(np.float32)).astype(np.float64)  # in which differences of the former fit
    low, high = np.percentile(values, (1, 99))
    stretched = np.clip((values - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    flat = stretched if stretched.ndim == 3 else np.repeat(stretched[..., None], 3, axis=2)
    return (flat * 255).round().astype(np.uint8)


def put(
    sheet: NDArray[np.uint8], grid: Grid, sample: int, column: int, cell: NDArray[np.uint8], *, smooth: bool
) -> None:
    """Paste a cell (H, W, 3) into the sheet at its place, resized; ``smooth`` is for photographs, not for labels.

    One of another shape than the grid's cells keeps its own within them.
    """
    from PIL import Image

    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    height, width = _fitted(grid, *cell.shape[:2])
    resized = Image.fromarray(np.ascontiguousarray(cell)).resize((width, height), how)
    left, top = grid.corner(sample, column)
    frame = sheet[top - 1 : top + height + 1, left - 1 : left + width + 1]
    frame[:] = rgb(FAINT)  # so that ignored pixels, which are white, do not run into the page
    sheet[top : top + height, left : left + width] = np.asarray(resized)


def _fitted(grid: Grid, height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture within a cell; a pixel less than the cell is rounding."""
    factor = min(grid.cell_height / height, grid.cell_width / width)
    wanted = round(height * factor), round(width * factor)
    rows, columns = (
        cell if cell - length <= 1 else max(1, length)
        for length, cell in zip(wanted, (grid.cell_height, grid.cell_width), strict=True)
    )
    return rows, columns


def compose(
    sheet: NDArray[np.uint8], grid: Grid, columns: tuple[str, ...], title: str, *, captions: Sequence[str]
) -> Figure:
    """The sheet as a figure with its title, the heading of each column and a caption below each sample's last cell."""
    figure = blank(grid.width, grid.height)
    figure.figimage(sheet, 0, 0, origin="upper")
    write(figure, grid, _MARGIN, _TITLE // 2, plain(title, grid.width // 9), size=13, weight="bold")
    for block in range(grid.blocks):
        for column, name in enumerate(columns):
            left, top = grid.corner(block * grid.rows, column)
            write(figure, grid, left, top - _HEADER // 2, name, size=10)
    for sample, caption in enumerate(captions):
        left, top = grid.corner(sample, len(columns) - 1)
        write(figure, grid, left, top + grid.cell_height + _CAPTION // 2 - 1, caption, size=8.5)
    return figure


def write(
    figure: Figure, grid: Grid, left: float, middle: float, text: str, *, size: float, weight: str = "normal"
) -> None:
    """Put text at a place given in pixels from the top left corner."""
    figure.text(
        left / grid.width,
        1 - middle / grid.height,
        text,
        fontsize=size,
        color=INK,
        ha="left",
        va="center_baseline",
        fontweight=weight,
    )


def class_legend(figure: Figure, grid: Grid, facts: DataFacts, shown: NDArray[np.uint8], *, line: int) -> None:
    """Name the classes' colours, ``line`` lines above the lower edge; of many classes only the most seen.

    shown: the labels in the picture, in any shape.
    """
    seen = np.bincount(shown.ravel(), minlength=256)[: facts.classes]
    widest = max(len(plain(name, 16)) for name in facts.class_names)
    room = min(_LEGEND_CLASSES, max(1, (grid.width - 2 * _MARGIN) // (34 + 8 * widest)))
    labels = range(facts.classes) if facts.classes <= room else sorted(np.argsort(-seen)[:room])
    colours = class_colours(facts)
    legend(figure, grid, line, [(colours[k], plain(facts.class_names[k], 16)) for k in labels])


def legend(figure: Figure, grid: Grid, line: int, entries: list[tuple[str, str]]) -> None:
    """One row of colour patches with names, ``line`` lines above the lower edge."""
    from matplotlib.patches import Patch

    figure.legend(
        handles=[Patch(facecolor=colour, edgecolor=FAINT, label=name) for colour, name in entries],
        loc="lower left",
        bbox_to_anchor=(_MARGIN / grid.width, (_MARGIN / 2 + line * _LEGEND_LINE) / grid.height),
        ncol=len(entries),
        frameon=False,
        fontsize=10,
        handlelength=1.2,
        handleheight=1.0,
        handletextpad=0.5,
        columnspacing=1.4,
        borderpad=0.0,
        borderaxespad=0.0,
    )


def _error(
    picture: NDArray[np.uint8],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    facts: DataFacts,
    ignore_label: int | None,
) -> tuple[NDArray[np.uint8], float]:
    """The picture paled with the wrong pixels marked (H, W, 3), and their share of the judged pixels."""
    cell = (255 - (255 - picture.mean(axis=2, keepdims=True)) * 0.4).repeat(3, axis=2).astype(np.uint8)
    judged = np.ones(truth.shape, dtype=bool) if ignore_label is None else truth != ignore_label
    wrong = judged & (truth != prediction)
    cell[wrong] = rgb(WRONG)
    cell[wrong & np.isin(truth, facts.excluded_labels)] = rgb(WRONG_NOT_COUNTED)
    cell[~judged] = rgb(IGNORED)
    return cell, float(wrong.sum() / max(1, judged.sum()))


def _error_legend(figure: Figure, grid: Grid, facts: DataFacts, ignore_label: int | None) -> None:
    """What the colours of the error column mean."""
    entries = [(WRONG, "error: wrong class")]
    if facts.excluded:
        names = plain(", ".join(facts.excluded), 30)
        entries.append((WRONG_NOT_COUNTED, f"wrong where the truth is {names} (strict mIoU only)"))
    if ignore_label is not None:
        entries.append((IGNORED, "ignored"))
    legend(figure, grid, 0, entries)
