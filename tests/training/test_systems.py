"""Trainings of the reports' systems: second networks, several heads, adaptive weights, repeated rare images."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from search.outcome.predict import predict_labels
from search.training.arrays import TrainingData
from search.training.confusion import confusion_matrix
from search.training.device import resident_images
from search.training.fit import Epoch, fit
from search.training.metrics import scores
from search.training.setup import prepare, total_steps
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.networks.network import build_network, count_parameters
from spaces.recipe import Recipe


def recipe(**sections: Any) -> Recipe:
    plain: dict[str, Any] = {
        "model": {"family": "unet", "filters": 4, "depth": 2},
        "optimisation": {"batch_size": 4, "epochs": 5, "lr": 1e-2},
    }
    return Recipe.model_validate(plain | sections)


def prepared(wanted: Recipe, data: TrainingData) -> Any:
    return prepare(wanted, data, torch.device("cpu"), lambda: False)


def reloaded(wanted: Recipe, data: TrainingData, epochs: list[Epoch]) -> Any:
    best = [epoch for epoch in epochs if epoch.counts][-1]
    network = build_network(wanted, data.facts, mean=[0.0], std=[1.0])
    network.load_state_dict(dict(best.weights or {}))
    return network.eval(), best


def test_a_background_network_is_trained_merged_and_kept(grey: TrainingData) -> None:
    wanted = recipe(background={"depth": 2, "filters": 4, "lr": 1e-2})
    epochs = list(fit(wanted, grey, objective="miou_strict"))
    network, best = reloaded(wanted, grey, epochs)
    assert best.record.miou_strict > 0.5  # the network alone never says background: see the next test
    assert best.record.parameters == count_parameters(network)
    assert best.record.parameters > count_parameters(build_network(recipe(), grey.facts, mean=[0.0], std=[1.0]))
    labels = torch.from_numpy(predict_labels(network, grey.validation_images, batch_size=8))
    again = scores(confusion_matrix(labels, torch.from_numpy(grey.validation_masks), 3), grey.facts)
    assert again.miou_strict == pytest.approx(best.record.miou_strict, abs=0.005)


def test_a_background_network_raises_the_strict_score(grey: TrainingData) -> None:
    alone = max(e.record.miou_strict for e in fit(recipe(), grey))
    merged = max(e.record.miou_strict for e in fit(recipe(background={"filters": 4, "depth": 2, "lr": 1e-2}), grey))
    assert merged > alone + 0.05


def test_a_background_network_leaves_the_other_ones_weights_as_they_are(grey: TrainingData) -> None:
    alone = next(iter(fit(recipe(), grey))).weights
    merged = next(iter(fit(recipe(background={"filters": 4, "depth": 2}), grey))).weights
    assert alone is not None
    assert merged is not None
    assert all(torch.equal(tensor, merged[name]) for name, tensor in alone.items())


def test_without_an_excluded_class_there_is_no_background_to_find(grey: TrainingData) -> None:
    from dataclasses import replace

    facts = DataFacts(channels=1, height=16, width=24, class_names=("sky", "soil", "rock"))
    with pytest.raises(SpaceError, match="background"):
        next(iter(fit(recipe(background={}), replace(grey, facts=facts))))


@pytest.mark.parametrize("family", ["unet", "wnet", "unetpp", "unet3plus", "dual_unet", "deeplab", "marsseg"])
def test_every_family_learns_with_supervision_at_three_levels(family: str, grey: TrainingData) -> None:
    level = {"cross_entropy": {"weight": 1.0}, "level_weight": 0.3}
    wanted = recipe(
        model={"family": family, "filters": 4, "depth": 2},
        loss={"low": level, "inter": level, "dice": {"weight": 0.5}},
        optimisation={"batch_size": 4, "epochs": 8, "lr": 1e-2},
    )
    epochs = list(fit(wanted, grey))
    assert max(epoch.record.miou for epoch in epochs) > 0.5
    network, best = reloaded(wanted, grey, epochs)
    labels = torch.from_numpy(predict_labels(network, grey.validation_images, batch_size=8))
    again = scores(confusion_matrix(labels, torch.from_numpy(grey.validation_masks), 3), grey.facts)
    assert again.miou == pytest.approx(best.record.miou, abs=0.01)


def test_adaptive_weights_follow_the_training_iou(grey: TrainingData) -> None:
    wanted = recipe(class_weights={"scheme": "adaptive", "iou_offset": 0.1})
    setup = prepared(wanted, grey)
    assert setup.loss.weights.tolist() == pytest.approx([1, 1, 1])
    from search.training.step import ConfusionMeter

    tally = ConfusionMeter(setup)
    masks = torch.tensor([[[1, 1, 2, 2]]])
    logits = torch.zeros(1, 3, 1, 4)
    logits[:, 1] = 1.0  # everything is soil: IoU 0.5 and 0
    tally.add(logits, masks)
    tally.reweigh()
    soil, rock = 1 / 0.6, 1 / 0.1
    mean = (soil + rock) / 2
    assert setup.loss.weights.tolist()[1:] == pytest.approx([soil / mean, rock / mean], rel=1e-5)


def test_adaptive_weights_change_a_training(grey: TrainingData) -> None:
    plain, adaptive = (
        [e.record.train_loss for e in fit(recipe(class_weights={"scheme": scheme}), grey)]
        for scheme in ("none", "adaptive")
    )
    assert plain[0] == adaptive[0]
    assert plain[1:] != adaptive[1:]


def test_late_repetition_makes_late_epochs_longer_and_the_schedule_knows(grey: TrainingData) -> None:
    wanted = recipe(data={"oversample": {"copies": 4, "phase": 0.4}}, optimisation={"epochs": 5, "batch_size": 4})
    setup = prepared(wanted, grey)
    counts = [setup.samples.count(epoch) for epoch in range(1, 6)]
    assert counts[0] == len(grey.train_images)
    assert counts[:3] == counts[:1] * 3
    assert counts[3] > counts[0]
    assert total_steps(setup.samples, wanted.optimisation) == sum(count // 4 for count in counts)
    epochs = list(fit(wanted, grey))
    assert epochs[-1].record.lr < 1e-5  # the one-cycle rate has come to its end, not past it


def test_everything_at_once_repeats_itself(grey: TrainingData) -> None:
    wanted = recipe(
        augment={
            "noise": 0.1,
            "brightness": 0.2,
            "contrast": 0.2,
            "geometry": {"zoom": 0.2, "rotation": 10.0, "elastic": 2.0, "grid_distortion": 0.2},
            "mixing": {"method": "cutmix", "probability": 0.5},
            "class_factors": {"rock": 2.0},
        },
        data={"oversample": {"copies": 2, "isolate": True}},
        background={"filters": 4, "depth": 2},
        class_weights={"scheme": "adaptive"},
        optimisation={"epochs": 2, "batch_size": 4},
    )
    first, again = (list(fit(wanted, grey)) for _ in range(2))
    assert [e.record.train_loss for e in first] == [e.record.train_loss for e in again]
    assert [e.record.confusion for e in first] == [e.record.confusion for e in again]


def test_images_stay_in_their_own_type(grey: TrainingData) -> None:
    assert (
        prepared(recipe(), grey).samples.images.dtype == resident_images(grey.train_images, torch.device("cpu")).dtype
    )
