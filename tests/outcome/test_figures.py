"""The pictures: right size, right colours in the right place, the same bytes again."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from search.outcome.leaderboard import Row
from search.outcome.pictures.canvas import blank, save
from search.outcome.pictures.colours import WRONG, WRONG_NOT_COUNTED, class_colours, paint, rgb
from search.outcome.pictures.figures import (
    draw_class_shares,
    draw_confusion,
    draw_curves,
    draw_outliers,
    draw_panel,
    draw_samples,
    draw_trial,
    write_confusion_csv,
    write_iou_csv,
)
from search.outcome.pictures.history import COMPLETE, PRUNED, draw_history
from search.outcome.pictures.panel import lay_out, visible
from search.training.epoch import EpochRecord
from search.training.metrics import Scores, scores
from spaces.facts import DataFacts


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def sample_set(facts: DataFacts, count: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    shape = (count, facts.height, facts.width)
    blocks = rng.integers(0, facts.classes, (count, facts.height // 8, facts.width // 8))
    truth = np.kron(blocks, np.ones((1, 8, 8))).astype(np.uint8)
    prediction = np.where(rng.random(shape) < 0.1, rng.integers(0, facts.classes, shape), truth).astype(np.uint8)
    colour = () if facts.channels == 1 else (3,)
    images = (truth.reshape(*shape, *(1 for _ in colour)) * 40 + rng.integers(0, 30, (*shape, *colour))).astype(
        np.uint8
    )
    return images, truth, prediction


def scored(truth: np.ndarray, prediction: np.ndarray, facts: DataFacts) -> Scores:
    cells = truth.astype(np.int64) * facts.classes + prediction
    size = facts.classes**2
    return scores(np.bincount(cells.ravel(), minlength=size).reshape(facts.classes, -1), facts)


@pytest.mark.parametrize(
    ("channels", "height", "width", "size"),
    [(1, 64, 128, (1074, 1004)), (3, 256, 256, (1696, 782)), (1, 20, 16, (1376, 782)), (1, 800, 400, (896, 782))],
)
def test_a_trial_has_its_four_files_and_none_is_blank(tmp_path, points, channels, height, width, size):
    facts = DataFacts(channels=channels, height=height, width=width, class_names=("soil", "$dune_{x", "rock"))
    images, truth, prediction = sample_set(
        DataFacts(channels=channels, height=1024, width=512, class_names=("a", "b", "c")), 6
    )
    images, truth, prediction = (array[:, :height, :width] for array in (images, truth, prediction))
    drawn = draw_trial(
        tmp_path / "new",
        title="study $x_{, trial 7, mIoU 0.5000",
        images=images,
        truth=truth,
        prediction=prediction,
        facts=facts,
        ignore_label=None,
        epochs=points,
        scores=scored(truth, prediction, facts),
        kept=1,
    )
    assert [path.name for path in drawn] == ["00_panel.png", "10_curves.png", "20_confusion.png", "30_iou.csv"]
    assert sorted((tmp_path / "new").iterdir()) == sorted(drawn)
    pictures = [pixels(path) for path in drawn[:3]]
    assert [(p.shape[1], p.shape[0]) for p in pictures] == [size, (1080, 400), (666, 606)]
    for picture in pictures:
        assert picture.std() > 15


def test_the_panel_shows_labels_and_errors_in_their_colours(tmp_path, mars):
    truth = np.full((1, 64, 128), 3, dtype=np.uint8)
    truth[0, :8] = 0
    truth[0, :, 120:] = 255
    prediction = np.full_like(truth, 3)
    prediction[0, 40:48, 16:24] = 4
    images = np.random.default_rng(0).integers(0, 255, truth.shape).astype(np.uint8)
    path = tmp_path / "panel.png"
    draw_panel(path, images=images, truth=truth, prediction=prediction, facts=mars, ignore_label=255, title="one")
    picture = pixels(path)
    grid = lay_out(1, 4, 64, 128, legend=2)

    def at(column: int, row: int, place: int) -> list[int]:
        left, top = grid.corner(0, column)
        return picture[top + 2 * row, left + 2 * place].tolist()

    background, _, _, sand, rock = (rgb(colour).tolist() for colour in class_colours(mars))
    assert at(1, 4, 4) == background
    assert at(1, 30, 60) == sand
    assert at(1, 30, 124) == [255, 255, 255]  # ignored
    assert at(2, 44, 20) == rock
    assert at(3, 44, 20) == rgb(WRONG).tolist()
    assert at(3, 4, 4) == rgb(WRONG_NOT_COUNTED).tolist()
    assert at(3, 30, 124) == [255, 255, 255]
    grey = at(3, 30, 60)  # right: the paled image
    assert grey[0] == grey[1] == grey[2] >= 150


def test_only_the_first_six_images_are_drawn(tmp_path, mars):
    images, truth, prediction = sample_set(mars, 9)
    given = {"facts": mars, "ignore_label": None, "title": "t"}
    draw_panel(tmp_path / "9.png", images=images, truth=truth, prediction=prediction, **given)
    draw_panel(tmp_path / "6.png", images=images[:6], truth=truth[:6], prediction=prediction[:6], **given)
    assert (tmp_path / "9.png").read_bytes() == (tmp_path / "6.png").read_bytes()


def test_threads_draw_the_same_bytes_as_one_alone(tmp_path, mars, points):
    images, truth, prediction = sample_set(mars)

    def draw(name: str) -> list[bytes]:
        drawn = draw_trial(
            tmp_path / name,
            title="t",
            images=images,
            truth=truth,
            prediction=prediction,
            facts=mars,
            ignore_label=None,
            epochs=points,
            scores=scored(truth, prediction, mars),
            kept=1,
        )
        return [path.read_bytes() for path in drawn]

    alone = draw("alone")
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(draw, ("a", "b", "c"))) == [alone] * 3


@pytest.mark.parametrize("count", [0, 1, 2, 400])
def test_curves_are_drawn_for_any_number_of_epochs_and_with_gaps(tmp_path, count):
    points = [
        EpochRecord(
            number=n,
            train_loss=1.0 / n,
            validation_loss=math.inf,
            miou=math.nan,
            miou_strict=0.3,
            lr=0.1**n,
            seconds=1.0,
            memory_mb=1.0,
        )
        for n in range(1, count + 1)
    ]
    drawn = []
    for kept in (0, count):
        draw_curves(tmp_path / "curves.png", points, title="t", kept=kept)
        drawn.append(pixels(tmp_path / "curves.png"))
        assert drawn[-1].shape == (400, 1080, 3)
    assert (drawn[0] != drawn[1]).any() == (count > 0)  # the epoch that is kept is marked


@pytest.mark.parametrize(("classes", "side"), [(2, 514), (12, 1400), (13, 1000), (255, 1000)])
def test_the_confusion_matrix_is_drawn_for_any_number_of_classes(tmp_path, classes, side):
    facts = DataFacts(channels=1, height=8, width=8, class_names=tuple(f"岩 {k}" for k in range(classes)))
    confusion = np.diag(np.arange(classes)) * 1_000_000
    draw_confusion(tmp_path / "c.png", confusion, facts, title="t")
    picture = pixels(tmp_path / "c.png")
    assert picture.shape == (side, side + 60, 3)
    # The last class, always right, is the darkest blue; class 0, without pixels, is grey.
    right, left, top, bottom = side - 25, 201, 61, side - 155
    assert picture[bottom, right].tolist() == [8, 48, 107]
    assert picture[top, left].tolist() == [238, 238, 238]


def test_the_iou_table_is_exact(tmp_path):
    facts = DataFacts(
        channels=1, height=8, width=8, class_names=("ground", 'big, "old" rock', "snow"), excluded=("ground",)
    )
    confusion = np.array([[4, 2, 0], [1, 3, 0], [0, 0, 0]])
    write_iou_csv(tmp_path / "iou.csv", scores(confusion, facts), facts)
    assert (tmp_path / "iou.csv").read_bytes().decode() == (
        "class,iou,iou_strict,dice,dice_strict,truth_pixels,predicted_pixels\n"
        "ground,,0.571429,,0.727273,6,5\n"
        '"big, ""old"" rock",0.750000,0.500000,0.857143,0.666667,4,5\n'
        "snow,,,,,0,0\n"
        "(mean),0.750000,0.500000,0.857143,0.666667,,\n"
    )


def test_class_shares_are_bars_in_class_colours(tmp_path, mars):
    draw_class_shares(tmp_path / "s.png", (0.24, 0.34, 0.23, 0.18, 0.0013), mars, title="t")
    picture = pixels(tmp_path / "s.png")
    assert picture.shape == (280, 900, 3)
    lengths = [int((picture == rgb(colour)).all(axis=2).sum(axis=1).max()) for colour in class_colours(mars)]
    assert lengths[0] / lengths[1] == pytest.approx(0.24 / 0.34, abs=0.01)
    assert lengths[3] / lengths[1] == pytest.approx(0.18 / 0.34, abs=0.01)


@pytest.mark.parametrize(("found", "size"), [(0, (900, 260)), (1, (640, 250)), (3, (1096, 396)), (40, (1096, 980))])
def test_outliers_are_drawn_up_to_twelve(tmp_path, mars, found, size):
    images, masks, _ = sample_set(mars, 50)
    mark = np.zeros(50, dtype=bool)
    mark[:found] = True
    draw_outliers(tmp_path / "o.png", images=images, masks=masks, found=mark, facts=mars, ignore_label=None, title="t")
    height, width, _ = pixels(tmp_path / "o.png").shape
    assert (width, height) == size


@given(st.integers(2, 60), st.integers(0, 3))
def test_every_class_has_a_colour_of_its_own(classes, excluded):
    names = tuple(f"class {k}" for k in range(classes))
    facts = DataFacts(channels=1, height=8, width=8, class_names=names, excluded=names[: min(excluded, classes - 1, 2)])
    colours = class_colours(facts)
    assert len(set(colours)) == classes
    assert WRONG not in colours
    assert WRONG_NOT_COUNTED not in colours


def test_a_class_keeps_its_colour_whatever_is_drawn(mars):
    painted = paint(np.array([[1, 4, 250]], dtype=np.uint8), mars, None)
    assert painted.tolist() == [[rgb("#E69F00").tolist(), rgb("#CC79A7").tolist(), [255, 255, 255]]]


@given(
    st.sampled_from([np.uint8, np.uint16, np.float32]).flatmap(
        lambda kind: arrays.arrays(kind, st.sampled_from([(8, 9), (8, 9, 3)]))
    )
)
def test_any_image_becomes_bytes_in_three_channels(image):
    with np.errstate(all="raise", under="ignore"):
        assert visible(image).shape == (8, 9, 3)
        assert visible(image).dtype == np.uint8


def test_the_widest_range_of_an_image_overflows_nothing():
    image = np.full((8, 9), np.finfo(np.float32).min)
    image[-1, -1] = np.finfo(np.float32).max
    with np.errstate(all="raise", under="ignore"):
        assert visible(image).max() == 255


def test_an_image_uses_the_whole_range_whatever_its_scale():
    ramp = np.linspace(0, 1, 6400).reshape(80, 80)
    for scale in (1e-3, 1.0, 60_000.0):
        shown = visible((ramp * scale).astype(np.float32))
        assert (shown.min(), shown.max()) == (0, 255)


def test_a_picture_that_fails_leaves_the_old_one_and_nothing_beside(tmp_path, points, monkeypatch):
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(OSError, match="No space left"):
        draw_curves(path, points, title="t", kept=1)
    assert [p.name for p in tmp_path.iterdir()] == ["curves.png"]
    assert path.read_bytes() == b"old"


def test_the_light_modules_load_neither_torch_nor_matplotlib():
    code = (
        "import sys, search.outcome.pictures.figures, search.outcome.leaderboard, search.outcome.submission\n"
        "import search.errors\n"
        "print([name for name in ('torch', 'matplotlib', 'rich', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_long_title_ends_within_the_picture(tmp_path: Path) -> None:
    figure = blank(300, 100)
    title = figure.suptitle("trial 1, mIoU 0.9474 (strict 0.9474), best constant answer 0.2600", x=0.02, ha="left")
    save(figure, tmp_path / "title.png")
    assert title.get_window_extent().x1 <= 300


def test_the_tables_name_their_columns_and_hold_iou_and_dice(tmp_path):
    facts = DataFacts(channels=1, height=8, width=8, class_names=("=soil", "rock", "sky"), excluded=("sky",))
    confusion = ((6, 2, 0), (0, 8, 0), (4, 0, 0))
    result = scores(confusion, facts)
    write_iou_csv(tmp_path / "iou.csv", result, facts)
    with (tmp_path / "iou.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["class", "iou", "iou_strict", "dice", "dice_strict", "truth_pixels", "predicted_pixels"]
    assert rows[0] | {"predicted_pixels": ""} == {
        "class": "'=soil",
        "iou": f"{6 / 8:.6f}",
        "iou_strict": f"{6 / 12:.6f}",
        "dice": f"{12 / 14:.6f}",
        "dice_strict": f"{12 / 18:.6f}",
        "truth_pixels": "8",
        "predicted_pixels": "",
    }
    assert rows[-1]["class"] == "(mean)"
    assert float(rows[-1]["dice"]) == pytest.approx((12 / 14 + 16 / 18) / 2, abs=1e-6)
    write_confusion_csv(tmp_path / "confusion.csv", confusion, facts)
    assert (tmp_path / "confusion.csv").read_text().splitlines() == [
        "truth \\ prediction,'=soil,rock,sky",
        "'=soil,6,2,0",
        "rock,0,8,0",
        "sky,4,0,0",
    ]


def test_ordinary_samples_are_drawn_with_their_masks_over_them(tmp_path, mars):
    images = np.full((30, 64, 128), 100, dtype=np.uint8)
    images[:, :, 64:] = 200
    masks = np.full_like(images, 3)
    masks[:, :32] = 255
    draw_samples(tmp_path / "s.png", images=images, masks=masks, facts=mars, ignore_label=255, title="t")
    picture, grid = pixels(tmp_path / "s.png"), lay_out(12, 3, 64, 128, legend=1, blocks=2)
    assert picture.shape[:2] == (grid.height, grid.width)
    left, top = grid.corner(11, 2)
    sand = rgb(class_colours(mars)[3]).astype(int)
    assert picture[top + 120, left + 20].tolist() == (sand // 2).tolist()  # half of the black below it
    assert picture[top + 10, left + 20].tolist() == [0, 0, 0]  # void: as the image, whose darkest it is


def test_the_history_shows_each_trial_and_the_best_until_then(tmp_path: Path) -> None:
    values = [("complete", 0.3), ("pruned", 0.1), ("complete", 0.6), ("fail", None), ("complete", math.nan)]
    rows = [Row(number=number, state=state, value=value) for number, (state, value) in enumerate(values)]

    def has(colour: str, shown: list[Row]) -> bool:
        draw_history(tmp_path / "history.png", shown, title="study $mars", constant=0.2)
        return bool((pixels(tmp_path / "history.png") == rgb(colour)).all(axis=-1).any())

    assert (has(COMPLETE, rows), has(PRUNED, rows)) == (True, True)
    assert (has(COMPLETE, rows[1:2]), has(PRUNED, rows[1:2])) == (False, True)
    assert (has(COMPLETE, []), has(PRUNED, rows[3:])) == (False, False)
