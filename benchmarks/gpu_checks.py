"""Is a training on the device right? Most checks train, or compute, the same on the CPU and compare.

Also what `pytest -m gpu` runs. Random numbers of two devices differ, so what is compared draws none: no dropout, no
augmentation. float32 is compared with float32, and what the device trains in (16 bits) with that, less closely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import torch
from gpu_lines import Line
from torch import Tensor, nn

from search.training import device as devices
from search.training.arrays import TrainingData
from search.training.checkpoint import Snapshot, on_host, read_snapshot, write_snapshot
from search.training.confusion import confusion_matrix
from search.training.epoch import EpochRecord
from search.training.fit import fit
from search.training.setup import prepare
from search.training.step import train_step
from search.worker.devices import DeviceSlot, device_slots
from search.worker.gpus import Gpu
from search.worker.job_files import samples_of
from search.worker.process import WorkerProcess
from search.worker.protocol import Checkpointing, Failed, Finished, Message, Train
from spaces import DataFacts, Recipe, dump_recipe
from spaces.modules.losses.losses import build_loss
from spaces.recipe.data_options import Augment, Geometry
from spaces.recipe.loss import Loss, Terms
from storage.data.dataset import write_dataset
from storage.data.quality.examination import examine
from storage.data.synthetic import synthesise

FAMILIES = ("unet", "wnet", "dual_unet", "unetpp", "unet3plus", "deeplab", "marsseg", "pix2pix")
CLASSES = 5
FACTS = DataFacts(
    channels=1, height=32, width=64, class_names=("background", "soil", "bedrock", "sand", "rock"), excluded=()
)
CLOSE, NEAR = 1e-3, 5e-2  # relative: float32 beside float32, 16 bits beside float32
LITTLE_GB = 0.75  # of memory for a training that is to lack it, beside 3 GiB that it needs
EVERYTHING = Augment(
    flip_horizontal=True,
    flip_vertical=True,
    noise=0.1,
    blur=1.0,
    brightness=0.2,
    contrast=0.2,
    geometry=Geometry(zoom=0.2, rotation=10.0),
)
HUGE = {"model": {"family": "unet", "filters": 64}, "optimisation": {"batch_size": 128, "epochs": 1, "patience": 1}}


def small_recipe(family: str, **optimisation: object) -> Recipe:
    """A recipe of the family that draws no random number in its steps."""
    network = {"family": family, "depth": 2, "filters": 8}
    model = {"family": "pix2pix", "generator": {**network, "family": "unet"}, "discriminator_filters": 8}
    section = {"epochs": 1, "patience": 9, "batch_size": 8, "schedule": "none", **optimisation}
    return Recipe.model_validate(
        {
            "model": model if family == "pix2pix" else network,
            "augment": {"flip_horizontal": False},
            "optimisation": section,
        }
    )


def small_data(samples: int = 32) -> TrainingData:
    """Synthetic tiles, half of them for validation; no class is left out of the mean."""
    tiles = synthesise(train=2 * samples, test=0, seed=0, height=FACTS.height, width=FACTS.width, classes=CLASSES)
    return TrainingData(
        train_images=tiles.images[::2],
        train_masks=tiles.masks[::2],
        validation_images=tiles.images[1::2],
        validation_masks=tiles.masks[1::2],
        facts=FACTS,
    )


def networks(device: str, families: Sequence[str] = FAMILIES) -> Iterator[Line]:
    """One epoch of each family, beside the same on the CPU."""
    for family in families:
        recipe = small_recipe(family)
        with mock.patch.object(devices, "autocast_dtype", return_value=None):
            reference, found = _epochs(recipe, "cpu")[-1], _epochs(recipe, device)[-1]
        yield _compared(f"{family}, float32", found, reference, CLOSE)
        kind = devices.autocast_dtype(torch.device(device))
        if kind is not None:
            yield _compared(f"{family}, {str(kind)[6:]}", _epochs(recipe, device)[-1], reference, NEAR)


def _epochs(recipe: Recipe, device: str) -> list[EpochRecord]:
    return [epoch.record for epoch in fit(recipe, small_data(), device)]


def _compared(name: str, found: EpochRecord, reference: EpochRecord, close: float) -> Line:
    pairs = {
        "loss": (found.train_loss, reference.train_loss),
        "validation loss": (found.validation_loss, reference.validation_loss),
    }
    apart = {what: abs(a - b) / max(abs(b), 1e-6) for what, (a, b) in pairs.items()}
    score = abs(found.miou - reference.miou)
    text = ", ".join(f"{what} {share:.1e} apart" for what, share in apart.items())
    passed = apart["loss"] <= close and apart["validation loss"] <= 10 * close and score <= max(0.02, close)
    return Line(part="networks", name=name, passed=passed, text=f"{text}, mIoU {score:.4f}")


def losses(device: str) -> Iterator[Line]:
    """Each term of the loss and its gradient, beside float64 on the CPU."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, CLASSES, 32, 64, generator=generator)
    labels = torch.randint(CLASSES, (4, 32, 64), generator=generator)
    for term in Terms.needs_one:
        section = Loss.model_validate({"cross_entropy": None, term: {}})
        value, slope = _passes(section, logits.double(), labels)
        found, found_slope = (each.cpu().double() for each in _passes(section, logits.to(device), labels.to(device)))
        apart = float((found - value).abs() / value.abs().clamp(min=1e-6))
        tilted = float((found_slope - slope).norm() / slope.norm())
        text = f"{apart:.1e} apart, gradient {tilted:.1e}"
        yield Line(part="losses", name=term, passed=apart <= 1e-4 and tilted <= 1e-3, text=text)


def _passes(section: Loss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A loss and its gradient (4, K, 32, 64)."""
    logits = logits.detach().clone().requires_grad_()
    loss: nn.Module = build_loss(section, torch.ones(CLASSES), FACTS, None).to(logits.device, logits.dtype)
    value = loss(logits, labels)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


def confusion(device: str) -> Iterator[Line]:
    """Pixels are counted as on the CPU, one by one."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES + 1, (2, 64, 128, 256), generator=generator)
    truth = labels[1].clone()
    truth[truth == CLASSES] = 255
    prediction = labels[0].clamp(max=CLASSES - 1)
    expected = confusion_matrix(prediction, truth, CLASSES, 255)
    found = confusion_matrix(prediction.to(device), truth.to(device), CLASSES, 255).cpu()
    yield Line(part="mIoU", name="pixels counted", passed=bool((found == expected).all()), text=f"{int(found.sum()):,}")


def waits(device: str) -> Iterator[Line]:
    """Two steps of each family, of which the second may not wait: torch raises an error where the host would."""
    for family in FAMILIES:
        recipe = small_recipe(family).model_copy(update={"augment": EVERYTHING})
        setup = prepare(recipe, small_data(), torch.device(device), lambda: False)
        rows, generator = torch.arange(8, device=device), torch.Generator(device)
        setup.network.train()
        train_step(setup, rows, 1, generator, None)  # moves constants over, and starts CUDA's libraries
        problem = ""
        with _no_waiting(device):
            try:
                train_step(setup, rows, 1, generator, None)
            except RuntimeError as error:
                problem = " ".join(str(error).split())[:200]
        text = problem or ("none" if device != "cpu" else "none that a CPU could know of")
        known = None if device == "cpu" and not problem else not problem
        yield Line(part="waits", name=family, passed=known, text=text)


@contextmanager
def _no_waiting(device: str) -> Iterator[None]:
    if device == "cpu":
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def resumed(device: str) -> Iterator[Line]:
    """A training that was cut after its first epoch, read from its file, ends where the uncut one does."""
    recipe, data = small_recipe("unet", epochs=3, ema=0.9), small_data()
    whole = list(fit(recipe, data, device))[-1]
    first = next(fit(recipe, data, device))
    snapshot = _through_a_file(first.snapshot())
    again = list(fit(recipe, data, device, resume=snapshot))[-1]
    apart = abs(again.record.train_loss - whole.record.train_loss) / whole.record.train_loss
    # What is kept of an epoch before the cut came from the file, and lies on the CPU.
    here, there = on_host(again.snapshot().tensors), on_host(whole.snapshot().tensors)
    same = all(torch.equal(tensor, there[name]) for name, tensor in here.items())
    text = "every bit is the same" if same else f"loss {apart:.1e} apart"
    yield Line(part="resume", name="three epochs, cut after one", passed=apart <= CLOSE, text=text)


def _through_a_file(snapshot: Snapshot) -> Snapshot:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint"
        write_snapshot(path, snapshot)
        return read_snapshot(path, 2**30)


def out_of_memory(device: str) -> Iterator[Line]:
    """A training that lacks memory ends its worker with that word, and the next one trains."""
    if device == "cpu":
        yield Line(part="memory", name="out of memory", text="needs a GPU")
        return
    [slot] = device_slots(device, 1, Path())
    assert slot.gpu is not None
    total = torch.cuda.get_device_properties(0).total_memory / 2**30
    with TemporaryDirectory() as name:
        folder = Path(name)
        little = replace(slot, gpu=Gpu(id=slot.gpu.id, share=LITTLE_GB / total), log=folder / "log")
        with WorkerProcess(little) as worker:
            failed = _last(worker, Recipe.model_validate(HUGE), folder / "huge", little)
            finished = _last(worker, small_recipe("unet"), folder / "small", little)
    refused = isinstance(failed, Failed) and failed.kind == "memory"
    text = f"first {type(failed).__name__}: {getattr(failed, 'reason', '')[:90]}; then {type(finished).__name__}"
    passed = refused and isinstance(finished, Finished)
    yield Line(part="memory", name="out of memory on purpose", passed=passed, text=text)


def _last(worker: WorkerProcess, recipe: Recipe, out: Path, slot: DeviceSlot) -> Message:
    """The message that closes a training of synthetic tiles."""
    out.mkdir()
    tiles, file = synthesise(train=320, test=0, seed=0), out / "tiles.npz"
    write_dataset(tiles, file)
    split = examine(tiles, str(file), clean="auto", seed=0).split
    order = Train(
        job=worker.next_job(),
        recipe=dump_recipe(recipe),
        samples=samples_of(split, file, ()),
        out=str(out),
        device=slot.device,
        share=slot.share,
        objective="miou",
        checkpoint=Checkpointing(path=str(out / "checkpoint")),
    )
    return list(worker.train(order))[-1]


CHECKS: dict[str, Callable[[str], Iterator[Line]]] = {
    "networks": networks,
    "losses": losses,
    "mIoU": confusion,
    "waits": waits,
    "resume": resumed,
    "memory": out_of_memory,
}
"""By part; each takes the device's name."""
