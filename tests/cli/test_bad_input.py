"""Wrong use and bad input: one sentence on stderr, status 2, no traceback, nothing left behind."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from search.cli import answer
from search.errors import Diverged

Ask = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command that must be refused; gives its one line."""
    monkeypatch.chdir(tmp_path)
    for name in ("MARSEARCH_STORAGE", "MARSEARCH_ARTIFACTS", "MARSEARCH_HOME"):
        monkeypatch.delenv(name, raising=False)

    def ask(*arguments: object) -> str:
        status = answer([str(a) for a in arguments])
        said = capsys.readouterr()
        assert (status, said.out) == (2, "")
        assert said.err.startswith("marsearch: ")
        assert said.err.count("\n") == 1
        return said.err

    return ask


def npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def good(**changes: object) -> dict[str, object]:
    images = np.zeros((8, 16, 16), np.uint8)
    return {"images": images, "masks": images, "class_names": np.array(["a", "b"])} | changes


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing file": (lambda p: None, "data.npz"),
    "folder": (lambda p: p.mkdir(), "folder|file"),
    "not an npz": (lambda p: p.write_text("hello"), "npz"),
    "empty file": (lambda p: p.write_bytes(b""), "npz"),
    "wrong keys": (lambda p: npz(p, pictures=np.zeros(3)), "training_set|images"),
    "wrong shape": (
        lambda p: npz(p, training_set=np.zeros((4, 64, 128), np.uint8), test_set=np.zeros((1, 64, 128), np.uint8)),
        "training_set",
    ),
    "wrong dtype": (lambda p: npz(p, **good(masks=np.zeros((8, 16, 16), np.float32) + 0.5)), "mask"),
    "labels out of range": (lambda p: npz(p, **good(masks=np.full((8, 16, 16), 7, np.uint8))), "7"),
    "NaN": (lambda p: npz(p, **good(images=np.full((8, 16, 16), np.nan, np.float32))), "NaN|finite"),
    "empty set": (
        lambda p: npz(p, **good(images=np.zeros((0, 16, 16), np.uint8), masks=np.zeros((0, 16, 16), np.uint8))),
        "sample|empty",
    ),
    "truncated": (lambda p: (npz(p, **good()), p.write_bytes(p.read_bytes()[:-200])), "npz|truncated|cut|zip"),
    "pickled objects": (lambda p: npz(p, **good(images=np.array([{"a": 1}] * 8, dtype=object))), "object|pickle"),
    "announces too much": (lambda p: announce(p), "announce|more than|header"),
}


def announce(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**7, 2, 64, 128)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("training_set.npy", header.getvalue() + b"\0" * 100)
        archive.writestr("test_set.npy", header.getvalue())


@pytest.mark.parametrize("case", BROKEN)
def test_broken_data(refused: Ask, tmp_path: Path, case: str) -> None:
    build, hint = BROKEN[case]
    path = tmp_path / "data.npz"
    build(path)
    before = sorted(p.name for p in tmp_path.iterdir())
    for command in (("data", "inspect", path), ("data", "clean", path, tmp_path / "out.npz", "--method", "mask")):
        said = refused(*command)
        assert "data.npz" in said
        assert any(word in said for word in hint.split("|")), said
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_an_option_out_of_its_range(refused: Ask, data: Path) -> None:
    assert "--trials" in refused("create", "s", "--data", data, "--trials", "0")
    assert "--sampler" in refused("create", "s", "--data", data, "--sampler", "magic")
    assert "--timeout" in refused("work", "s", "--timeout", "soon")
    assert "--size" in refused("data", "synth", "out.npz", "--size", "big")
    assert "No such command" in refused("serach")
    assert "Missing argument" in refused("export")


def test_a_wrong_space_file(refused: Ask, data: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("model: {dept: 3}")
    said = refused("create", "s", "--data", data, "--space", wrong)
    assert "wrong.yaml: model.dept: unknown (did you mean depth?)" in said
    wrong.write_text("model: {depth: {low: 2, high: 40}}")
    assert "model.depth: 40 is outside the axis, allowed is 2 to 6" in refused(
        "create", "s", "--data", data, "--space", wrong
    )
    refused("create", "s", "--data", data, "--space", "x" * 5000)
    for missing in ("missing.yaml", "nonsense"):
        said = refused("create", "s", "--data", data, "--space", missing)
        assert f"--space {missing}: standard, cpu, whole or a space file (.yaml) was expected" in said
    wrong.write_bytes(b"\xff\xfe\x00")
    assert "wrong.yaml" in refused("create", "s", "--data", data, "--space", wrong)


def test_another_study_of_that_name(
    refused: Ask, data: Path, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["create", "s", "--data", str(data), "--space", str(space)]) == 0
    capsys.readouterr()
    assert "space" in refused("create", "s", "--data", data)
    other = npz(tmp_path / "other.npz", **varied())
    assert "data" in refused("create", "s", "--data", other, "--space", space)
    assert answer(["create", "s", "--data", str(data), "--space", str(space)]) == 0


def varied() -> dict[str, object]:
    masks = np.random.default_rng(0).integers(0, 2, (24, 16, 16)).astype(np.uint8)
    return good(images=masks * 50, masks=masks)


def test_an_unknown_study_names_the_storage(refused: Ask) -> None:
    for command in (
        ("work", "s"),
        ("status", "s"),
        ("trials", "s"),
        ("export", "s", "out"),
        ("enqueue", "s", "baseline"),
    ):
        said = refused(*command)
        assert "'s'" in said or " s" in said
        assert "marsearch.db" in said


def test_nothing_to_export_yet(
    refused: Ask, data: Path, space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["create", "s", "--data", str(data), "--space", str(space)]) == 0
    capsys.readouterr()
    assert "no trial is complete yet" in refused("export", "s", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://u:geheim@127.0.0.1:1/db",
        "oracle://u:geheim@h/db",
    ],
)
def test_a_database_that_is_not_there(refused: Ask, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("MARSEARCH_STORAGE", url)
    assert "geheim" not in refused("status")


def test_places_that_cannot_be_written(
    refused: Ask, monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "file" in refused("data", "clean", data, tmp_path / "file" / "out.npz", "--method", "mask")
    assert "file" in refused("data", "inspect", data, "--out", tmp_path / "file" / "pictures")
    monkeypatch.setenv("MARSEARCH_HOME", str(tmp_path / "file" / "home"))
    refused("status")
    monkeypatch.setenv("MARSEARCH_HOME", "/proc/nowhere")
    assert "/proc/nowhere" in refused("create", "s", "--data", data)


@pytest.mark.parametrize("command", [("data", "clean"), ("predict", "bundle")])
def test_a_file_is_not_written_over_itself(refused: Ask, data: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    before = data.read_bytes()
    (tmp_path / "soft.npz").symlink_to(data)
    (tmp_path / "hard.npz").hardlink_to(data)
    method = ["--method", "mean"] if command[0] == "data" else []
    for out in (data, tmp_path / "soft.npz", tmp_path / "hard.npz", data.parent / ".." / data.parent.name / data.name):
        assert "is the file" in refused(*command, data, out, *method)
    assert data.read_bytes() == before


def test_a_device_that_is_not_there_leaves_no_study(
    refused: Ask, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no driver of a GPU
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "--device cuda" in refused("run", "mars", "--data", data, "--device", "cuda")
    capsys.readouterr()
    assert answer(["study", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"studies": []}


def test_a_bundle_that_is_none(refused: Ask, data: Path, tmp_path: Path) -> None:
    assert "bundle" in refused("predict", tmp_path / "bundle", data, tmp_path / "out.npz")
    (tmp_path / "bundle").mkdir()
    assert "bundle" in refused("predict", tmp_path / "bundle", data, tmp_path / "out.npz")
    assert "out.txt" in refused("predict", tmp_path / "bundle", data, tmp_path / "out.txt")
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Diverged("the loss is not finite in epoch 1"), "the loss is not finite in epoch 1"),
        (
            RuntimeError("CUDA out of memory.\nTried to allocate 2.00 GiB"),
            "out of memory: CUDA out of memory. Tried to allocate 2.00 GiB: a smaller batch or fewer filters need less",
        ),
        (MemoryError(), "out of memory: no message: a smaller batch or fewer filters need less"),
    ],
)
def test_a_training_that_fails_is_a_failure_and_no_misuse(
    error: Exception, words: str, at_once: bool, data: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """at_once: where the data are moved to the device, not in an epoch."""

    def failing(*_: object, **__: object) -> Iterator[object]:
        def epochs() -> Iterator[object]:
            raise error
            yield

        if at_once:
            raise error
        return epochs()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("search.commands.train.fit", failing)
    status = answer(["train", "baseline", "--data", str(data), "--out", "bundle", "--device", "cpu"])
    said = capsys.readouterr().err.splitlines()
    assert status == 1
    assert [line for line in said if line.startswith("marsearch: ")] == [f"marsearch: {words}"]
    assert said[-1] == f"marsearch: {words}"  # before it, notes on the data
    assert "Traceback" not in " ".join(said)
    assert not (tmp_path / "bundle").exists()


def test_an_unknown_recipe(refused: Ask, data: Path, tmp_path: Path) -> None:
    assert "presets are a-table-1, " in refused("train", "nothing", "--data", data, "--out", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_two_forms_of_a_list_are_refused(refused: Ask) -> None:
    assert "--format csv --json: one of the two was expected" in refused("trials", "mars", "--format", "csv", "--json")
