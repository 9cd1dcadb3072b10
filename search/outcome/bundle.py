"""The bundle: a folder with everything needed to use a trained network, or to train it again.

    weights.safetensors   the network's state dict, the normalisation buffers included
    recipe.yaml           the recipe
    model.onnx            the network for other programs, see `onnx_file`
    metrics.json          scores, facts of the data, normalisation, origin, library versions, see `record`
    README.md             the model card
    pictures/             pictures and tables of the trial
    manifest.json         the format's version and the sha256 of each file, see `manifest`

A network is built from recipe.yaml and the facts in metrics.json, then filled with the weights. Nothing in a
bundle is executed or unpickled when it is read.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from search.errors import BundleError
from search.outcome.card.model_card import write_card
from search.outcome.contents import BundleContents
from search.outcome.manifest import (
    CARD,
    MANIFEST,
    METRICS,
    ONNX,
    PICTURES,
    RECIPE,
    WEIGHTS,
    check_files,
    checked_bytes,
    read_manifest,
    write_manifest,
)
from search.outcome.onnx_file import write_onnx
from search.outcome.proof import prove
from search.outcome.record import LARGEST, Record, read_record, write_record
from search.outcome.target import check_target, filled_folder
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.networks.network import Network, build_network, count_parameters
from spaces.recipe import Recipe
from spaces.yaml_text import dump_recipe, load_recipe
from storage.atomic_write import write_bytes
from storage.data.quality.scale import Pixels

__all__ = [
    "Bundle",
    "BundleContents",
    "check_target",
    "keep_weights",
    "load_bundle",
    "network_of",
    "read_bundle",
    "write_bundle",
]

_LARGEST_RECIPE = 256_000  # bytes; a recipe with 255 class factors stays below 20,000
_HEADER = 1_000_000  # bytes safetensors may need for names and shapes


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A bundle that was read and checked.

    network: ready to use, in eval mode on the CPU.
    recipe: how it was trained.
    facts: channels, size and classes of its data.
    ignore_label: label of pixels that count nowhere; None if there is none.
    pixels: the numbers in the images it was trained on; None where an older bundle does not say.
    metrics: what metrics.json says; None where a number is undefined.
    """

    network: Network
    recipe: Recipe
    facts: DataFacts
    ignore_label: int | None
    pixels: Pixels | None
    metrics: Mapping[str, Any]


def write_bundle(out: Path, contents: BundleContents, *, device: str = "cpu") -> None:
    """Write a bundle to ``out`` and prove it: read again, same outputs, same scores, same through ONNX.

    A bundle that is already there gives way when the new one is proven; the folder itself stays. On any failure, also
    an interrupt, ``out`` is as it was.
    device: where the scores are reproduced.
    Raises BundleError when ``out`` is something else than a bundle, cannot be written, or the proof fails.
    """
    out = out.resolve()
    check_target(out)
    network = network_of(contents)
    try:
        with filled_folder(out) as folder:
            _write_files(folder, contents, network)
            write_manifest(folder)
            prove(folder / ONNX, network, read_bundle(folder).network, contents, device=device)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError(f"{out}: cannot be written ({reason}): choose a folder you may write to with room") from error


def keep_weights(out: Path, recipe: Recipe, weights: Mapping[str, Tensor]) -> Path:
    """Write weights and recipe of a training that has just ended; the folder they are in.

    That is ``out``, or a folder beside it where a bundle is there, which stays as it is until the new one is proven; a
    temporary folder where neither takes them. Raises BundleError when that does not, either.
    """
    out = out.resolve()
    folder = out.with_name(f"{out.name}-unfinished") if (out / MANIFEST).exists() else out
    try:
        return _kept(folder, recipe, weights)
    except OSError:
        try:
            return _kept(Path(tempfile.mkdtemp(prefix="marsearch-weights-")), recipe, weights)
        except OSError as error:
            raise BundleError(
                f"{folder}: cannot be written ({error.strerror}), nor can {tempfile.gettempdir()}"
            ) from error


def _kept(folder: Path, recipe: Recipe, weights: Mapping[str, Tensor]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, _tensors(weights))
    write_bytes(folder / RECIPE, dump_recipe(recipe).encode())
    return folder


def load_bundle(path: Path | str) -> Network:
    """The network of a bundle in eval mode on the CPU, after its files were checked; see `read_bundle`."""
    return read_bundle(path).network


def read_bundle(path: Path | str) -> Bundle:
    """Read a bundle, after the sha256 of every file was compared with the manifest.

    Raises BundleError when it is no bundle, of another version, when a file is missing, altered or not listed,
    or when the weights do not fit the recipe.
    """
    folder = Path(path)
    digests = read_manifest(folder)
    check_files(folder, digests)
    try:
        recipe = load_recipe(checked_bytes(folder, RECIPE, digests, limit=_LARGEST_RECIPE).decode(), RECIPE)
        record = read_record(checked_bytes(folder, METRICS, digests, limit=LARGEST))
        network = _read_network(folder, digests, recipe, record)
    except (SpaceError, UnicodeDecodeError, SafetensorError) as error:
        raise BundleError(f"{folder}: {' '.join(str(error).split())}") from error
    return Bundle(
        network=network,
        recipe=recipe,
        facts=record.facts,
        ignore_label=record.ignore_label,
        pixels=record.pixels,
        metrics=record.metrics,
    )


def _read_network(folder: Path, digests: Mapping[str, str], recipe: Recipe, record: Record) -> Network:
    """The network with the bundle's weights; of the file no more is read than such a network needs."""
    empty = _built(recipe, record.facts, record.mean, record.std)
    size = sum(tensor.numel() * tensor.element_size() for tensor in empty.state_dict().values())
    content = checked_bytes(folder, WEIGHTS, digests, limit=size + _HEADER)
    return _fill(empty, safetensors.torch.load(content))


def network_of(contents: BundleContents) -> Network:
    """The network that the bundle is to hold, in eval mode. Raises BundleError when the weights do not fit it."""
    return _fill(_built(contents.recipe, contents.facts, contents.mean, contents.std), contents.weights)


def _built(recipe: Recipe, facts: DataFacts, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    try:
        return build_network(recipe, facts, mean=mean, std=std)
    except ValueError as error:
        raise BundleError(f"no network can be built from the recipe and the facts of the data: {error}") from error


def _fill(network: Network, weights: Mapping[str, Tensor]) -> Network:
    """The network with these weights, in eval mode."""
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise BundleError("the weights do not fit the network that the recipe describes: export again") from error
    return network.eval()


def _write_files(folder: Path, contents: BundleContents, network: Network) -> None:
    parameters = count_parameters(network)
    (folder / WEIGHTS).write_bytes(_tensors(network.state_dict()))
    (folder / RECIPE).write_text(dump_recipe(contents.recipe), encoding="utf-8")
    onnx = write_onnx(folder / ONNX, network, contents)
    (folder / METRICS).write_text(write_record(contents, parameters, onnx), encoding="utf-8")
    (folder / CARD).write_text(write_card(contents, parameters, onnx), encoding="utf-8")
    _copy_pictures(folder / PICTURES, contents.pictures)


def _tensors(weights: Mapping[str, Tensor]) -> bytes:
    """As a file: a copy each, since safetensors refuses tensors that share memory or are not in row order."""
    return safetensors.torch.save({name: w.detach().cpu().contiguous().clone() for name, w in weights.items()})


def _copy_pictures(folder: Path, pictures: tuple[Path, ...]) -> None:
    folder.mkdir()
    for picture in pictures:
        target = folder / picture.name
        if not picture.is_file():
            raise BundleError(f"{picture}: the picture is not there: draw it before the bundle is written")
        if target.exists():
            raise BundleError(f"two pictures are called {picture.name}: give each a name of its own")
        shutil.copyfile(picture, target)
