"""Reductions."""

from __future__ import annotations

import math
from typing import Any

from ..pool import Pool
from .table import Call, call, calls


def reduced(pool: Pool, name: str, theirs: str, **options: Any) -> Call:
    """A reduction of one value, with options that are called the same on both sides."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    also = "".join(f", {key}={value!r}" for key, value in options.items())
    return (
        call(pool, name, x, axis=axis, keepdims=keep, **options),
        f"{theirs}({x}, dim={pool.dims(x, axis)}, keepdim={keep}{also})",
    )


@calls("sum", "mean", "logsumexp", "any", "all")
def reduction(pool: Pool, name: str) -> Call:
    return reduced(pool, name, f"torch.{name}")


@calls("max", "min")
def extremum(pool: Pool, name: str) -> Call:
    return reduced(pool, name, f"torch.a{name}")


@calls("norm")
def norm(pool: Pool, name: str) -> Call:
    return reduced(pool, name, "torch.linalg.vector_norm", ord=pool.choose(2, 1, math.inf, 3, 1.5))


@calls("var", "std")
def spread(pool: Pool, name: str) -> Call:
    """With a ``ddof`` only where there is more than one element: of one, both have NaN by different ways."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    dims = pool.dims(x, axis)
    ddof = pool.choose(None, 1) if math.prod(pool.shape_of(x)[i] for i in dims) > 1 else None
    return (
        call(pool, name, x, axis=axis, keepdims=keep, ddof=ddof),
        f"torch.{name}({x}, dim={dims}, keepdim={keep}, correction={ddof or 0})",
    )


@calls("prod")
def prod(pool: Pool, name: str) -> Call:
    """Not torch.prod: by whether there is a zero anywhere, that takes products of the others or divides by each."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    shape, dims = pool.shape_of(x), pool.dims(x, axis)
    rest = [i for i in range(len(shape)) if i not in dims]
    first = (math.prod(shape[i] for i in dims), *(shape[i] for i in rest))
    last = tuple(1 if i in dims else n for i, n in enumerate(shape) if keep or i not in dims)
    factors = f"[{x}.new_ones({first[1:]}), *{x}.permute({(*dims, *rest)}).reshape({first})]"
    return call(pool, name, x, axis=axis, keepdims=keep), f"math.prod({factors}).reshape({last})"


@calls("argmax", "argmin")
def place_of_extremum(pool: Pool, name: str) -> Call:
    x, keep = pool.value(), pool.flag()
    axis = pool.choose(None, pool.axis(x))
    return call(pool, name, x, axis=axis, keepdims=keep), f"torch.{name}({x}, dim={axis}, keepdim={keep})"


@calls("cumsum")
def cumsum(pool: Pool, name: str) -> Call:
    x = pool.value()
    axis = pool.choose(None, pool.axis(x)) if pool.shape_of(x) else None  # of a 0-d value NumPy makes a vector
    theirs = f"torch.cumsum({x}.reshape(-1), 0)" if axis is None else f"torch.cumsum({x}, {axis})"
    return call(pool, name, x, axis=axis), theirs


@calls("builtin sum")
def builtin_sum(pool: Pool, name: str) -> Call:
    """Python's own, which goes through the first axis."""
    x = pool.value(lambda x: x.ndim and len(x), lambda: (2, *pool.shape(0, 2)))
    return f"sum({x})", f"sum({x})"
