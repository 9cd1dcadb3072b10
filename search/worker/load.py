"""How busy the machine of a host is: its processors, and the GPUs that it trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psutil

from search.worker.devices import DeviceSlot
from search.worker.driver import gpu_loads
from storage.studies.hosts import DeviceLoad

_GIB = 2**30


class MachineLoad:
    """Measures the load of the devices of these slots. devices: as last measured, () before the first time."""

    def __init__(self, slots: Sequence[DeviceSlot]) -> None:
        self.devices: tuple[DeviceLoad, ...] = ()
        self._gpus = tuple(dict.fromkeys(slot.gpu.id for slot in slots if slot.gpu is not None))
        psutil.cpu_percent(None)  # which tells of the time since it was last asked

    def measure(self) -> None:
        """Look again. A driver that hangs holds up its caller, so that this belongs into a thread of its own."""
        self.devices = (_processors(), *self._of_gpus())

    def _of_gpus(self) -> Iterator[DeviceLoad]:
        for gpu in gpu_loads(self._gpus):
            yield DeviceLoad(name=gpu.name, busy=gpu.busy, used_gb=gpu.used_gb, total_gb=gpu.total_gb)


def _processors() -> DeviceLoad:
    memory = psutil.virtual_memory()
    return DeviceLoad(
        name="cpu",
        busy=round(psutil.cpu_percent(None) / 100, 3),
        used_gb=round((memory.total - memory.available) / _GIB, 2),
        total_gb=round(memory.total / _GIB, 2),
    )
