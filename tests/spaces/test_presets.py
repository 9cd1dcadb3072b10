"""Presets say what the reports say, and a row of a table differs from its neighbour in what the row names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import FINALS, DataFacts, Recipe, SpaceError, bind, load_preset, preset_names
from spaces.modules.networks.unet import Trunk
from spaces.nnunet import batch_size, halvings, numbers_per_image, plan, supervision
from spaces.recipe.architecture import UNet
from spaces.recipe.loss import CrossEntropy, Dice, Focal, Level, Term
from support.examples import examples

TABLES = {
    "b1": ("baseline", "expanded", "augmentation", "dice-focal", "squeeze", "fine-coarse", "normalisation", "weighted"),
    "c1": ("focal", "dice", "ce", "ignore-sgd", "background", "ignore-adamw"),
    "e3": ("bce", "cce", "dice", "focal"),
}
LOSSES = {"loss.cross_entropy", "loss.bce", "loss.dice", "loss.focal"}
DIFFERENCES = {
    ("b1-expanded", "b1-baseline"): {"model.bottleneck"},
    ("b1-augmentation", "b1-expanded"): {"augment.flip_horizontal", "augment.flip_vertical"},
    ("b1-dice-focal", "b1-augmentation"): {
        "loss.cross_entropy",
        "loss.dice",
        "loss.focal",
        "class_weights.scheme",
        "class_weights.smoothing",
        "class_weights.background",
        "class_weights.regions",
    },
    ("b1-squeeze", "b1-dice-focal"): {"model.squeeze"},
    # The rows of the dual U-Net each change one thing of the same network, which is no row itself.
    ("b1-normalisation", "b1-fine-coarse"): {"model.branches", "model.norm", "model.second_norm"},
    ("b1-weighted", "b1-normalisation"): {
        "model.norm",
        "model.second_norm",
        "class_weights.scheme",
        "class_weights.smoothing",
        "class_weights.background",
        "class_weights.regions",
    },
    ("b1-weighted", "report-b-dual-unet"): set(),
    ("c1-dice", "c1-focal"): {"loss.dice", "loss.focal"},
    ("c1-ce", "c1-dice"): {"loss.cross_entropy", "loss.dice"},
    ("c1-ignore-adamw", "c1-ce"): {"loss.ignore_excluded"},
    # The row names the optimiser, and an optimiser comes with its rate and decay.
    ("c1-ignore-sgd", "c1-ignore-adamw"): {"optimisation.optimizer", "optimisation.lr", "optimisation.weight_decay"},
    ("c1-background", "c1-ignore-adamw"): {"background"},
    ("c1-ignore-adamw", "report-c-unet"): set(),
    ("e3-cce", "e3-bce"): {"loss.cross_entropy", "loss.bce"},
    ("e3-dice", "e3-bce"): {"loss.dice", "loss.bce", "class_weights.regions"},
    ("e3-focal", "e3-bce"): {"loss.focal", "loss.bce"},
}


def flat(recipe: Recipe) -> dict[str, Any]:
    """Every field of every section by its dotted name; an optional part as a whole."""
    sections = {name: getattr(recipe, name) for name in type(recipe).model_fields}
    found = {"background": sections.pop("background"), "seed": sections.pop("seed")}
    return found | {f"{name}.{field}": getattr(part, field) for name, part in sections.items() for field in dict(part)}


def differences(one: Recipe, other: Recipe) -> set[str]:
    a, b = flat(one), flat(other)
    return {path for path in a | b if a.get(path) != b.get(path)}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_a_point_of_the_whole_space(mars: DataFacts, name: str) -> None:
    recipe = load_preset(name, mars, samples=2000)
    space = bind(mars)
    assert space.recipe(space.params(recipe)) == recipe


def test_every_row_of_the_tables_and_every_final_is_there() -> None:
    rows = {f"{table}-{row}" for table, names in TABLES.items() for row in names}
    assert rows | set(FINALS) | {"a-table-1"} <= set(preset_names())
    assert len(rows) == 18


@pytest.mark.parametrize(("row", "neighbour"), DIFFERENCES)
def test_a_row_differs_from_its_neighbour_in_what_it_names(row: str, neighbour: str) -> None:
    assert differences(load_preset(row), load_preset(neighbour)) == DIFFERENCES[row, neighbour]


@pytest.mark.parametrize(("branches", "row"), [("fine_coarse", "b1-fine-coarse"), ("equal", "b1-normalisation")])
def test_the_rows_of_the_dual_network_have_no_class_weights(branches: str, row: str) -> None:
    recipe = load_preset(row)
    assert recipe.class_weights.scheme == "none"
    assert recipe.model.branches == branches  # type: ignore[union-attr]


def test_report_a_has_both_its_tables_of_losses() -> None:
    first, final = load_preset("a-table-1"), load_preset("report-a-wnet")
    assert final.loss.low == Level(
        cross_entropy=None, focal=Focal(weight=0.4), boundary=Term(weight=0.6), level_weight=0.1
    )
    assert final.loss.inter == Level(
        cross_entropy=None,
        focal=Focal(weight=0.3),
        dice=Dice(weight=0.5),
        boundary=Term(weight=0.2),
        level_weight=0.5,
    )
    high = (final.loss.focal, final.loss.dice, final.loss.boundary, final.loss.cross_entropy, final.loss.level_weight)
    assert high == (Focal(weight=0.2), Dice(weight=0.5), Term(weight=0.3), None, 0.4)
    assert first.loss.low == Level(cross_entropy=CrossEntropy(weight=0.3), focal=Focal(weight=0.7))
    assert first.loss.inter == Level(cross_entropy=CrossEntropy(weight=0.8), dice=Dice(weight=0.2))
    assert (first.loss.focal, first.loss.dice) == (Focal(weight=0.7), Dice(weight=0.3))
    assert first.loss.cross_entropy is None
    assert differences(first, final) <= {
        path for path in flat(final) if path.split(".")[0] in ("loss", "class_weights")
    }


@pytest.mark.parametrize(
    ("name", "stated"),
    {
        "report-a-wnet": {
            "model.family": "wnet",
            "model.depth": 3,
            "model.block": "plain",
            "model.bottleneck": "inception",
            "model.second_bottleneck": "pointwise",
            "model.second_decoder_block": "residual_first",
            "data.cleaning": "mahalanobis",
        },
        "report-b-dual-unet": {
            "model.family": "dual_unet",
            "model.depth": 2,
            "model.block": "residual",
            "model.norm": "batch",
            "model.activation": "relu",
            "model.squeeze": "bottleneck",
            "model.dropout_place": "bottleneck",
            "model.branches": "equal",
            "class_weights.scheme": "inverse_frequency",
            "class_weights.smoothing": 1.0,
            "augment.flip_horizontal": True,
            "augment.flip_vertical": True,
            "optimisation.optimizer": "adam",
            "optimisation.lr": 1e-3,
            "optimisation.batch_size": 64,
            "optimisation.schedule": "plateau",
            "optimisation.patience": 30,
        },
        "report-c-unet": {
            "model.depth": 4,
            "model.filters": 32,
            "model.norm": "batch",
            "model.upsampling": "transposed",
            "loss.ignore_excluded": True,
            "augment.flip_horizontal": True,
            "augment.flip_vertical": False,
            "optimisation.optimizer": "adamw",
            "optimisation.patience": 30,
        },
        "report-d-unet": {
            "model.depth": 4,
            "model.filters": 16,
            "model.kernel": 3,
            "model.activation": "relu",
            "model.dropout": 0.2,
            "augment.flip_horizontal": True,
            "augment.flip_vertical": True,
        },
        "report-d-pix2pix": {
            "model.pixel_weight": 100.0,
            "optimisation.epochs": 200,
            "optimisation.lr": 2e-4,
            "optimisation.momentum": 0.5,  # beta1, as in the paper
        },
        "report-e-unet3plus": {
            "model.family": "unet3plus",
            "model.block": "residual",
            "model.full_scale_upsampling": "transposed",
            "class_weights.factors": {
                "background": 0.0,
                "soil": 0.025,
                "bedrock": 0.035,
                "sand": 0.04,
                "big rock": 0.88,
            },
            "optimisation.optimizer": "adam",
            "optimisation.schedule": "cosine",
        },
    }.items(),
)
def test_a_final_has_what_its_report_states(name: str, stated: dict[str, Any]) -> None:
    assert {path: flat(load_preset(name))[path] for path in stated} == stated


def test_the_generator_of_report_d_is_its_unet() -> None:
    adversarial = load_preset("report-d-pix2pix")
    assert adversarial.model.network == load_preset("report-d-unet").model


def test_report_e_quadruples_images_of_rocks_late_in_training() -> None:
    oversample = load_preset("report-e-unet3plus").data.oversample
    assert oversample is not None
    assert (oversample.copies, oversample.isolate) == (4, False)
    assert oversample.phase < 0.5


def test_a_planned_preset_needs_the_facts_of_the_data(mars: DataFacts) -> None:
    with pytest.raises(SpaceError, match="preset nnunet-plan is planned from a data set"):
        load_preset("nnunet-plan")
    assert load_preset("nnunet-plan", mars, samples=2000) == plan(mars, 2000)
    assert load_preset("baseline", mars) == load_preset("baseline")


def test_nnunet_plans_the_homework_as_its_rules_say(mars: DataFacts) -> None:
    recipe = plan(mars, samples=2092)
    assert recipe.model.network.depth == 4  # 64 -> 4 pixels
    # Two convolutions a level down, an upsampling and two up; 32, 64, ... channels; a number per class and pixel.
    by_hand = 5 * (32 * 64 * 128 + 64 * 32 * 64 + 128 * 16 * 32 + 256 * 8 * 16) + 2 * 512 * 4 * 8 + 5 * 64 * 128
    assert numbers_per_image(mars) == by_hand
    # 12 * 85,000,000 / by_hand is 403 images, a twentieth of the samples is 105: 64 is the next smaller batch.
    assert recipe.optimisation.batch_size == 64
    assert batch_size(mars) == 256
    assert batch_size(mars, samples=20) == 4
    assert recipe.augment.geometry is not None
    assert recipe.augment.geometry.rotation == 15.0  # twice as wide as high
    assert (recipe.augment.geometry.probability, recipe.augment.probability) == (0.2, 0.15)
    assert (recipe.optimisation.clip, recipe.optimisation.momentum, recipe.optimisation.decayed) == (12.0, 0.99, "all")
    assert recipe.loss.low is None  # the bottleneck is not supervised
    assert recipe.loss.inter is not None
    assert recipe.loss.inter.level_weight == 0.25  # maps of 16x32
    assert recipe.loss.dice is not None
    assert not recipe.loss.dice.excluded  # `do_bg: False`


@pytest.mark.parametrize(("height", "width", "depth"), [(8, 8, 2), (31, 200, 3), (256, 256, 6), (1024, 700, 6)])
def test_nnunet_halves_until_an_edge_would_be_under_four_pixels(height: int, width: int, depth: int) -> None:
    assert halvings(DataFacts(channels=1, height=height, width=width, class_names=("a", "b"))) == depth


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 6])
def test_nnunet_weighs_a_level_by_its_size(depth: int) -> None:
    edge = 4 * 2**depth
    recipe = plan(DataFacts(channels=1, height=edge, width=edge, class_names=("a", "b")))
    assert isinstance(recipe.model, UNet)
    trunk = Trunk(recipe.model.model_copy(update={"filters": 4, "widest": 8}), channels=1)
    features = trunk(torch.zeros(1, 1, edge, edge))
    assert supervision(depth) == features.halfway.shape[2] / edge


@settings(max_examples=examples(50), deadline=None)
@given(
    height=st.integers(8, 3000),
    width=st.integers(8, 3000),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 40),
    samples=st.integers(0, 10**6),
)
def test_nnunets_plan_is_a_point_of_every_whole_space(
    height: int, width: int, channels: int, classes: int, samples: int
) -> None:
    names = tuple(f"class {k}" for k in range(classes))
    facts = DataFacts(channels=channels, height=height, width=width, class_names=names, excluded=names[:1])
    recipe, space = plan(facts, samples), bind(facts)
    assert space.recipe(space.params(recipe)) == recipe
    assert samples == 0 or recipe.optimisation.batch_size <= max(4, round(0.05 * samples))
