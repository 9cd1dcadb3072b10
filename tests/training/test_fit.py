"""`fit`: it learns, repeats itself bit by bit, stops when it should and says what happened."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from search.errors import Diverged, Stopped
from search.outcome.predict import predict_labels
from search.training.arrays import TrainingData, channel_statistics, label_shares
from search.training.confusion import confusion_matrix
from search.training.fit import Epoch, fit
from search.training.metrics import scores
from search.training.setup import prepare
from spaces.errors import SpaceError
from spaces.modules.networks.network import build_network
from spaces.modules.optimizer import Adam, Sgd
from spaces.recipe import Background, Optimisation, Recipe
from spaces.recipe.architecture import UNet
from spaces.recipe.data_options import Augment
from spaces.recipe.loss import ClassWeights, Dice, Loss

SMALL = Recipe(
    model=UNet(filters=4, depth=2),
    optimisation=Optimisation(batch_size=4, epochs=3, lr=1e-2),
)
BUSY = SMALL.model_copy(
    update={
        "model": UNet(filters=4, depth=2, dropout=0.2),
        "augment": Augment(flip_vertical=True, noise=0.2, blur=1.0),
    }
)


def with_optimisation(recipe: Recipe, **changes: object) -> Recipe:
    """The recipe with these fields changed, even to values outside their axes."""
    return recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=changes)})


def final_weights(epochs: list[Epoch]) -> dict[str, torch.Tensor]:
    weights = [epoch.weights for epoch in epochs if epoch.weights is not None][-1]
    return dict(weights)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("channels", ["grey", "colour"])
def test_it_learns(channels: str, request: pytest.FixtureRequest) -> None:
    data: TrainingData = request.getfixturevalue(channels)
    epochs = list(fit(with_optimisation(SMALL, epochs=10), data))
    assert [epoch.record.number for epoch in epochs] == list(range(1, 11))
    assert epochs[-1].record.train_loss < 0.5 * epochs[0].record.train_loss
    best = max(epoch.record.miou for epoch in epochs)
    assert best > 0.75  # guessing one of two classes gives 0.33
    assert max(epoch.record.miou_strict for epoch in epochs) > 0.4


def test_strict_score_is_learnt_when_the_background_counts(grey: TrainingData) -> None:
    recipe = with_optimisation(SMALL, epochs=10).model_copy(update={"loss": Loss(dice=Dice(), ignore_excluded=False)})
    epochs = list(fit(recipe, grey, objective="miou_strict"))
    best = max(epochs, key=lambda epoch: epoch.record.miou_strict)
    assert best.record.miou_strict > 0.7
    assert best.counts
    assert [e.record.number for e in epochs if e.counts][-1] == best.record.number


def test_the_same_seed_gives_the_same_bits(grey: TrainingData) -> None:
    torch.manual_seed(1)
    first = list(fit(BUSY, grey))
    torch.manual_seed(2)  # the caller's randomness plays no part
    again = list(fit(BUSY, grey))
    other = list(fit(BUSY.model_copy(update={"seed": 1}), grey))
    assert [e.record.train_loss for e in first] == [e.record.train_loss for e in again]
    assert [e.record.validation_loss for e in first] == [e.record.validation_loss for e in again]
    a, b, c = final_weights(first), final_weights(again), final_weights(other)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_the_callers_randomness_is_left_alone(grey: TrainingData) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for _ in fit(BUSY, grey):
        assert torch.equal(torch.get_rng_state(), before)


def test_two_trainings_may_take_turns(grey: TrainingData) -> None:
    alone = [epoch.record.train_loss for epoch in fit(BUSY, grey)]
    turns = zip(fit(BUSY, grey), fit(BUSY.model_copy(update={"seed": 5}), grey), strict=True)
    assert [epoch.record.train_loss for epoch, _ in turns] == alone


def test_epochs_say_what_happened(grey: TrainingData) -> None:
    epochs = list(fit(with_optimisation(SMALL, epochs=6), grey))
    best = -math.inf
    for epoch in epochs:
        assert epoch.counts == (epoch.record.miou > best)
        assert (epoch.weights is not None) == epoch.counts
        best = max(best, epoch.record.miou)
        assert epoch.record.seconds > 0
        assert epoch.record.memory_mb > 0
    assert [epoch.record.last for epoch in epochs] == [False] * 5 + [True]
    network = build_network(SMALL, grey.facts, mean=[0.0], std=[1.0])
    assert {epoch.record.parameters for epoch in epochs} == {sum(p.numel() for p in network.parameters())}


def test_weights_reproduce_the_recorded_scores(colour: TrainingData) -> None:
    """Validation is in float32, so the weights loaded elsewhere give the recorded confusion to the last pixel."""
    epoch = next(fit(SMALL, colour))
    assert epoch.weights is not None
    network = build_network(SMALL, colour.facts, mean=[0.0] * 3, std=[1.0] * 3)
    network.load_state_dict(epoch.weights)
    labels = predict_labels(network, colour.validation_images, batch_size=8)
    counts = confusion_matrix(torch.tensor(labels), torch.tensor(colour.validation_masks), 3)
    assert scores(counts, colour.facts).confusion == epoch.record.confusion


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_rarest_classs_offset_is_in_the_weights_and_no_score_is_lower_for_it(
    ema: float, colour: TrainingData
) -> None:
    recipe = with_optimisation(SMALL, ema=ema, lr=3e-3)
    plain, fitted = list(fit(recipe, colour)), list(fit(with_optimisation(recipe, fit_offset=True), colour))
    assert [e.record.train_loss for e in fitted] == [e.record.train_loss for e in plain]  # it changes no step
    assert [e.record.validation_loss for e in fitted] == [e.record.validation_loss for e in plain]
    assert all(f.record.miou >= p.record.miou for f, p in zip(fitted, plain, strict=True))
    best = max(fitted, key=lambda e: e.record.miou)
    assert best.record.miou > max(e.record.miou for e in plain)
    assert best.weights is not None
    shares = label_shares(colour.train_masks, colour.facts.classes, None)
    offsets = best.weights["offsets"].flatten().tolist()
    assert [k for k, offset in enumerate(offsets) if offset] == [1 + int(shares[1] > shares[2])]
    network = build_network(with_optimisation(SMALL, fit_offset=True), colour.facts, mean=[0.0] * 3, std=[1.0] * 3)
    network.load_state_dict(best.weights)
    labels = predict_labels(network, colour.validation_images, batch_size=8)
    counts = confusion_matrix(torch.tensor(labels), torch.tensor(colour.validation_masks), 3)
    assert scores(counts, colour.facts).confusion == best.record.confusion


def test_weights_are_a_copy(grey: TrainingData) -> None:
    training = fit(SMALL, grey)
    weights = next(training).weights
    assert weights is not None
    kept = {name: tensor.clone() for name, tensor in weights.items()}
    next(training)
    assert all(torch.equal(kept[name], weights[name]) for name in kept)
    assert not any(tensor.requires_grad for tensor in weights.values())


@pytest.mark.parametrize("schedule", ["none", "plateau", "one_cycle", "cosine"])
def test_learning_rates(schedule: str, grey: TrainingData) -> None:
    epochs = list(fit(with_optimisation(SMALL, schedule=schedule, epochs=5), grey))
    lrs = [epoch.record.lr for epoch in epochs]
    assert all(0 < lr <= 1e-2 for lr in lrs)
    if schedule in ("none", "plateau"):
        assert set(lrs) == {1e-2}
    if schedule == "cosine":
        assert lrs[0] > 0.9e-2
        assert all(a > b for a, b in pairwise(lrs))
    if schedule == "one_cycle":
        assert lrs[-1] == pytest.approx(1e-2 / 25e4)
        assert max(lrs) == lrs[1]  # 30 % of five epochs


def test_plateau_lowers_the_rate_in_training(grey: TrainingData) -> None:
    """With a score that cannot move (nothing to average: NaN), the rate is halved after six epochs."""
    nowhere = replace(grey, validation_masks=np.zeros_like(grey.validation_masks))
    recipe = with_optimisation(SMALL, schedule="plateau", epochs=9, batch_size=16).model_copy(
        update={"loss": Loss(ignore_excluded=False)}
    )
    epochs = list(fit(recipe, nowhere))
    assert [epoch.record.lr for epoch in epochs] == [1e-2] * 6 + [5e-3] * 3
    assert math.isnan(epochs[0].record.miou)
    assert [epoch.counts for epoch in epochs] == [True] + [False] * 8


def test_patience_ends_it(grey: TrainingData) -> None:
    recipe = with_optimisation(SMALL, lr=1e-5, schedule="none", epochs=200, patience=3, batch_size=16)
    constant = replace(grey, validation_masks=np.zeros_like(grey.validation_masks))  # the score never moves
    epochs = list(fit(recipe, constant))
    assert [epoch.record.number for epoch in epochs] == [1, 2, 3, 4]
    assert [epoch.record.last for epoch in epochs] == [False, False, False, True]


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "poly"])
def test_patience_does_not_cut_an_annealed_rate_short(grey: TrainingData, schedule: str) -> None:
    """The best epochs of such a training are its last ones; near the peak of the rate a score may stand for long."""
    recipe = with_optimisation(SMALL, lr=1e-5, schedule=schedule, epochs=8, patience=2, batch_size=16)
    constant = replace(grey, validation_masks=np.zeros_like(grey.validation_masks))  # the score never moves
    assert [epoch.record.number for epoch in fit(recipe, constant)] == list(range(1, 9))


def test_the_last_epoch_counts_where_the_recipe_says_so(grey: TrainingData) -> None:
    """The more is learnt, the worse the score: both classes of the validation part are the wrong way round."""
    data = replace(grey, validation_masks=np.array([0, 2, 1], np.uint8)[grey.validation_masks])
    for schedule, patience, ends in (("cosine", 2, 7), ("none", 2, 3)):  # patience goes by the best score all the same
        recipe = with_optimisation(SMALL, kept="last", epochs=7, schedule=schedule, patience=patience, lr=3e-2)
        epochs = list(fit(recipe, data))
        assert [epoch.counts for epoch in epochs] == [True] * ends
        assert epochs[-1].record.miou < epochs[0].record.miou
        network = build_network(recipe, data.facts, mean=[0.0], std=[1.0])
        network.load_state_dict(final_weights(epochs))
        labels = predict_labels(network, data.validation_images, batch_size=8)
        counts = confusion_matrix(torch.tensor(labels), torch.tensor(data.validation_masks), 3)
        assert scores(counts, data.facts).confusion == epochs[-1].record.confusion


def test_nan_images_diverge(grey: TrainingData) -> None:
    images = grey.train_images.astype(np.float32)
    images[3, 2, 2] = np.nan
    bad = replace(grey, train_images=images, validation_images=grey.validation_images.astype(np.float32))
    with pytest.raises(Diverged, match=r"the loss became nan in epoch 1, step 1 of 6: try a lower learning rate"):
        list(fit(SMALL, bad))


def test_a_huge_rate_diverges(grey: TrainingData) -> None:
    recipe = with_optimisation(SMALL, optimizer="sgd", lr=1e30, schedule="none")
    with pytest.raises(Diverged, match=r"in epoch 1, step [2-6] of 6"):
        list(fit(recipe, grey))


def test_stop_is_heard_between_batches(grey: TrainingData) -> None:
    asked = 0

    def at_the_ninth() -> bool:
        nonlocal asked
        asked += 1
        return asked == 9

    seen = []
    with pytest.raises(Stopped, match="epoch 1"):
        seen.extend(fit(SMALL, grey, should_stop=at_the_ninth))
    assert asked == 9  # six steps and the third batch of the validation
    assert seen == []
    with pytest.raises(Stopped, match="epoch 1, after 0 of its steps"):
        next(fit(SMALL, grey, should_stop=lambda: True))


@pytest.mark.parametrize("norm", ["none", "batch", "instance", "layer", "group"])
def test_one_image_with_a_1x1_bottleneck(norm: str, grey: TrainingData) -> None:
    tiny = TrainingData(
        train_images=grey.train_images[:1, :8, :8],
        train_masks=grey.train_masks[:1, :8, :8],
        validation_images=grey.validation_images[:1, :8, :8],
        validation_masks=grey.validation_masks[:1, :8, :8],
        facts=grey.facts.model_copy(update={"height": 8, "width": 8}),
    )
    recipe = SMALL.model_copy(update={"model": UNet(filters=4, depth=3, norm=norm)})
    epochs = list(fit(recipe, tiny))
    assert len(epochs) == 3
    assert all(math.isfinite(epoch.record.train_loss) for epoch in epochs)


def test_other_types_and_layouts(colour: TrainingData) -> None:
    """The same picture as bytes, uint16 and float32 trains to the same bits."""
    finals = []
    for kind in (np.uint8, np.uint16, np.float32):
        data = replace(
            colour,
            train_images=colour.train_images.astype(kind),
            validation_images=colour.validation_images.astype(kind),
        )
        finals.append(final_weights(list(fit(with_optimisation(SMALL, epochs=1), data))))
    assert all(torch.equal(finals[0][name], other[name]) for other in finals[1:] for name in other)


def test_read_only_arrays_are_taken(grey: TrainingData) -> None:
    images = grey.train_images.copy()
    images.flags.writeable = False
    assert next(fit(SMALL, replace(grey, train_images=images))).record.number == 1


def test_ignored_pixels_play_no_part(grey: TrainingData) -> None:
    """Whatever label they hide behind, even one of a class, the training and its scores are the same."""
    finals = []
    for label in (255, 0):  # class 0 is excluded and occurs nowhere else in these masks
        masks, valid = np.maximum(grey.train_masks, 1), np.maximum(grey.validation_masks, 1)
        masks[:, :, :8] = valid[:, :, :8] = label
        data = replace(grey, train_masks=masks, validation_masks=valid, ignore_label=label)
        epochs = list(fit(SMALL.model_copy(update={"loss": Loss(dice=Dice(), ignore_excluded=False)}), data))
        assert sum(map(sum, epochs[-1].record.confusion)) == 10 * 16 * 16
        finals.append((final_weights(epochs), epochs[-1].record.confusion, epochs[-1].record.validation_loss))
    assert finals[0][1:] == finals[1][1:]
    assert all(torch.equal(tensor, finals[1][0][name]) for name, tensor in finals[0][0].items())


def test_a_data_set_of_background_alone_does_not_crash(grey: TrainingData) -> None:
    """Every pixel is left out of the loss: it is 0, and so are its gradients."""
    nothing = replace(grey, train_masks=np.zeros_like(grey.train_masks))
    assert next(fit(SMALL, nothing)).record.train_loss == 0.0


def test_the_background_network_has_the_usual_beta1_beside_any_momentum(grey: TrainingData) -> None:
    section = Optimisation(optimizer="sgd", momentum=0.99)
    recipe = SMALL.model_copy(update={"background": Background(depth=2, filters=4), "optimisation": section})
    main, background = (state.optimizer for state in prepare(recipe, grey, torch.device("cpu"), bool).optimizers)
    assert isinstance(main, Sgd)
    assert main.momentum == 0.99
    assert isinstance(background, Adam)
    assert background.betas[0] == 0.9


def test_class_weights_that_do_not_fit_are_refused(grey: TrainingData) -> None:
    recipe = SMALL.model_copy(update={"class_weights": ClassWeights(factors={"lava": 2.0})})
    with pytest.raises(SpaceError, match="lava"):
        next(fit(recipe, grey))


def test_arrays_must_agree(grey: TrainingData) -> None:
    with pytest.raises(ValueError, match="the validation part is empty"):
        replace(grey, validation_images=grey.validation_images[:0], validation_masks=grey.validation_masks[:0])
    with pytest.raises(ValueError, match="must agree in"):
        replace(grey, train_masks=grey.train_masks[:, :8])
    with pytest.raises(ValueError, match="have 3 channels"):
        replace(grey, facts=grey.facts.model_copy(update={"channels": 3}))


def test_statistics_and_shares() -> None:
    images = np.random.default_rng(0).integers(0, 65536, (5, 6, 7, 3), dtype=np.uint16)
    images[..., 2] = 9
    mean, std = channel_statistics(images)
    assert mean == pytest.approx([images[..., c].mean() for c in range(3)])
    assert std == pytest.approx([images[..., 0].std(), images[..., 1].std(), 1.0])
    masks = np.array([[[0, 1, 1, 3, 255]]], np.uint8)
    assert label_shares(masks, 4) == (0.25, 0.5, 0.0, 0.25)
    assert label_shares(masks, 4, 3) == pytest.approx((1 / 3, 2 / 3, 0.0, 0.0))
    assert label_shares(np.full((1, 2, 2), 255, np.uint8), 2) == (0.0, 0.0)


@pytest.mark.parametrize("what", ["plain", "fit_offset", "background"])
def test_the_shown_labels_are_those_that_the_kept_weights_give(grey: TrainingData, what: str) -> None:
    """In the order in which they are asked for, from whatever batch; the threshold is that of the epoch."""
    places = (len(grey.validation_images) - 1, 0, 2)
    recipe = with_optimisation(SMALL, fit_offset=what == "fit_offset", batch_size=3)
    if what == "background":
        recipe = recipe.model_copy(update={"background": Background(filters=4, depth=2)})
    epochs = list(fit(recipe, replace(grey, shown=places)))
    mean, std = channel_statistics(grey.train_images, grey.train_masks, grey.ignore_label)
    network = build_network(recipe, grey.facts, mean=mean, std=std)
    for epoch in epochs:
        if epoch.weights is not None:
            network.load_state_dict(dict(epoch.weights))
            expected = predict_labels(network, grey.validation_images[list(places)], batch_size=3)
            assert np.array_equal(epoch.shown.numpy(), expected)
    assert epochs[0].counts
    nothing = next(iter(fit(recipe, replace(grey, shown=()))))
    assert nothing.shown.shape == (0, *grey.validation_masks.shape[1:])
