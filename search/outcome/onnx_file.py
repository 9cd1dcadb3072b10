"""The network as an ONNX file, for programs without torch.

Input ``images``: float32 (B, C, H, W) in the data's own scale, B free. Output ``logits``: float32 (B, K, H, W).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from search.errors import BundleError
from spaces.facts import DataFacts

INPUT, OUTPUT = "images", "logits"
TOLERANCE = 1e-4  # of the largest logit: other kernels add in another order
# Max unpooling puts a value where its window had the maximum. Where two values of a window differ in the last bit only,
# other kernels put it elsewhere: up to 0.11 % of the pixels of an image were off by more than the tolerance (measured).
MOVED = 0.005


def write_onnx(path: Path, network: nn.Module, facts: DataFacts) -> None:
    """Write the network, which is in eval mode on the CPU, for images of the size in ``facts``."""
    example = torch.zeros(2, facts.channels, facts.height, facts.width)
    with warnings.catch_warnings():
        # The exporter by tracing is deprecated; it is ten times quicker than its successor and needs no onnxscript.
        # Its warnings about constant sizes are meant: the size is fixed. `check_onnx` compares the numbers.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            dynamo=False,
        )


def run_onnx(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (B, K, H, W) of images (B, C, H, W) through onnxruntime on the CPU."""
    import onnxruntime  # type: ignore[import-untyped]  # it ships no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    logits: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
    return logits


def check_onnx(path: Path, images: NDArray[np.float32], expected: NDArray[np.float32], *, moved: float = 0.0) -> None:
    """Raise BundleError unless the file gives the expected logits, and with them the same labels apart from ties.

    images: (B, C, H, W). expected: (B, K, H, W), from torch. moved: share of the pixels that may be off, see MOVED.
    """
    logits = run_onnx(path, images)
    single = run_onnx(path, images[:1])
    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    for came, wanted in ((logits, expected), (single, expected[:1])):
        far = _farthest(came, wanted, moved) if came.shape == wanted.shape else np.inf
        if not far <= allowed:  # also when it is NaN
            raise BundleError(
                f"the ONNX file is off by {far:.2g} from the network, at most {allowed:.2g} was expected:"
                " report this recipe as a fault"
            )
    highest = np.sort(expected, axis=1)
    clear = highest[:, -1] - highest[:, -2] > 2 * allowed
    if (clear & (logits.argmax(axis=1) != expected.argmax(axis=1))).sum() > moved * clear.size:
        raise BundleError("the ONNX file gives other labels than the network: report this recipe as a fault")


def _farthest(came: NDArray[np.float32], wanted: NDArray[np.float32], moved: float) -> float:
    """The largest difference of any pixel's logits, after the share of the most different pixels is left out."""
    differences = np.sort(np.abs(came - wanted).max(axis=1), axis=None)  # NaN comes last
    kept = len(differences) - int(moved * len(differences))
    return float(differences[kept - 1])
