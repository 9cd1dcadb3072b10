"""How commands end: one JSON document where it is asked for, otherwise the next command; where OUT may stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from search.cli import app
from search.cli.options import recipe_names, study_names
from support.commands import Command


def told(marsearch: Command, *arguments: object) -> dict[str, object]:
    """The one document of a command with --json."""
    said = marsearch(*arguments, "--json")
    assert said.returncode == 0, said.stderr
    assert "next: " not in said.stderr
    (line,) = said.stdout.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def following(marsearch: Command, *arguments: object) -> str:
    """The command that a command says comes next, in its last line."""
    said = marsearch(*arguments)
    assert said.returncode == 0, said.stderr
    last = said.stderr.splitlines()[-1]
    assert last.startswith("next: marsearch ")
    assert said.stderr.count("next: ") == 1
    return last.removeprefix("next: marsearch ")


def test_commands_on_data(marsearch: Command, tmp_path: Path) -> None:
    small = ("--train", 24, "--test", 2, "--size", "16x16", "--classes", 3)
    assert following(marsearch, "data", "synth", "a b.npz", *small) == "data inspect 'a b.npz' --out inspected"
    known = told(marsearch, "data", "synth", "again.npz", *small)
    assert (known["samples"], known["test_images"], known["file"]) == (24, 2, "again.npz")
    assert following(marsearch, "data", "inspect", "a b.npz") == "run first --data 'a b.npz'"
    assert told(marsearch, "data", "inspect", "a b.npz")["digest"] == known["digest"]
    cleaned = told(marsearch, "data", "clean", "a b.npz", "c.npz", "--method", "none")
    assert (cleaned["kept"], cleaned["samples"]) == (24, 24)
    assert following(marsearch, "data", "clean", "a b.npz", "c.npz", "--method", "none") == "data inspect c.npz"


@pytest.mark.whole
def test_commands_on_a_study(marsearch: Command, data: Path, space: Path) -> None:
    made = ("create", "s", "--data", data, "--space", space, "--warm-start", "none")
    assert following(marsearch, *made) == "work s"
    for command in (made, ("study", "stop", "s"), ("study", "resume", "s")):
        report = told(marsearch, *command)
        assert (report["study"], report["target"]) == ("s", 100)
    assert told(marsearch, "study", "pause", "s")["state"] == "paused"
    assert told(marsearch, "study", "delete", "s", "--yes")["study"] == "s"


@pytest.mark.whole
def test_a_run_and_what_is_exported(marsearch: Command, data: Path, space: Path, tmp_path: Path) -> None:
    run = ("run", "s", "--data", data, "--space", space, "--warm-start", "none", "--trials", 1, "--epochs", 1)
    assert following(marsearch, *run, "--workers", 1, "--device", "cpu") == "export s best"
    report = told(marsearch, "work", "s", "--device", "cpu")
    assert (report["state"], report["finished"]) == ("finished", 1)
    assert following(marsearch, "export", "s", "best") == "predict best FILE masks.npz"
    assert told(marsearch, "export", "s", "--out", "best") == {"study": "s", "trial": 0, "bundle": "best"}
    assert following(marsearch, "predict", "best", data, "m.npz") == "evaluate best LABELLED"
    assert told(marsearch, "predict", "best", data, "--out", "n.npz") == {"out": "n.npz", "images": 5}
    assert (tmp_path / "n.npz").read_bytes() == (tmp_path / "m.npz").read_bytes()


@pytest.mark.whole
def test_a_training_takes_its_bundle_either_way(marsearch: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("model: {family: unet, depth: 2, filters: 4}\noptimisation: {batch_size: 8}\n")
    train = ("train", "r.yaml", "--data", data, "--epochs", 1, "--device", "cpu")
    assert following(marsearch, *train, "b") == f"predict b {data} masks.npz"
    assert told(marsearch, *train, "--out", "b") == {"bundle": "b"}


@pytest.mark.parametrize("command", [("export", "s"), ("predict", "b", "f.npz"), ("train", "baseline", "--data", "f")])
@pytest.mark.parametrize("places", [(), ("a.npz", "--out", "b.npz")])
def test_one_place_to_write_to(marsearch: Command, command: tuple[str, ...], places: tuple[str, ...]) -> None:
    said = marsearch(*command, *places)
    assert (said.returncode, said.stdout) == (2, "")
    assert "one place to write to was expected" in said.stderr


def test_shells_complete_studies_and_presets(
    marsearch: Command, data: Path, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mars", "moon"):
        told(marsearch, "create", name, "--data", data, "--space", space, "--warm-start", "none")
    monkeypatch.chdir(tmp_path)
    assert (study_names(""), study_names("mo"), study_names("x")) == (["mars", "moon"], ["moon"], [])
    assert "baseline" in recipe_names("base")
    asked = {"_MARSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": "marsearch export mo", "COMP_CWORD": "2"}
    assert CliRunner().invoke(app, [], env=asked, prog_name="marsearch").stdout.split() == ["moon"]
    monkeypatch.setenv("MARSEARCH_STORAGE", "nonsense")
    assert study_names("") == []
