"""`marsearch space show` prints what can be searched, and what a study would search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.cli import answer
from spaces import NAMED
from spaces.catalogue import catalogue
from storage.studies.config import StudyConfig, declared

DOCS = Path(__file__).parents[2] / "docs"


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert answer(["space", "show", *map(str, arguments)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def test_every_axis_fits_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for chapter in catalogue():
        inside = chapter.title.partition(":")[0]
        assert chapter.title in text
        for row in chapter.rows:
            assert row.path.removeprefix(f"{inside}.") in text
            assert all(word.strip(",") in text for word in row.range.split())


def test_json_has_every_axis_with_its_range(capsys: pytest.CaptureFixture[str]) -> None:
    axes = json.loads(shown(capsys, "--json"))["axes"]
    assert len(axes) == sum(len(chapter.rows) for chapter in catalogue())
    depth = next(axis for axis in axes if axis["path"] == "model.depth")
    assert (depth["type"], depth["range"], depth["default"], depth["searched"]) == ("integer", "2 to 6", "4", True)
    assert depth["reports"] == "A B C D E"


def test_markdown_is_the_page_of_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "--markdown") == (DOCS / "space.md").read_text()


def test_a_file_and_data_show_what_their_study_would_search(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("model: {family: unet, depth: [2, 3]}\nclass_weights: {factors: {sand: {low: 1, high: 2}}}")
    axes = {axis["path"]: axis for axis in json.loads(shown(capsys, "--space", file, "--data", data, "--json"))["axes"]}
    assert (axes["model.family"]["range"], axes["model.family"]["searched"]) == ("unet", False)
    assert (axes["model.depth"]["range"], axes["model.depth"]["searched"]) == ("2 to 3", True)
    assert axes["class_weights.factors.sand"]["searched"]
    assert "model.second_norm" not in axes
    assert "2 to 3" in shown(capsys, "--space", file)


@pytest.mark.parametrize("name", NAMED)
def test_a_space_with_a_name_fits_eighty_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(capsys, "--space", name)
    assert max(map(len, text.splitlines())) <= 80
    assert "optimisation" in text


def test_the_space_of_data_is_the_default_one(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    default = shown(capsys, "--data", data, "--json")
    assert default == shown(capsys, "--data", data, "--space", "standard", "--json")
    assert default != shown(capsys, "--data", data, "--space", "whole", "--json")
    axes = {axis["path"]: axis for axis in json.loads(default)["axes"]}
    assert (axes["optimisation.sgd_lr"]["searched"], axes["model.activation"]["searched"]) == (True, False)


def test_the_help_names_the_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["create"], ["run"], ["space", "show"]):
        assert answer([*command, "--help"]) == 0
        assert "NAME|FILE" in capsys.readouterr().out
    assert ", ".join(NAMED) in next(field.help for field in declared("fixed") if field.name == "space")
    assert StudyConfig.space == f"base: {NAMED[0]}\n"


def test_what_cannot_be_shown_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("model: {dept: 3}")
    assert answer(["space", "show", "--space", str(file)]) == 2
    assert "did you mean depth?" in capsys.readouterr().err
    assert answer(["space", "show", "--markdown", "--json"]) == 2
    assert "--markdown writes the page of the whole space" in capsys.readouterr().err
    assert answer(["space", "show", "--data", str(tmp_path / "none.npz")]) == 2
    assert "none.npz" in capsys.readouterr().err
