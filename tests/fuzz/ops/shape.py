"""Shapes: the same numbers in another arrangement."""

from __future__ import annotations

import math

import numpy as np

from ..pool import Pool
from .table import Call, call, calls


@calls("reshape")
def reshape(pool: Pool, name: str) -> Call:
    x = pool.value()
    n = math.prod(pool.shape_of(x))
    shapes = [(n,), (1, n), (-1,), *((k, -1) for k in (2, 3) if n % k == 0)] if n else [(0,), (0, 3)]
    shape = pool.choose(*shapes, *([()] if n == 1 else []))
    return call(pool, name, x, shape), f"{x}.reshape({shape})"


@calls("transpose")
def transpose(pool: Pool, name: str) -> Call:
    x = pool.value()
    n = len(pool.shape_of(x))
    if n and pool.flag():
        axes = tuple(pool.permutation(n))
        return call(pool, name, x, axes), f"{x}.permute({axes})"
    return pool.choose(f"{x}.T", call(pool, name, x)), f"{x}.permute({tuple(reversed(range(n)))})"


@calls("swapaxes", "moveaxis")
def two_axes(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1)
    a, b = pool.axis(x), pool.axis(x)
    return call(pool, name, x, a, b), f"torch.{name}({x}, {a}, {b})"


@calls("expand_dims")
def expand_dims(pool: Pool, name: str) -> Call:
    x = pool.value()
    n = len(pool.shape_of(x))
    axis = pool.count(-n - 1, n)
    return call(pool, name, x, axis), f"torch.unsqueeze({x}, {axis})"


@calls("squeeze")
def squeeze(pool: Pool, name: str) -> Call:
    x = pool.value(lambda x: 1 in x.shape, lambda: (1, *pool.shape(0, 2)))
    axis = pool.choose(None, pool.shape_of(x).index(1))
    return call(pool, name, x, axis=axis), f"torch.squeeze({x}{'' if axis is None else f', {axis}'})"


@calls("ravel", "flatten")
def ravel(pool: Pool, name: str) -> Call:
    x = pool.value()
    return call(pool, name, x), f"{x}.reshape(-1)"


@calls("broadcast_to")
def broadcast_to(pool: Pool, name: str) -> Call:
    x = pool.value()
    shape = tuple(pool.choose(1, 2, 3) if n == 1 else n for n in pool.shape_of(x))
    shape = pool.choose(shape, (2, *shape))
    return call(pool, name, x, shape), f"torch.broadcast_to({x}, {shape})"


@calls("concatenate")
def concatenate(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1)
    axis = pool.axis(x)
    shape = list(pool.shape_of(x))
    shape[axis] = pool.choose(shape[axis], 1, 2)
    joined = ", ".join([x, pool.of_shape(tuple(shape)), *([x] if pool.flag() else [])])
    here = pool.choose(f"tg.concatenate([{joined}], axis={axis})", f"np.concatenate([{joined}], {axis})")
    return here, f"torch.cat([{joined}], {axis})"


@calls("stack")
def stack(pool: Pool, name: str) -> Call:
    x = pool.value()
    n = len(pool.shape_of(x))
    axis = pool.count(-n - 1, n)
    joined = f"[{x}, {pool.of_shape(pool.shape_of(x))}]"
    return pool.choose(
        f"tg.stack({joined}, axis={axis})", f"np.stack({joined}, {axis})"
    ), f"torch.stack({joined}, {axis})"


@calls("vstack", "hstack")
def stacked(pool: Pool, name: str) -> Call:
    x = pool.value()
    joined = f"[{x}, {pool.of_shape(pool.shape_of(x))}]"
    return pool.choose(f"tg.{name}({joined})", f"np.{name}({joined})"), f"torch.{name}({joined})"


@calls("split")
def split(pool: Pool, name: str) -> Call:
    """The last part."""
    x = pool.with_axes(1)
    axis = pool.axis(x)
    parts = pool.choose(*(k for k in (1, 2, 3) if pool.shape_of(x)[axis] % k == 0))
    return f"tg.split({x}, {parts}, axis={axis})[-1]", f"torch.tensor_split({x}, {parts}, dim={axis})[-1]"


@calls("flip")
def flip(pool: Pool, name: str) -> Call:
    x = pool.value()
    axis = pool.axes(x)
    return call(pool, name, x, axis=axis), f"torch.flip({x}, {pool.dims(x, axis)})"


@calls("pad")
def pad(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1, 2)
    n = len(pool.shape_of(x))
    width = pool.choose(1, (1, 0), tuple((pool.count(0, 1), pool.count(0, 2)) for _ in range(n)))
    fill = pool.choose(None, 0.5)
    theirs = np.broadcast_to(width, (n, 2))[::-1].ravel().tolist()  # PyTorch begins with the last axis
    return call(pool, name, x, width, constant_values=fill), f"F.pad({x}, {theirs}, value={fill or 0})"


@calls("tile")
def tile(pool: Pool, name: str) -> Call:
    x = pool.value()
    reps = pool.choose(2, (2,), (2, 1), (1, 2), 1, 0)
    return call(pool, name, x, reps), f"torch.tile({x}, {(reps,) if isinstance(reps, int) else reps})"


@calls("astype")
def astype(pool: Pool, name: str) -> Call:
    x = pool.value()
    what = pool.choose(x, f"({x} > 0)", f"abs({x})")
    return f"{what}.astype(np.{pool.dtype})", f"{what}.to(torch.{pool.dtype}, copy=True)"


@calls("copy")
def copy(pool: Pool, name: str) -> Call:
    x = pool.value()
    return call(pool, name, x), f"{x}.clone()"


@calls("detach")
def detach(pool: Pool, name: str) -> Call:
    x = pool.value()
    return f"{x}.detach() * {x}", f"{x}.detach() * {x}"
