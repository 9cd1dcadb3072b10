"""From images of several sizes to a bundle, labels and scores, through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from search.outcome.bundle import read_bundle
from search.outcome.evaluation import evaluate
from storage.data.dataset import read_dataset, write_dataset
from support.commands import Command, command_here
from support.mixed_sizes import mixed_dataset

RECIPE = "model: {depth: 2, filters: 4}\noptimisation: {batch_size: 4, lr: 1e-2, fit_offset: true}\n"
SPACE = "base: cpu\nmodel: {depth: 2, filters: 4}\noptimisation: {batch_size: 4}\n"


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_dataset(mixed_dataset(12, channels=3, tests=3), tmp_path / "d.npz")
    return tmp_path / "d.npz"


def check_prediction(marsearch: Command, folder: Path, bundle: str) -> None:
    """Each image's labels in its own size, the same with another batch."""
    assert marsearch("predict", bundle, "d.npz", "out.npz").returncode == 0
    out, dataset = np.load(folder / "out.npz"), read_dataset(folder / "d.npz")
    assert dataset.test_sizes is not None
    assert np.array_equal(out["sizes"], dataset.test_sizes)
    assert out["masks"].shape == (3, 48, 64)
    table = marsearch("predict", bundle, "d.npz", "out.csv")
    assert table.returncode == 2
    assert "sizes: name an .npz" in table.stderr


def test_a_training_on_several_sizes_leaves_a_bundle(marsearch: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(RECIPE)
    made = marsearch("train", "r.yaml", "--data", "d.npz", "--out", "b", "--epochs", "3", "--device", "cpu")
    assert made.returncode == 0, made.stderr
    bundle, dataset = read_bundle(tmp_path / "b"), read_dataset(data)
    assert bundle.facts.mixed
    assert "crops of 64x64 pixels" in (tmp_path / "b" / "README.md").read_text()
    check_prediction(marsearch, tmp_path, "b")
    scored = json.loads(marsearch("evaluate", "b", "d.npz", "--json", "--out", "pictures").stdout)
    found, labels = evaluate(
        bundle.network,
        bundle.recipe,
        dataset.images,
        dataset.masks,
        bundle.facts,
        ignore_label=dataset.ignore_label,
        sizes=dataset.sizes,
    )
    assert scored["confusion"] == [list(row) for row in found.scores.confusion]
    assert sum(map(sum, found.scores.confusion)) == int((dataset.masks != 255).sum())
    assert labels.shape == dataset.masks.shape


def test_a_larger_image_is_labelled_by_what_the_network_saw_at_a_time(marsearch: Command, tmp_path: Path) -> None:
    """Trained on small equal images: windows of their size slide over a larger one; the corner is labelled as alone."""
    from search.outcome.predict import predict_labels
    from search.training.pieces.windows import window_of
    from storage.data.synthetic import synthesise

    dataset = synthesise(train=16, test=0, seed=0, height=24, width=32, channels=1, classes=3)
    write_dataset(dataset, tmp_path / "small.npz")
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert marsearch("train", "r.yaml", "--data", "small.npz", "--out", "b", "--epochs", "1").returncode == 0
    bundle = read_bundle(tmp_path / "b")
    window = window_of(bundle.recipe, bundle.facts)
    assert (window.height, window.width) == (24, 32)
    tiled = np.block([[dataset.images[0], dataset.images[1]], [dataset.images[2], dataset.images[3]]])[None]
    np.savez(tmp_path / "large.npz", images=tiled)
    told = marsearch("predict", "b", "large.npz", "out.npz")
    assert told.returncode == 0
    assert "48x64" in told.stderr
    labels = np.load(tmp_path / "out.npz")["masks"][0]
    own = predict_labels(bundle.network, dataset.images[:1], batch_size=4)[0]
    assert labels.shape == (48, 64)
    assert (labels[:6, :8] == own[:6, :8]).mean() > 0.95  # where the first window alone counts, nearly
    mirrored = bundle.recipe.augment.mirrors
    assert mirrored
    assert marsearch("predict", "b", "large.npz", "again.npz", "--tta").returncode == 0


@pytest.mark.whole
def test_a_study_on_several_sizes(marsearch: Command, data: Path, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)
    asked = ("--data", data, "--space", "s.yaml", "--trials", "2", "--epochs", "3", "--warm-start", "none")
    made = marsearch("create", "mixed", *asked)
    assert made.returncode == 0, made.stderr
    assert marsearch("work", "mixed", "--workers", "1").returncode == 0
    exported = marsearch("export", "mixed", "best")
    assert exported.returncode == 0, exported.stderr
    best = json.loads(marsearch("status", "mixed", "--json").stdout)["best"]
    metrics = json.loads((tmp_path / "best" / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(best["value"], abs=1e-6)
    check_prediction(marsearch, tmp_path, "best")
