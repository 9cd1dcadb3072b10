"""What a recipe changes, in words."""

from __future__ import annotations

from collections.abc import Iterator

from search.studies.difference import changes, spelled, values_of, words
from spaces import Recipe, load_preset, preset_names


class Everything:
    """Holds every name."""

    def __contains__(self, name: object) -> bool:
        return True


def told(recipe: Recipe, base: Recipe) -> list[str]:
    return [str(change) for change in changes(recipe, base, Everything())]


def recipe(**sections: object) -> Recipe:
    return Recipe.model_validate(sections)


def test_equal_recipes_differ_in_nothing() -> None:
    for name in preset_names():
        if name != "nnunet-plan":
            assert told(load_preset(name), load_preset(name)) == []


def test_the_loss_is_told_by_its_terms() -> None:
    dice = recipe(loss={"cross_entropy": None, "dice": {}})
    focal = recipe(loss={"cross_entropy": None, "focal": {}})
    assert told(focal, dice)[0] == "loss dice -> focal"
    both = recipe(loss={"dice": {}})
    assert told(both, recipe())[0] == "loss cross entropy -> cross entropy + dice"


def test_numbers_are_rounded_and_the_same_number_is_no_change() -> None:
    base = recipe()
    assert told(recipe(optimisation={"lr": 0.012345678901234567}), base) == ["lr 0.001 -> 0.012"]
    assert told(recipe(optimisation={"lr": 0.001 * (1 + 1e-12)}), base) == []


def test_what_matters_most_comes_first() -> None:
    new = recipe(
        model={"family": "unet3plus", "depth": 3}, loss={"dice": {}}, augment={"noise": 0.1}, optimisation={"lr": 0.01}
    )
    first = [change.name for change in changes(new, recipe(), Everything())]
    assert first[:3] == ["network", "loss", "lr"]


def test_only_the_settings_that_count_are_told() -> None:
    new = recipe(model={"family": "unet", "depth": 2}, augment={"noise": 0.1})
    assert [str(change) for change in changes(new, recipe(), {"augment.noise"})] == ["noise 0 -> 0.1"]


def test_a_part_that_is_on_alone_brings_its_settings() -> None:
    new = recipe(background={"depth": 2})
    named = told(new, recipe())
    assert "background off -> on" in named
    assert "background depth 2" in named
    assert told(recipe(), new) == ["background on -> off"]


def test_every_setting_has_words() -> None:
    def paths() -> Iterator[str]:
        for name in preset_names():
            if name != "nnunet-plan":
                yield from values_of(load_preset(name))

    for path in set(paths()):
        assert words(path)
        assert "_" not in words(path)
        assert "." not in words(path)
    assert (spelled(True), spelled(1000), spelled(1e-5), spelled("one_cycle")) == ("on", "1,000", "1e-05", "one cycle")
