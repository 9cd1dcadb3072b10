"""The bundle: what goes in comes out, what was touched is refused, and nothing is left half-written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save

import search
from search.errors import BundleError
from search.outcome import bundle as module
from search.outcome import target
from search.outcome.bundle import check_target, load_bundle, read_bundle, write_bundle
from search.outcome.card.model_card import write_card
from search.outcome.onnx_file import OnnxFile, as_batch
from search.outcome.pictures.colours import paint
from search.outcome.proof import measure
from storage.data.quality.scale import measure_pixels

FILES = ["README.md", "manifest.json", "metrics.json", "model.onnx", "recipe.yaml", "weights.safetensors"]


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def reseal(folder: Path) -> None:
    """Write the manifest again, as somebody who forges a bundle would."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    for name in document["files"]:
        if (folder / name).is_file():
            document["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(document))


def edit_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


# What goes in comes out


def test_a_bundle_holds_the_network_and_what_is_known_of_it(bundle, contents):
    assert listing(bundle) == sorted([*FILES, "pictures/00_panel.png", "pictures/30_iou.csv"])
    read = read_bundle(bundle)
    assert read.recipe == contents.recipe
    assert read.facts == contents.facts
    assert not read.network.training
    state = read.network.state_dict()
    assert set(state) == set(contents.weights)
    assert all(torch.equal(state[name], tensor) for name, tensor in contents.weights.items())
    assert measure(read.network, contents).confusion == contents.scores.confusion
    assert (bundle / "pictures" / "00_panel.png").read_bytes() == b"a picture"
    assert not list(bundle.parent.glob(".*"))


def test_the_metrics_are_complete_and_have_no_nan(bundle, contents):
    def no_constant(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    metrics = json.loads((bundle / "metrics.json").read_text(), parse_constant=no_constant)
    scores = contents.scores
    assert metrics["miou"] == scores.miou
    assert metrics["miou_strict"] == scores.miou_strict
    assert metrics["accuracy"] == scores.accuracy
    assert metrics["iou"] == {"ground": None, "a|b <i>": scores.iou[1], "rock": None}
    assert metrics["confusion"] == [list(row) for row in scores.confusion]
    assert metrics["parameters"] == sum(p.numel() for p in load_bundle(bundle).parameters())
    assert (metrics["study"], metrics["trial"], metrics["epoch"]) == ("demo", 12, 7)
    assert metrics["data_digest"] == "d" * 64
    assert metrics["facts"]["class_names"] == list(contents.facts.class_names)
    assert [point["number"] for point in metrics["curve"]] == list(range(1, 9))
    assert metrics["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert metrics["created"].endswith("+00:00")


def test_undefined_scores_are_null_and_still_proven(contents, tmp_path):
    masks = np.zeros_like(contents.validation_masks)  # ground only, which is left out of the mean
    nothing = dataclasses.replace(contents, validation_masks=masks)
    nothing = dataclasses.replace(nothing, scores=measure(load_network(contents), nothing))
    write_bundle(tmp_path / "b", nothing)
    metrics = read_bundle(tmp_path / "b").metrics
    assert metrics["miou"] is None
    assert metrics["iou_strict"]["ground"] is not None


def load_network(contents: module.BundleContents) -> torch.nn.Module:
    network = module.build_network(contents.recipe, contents.facts, mean=contents.mean, std=contents.std)
    network.load_state_dict(dict(contents.weights))
    return network.eval()


def test_colour_images_and_an_ignore_label_travel_along(tmp_path, contents):
    rng = np.random.default_rng(2)
    facts = module.DataFacts(channels=3, height=16, width=19, class_names=("a", "b"))
    images = rng.integers(0, 60_000, (3, 16, 19, 3)).astype(np.uint16)
    masks = rng.choice([0, 1, 255], (3, 16, 19)).astype(np.uint8)
    colour = dataclasses.replace(
        contents,
        facts=facts,
        mean=(30_000.0, 31_000.0, 29_000.0),
        std=(9_000.0, 8_000.0, 7_000.0),
        validation_images=images,
        validation_masks=masks,
        pixels=measure_pixels(images),
        ignore_label=255,
        study=None,
        trial=None,
        pictures=(),
        curve=(),
    )
    network = module.build_network(colour.recipe, facts, mean=colour.mean, std=colour.std)
    colour = dataclasses.replace(colour, weights=network.state_dict())
    colour = dataclasses.replace(colour, scores=measure(network, colour))
    assert sum(map(sum, colour.scores.confusion)) == int((masks != 255).sum())
    write_bundle(tmp_path / "b", colour)
    read = read_bundle(tmp_path / "b")
    assert (read.ignore_label, read.metrics["study"]) == (255, None)
    assert measure(read.network, colour).confusion == colour.scores.confusion


def test_weights_in_channels_last_and_in_shared_memory_are_written(contents, tmp_path):
    weights = {
        name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
        for name, tensor in contents.weights.items()
    }
    write_bundle(tmp_path / "b", dataclasses.replace(contents, weights=weights))
    state = load_bundle(tmp_path / "b").state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in contents.weights.items())


def test_the_code_in_the_model_card_runs(bundle, contents, monkeypatch):
    monkeypatch.chdir(bundle)
    card = (bundle / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(blocks) == 2
    network = load_bundle(bundle)
    for code in blocks:
        names: dict[str, object] = {}
        exec(code, names)
        Image.fromarray(contents.validation_images[0]).save("image.png")  # what the second one opens
        assert tuple(names["labels"].shape) == (1, 21, 34)
    with Image.open("labels.png") as picture:
        assert picture.size == (34, 21)
        painted = np.asarray(picture.convert("RGB"))
    with torch.inference_mode():
        wanted = network(torch.from_numpy(as_batch(contents.validation_images[:1]))).argmax(1)[0]
    np.testing.assert_array_equal(painted, paint(wanted.numpy().astype(np.uint8), contents.facts, None))


def test_the_model_card_says_what_a_reader_needs(bundle, contents):
    card = (bundle / "README.md").read_text()
    assert "trial 12 of the study demo" in card
    assert "a\\|b \\<i\\>" in card
    assert f"**{contents.scores.miou:.4f}**" in card
    assert "![00_panel](pictures/00_panel.png)" in card
    assert (bundle / "recipe.yaml").read_text() in card
    assert "d" * 64 in card


@pytest.mark.parametrize(
    ("kept", "study", "words"),
    [
        ("best", "demo", "validation images, which also chose the epoch (so a little optimistic);"),
        ("last", "demo", "validation images, which also chose the trial (so a little optimistic);"),
        ("last", None, "validation images; measured"),
    ],
)
def test_the_model_card_says_what_the_validation_images_chose(contents, kept, study, words):
    optimisation = contents.recipe.optimisation.model_copy(update={"kept": kept})
    recipe = contents.recipe.model_copy(update={"optimisation": optimisation})
    onnx = OnnxFile(dtype="uint8", any_size=True)
    assert words in write_card(dataclasses.replace(contents, recipe=recipe, study=study), 1, onnx)


def test_load_bundle_is_found_in_search_and_takes_text(bundle):
    assert search.load_bundle(str(bundle))(torch.zeros(2, 1, 21, 34)).shape == (2, 3, 21, 34)


def test_loading_leaves_the_random_numbers_alone(bundle):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    load_bundle(bundle)
    assert torch.equal(torch.rand(4), expected)


# What was touched is refused


@pytest.mark.parametrize("name", [*FILES, "pictures/30_iou.csv"])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=re.escape(name)) as caught:
        load_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", [name for name in FILES if name != "manifest.json"] + ["pictures/00_panel.png"])
def test_an_altered_file_is_named(bundle, name):
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{re.escape(name)} was altered"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["extra.py", "pictures/more.png", "other/x.txt", "pictures/.hidden"])
def test_a_file_that_is_not_listed_is_named(bundle, name):
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("x")
    with pytest.raises(BundleError, match=re.escape(name)):
        load_bundle(bundle)


def test_what_desktops_leave_behind_does_no_harm(bundle):
    (bundle / ".DS_Store").write_text("x")
    (bundle / "pictures" / "Thumbs.db").write_text("x")
    load_bundle(bundle)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.txt",
        "/etc/hostname",
        "pictures/../../x",
        "pictures/..",
        "pictures/a/b",
        "..\\x",
        "",
        "run.py",
        "pictures/C:x",
    ],
)
def test_a_manifest_that_names_a_file_elsewhere_is_refused(bundle, name):
    edit_manifest(bundle, lambda document: document["files"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="no place in a bundle"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(version=2), "version 2"),
        (lambda d: d.update(format="other"), "'other'"),
        (lambda d: d.pop("files"), "no list of files"),
        (lambda d: d["files"].pop("recipe.yaml"), "does not list recipe.yaml"),
        (lambda d: d["files"].update({"recipe.yaml": "abc"}), "no sha256 for recipe.yaml"),
        (lambda d: d["files"].update({"recipe.yaml": None}), "no sha256 for recipe.yaml"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(bundle, change, message):
    edit_manifest(bundle, change)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * 1_000_001])
def test_a_manifest_that_is_no_json_object_is_refused(bundle, text):
    (bundle / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match=r"manifest\.json") as caught:
        load_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_a_path_without_a_bundle_is_named(tmp_path, name):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=f"{name}: no bundle there"):
        load_bundle(tmp_path / name)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("the weights were unpickled",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.safetensors", pickle.dumps(Bomb())),
        ("weights.safetensors", b""),
        ("weights.safetensors", b"\xff" * 64),
        ("weights.safetensors", save({"model.head.weight": torch.zeros(1)})),
        ("weights.safetensors", b"\x00" * 2_000_000),
        ("recipe.yaml", b"model: {family: unet, depth: 99}"),
        ("recipe.yaml", b"!!python/object/apply:os.getcwd []"),
        ("recipe.yaml", b"model: {depth: 3}"),
        ("recipe.yaml", b"\xff"),
        ("recipe.yaml", b"#" * 300_000),
        ("metrics.json", b"{}"),
        ("metrics.json", b"null"),
        ("metrics.json", b"[" * 100_000),
        ("metrics.json", b" " * 9_000_000),
        ("metrics.json", b'{"normalisation": {"mean": [NaN], "std": [1]}, "facts": {}, "ignore_label": null}'),
    ],
)
def test_a_forged_file_with_a_right_sum_is_refused_in_one_sentence(bundle, name, content):
    (bundle / name).write_bytes(content)
    reseal(bundle)
    with pytest.raises(BundleError) as caught:
        load_bundle(bundle)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("key", "value"), [("mean", [0.0, 1.0]), ("std", [0.0]), ("std", [-1.0]), ("std", []), ("mean", ["x"])]
)
def test_a_normalisation_that_does_not_fit_is_refused(bundle, key, value):
    metrics = json.loads((bundle / "metrics.json").read_text())
    metrics["normalisation"][key] = value
    (bundle / "metrics.json").write_text(json.dumps(metrics))
    reseal(bundle)
    with pytest.raises(BundleError):
        load_bundle(bundle)


# Nothing is left half-written


def test_a_bundle_is_replaced_by_a_new_one(bundle, contents):
    write_bundle(bundle, dataclasses.replace(contents, epoch=8, pictures=()))
    assert read_bundle(bundle).metrics["epoch"] == 8
    assert listing(bundle) == sorted(FILES)
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_an_empty_folder_and_a_new_path_are_taken(contents, tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "empty", tmp_path / "deep" / "er"):
        write_bundle(out, contents)
        load_bundle(out)


def test_a_folder_that_is_no_bundle_is_left_alone(contents, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    for refuse in (check_target, lambda path: write_bundle(path, contents)):
        with pytest.raises(BundleError, match="no bundle"):
            refuse(out)
    assert listing(tmp_path) == ["thesis/chapter.txt"]


def test_a_bundle_with_somebodys_notes_inside_is_left_alone(bundle, contents):
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt"):
        write_bundle(bundle, contents)
    assert (bundle / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_bundle_or_above_it_is_left_alone(contents, tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "bundle"):
        with pytest.raises(BundleError, match="file"):
            write_bundle(out, contents)
    assert (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_onnx", "write_card", "write_manifest", "prove", "fill"])
def test_a_failure_at_any_step_leaves_what_was_there(bundle, contents, monkeypatch, step, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    before = {name: (bundle / name).read_bytes() for name in listing(bundle)}
    monkeypatch.setattr(target if step == "fill" else module, step, fail)
    with pytest.raises((BundleError, KeyboardInterrupt)) as caught:
        write_bundle(bundle, dataclasses.replace(contents, epoch=9))
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
    with pytest.raises((BundleError, KeyboardInterrupt)):
        write_bundle(bundle.parent / "new", contents)
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]
    assert {name: (bundle / name).read_bytes() for name in listing(bundle)} == before


def test_a_replacement_that_cannot_take_the_place_puts_the_old_one_back(bundle, contents, monkeypatch):
    rename = Path.rename

    def fail_once(self: Path, to: Path) -> Path:
        if to == bundle / "manifest.json" and not fail_once.done:
            fail_once.done = True
            raise OSError(5, "Input/output error")
        return rename(self, to)

    fail_once.done = False
    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(BundleError, match="Input/output error"):
        write_bundle(bundle, dataclasses.replace(contents, epoch=9))
    assert read_bundle(bundle).metrics["epoch"] == 7
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


# The proof


def test_recorded_scores_that_are_not_reproduced_are_refused(contents, tmp_path):
    confusion = ((700, 700, 28), (700, 700, 28), (0, 0, 0))
    wrong = dataclasses.replace(contents.scores, miou=contents.scores.miou + 0.02, confusion=confusion)
    with pytest.raises(BundleError, match="was recorded"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, scores=wrong))
    assert not list(tmp_path.iterdir())


def test_weights_of_another_recipe_are_refused(contents, tmp_path):
    deeper = contents.recipe.model_copy(update={"model": contents.recipe.model.model_copy(update={"depth": 3})})
    with pytest.raises(BundleError, match="do not fit"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, recipe=deeper))


def test_weights_that_are_not_finite_are_refused(contents, tmp_path):
    weights = {name: tensor * float("nan") if "head" in name else tensor for name, tensor in contents.weights.items()}
    with pytest.raises(BundleError, match="not finite"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, weights=weights))


def test_a_normalisation_that_is_not_the_weights_own_is_refused(contents, tmp_path):
    with pytest.raises(BundleError, match="mean and std"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, mean=(0.0,)))


def test_an_onnx_file_of_another_network_is_refused(contents, tmp_path, monkeypatch):
    other = module.build_network(
        contents.recipe.model_copy(update={"seed": 6}), contents.facts, mean=contents.mean, std=contents.std
    ).eval()
    write = module.write_onnx
    monkeypatch.setattr(module, "write_onnx", lambda path, _, facts: write(path, other, facts))
    with pytest.raises(BundleError, match="ONNX file is off"):
        write_bundle(tmp_path / "b", contents)


def test_weights_that_changed_on_the_way_are_refused(contents, tmp_path, monkeypatch):
    write = module.write_manifest

    def spoil(folder: Path) -> None:
        path = folder / "weights.safetensors"
        path.write_bytes(
            save({name: tensor + 1 if "head" in name else tensor for name, tensor in load_file(path).items()})
        )
        write(folder)

    monkeypatch.setattr(module, "write_manifest", spoil)
    with pytest.raises(BundleError, match="read back"):
        write_bundle(tmp_path / "b", contents)


def test_two_pictures_of_one_name_and_a_picture_that_is_not_there_are_refused(contents, tmp_path):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "00_panel.png"
    twin.write_bytes(b"x")
    with pytest.raises(BundleError, match=r"two pictures are called 00_panel\.png"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, pictures=(*contents.pictures, twin)))
    with pytest.raises(BundleError, match="not there"):
        write_bundle(tmp_path / "b", dataclasses.replace(contents, pictures=(tmp_path / "gone.png",)))
