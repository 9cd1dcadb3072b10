"""A training's whole state after an epoch, and the file it is kept in: safetensors with JSON beside the tensors.

No pickle: what was written by a stranger can be wrong, but it cannot run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

FORMAT = "marsearch-checkpoint-1"
NETWORK, AVERAGE, KEPT = "network/", "average/", "best/"
"""What the names of tensors begin with: of the network and its average as they are now, and of what is kept."""
SHOWN = "shown"
"""The name of the labels that what is kept gives the shown images."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that belongs to another training."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """The whole state of a training after an epoch.

    epoch: 1 for the first. tensors: by name, independent of the training, never changed; on its device, or on the CPU
    once they were read from a file: a copy that nobody writes never leaves a GPU.
    document: numbers and words as JSON holds them, see `search.training.state`.
    """

    epoch: int
    tensors: Mapping[str, Tensor]
    document: Mapping[str, Any]

    @property
    def kept_epoch(self) -> int:
        """Number of the epoch whose weights count so far; checkpoints from before there was a choice have the best."""
        return int(self.document.get("kept_epoch", self.document["best_epoch"]))

    def kept_weights(self) -> dict[str, Tensor]:
        """The state by name of the network scored at that epoch; stored once where it is the snapshot's own."""
        if self.kept_epoch != self.epoch:
            return self.below(KEPT)
        return self.below(AVERAGE) or self.below(NETWORK)

    @property
    def kept_shown(self) -> Tensor:
        """The labels that these weights give the shown images, uint8 (P, H, W); none in an older checkpoint."""
        return self.tensors.get(SHOWN, torch.zeros(0, dtype=torch.uint8))

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with prefix, by the rest of their names."""
        return {name.removeprefix(prefix): kept for name, kept in self.tensors.items() if name.startswith(prefix)}


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write the snapshot to a new file at path; fetches it from its device.

    Raises OSError for a folder that cannot be written, a full disk.
    """
    tensors = on_host(snapshot.tensors)
    metadata = {"format": FORMAT, "epoch": str(snapshot.epoch), "document": json.dumps(dict(snapshot.document))}
    try:
        safetensors.torch.save_file(tensors, path, metadata)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error


def read_snapshot(path: Path, largest: int) -> Snapshot:
    """The snapshot in the file at path, which may be at most ``largest`` bytes.

    Raises CheckpointError for a file that is missing, too large, damaged or none of ours.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= largest:
            raise CheckpointError(f"{path} is empty or larger than {largest} bytes: it is no checkpoint")
        with safe_open(path, framework="pt") as file:  # checks the header's length and every tensor's place
            names = file.keys()
            return _snapshot(file.metadata() or {}, {name: file.get_tensor(name).clone() for name in names})
    except CheckpointError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path} is no readable checkpoint: {error}") from error


def _snapshot(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> Snapshot:
    if metadata["format"] != FORMAT:
        raise CheckpointError(f"a checkpoint of format {metadata['format']!r:.60}, expected {FORMAT!r}")
    document = json.loads(metadata["document"])
    if not isinstance(document, dict):
        raise CheckpointError("a checkpoint whose document is no JSON object")
    return Snapshot(epoch=int(metadata["epoch"]), tensors=tensors, document=document)


def copied(tensor: Tensor) -> Tensor:
    """An independent copy beside it, in its own order of memory: moving and rearranging it can wait for the writing."""
    return tensor.detach().clone(memory_format=torch.preserve_format)


def on_host(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous; copied only where they are not."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
