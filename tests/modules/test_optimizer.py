"""The optimisers take the same steps as torch's own, to the bit, and load nothing of its compiler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch.nn import Parameter

from spaces.modules.optimizer import Adam, build_optimizer
from spaces.recipe import Optimisation

CASES: dict[str, tuple[Optimisation, Callable[[list[Parameter]], torch.optim.Optimizer]]] = {
    "sgd": (
        Optimisation(optimizer="sgd", lr=0.05, momentum=0.95, weight_decay=1e-3, decayed="all"),
        lambda own: torch.optim.SGD(own, lr=0.05, momentum=0.95, weight_decay=1e-3, nesterov=True, fused=True),
    ),
    "adam": (
        Optimisation(optimizer="adam", lr=0.01, momentum=0.85, weight_decay=1e-2, decayed="all"),
        lambda own: torch.optim.Adam(own, lr=0.01, betas=(0.85, 0.999), weight_decay=1e-2, fused=True),
    ),
    "adamw": (
        Optimisation(optimizer="adamw", lr=0.01, momentum=0.9, weight_decay=0.1, decayed="all"),
        lambda own: torch.optim.AdamW(own, lr=0.01, betas=(0.9, 0.999), weight_decay=0.1, fused=True),
    ),
}


def parameters() -> list[Parameter]:
    """A bias, a weight in rows, one with its channels last, and one that never gets a gradient."""
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=generator) for shape in ((3,), (4, 2), (4, 3, 3, 3), (5,))]
    tensors[2] = tensors[2].contiguous(memory_format=torch.channels_last)
    return [Parameter(tensor) for tensor in tensors]


@pytest.mark.parametrize("name", CASES)
def test_its_steps_are_torchs(name: str) -> None:
    section, torchs = CASES[name]
    ours, theirs = parameters(), parameters()
    optimizer, reference = build_optimizer(section, ours), torchs(theirs)
    generator = torch.Generator().manual_seed(1)
    for step in range(12):
        optimizer.lr = reference.param_groups[0]["lr"] = section.lr / (1 + step)
        optimizer.zero_grad()
        reference.zero_grad()
        for own, other in zip(ours[:3], theirs[:3], strict=True):
            if (
                step or own.dim() > 1 or name == "sgd"
            ):  # Adam: the bias has its first gradient later; torch's SGD cannot
                # In the parameter's order of memory, as autograd leaves it.
                gradient = torch.empty_like(own).detach().copy_(torch.randn(own.shape, generator=generator))
                own.grad, other.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        reference.step()
        assert all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True))
    for own, other in zip(ours[:3], theirs[:3], strict=True):
        kept = {key: value for key, value in reference.state[other].items() if torch.is_tensor(value)}
        assert optimizer.state[own].keys() == kept.keys()
        assert all(torch.equal(optimizer.state[own][key], value) for key, value in kept.items())
    assert ours[3] not in optimizer.state


@pytest.mark.parametrize("name", CASES)
def test_norms_and_biases_do_not_decay_unless_asked(name: str) -> None:
    section, torchs = CASES[name]
    ours, theirs = parameters()[:3], parameters()[:3]
    optimizer, reference = build_optimizer(section.model_copy(update={"decayed": "kernels"}), ours), torchs(theirs[1:])
    reference.add_param_group({"params": [theirs[0]], "weight_decay": 0.0})
    for own, other in zip(ours, theirs, strict=True):
        own.grad, other.grad = torch.ones_like(own), torch.ones_like(other)
    for _ in range(3):
        optimizer.step()
        reference.step()
    assert all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("clip", [0.0, 0.5, 1e3])
def test_the_gradient_is_clipped_as_torch_does(clip: float) -> None:
    section, torchs = CASES["sgd"]
    ours, theirs = parameters()[:3], parameters()[:3]
    optimizer, reference = build_optimizer(section.model_copy(update={"clip": clip}), ours), torchs(theirs)
    for own, other in zip(ours, theirs, strict=True):
        own.grad, other.grad = torch.full_like(own, 2.0), torch.full_like(other, 2.0)
    norm = torch.nn.utils.clip_grad_norm_(theirs, clip or torch.inf)
    assert norm > 0.5
    optimizer.step()
    reference.step()
    assert all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True))


def test_the_first_moment_of_the_discriminator_decays_as_the_paper_says() -> None:
    ours, theirs = parameters(), parameters()
    optimizer = Adam(ours, lr=2e-4, betas=(0.5, 0.999))
    reference = torch.optim.Adam(theirs, lr=2e-4, betas=(0.5, 0.999), fused=True)
    for own, other in zip(ours, theirs, strict=True):
        own.grad, other.grad = torch.ones_like(own), torch.ones_like(other)
    optimizer.step()
    reference.step()
    assert all(torch.equal(own, other) for own, other in zip(ours, theirs, strict=True))


def test_a_training_does_not_load_torchs_compiler() -> None:
    """It takes a worker longer to load than all the rest."""
    code = """
import sys
import numpy as np
from search.training.arrays import TrainingData
from search.training.fit import fit
from spaces import DataFacts, load_preset

facts = DataFacts(channels=1, height=16, width=16, class_names=("a", "b", "c"))
images, masks = np.zeros((8, 16, 16, 1), np.uint8), np.arange(8 * 256).reshape(8, 16, 16).astype(np.uint8) % 3
data = TrainingData(train_images=images, train_masks=masks, validation_images=images, validation_masks=masks,
                    facts=facts, ignore_label=None)
recipe = load_preset("c1-dice")
changes = recipe.optimisation.model_copy(update={"epochs": 1})
for epoch in fit(recipe.model_copy(update={"optimisation": changes}), data):
    epoch.snapshot()
assert not [name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
