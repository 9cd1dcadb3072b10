"""Images per second of `fit` beside a plain training loop and Lightning, in one run.

The plain loop is what one writes first: a DataLoader that flips and adds noise image by image, float32, NCHW, torch's
default AdamW, `.item()` each step, and after each epoch a validation that counts the pixels of each class. It is
measured with autocast, too. Lightning is the same loop in its words, where it is installed (`pip install lightning`).
All train the same network on the same random images and take turns; `fit` keeps a moving average of the weights beside.
The network of the others is as one writes it, with torch's own concatenation and transposed convolution (`as_written`).

    python benchmarks/training_step.py [--recipes "U-Net 16" ...] [--threads 1 2] [--batch 32] [--images 128]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from importlib.util import find_spec
from itertools import pairwise, product
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from search.training.arrays import TrainingData, channel_statistics
from search.training.device import autocast, autocast_dtype
from search.training.fit import fit
from search.training.metrics import scores
from search.worker.devices import cores
from spaces.facts import DataFacts
from spaces.modules.layers.concatenation import DenseGradients
from spaces.modules.layers.upsampling import Squares
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.network import build_network
from spaces.recipe import Recipe

RECIPES = {"U-Net 16": ("unet", 16), "U-Net 32": ("unet", 32), "UNet 3+ 16": ("unet3plus", 16), "WNet 16": ("wnet", 16)}
WAYS = ("plain", "plain, 16 bits", "ours")
VALIDATED = 8  # so many times fewer images are for validation


def recipe_of(name: str, batch: int, narrower: int = 1) -> Recipe:
    """What people train: flips, noise and a moving average of the weights among it. narrower: divides the filters."""
    family, filters = RECIPES[name]
    return Recipe.model_validate(
        {
            "model": {"family": family, "filters": filters // narrower},
            "augment": {"flip_horizontal": True, "noise": 0.05},
            "optimisation": {"batch_size": batch, "epochs": 2000, "patience": 2000, "ema": 0.99},
        }
    )


def random_data(images: int, height: int, width: int) -> TrainingData:
    """So many images to learn from, an eighth of that and at least one to be judged on."""
    rng = np.random.default_rng(0)
    names = ("background", "soil", "bedrock", "sand", "big rock")
    facts = DataFacts(channels=1, height=height, width=width, class_names=names, excluded=names[:1])
    size = (images + max(1, images // VALIDATED), height, width)
    pixels, masks = (rng.integers(0, most, size, dtype=np.uint8) for most in (256, 5))
    return TrainingData(
        train_images=pixels[:images],
        train_masks=masks[:images],
        validation_images=pixels[images:],
        validation_masks=masks[images:],
        facts=facts,
    )


class Images(Dataset[tuple[Tensor, Tensor]]):
    """Images (1, H, W) in float32 and masks, the images flipped and with noise as the recipe has it."""

    def __init__(self, recipe: Recipe, data: TrainingData) -> None:
        self._images = torch.tensor(data.train_images)[:, None].float()
        self._masks = torch.tensor(data.train_masks).long()
        self._flip, self._noise = recipe.augment.flip_horizontal, recipe.augment.noise * float(data.train_images.std())

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        image, mask = self._images[place], self._masks[place]
        if self._flip and torch.rand(()) < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        return image + self._noise * torch.randn(image.shape), mask


def loaders(recipe: Recipe, data: TrainingData) -> tuple[DataLoader[tuple[Tensor, Tensor]], DataLoader[list[Tensor]]]:
    """Batches to learn from, and to be judged on."""
    batch = recipe.optimisation.batch_size
    judged = [
        (torch.tensor(image)[None].float(), torch.tensor(mask).long())
        for image, mask in zip(data.validation_images, data.validation_masks, strict=True)
    ]
    return DataLoader(Images(recipe, data), batch, shuffle=True, drop_last=True), DataLoader(judged, batch)


@contextmanager
def as_written() -> Iterator[None]:
    """Networks without what ours does for the sake of speed: the same numbers but for rounding.

    Nor with what ours does without: cuDNN rounds float32 to TF32 unless it is told not to, which `fit` does.
    """
    apply = patch.object(DenseGradients, "apply", lambda *maps: torch.cat(maps, dim=1))
    rounded = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with apply, patch.object(Squares, "forward", nn.ConvTranspose2d.forward):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = rounded


def plain_epochs(
    recipe: Recipe, data: TrainingData, device: str = "cpu", *, half: bool = False
) -> Generator[float, None, None]:
    """Train for ever; yield the seconds of each epoch. half: with autocast, as `fit` has it on that device."""
    mean, std = channel_statistics(data.train_images)
    network = build_network(recipe, data.facts, mean=mean, std=std).to(device)
    loss = build_loss(recipe.loss, torch.ones(data.facts.classes), data.facts, None).to(device)
    precision = autocast(torch.device(device)) if half else nullcontext()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.optimisation.lr)
    learnt, judged = loaders(recipe, data)
    while True:
        started, total = time.perf_counter(), 0.0
        network.train()
        for images, masks in learnt:
            optimizer.zero_grad()
            with precision:
                logits = network(images.to(device))
            value = loss(logits.float(), masks.to(device))
            value.backward()
            optimizer.step()
            total += value.item()
        network.eval()
        with torch.no_grad():
            confusion = sum(_counted(network(images.to(device)), masks) for images, masks in judged)
        scores(confusion, data.facts)
        yield time.perf_counter() - started


def _counted(logits: Tensor, masks: Tensor) -> Tensor:
    """Pixels by (truth, prediction): (K, K)."""
    classes = logits.shape[1]
    cells = masks.flatten() * classes + logits.argmax(1).cpu().flatten()
    return torch.bincount(cells, minlength=classes**2).view(classes, classes)


def lightning_seconds(recipe: Recipe, data: TrainingData, epochs: int) -> float:
    """Seconds of the best epoch but the first of the plain loop in Lightning's words."""
    import lightning

    mean, std = channel_statistics(data.train_images)
    classes, ends = data.facts.classes, []

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = build_network(recipe, data.facts, mean=mean, std=std)
            self.loss = build_loss(recipe.loss, torch.ones(classes), data.facts, None)
            self.confusion = torch.zeros(classes, classes, dtype=torch.int64)

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            value = self.loss(self.network(batch[0]), batch[1])
            self.log("loss", value, on_epoch=True)
            return value

        def validation_step(self, batch: list[Tensor], _: int) -> None:
            self.confusion += _counted(self.network(batch[0]), batch[1])

        def on_validation_epoch_end(self) -> None:
            self.log("miou", scores(self.confusion, data.facts).miou)
            ends.append(time.perf_counter())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=recipe.optimisation.lr)

    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=epochs, num_sanity_val_steps=0, **quiet)
    with as_written():
        trainer.fit(Module(), *loaders(recipe, data))
    return min(after - before for before, after in pairwise(ends))


def measured(recipe: Recipe, data: TrainingData, rounds: int, device: str = "cpu") -> dict[str, float]:
    """Images per second of each way, in its best epoch but the first, which warms up."""
    ways = {
        "plain": plain_epochs(recipe, data, device),
        "plain, 16 bits": plain_epochs(recipe, data, device, half=True),
        "ours": (epoch.record.seconds for epoch in fit(recipe, data, device)),
    }
    turns: list[dict[str, float]] = [{} for _ in range(1 + rounds)]
    for turn, (way, epochs) in product(turns, ways.items()):
        with nullcontext() if way == "ours" else as_written():
            turn[way] = next(epochs)
    seconds = {way: min(turn[way] for turn in turns[1:]) for way in ways}
    for epochs in ways.values():
        epochs.close()
    batch = recipe.optimisation.batch_size
    return {way: len(data.train_images) // batch * batch / took for way, took in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    for name, default in (("batch", 32), ("images", 128), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", default="64x128", help="HxW")
    told = parser.parse_args()
    height, width = (int(n) for n in told.size.split("x"))
    data, lightning = random_data(told.images, height, width), find_spec("lightning") is not None
    print(f"{date.today()}, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"{cores()} cores, autocast {autocast_dtype(torch.device('cpu'))}; {told.size} grey, batch {told.batch}\n")
    heads = ["recipe, images/s", "threads", *WAYS, "times plain", *(["Lightning", "times Lightning"] * lightning)]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for name, threads in product(told.recipes, told.threads):
        torch.set_num_threads(threads)
        recipe = recipe_of(name, told.batch)
        rates = measured(recipe, data, told.rounds)
        cells = [name, str(threads), *(f"{rates[way]:.1f}" for way in WAYS), f"{rates['ours'] / rates['plain']:.1f}x"]
        if lightning:
            rate = told.images // told.batch * told.batch / lightning_seconds(recipe, data, 1 + told.rounds)
            cells += [f"{rate:.1f}", f"{rates['ours'] / rate:.1f}x"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
