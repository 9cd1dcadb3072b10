"""A space file is refused in one sentence that names the dotted path and what is allowed."""

from __future__ import annotations

import pytest

from spaces import DataFacts, Recipe, SpaceError, bind, load_preset, load_recipe
from spaces.recipe.architecture import Pix2Pix, UNet
from spaces.recipe.loss import Terms
from spaces.yaml_text import LARGEST_TEXT, load_mapping

NO_TERM = ", ".join(f"{term}: null" for term in Terms.needs_one)
REFUSED = {
    "model: {dept: 3}": r"model\.dept: unknown \(did you mean depth\?\), allowed is depth",
    "modle: {depth: 3}": r"modle: unknown \(did you mean model\?\)",
    "model: {depth: 9}": r"model\.depth: 9 is outside the axis, allowed is 2 to 6",
    "model: {depth: true}": r"model\.depth: True is outside",
    "model: {depth: [3, 9]}": r"model\.depth: 9 is outside",
    "model: {depth: [3, 3]}": r"model\.depth: a list of different values",
    "model: {depth: {low: 3}}": r"model\.depth: a range has low, high",
    "model: {depth: {low: 5, high: 3}}": r"low must be under high",
    "model: {depth: {low: 2, high: 5, step: 2}}": r"must be divisible by its step",
    "model: {norm: {low: 1, high: 2}}": r"model\.norm: has no range",
    "model: {norm: bach}": r"model\.norm: 'bach' is outside the axis, allowed is one of none, batch",
    "model: {family: vgg}": r"model\.family: 'vgg' is unknown, allowed is unet",
    "model: {family: []}": r"model\.family: a list of different values",
    "model: {family: [unet, unet]}": r"model\.family: a list of different values",
    "model: {family: wnet, rates: small}": r"model\.rates: unknown, allowed is depth",
    "model: {family: [unet, deeplab], rate: small}": r"model\.rate: unknown \(did you mean rates\?\)",
    "model: {generator: {family: pix2pix}}": r"model\.generator\.family: 'pix2pix' is unknown, allowed is unet",
    "model: {generator: {family: unet, dept: 3}}": r"model\.generator\.dept: unknown \(did you mean depth\?\)",
    "model: {family: deeplab, output_stride: 5}": r"output_stride: 5 is outside the axis, allowed is one of 4, 8, 16",
    "model: 3": r"model: a mapping",
    "loss: {dice: 3}": r"loss\.dice: null \(off\) or a mapping",
    "loss: {dice: {use: maybe}}": r"loss\.dice\.use: true, false or \[true, false\]",
    "loss: {dice: {use: 1}}": r"loss\.dice\.use: true, false or \[true, false\]",
    "loss: {dice: {use: [1, 0]}}": r"loss\.dice\.use: true, false or \[true, false\]",
    f"loss: {{{NO_TERM}}}": r"loss: at least one of cross_entropy, bce, dice, focal, boundary, lovasz, tversky, mae",
    f"loss: {{inter: {{{NO_TERM}}}}}": r"loss\.inter: at least one of cross_entropy, bce",
    "loss: {low: {dices: null}}": r"loss\.low\.dices: unknown \(did you mean dice\?\)",
    "augment: {class_factors: {moon: 2}}": r"augment\.class_factors\.moon: no such class, the data has background",
    "augment: {class_factors: {sand: 4}}": r"augment\.class_factors\.sand: 4 is outside the axis, allowed is 0 to 3",
    "optimisation: {lr: {low: 1e-9, high: 1e-2}}": r"optimisation\.lr: 1e-09 is outside the axis, allowed is 1e-05",
    "optimisation: {lr: {low: 1e-4, high: 1e-2, log: 3}}": r"log is true or false",
    "optimisation: {batch_size: 7}": r"batch_size: 7 is outside the axis, allowed is one of 4, 8",
    "class_weights: {factors: {moon: 2}}": r"factors\.moon: no such class, the data has background, soil",
    "class_weights: {scheme: explicit}": r"scheme explicit needs every class, missing is background",
    "base: standart": r"base: 'standart' is unknown, there are standard, cpu, whole",
    "base: [cpu]": r"base: .* is unknown, there are standard, cpu, whole",
    "base: cpu.yaml": r"base: 'cpu\.yaml' is unknown",
    "model: {base: cpu}": r"model\.base: unknown, allowed is",
    "rest: off": r"rest: searched or default was expected, got 'off'",
    "rest: true": r"rest: searched or default was expected, got True",
    "base: standard\nrest: [searched]": r"rest: searched or default was expected",
    "base: standard\nmodel: {dept: 3}": r"model\.dept: unknown \(did you mean depth\?\)",
    "base: standard\nmodel: {depth: {low: 3}}": r"model\.depth: a range has low, high",
    "base: standard\nmodel: 3": r"model: a mapping",
    "rest: default\nloss: {cross_entropy: null}": r"loss: at least one of cross_entropy",
    "seed: 3": r"seed: is set by the study",
    "- a\n- b": r"a mapping of sections was expected",
    "model: [": r"not readable as YAML",
    "a: &x 1\nb: *x": r"aliases",
    "model: {depth: 3, depth: 4}": r"depth stands twice",
    "model: !!python/object/apply:os.system [ls]": r"not readable as YAML",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_space_is_refused(mars: DataFacts, text: str) -> None:
    with pytest.raises(SpaceError, match=REFUSED[text]) as refused:
        bind(mars, text, name="mine.yaml")
    assert str(refused.value).startswith("mine.yaml: ")
    assert "\n" not in str(refused.value)


def test_an_endless_text_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(SpaceError, match="characters of YAML"):
        load_mapping(" " * (LARGEST_TEXT + 1), "long.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("3", 3),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_scalars_are_read_as_people_mean_them(text: str, value: object) -> None:
    read = load_mapping(f"x: {text}", "t")["x"]
    assert read == value
    assert type(read) is type(value)


def test_an_empty_file_is_the_whole_space(mars: DataFacts) -> None:
    assert bind(mars, "# nothing\n").domains == bind(mars).domains


def test_recipes_are_strict_about_types_and_ranges() -> None:
    with pytest.raises(SpaceError, match=r"mine: model\.depth: is outside the axis \(got 7\)"):
        load_recipe("model: {depth: 7}", "mine")
    with pytest.raises(SpaceError, match=r"flip_horizontal: Input should be a valid boolean \(got 1\)"):
        load_recipe("augment: {flip_horizontal: 1}")
    with pytest.raises(SpaceError, match=r"at least one of cross_entropy"):
        load_recipe("loss: {cross_entropy: null}")
    assert load_recipe("") == Recipe()


def test_a_recipe_without_a_family_has_the_default_one() -> None:
    assert load_recipe("model: {depth: 3}").model == UNet(depth=3)
    assert load_recipe("model: {family: pix2pix, generator: {depth: 3}}").model == Pix2Pix(generator=UNet(depth=3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {family: pix2pix, generator: {family: wnet, depth: 9}}", r"mine: model\.generator\.depth: is outside"),
        ("model: {family: wnet, dept: 3}", r"mine: model\.dept: Extra inputs"),
        ("model: {family: vgg}", "mine: model: .*'vgg'.*'unet'"),
        ("model: 3", "mine: model: "),
        ("loss: {low: {dice: {weight: 7}}}", r"mine: loss\.low\.dice\.weight: is outside the axis \(got 7\)"),
        ("loss: {low: {cross_entropy: null}}", r"mine: loss\.low: .*at least one of cross_entropy"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_path_as_it_is_written(text: str, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        load_recipe(text, "mine")


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(SpaceError, match=r"preset 'x' is unknown, there are a-table-1, .*baseline, .*nnunet-plan"):
        load_preset("x")
