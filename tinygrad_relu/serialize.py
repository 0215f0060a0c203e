"""Saving and loading: arrays, numbers and text in files that other programs can read, and no pickle anywhere.

``.npz`` files hold any nesting of dicts, lists and tuples: each array is a member that ``numpy.load`` opens too, and
``structure.json`` says where it belongs. ``.safetensors`` files hold one flat dict of arrays: 8 bytes with the length
of the header (little-endian), the header in JSON, then the bytes of the arrays
(https://github.com/huggingface/safetensors, "Format").

A file is written under another name and then put in its place, so that the old one is replaced at once or not at all.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from .files import replacing
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

# What broken bytes make zipfile, zlib, json and NumPy raise.
_BROKEN = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, MemoryError, OverflowError, RecursionError,
    NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def save(path: str | os.PathLike[str], state) -> None:
    """Write ``state`` to ``path``: arrays and Tensors, numbers, text, True, False and None, in dicts, lists, tuples.

    A path that ends in ``.safetensors`` gets that format, which takes one flat dict of arrays by name; any other
    gets npz. An existing file is replaced only when the new one is complete.

    Raises TypeError for anything else in ``state``, and says where it is; OSError if the file cannot be written.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> tg.save(path, {"weights": [Tensor([1.0, 2.0]), Tensor([3.0])], "epoch": 7})
    >>> tg.load(path)
    {'weights': [array([1., 2.], dtype=float32), array([3.], dtype=float32)], 'epoch': 7}
    """
    name = os.fspath(path)
    write = _safetensors_writer(state) if name.endswith(".safetensors") else _npz_writer(state)
    with replacing(name) as file:
        write(file)


def load(path: str | os.PathLike[str]):
    """Read what ``save`` wrote, Tensors as arrays; also any ``.safetensors`` file, and any npz file of arrays.

    No code is run, whatever the file holds. Raises FileNotFoundError if there is none, and ValueError with the
    reason if it is damaged, cut off, or of another format.

    >>> tg.load("no such file.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'no such file.npz'
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        raw = file.read()
    try:
        return _read_safetensors(raw) if name.endswith(".safetensors") else _read_npz(raw)
    except _BROKEN as error:
        reason = str(error.args[0] if error.args else "") or type(error).__name__
        raise ValueError(f"load: {name} cannot be read: {reason}") from error


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
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"save: the key {key!r}{_at(place)} is a {type(key).__name__}; expected text or an int")
        return {"dict": [[key, _encode(item, _below(place, key), arrays)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encode(item, _below(place, i), arrays) for i, item in enumerate(value)]}
    hint = "; save its state_dict()" if hasattr(value, "state_dict") else ""
    raise TypeError(
        f"save: cannot save a {type(value).__name__}{_at(place)}{hint or '; expected arrays, numbers, text and None'}"
    )


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


def _read_npz(raw: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        names = archive.namelist()
        arrays = {name[:-4]: _read_member(archive, name) for name in names if name.endswith(".npy")}
        if _STRUCTURE in names:
            return _decode(json.loads(archive.read(_STRUCTURE)), arrays)
        if len(arrays) < len(names) or not arrays:
            raise ValueError("it is a zip file, but not one of arrays")
        return arrays


def _read_member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    member = io.BytesIO(archive.read(name))  # reads to the end, so that the checksum is compared
    array = np.lib.format.read_array(member, allow_pickle=False)
    if member.read(1):
        raise ValueError(f"{name} is longer than its array")
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


def _read_safetensors(raw: bytes) -> dict[str, np.ndarray]:
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > min(len(raw) - 8, _LONGEST_HEADER):
        raise ValueError(f"the header should be {length} bytes long, the file has {len(raw)} in all")
    header = json.loads(raw[8 : 8 + length].decode(), object_pairs_hook=_without_duplicates)
    header.pop("__metadata__", None)
    body = memoryview(raw)[8 + length :]
    arrays = {name: _from_safetensors(name, entry, body) for name, entry in header.items()}
    end = 0
    for start, stop in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        if start != end:
            raise ValueError(f"the arrays overlap or leave a hole at byte {end}")
        end = stop
    if end != len(body):
        raise ValueError(f"the arrays should take {end} bytes, there are {len(body)}")
    return arrays


def _from_safetensors(name: str, entry: dict[str, Any], body: memoryview) -> np.ndarray:
    if entry["dtype"] not in _SAFETENSORS:
        raise ValueError(f"{name!r} has the dtype {entry['dtype']}, which NumPy has not")
    dtype = np.dtype(_SAFETENSORS[entry["dtype"]])
    shape = tuple(entry["shape"])
    start, stop = entry["data_offsets"]
    if any(type(n) is not int or n < 0 for n in (*shape, start, stop)):
        raise ValueError(f"{name!r} has a shape or place that is no whole number")
    if stop - start != math.prod(shape) * dtype.itemsize or stop > len(body):
        raise ValueError(f"{name!r} of shape {shape} and dtype {dtype} does not fit bytes {start} to {stop}")
    return np.frombuffer(body[start:stop], dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("the header names an array twice")
    return dict(pairs)


# ---------------------------------------------------------------------- both


def _to_array(value: Any, place: str) -> np.ndarray:
    array = value._data if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in _ARRAY_KINDS:
        raise TypeError(f"save: cannot save an array of dtype {array.dtype}{_at(place)}; convert it to numbers first")
    return array


def _below(place: str, key: Any) -> str:
    return f"{place}/{key}" if place else str(key)


def _at(place: str) -> str:
    return f" at {place!r}" if place else ""
