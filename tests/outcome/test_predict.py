from __future__ import annotations

import numpy as np
import pytest
import torch

from search.outcome.predict import predict_labels, probabilities
from search.training.arrays import TrainingData
from search.training.fit import fit
from spaces.modules.networks.network import Network, build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet
from support.small_data import small_data


@pytest.fixture(scope="module")
def colour() -> TrainingData:
    return small_data(3)


@pytest.fixture(scope="module")
def network(colour: TrainingData) -> Network:
    recipe = Recipe(model=UNet(filters=4, depth=2), optimisation=Optimisation(batch_size=4, epochs=1))
    weights = next(fit(recipe, colour)).weights
    assert weights is not None
    network = build_network(recipe, colour.facts, mean=[0.0] * 3, std=[1.0] * 3)
    network.load_state_dict(weights)
    return network


def test_labels_are_the_most_probable(network: Network, colour: TrainingData) -> None:
    labels = predict_labels(network, colour.validation_images, batch_size=3)
    assert labels.dtype == np.uint8
    assert labels.shape == colour.validation_masks.shape
    images = torch.tensor(colour.validation_images).permute(0, 3, 1, 2)
    network.eval()
    with torch.no_grad():
        expected = torch.cat([network(image[None]).argmax(1) for image in images])
    assert (labels == expected.numpy()).mean() > 0.999  # ties aside
    assert len(np.unique(labels)) > 1


def test_tta_does_not_know_left_from_right(network: Network, colour: TrainingData) -> None:
    images = torch.tensor(colour.validation_images).permute(0, 3, 1, 2).float()
    network.eval()
    with torch.no_grad():
        found = probabilities(network, images, ["horizontal"])
        mirrored = probabilities(network, images.flip(-1), ["horizontal"]).flip(-1)
        plain = probabilities(network, images)
    torch.testing.assert_close(found, mirrored)
    assert not torch.allclose(found, plain, atol=1e-4)
    torch.testing.assert_close(found.sum(dim=1), torch.ones_like(found[:, 0]))
    labels = predict_labels(network, colour.validation_images, batch_size=8, mirrors=["horizontal"])
    assert (labels == found.argmax(1).numpy()).mean() > 0.999


def test_no_images_give_no_labels(network: Network) -> None:
    assert predict_labels(network, np.zeros((0, 16, 24, 3), np.uint8), batch_size=8).shape == (0, 16, 24)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(network: Network, colour: TrainingData, training: bool) -> None:
    network.train(training)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predict_labels(network, colour.validation_images[:2], batch_size=8)
    assert network.training is training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
