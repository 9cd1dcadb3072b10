"""A training that was cut and resumed equals one that was not, bit for bit; bad checkpoints are refused."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from search.training import checkpoint as checkpoint_module
from search.training.arrays import TrainingData
from search.training.checkpoint import CheckpointError, Snapshot, read_snapshot, write_snapshot
from search.training.fit import Epoch, fit
from spaces.recipe import Recipe

EPOCHS = 5
LARGEST = 100_000_000

PLAIN: dict[str, Any] = {
    "model": {"family": "unet", "filters": 4, "depth": 2, "growth": 1.5},
    "optimisation": {"batch_size": 8, "epochs": EPOCHS, "lr": 1e-2},
}
DROPOUT = {"model": PLAIN["model"] | {"dropout": 0.3, "dropout_place": "every_block"}}
BUSY_AUGMENT = {
    "noise": 0.1,
    "blur": 0.5,
    "flip_vertical": True,
    "geometry": {"zoom": 0.2, "rotation": 10.0, "elastic": 2.0},
    "mixing": {"method": "cutmix", "probability": 0.5},
}


def optimised(**changes: Any) -> dict[str, Any]:
    return {"optimisation": PLAIN["optimisation"] | changes}


def family(name: str, **changes: Any) -> dict[str, Any]:
    return {"model": {"family": name, "filters": 4, "depth": 2} | changes}


CASES: dict[str, dict[str, Any]] = {
    "adamw with one-cycle": {},
    "adam with plateau": optimised(optimizer="adam", schedule="plateau"),
    "sgd with cosine": optimised(optimizer="sgd", schedule="cosine"),
    "poly": optimised(schedule="poly"),
    "dropout and every augmentation": DROPOUT | {"augment": BUSY_AUGMENT},
    "group norm, so rows first": {"model": PLAIN["model"] | {"norm": "group"}},
    "background network": {"background": {"filters": 4, "depth": 2}},
    "adaptive class weights": {"class_weights": {"scheme": "adaptive"}},
    "a late phase of oversampling": {"data": {"oversample": {"copies": 3, "phase": 0.4, "isolate": True}}},
    "pix2pix": {
        "model": {
            "family": "pix2pix",
            "generator": family("unet")["model"],
            "discriminator_filters": 8,
            "generated": 0.25,
        }
    }
    | optimised(ema=0.9),
    "everything at once": DROPOUT
    | {
        "augment": BUSY_AUGMENT,
        "background": {"filters": 4, "depth": 2},
        "class_weights": {"scheme": "adaptive"},
        "data": {"oversample": {"copies": 2, "phase": 0.6}},
        "loss": {"low": {"cross_entropy": {"weight": 1.0}}, "inter": {"cross_entropy": {"weight": 1.0}}},
    }
    | optimised(schedule="plateau", ema=0.9),
    "a moving average": optimised(ema=0.9),
    "the last weights": optimised(kept="last", schedule="none"),
    "the last of a moving average": optimised(kept="last", ema=0.5, optimizer="sgd"),
    **{name: family(name) for name in ("wnet", "unetpp", "unet3plus", "dual_unet", "deeplab", "marsseg")},
}


def recipe(**sections: Any) -> Recipe:
    return Recipe.model_validate(PLAIN | sections)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def told(epoch: Epoch) -> tuple[Any, ...]:
    """All that an epoch says and that time has no part in."""
    known = {"seconds": 0.0, "memory_mb": 0.0, "miou": 0.0, "miou_strict": 0.0}  # which may be NaN; see the confusion
    return replace(epoch.record, **known), epoch.counts


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether both hold the same names and the same bits."""
    return one.keys() == other.keys() and all(
        a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
        for a, b in ((one[name].contiguous(), other[name].contiguous()) for name in one)
    )


def uncut(wanted: Recipe, data: TrainingData, **options: Any) -> tuple[list[tuple[Any, ...]], list[Snapshot]]:
    """What every epoch of a training in one go says, and the state after each."""
    epochs, snapshots = [], []
    for epoch in fit(wanted, data, **options):
        epochs.append(told(epoch))
        snapshots.append(epoch.snapshot())
    return epochs, snapshots


def through_a_file(snapshot: Snapshot, folder: Path) -> Snapshot:
    write_snapshot(folder / "checkpoint.safetensors", snapshot)
    return read_snapshot(folder / "checkpoint.safetensors", LARGEST)


def disturb() -> None:
    """Put every global generator where no training would leave it."""
    torch.manual_seed(random.randrange(2**31))
    np.random.seed(random.randrange(2**31))
    random.seed(random.random())


def must_continue(wanted: Recipe, data: TrainingData, folder: Path, cuts: Iterator[int], **options: Any) -> None:
    """Cut after each of those epochs, resume through a file, and compare all that follows and all that is left."""
    epochs, snapshots = uncut(wanted, data, **options)
    for cut in cuts:
        disturb()
        kept = through_a_file(snapshots[cut - 1], folder)
        rest = fit(wanted, data, resume=kept, **options)
        final = kept
        following = []
        for epoch in rest:
            following.append(told(epoch))
            final = epoch.snapshot()
        assert following == epochs[cut:]
        assert same(dict(final.tensors), dict(snapshots[-1].tensors))
        assert json.dumps(final.document) == json.dumps(snapshots[-1].document)
        assert same(final.kept_weights(), snapshots[-1].kept_weights())


@pytest.mark.parametrize("case", CASES)
def test_resumed_at_any_epoch_it_ends_with_the_same_bits(case: str, grey: TrainingData, tmp_path: Path) -> None:
    must_continue(recipe(**CASES[case]), grey, tmp_path, iter(range(1, EPOCHS + 1)))


def test_cut_after_every_epoch_it_ends_with_the_same_bits(grey: TrainingData, tmp_path: Path) -> None:
    wanted = recipe(**CASES["everything at once"])
    epochs, snapshots = uncut(wanted, grey)
    kept, following = None, []
    for _ in range(EPOCHS):
        disturb()
        epoch = next(fit(wanted, grey, resume=kept))
        following.append(told(epoch))
        kept = through_a_file(epoch.snapshot(), tmp_path)
    assert kept is not None
    assert following == epochs
    assert same(dict(kept.tensors), dict(snapshots[-1].tensors))


def test_a_plateau_is_counted_across_the_cut(grey: TrainingData, tmp_path: Path) -> None:
    """With a score that cannot move (NaN), the rate is halved after six epochs, wherever the cut was."""
    nowhere = replace(grey, validation_masks=np.zeros_like(grey.validation_masks))
    wanted = recipe(**optimised(schedule="plateau", epochs=9, batch_size=16), loss={"ignore_excluded": False})
    epochs, _ = uncut(wanted, nowhere)
    assert [record.lr for record, _ in epochs] == [1e-2] * 6 + [5e-3] * 3
    assert math.isnan(next(fit(wanted, nowhere)).record.miou)
    must_continue(wanted, nowhere, tmp_path, iter((1, 5, 6, 7)))


def test_patience_is_counted_across_the_cut(grey: TrainingData, tmp_path: Path) -> None:
    nowhere = replace(grey, validation_masks=np.zeros_like(grey.validation_masks))
    changes = optimised(lr=1e-5, schedule="none", epochs=200, patience=3, batch_size=16)
    wanted = recipe(**changes, loss={"ignore_excluded": False})
    epochs, _ = uncut(wanted, nowhere)
    assert [record.number for record, _ in epochs] == [1, 2, 3, 4]
    must_continue(wanted, nowhere, tmp_path, iter((1, 2, 3)))


@pytest.mark.parametrize(("objective", "ema"), [("miou", 0.0), ("miou", 0.9), ("miou_strict", 0.0)])
def test_the_best_weights_survive_where_no_later_epoch_improves(
    objective: str, ema: float, grey: TrainingData, tmp_path: Path
) -> None:
    """The validation part has both classes the wrong way round: the more is learnt, the worse the score."""
    swapped = np.array([0, 2, 1], np.uint8)[grey.validation_masks]
    data = replace(grey, validation_masks=swapped)
    wanted = recipe(**optimised(schedule="none", epochs=8, batch_size=4, ema=ema))
    best: dict[int, dict[str, torch.Tensor]] = {}
    last = None
    for epoch in fit(wanted, data, objective=objective):  # type: ignore[arg-type]
        if epoch.weights is not None:
            best[epoch.record.number] = {name: tensor.clone() for name, tensor in epoch.weights.items()}
        kept = through_a_file(epoch.snapshot(), tmp_path)
        assert kept.kept_epoch == max(best)
        assert same(kept.kept_weights(), best[max(best)])
        last = kept
    assert last is not None
    assert last.kept_epoch < 6, "the case does not show what it is for"
    must_continue(wanted, data, tmp_path, iter((last.kept_epoch, 7)), objective=objective)


def test_a_checkpoint_from_before_there_was_a_choice_goes_on(grey: TrainingData, tmp_path: Path) -> None:
    wanted = recipe()
    epochs, snapshots = uncut(wanted, grey)
    later = {"kept_epoch", "averaged"}
    document = {name: value for name, value in snapshots[1].document.items() if name not in later}
    tensors = {name: tensor for name, tensor in snapshots[1].tensors.items() if name != "shown"}
    old = replace(snapshots[1], document=document, tensors=tensors)
    assert [told(epoch) for epoch in fit(wanted, grey, resume=through_a_file(old, tmp_path))] == epochs[2:]


def test_after_the_last_epoch_nothing_is_left_to_do(grey: TrainingData, tmp_path: Path) -> None:
    wanted = recipe()
    _, snapshots = uncut(wanted, grey)
    assert list(fit(wanted, grey, resume=through_a_file(snapshots[-1], tmp_path))) == []


def test_memory_stays_in_the_order_of_its_parameter(grey: TrainingData, tmp_path: Path) -> None:
    """A fused step runs along the memory of parameter and state side by side."""
    from search.training.setup import prepare
    from search.training.state import State

    for name in ("adamw with one-cycle", "sgd with cosine", "group norm, so rows first"):
        wanted = recipe(**CASES[name])
        snapshot = through_a_file(next(fit(wanted, grey)).snapshot(), tmp_path)
        setup = prepare(wanted, grey, torch.device("cpu"), lambda: False)
        before = {key: tensor.stride() for key, tensor in setup.network.state_dict().items()}
        State(setup, "miou").restore(snapshot)
        assert {key: tensor.stride() for key, tensor in setup.network.state_dict().items()} == before
        states = setup.optimizers[0].optimizer.state
        assert len(states) == len(list(setup.network.parameters()))
        for parameter, kept in states.items():
            assert all(tensor.stride() == parameter.stride() for tensor in kept.values() if tensor.dim())
        lasts = torch.channels_last if "group" not in name else torch.contiguous_format
        wide = [p for p in states if p.dim() == 4 and p.shape[1] > 1 and p.shape[-1] > 1]
        assert wide
        assert all(p.is_contiguous(memory_format=lasts) for p in wide)


def test_a_snapshot_is_independent_of_the_training(grey: TrainingData) -> None:
    training = fit(recipe(**CASES["everything at once"]), grey)
    snapshot = next(training).snapshot()
    before = {name: tensor.clone() for name, tensor in snapshot.tensors.items()}
    next(training)
    assert same(dict(snapshot.tensors), before)
    assert {tensor.device.type for tensor in snapshot.tensors.values()} == {"cpu"}


def test_a_snapshot_is_taken_before_the_training_goes_on_or_never(grey: TrainingData) -> None:
    training = fit(recipe(), grey)
    first = next(training)
    second = next(training)
    with pytest.raises(RuntimeError, match="the snapshot of epoch 1 must be taken before the training goes on"):
        first.snapshot()
    assert second.snapshot().epoch == 2


def test_it_says_where_it_was_made(grey: TrainingData) -> None:
    document = next(fit(recipe(), grey)).snapshot().document
    assert (document["device"], document["threads"], document["torch"]) == ("cpu", 1, torch.__version__)
    assert json.loads(json.dumps(document)) == document


@pytest.mark.parametrize("change", ["recipe", "seed", "pixels", "split", "objective", "ignored"])
def test_a_checkpoint_of_another_training_is_refused(change: str, grey: TrainingData) -> None:
    wanted, data, options = recipe(), grey, {}
    kept = next(fit(wanted, data)).snapshot()
    if change == "recipe":
        wanted = recipe(**optimised(lr=2e-2))
    elif change == "seed":
        wanted = recipe(seed=1)
    elif change == "pixels":
        images = grey.train_images.copy()
        images[0, 0, 0] ^= 1
        data = replace(grey, train_images=images)
    elif change == "split":
        data = replace(grey, train_images=grey.train_images[1:], train_masks=grey.train_masks[1:])
    elif change == "ignored":
        data = replace(grey, ignore_label=9)
    else:
        options = {"objective": "miou_strict"}
    with pytest.raises(CheckpointError, match="another recipe, other data or another objective"):
        fit(wanted, data, resume=kept, **options)  # type: ignore[arg-type]


def without(snapshot: Snapshot, name: str) -> Snapshot:
    return replace(snapshot, tensors={key: kept for key, kept in snapshot.tensors.items() if key != name})


DAMAGE: dict[str, Callable[[Snapshot], Snapshot]] = {
    "a weight is missing": lambda s: without(s, next(n for n in s.tensors if n.startswith("network/"))),
    "a buffer is missing": lambda s: without(s, "loss/weights"),
    "a weight has another shape": lambda s: replace(
        s, tensors={n: torch.zeros(7) if n.startswith("network/model") else t for n, t in s.tensors.items()}
    ),
    "a moment has another shape": lambda s: replace(
        s, tensors={n: torch.zeros(7) if n.endswith("exp_avg") else t for n, t in s.tensors.items()}
    ),
    "a moment of a stranger": lambda s: replace(s, tensors={**s.tensors, "optimizer/0/none/exp_avg": torch.ones(1)}),
    "no schedule": lambda s: replace(s, document={**s.document, "schedules": []}),
    "words for numbers": lambda s: replace(s, document={**s.document, "best": "high"}),
    "a number beyond all": lambda s: replace(s, document={**s.document, "best": 10**400}),
    "another schedule": lambda s: replace(
        s, document={**s.document, "schedules": [{"taken": 1, "lr": [1.0], "plateau": {"best": 1}}]}
    ),
    "an epoch after the last": lambda s: replace(s, epoch=99),
    "a best epoch to come": lambda s: replace(s, document={**s.document, "best_epoch": 2}),
    "no best weights": lambda s: replace(s, epoch=2),
    "a kept epoch to come": lambda s: replace(s, document={**s.document, "kept_epoch": 2}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_checkpoint_that_does_not_fit_is_refused(damage: str, grey: TrainingData) -> None:
    kept = DAMAGE[damage](next(fit(recipe(), grey)).snapshot())
    with pytest.raises(CheckpointError, match="does not fit its recipe"):
        fit(recipe(), grey, resume=kept)


def small_snapshot() -> Snapshot:
    tensors = {"network/a": torch.arange(6.0).view(1, 2, 3, 1).contiguous(memory_format=torch.channels_last)}
    tensors |= {"loss/b": torch.tensor(2.0, dtype=torch.float64), "c": torch.tensor([3], dtype=torch.int64)}
    return Snapshot(epoch=3, tensors=tensors, document={"best_epoch": 3, "history": [{"miou": math.nan}]})


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    snapshot = small_snapshot()
    again = through_a_file(snapshot, tmp_path)
    assert again.epoch == 3
    assert same(dict(again.tensors), dict(snapshot.tensors))
    assert json.dumps(again.document) == json.dumps(snapshot.document)
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert again.kept_weights().keys() == {"a"}


def contents(**metadata: str) -> bytes:
    return save({"a": torch.zeros(2)}, metadata)


FORMAT = checkpoint_module.FORMAT
BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "noise": bytes(range(256)) * 10,
    "a header as long as memory": (2**40).to_bytes(8, "little") + b"{}",
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch /tmp/hurt'\ntR.",
    "no metadata": save({"a": torch.zeros(2)}),
    "another format": contents(format="pt", epoch="1", document="{}"),
    "no epoch": contents(format=FORMAT, document="{}"),
    "an epoch in words": contents(format=FORMAT, epoch="one", document="{}"),
    "a document that is no JSON": contents(format=FORMAT, epoch="1", document="{"),
    "a document that is a list": contents(format=FORMAT, epoch="1", document="[]"),
    "a document as deep as the sea": contents(format=FORMAT, epoch="1", document="[" * 100_000),
    "cut short": contents(format=FORMAT, epoch="1", document="{}")[:-1],
    "too long": contents(format=FORMAT, epoch="1", document="{}") + b"x",
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_is_no_checkpoint_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(BAD_FILES[kind])
    with pytest.raises(CheckpointError):
        read_snapshot(path, LARGEST)


def test_a_file_that_is_missing_a_folder_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        read_snapshot(path, LARGEST)
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        read_snapshot(tmp_path, LARGEST)
    write_snapshot(path, small_snapshot())
    size = path.stat().st_size
    assert read_snapshot(path, size).epoch == 3
    with pytest.raises(CheckpointError, match="larger than"):
        read_snapshot(path, size - 1)


def test_a_byte_flipped_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    """No flipped byte of the header leads to anything but a refusal or a snapshot."""
    path = tmp_path / "checkpoint.safetensors"
    write_snapshot(path, small_snapshot())
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :])
        try:
            snapshot = read_snapshot(path, LARGEST)
        except CheckpointError:
            continue
        assert isinstance(snapshot.document, dict)


def test_what_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot be written|No such file"):
        write_snapshot(tmp_path / "gone" / "checkpoint.safetensors", small_snapshot())


def test_safetensors_reads_it_as_its_own(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "c.safetensors", small_snapshot())
    assert load((tmp_path / "c.safetensors").read_bytes()).keys() == {"network/a", "loss/b", "c"}
