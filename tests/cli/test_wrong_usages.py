"""Every way to use a command wrongly that people have: one line that says what to do, status 2, nothing left behind."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np
import pytest

from search.cli import answer
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.studies import TINY_SPACE

# What is typed behind `marsearch`, and what its one line must hold.
USAGES = [
    # no such thing
    ("serach", "No such command"),
    ("data inspekt data.npz", "No such command"),
    ("status s --jsn", "No such option"),
    ("status s t", "unexpected extra argument"),
    ("create", "Missing argument"),
    ("create new", "--data"),
    ("data clean data.npz out.npz", "--method"),
    ("predict", "Missing argument"),
    ("reproduce --data data.npz", "--table"),
    # values out of range or of another kind
    ("create new --data data.npz --trials 0", "--trials"),
    ("create new --data data.npz --trials many", "--trials"),
    ("create new --data data.npz --epochs 0", "--epochs"),
    ("create new --data data.npz --holdout 0.95", "--holdout"),
    ("create new --data data.npz --sampler magic", "'tpe'"),
    ("create new --data data.npz --pruner sha", "'asha'"),
    ("create new --data data.npz --objective dice", "'miou'"),
    ("create new --data data.npz --clean maybe", "'auto'"),
    ("create new --data data.npz --seed -1", "--seed"),
    ("create new --data data.npz --for soon", "--for"),
    ("create new --data data.npz --keep 0", "--keep"),
    ("create new --data data.npz --max-params 0", "--max-params"),
    ("create '' --data data.npz", "choose another"),
    ("create ' ' --data data.npz", "choose another"),
    ("work s --timeout soon", "--timeout"),
    ("work s --workers 0", "--workers"),
    ("work s --per-gpu none", "--per-gpu"),
    ("work s --workers 2 --per-gpu auto", "leave one of them out"),
    ("work s --on moon", "'local'"),
    ("work s --device gpu", "--device"),
    ("dashboard --port 99999", "--port"),
    ("data synth out.npz --size big", "HxW"),
    ("data synth out.npz --size 2x2", "from 8x8"),
    ("data synth out.npz --channels 2", "1 (grey) or 3 (colour)"),
    ("data synth out.npz --train 100000 --size 4096x4096", "at most"),
    ("data synth out.npz --train 3", "--train"),
    ("trials s --format xml", "'table'"),
    ("trials s --format csv --json", "one of the two"),
    ("space show --markdown --json", "leave"),
    ("bench baseline --epochs 0", "--epochs"),
    # files that are not there, or are something else
    ("create new --data missing.npz", "missing.npz"),
    ("create new --data text.npz", "text.npz"),
    ("create new --data folder", "folder"),
    ("create new --data halves.npz", "masks"),
    ("create new --data data.npz --space missing.yaml", "standard, cpu, whole"),
    ("create new --data data.npz --space wrong.yaml", "did you mean depth?"),
    ("create new --data data.npz --space text.npz", "text.npz"),
    ("create new --data data.npz --warm-start nothing", "presets are"),
    ("create new --data unlabelled.npz", "masks"),
    ("create new --data void.npz", "ignore_label=255"),
    ("create new --data binary.npz", "masks // 255"),
    ("data inspect missing.npz", "missing.npz"),
    ("data clean data.npz data.npz --method none", "is the file"),
    ("data clean data.npz text.npz/out.npz --method none", "cannot be written"),
    ("space show --space wrong.yaml", "did you mean depth?"),
    ("train nothing out --data data.npz", "presets are"),
    ("train wrong.yaml out --data data.npz", "did you mean depth?"),
    ("train baseline text.npz --data data.npz", "is a file"),
    ("train baseline folder --data data.npz", "no bundle"),
    ("train baseline out --data data.npz --device cuda:99", "--device"),
    ("enqueue s nothing", "presets are"),
    ("predict folder data.npz out.npz", "no bundle there"),
    ("predict folder data.npz out.txt", ".npz, .csv or .png"),
    ("predict folder data.npz nowhere/out.npz", "does not exist"),
    ("evaluate missing data.npz", "no bundle there"),
    # studies and trials that there are not, or are not so
    ("status t", "'t'"),
    ("work t", "'t'"),
    ("trials t", "'t'"),
    ("export t out", "'t'"),
    ("study pause t", "'t'"),
    ("study delete s", "--yes"),
    ("study delete t --yes", "'t'"),
    ("export s out", "let it run first"),
    ("export s out --trial 7", "there is no trial 7"),
    ("export s", "one place to write to"),
    ("create s --data data.npz", "--space"),
    ("create s --data data.npz --space space.yaml --sampler random --warm-start none", "--sampler"),
    ("create s --data other.npz --space space.yaml --warm-start none", "--data is another data set"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, and with files of every kind that is no good."""
    folder = tmp_path_factory.mktemp("wrong")
    data = synthesise(train=24, test=2, seed=0, height=16, width=16)
    write_dataset(data, folder / "data.npz")
    write_dataset(synthesise(train=30, test=0, seed=1, height=16, width=16), folder / "other.npz")
    names, masks = np.array(["a", "b"]), np.minimum(data.masks, 1)
    np.savez(folder / "halves.npz", images=data.images, masks=masks + 0.5, class_names=names)
    np.savez(folder / "unlabelled.npz", images=data.images)
    np.savez(folder / "void.npz", images=data.images, masks=np.where(data.masks > 1, 255, masks), class_names=names)
    np.savez(folder / "binary.npz", images=data.images, masks=masks * 255, class_names=names)
    (folder / "text.npz").write_bytes(b"\xff no array")
    (folder / "space.yaml").write_text(TINY_SPACE)
    (folder / "wrong.yaml").write_text("model: {dept: 3}\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "thesis.txt").write_text("years of work")
    with pytest.MonkeyPatch.context() as patch:
        at(folder, patch)
        made = ["create", "s", "--data", "data.npz", "--space", "space.yaml", "--warm-start", "none"]
        assert answer(made) == 0
    return folder


def at(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    for name in [name for name in os.environ if name.startswith("MARSEARCH_")]:
        patch.delenv(name)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file with its contents, but for the database, whose reading leaves traces beside it."""
    files = (path for path in folder.rglob("*") if path.is_file() and "marsearch.db" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(("typed", "words"), USAGES, ids=[typed for typed, _ in USAGES])
def test_a_wrong_usage_is_mended_by_one_line(
    typed: str, words: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at(place, monkeypatch)
    before = listing(place)
    capsys.readouterr()
    status = answer(shlex.split(typed))
    said = capsys.readouterr()
    assert (status, said.out) == (2, ""), said
    assert said.err.startswith("marsearch: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert "Traceback" not in said.err
    assert listing(place) == before


def test_nothing_was_left_in_the_database(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at(place, monkeypatch)
    assert answer(["study", "list", "--json"]) == 0
    assert capsys.readouterr().out.count('"study"') == 1


@pytest.mark.parametrize("command", ["create", "run"])
@pytest.mark.parametrize(
    "wrong", ["--data nowhere.npz", "--data bare", "--data data.npz --space odd.yaml", "--data data.npz --clean odd"]
)
def test_what_cannot_become_a_study_leaves_no_database(
    command: str, wrong: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(tmp_path, monkeypatch)
    (tmp_path / "data.npz").symlink_to(place / "data.npz")
    (tmp_path / "bare" / "images").mkdir(parents=True)
    (tmp_path / "odd.yaml").write_text("odd: 1\n")
    there = sorted(tmp_path.rglob("*"))
    assert answer([command, "s", *shlex.split(wrong)]) == 2
    assert sorted(tmp_path.rglob("*")) == there


def test_there_are_sixty() -> None:
    assert len({typed for typed, _ in USAGES}) == len(USAGES) >= 60
