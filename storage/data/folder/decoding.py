"""One image file by Pillow, as an untrusted file: its header first, the pixels once their size is known to be bearable.

Numbers are as the file has them, colours are 8 bits a channel. EXIF's turns are carried out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import SMALLEST
from storage.errors import DataError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

FORMATS = ("PNG", "JPEG", "TIFF")
LOSSY = ("JPEG", "MPO")  # MPO: a JPEG of a phone, with a second picture behind the one that is shown
ORIENTATION = 274  # EXIF's tag: 1 upright, 5 to 8 by a quarter turn
_KINDS: dict[str, tuple[int, str]] = {  # channels and type of Pillow's modes
    "1": (1, "uint8"),
    "L": (1, "uint8"),
    "LA": (1, "uint8"),
    "I;16": (1, "uint16"),
    "I;16B": (1, "uint16"),
    "I;16L": (1, "uint16"),
    "I": (1, "int32"),
    "F": (1, "float32"),
    "P": (3, "uint8"),
    "PA": (3, "uint8"),
    "RGB": (3, "uint8"),
    "RGBA": (3, "uint8"),
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file announces, before its pixels are read.

    name: what messages call it. format: Pillow's name. mode: Pillow's name of what a pixel is; packing: of how it lies
    in the file. height, width: in pixels, upright. stored: the same as they lie in the file. turn: EXIF's orientation.
    """

    path: Path
    name: str
    format: str
    mode: str
    packing: str
    height: int
    width: int
    stored: tuple[int, int]
    turn: int

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (colour)."""
        return _KINDS[self.mode][0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a channel."""
        return np.dtype(_KINDS[self.mode][1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        return self.height, self.width

    @property
    def has_alpha(self) -> bool:
        """Whether there is a channel that says how transparent a pixel is."""
        return self.mode in ("LA", "PA", "RGBA")

    @property
    def cut(self) -> bool:
        """Whether it holds 16 bits a channel of which Pillow reads the upper 8."""
        return ";16" in self.packing and not self.mode.startswith("I")


def probe(path: Path, name: str) -> Header:
    """Read the header of an image file. name: what messages call it.

    Raises DataError for what is no PNG, JPEG or TIFF of one grey or colour image of 8x8 pixels or more.
    """
    with _opened(path, name) as image:
        turn = _turn(image)
        width, height = image.size
        stored = (height, width)
        if turn >= 5 and image.format == "TIFF":  # which Pillow turns by itself, and announces as turned
            stored = (width, height)
        elif turn >= 5:
            height, width = stored[1], stored[0]
        header = Header(
            path=path,
            name=name,
            format=str(image.format),
            mode=image.mode,
            packing=_packing(image),
            height=height,
            width=width,
            stored=stored,
            turn=turn,
        )
        _check(header, frames=bool(getattr(image, "is_animated", False)) and image.format != "MPO")
    return header


def read_image(header: Header) -> NDArray[Any]:
    """The pixels (H, W) or (H, W, 3), alpha left out. Raises DataError for a file that is damaged."""
    with _loaded(header) as image:
        if header.mode in ("1", "LA"):
            image = image.convert("L")
        elif header.mode in ("P", "PA", "RGBA"):
            image = image.convert("RGB")
        return np.array(image)


def read_numbers(header: Header) -> NDArray[Any]:
    """The numbers of a mask (H, W): grey values, or places in a palette. Raises DataError as `read_image`."""
    with _loaded(header) as image:
        numbers = np.array(image)
    if header.mode == "1":
        return numbers.astype(np.uint8)
    # Pillow spreads grey of 2 and 4 bits over 0 to 255
    return numbers // {"L;2": 85, "L;4": 17}.get(header.packing, 1) if header.mode == "L" else numbers


def read_palette(header: Header) -> tuple[tuple[int, int, int], ...]:
    """The colours of a palette, by place. Raises DataError as `read_image`."""
    with _loaded(header) as image:
        flat = image.getpalette("RGB") or []
    return tuple((flat[place], flat[place + 1], flat[place + 2]) for place in range(0, len(flat) - 2, 3))


def read_alpha(header: Header) -> NDArray[np.uint8]:
    """How opaque each pixel is, (H, W), 255 where fully. Raises DataError as `read_image`."""
    with _loaded(header) as image:
        return np.array(image.convert("RGBA").getchannel("A"))


@contextmanager
def _loaded(header: Header) -> Iterator[Image.Image]:
    """The image with its pixels, upright."""
    from PIL import Image, ImageOps

    with _opened(header.path, header.name) as image:
        size = header.stored if image.format != "TIFF" else header.size
        if (image.height, image.width) != size or image.mode != header.mode:  # memory was made sure of for the former
            raise DataError(f"{header.name} was changed while it was read; try again")
        image.load()
        if image.format == "PNG" and header.turn == 1 and "exif" in image.info:
            late = Image.Exif()
            late.load(image.info["exif"])
            if late.get(ORIENTATION, 1) != 1:
                raise DataError(
                    f"{header.name} says only behind its pixels that it is to be turned; save it again, upright"
                )
        yield ImageOps.exif_transpose(image) if header.turn != 1 and image.format != "TIFF" else image


@contextmanager
def _opened(path: Path, name: str) -> Iterator[ImageFile.ImageFile]:
    """The file as Pillow opens it; whatever Pillow says of a broken one becomes one sentence."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd metadata, and on large images, whose size is checked here
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"{name} announces more than {most:,} pixels, which hostile files do; cut a true image of that size into"
            " parts"
        ) from error
    except UnidentifiedImageError as error:
        what = "is an empty file" if not path.stat().st_size else "is no PNG, JPEG or TIFF that can be read"
        raise DataError(f"{name} {what}; save the image again as one of these, or remove it") from error
    except MemoryError as error:
        raise DataError(f"{name} takes more memory than there is; cut it into parts") from error
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"{name} cannot be read ({error.strerror}); give a file you may read") from error
        raise DataError(_damaged(name)) from error
    except Exception as error:  # Pillow's readers raise nearly anything on cut, flipped and forged files
        raise DataError(_damaged(name)) from error


def _damaged(name: str) -> str:
    return f"{name} is truncated or damaged, or packed in a way that cannot be read; save or copy it again"


def _turn(image: Image.Image) -> int:
    from PIL import Image

    # of the base class: a PNG's own reads all pixels first, in search of what stands behind them
    found = Image.Image.getexif(image).get(ORIENTATION, 1)
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _packing(image: ImageFile.ImageFile) -> str:
    """How the pixels lie in the file, as Pillow calls it, such as ``RGB;16B``."""
    arguments = image.tile[0][3] if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _check(header: Header, *, frames: bool) -> None:
    """Raise DataError for an image that no data set can hold."""
    if header.mode not in _KINDS:
        raise DataError(
            f"{header.name} is {header.mode}; expected grey, RGB or a palette: Pillow's image.convert('RGB').save(...)"
            " makes RGB of it"
        )
    if frames:
        raise DataError(f"{header.name} holds several pages or frames; save the one that is meant in a file of its own")
    if min(header.size) < SMALLEST:
        raise DataError(
            f"{header.name} has {header.height}x{header.width} pixels; expected at least {SMALLEST}x{SMALLEST}: leave"
            " it out, or give a larger one"
        )
