"""The reports' tables beside ours: their numbers, the ordering, the pooled folds, and every way they are written."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread
from scipy.stats import kendalltau

from search.reproduction.plan import Budget, DatasetRef, Part, Setting, Task
from search.reproduction.report import as_csv, as_markdown, draw_table, render, spelled
from search.reproduction.table import (
    CLASSES,
    TABLES,
    Agreement,
    Entry,
    Ours,
    PaperRow,
    PaperTable,
    Range,
    Reproduction,
    compare,
    pool,
    printed,
    range_of,
)
from search.reproduction.training import Result, read_result, result_path, write_result
from search.training.epoch import EpochRecord
from search.training.metrics import Scores, scores
from spaces import Recipe, load_preset
from spaces.facts import DataFacts
from support.examples import examples

FACTS = DataFacts(channels=1, height=64, width=128, class_names=CLASSES, excluded=("background",))


def diagonal(hits: int) -> Scores:
    """Each class is right in that many of 100 pixels; the rest goes to the next class."""
    cells = np.eye(5, dtype=np.int64) * hits + np.roll(np.eye(5, dtype=np.int64), 1, axis=1) * (100 - hits)
    return scores(cells.tolist(), FACTS)


def epoch(number: int, reached: Scores, **changes: object) -> EpochRecord:
    values: dict[str, object] = {
        "number": number,
        "train_loss": 1.5,
        "validation_loss": math.nan,
        "miou": reached.miou,
        "miou_strict": reached.miou_strict,
        "accuracy": reached.accuracy,
        "iou": (None, *reached.iou[1:]),
        "confusion": reached.confusion,
        "lr": 1e-3,
        "seconds": 20.5,
        "memory_mb": 100.0,
        "parameters": 1_941_393,
        "last": number == 3,
    }
    return EpochRecord(**(values | changes))  # type: ignore[arg-type]


PART = Part(train=tuple(range(500)), validation=tuple(range(500, 619)), train_clean=2000, validation_clean=501)
DATASET = DatasetRef(data=Path("data/tiles.npz"), digest="0123456789abcdef", facts=FACTS)
TASK = Task(name="c1-dice-seed0", preset="c1-dice", recipe=Recipe(), dataset=DATASET, part=PART)


def result(hits: int = 60, best: Scores | None = None, **changes: object) -> Result:
    """Three epochs, the second of which is the best one."""
    reached = (diagonal(hits - 20), best or diagonal(hits), best or diagonal(hits - 5))
    epochs = tuple(epoch(number, one) for number, one in enumerate(reached, start=1))
    values: dict[str, object] = {"task": TASK, "device": "cpu", "epochs": epochs}
    return Result(**(values | {"best_epoch": 2, "failure": ""} | changes))  # type: ignore[arg-type]


def setting(part: Part = PART, grouped: bool = True, **changes: object) -> Setting:
    values: dict[str, object] = {"epochs": 8, "seeds": 2, "tiles": 500, "width": 0.5, "folds": 2}
    budget = Budget(**(values | changes))  # type: ignore[arg-type]
    return Setting(dataset=DATASET, budget=budget, part=part, rarest="big rock", grouped=grouped)


ROW = PaperRow(title="Dice | loss", preset="c1-dice", track="losses", metric="miou_strict", miou=42.4, miou_spread=0.4)
PLAIN = PaperRow(title="Cross entropy", preset="c1-ce", track="losses", metric="miou_strict", miou=51.1)
ALONE = PaperRow(
    title="Alone",
    preset="a",
    track="alone",
    metric="miou",
    miou=64.39,
    accuracy=78.8,
    iou=(None, 71.38, 1.0, 2.0, 7.09),
)
TABLE = PaperTable(name="T9", caption="a table", rows=(ROW, PLAIN, ALONE), remarks=("A remark.",))


@pytest.fixture
def done() -> Reproduction:
    dice = Ours(row=ROW, results=(result(hits=60), result(hits=70)), pooled=None, failures=(), missing=0)
    plain = Ours(
        row=PLAIN, results=(), pooled=None, failures=("c1-ce-seed0: Diverged: the loss became nan",), missing=3
    )
    folds = pool([diagonal(50).confusion, diagonal(70).confusion], FACTS)
    alone = Ours(row=ALONE, results=(result(hits=80),), pooled=folds, failures=(), missing=0)
    return Reproduction(table=TABLE, setting=setting(), rows=(dice, plain, alone))


def table_rows(markdown: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without header and rule."""
    lines = markdown.split(f"## {heading}\n")[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = [line for line in lines[start:] if line.startswith("|") or not line]
    end = rows.index("") if "" in rows else len(rows)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:end]]


def test_every_row_of_the_reports_has_its_preset() -> None:
    presets = [row.preset for table in TABLES.values() for row in table.rows]
    assert len(presets) == len(set(presets)) == 8 + 6 + 4 + 1
    for preset in presets:
        load_preset(preset)


def test_rows_of_one_track_are_measured_alike() -> None:
    for table in TABLES.values():
        for track in table.tracks:
            assert len({row.metric for row in table.rows if row.track == track}) == 1


def test_the_numbers_are_those_that_the_texts_print() -> None:
    # The means that the texts state in sentences or that follow from their own printed classes.
    a4 = TABLES["A4"].rows[0]
    assert np.mean([iou for iou in a4.iou if iou is not None]) == pytest.approx(a4.miou, abs=0.01)
    b1 = {row.preset: row.miou for row in TABLES["B1"].rows}
    assert (b1["b1-baseline"], b1["b1-squeeze"], b1["b1-weighted"]) == (44.82, 61.7, 70.24)
    assert [row.miou for row in TABLES["C1"].rows] == [39.51, 42.98, 43.89, 62.09, 63.66, 64.39]
    e3 = {row.title: (row.miou, row.accuracy, row.iou[4]) for row in TABLES["E3"].rows}
    assert e3 == {
        "BCE": (51.2, 74.3, 17.39),
        "CCE": (51.1, 76.8, 12.26),
        "Dice": (42.4, 68.4, 3.26),
        "Focal": (49.3, 74.6, 9.08),
    }


def entry(title: str, paper: float, ours: float, spread: float = 0.0, bar: float = 0.0) -> Entry:
    return (title, Range(paper, paper - bar, paper + bar), Range(ours, ours - spread, ours + spread))


def sentence(found: Agreement) -> str:
    return render("agreement.md.j2", {"agreement": found}).splitlines()[0]


def count(found: Agreement, verdict: str) -> int:
    return sum(pair.verdict == verdict for pair in found.pairs)


def test_a_hand_made_ordering() -> None:
    entries = [entry("a", 40, 50, 1), entry("b", 45, 60, 1), entry("c", 50, 55, 1), entry("d", 60, 60.5, 1)]
    found = compare("losses", entries)
    verdicts = {(pair.first, pair.second): pair.verdict for pair in found.pairs}
    assert verdicts == {
        ("a", "b"): "agrees",
        ("a", "c"): "agrees",
        ("a", "d"): "agrees",
        ("b", "c"): "disagrees",
        ("b", "d"): "undecided",
        ("c", "d"): "agrees",
    }
    assert found.tau == pytest.approx((5 - 1) / 6)  # five of six pairs of means are in order
    assert sentence(found) == (
        "losses: 6 pairs of rows, 4 in the paper's order, 1 the other way round, 1 undecided;"
        " Kendall's tau of the means +0.67."
    )
    assert (found.pairs[0].paper, found.pairs[0].ours) == (5, 10)


def test_a_difference_within_the_papers_own_spread_is_undecided() -> None:
    pair = compare("e", [entry("bce", 51.2, 40, bar=1.1), entry("cce", 51.1, 50, bar=1.1)]).pairs[0]
    assert pair.verdict == "undecided"
    pair = compare("e", [entry("focal", 49.3, 40, bar=0.1), entry("bce", 51.2, 50, bar=1.1)]).pairs[0]
    assert pair.verdict == "agrees"


def test_equal_numbers_without_a_spread_are_undecided_and_give_no_tau() -> None:
    found = compare("same", [entry("a", 40, 50), entry("b", 45, 50)])
    assert found.pairs[0].verdict == "undecided"
    assert math.isnan(found.tau)
    assert "tau" not in sentence(found)


@pytest.mark.parametrize("entries", [[], [entry("a", 1, 2)]])
def test_fewer_than_two_rows_have_no_ordering(entries: list[Entry]) -> None:
    found = compare("losses", entries)
    assert sentence(found) == "losses: fewer than two rows are finished, there is no ordering to compare."


@settings(max_examples=examples(60), deadline=None)
@given(numbers=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0, 2)), min_size=2, max_size=7))
def test_verdicts_cover_every_pair_and_turn_with_the_table(numbers: list[tuple[int, int, float]]) -> None:
    entries = [entry(str(number), paper, ours, spread) for number, (paper, ours, spread) in enumerate(numbers)]
    found, backwards = compare("t", entries), compare("t", entries[::-1])
    assert sum(count(found, verdict) for verdict in ("agrees", "disagrees", "undecided")) == len(found.pairs)
    assert len(found.pairs) == len(entries) * (len(entries) - 1) // 2
    turned = {(pair.second, pair.first): pair.verdict for pair in backwards.pairs}
    assert turned == {(pair.first, pair.second): pair.verdict for pair in found.pairs}
    assert backwards.tau == pytest.approx(found.tau, nan_ok=True)


def test_range_of_values() -> None:
    assert range_of([3.0, math.nan, 1.0]) == Range(mean=2.0, low=1.0, high=3.0)
    assert range_of([0.1] * 3) == Range(mean=0.1, low=0.1, high=0.1)  # no spread out of rounding
    assert all(map(math.isnan, (*range_of([math.nan]), *range_of([]), *printed(None))))


def test_folds_are_pooled_before_any_iou_is_taken() -> None:
    one, other = diagonal(50), diagonal(90)
    pooled = pool([one.confusion, other.confusion, one.confusion], FACTS)
    together = scores((2 * np.array(one.confusion) + np.array(other.confusion)).tolist(), FACTS)
    assert pooled == dataclasses.replace(together, iou=pooled.iou)
    assert np.array_equal(pooled.iou, together.iou, equal_nan=True)
    assert pooled.miou != pytest.approx(np.mean([one.miou, other.miou, one.miou]), abs=1e-3)


def test_scores_stand_beside_the_papers(done: Reproduction) -> None:
    text = as_markdown(done)
    dice, plain, alone = table_rows(text, "Scores")
    low, high = 100 * diagonal(60).miou_strict, 100 * diagonal(70).miou_strict
    compared = f"**{(low + high) / 2:.1f} ({low:.1f} to {high:.1f})**"
    assert dice[:3] == ["Dice / loss", "42.4 ± 0.4", "strict"]
    assert (dice[4], dice[7], dice[8]) == (compared, "1,941,393", "62")
    assert "**" not in dice[3]
    assert plain == ["Cross entropy", "51.10", "strict", *["-"] * 6]
    assert alone[:6] == [
        "Alone",
        "64.39",
        "lenient",
        f"**{100 * diagonal(80).miou:.1f}**",
        f"{100 * diagonal(80).miou_strict:.1f}",
        "78.80",
    ]


def test_iou_per_class_names_what_the_paper_prints(done: Reproduction) -> None:
    alone = table_rows(as_markdown(done), "IoU per class")[2]
    ours = [100 * iou for iou in diagonal(80).iou[1:]]
    wanted = [f"{mine:.1f} [{paper:.2f}]" for mine, paper in zip(ours, (71.38, 1.0, 2.0, 7.09), strict=True)]
    assert alone == ["Alone", *wanted]


def test_the_markdown_says_what_a_reader_must_know(done: Reproduction) -> None:
    text = as_markdown(done)
    assert "500 of 2,000 and 119 of 501 clean tiles, drawn with a fixed seed" in text
    assert "with their share of tiles that show big rock" in text
    assert "8 epochs for every row without early stop, seeds 0 to 1" in text
    assert "in brackets the lowest and the highest" in text
    assert "Width: 0.5 of every preset's filters" in text
    assert "best lenient mIoU on validation counts" in text
    assert "Their data is not ours" in text
    assert "- A remark." in text
    assert "- c1-ce-seed0: Diverged: the loss became nan" in text
    assert "3 trainings are not done yet; the same command continues" in text
    assert "losses: fewer than two rows are finished" in text
    assert "alone" not in text.split("## Does the ordering agree?")[1]  # one row has no ordering
    pooled = table_rows(text, "Pooled over the folds")
    assert [row[0] for row in pooled] == ["Alone"]
    assert pooled[0][2].startswith("- / ")  # the background has no lenient IoU


def test_one_seed_of_all_tiles_is_said_as_such(done: Reproduction) -> None:
    whole = dataclasses.replace(PART, train_clean=len(PART.train))
    plain = setting(part=whole, seeds=1, tiles=None, folds=0, width=1.0, grouped=False)
    text = as_markdown(dataclasses.replace(done, setting=plain))
    assert "With one seed no spread is known" in text
    assert "With one seed every difference of ours counts as one" in text
    assert "the data has no sites" in text
    assert not any(word in text for word in ("Subset", "Width", "Pooled", "lowest"))


def test_the_ordering_is_by_the_metric_of_the_paper(done: Reproduction) -> None:
    first = Ours(row=ROW, results=(result(hits=60),), pooled=None, failures=(), missing=0)
    other = Ours(row=PLAIN, results=(result(hits=80),), pooled=None, failures=(), missing=0)
    (found,) = dataclasses.replace(done, rows=(first, other, done.rows[2])).agreements
    assert found.track == "losses"
    assert found.pairs[0].paper == pytest.approx(51.1 - 42.4)
    assert found.pairs[0].ours == pytest.approx(100 * (diagonal(80).miou_strict - diagonal(60).miou_strict))
    assert found.pairs[0].verdict == "agrees"


def test_the_csv_holds_every_number(done: Reproduction) -> None:
    dice, plain, alone = csv.DictReader(io.StringIO(as_csv(done)))
    assert dice["row"] == "Dice | loss"
    assert float(dice["miou_strict low"]) == pytest.approx(100 * diagonal(60).miou_strict, abs=1e-4)
    assert float(dice["miou_strict high"]) == pytest.approx(100 * diagonal(70).miou_strict, abs=1e-4)
    assert float(alone["iou big rock mean"]) == pytest.approx(100 * diagonal(80).iou[4], abs=1e-4)
    assert float(alone["iou_strict background mean"]) == pytest.approx(100 * diagonal(80).iou_strict[0], abs=1e-4)
    assert (float(alone["paper_miou"]), float(alone["paper_iou soil"])) == (64.39, 71.38)
    assert done.rows[2].pooled is not None
    assert float(alone["pooled miou"]) == pytest.approx(100 * done.rows[2].pooled.miou, abs=1e-4)
    assert (plain["miou mean"], plain["failures"], plain["missing"]) == ("", "1", "3")
    assert "iou background mean" not in dice


def test_other_classes_are_shown_without_the_papers(done: Reproduction) -> None:
    facts = DataFacts(channels=1, height=8, width=8, class_names=("ground", "rock"), excluded=())
    two = scores([[3, 1], [2, 4]], facts)
    ours = dataclasses.replace(DATASET, facts=facts)
    row = Ours(
        row=ALONE,
        results=(result(best=two, task=dataclasses.replace(TASK, dataset=ours)),),
        pooled=None,
        failures=(),
        missing=0,
    )
    other = dataclasses.replace(done, rows=(row,), setting=dataclasses.replace(setting(folds=0), dataset=ours))
    assert table_rows(as_markdown(other), "IoU per class") == [["Alone", "50.0", "57.1"]]
    assert next(csv.DictReader(io.StringIO(as_csv(other))))["paper_iou rock"] == ""


@pytest.mark.parametrize("finished", [True, False])
def test_the_picture_shows_all_rows(done: Reproduction, tmp_path: Path, finished: bool) -> None:
    if not finished:
        nothing = tuple(dataclasses.replace(ours, results=(), pooled=None) for ours in done.rows)
        done = dataclasses.replace(done, rows=nothing)
    draw_table(tmp_path / "T9.png", done)
    picture = imread(tmp_path / "T9.png")
    assert picture.shape[1] == 1320
    lenient = np.isclose(picture[..., :3], np.array([0x00, 0x72, 0xB2]) / 255, atol=0.02).all(axis=2)
    rows_with_blue = np.flatnonzero(lenient[130:, : picture.shape[1] // 2].any(axis=1))
    assert (len(rows_with_blue) > 0) == finished  # below the legend


def test_numbers_are_spelled_with_their_range() -> None:
    assert spelled(range_of([])) == "-"
    assert spelled(Range(mean=51.25, low=51.25, high=51.25)) == "51.2"
    assert spelled(Range(mean=51.2, low=50.1, high=52.3)) == "51.2 (50.1 to 52.3)"


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    written = result()
    path = write_result(tmp_path, written)
    assert path == result_path(tmp_path, TASK) == tmp_path / f"c1-dice-seed0-{TASK.digest[:8]}.json"
    read = read_result(tmp_path, TASK)
    assert read is not None
    assert repr(read) == repr(written)  # NaN is not equal to itself
    document = json.loads(path.read_text())
    assert document["best"]["miou"] == pytest.approx(diagonal(60).miou)
    assert document["last"]["miou_strict"] == pytest.approx(diagonal(55).miou_strict)
    assert document["best"]["iou"][0] is None
    assert document["curve"][0]["validation_loss"] is None


def test_a_failure_comes_back_as_it_was(tmp_path: Path) -> None:
    written = result(best_epoch=0, failure="Diverged: the loss became nan in epoch 4")
    write_result(tmp_path, written)
    read = read_result(tmp_path, TASK)
    assert read is not None
    assert (read.best, read.as_dict()["last"], read.failure, read.final) == (None, None, written.failure, True)
    assert not result(best_epoch=0, failure="out of memory: 80 GB").final


def test_only_a_whole_result_of_the_same_digest_counts(tmp_path: Path) -> None:
    path = write_result(tmp_path, result())
    whole = path.read_text()
    assert read_result(tmp_path, TASK) is not None
    assert read_result(tmp_path, dataclasses.replace(TASK, name="c1-dice-seed1")) is None
    near = whole.replace(TASK.digest, TASK.digest[:-1] + "x")  # the same file name
    for broken in (near, "", "{}", whole[:-40], "[1]"):
        path.write_text(broken)
        assert read_result(tmp_path, TASK) is None


def test_tau_is_scipys_on_the_reports_own_tables() -> None:
    rows = [row for row in TABLES["B1"].rows if row.track == "single U-Net"]
    ours = [50.0, 49.0, 52.0, 51.0, 60.0]
    entries = [entry(row.title, row.miou or 0.0, value) for row, value in zip(rows, ours, strict=True)]
    found = compare("single U-Net", entries)
    assert found.tau == pytest.approx(float(kendalltau([row.miou for row in rows], ours).statistic))
    assert (count(found, "agrees"), count(found, "disagrees")) == (8, 2)
