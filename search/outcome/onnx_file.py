"""The network as an ONNX file, for programs without torch.

Input ``images``: (B, C, H, W) in the data's own numbers and type. Outputs ``labels``: uint8 (B, H, W), and
``probabilities``: float32 (B, K, H, W). B is free; H and W are, too, where the network allows it. The metadata name
the classes and their colours, the classes left out of the mean, and the normalisation inside.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.errors import BundleError
from search.outcome.contents import BundleContents
from search.outcome.pictures.colours import class_colours
from spaces.facts import DataFacts
from spaces.modules.networks.network import Network

INPUT, LABELS, PROBABILITIES = "images", "labels", "probabilities"
OPSET = 17  # read by every onnxruntime since 1.12 and by the one for browsers
TOLERANCE = 1e-4  # of the largest logit: other kernels add in another order
# Max unpooling puts a value where its window had the maximum. Where two values of a window differ in the last bit only,
# other kernels put it elsewhere: up to 0.11 % of the pixels of an image were off by more than the tolerance (measured).
MOVED = 0.005
_SMALL = 64  # pixels of a side; the other sizes are tried near it, which costs little
_OTHER = ((1, 9, 22), (3, 37, 3))  # images, and how much higher and wider they are than at most that
_AXES = {0: "batch", 2: "height", 3: "width"}


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """What a program must know to run the file.

    dtype: of the input, as numpy names it. any_size: whether height and width are free.
    """

    dtype: str
    any_size: bool

    def document(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        names = {"input": INPUT, "outputs": [LABELS, PROBABILITIES]}
        return {"opset": OPSET, **names, "dtype": self.dtype, "any_size": self.any_size}


class Deployed(nn.Module):
    """What the file computes: the labels and probabilities of a network's logits."""

    def __init__(self, network: nn.Module) -> None:
        """Take a network in eval mode."""
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, C, H, W) to labels (B, H, W) uint8 and probabilities (B, K, H, W)."""
        logits = self.network(images)
        return logits.argmax(dim=1).to(torch.uint8), logits.softmax(dim=1)


def write_onnx(path: Path, network: Network, contents: BundleContents) -> OnnxFile:
    """Write the network, which is in eval mode on the CPU, and say what came of it.

    For any size; for the one that it saw in its training where what it gives at other sizes is not what torch gives.
    """
    facts, dtype = contents.seen, contents.pixels.dtype
    example = torch.zeros(2, facts.channels, facts.height, facts.width, dtype=_traced(dtype))
    with warnings.catch_warnings():
        # The exporter by tracing is deprecated; it is ten times quicker than its successor and needs no onnxscript.
        # It warns of sizes that a trace holds for constant: `_any_size` compares the numbers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Deployed(network),
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[LABELS, PROBABILITIES],
            dynamic_axes={INPUT: _AXES, LABELS: {0: "batch", 1: "height", 2: "width"}, PROBABILITIES: _AXES},
            opset_version=OPSET,
            dynamo=False,
        )
    if dtype == "uint16":
        _cast_input(path, onnx.TensorProto.UINT16)
    written = OnnxFile(dtype=dtype, any_size=_any_size(path, network, contents))
    _complete(path, network, contents, written)
    return written


def _traced(dtype: str) -> torch.dtype:
    """What the network is traced with: the exporter knows no uint16."""
    return torch.uint8 if dtype == "uint8" else torch.float32


def _cast_input(path: Path, kind: int) -> None:
    """Let the file take another type, which it casts to float32 first."""
    model, cast = onnx.load(path), f"{INPUT}_float32"
    for node in model.graph.node:
        node.input[:] = [cast if name == INPUT else name for name in node.input]
    model.graph.node.insert(0, onnx.helper.make_node("Cast", [INPUT], [cast], to=onnx.TensorProto.FLOAT))
    model.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(model, path)


def run_onnx(path: Path, images: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels (B, H, W) and probabilities (B, K, H, W) of images (B, C, H, W) through onnxruntime on the CPU."""
    labels, probabilities = _session(path).run([LABELS, PROBABILITIES], {INPUT: images})
    return labels, probabilities


def check_onnx(path: Path, images: NDArray[Any], logits: NDArray[np.float32], *, moved: float = 0.0) -> None:
    """Raise BundleError unless the file gives the network's probabilities, and its labels apart from ties.

    images: (B, C, H, W) of the file's type. logits: (B, K, H, W), from torch. moved: share of the pixels that may be
    off, see MOVED.
    """
    session = _session(path)
    for count in {len(images), 1}:
        fault = _fault(session, images[:count], logits[:count], moved)
        if fault:
            raise BundleError(f"the ONNX file {fault}: report this recipe as a fault")


def _session(path: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped]  # it ships no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is told by an exception
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _fault(session: Any, images: NDArray[Any], logits: NDArray[np.float32], moved: float) -> str:
    """In what the file differs from the network, in words; "" where it does not."""
    labels, probabilities = session.run([LABELS, PROBABILITIES], {INPUT: images})
    expected = torch.from_numpy(logits).softmax(dim=1).numpy()
    # Probabilities move by at most half of what all logits move by.
    allowed = TOLERANCE * max(1.0, float(np.abs(logits).max())) / 2
    far = _farthest(probabilities, expected, moved) if probabilities.shape == expected.shape else np.inf
    if not far <= allowed:  # also when it is NaN
        return f"is off by {far:.2g} from the network, at most {allowed:.2g} was expected"
    highest = np.sort(logits, axis=1)
    clear = highest[:, -1] - highest[:, -2] > 4 * allowed
    if (clear & (labels != logits.argmax(axis=1))).sum() > moved * clear.size:
        return "gives other labels than the network"
    return ""


def _farthest(came: NDArray[np.float32], wanted: NDArray[np.float32], moved: float) -> float:
    """The largest difference of any pixel's numbers, after the share of the most different pixels is left out."""
    differences = np.sort(np.abs(came - wanted).max(axis=1), axis=None)  # NaN comes last
    kept = len(differences) - int(moved * len(differences))
    return float(differences[kept - 1])


def _any_size(path: Path, network: Network, contents: BundleContents) -> bool:
    """Whether the file does what the network does at two other sizes and numbers of images."""
    session, facts = _session(path), contents.seen
    for count, higher, wider in _OTHER:
        images = _of_size(contents, count, min(facts.height, _SMALL) + higher, min(facts.width, _SMALL) + wider)
        with torch.inference_mode():
            logits = network(torch.from_numpy(images)).numpy()
        try:
            if _fault(session, images, logits, MOVED):
                return False
        except Exception:  # one of onnxruntime's own, which have no common base: the trace holds a size for constant
            return False
    return True


def _of_size(contents: BundleContents, count: int, height: int, width: int) -> NDArray[Any]:
    """So many images (B, C, H, W) of this size: validation images, cut or repeated."""
    images = contents.validation_images
    for axis, size in enumerate((count, height, width)):
        images = np.take(images, range(size), axis=axis, mode="wrap")
    return as_batch(images, contents.pixels.dtype)


def as_batch(images: NDArray[Any], dtype: str = "float32") -> NDArray[Any]:
    """Images (N, H, W) or (N, H, W, C) as (N, C, H, W) of this type."""
    batch = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(batch, dtype=dtype)


def _complete(path: Path, network: Network, contents: BundleContents, written: OnnxFile) -> None:
    """Name the dimensions, fix height and width where they are not free, and put the metadata in."""
    model, facts = onnx.load(path), contents.seen
    height, width = ("height", "width") if written.any_size else (facts.height, facts.width)
    shapes: dict[str, tuple[str | int, ...]] = {
        INPUT: ("batch", facts.channels, height, width),
        LABELS: ("batch", height, width),
        PROBABILITIES: ("batch", facts.classes, height, width),
    }
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, shapes[value.name]))
    onnx.helper.set_model_props(model, _metadata(network, facts, contents.ignore_label))
    onnx.save(model, path)


def _metadata(network: Network, facts: DataFacts, ignore_label: int | None) -> dict[str, str]:
    """JSON in each value; a bound that there is not is null."""
    bounds = [bound if np.isfinite(bound) else None for bound in network.bounds.tolist()]
    scale = {"mean": network.mean.flatten().tolist(), "std": network.std.flatten().tolist(), "bounds": bounds}
    told = {
        "class_names": facts.class_names,
        "class_colours": class_colours(facts),
        "excluded_classes": facts.excluded,
        "ignore_label": ignore_label,
        "normalisation": scale,
    }
    return {name: json.dumps(value, ensure_ascii=False) for name, value in told.items()}
