"""The part of a model card for those who run the ONNX file, with ten lines of Python that need no torch."""

from __future__ import annotations

from search.outcome.contents import BundleContents
from search.outcome.manifest import ONNX
from search.outcome.onnx_file import INPUT, LABELS, OPSET, PROBABILITIES, OnnxFile

# What opens an image whose pixels Pillow gives as they are in the data, by type and channels.
_OPENED = {("uint8", 1): '.convert("L")', ("uint8", 3): '.convert("RGB")', ("uint16", 1): "", ("float32", 1): ""}


def write_onnx_use(contents: BundleContents, onnx: OnnxFile) -> str:
    """What goes in, what comes out, and the code."""
    facts = contents.seen
    height, width = ("height", "width") if onnx.any_size else (facts.height, facts.width)
    sizes = (
        "The batch size is free, and so are height and width, from 8 pixels on; it has learnt from the size above."
        if onnx.any_size
        else f"The batch size is free. Height and width are fixed at {facts.height}x{facts.width}: this network pools"
        " its maps to grids of fixed numbers of cells, which ONNX cannot say for any size."
    )
    return f"""## Without torch

`{ONNX}` (opset {OPSET}) runs in every onnxruntime, also in browsers. {sizes}

| | name | type | shape | |
|---|---|---|---|---|
| input | `{INPUT}` | {onnx.dtype} | (batch, {facts.channels}, {height}, {width}) | pixels as in the data |
| output | `{LABELS}` | uint8 | (batch, {height}, {width}) | the most probable class of each pixel |
| output | `{PROBABILITIES}` | float32 | (batch, {facts.classes}, {height}, {width}) | of each class, 0 to 1 |

As JSON, its metadata hold `class_names`, `class_colours`, `excluded_classes`, `ignore_label` and `normalisation`.
From an image to a picture of its classes, with onnxruntime, numpy and Pillow:

```python
{_code(contents, onnx)}
```"""


def _code(contents: BundleContents, onnx: OnnxFile) -> str:
    facts = contents.seen
    opened = _OPENED.get((onnx.dtype, facts.channels))
    if opened is None:
        images = 'numpy.load("image.npy")'
    else:
        resized = "" if onnx.any_size else f".resize(({facts.width}, {facts.height}))"
        images = f'numpy.asarray(Image.open("image.png"){opened}{resized}, numpy.{onnx.dtype})'
    batch = "[None, None]" if facts.channels == 1 else ".transpose(2, 0, 1)[None]"
    return f"""import json
import numpy
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{ONNX}")
known = session.get_modelmeta().custom_metadata_map
images = {images}{batch}  # (1, {facts.channels}, height, width)
(labels,) = session.run(["{LABELS}"], {{"{INPUT}": images}})  # (1, height, width)
picture = Image.fromarray(labels[0])
picture.putpalette(bytes.fromhex("".join(json.loads(known["class_colours"])).replace("#", "")))
picture.save("labels.png")
print({{name: float((labels == k).mean()) for k, name in enumerate(json.loads(known["class_names"]))}})"""
