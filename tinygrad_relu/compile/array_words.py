"""Array words: what an array is, in a word or two, and how it is made without a file, as a line of Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..record.words import plural
from .spelling import literal

__all__ = ["bytes_of", "dtype_of", "kind_of_array", "lies_in", "made_of_nothing", "view_of"]


def kind_of_array(array: Any) -> str:
    """Its shape and dtype; what is no array is a float."""
    return f"{array.shape} {array.dtype}" if hasattr(array, "dtype") else "float"


def dtype_of(array: Any) -> str:
    """Its dtype as Python."""
    return literal(array.dtype)


def bytes_of(size: int) -> str:
    """A number of bytes in the unit that suits it."""
    return plural(size, "byte") if size < 1000 else f"{size / 1000:.3g} KB" if size < 1e6 else f"{size / 1e6:.3g} MB"


def made_of_nothing(array: Any) -> str:
    """How a constant is made that needs no file: one number again and again, or 0, 1, 2, ...; else ""."""
    if not isinstance(array, np.ndarray) or not array.size:
        return ""
    if array.size > 1 and not any(array.strides):
        return f"np.broadcast_to({literal(array[(0,) * array.ndim])}, {array.shape})"
    if not array.flags.c_contiguous:
        return ""
    counted = np.arange(array.size, dtype=array.dtype).reshape(array.shape) if array.dtype != bool else array
    if array.size > 1 and array.dtype.kind == "i" and array.tobytes() == counted.tobytes():
        shape = f".reshape({array.shape})" if array.ndim > 1 else ""
        return f"np.arange({array.size}, dtype={dtype_of(array)}){shape}"
    for name in ("zeros", "ones"):
        if array.tobytes() == getattr(np, name)(array.shape, array.dtype).tobytes():
            return f"np.{name}({array.shape if array.ndim != 1 else array.size}, {dtype_of(array)})"
    return ""


def lies_in(array: np.ndarray, base: np.ndarray) -> bool:
    """Whether all of the array lies in the memory of the other one, which has no gaps."""
    if not base.flags.c_contiguous or not np.may_share_memory(array, base):
        return False
    low, high = np.lib.array_utils.byte_bounds(array)
    base_low, base_high = np.lib.array_utils.byte_bounds(base)
    return base_low <= low and high <= base_high


def view_of(name: str, base: np.ndarray, array: np.ndarray) -> str:
    """How the array is made as a view of the other one that it lies in, which has this name."""
    offset = np.lib.array_utils.byte_bounds(array)[0] - np.lib.array_utils.byte_bounds(base)[0]
    if base.ndim == 1 and array.dtype == base.dtype and array.flags.c_contiguous:
        start = offset // array.itemsize
        part = f"{name}[{start}:{start + array.size}]"
        return part if array.ndim == 1 else f"{part}.reshape({', '.join(map(str, array.shape)) or '()'})"
    if base.ndim == 1 and array.dtype == base.dtype and array.T.flags.c_contiguous:
        return f"{view_of(name, base, array.T)}.T"
    return f"np.ndarray({array.shape}, {dtype_of(array)}, {name}, {offset}, {array.strides})"
