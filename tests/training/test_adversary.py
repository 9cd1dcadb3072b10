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
    assert opponent.generator_loss(images, fake, torch.zeros(())).item() > before + 0.5 / 11


def test_the_generators_loss_is_the_weighted_mean(grey: TrainingData) -> None:
    opponent = adversary(grey)
    opponent.discriminator.eval()
    images, logits = torch.randn(2, 1, 16, 24), torch.randn(2, 3, 16, 24, requires_grad=True)
    with torch.no_grad():
        patches = opponent.discriminator(images, logits.softmax(dim=1)).float()
    expected = (functional.softplus(-patches).mean() + 10.0 * 0.3) / 11
    found = opponent.generator_loss(images, logits, torch.tensor(0.3))
    assert found.item() == pytest.approx(float(expected), rel=2e-2)  # bfloat16 where the machine has it
    found.backward()
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) > 0
    assert all(parameter.grad is None for parameter in opponent.discriminator.parameters())


def test_what_both_sides_pay_is_recorded(grey: TrainingData) -> None:
    """Report D, figures of both losses: a discriminator that wins shows there and nowhere else."""
    records = [epoch.record for epoch in fit(RECIPE, grey)]
    assert all(
        0 < (record.adversarial_loss or 0) < 20 and 0 < (record.discriminator_loss or 0) < 20 for record in records
    )
    assert len({record.adversarial_loss for record in records}) == len(records)
    (plain,) = (epoch.record for epoch in fit(Recipe(optimisation=Optimisation(epochs=1, batch_size=4)), grey))
    assert plain.adversarial_loss is plain.discriminator_loss is None


def test_the_losses_are_means_over_the_steps(grey: TrainingData) -> None:
    opponent = adversary(grey)
    images, logits = torch.randn(2, 1, 16, 24), torch.zeros(2, 3, 16, 24)
    truth, paid = one_hot(torch.zeros(2, 16, 24, dtype=torch.int64), 3), []
    for _ in range(3):
        opponent.learn(images, truth, logits)
        paid.append(11 * opponent.generator_loss(images, logits, torch.zeros(())).item())
    generator, _ = opponent.mean_losses()
    assert generator == pytest.approx(sum(paid) / 3, rel=1e-5)


def test_the_discriminators_rate_is_adams_whatever_the_generators_optimiser(grey: TrainingData) -> None:
    model = MODEL.model_copy(update={"discriminator_lr": 0.5})
    for optimizer, own in (("adam", 0.0), ("sgd", 0.0), ("sgd", 0.3)):
        changes = {"optimizer": optimizer, "sgd_lr": own, "schedule": "none"}
        recipe = RECIPE.model_copy(update={"optimisation": RECIPE.optimisation.model_copy(update=changes)})
        opponent = Adversary(model, recipe, grey.facts, CPU, 40)
        assert opponent.optimizer.lr == opponent.schedule.lr == pytest.approx(0.5 * 1e-2)


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
