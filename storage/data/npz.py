"""The npz archive as an untrusted file: every size is checked before memory is taken, nothing is unpickled.

An npz is a zip of npy members. Three places announce a size (the zip's directory, the member's header, the
bytes themselves), and a broken or hostile file lets them disagree.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from storage.atomic_write import replacing
from storage.errors import DataError

MAX_BYTES = 16 * 2**30  # of all arrays together; a larger set would not stay resident in a training anyway
MAX_HEADER = 10_000  # bytes of one member's npy header, as numpy's own limit; ours have about 100
MAX_EXPANSION = 1040  # deflate cannot unpack one byte to more than 1032 (zlib's technical notes), plus headers
# all that zipfile, zlib and the npy reader were seen to raise on cut, flipped and forged files
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, struct.error, RuntimeError)
BROKEN_MEMBER = (*BROKEN, SyntaxError, TypeError, KeyError, tokenize.TokenError, RecursionError, MemoryError)


_SAVED = "np.savez('train.npz', images={}, masks=masks, class_names=class_names)"


def read_arrays(path: Path, wanted: Collection[str]) -> dict[str, NDArray[Any]]:
    """Read the wanted members that an npz file has; other members are neither read nor checked.

    Raises DataError for a file that is missing, no npz, truncated, pickled, encrypted, or whose headers
    announce more than the file can hold or than 16 GiB (or this machine's memory) in all.
    """
    try:
        with _open(path) as archive:
            members = {key: f"{key}.npy" for key in wanted if f"{key}.npy" in archive.NameToInfo}
            sizes = [_checked_size(archive, path, name) for name in members.values()]
            if sum(sizes) > (limit := memory_limit()):
                raise DataError(
                    f"the arrays would take {sum(sizes):,} bytes of memory, more than the {limit:,} bytes allowed"
                )
            return {key: _read_member(archive, name) for key, name in members.items()}
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def array_names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in an npz file. Raises DataError for one that is missing or no npz."""
    try:
        with _open(path) as archive:
            return tuple(name[:-4] for name in archive.namelist() if name.endswith(".npy"))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an npz file at exactly this path, whole or not at all."""
    try:
        with replacing(path) as file:
            _compress(file, arrays)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be written ({reason}); name a file in a folder you may write to") from error


def memory_limit() -> int:
    """The bytes that the arrays of one file may take: 16 GiB, or this machine's memory where that is less."""
    import psutil  # here, so that `import storage` stays light

    return min(MAX_BYTES, int(psutil.virtual_memory().total))


def _open(path: Path) -> zipfile.ZipFile:
    try:
        if not path.exists():
            raise DataError("no such file; give the path of an .npz data set, or of a folder with images/ and masks/")
        if not path.is_file():
            raise DataError("is not a file (a folder?); give the path of an .npz data set")
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise DataError(f"cannot be looked at ({error.strerror}); give the path of an .npz data set") from error
    start = _first_bytes(path)
    if start.startswith(b"\x93NUMPY"):
        raise DataError(
            f"is a single .npy array; expected an .npz archive, {_SAVED.format(f'np.load({path.name!a})')},"
            " for predict without masks and class_names"
        )
    if not start.startswith(b"PK"):
        what = "is not an .npz file" if start else "is an empty file"
        raise DataError(f"{what}; expected an archive, {_SAVED.format('images')}")
    try:
        return zipfile.ZipFile(path)
    except BROKEN as error:
        raise DataError("is truncated or damaged: its list of arrays cannot be read; copy the file again") from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(6)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}); give an .npz file that you may read") from error


def _checked_size(archive: zipfile.ZipFile, path: Path, name: str) -> int:
    """The bytes of one member's array, once all that announces a size agrees; reads only its header."""
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise DataError(f"array '{name[:-4]}' is encrypted; write it again with numpy.savez")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"array '{name[:-4]}' is packed in a way numpy never uses; write it with numpy.savez")
    packed = min(info.compress_size, path.stat().st_size)
    expansion = 1 if info.compress_type == zipfile.ZIP_STORED else MAX_EXPANSION
    if info.file_size > packed * expansion:
        raise DataError(
            f"array '{name[:-4]}' announces {info.file_size:,} bytes but the file holds only {packed:,} for it"
        )
    size, header = _announced(archive, name)
    if size != info.file_size - header:
        raise DataError(
            f"array '{name[:-4]}' announces {size:,} bytes in its header but the file holds {info.file_size - header:,}"
        )
    return size


def _announced(archive: zipfile.ZipFile, name: str) -> tuple[int, int]:
    """The bytes that a member's npy header announces, and the length of the header itself."""
    try:
        with archive.open(name) as member:
            shape, dtype = _header(member)
            header = member.tell()
    except BROKEN_MEMBER as error:
        raise DataError(f"array '{name[:-4]}' is truncated or damaged; write or copy the file again") from error
    if dtype.hasobject:
        mend = _mend_of_objects(name[:-4], shape)
        raise DataError(f"array '{name[:-4]}' holds pickled Python objects, which are refused; expected {mend}")
    if any(length < 0 for length in shape):
        raise DataError(f"array '{name[:-4]}' announces a negative shape {shape}")
    items = math.prod(int(length) for length in shape)
    if items and dtype.itemsize == 0:  # no bytes in the file, but numpy makes room for at least one an item
        raise DataError(f"array '{name[:-4]}' announces {items:,} items of no bytes; store plain numbers")
    return items * dtype.itemsize, header


def _mend_of_objects(name: str, shape: tuple[int, ...]) -> str:
    """What to store in place of objects, which may be words, arrays of several sizes, or None."""
    if name in ("class_names", "group", "excluded_from_mean") and shape:
        return f"strings, such as np.array({name}).astype(str)"
    if shape:
        return f"numbers in arrays of one size, such as np.array({name}.tolist())"
    return f"a value, leave {name} out where it is None"


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype that a member announces; of a header no more is read than any array of ours needs.

    numpy looks at its length only after it has read it: four bytes may announce 4 GiB, which deflate packs into 4 MiB.
    """
    start = member.read(12)
    magic = io.BytesIO(start)
    version = npy.read_magic(magic)
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(start[8 : 8 + width], "little")
    if length > MAX_HEADER:
        raise ValueError(f"a header of {length} bytes")
    member.seek(0)
    member.read(8)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(member)
    return tuple(int(side) for side in shape), dtype


def _read_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    try:
        with archive.open(name) as member:
            array: NDArray[Any] = npy.read_array(member, allow_pickle=False)
    except BROKEN_MEMBER as error:
        raise DataError(f"array '{name[:-4]}' is truncated or damaged; write or copy the file again") from error
    if array.dtype.kind == "U" and array.size:
        signs = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).view(np.uint32)
        if signs.max() > sys.maxunicode:  # a string made of them would break Python itself
            raise DataError(f"array '{name[:-4]}' holds text with numbers that are no characters; store plain text")
    return array


def _compress(file: IO[bytes], arrays: Mapping[str, NDArray[Any]]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for key, array in arrays.items():
            # a fixed date, so that equal contents give equal files
            member = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as target:
                npy.write_array(target, array, allow_pickle=False)
