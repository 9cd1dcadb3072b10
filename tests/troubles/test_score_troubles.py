"""A score that means what it says: nothing wins it by a trick, and nothing is missing beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search.training.arrays import TrainingData
from search.training.device import image_batch
from search.training.fit import fit
from spaces.facts import DataFacts
from spaces.modules.networks.network import build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet

NAMES = ("ground", "rock", "sand")


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
