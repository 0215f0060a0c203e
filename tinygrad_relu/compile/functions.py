"""Functions: the names of NumPy's functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from .number import Number
from .traced import Traced

__all__ = ["ABOUT_SHAPE", "WRITERS", "public_name", "shape_depends_on_data"]

# These answer with what does not depend on the numbers.
ABOUT_SHAPE = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj, np.may_share_memory,
    np.shares_memory,
}  # fmt: skip
WRITERS = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}  # into the first argument


def public_name(function: Any) -> str:
    """np.add, np.linalg.norm: how a program calls it; "" if NumPy has it under no such name."""
    module = function.__module__.removeprefix("numpy").lstrip(".")
    place: Any = np
    for part in module.split(".") if module else ():
        place = getattr(place, part, None)
    name = function.__name__
    if getattr(place, name, None) is function:
        return f"np.{module}.{name}" if module else f"np.{name}"
    return f"np.{name}" if getattr(np, name, None) is function else ""


_SHAPED_BY_DATA = {
    "np.nonzero", "np.flatnonzero", "np.argwhere", "np.unique", "np.bincount", "np.compress", "np.extract", "np.repeat",
    ".nonzero", ".compress", ".repeat", "np.histogram", "np.union1d", "np.intersect1d", "np.setdiff1d", "np.trim_zeros",
    "np.delete", "np.insert",
}  # fmt: skip


_SHAPED_BY_AN_ARGUMENT = {
    "np.repeat", ".repeat", "np.reshape", ".reshape", "np.broadcast_to", "np.tile", "np.resize", "np.pad", "np.split",
    "np.array_split",
}  # fmt: skip


def shape_depends_on_data(name: str, args: tuple, options: dict[str, Any]) -> bool:
    """Tell whether the numbers in the arguments, and not only their shapes, say how many elements the result has."""
    if name == "np.where":
        return len(args) == 1
    if name == "[]":
        return any(_chooses(item) for item in (args[1] if isinstance(args[1], tuple) else (args[1],)))
    if name in _SHAPED_BY_AN_ARGUMENT:
        return any(isinstance(x, Traced) for x in (*args[1:], *options.values()))
    return name in _SHAPED_BY_DATA


def _chooses(index: Any) -> bool:
    """Tell whether an index takes as many elements as its numbers say: a mask, or a slice to a number from the data."""
    if isinstance(index, slice):
        return any(isinstance(bound, (Traced, Number)) for bound in (index.start, index.stop, index.step))
    return isinstance(index, Traced) and index.dtype == np.bool_
