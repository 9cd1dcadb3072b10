"""The leaderboard: order, what is shown, and what a recipe is called."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from search.outcome.leaderboard import Row, rank, render, summarise
from search.training.metrics import Constant
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import Pix2Pix, UNet, WNet
from spaces.recipe.loss import CrossEntropy, Dice, Loss

STATES = ["complete", "pruned", "running", "waiting", "fail"]
ROWS = st.builds(
    Row,
    number=st.integers(0, 99),
    state=st.sampled_from(STATES),
    value=st.none() | st.floats(0, 1) | st.just(float("nan")),
    parameters=st.none() | st.integers(0, 10**8),
)


def printed(rows: list[Row], **options: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    render(rows, console, **options)
    return console.file.getvalue()


@given(st.lists(ROWS, max_size=12))
def test_ranking_orders_by_state_then_value_and_loses_nothing(rows):
    ranked = rank(rows)
    assert sorted(map(repr, ranked)) == sorted(map(repr, rows))
    keys = [(STATES.index(r.state), 9.0 if r.value is None or r.value != r.value else -r.value) for r in ranked]
    assert keys == sorted(keys)


def test_equal_values_go_to_the_smaller_network_then_the_earlier_trial():
    rows = [
        Row(number=3, state="complete", value=0.5, parameters=900),
        Row(number=2, state="complete", value=0.5, parameters=None),
        Row(number=1, state="complete", value=0.5, parameters=100),
        Row(number=0, state="complete", value=0.5, parameters=900),
    ]
    assert [row.number for row in rank(rows)] == [1, 0, 3, 2]


def test_a_row_shows_what_a_person_compares():
    row = Row(
        number=7,
        state="complete",
        value=0.61234,
        miou=0.61234,
        miou_strict=0.5,
        epochs=12,
        parameters=1_234_567,
        seconds=83.4,
        summary="unet d3 [bold]f16",
    )
    text = printed([row, Row(number=8, state="fail")], title="study [x]")
    assert "study [x]" in text
    line = next(line for line in text.splitlines() if "complete" in line)
    assert line.split() == [
        "7",
        "complete",
        "0.6123",
        "0.5000",
        "12",
        "1.2M",
        "1m",
        "23s",
        "unet",
        "d3",
        "[bold]f16",
    ]
    assert next(line for line in text.splitlines() if "fail" in line).split() == [
        "8",
        "fail",
        "-",
        "-",
        "0",
        "-",
        "-",
    ]


@pytest.mark.parametrize(
    ("parameters", "seconds", "shown"),
    [
        (999, 59.4, "999 59s"),
        (1_499, 3600, "1k 1h 00m"),
        (999_499, 59.6, "999k 1m 00s"),
        (999_500, 7322, "1.0M 2h 02m"),
    ],
)
def test_numbers_are_short(parameters, seconds, shown):
    text = printed([Row(number=0, state="complete", parameters=parameters, seconds=seconds)])
    assert shown in " ".join(text.split())


def test_more_rows_than_the_limit_are_counted():
    text = printed([Row(number=n, state="complete", value=n / 30) for n in range(25)], limit=20)
    assert "and 5 more" in text
    assert text.count("complete") == 20


def test_a_recipe_in_a_few_words():
    recipe = Recipe(
        model=UNet(depth=3, filters=16),
        loss=Loss(cross_entropy=CrossEntropy(), dice=Dice()),
        optimisation=Optimisation(optimizer="sgd", lr=0.02, batch_size=64),
    )
    assert summarise(recipe) == "unet d3 f16 batch plain, cross_entropy+dice, sgd 2.0e-02 b64"
    adversarial = recipe.model_copy(update={"model": Pix2Pix(generator=WNet(depth=2, filters=8, norm="group"))})
    assert summarise(adversarial).startswith("pix2pix wnet d2 f8 group plain, ")


SCORED = {"state": "complete", "value": 0.61, "miou": 0.6123, "epochs": 12, "parameters": 10**6, "seconds": 83}


def at_width(width: int, *rows: Row) -> str:
    console = Console(file=io.StringIO(), width=width)
    render(rows, console, constant=Constant(miou=0.2, miou_strict=rows[0].miou_strict - 0.4123))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 120])
@pytest.mark.parametrize("strict", [0.6123, 0.5])
def test_every_width_keeps_the_score_and_holds_the_table(width, strict):
    row = Row(number=7, miou_strict=strict, mean_dice=0.7, summary="unet d3 f16 batch plain, focal", **SCORED)
    text = at_width(width, row)
    assert max(map(len, text.splitlines())) <= width
    line = next(line for line in text.splitlines() if "complete" in line)
    assert line.split()[:3] == ["7", "complete", "0.6123"]
    assert "0.2000" in text
    assert ("strict" in text) == (strict != 0.6123)
    assert ("Dice" in text) == (width == 120)
    assert ("recipe" in text) == (width >= 80 or (width == 60 and strict == 0.6123))
