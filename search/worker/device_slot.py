"""What a worker process runs on: a device with its share of the GPU, threads, and a file for its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.worker.gpu import Gpu


@dataclass(frozen=True, kw_only=True)
class DeviceSlot:
    """One training at a time on one device of this machine.

    name: unique within the host ("slot 1"). device: as torch names it within the worker. gpu: None without one.
    threads: of torch. log: file that takes the worker's stderr.
    """

    name: str
    device: str
    gpu: Gpu | None = None
    threads: int = 1
    log: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that a worker process needs to find its device."""
        # CUBLAS_WORKSPACE_CONFIG: without it cuBLAS is not deterministic.
        always = {
            "OMP_NUM_THREADS": str(self.threads),
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "PYTHONUNBUFFERED": "1",
        }
        return always | ({"CUDA_VISIBLE_DEVICES": self.gpu.id} if self.gpu is not None else {})
