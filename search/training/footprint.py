"""How large a training is, found out without training: its network, and the memory of one step.

Everything here happens on torch's meta device, where tensors have a shape and no contents: a network of a billion
parameters costs no memory, and a step takes 0.05 s, 0.3 s at most (200 random recipes of the whole space; the first
one in a process takes 1 s more, in which torch imports its compiler).
Shapes: B images, C channels, K classes, H and W pixels.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from search.training.device import CONTEXT
from search.training.pieces.crops import POSITIONS
from search.training.pieces.prepared import DONORS
from spaces.crops import crop_side, seen
from spaces.facts import DataFacts
from spaces.modules.losses.level_loss import Targets
from spaces.modules.losses.losses import SupervisedLoss, build_loss
from spaces.modules.losses.targets import IGNORED
from spaces.modules.networks.model import Outputs
from spaces.modules.networks.network import Network, build_network, count_parameters
from spaces.modules.networks.patchgan import PatchGan, build_discriminator
from spaces.recipe import Recipe
from spaces.recipe.architecture import Pix2Pix

aten = torch.ops.aten
META = torch.device("meta")
MARGIN = 1.2
"""What the tensors of a step are multiplied by: for workspaces of convolutions and gaps between blocks of memory."""
_MAPS = 6
"""Maps of all classes over a whole image that are alive where the windows over it are merged and judged."""
MOMENTS = {"sgd": 1, "adam": 2, "adamw": 2}
"""Numbers that the optimiser remembers for each parameter."""

_DRAWS = {Tensor.normal_, Tensor.uniform_}
_HALF: set[Callable[..., Any]] = {
    torch.conv2d,
    torch.conv_transpose2d,
    torch.nn.functional.linear,
    torch.matmul,
    Tensor.matmul,
    Tensor.__matmul__,
}
_QUICK: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.elu_.default: lambda maps, *_: maps,
    aten.gelu.default: torch.empty_like,
    aten.leaky_relu_.default: lambda maps, *_: maps,
    aten.native_batch_norm.default: lambda maps, *_: (torch.empty_like(maps), *_statistics(maps, maps.shape[1])),
    aten.native_group_norm.default: lambda maps, _w, _b, images, _c, _hw, groups, _e: (
        torch.empty_like(maps),
        *_statistics(maps, images, groups),
    ),
    aten.upsample_bilinear2d.default: lambda maps, size, *_: maps.new_empty((*maps.shape[:2], *size)),
}
"""Operations whose shapes torch finds out in Python, at 0.5 to 6 ms each (measured): half of the whole time."""
_FULL: set[Callable[..., Any]] = {torch.group_norm, torch.nn.functional.group_norm, torch.softmax, Tensor.softmax}


@dataclass(frozen=True, kw_only=True)
class Resident:
    """What lies on the device during the whole training.

    train, validation: numbers of images. pixel_bytes: of one number of an image, 1 (uint8) or 4.
    """

    train: int
    validation: int
    pixel_bytes: int

    def size(self, recipe: Recipe, facts: DataFacts) -> int:
        """Bytes of images and masks; where rare images are repeated or mixed in, as if every image were rare."""
        image, mask = facts.channels * facts.height * facts.width * self.pixel_bytes, facts.height * facts.width
        section = recipe.data.oversample
        copies = self.train * mask if section is not None and section.isolate else 0
        given, positions, crop = self.train, 0, crop_side(recipe, facts)
        if crop:
            given, positions = DONORS, self.train * facts.classes * POSITIONS * 8
        pixels = crop**2 or mask
        donors = given * pixels * (facts.channels * self.pixel_bytes + 1) if recipe.augment.mixing is not None else 0
        return (self.train + self.validation) * (image + mask) + copies + donors + positions


class _Undrawn(TorchFunctionMode):
    """Leaves weights undrawn: on the meta device there are none, and drawing them would import torch's compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func in _DRAWS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


class _Halved(TorchFunctionMode):
    """What autocast does on a GPU, which the meta device has no autocast for: bfloat16 where it is quicker."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func in _HALF:
            args = [_cast(value, torch.bfloat16) for value in args]
        elif func in _FULL:
            args = [_cast(value, torch.float32) for value in args]
        return func(*args, **(kwargs or {}))


def _statistics(maps: Tensor, *shape: int) -> tuple[Tensor, Tensor]:
    """Means and deviations, as a normalisation keeps them."""
    return maps.new_empty(shape, dtype=torch.float32), maps.new_empty(shape, dtype=torch.float32)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


class MemoryTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors made under it, on any device, for as long as they live.

    now: at this moment. peak: the most so far. largest: the largest tensor so far.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = 0
        self.peak = 0
        self.largest = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        quick = _QUICK.get(func) if args and isinstance(args[0], Tensor) and args[0].is_meta else None
        made = func(*args, **(kwargs or {})) if quick is None else quick(*args)
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return made

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._alive:
            size = storage.nbytes()
            self._alive[key] = weakref.ref(storage, lambda _: self._forget(key, size))
            self.now += size
            self.peak = max(self.peak, self.now)
            self.largest = max(self.largest, size)

    def _forget(self, key: int, size: int) -> None:
        self.now -= size
        del self._alive[key]


class _Blank(Targets):
    """Targets without contents, whose distance maps need no pixel to be looked at."""

    @cached_property
    def distances(self) -> Tensor:
        """Distance maps (B, K, H, W)."""
        images, *size = self.labels.shape
        return self.weights.new_empty((images, len(self.weights), *size))


def meta_network(recipe: Recipe, facts: DataFacts) -> Network:
    """The recipe's network on the meta device: every size is right, and there are no weights."""
    with META, _Undrawn():
        return build_network(recipe, facts, mean=[0.0] * facts.channels, std=[1.0] * facts.channels)


def training_bytes(recipe: Recipe, facts: DataFacts, network: Network, resident: Resident, *, half: bool = True) -> int:
    """About how many bytes of a GPU a training of the recipe takes at its worst moment, rather too many than too few.

    network: from `meta_network`. half: the GPU computes in 16 bits (`search.training.device.autocast_dtype`).
    Counted: weights, their moving average, the optimiser's moments, copies of these for two checkpoints and of the
    weights that are kept, gradients, data, and every tensor that is alive at the worst moment of a step forward and
    backward, the loss and a discriminator with it. Not counted: augmentation,
    which is over before. Workspaces, fragmentation and the process itself are MARGIN and CONTEXT, which are experience
    and not measured here.
    """
    discriminator = _discriminator(recipe, seen(recipe, facts))
    weights = 4 * count_parameters(network)
    moments = weights * MOMENTS[recipe.optimisation.optimizer]
    if network.background is not None:  # its own optimiser is AdamW
        moments += 4 * count_parameters(network.background) * (2 - MOMENTS[recipe.optimisation.optimizer])
    average = weights if recipe.optimisation.ema else 0
    if discriminator is not None:
        weights, moments = _with_adam(weights, moments, discriminator)
    step = step_bytes(recipe, facts, network, discriminator, half=half)
    state = 3 * (weights + average + moments) + weights
    return round(MARGIN * (state + step + resident.size(recipe, facts))) + CONTEXT


def step_bytes(
    recipe: Recipe, facts: DataFacts, network: Network, discriminator: PatchGan | None = None, *, half: bool = True
) -> int:
    """About the most bytes that the tensors of one training step take at a time, gradients included, weights not.

    network, discriminator: on the meta device. Without margins. Only the way forward is walked, which takes half of
    the time; with the way back, 120 random recipes took 0 to 31 % less than this, 5 % at the median (measured).
    """
    batch, whole = recipe.optimisation.batch_size, facts
    facts = seen(recipe, facts)
    network.train()
    ledger = MemoryTracker()
    with META, ledger:
        images = torch.empty(batch, facts.channels, facts.height, facts.width)
        labels = torch.empty(batch, facts.height, facts.width, dtype=torch.int64)
        kept = _loss(recipe, facts, network, discriminator, images, labels, half)  # holds all that the way back needs
    # On the way back, the gradients of an operation's output and input come on top of what is kept.
    worst = max(ledger.peak, ledger.now + 2 * ledger.largest)
    del kept
    judged = _MAPS * 4 * facts.classes * whole.height * whole.width if crop_side(recipe, whole) else 0
    return max(worst + 4 * count_parameters(network), judged)


def _loss(
    recipe: Recipe,
    facts: DataFacts,
    network: Network,
    discriminator: PatchGan | None,
    images: Tensor,
    labels: Tensor,
    half: bool,
) -> Tensor:
    """A step's forward pass and its losses, all alive at once as they are in search.training.step."""
    loss = build_loss(recipe.loss, torch.ones(facts.classes), facts, None)
    outputs = _autocast(half, network.outputs, images)
    weights, foreground = loss.weights, loss.foreground
    blank = _Blank(labels=_counted(loss, labels), weights=weights, region_weights=weights, foreground=foreground)
    total = _levels(loss, outputs, blank)
    if discriminator is not None:
        fake, real = outputs.high.softmax(dim=1), torch.empty_like(outputs.high)
        for masks in (real, fake.detach(), fake):  # two for the discriminator's own step, one for the generator's
            total = total + _autocast(half, discriminator, images, masks).float().mean()
    if network.background is not None:
        logit = _autocast(half, network.background_logit, images)
        total = total + torch.nn.functional.softplus(logit).mean()
    return total


def _levels(loss: SupervisedLoss, outputs: Outputs, targets: Targets) -> Tensor:
    """What `SupervisedLoss` does, against targets that hold no pixels (fake tensors)."""
    levels = ((loss.high, (outputs.high,)), (loss.inter, outputs.inter), (loss.low, outputs.low))
    losses = [level(logits, targets) for level, many in levels if level is not None for logits in many]
    return torch.stack(losses).sum()


def _counted(loss: SupervisedLoss, labels: Tensor) -> Tensor:
    for label in loss.uncounted:
        labels = torch.where(labels == label, IGNORED, labels)
    return labels


def _autocast(half: bool, function: Callable[..., Tensor | Outputs], *values: Tensor) -> Any:
    if not half:
        return function(*values)
    with _Halved():
        return function(*values)


def _discriminator(recipe: Recipe, facts: DataFacts) -> PatchGan | None:
    if not isinstance(recipe.model, Pix2Pix):
        return None
    with META, _Undrawn():
        return build_discriminator(recipe.model, facts, recipe.seed)


def _with_adam(weights: int, moments: int, discriminator: PatchGan) -> tuple[int, int]:
    own = 4 * count_parameters(discriminator)
    return weights + own, moments + MOMENTS["adam"] * own
