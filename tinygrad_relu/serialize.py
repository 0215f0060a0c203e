"""Saving and loading: arrays, numbers and text in files that other programs can read, and no pickle anywhere.

``.npz`` files hold any nesting of dicts, lists and tuples: each array is a member that ``numpy.load`` opens too, and
``structure.json`` says where it belongs. ``.safetensors`` files hold one flat dict of arrays: 8 bytes with the length
of the header (little-endian), the header in JSON, then the bytes of the arrays
(https://github.com/huggingface/safetensors, "Format").

A file is written under another name and then put in its place, so that the old one is replaced at once or not at all.
"""

from __future__ import annotations

import json
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from .files import replacing
from .record.words import plural
from .tensor import Tensor

__all__ = ["load", "save"]

_STRUCTURE = "structure.json"
_ARRAY_KINDS = "biufcSU"  # what .npy stores without pickle and without a private format

_SAFETENSORS = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "F16": "<f2",
    "U32": "<u4", "I32": "<i4", "F32": "<f4", "U64": "<u8", "I64": "<i8", "F64": "<f8",
}  # fmt: skip
_SAFETENSORS_NAMES = {np.dtype(code): name for name, code in _SAFETENSORS.items()}
_LONGEST_HEADER = 100_000_000  # the limit that the format's own reader has
_MOST_AXES = 64  # of a NumPy array

# How many times its stored bytes a member can have: deflate codes 258 bytes in 2 bits at the least.
_MOST_TIMES = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 258 * 4}
_MOST_UNPACKED, _MOST_RATIO = 2**30, 20  # bytes that any file may unpack to, and how many times its size a large one
_LONGEST_STRUCTURE = 2**24  # bytes of it, if compressed: it becomes lists and dicts of some twenty times its size

# What broken bytes make zipfile, zlib, json and NumPy raise.
_BROKEN = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, MemoryError, OverflowError, RecursionError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def save(path: str | os.PathLike[str], state: Any = ...) -> None:
    """Write ``state`` to ``path``: arrays and Tensors, numbers, text, True, False and None, in dicts, lists, tuples.

    A path that ends in ``.safetensors`` gets that format, which takes one flat dict of arrays by name; any other
    gets npz. An existing file is replaced only when the new one is complete.

    A file knows no classes. Dicts and lists of any class come back as dicts and lists; what would lose more than its
    class, such as a namedtuple its names, an Enum, or a masked array what it hides, is refused.

    Raises TypeError for that and for anything else in ``state``, and says where it is; OSError if the file cannot be
    written.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> tg.save(path, {"weights": [Tensor([1.0, 2.0]), Tensor([3.0])], "epoch": 7})
    >>> tg.load(path)
    {'weights': [array([1., 2.], dtype=float32), array([3.], dtype=float32)], 'epoch': 7}
    """
    if not _is_path(path):
        exchanged = f"; the path comes first: tg.save({str(state)!r}, ...)" if _is_path(state) else ""
        raise TypeError(f"save: expected the path of a file, got a {type(path).__name__}{exchanged}")
    if state is ...:
        raise TypeError(f"save: what to save is missing, as in tg.save({str(path)!r}, model.state_dict())")
    name = os.fsdecode(path)
    write = _safetensors_writer(state) if name.endswith(".safetensors") else _npz_writer(state)
    with replacing(name) as file:
        write(file)


def load(path: str | os.PathLike[str]) -> Any:
    """Read what ``save`` wrote, Tensors as arrays; also any ``.safetensors`` file, and any npz file of arrays.

    No code is run, whatever the file holds, and no more memory is asked for than what is stored takes. A compressed
    file may unpack to 1 GiB, or to 20 times its size if that is more.

    Raises FileNotFoundError if there is none, and ValueError with the reason if it is damaged, cut off, or of another
    format.

    >>> tg.load("no such file.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'no such file.npz'
    """
    if not _is_path(path):
        raise TypeError(
            f"load: expected the path of a file, got a {type(path).__name__}; what it gives goes into a model with "
            'model.load_state_dict(tg.load("model.npz"))'
        )
    name = os.fsdecode(path)
    with open(name, "rb") as file:
        status = os.fstat(file.fileno())
        size = status.st_size
        try:
            if not stat.S_ISREG(status.st_mode):  # a device such as /dev/zero never ends
                raise ValueError("it is no ordinary file")
            return _read_safetensors(file, size) if name.endswith(".safetensors") else _read_npz(file, size)
        except _BROKEN as error:
            reason = str(error.args[0] if error.args else "") or type(error).__name__
            raise ValueError(f"load: {name} cannot be read: {reason}") from error


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, bytes, os.PathLike))


# ---------------------------------------------------------------------- npz


def _npz_writer(state: Any) -> Callable[[IO[bytes]], None]:
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_encode(state, "", arrays))

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_STRUCTURE, structure)
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    return write


def _encode(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """The value as JSON: plain values as they are, and for the rest a dict whose only key says what it stands for."""
    if isinstance(value, (np.ndarray, np.generic, Tensor)):
        kind = "scalar" if isinstance(value, np.generic) else "array"
        array = _to_array(value, place)
        # Zip files cut names at a NUL and turn backslashes over, so names with such signs are not used.
        name = place if place.isprintable() and place and "\\" not in place else "array"
        while name in arrays:  # {"a": {"b": x}, "a/b": y}
            name += "'"
        arrays[name] = array
        return {kind: name}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"save: the key {key!r}{_at(place)} is a {type(key).__name__}; expected text or an int")
        return {"dict": [[key, _encode(item, _below(place, key), arrays)] for key, item in value.items()]}
    if isinstance(value, list) or type(value) is tuple:
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(item, _below(place, i), arrays) for i, item in enumerate(value)]}
    raise TypeError(f"save: cannot save a {type(value).__name__}{_at(place)}; {_advice(value)}")


def _advice(value: Any) -> str:
    if hasattr(value, "state_dict"):
        return "save its state_dict()"
    if hasattr(value, "_asdict"):
        return "a file knows no classes: save its _asdict(), or tuple() of it"
    if isinstance(value, (int, float, str, tuple)):
        return "a file knows no classes: make it a plain int, float, str or tuple first"
    if hasattr(value, "__array__"):
        return "make it an array with np.asarray first"
    return "expected arrays, numbers, text and None"


def _decode(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(node, dict):
        return node
    ((kind, content),) = node.items()
    if kind == "array":
        return arrays[content]
    if kind == "scalar":
        return arrays[content][()]
    if kind == "dict":
        return {key: _decode(item, arrays) for key, item in content}
    if kind in ("list", "tuple"):
        items = [_decode(item, arrays) for item in content]
        return items if kind == "list" else tuple(items)
    raise ValueError(f"structure.json has an unknown kind {kind!r}; was it written by a later version?")


def _read_npz(file: IO[bytes], size: int) -> Any:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        _check_sizes(members, size)
        names = [member.filename for member in members]
        if len(set(names)) < len(names):
            raise ValueError("it has two members of one name")
        arrays = {m.filename[:-4]: _read_member(archive, m) for m in members if m.filename.endswith(".npy")}
        if _STRUCTURE in names:
            return _decode(json.loads(archive.read(_STRUCTURE)), arrays)
        if len(arrays) < len(names) or not arrays:
            raise ValueError("it is a zip file, but not one of arrays")
        return arrays


def _check_sizes(members: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse what the file cannot hold, and what unpacks to far more than it holds, before memory is asked for."""
    for member in members:
        if not 0 <= member.header_offset < size:
            raise ValueError(f"{member.filename} should begin at byte {member.header_offset:,}, the file has {size:,}")
        if member.compress_type not in _MOST_TIMES:
            raise ValueError(f"{member.filename} is compressed in a way that npz files do not have")
        if member.file_size > member.compress_size * _MOST_TIMES[member.compress_type]:
            raise ValueError(f"{member.filename} should have {member.file_size:,} bytes, which cannot be in it")
    stored, unpacked = (sum(getattr(member, of) for member in members) for of in ("compress_size", "file_size"))
    if stored > size:
        raise ValueError(f"its members should take {plural(stored, 'byte')}, the file has {size:,}")
    if unpacked > max(_MOST_UNPACKED, _MOST_RATIO * size):
        raise ValueError(
            f"its {size:,} bytes unpack to {unpacked:,}; if you trust it, read it with numpy.load and write it again "
            "with tg.save, which does not compress"
        )
    for member in members:
        compressed = member.compress_type != zipfile.ZIP_STORED
        if member.filename == _STRUCTURE and compressed and member.file_size > _LONGEST_STRUCTURE:
            raise ValueError(f"{_STRUCTURE} unpacks to {member.file_size:,} bytes, more than are taken on trust")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        # The third version differs from the second in how names of fields are written.
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        stated, stored = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
    if stated != stored and not dtype.hasobject:
        raise ValueError(
            f"{info.filename} of shape {shape} and dtype {dtype} should have {plural(stated, 'byte')}, not {stored:,}"
        )
    with archive.open(info) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        member.read(1)  # nothing but the end, where the checksum is compared
    return array


# ---------------------------------------------------------------------- safetensors


def _safetensors_writer(state: Any) -> Callable[[IO[bytes]], None]:
    if not isinstance(state, dict):
        raise TypeError(f"save: a .safetensors file holds a dict of arrays, got a {type(state).__name__}; use .npz")
    arrays = {name: _for_safetensors(name, value) for name, value in state.items()}
    offset = 0
    places = {}
    # Wide elements first, so that every array starts at a multiple of its element size.
    in_file = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    for name in in_file:
        places[name] = [offset, offset + arrays[name].nbytes]
        offset += arrays[name].nbytes
    header = json.dumps(
        {
            name: {"dtype": _SAFETENSORS_NAMES[a.dtype], "shape": list(a.shape), "data_offsets": places[name]}
            for name, a in arrays.items()
        },
        separators=(",", ":"),
    ).encode()
    header += b" " * (-len(header) % 8)

    def write(file: IO[bytes]) -> None:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in in_file:
            file.write(arrays[name].tobytes())

    return write


def _for_safetensors(name: Any, value: Any) -> np.ndarray:
    if not isinstance(name, str) or name == "__metadata__":
        raise TypeError(f"save: {name!r} cannot be the name of an array in a .safetensors file")
    if not isinstance(value, (np.ndarray, np.generic, Tensor)):
        raise TypeError(
            f"save: a .safetensors file holds a flat dict of arrays, but {name!r} is a {type(value).__name__}; use .npz"
        )
    array = _to_array(value, name)
    array = array.astype(array.dtype.newbyteorder("<"), order="C")
    if array.dtype not in _SAFETENSORS_NAMES:
        raise TypeError(f"save: a .safetensors file has no dtype {array.dtype}, which {name!r} is; use .npz")
    return array


def _read_safetensors(file: IO[bytes], size: int) -> dict[str, np.ndarray]:
    length = int.from_bytes(file.read(8), "little")
    body = size - 8 - length
    if body < 0 or length > _LONGEST_HEADER:
        raise ValueError(f"the header should have {plural(length, 'byte')}, the file has {size:,} in all")
    header = json.loads(file.read(length).decode(), object_pairs_hook=_without_duplicates)
    header.pop("__metadata__", None)
    for name, entry in header.items():
        _check_entry(name, entry)
    in_file = sorted(header, key=lambda name: header[name]["data_offsets"])
    end = 0
    for name in in_file:
        start, stop = header[name]["data_offsets"]
        if start != end:
            raise ValueError(f"the arrays overlap or leave a hole at byte {end}")
        end = stop
    if end != body:
        raise ValueError(f"the arrays should take {plural(end, 'byte')}, the file has {body:,} for them")
    arrays = {name: _read_entry(file, header[name]) for name in in_file}
    return {name: arrays[name] for name in header}


def _check_entry(name: str, entry: dict[str, Any]) -> None:
    if entry["dtype"] not in _SAFETENSORS:
        raise ValueError(f"{name!r} has the dtype {entry['dtype']}, which NumPy has not")
    dtype, shape = np.dtype(_SAFETENSORS[entry["dtype"]]), entry["shape"]
    start, stop = entry["data_offsets"]
    if len(shape) > _MOST_AXES or any(type(n) is not int or n < 0 for n in (*shape, start, stop)):
        raise ValueError(f"{name!r} has a shape or place that is no whole number, or more than {_MOST_AXES} axes")
    if stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name!r} of shape {tuple(shape)} and dtype {dtype} does not fit bytes {start} to {stop}")


def _read_entry(file: IO[bytes], entry: dict[str, Any]) -> np.ndarray:
    dtype = np.dtype(_SAFETENSORS[entry["dtype"]])
    array = np.fromfile(file, dtype, math.prod(entry["shape"])).reshape(entry["shape"])
    return array.astype(dtype.newbyteorder("="), copy=False)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("the header names an array twice")
    return dict(pairs)


# ---------------------------------------------------------------------- both


def _to_array(value: Any, place: str) -> np.ndarray:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise TypeError(
            f"save: cannot save a masked array{_at(place)}, its mask would be lost; fill it with .filled(...)"
        )
    array = value._array if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in _ARRAY_KINDS:
        raise TypeError(f"save: cannot save an array of dtype {array.dtype}{_at(place)}; convert it to numbers first")
    return array


def _below(place: str, key: Any) -> str:
    return f"{place}/{key}" if place else str(key)


def _at(place: str) -> str:
    return f" at {place!r}" if place else ""
