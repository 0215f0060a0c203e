"""Indexing: what is chosen by numbers, slices, None, ``...``, arrays of numbers and masks."""

from __future__ import annotations

import math

import numpy as np

from ..pool import Pool
from .table import Call, call, calls

SLICES = (":", "1:", ":-1", "::2", "::-1", "-1:", "1:1", "2:0:-1")


def index(pool: Pool, shape: tuple[int, ...]) -> str:
    """An index that fits the shape, as it stands between brackets."""
    arrays = pool.choose("none", "none", "numbers", "mask")
    if arrays == "mask" and pool.flag():  # one for the first axes
        return pool.mask(shape[: pool.count(min(1, len(shape)), len(shape))])
    like = pool.choose((2,), (3,), (2, 1), (0,))
    some = pool.count(0, len(shape))
    from_the_end = pool.flag()  # for the last axes, behind an ellipsis
    items = []
    for n in shape[len(shape) - some :] if from_the_end else shape[:some]:
        if arrays == "numbers" and n and pool.flag():
            items.append(pool.indices(n, like))
        elif arrays == "mask" and "c" not in "".join(items) and pool.flag():
            items.append(pool.mask((n,)))
        else:
            items.append(str(pool.count(-n, n - 1)) if n and pool.flag() else pool.choose(*SLICES))
    if pool.flag():
        items.insert(pool.count(0, len(items)), "None")
    if from_the_end or not items:
        items.insert(0, "...")
    return ", ".join(items)


def places(pool: Pool, shape: tuple[int, ...], text: str) -> np.ndarray:
    """Where in the raveled array the elements are that the index names: NumPy's own answer."""
    everywhere = np.arange(math.prod(shape)).reshape(shape)
    return np.asarray(eval(f"everywhere[{text}]", {**pool.constants, "everywhere": everywhere}))


def means_the_same(pool: Pool, shape: tuple[int, ...], text: str) -> bool:
    """PyTorch knows no negative steps, and puts an axis elsewhere where numbers and arrays of numbers mix."""
    everywhere = pool.torch.arange(math.prod(shape)).reshape(shape)
    try:
        theirs = eval(f"everywhere[{text}]", {**pool.values, "everywhere": everywhere})
    except (ValueError, IndexError):
        return False
    return np.array_equal(theirs.numpy(), places(pool, shape, text))


@calls("getitem")
def getitem(pool: Pool, name: str) -> Call:
    x = pool.value()
    shape = pool.shape_of(x)
    text = index(pool, shape)
    if means_the_same(pool, shape, text):
        return f"{x}[{text}]", f"{x}[{text}]"
    where = places(pool, shape, text)
    return f"{x}[{text}]", f"{x}.reshape(-1)[{where.ravel().tolist()}].reshape({where.shape})"


@calls("index by truth")
def by_truth(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1)
    return f"{x}[{x} > 0]", f"{x}[{x} > 0]"


@calls("scatter_add")
def scatter_add(pool: Pool, name: str) -> Call:
    shape = pool.shape(1, 2)
    text = index(pool, shape)
    where = places(pool, shape, text)
    x = pool.of_shape(where.shape)
    at = f"torch.tensor({where.ravel().tolist()}, dtype=int)"
    return (
        f"tg.scatter_add({x}, shape={shape}, index=np.s_[{text}])",
        f"{x}.new_zeros({math.prod(shape)}).index_put(({at},), {x}.reshape(-1), accumulate=True).reshape({shape})",
    )


@calls("take")
def take(pool: Pool, name: str) -> Call:
    x = pool.value(lambda x: x.numel(), lambda: (2, 3))
    shape = pool.shape_of(x)
    axis = pool.choose(None, pool.axis(x)) if shape else None
    numbers = pool.indices(math.prod(shape) if axis is None else shape[axis], pool.choose((3,), (2, 2), (), (0,)))
    theirs = f"{x}.reshape(-1)[{numbers}]" if axis is None else f"{x}[{':, ' * (axis % len(shape))}{numbers}]"
    return call(pool, name, x, numbers, axis=axis), theirs


@calls("take_along_axis")
def take_along_axis(pool: Pool, name: str) -> Call:
    """With numbers, or with the place of an extremum."""
    x = pool.value(lambda x: x.ndim and x.numel(), lambda: (2, 3))
    axis = pool.axis(x)
    if pool.flag():
        place = pool.choose("argmax", "argmin")
        ours, theirs = f"{x}.{place}(axis={axis}, keepdims=True)", f"{x}.{place}({axis}, keepdim=True)"
    else:
        shape = list(pool.shape_of(x))
        n, shape[axis] = shape[axis], pool.count(1, 3)
        ours = theirs = pool.indices(n, tuple(shape), low=0)
    return call(pool, name, x, ours, axis), f"torch.take_along_dim({x}, {theirs}, {axis})"


@calls("masked_fill")
def masked_fill(pool: Pool, name: str) -> Call:
    x = pool.value()
    value = pool.choose(pool.number(), "-inf", pool.value(lambda x: not x.ndim, lambda: ()))
    mask = pool.choose(f"{x} < 0", pool.truth(pool.shape_of(x)))
    theirs = value if value in pool.values else f"{x}.new_tensor({value})"
    return call(pool, name, x, mask, value), f"torch.where({mask}, {theirs}, {x})"
