"""Images per second of `fit` beside a plain training loop, in one run.

The plain loop is what one writes first: a DataLoader, float32, NCHW, torch's default AdamW, `.item()` each step.
Both train the same U-Net on the same random images, without augmentation, and take turns.

    python benchmarks/training_step.py [--filters 16] [--depth 4] [--batch 32] [--images 128] [--rounds 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from search.training.arrays import TrainingData, channel_statistics
from search.training.device import autocast_dtype
from search.training.fit import fit
from spaces.facts import DataFacts
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.network import build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet
from spaces.recipe.data_options import Augment


def random_data(images: int, height: int, width: int) -> TrainingData:
    rng = np.random.default_rng(0)
    names = ("background", "soil", "bedrock", "sand", "big rock")
    facts = DataFacts(channels=1, height=height, width=width, class_names=names, excluded=names[:1])
    pixels = rng.integers(0, 256, (images + 1, height, width), dtype=np.uint8)
    masks = rng.integers(0, 5, (images + 1, height, width), dtype=np.uint8)
    return TrainingData(
        train_images=pixels[1:],
        train_masks=masks[1:],
        validation_images=pixels[:1],  # one image: the epoch's time is its steps
        validation_masks=masks[:1],
        facts=facts,
    )


def plain_epochs(recipe: Recipe, data: TrainingData) -> Iterator[float]:
    """Train for ever; yield the seconds of each epoch."""
    mean, std = channel_statistics(data.train_images)
    network = build_network(recipe, data.facts, mean=mean, std=std)
    loss = build_loss(recipe.loss, torch.ones(data.facts.classes), data.facts, None)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.optimisation.lr)
    images = torch.tensor(data.train_images)[:, None].float()
    loader = DataLoader(
        TensorDataset(images, torch.tensor(data.train_masks).long()),
        batch_size=recipe.optimisation.batch_size,
        shuffle=True,
        drop_last=True,
    )
    while True:
        started, total = time.perf_counter(), 0.0
        for batch, masks in loader:
            optimizer.zero_grad()
            value = loss(network(batch), masks)
            value.backward()
            optimizer.step()
            total += value.item()
        yield time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("filters", 16), ("depth", 4), ("batch", 32), ("images", 128), ("rounds", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", default="64x128", help="HxW")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    height, width = (int(n) for n in given.size.split("x"))
    data = random_data(given.images, height, width)
    recipe = Recipe(
        model=UNet(filters=given.filters, depth=given.depth),
        augment=Augment(flip_horizontal=False),
        optimisation=Optimisation(batch_size=given.batch, epochs=given.rounds + 1),
    )
    plain, ours = [], []
    for epoch, seconds in zip(fit(recipe, data), plain_epochs(recipe, data), strict=False):
        plain.append(seconds)
        ours.append(epoch.seconds)

    images = given.images // given.batch * given.batch
    before, after = images / min(plain[1:]), images / min(ours[1:])  # the first round warms up
    print(
        f"U-Net {given.filters} filters, depth {given.depth}, batch {given.batch}, {given.size} grey,"
        f" {given.threads} thread(s), torch {torch.__version__}, autocast {autocast_dtype(torch.device('cpu'))}"
    )
    print(f"{'way':<12}{'images/s':>10}")
    print(f"{'plain loop':<12}{before:>10.1f}\n{'fit':<12}{after:>10.1f}\n{'ratio':<12}{after / before:>9.2f}x")


if __name__ == "__main__":
    main()
