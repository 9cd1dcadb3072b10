"""The adversary of Pix2Pix learns, counts in the generator's loss as weighted, and labels images late."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from search.training.adversary import Adversary, one_hot
from search.training.arrays import TrainingData
from search.training.fit import fit
from spaces.modules.networks.network import build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import Pix2Pix, UNet

MODEL = Pix2Pix(generator=UNet(filters=4, depth=2), discriminator_filters=8, discriminator_layers=1, pixel_weight=10.0)
RECIPE = Recipe(model=MODEL, optimisation=Optimisation(batch_size=4, epochs=4, lr=1e-2))
CPU = torch.device("cpu")


def adversary(data: TrainingData, model: Pix2Pix = MODEL) -> Adversary:
    return Adversary(model, RECIPE, data.facts, CPU, 40)


def test_one_hot_leaves_other_labels_empty() -> None:
    masks = torch.tensor([[[0, 2, 255]]], dtype=torch.uint8)
    assert one_hot(masks, 3)[0, :, 0].T.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_the_discriminator_learns_to_tell_them_apart(grey: TrainingData) -> None:
    opponent = adversary(grey)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 1, 16, 24, generator=generator)
    truth = one_hot(torch.randint(0, 3, (4, 16, 24), generator=generator), 3)
    fake = torch.zeros(4, 3, 16, 24)
    before = opponent.generator_loss(images, fake, torch.zeros(())).item()
    for _ in range(30):
        opponent.learn(images, truth, fake)
    assert opponent.generator_loss(images, fake, torch.zeros(())).item() > before + 0.5


def test_the_generators_loss_is_the_weighted_sum(grey: TrainingData) -> None:
    opponent = adversary(grey)
    opponent.discriminator.eval()
    images, logits = torch.randn(2, 1, 16, 24), torch.randn(2, 3, 16, 24, requires_grad=True)
    with torch.no_grad():
        patches = opponent.discriminator(images, logits.softmax(dim=1)).float()
    expected = functional.softplus(-patches).mean() + 10.0 * 0.3
    found = opponent.generator_loss(images, logits, torch.tensor(0.3))
    assert found.item() == pytest.approx(float(expected), rel=2e-2)  # bfloat16 where the machine has it
    found.backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in opponent.discriminator.parameters())


def test_the_generator_labels_its_share_in_the_second_half_only(grey: TrainingData) -> None:
    opponent = adversary(grey, MODEL.model_copy(update={"generated": 0.5}))
    network = build_network(RECIPE, grey.facts, mean=[100.0], std=[50.0]).train()
    images = torch.rand(4, 1, 16, 24) * 255
    masks = torch.full((4, 16, 24), 7, dtype=torch.uint8)
    kept = torch.ones_like(masks, dtype=torch.bool)
    kept[0, 0] = False
    assert torch.equal(opponent.relabel(network, images, masks, 2, kept), masks)
    late = opponent.relabel(network, images, masks, 3, kept)
    assert network.training
    assert late[:2][kept[:2]].max() < 3
    assert bool((late[0, 0] == 7).all())
    assert torch.equal(late[2:], masks[2:])


@pytest.mark.parametrize("generated", [0.0, 0.5])
def test_a_training_against_it_learns_and_keeps_the_generator_alone(grey: TrainingData, generated: float) -> None:
    recipe = RECIPE.model_copy(
        update={
            "model": MODEL.model_copy(update={"generated": generated}),
            "optimisation": RECIPE.optimisation.model_copy(update={"epochs": 8}),
        }
    )
    epochs = list(fit(recipe, grey))
    again = list(fit(recipe, grey))
    assert max(epoch.record.miou for epoch in epochs) > 0.6
    assert [e.record.train_loss for e in epochs] == [e.record.train_loss for e in again]
    assert all(math.isfinite(e.record.train_loss) for e in epochs)
    weights = next(e.weights for e in epochs if e.weights is not None)
    assert not any("discriminator" in name for name in weights)
    build_network(recipe, grey.facts, mean=[1.0], std=[1.0]).load_state_dict(dict(weights))
