"""Three searches side by side: the best of each, how it is told, drawn and written."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from search.reproduction import searches
from search.reproduction.plan import Budget, DatasetRef, Part, Setting
from search.reproduction.searches import COLUMNS, Searches
from search.reproduction.table import SEARCH_BEST
from spaces.facts import DataFacts

FACTS = DataFacts(channels=1, height=64, width=128, class_names=("background", "soil"), excluded=("background",))
SETTING = Setting(
    dataset=DatasetRef(data=Path("tiles.npz"), digest="0123456789abcdef", facts=FACTS),
    budget=Budget(epochs=8, seeds=1, tiles=None, width=1.0, folds=0),
    part=Part(train=tuple(range(500)), validation=tuple(range(119)), train_clean=500, validation_clean=119),
    rarest="big rock",
    grouped=True,
)


def tried(search: str, number: int, miou: float | None, **values: object) -> dict[str, object]:
    strict = None if miou is None else miou - 0.1
    scores = {"miou": miou, "miou_strict": strict, "parameters": 1000 + number, "seconds": 2.5}
    return {"search": search, "trial": number} | SEARCH_BEST | values | scores


def searched(targets: dict[str, int], *trials: dict[str, object]) -> Searches:
    table = pd.DataFrame(trials, columns=COLUMNS, dtype=object)
    return Searches(setting=SETTING, points=108, targets=targets, tried=table)


@pytest.fixture
def done() -> Searches:
    return searched(
        {"random": 3, "grid": 3, "tpe": 3},
        tried("random", 0, 0.4),
        tried("random", 1, 0.61, filters=8, depth=3),
        tried("random", 3, 0.61, filters=32),
        tried("grid", 0, 0.5, activation="elu"),
        tried("grid", 1, None),
        tried("report D", 0, 0.55),
    )


NOTHING = searched({"tpe": 3})


def rows_of(text: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "]
    return {row[0]: row[1:] for row in rows}


def test_the_best_of_each_search_stands_beside_report_ds(done: Searches) -> None:
    rows = rows_of(searches.as_markdown(done))
    assert rows["report D"] == ["16-32-64-128", "relu", "3", "4", "0.2", "55.0", "45.0", "1,000", "-", "-"]
    assert rows["random search"] == ["8-16-32", "relu", "3", "3", "0.2", "61.0", "51.0", "1,001", "2", "3"]
    assert rows["grid search"][1] == "elu"
    assert rows["Bayesian (TPE)"] == [*["-"] * 9, "0"]


def test_the_text_says_how_the_budget_was_spent(done: Searches) -> None:
    text = searches.as_markdown(done)
    assert "3 trials each" in text
    assert "The grid has 108 points" in text
    assert "Best lenient mIoU found: random search 61.0, grid search 50.0." in text
    assert "4 trials are not done yet; the same command continues." in text
    assert "No trial is finished." in searches.as_markdown(NOTHING)
    assert rows_of(searches.as_markdown(NOTHING))["report D"][5] == "-"


def test_the_csv_has_a_line_per_trial(done: Searches) -> None:
    rows = list(csv.DictReader(io.StringIO(searches.as_csv(done))))
    assert [row["search"] for row in rows] == ["random"] * 3 + ["grid"] * 2 + ["report D"]
    assert (rows[1]["filters"], rows[1]["depth"], float(rows[1]["miou"])) == ("8", "3", 61.0)
    assert (rows[4]["miou"], rows[4]["activation"]) == ("", "relu")
    assert float(rows[5]["miou_strict"]) == 45.0


@pytest.mark.parametrize("begun", [True, False])
def test_the_picture_shows_each_search_that_has_begun(done: Searches, tmp_path: Path, begun: bool) -> None:
    searches.draw(tmp_path / "D7.png", done if begun else NOTHING)
    picture = imread(tmp_path / "D7.png")
    assert picture.shape[:2] == (480, 900)
    grid = np.isclose(picture[90:, :, :3], np.array([0xE6, 0x9F, 0x00]) / 255, atol=0.02).all(axis=2)
    assert bool(grid.any()) == begun
