"""A bundle knows what it is for, and nothing that comes after a training costs its weights."""

from __future__ import annotations

import csv
import errno
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from wsgiref.util import setup_testing_defaults

import numpy as np
import optuna
import pytest
import torch
from safetensors.torch import load_file

import search.commands.train as commands
import search.outcome.bundle as bundles
from search.dashboard.application import build_routes
from search.dashboard.view import ViewStorage
from search.host import results
from search.outcome.card.model_card import _cell
from search.outcome.pictures import canvas
from search.outcome.pictures.confusion import write_iou_csv
from search.outcome.pictures.inspection import draw_class_shares
from search.outcome.predict import predict_labels
from search.outcome.spreadsheet import safe_csv
from search.studies.create import create
from search.training.metrics import scores
from spaces.facts import DataFacts
from spaces.modules.networks.network import Network, build_network
from spaces.yaml_text import load_recipe
from storage.store import Store
from support.commands import Command, command_here
from support.studies import Inputs, begin

RECIPE = """
model: {family: unet, depth: 2, filters: 4}
augment: {flip_horizontal: HORIZONTAL, flip_vertical: VERTICAL}
optimisation: {batch_size: 4, epochs: 2, lr: 0.01}
"""
NAMES = np.array(["ground", "rock", "sand"])


def scenes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey images (count, 16, 16) whose brightness tells the class, and their masks."""
    random = np.random.default_rng(seed)
    masks = np.kron(random.integers(0, 3, (count, 2, 2)), np.ones((8, 8), int)).astype(np.uint8)
    return ((masks + 0.5) / 3 * 255 + random.normal(0, 15, masks.shape)).clip(0, 255).astype(np.uint8), masks


def recipe(horizontal: bool = True, vertical: bool = False) -> str:
    return RECIPE.replace("HORIZONTAL", str(horizontal).lower()).replace("VERTICAL", str(vertical).lower())


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.npz, 60 labelled images."""
    folder = tmp_path_factory.mktemp("folder")
    images, masks = scenes(60)
    np.savez(folder / "data.npz", images=images, masks=masks, class_names=NAMES)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """A bundle trained on them with left and right mirrored."""
    (folder / "recipe.yaml").write_text(recipe())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert commands_answer("train", "recipe.yaml", "--data", "data.npz", "--out", "bundle") == 0
    return folder / "bundle"


def commands_answer(*arguments: str) -> int:
    from search.cli import answer

    return answer(list(arguments))


def test_mirrors_are_those_of_the_training(marsearch: Command, tmp_path: Path, folder: Path) -> None:
    """MIC-DKFZ/nnUNet#973, #1326: averaging over mirror images ruins a network that was trained without them."""
    (tmp_path / "recipe.yaml").write_text(recipe(horizontal=False))
    assert marsearch("train", "recipe.yaml", "--data", folder / "data.npz", "--out", "b", "--epochs", 1).returncode == 0
    np.savez(tmp_path / "new.npz", images=scenes(3, seed=5)[0])
    ended = marsearch("predict", "b", "new.npz", "masks.npz", "--tta")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "trained without mirrored images" in ended.stderr
    assert not (tmp_path / "masks.npz").exists()
    assert json.loads((tmp_path / "b" / "metrics.json").read_text())["mirrors"] == []


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, False), (False, True), (True, True)])
def test_each_trained_mirror_is_used_and_no_other(horizontal: bool, vertical: bool) -> None:
    """MIC-DKFZ/nnUNet#973, #1326: labels do not change with a mirror of the training, and only with those."""
    wanted = load_recipe(recipe(horizontal, vertical))
    facts = DataFacts(channels=1, height=16, width=16, class_names=("ground", "rock", "sand"))
    network = build_network(wanted, facts, mean=[127.0], std=[60.0])
    images = scenes(2)[0]
    mirrors = wanted.augment.mirrors
    assert mirrors == tuple(n for n, used in (("horizontal", horizontal), ("vertical", vertical)) if used)
    labels = predict_labels(network, images, batch_size=4, mirrors=mirrors)
    for axis, used in ((2, horizontal), (1, vertical)):
        mirrored = np.flip(predict_labels(network, np.flip(images, axis).copy(), batch_size=4, mirrors=mirrors), axis)
        assert bool((labels == mirrored).mean() > 0.99) is used


def test_a_check_takes_no_larger_batches_than_the_training(
    marsearch: Command, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open-mmlab/mmsegmentation#2108: what was trained within a memory is checked and used within it, too."""
    seen: list[int] = []
    forward = Network._prepare

    def counted(self: Network, images: torch.Tensor) -> object:
        seen.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(Network, "_prepare", counted)
    (tmp_path / "recipe.yaml").write_text(recipe())
    assert marsearch("train", "recipe.yaml", "--data", folder / "data.npz", "--out", "b", "--epochs", 1).returncode == 0
    np.savez(tmp_path / "new.npz", images=scenes(11, seed=5)[0])
    assert marsearch("predict", "b", "new.npz", "masks.npz").returncode == 0
    assert max(seen) == 4


@pytest.mark.parametrize("most", [1, 3])
def test_without_memory_a_batch_is_halved(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """open-mmlab/mmsegmentation#2108: a batch that finds no memory is halved, down to one image."""
    facts = DataFacts(channels=1, height=16, width=16, class_names=("ground", "rock", "sand"))
    network = build_network(load_recipe(recipe()), facts, mean=[127.0], std=[60.0])
    images = scenes(13)[0]
    expected = predict_labels(network, images, batch_size=1)
    forward = Network.forward

    def narrow(self: Network, images: torch.Tensor) -> torch.Tensor:
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, images)

    monkeypatch.setattr(Network, "forward", narrow)
    assert np.array_equal(predict_labels(network, images, batch_size=8), expected)


@pytest.mark.parametrize("broken", ["prove", "draw_trial", "write_onnx"])
def test_no_check_and_no_picture_costs_the_weights(
    broken: str, marsearch: Command, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open-mmlab/mmsegmentation#2108: whatever fails then, the weights are on the disk, and it is said where."""

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("something nobody thought of")

    monkeypatch.setattr(commands if broken == "draw_trial" else bundles, broken, fail)
    (tmp_path / "recipe.yaml").write_text(recipe())
    command = ("train", "recipe.yaml", "--data", folder / "data.npz", "--out", "b", "--epochs", 1)
    ended = marsearch(*command)
    assert "something nobody thought of" in ended.stderr
    assert "Traceback" not in ended.stderr
    weights = load_file(tmp_path / "b" / "weights.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    if broken == "draw_trial":
        assert ended.returncode == 0  # a bundle is good without pictures
        return
    assert ended.returncode == 2
    assert str(tmp_path / "b") in ended.stderr
    monkeypatch.undo()
    again = marsearch(*command)  # into the same folder
    assert again.returncode == 0, again.stderr
    assert load_file(tmp_path / "b" / "weights.safetensors").keys() == weights.keys()


def test_weights_are_kept_elsewhere_where_the_folder_takes_nothing(
    marsearch: Command, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open-mmlab/mmsegmentation#2108: a disk that has become full during the training does not cost its weights."""
    full = OSError(errno.ENOSPC, "No space left on device")
    write = bundles.write_bytes

    def write_elsewhere(path: Path, content: bytes) -> None:
        if path.is_relative_to(tmp_path / "b"):
            raise full
        write(path, content)

    def no_room(*_args: object, **_options: object) -> None:
        raise full

    monkeypatch.setattr(bundles, "write_bytes", write_elsewhere)
    monkeypatch.setattr(bundles, "_write_files", no_room)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "recipe.yaml").write_text(recipe())
    ended = marsearch("train", "recipe.yaml", "--data", folder / "data.npz", "--out", "b", "--epochs", 1)
    assert (ended.returncode, "No space left on device" in ended.stderr) == (2, True)
    [kept] = tmp_path.glob("marsearch-weights-*")
    assert str(kept) in ended.stderr
    assert load_file(kept / "weights.safetensors")


def test_a_bundle_that_is_there_stays_beside_weights_whose_bundle_failed(
    marsearch: Command, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open-mmlab/mmsegmentation#2108: neither the new weights nor the bundle of before are lost."""
    (tmp_path / "recipe.yaml").write_text(recipe())
    command = ("train", "recipe.yaml", "--data", folder / "data.npz", "--out", "b", "--epochs", 1, "--seed")
    assert marsearch(*command, 0).returncode == 0
    before = (tmp_path / "b" / "manifest.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(bundles, "prove", lambda *_a, **_o: 1 / 0)
        ended = marsearch(*command, 1)
    assert ended.returncode == 2
    assert str(tmp_path / "b-unfinished") in ended.stderr
    assert (tmp_path / "b" / "manifest.json").read_bytes() == before
    assert load_file(tmp_path / "b-unfinished" / "weights.safetensors")
    assert marsearch(*command, 1).returncode == 0
    assert not (tmp_path / "b-unfinished").exists()


@pytest.mark.parametrize(
    ("change", "mended"),
    [
        (lambda images: (images / 255).astype(np.float32), "images * 255"),
        (lambda images: images.astype(np.uint16) * 257, "images / 257"),
        (lambda images: (images * 100.0).astype(np.float32), "images / "),
    ],
    ids=["floats from 0 to 1", "sixteen bits", "another unit"],
)
def test_images_on_another_scale_are_refused(
    change: object, mended: str, marsearch: Command, tmp_path: Path, bundle: Path
) -> None:
    """ifzhang/FairMOT#367: pixels on another scale than those of the training give wrong labels and no word."""
    assert callable(change)
    np.savez(tmp_path / "new.npz", images=change(scenes(6, seed=5)[0]))
    ended = marsearch("predict", bundle, "new.npz", "masks.npz")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "the network was trained on uint8" in ended.stderr
    assert mended in ended.stderr
    assert not (tmp_path / "masks.npz").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda images: images // 12, "look other than those"),
        (lambda images: np.repeat(np.repeat(images, 2, 1), 2, 2), "32x32 pixels, the network was trained on 16x16"),
    ],
    ids=["dark", "larger"],
)
def test_images_that_look_other_are_labelled_with_a_word(
    change: object, words: str, marsearch: Command, tmp_path: Path, bundle: Path
) -> None:
    """ifzhang/FairMOT#367: images that may be honest and look other than those of the training are told of."""
    assert callable(change)
    np.savez(tmp_path / "new.npz", images=change(scenes(6, seed=5)[0]))
    ended = marsearch("predict", bundle, "new.npz", "masks.npz")
    assert ended.returncode == 0
    assert words in ended.stderr


def test_other_class_names_are_told_of(marsearch: Command, tmp_path: Path, bundle: Path) -> None:
    """kitzeslab/opensoundscape#312: labels mean what the training's names say, not what the new file's do."""
    words = "names the classes sky, rock, sand; the labels written are those of ground, rock, sand"
    for names, told in ((["ground ", "rock", "sand"], False), (["sky", "rock", "sand"], True)):
        np.savez(tmp_path / "new.npz", test_images=scenes(6, seed=5)[0], class_names=np.array(names))
        ended = marsearch("predict", bundle, "new.npz", "masks.npz")
        assert ended.returncode == 0
        assert (words in ended.stderr) == told


def test_the_same_pixels_in_another_type_are_labelled_without_a_word(
    marsearch: Command, tmp_path: Path, bundle: Path
) -> None:
    """ifzhang/FairMOT#367: what is on the scale of the training is taken as it is, whatever its type."""
    images, labels = scenes(6, seed=5)[0], []
    for kind in (np.uint8, np.uint16, np.float32):
        np.savez(tmp_path / "new.npz", images=images.astype(kind))
        ended = marsearch("predict", bundle, "new.npz", "masks.npz")
        next_one = f"next: marsearch evaluate {bundle} LABELLED"
        assert (ended.returncode, ended.stderr.splitlines()) == (0, ["masks.npz: masks of 6 images", next_one])
        labels.append(np.load(tmp_path / "masks.npz")["masks"])
    assert all(np.array_equal(labels[0], other) for other in labels)


def test_a_value_for_no_data_is_no_other_scale(marsearch: Command, tmp_path: Path) -> None:
    """ifzhang/FairMOT#367: the void strip of the training is taken, another scale is not."""
    images, masks = scenes(40)
    real = (images / 255).astype(np.float32)
    real[:, :, :2], masks[:, :, :2] = -9999, 255
    np.savez(tmp_path / "data.npz", images=real, masks=masks, class_names=NAMES, ignore_label=np.array(255))
    (tmp_path / "recipe.yaml").write_text(recipe())
    assert marsearch("train", "recipe.yaml", "--data", "data.npz", "--out", "b", "--epochs", 1).returncode == 0
    assert json.loads((tmp_path / "b" / "metrics.json").read_text())["pixels"]["void"] == [-9999.0]
    np.savez(tmp_path / "new.npz", images=real[:4])
    said = marsearch("predict", "b", "new.npz", "masks.npz").stderr.splitlines()
    assert said == ["masks.npz: masks of 4 images", "next: marsearch evaluate b LABELLED"]
    np.savez(tmp_path / "new.npz", images=np.where(real == -9999, real, real * 255)[:4])
    assert marsearch("predict", "b", "new.npz", "masks.npz").returncode == 2


def test_a_bundle_says_what_pixels_it_is_for(bundle: Path) -> None:
    """ifzhang/FairMOT#367: type, range and statistics of the pixels, mirrors and class names stand in the bundle."""
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["pixels"]["dtype"] == "uint8"
    assert 0 <= metrics["pixels"]["minimum"] <= metrics["pixels"]["low"] < metrics["pixels"]["high"] <= 255
    assert metrics["mirrors"] == ["horizontal"]
    assert metrics["facts"]["class_names"] == NAMES.tolist()
    card = (bundle / "README.md").read_text()
    assert "uint8" in card
    assert [line.split(" | ")[1] for line in card.splitlines() if line.startswith(("| train", "| validation"))] == [
        str(metrics["data"]["parts"][part]["samples"]) for part in ("train", "validation")
    ]
    assert all(_cell(note) in card for note in metrics["data"]["notes"])


@pytest.mark.parametrize("name", ["images", "test_images", "test_set", "arr_0"])
def test_a_file_of_images_alone_is_predicted(name: str, marsearch: Command, tmp_path: Path, bundle: Path) -> None:
    """WZH0120/SAM2-UNet#9: labels are not needed to use a network."""
    np.savez(tmp_path / "new.npz", **{name: scenes(5, seed=9)[0]})
    ended = marsearch("predict", bundle, "new.npz", "masks.npz")
    assert ended.returncode == 0, ended.stderr
    assert np.load(tmp_path / "masks.npz")["masks"].shape == (5, 16, 16)


def test_a_picture_that_cannot_be_drawn_costs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """open-mmlab/mmsegmentation#2108: the weights of a trial are sent, whatever becomes of its pictures."""
    sent: list[str] = []

    def fail(*_args: object) -> None:
        raise RuntimeError("no room for a figure")

    monkeypatch.setattr(results, "attach_pictures", fail)
    monkeypatch.setattr(results, "describe", lambda *_args: None)
    monkeypatch.setattr(results, "_send_weights", lambda *_args: sent.append("weights") or "weights")

    best = SimpleNamespace(parameters=10)
    result = SimpleNamespace(best_epoch=best, epochs=(), value=0.5)
    context, trial = SimpleNamespace(opened=None), SimpleNamespace(number=0)
    ending = results.store_result(context, trial, result, Path())  # type: ignore[arg-type]
    assert (ending.state, ending.weights_artifact) == ("complete", "weights")
    assert sent == ["weights"]


FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "\t=1+1", "＝1+1")  # noqa: RUF001
HARMLESS = ("rock", "-1.5", "+2e-3", "a=b", "-inf", "岩石")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    """utksh1/SecuScan#1847: a name that a spreadsheet would run is shown as text."""
    quoted = text.replace('"', '""')
    assert list(csv.reader([safe_csv(f'"{quoted}",x\n')])) == [[f"'{text}", "x"]]


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_words_of_a_csv_stay_as_they_are(text: str) -> None:
    """utksh1/SecuScan#1847: a negative number is no formula."""
    assert safe_csv(f"{text},x\r\n") == f"{text},x\r\n"


def test_every_csv_with_foreign_text_is_safe(
    marsearch: Command, tmp_path: Path, store: Store, inputs: Callable[..., Inputs]
) -> None:
    """utksh1/SecuScan#1847: the table of classes, the list of trials and the download of the dashboard."""
    facts = DataFacts(channels=1, height=16, width=16, class_names=("=1+1", "rock"))
    write_iou_csv(tmp_path / "iou.csv", scores([[5, 0], [0, 5]], facts), facts)
    assert (tmp_path / "iou.csv").read_text().splitlines()[1].startswith("'=1+1,")
    study = optuna.create_study(study_name="s", storage=store.trials)
    study.add_trial(optuna.trial.create_trial(value=0.5, user_attrs={"reason": "=1+1"}))
    sent: list[str] = []
    request = {"PATH_INFO": "/csv/1"}
    setup_testing_defaults(request)
    routes = build_routes(ViewStorage(store, tmp_path))
    body = b"".join(routes(request, lambda status, _headers, *_: sent.append(status))).decode()
    assert sent == ["200 OK"]
    assert ",'=1+1" in body
    created = create(store, *inputs())
    begin(store, "tiny").set_user_attr("reason", "=1+1")
    assert created.new
    here = {"MARSEARCH_STORAGE": store.url, "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts")}
    assert ",'=1+1," in marsearch("trials", "tiny", "--format", "csv", **here).stdout


@pytest.fixture
def unseen() -> Iterator[None]:
    """matplotlib's fonts and what is known of them, as if nothing had been drawn."""
    from matplotlib.font_manager import fontManager

    before = list(fontManager.ttflist)
    for known in (canvas._fonts_for, canvas._say_lacking):
        known.cache_clear()
    yield
    fontManager.ttflist[:] = before
    for known in (canvas._fonts_for, canvas._say_lacking):
        known.cache_clear()


def drawn(path: Path, *names: str) -> bytes:
    """A picture that shows these names of classes."""
    facts = DataFacts(channels=1, height=16, width=16, class_names=names)
    draw_class_shares(path, [0.5, 0.5], facts, title="shares")
    return path.read_bytes()


def font(path: Path, signs: str) -> Path:
    """A font in which each of these signs is a triangle of its own height."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    names = [".notdef", *(f"sign{number}" for number in range(len(signs)))]
    glyphs = {}
    for number, name in enumerate(names):
        pen = TTGlyphPen(None)
        for place, act in zip([(0, 0), (900, 0), (400, 200 + 300 * number)], "mll", strict=True):
            pen.moveTo(place) if act == "m" else pen.lineTo(place)
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(sign): name for sign, name in zip(signs, names[1:], strict=True)})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Signs of a test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


@pytest.mark.usefixtures("unseen")
def test_names_in_any_script_are_drawn_where_a_font_has_them(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """ultralytics/yolov5#6522: a name in another script is a row of boxes, which all look the same."""
    from matplotlib.font_manager import fontManager

    fontManager.addfont(font(tmp_path_factory.mktemp("fonts") / "signs.ttf", "岩砂"))  # which stays open
    assert drawn(tmp_path / "a.png", "岩", "a") != drawn(tmp_path / "b.png", "砂", "a")
    assert caplog.messages == []


@pytest.mark.usefixtures("unseen")
def test_signs_that_no_font_has_are_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ultralytics/yolov5#6522: boxes are never drawn without a word."""
    from matplotlib.font_manager import fontManager

    fontManager.ttflist[:] = [entry for entry in fontManager.ttflist if entry.name == "DejaVu Sans"]
    for number in range(3):
        drawn(tmp_path / f"{number}.png", "岩石", "a")
    assert len(caplog.messages) == 1
    assert "岩石" in caplog.messages[0] or "石岩" in caplog.messages[0]
    assert "install" in caplog.messages[0]
