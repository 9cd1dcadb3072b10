"""A pretended GPU on a CPU build of torch: tensors without contents, on a device that forgives nothing.

Fake tensors know device and shape, so that a training runs as far as its steps go, in the time that Python takes. What
a real GPU would only be slow at, or refuse, is an error here that names the line of ours:

- tensors of two devices in one operation, an index or a weight on the CPU among them;
- a generator of another device than the numbers that are drawn;
- a copy to the host or from it, and whatever needs a tensor's contents: the host would wait for the device.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from spaces.modules.networks import average

SOURCES = tuple(str(Path(__file__).parents[2] / package) for package in ("search", "spaces", "storage"))
GPU = "pretended:0"

aten = torch.ops.aten
_WAITS = {
    aten._local_scalar_dense.default: "reads a number of the device",
    aten.nonzero.default: "has a shape that only the device knows",
    aten.bincount.default: "has a shape that only the device knows",
    aten.masked_select.default: "has a shape that only the device knows",
    aten._unique2.default: "has a shape that only the device knows",
}
_FILLS = ("uniform_", "normal_", "kaiming_uniform_", "kaiming_normal_")  # a network's first weights
_COPIES = {aten._to_copy.default, aten.copy_.default}


class WouldWait(RuntimeError):
    """The host would wait for the device, or the device refuse; the message names the line."""


@cache
def device() -> torch.device:
    """The pretended GPU; made once in a process."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend("pretended")
    return torch.device(GPU)


class PretendedGenerator(torch.Generator):
    """A generator that says it is the GPU's."""

    device = torch.device("cpu")  # set below, once the device is there


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """Everything that is made under it has no contents, and may be moved to the device."""
    gpu = device()
    PretendedGenerator.device = gpu
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(FakeTensorMode, "avoid_device_init", property(lambda self: True)))
        stack.enter_context(mock.patch.object(nn.Module, "_apply", _apply))
        stack.enter_context(mock.patch.object(average, "deepcopy", _copied))
        for name in _FILLS:
            stack.enter_context(mock.patch.object(nn.init, name, _unfilled))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(_Missing())
        yield gpu


@contextmanager
def watched() -> Iterator[None]:
    """Raises WouldWait at the first operation that a step on a GPU must not have."""
    with _Devices(), _Generators():
        yield


class _Missing(TorchDispatchMode):
    """Operations in place of which torch does not know what they leave."""

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return None if call is aten._fused_sgd_.default else call(*args, **(kwargs or {}))


class _Devices(TorchDispatchMode):
    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tensors = [*_tensors(args), *_tensors((kwargs or {}).values())]
        there = [tensor for tensor in tensors if tensor.device.type == "pretended"]
        if there and call in _WAITS:
            raise WouldWait(f"{call} {_WAITS[call]}, {_line()}")
        if there and call not in _COPIES:
            # a number on the CPU is handed over with the call
            strangers = [tensor for tensor in tensors if tensor.device.type == "cpu" and tensor.ndim > 0]
            if strangers:
                raise WouldWait(f"{call} takes a tensor {tuple(strangers[0].shape)} of the CPU, {_line()}")
        try:
            found = call(*args, **(kwargs or {}))
        except RuntimeError as error:
            raise WouldWait(f"{call}: {' '.join(str(error).split())[:200]}, {_line()}") from error
        if call in _COPIES:
            kinds = {leaf.device.type for leaf in (*tensors, found)}
            large = any(tensor.numel() > 0 for tensor in tensors)
            if len(kinds) > 1 and large:
                raise WouldWait(f"{call} copies {tuple(tensors[0].shape)} between host and device, {_line()}")
        return found


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors among the arguments of an operation, of which some are in lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


class _Generators(TorchFunctionMode):
    def __torch_function__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        generator = given.get("generator")
        found = call(*args, **given)
        drawn = isinstance(generator, torch.Generator) and isinstance(found, Tensor)
        if drawn and found.device.type != torch.device(generator.device).type:
            raise WouldWait(f"a generator on {generator.device} draws for {found.device}, {_line()}")
        return found


def _unfilled(tensor: Tensor, *arguments: Any, **named: Any) -> Tensor:
    return tensor


def _copied(network: nn.Module) -> nn.Module:
    """A deep copy; torch would copy the contents of tensors that have none."""
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
        for parameter in network.parameters()
    }
    return deepcopy(network, memo | {id(buffer): buffer.clone() for buffer in network.buffers()})


def _line() -> str:
    """The innermost line of ours in the call that is under way."""
    ours = [frame for frame in traceback.extract_stack() if frame.filename.startswith(SOURCES)]
    if not ours:
        return "outside our sources"
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}: {ours[-1].line}"


def _apply(self: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """`Module._apply` by new parameters: those of a Python backend cannot be changed in place."""
    for module in self.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                with torch.no_grad():
                    module._parameters[name] = nn.Parameter(change(parameter), parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = change(buffer)
    return self
