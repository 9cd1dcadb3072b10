"""What a training takes is known before it starts, nearly and rather too much than too little."""

from __future__ import annotations

import pytest
import torch

from search.training.device import CONTEXT
from search.training.footprint import MARGIN, MemoryTracker, Resident, meta_network, step_bytes, training_bytes
from spaces import DataFacts, Recipe, load_preset
from spaces.modules.layers.upsampling import Squares
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.network import build_network, count_parameters

NAMES = ("background", "soil", "bedrock", "sand", "big rock")
FACTS = DataFacts(channels=1, height=32, width=64, class_names=NAMES, excluded=("background",))
NO_DATA = Resident(train=0, validation=0, pixel_bytes=1)


def changed(recipe: Recipe, **changes: object) -> Recipe:
    """The recipe with other fields of its section `optimisation`."""
    return recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=changes)})


def bytes_of(recipe: Recipe, resident: Resident = NO_DATA, *, half: bool = True) -> int:
    return training_bytes(recipe, FACTS, meta_network(recipe, FACTS), resident, half=half)


def real_step(recipe: Recipe) -> int:
    """The most bytes that a step's tensors take on the CPU in float32, forward and back, with contents."""
    network = build_network(recipe, FACTS, mean=[127.0], std=[60.0]).train()
    loss = build_loss(recipe.loss, torch.ones(FACTS.classes), FACTS, None)
    generator = torch.Generator().manual_seed(0)
    size = (recipe.optimisation.batch_size, FACTS.height, FACTS.width)
    with MemoryTracker() as ledger:
        images = torch.rand(size, generator=generator)[:, None]
        labels = torch.randint(FACTS.classes, size, generator=generator)
        for _ in range(2):
            value = loss(network.outputs(images), labels)
            network.zero_grad()  # as search.training.step does: the gradients of the step before lie there until now
            value.backward()
            del value
    return ledger.peak


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU stands in for a GPU: without its own ways, which are quicker there and take 2 to 8 % more memory."""
    monkeypatch.setattr(Squares, "forward", torch.nn.ConvTranspose2d.forward)
    plain = "spaces.modules.layers.concatenation.DenseGradients.apply"
    monkeypatch.setattr(plain, lambda *maps: torch.cat(maps, dim=1))


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("preset", ["baseline", "report-a-wnet", "report-b-dual-unet", "report-e-unet3plus"])
def test_a_step_without_contents_takes_what_one_with_contents_takes(preset: str) -> None:
    recipe = changed(load_preset(preset, FACTS, 2000), batch_size=4)
    guess = step_bytes(recipe, FACTS, meta_network(recipe, FACTS), half=False)
    assert 1.0 <= guess / real_step(recipe) <= 1.5


def test_a_sketch_has_the_networks_parameters_and_no_memory() -> None:
    for preset in ("baseline", "report-c-unet", "report-d-pix2pix"):
        recipe = load_preset(preset)
        network = meta_network(recipe, FACTS)
        assert count_parameters(network) == count_parameters(build_network(recipe, FACTS, mean=[0.0], std=[1.0]))
        assert all(tensor.is_meta for tensor in network.state_dict().values())


def test_bfloat16_takes_about_half_of_the_activations() -> None:
    recipe = changed(load_preset("baseline"), batch_size=64)
    network = meta_network(recipe, FACTS)
    half, full = (step_bytes(recipe, FACTS, network, half=half) for half in (True, False))
    assert 0.4 < half / full < 0.8


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("shrink", [2, 4])
def test_a_smaller_size_inside_takes_less_and_as_much_as_is_said(shrink: int) -> None:
    whole = changed(load_preset("baseline"), batch_size=8)
    small = whole.model_copy(update={"model": whole.model.model_copy(update={"shrink": shrink})})
    guess, full = (step_bytes(recipe, FACTS, meta_network(recipe, FACTS), half=False) for recipe in (small, whole))
    weights = 4 * count_parameters(meta_network(whole, FACTS))
    assert guess - weights < 0.5 * (full - weights)
    assert 1.0 <= guess / real_step(small) <= 1.5


def test_a_larger_batch_takes_more_in_proportion() -> None:
    network = meta_network(Recipe(), FACTS)
    small, large = (step_bytes(changed(Recipe(), batch_size=size), FACTS, network) for size in (16, 64))
    weights = 6 * count_parameters(network)  # gradients, and the copy in bfloat16
    assert (large - weights) / (small - weights) == pytest.approx(4, rel=0.05)


def test_the_optimisers_moments_are_counted() -> None:
    one = 4 * count_parameters(meta_network(Recipe(), FACTS))
    sgd, adam = (bytes_of(changed(Recipe(), optimizer=name)) for name in ("sgd", "adam"))
    assert adam - sgd == pytest.approx(MARGIN * 3 * one, rel=1e-3)  # and in two checkpoints


@pytest.mark.parametrize("preset", ["baseline", "c1-background", "report-d-pix2pix"])
def test_a_moving_average_is_another_copy_of_the_weights_that_are_kept(preset: str) -> None:
    recipe = load_preset(preset)
    one = 4 * count_parameters(meta_network(recipe, FACTS))
    more = bytes_of(changed(recipe, ema=0.99)) - bytes_of(recipe)
    assert more == pytest.approx(MARGIN * 3 * one, rel=1e-3)  # and in two checkpoints


def test_a_second_network_and_a_discriminator_are_counted() -> None:
    recipe = load_preset("c1-background")
    assert bytes_of(recipe) > bytes_of(recipe.model_copy(update={"background": None}))
    rival = load_preset("report-d-pix2pix")
    alone = rival.model_copy(update={"model": rival.model.network})
    assert bytes_of(rival) > bytes_of(alone)


def test_the_data_on_the_device_is_counted() -> None:
    pixels = 1000 * FACTS.height * FACTS.width
    bytes_, floats = (Resident(train=900, validation=100, pixel_bytes=size) for size in (1, 4))
    assert bytes_of(Recipe(), floats) - bytes_of(Recipe(), bytes_) == pytest.approx(MARGIN * 3 * pixels, abs=2)
    assert bytes_of(Recipe(), bytes_) - bytes_of(Recipe()) >= round(MARGIN * 2 * pixels) - 2
    assert bytes_of(Recipe()) > CONTEXT


def test_the_ledger_counts_what_lives_and_forgets_what_died() -> None:
    with MemoryTracker() as ledger:
        kept = torch.zeros(1000)
        for _ in range(3):
            torch.zeros(500)
        assert ledger.now == 4000
        assert ledger.peak == 6000
        assert kept.view(10, 100).untyped_storage().nbytes() == ledger.largest == 4000
        assert ledger.now == 4000
        del kept
        assert ledger.now == 0
