"""A score that means what it says: nothing wins it by a trick, and nothing is missing beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search.cli import answer
from search.dashboard.board.page import Reader, board_page
from search.dashboard.board.snapshot import Board
from search.dashboard.view import ViewStorage
from search.training.arrays import TrainingData
from search.training.device import image_batch
from search.training.fit import fit
from search.training.metrics import best_constant
from spaces.facts import DataFacts
from spaces.modules.networks.network import build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet
from storage.store import open_store
from support.commands import Command, command_here, kept_handlers
from support.studies import TINY_SPACE

NAMES = ("ground", "rock", "sand")
RECIPE = """
model: {family: unet, depth: 2, filters: 4}
optimisation: {batch_size: 8, epochs: 3, lr: 0.01}
"""


def scenes(count: int, classes: int = 3, seed: int = 0, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Grey images (count, size, size) whose brightness tells the class, and their masks."""
    random = np.random.default_rng(seed)
    masks = np.kron(random.integers(0, classes, (count, 2, 2)), np.ones((size // 2, size // 2), int)).astype(np.uint8)
    bright = (masks + 0.5) / classes + random.normal(0, 0.06, masks.shape)
    return (bright.clip(0, 1) * 255).astype(np.uint8), masks


@pytest.mark.parametrize("batch_size", [4, 8, 16])
def test_normalisation_knows_its_statistics_when_a_score_is_taken(batch_size: int) -> None:
    """pytorch/pytorch#4741: running statistics still hold their initial values after a few steps.

    What the layers are left with after three to twelve steps is what the training part gives them.
    """
    images, masks = scenes(64)
    data = TrainingData(
        train_images=images[:48],
        train_masks=masks[:48],
        validation_images=images[48:],
        validation_masks=masks[48:],
        facts=DataFacts(channels=1, height=16, width=16, class_names=NAMES),
    )
    recipe = Recipe(
        model=UNet(depth=2, filters=4, dropout=0.3),
        optimisation=Optimisation(epochs=2, batch_size=4, lr=1e-2),
    )
    optimisation = recipe.optimisation.model_copy(update={"batch_size": batch_size})
    recipe = recipe.model_copy(update={"optimisation": optimisation})
    epoch = next(fit(recipe, data))
    assert epoch.weights is not None
    network = build_network(recipe, data.facts, mean=[0.0], std=[1.0])
    network.load_state_dict(epoch.weights)
    for layer, (mean, variance) in true_statistics(network.eval(), images[:48]).items():
        spread = variance.sqrt() + 1e-3
        assert float(((layer.running_mean - mean).abs() / spread).max()) < 0.5
        assert float((layer.running_var / (variance + 1e-6)).log().abs().max()) < 1.0


def true_statistics(network: nn.Module, images: np.ndarray) -> dict[nn.BatchNorm2d, tuple[Tensor, Tensor]]:
    """Mean and variance of what reaches each batch normalisation from these images, by the network in eval mode."""
    found: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}

    def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(layer, nn.BatchNorm2d)
        found[layer] = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))

    hooks = [m.register_forward_pre_hook(look) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        network(image_batch(torch.tensor(images)[:, None], torch.arange(len(images))))
    for hook in hooks:
        hook.remove()
    assert found
    return found


def constant_by_hand(masks: np.ndarray, classes: int, excluded: tuple[int, ...] = ()) -> tuple[float, float]:
    """Both means of the best constant answer, by the definition of the IoU."""
    counted = [k for k in range(classes) if k not in excluded]

    def mean(kept: np.ndarray, answer: int) -> float:
        present = [k for k in counted if (kept == k).any() or k == answer]
        return sum((kept == k).sum() / len(kept) for k in present if k == answer) / len(present) if present else -1.0

    pixels = masks.ravel()
    lenient = pixels[~np.isin(pixels, excluded)]
    return max(mean(lenient, k) for k in range(classes)), max(mean(pixels, k) for k in range(classes))


@pytest.mark.parametrize("excluded", [(), (0,), (0, 2)])
def test_the_best_constant_answer_is_what_the_definition_says(excluded: tuple[int, ...]) -> None:
    """open-mmlab/mmsegmentation#962: a score is read beside the one that takes no learning."""
    _, masks = scenes(9)
    masks[:6][masks[:6] == 1] = 0
    facts = DataFacts(
        channels=1, height=16, width=16, class_names=NAMES, excluded=tuple(NAMES[label] for label in excluded)
    )
    found = best_constant(np.bincount(masks.ravel(), minlength=3), facts)
    assert (found.miou, found.miou_strict) == pytest.approx(constant_by_hand(masks, 3, excluded))
    if len(excluded) == 2:
        assert found.miou == 1.0
        assert found.miou_strict < 0.5


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


def write_data(path: Path, classes: int = 3, **more: object) -> Path:
    images, masks = scenes(50, classes)
    np.savez(path, images=images, masks=masks, class_names=np.array(NAMES[:classes]), **more)  # type: ignore[arg-type]
    return path


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A file in which one class is left in the mean."""
    return write_data(tmp_path / "binary.npz", 2, excluded_from_mean=np.array(NAMES[:1]))


def test_with_one_class_in_the_mean_the_strict_one_is_the_objective(
    marsearch: Command, tmp_path: Path, binary: Path
) -> None:
    """cvlab-stonybrook/SAMPath#16, open-mmlab/mmsegmentation#962: what a constant answer wins is no objective."""
    create = ("create", "s", "--data", binary, "--trials", 3, "--warm-start", "none")
    made = marsearch(*create)
    assert made.returncode == 0
    assert [
        line for line in made.stderr.splitlines() if "one class is left in the mean" in line and "miou_strict" in line
    ]
    looked = marsearch("data", "inspect", binary).stdout
    assert "one class is left in the mean" in looked
    assert "the objective is miou_strict" in looked
    assert json.loads(marsearch("status", "s", "--json").stdout)["objective"] == "miou_strict"
    assert marsearch(*create).returncode == 0  # the same command again
    assert marsearch(*create, "--objective", "miou").returncode == 2
    other = marsearch("create", "t", *create[2:], "--objective", "miou")
    assert other.returncode == 0
    assert "scores mIoU 1.0" in other.stderr
    assert json.loads(marsearch("status", "t", "--json").stdout)["objective"] == "miou"


def test_a_usual_study_goes_by_the_lenient_mean_without_a_word(marsearch: Command, tmp_path: Path) -> None:
    """cvlab-stonybrook/SAMPath#16: where no constant answer wins, nothing changes and nothing is said."""
    made = marsearch("create", "s", "--data", write_data(tmp_path / "d.npz"), "--warm-start", "none")
    assert made.returncode == 0
    assert "left in the mean" not in made.stderr + marsearch("data", "inspect", "d.npz").stdout
    assert re.search(r"best constant answer 0\.\d{4}$", made.stderr, re.MULTILINE)  # no class is left out: both are one
    assert json.loads(marsearch("status", "s", "--json").stdout)["objective"] == "miou"


@pytest.mark.parametrize("asked", [None, "miou"])
def test_one_training_chooses_its_epoch_by_the_strict_mean_where_a_constant_answer_wins(
    asked: str | None, marsearch: Command, tmp_path: Path, binary: Path
) -> None:
    """cvlab-stonybrook/SAMPath#16: nor is the epoch of a single training chosen by what answering blindly wins."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    options = ("--objective", asked) if asked else ()
    ended = marsearch("train", "recipe.yaml", "--data", binary, "--out", "b", *options)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stderr.splitlines()
    assert "one class is left in the mean" in lines[0]
    metrics = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert metrics["constant"]["miou"] == 1.0
    assert all(
        f"best constant answer 1.0000 (strict {metrics['constant']['miou_strict']:.4f})" in x for x in lines[1:4]
    )
    curve = [point["miou" if asked else "miou_strict"] for point in metrics["curve"]]
    assert metrics["epoch"] == 1 + curve.index(max(curve))
    assert "best constant answer" in (tmp_path / "b" / "README.md").read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study `s` of two trials on data.npz, a fifth of which is held out, beside it."""
    folder = tmp_path_factory.mktemp("study")
    write_data(folder / "data.npz")
    (folder / "space.yaml").write_text(TINY_SPACE.replace("batch_size: 16", "batch_size: 8"))
    data = ("--data", folder / "data.npz", "--space", folder / "space.yaml", "--warm-start", "none")
    size = ("--trials", 2, "--epochs", 2, "--workers", 1, "--device", "cpu", "--holdout", 0.2)
    with kept_handlers(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MARSEARCH_HOME", str(folder / "home"))
        assert answer(["run", "s", *map(str, (*data, *size))]) == 0
    return folder / "home"


def test_the_constant_answer_stands_beside_every_score_of_a_study(marsearch: Command, home: Path) -> None:
    """open-mmlab/mmsegmentation#962: status, trials as table, JSON and CSV, and the page in the browser have it."""
    here = {"MARSEARCH_HOME": str(home)}
    report = json.loads(marsearch("status", "s", "--json", **here).stdout)
    constant = report["best"]["constant"]
    assert 0 < constant["miou"] == constant["miou_strict"] < 0.34
    shown = f"{constant['miou']:.4f}"
    assert f"(best constant answer {shown})" in marsearch("status", "s", **here).stdout
    assert marsearch("trials", "s", **here).stdout.strip().splitlines()[-1].split()[:2] == [shown, "best"]
    assert (
        json.loads(marsearch("trials", "s", "--format", "json", **here).stdout)[0]["constant_miou"] == constant["miou"]
    )
    assert ",constant_miou" in marsearch("trials", "s", "--format", "csv", **here).stdout
    listed = json.loads(marsearch("study", "list", "--json", **here).stdout)["studies"][0]
    assert listed["constant"] == constant["miou"]
    assert re.search(rf"{listed['best']:.4f} +{shown}", marsearch("study", "list", **here).stdout)
    with closing(open_store(f"sqlite:///{home / 'marsearch.db'}", str(home / "artifacts"))) as store:
        seen = Board(ViewStorage(store, home)).look(1)
    page = bytes(board_page(seen, Reader(writes=False, studies=[seen.study]), "").body).decode()
    assert re.search(rf"<td[^>]*>{shown}</td>\s*<td[^>]*>{shown}</td>.*best constant answer", page, re.DOTALL)


def test_the_holdout_is_scored_by_export_and_each_look_is_counted(
    marsearch: Command, home: Path, tmp_path: Path
) -> None:
    """maxpumperla/hyperas#193, alan-turing-institute/autoemulate#118: what is held out is scored after the choice."""
    here = {"MARSEARCH_HOME": str(home)}

    def held() -> dict[str, object]:
        return dict(json.loads(marsearch("status", "s", "--json", **here).stdout)["holdout"])

    held_out = held()["images"]
    assert held() == {"images": held_out, "looks": 0, "trial": None, "miou": None, "miou_strict": None}
    assert f"{held_out} images, not looked at yet" in marsearch("status", "s", **here).stdout
    ended = marsearch("export", "s", "b", **here)
    assert ended.returncode == 0, ended.stderr
    assert f"on {held_out} images held out, first look: mIoU" in ended.stderr
    metrics = json.loads((tmp_path / "b" / "metrics.json").read_text())
    found = metrics["holdout"]
    assert (found["looks"], found["images"], sum(map(sum, found["confusion"]))) == (1, held_out, held_out * 16 * 16)
    assert held() == {
        "images": held_out,
        "looks": 1,
        "trial": metrics["trial"],
        "miou": found["miou"],
        "miou_strict": found["miou_strict"],
    }
    assert f"looked at once: {found['miou']:.4f}" in marsearch("status", "s", **here).stdout
    assert "scored on them once" in (tmp_path / "b" / "README.md").read_text()
    assert marsearch("export", "s", "c", **here).returncode == 0
    again = json.loads((tmp_path / "c" / "metrics.json").read_text())["holdout"]
    assert (again["looks"], again["miou"]) == (2, found["miou"])
    assert "looked at 2 times" in marsearch("status", "s", **here).stdout


def test_an_export_that_fails_says_where_the_weights_are(
    marsearch: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open-mmlab/mmsegmentation#2108: whatever fails in a check, nothing is lost, and it is one sentence."""
    monkeypatch.setattr("search.outcome.bundle.prove", lambda *_args, **_options: 1 / 0)
    ended = marsearch("export", "s", "d", MARSEARCH_HOME=str(home))
    assert ended.returncode == 2
    assert re.search(r"division by zero; the weights stay in the artifact store as (\S+)", ended.stderr)
    named = ended.stderr.split()[-1]
    assert list((home / "artifacts").rglob(named))


@pytest.mark.parametrize("excluded", [(0,), (0, 1)])
def test_a_constant_answer_is_measured_where_nothing_that_counts_is_shown(excluded: tuple[int, ...]) -> None:
    """open-mmlab/mmsegmentation#962: what is undefined for one answer hides no other."""
    names = tuple(NAMES[label] for label in excluded)
    facts = DataFacts(channels=1, height=16, width=16, class_names=NAMES, excluded=names)
    found = best_constant([5, 0, 0], facts)
    assert np.isnan(found.miou)
    assert found.miou_strict == 0.0


def test_a_bundle_is_scored_on_any_labelled_file(marsearch: Command, tmp_path: Path) -> None:
    """maxpumperla/hyperas#193: on new images both means, Dice, numbers of each class and pictures, by one command."""
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    data = write_data(tmp_path / "data.npz")
    assert marsearch("train", "recipe.yaml", "--data", data, "--out", "b").returncode == 0
    images, masks = scenes(20, seed=9)
    masks[:, 0] = 255
    new = {"images": images, "class_names": np.array(NAMES), "ignore_label": np.array(255)}
    np.savez(tmp_path / "new.npz", masks=masks, **new)
    ended = marsearch("evaluate", "b", "new.npz", "--out", "pictures", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    np.savez(tmp_path / "alone.npz", images=images)
    assert marsearch("predict", "b", "alone.npz", "labels.npz").returncode == 0
    labels, truth = np.load(tmp_path / "labels.npz")["masks"][masks < 255], masks[masks < 255]
    hits = [((labels == k) & (truth == k)).sum() for k in range(3)]
    sums = [(labels == k).sum() + (truth == k).sum() for k in range(3)]
    assert found["mean_dice"] == pytest.approx(np.mean([2 * h / s for h, s in zip(hits, sums, strict=True)]))
    assert found["miou"] == pytest.approx(np.mean([h / (s - h) for h, s in zip(hits, sums, strict=True)]))
    assert found["classes"]["rock"]["truth_pixels"] == int((truth == 1).sum())
    assert found["constant"]["miou"] == pytest.approx(constant_by_hand(truth, 3)[0])
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "00_panel.png",
        "20_confusion.png",
        "30_iou.csv",
        "50_confusion.csv",
    }
    table = marsearch("evaluate", "b", "new.npz").stdout
    assert all(word in table for word in (*NAMES, "mean", "best constant answer", f"{found['mean_dice']:.4f}"))
    assert "was trained on" in marsearch("evaluate", "b", data).stderr
    np.savez(tmp_path / "nameless.npz", masks=masks, images=images, ignore_label=np.array(255))
    assert json.loads(marsearch("evaluate", "b", "nameless.npz", "--json").stdout) == found
    np.savez(tmp_path / "other.npz", masks=masks, **new | {"class_names": np.array(["rock", "ground", "sand"])})
    refused = marsearch("evaluate", "b", "other.npz")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "same order" in refused.stderr
