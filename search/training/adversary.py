"""The discriminator's side of Pix2Pix (arXiv 1611.07004, report D), alive during training only.

Shapes: B images, C channels, K classes, H and W pixels, h and w patches.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from search.training.device import autocast, loss_scale
from spaces.facts import DataFacts
from spaces.modules.loss_scale import descend
from spaces.modules.networks.network import Network
from spaces.modules.networks.patchgan import build_discriminator
from spaces.modules.optimizer import Adam
from spaces.modules.schedule import build_schedule
from spaces.recipe import Recipe
from spaces.recipe.architecture import Pix2Pix

BETAS = (0.5, 0.999)
"""Of the discriminator's Adam (arXiv 1611.07004, section 3.3)."""

SELF_LABELLED_FROM = 0.5
"""Share of the epochs after which the generator is good enough to label images itself."""


class Adversary:
    """A PatchGAN that learns to tell (image, true mask) from (image, generated mask)."""

    def __init__(
        self, model: Pix2Pix, recipe: Recipe, facts: DataFacts, device: torch.device, total_steps: int
    ) -> None:
        """Its weights come from the recipe's seed, its learning rate follows the recipe's schedule."""
        self.model = model
        self.device = device
        self.epochs = recipe.optimisation.epochs
        self.discriminator = build_discriminator(model, facts, recipe.seed).to(device)
        rate = recipe.optimisation.lr * model.discriminator_lr  # it is Adam's, whatever the generator's SGD needs
        section = recipe.optimisation.model_copy(update={"optimizer": "adam", "lr": rate})
        self.optimizer = Adam(self.discriminator.parameters(), lr=rate, betas=BETAS)
        self.schedule = build_schedule(section, self.optimizer, total_steps)
        self.scale = loss_scale(device)
        self._paid: list[Tensor] = []  # each step's, of the discriminator and of the generator

    def learn(self, images: Tensor, truth: Tensor, logits: Tensor) -> None:
        """One step of the discriminator.

        images: normalised (B, C, H, W). truth: one-hot (B, K, H, W). logits: the generator's (B, K, H, W).
        The loss is halved, so that the discriminator learns slower than the generator (section 3.3).
        """
        fake = logits.detach().softmax(dim=1)
        self.discriminator.requires_grad_(True)
        with autocast(self.device):
            real_patches = self.discriminator(images, truth).float()
            fake_patches = self.discriminator(images, fake).float()
        loss = (_agreement(real_patches, real=True) + _agreement(fake_patches, real=False)) / 2
        descend(loss, [self.optimizer], self.scale)
        self.schedule.step()
        self._paid.append(loss.detach())

    def generator_loss(self, images: Tensor, logits: Tensor, pixel_loss: Tensor) -> Tensor:
        """The mean of the BCE of passing for real and pixel_loss by adversarial_weight and pixel_weight, a scalar.

        The paper adds them up (eq. 4), which Adam does not notice; SGD would take steps of 100 times the rate.
        """
        self.discriminator.requires_grad_(False)
        with autocast(self.device):
            patches = self.discriminator(images, logits.softmax(dim=1)).float()
        adversarial, pixel = self.model.adversarial_weight, self.model.pixel_weight
        passing = _agreement(patches, real=True)
        self._paid.append(passing.detach())
        total: Tensor = (adversarial * passing + pixel * pixel_loss) / (adversarial + pixel)
        return total

    def mean_losses(self) -> tuple[float, float]:
        """What generator and discriminator paid each other, means over the steps since the last call."""
        discriminator, generator = torch.stack(self._paid).view(-1, 2).double().mean(dim=0).tolist()
        self._paid.clear()
        return generator, discriminator

    def relabel(self, network: Network, images: Tensor, masks: Tensor, epoch: int, kept: Tensor) -> Tensor:
        """Masks (B, H, W) of which the first ``generated`` share are the generator's own, late in the training.

        Report D augments its training data by the generator: images as the augmentation leaves them are new, and
        the generator says what they show (our reading). kept: (B, H, W), False where a pixel counts nowhere.
        """
        count = round(self.model.generated * len(images))
        if count == 0 or epoch <= SELF_LABELLED_FROM * self.epochs:
            return masks
        network.eval()
        with torch.no_grad(), autocast(self.device):
            labels = network(images[:count]).argmax(dim=1).to(masks.dtype)
        network.train()
        return torch.cat((torch.where(kept[:count], labels, masks[:count]), masks[count:]))


def one_hot(masks: Tensor, classes: int) -> Tensor:
    """Labels (B, H, W) as (B, K, H, W) float32; a label outside 0 .. K-1 is zero everywhere."""
    labels = torch.arange(classes, device=masks.device).view(1, -1, 1, 1)
    return (masks[:, None] == labels).float()


def _agreement(patches: Tensor, *, real: bool) -> Tensor:
    """Mean binary cross entropy of patch logits (B, 1, h, w) with one answer for all of them."""
    answer = torch.ones_like(patches) if real else torch.zeros_like(patches)
    return functional.binary_cross_entropy_with_logits(patches, answer)
