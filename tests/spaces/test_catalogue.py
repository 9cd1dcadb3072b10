"""The catalogue has a row for every axis, and of a bound space only what its study allows."""

from __future__ import annotations

from spaces import DataFacts, bind
from spaces.catalogue import NAME, Row, catalogue, markdown
from spaces.space import Space
from spaces.tree import Leaf, Optional, PerClass, Section, walk

TEXT = """
model: {family: [unet, pix2pix], depth: 3, filters: {low: 8, high: 16}, generator: {family: [unet, wnet], norm: batch}}
loss: {dice: null, low: {use: [true, false]}}
class_weights: {factors: {sand: {low: 1, high: 2}}}
"""


def rows(space: Space | None = None) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for chapter in catalogue(space):
        for row in chapter.rows:
            found.setdefault(row.path, []).append(row)
    return found


def test_every_axis_has_a_row() -> None:
    found = rows()
    for path, node in walk():
        name = {PerClass: f"{path}.{NAME}", Optional: f"{path}.use"}.get(type(node), path)
        if isinstance(node, Section):
            if node.discriminator:
                assert f"{path}.{node.discriminator}" in found
        elif isinstance(node, (Leaf, PerClass, Optional)) and not path.startswith("model.generator."):
            assert name in found, name
    # the generator's fields stand with the families
    assert {path for path in found if path.startswith("model.generator")} == {"model.generator.family"}


def test_every_row_is_complete() -> None:
    for same in rows().values():
        for row in same:
            assert row.meaning, row.path
            assert set(row.reports.split()) <= {"A", "B", "C", "D", "E", "+"}, row.path
            assert row.type in ("integer", "real", "choice", "switch"), row.path
            assert row.type != "choice" or row.default in row.range.split(", "), row.path


def test_shared_fields_stand_once_and_say_the_same_where_families_declare_them_again() -> None:
    found = rows()
    assert len(found["model.depth"]) == 1
    assert len(found["model.bottleneck"]) == 3  # U-Nets, UNet++, UNet 3+
    for path, same in found.items():
        assert len({(row.type, row.range, row.searched, row.reports) for row in same}) == 1, path


def test_families_say_which_reports_have_them() -> None:
    for path, node in walk():
        if path == "model" and isinstance(node, Section):
            letters = {name: option.reports for name, option in node.options.items()}
            assert letters["unet"] == "A B C D E"
            assert {name for name, reports in letters.items() if "A" in reports} == {
                "unet",
                "unetpp",
                "unet3plus",
                "wnet",
            }
            assert {name for name, reports in letters.items() if reports == "E"} == {"deeplab", "marsseg"}
            assert (letters["dual_unet"], letters["pix2pix"]) == ("B", "D")


def test_a_bound_space_shows_what_its_study_searches(mars: DataFacts) -> None:
    space = bind(mars, TEXT)
    found = rows(space)
    assert {path for path, same in found.items() if same[0].searched} == set(space.searched)
    assert found["model.family"][0].range == "unet, pix2pix"
    assert (found["model.depth"][0].range, found["model.depth"][0].searched) == ("3", False)
    assert found["model.filters"][0].range == "8 to 16"
    assert found["model.generator.norm"][0].range == "batch"
    assert "model.generator.second_bottleneck" in found
    assert "model.second_bottleneck" not in found
    assert found["loss.dice.use"][0].range == "false"
    assert not {"loss.dice.weight", "loss.inter.dice.use", "background.depth"} & set(found)
    assert found["loss.low.use"][0].searched
    assert found["class_weights.factors.sand"][0].range == "1 to 2"


def test_a_table_row_of_the_page_is_a_row_of_the_catalogue() -> None:
    lines = [line for line in markdown().splitlines() if line.startswith("| `")]
    assert len(lines) == sum(len(chapter.rows) for chapter in catalogue())
    assert all(line.count(" | ") == 6 for line in lines)
