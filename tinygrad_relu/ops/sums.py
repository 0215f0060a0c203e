"""Sums of many coarse numbers: in which dtype they are added up, and rounded once. Ops of all families use these."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

Axis = int | tuple[int, ...] | None


def reduced_axes(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    if axis is None or not shape:
        return tuple(range(len(shape)))
    return normalize_axis_tuple(axis, len(shape))


def count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements become one."""
    if type(axis) is int and -len(shape) <= axis < len(shape):
        return shape[axis]
    return math.prod(shape[i] for i in reduced_axes(shape, axis))


_MANY = 1024


def finer(x, axis: Axis = None):
    """The dtype in which many coarse numbers are added up, to be rounded once; None where their own will do.

    NumPy adds row after row: in float32 a million of them lose 1 %, and a sum in float16 ends at 65504.
    """
    kind = x.dtype.char if hasattr(x, "dtype") else ""
    if kind == "e":
        return np.float32
    return np.float64 if kind == "f" and x.size > _MANY and x.ndim > 1 and count(x.shape, axis) > _MANY else None


def rounded(result, like):
    """The result in the dtype of ``like``, if that is coarser."""
    dtype = getattr(like, "dtype", None)
    return result.astype(dtype) if dtype in (np.float16, np.float32) and result.dtype != dtype else result


def add_up(x, axis: Axis = None, **options):
    """The sum over an axis, of many coarse numbers too; for arrays alone. Rules, which get Tensors too, call tg.sum."""
    dtype = finer(x, axis)
    if dtype is None:
        return np.add.reduce(x, axis=axis, **options)
    if axis is None and dtype == np.float64 and not options.get("keepdims"):
        return np.add.reduce(np.ravel(x, "K"))  # in one row NumPy adds pair by pair, which is as good and faster
    return rounded(np.add.reduce(x, axis=axis, dtype=dtype, **options), x)


def widened(x):
    """float16 as float32, for what would overflow on the way to a result that does not; all else as it is."""
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float16 else x
