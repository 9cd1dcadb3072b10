"""The exponential moving average of a network's weights, as a network of its own (Polyak and Juditsky 1992)."""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from spaces.modules.networks.network import Network


class WeightAverage:
    """Follows a network that is trained; the weights of both lie on one device.

    network: the average. Its buffers are those of the network at the beginning: the statistics of batch normalisation
    are to be measured on it, since the mean of statistics is not the statistics of the mean weights. steps: how many
    steps of the network it has followed.

    The decay is the one that people know from other trainers, per step; to start with it is
    ``(1 + steps) / (10 + steps)`` (the ``num_updates`` of TensorFlow's ExponentialMovingAverage). So a short training
    keeps nothing of its initial weights, 1e-5 after ten steps, and a decay of 0.999 means the last tenth of all steps
    in a training of less than 9000, whatever its batch size and number of epochs. `torch.optim.swa_utils.AveragedModel`
    would wait for the device at every step, to read its own count.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """Begin with a copy of the network as it is. decay: in 0 .. 1."""
        self.network = deepcopy(network).requires_grad_(False)
        self.steps = 0
        self._decay = decay
        self._averages = list[Tensor](self.network.parameters())
        self._weights = [parameter.detach() for parameter in network.parameters()]

    def step(self) -> None:
        """Take the weights in after a step of the optimiser, without a wait for the device."""
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        get_ema_multi_avg_fn(decay)(self._averages, self._weights, self.steps)  # type: ignore[no-untyped-call]
        self.steps += 1
