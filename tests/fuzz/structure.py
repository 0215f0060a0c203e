"""Reductions, products of matrices, shapes and indexing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .pool import Pool
from .table import call, calls, chosen

# ---------------------------------------------------------------------- reductions


def _dims(pool: Pool, x: str, axis: Any) -> Any:
    return tuple(range(len(pool.shape_of(x)))) if axis is None else axis


def _reduced(pool: Pool, name: str, theirs: str, **options: Any) -> tuple[str, str]:
    """A reduction of one value, with options that are called the same on both sides."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    also = "".join(f", {key}={value!r}" for key, value in options.items())
    return (
        call(pool, name, x, **chosen(axis=axis, keepdims=keep), **options),
        f"{theirs}({x}, dim={_dims(pool, x, axis)}, keepdim={keep}{also})",
    )


@calls("sum", "mean", "logsumexp", "any", "all")
def reduction(pool: Pool, name: str) -> tuple[str, str]:
    return _reduced(pool, name, f"torch.{name}")


@calls("max", "min")
def extremum(pool: Pool, name: str) -> tuple[str, str]:
    return _reduced(pool, name, f"torch.a{name}")


@calls("norm")
def norm(pool: Pool, name: str) -> tuple[str, str]:
    return _reduced(pool, name, "torch.linalg.vector_norm", ord=pool.choose(2, 1, math.inf, 3, 1.5))


@calls("var", "std")
def spread(pool: Pool, name: str) -> tuple[str, str]:
    """With a ``ddof`` only where there is more than one element: of one, both have NaN by different ways."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    ddof = pool.choose(None, 1) if math.prod(_lengths(pool, x, axis)) > 1 else None
    options = chosen(axis=axis, keepdims=keep, ddof=ddof)
    theirs = f"dim={_dims(pool, x, axis)}, keepdim={keep}, correction={ddof or 0}"
    return call(pool, name, x, **options), f"torch.{name}({x}, {theirs})"


def _lengths(pool: Pool, x: str, axis: Any) -> list[int]:
    """How long the axes are that are reduced."""
    shape, axes = pool.shape_of(x), _dims(pool, x, axis)
    return [shape[i] for i in ((axes,) if isinstance(axes, int) else axes)]


@calls("prod")
def prod(pool: Pool, name: str) -> tuple[str, str]:
    """Not torch.prod: by whether there is a zero anywhere, that takes products of the others or divides by each."""
    x, keep = pool.value(), pool.flag()
    axis = pool.axes(x)
    shape = pool.shape_of(x)
    axes = [a % len(shape) for a in ((axis,) if isinstance(axis, int) else _dims(pool, x, axis))]
    rest = [i for i in range(len(shape)) if i not in axes]
    last = tuple(1 if i in axes else n for i, n in enumerate(shape)) if keep else tuple(shape[i] for i in rest)
    first = (math.prod(shape[i] for i in axes), *(shape[i] for i in rest))
    return (
        call(pool, name, x, **chosen(axis=axis, keepdims=keep)),
        f"math.prod([torch.ones({first[1:]}, dtype=float), *{x}.permute({(*axes, *rest)}).reshape({first})])"
        f".reshape({last})",
    )


@calls("argmax", "argmin")
def place_of_extremum(pool: Pool, name: str) -> tuple[str, str]:
    x, keep = pool.value(), pool.flag()
    axis = pool.choose(None, pool.axis(x))
    return call(pool, name, x, **chosen(axis=axis, keepdims=keep)), f"torch.{name}({x}, dim={axis}, keepdim={keep})"


@calls("cumsum")
def cumsum(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    axis = pool.choose(None, pool.axis(x)) if pool.shape_of(x) else None  # of a 0-d value NumPy makes a vector
    theirs = f"torch.cumsum({x}.reshape(-1), 0)" if axis is None else f"torch.cumsum({x}, {axis})"
    return call(pool, name, x, **chosen(axis=axis)), theirs


@calls("builtin sum")
def builtin_sum(pool: Pool, name: str) -> tuple[str, str]:
    """Python's own, which goes through the first axis."""
    x = pool.value(lambda x: x.ndim and len(x), lambda: (2, *pool.shape(0, 2)))
    return f"sum({x})", f"sum({x})"


# ---------------------------------------------------------------------- products


@calls("matmul")
def matmul(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    *batch, k = pool.shape_of(x)
    batch = tuple(pool.choose(n, 1) for n in batch[:-1])
    shape = pool.choose((k,), (k, 2), (k, 1), (*batch, k, 2), (2, *batch, k, 1))
    y = pool.of_shape(shape)
    return pool.choose(f"{x} @ {y}", call(pool, name, x, y)), f"{x} @ {y}"


@calls("linear")
def linear(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    out = pool.choose(2, 1, 3)
    given = [x, pool.of_shape((out, pool.shape_of(x)[-1])), *([pool.of_shape((out,))] if pool.flag() else [])]
    return call(pool, name, *given), f"F.linear({', '.join(given)})"


@calls("dot")
def dot(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    k = pool.shape_of(x)[-1:]
    y = pool.of_shape(pool.choose(k, (*k, 2), (2, *k, 2))) if k else pool.value()
    if not pool.shape_of(x) or not pool.shape_of(y):
        return call(pool, name, x, y), f"{x} * {y}"
    along = -2 if len(pool.shape_of(y)) > 1 else 0
    return call(pool, name, x, y), f"torch.tensordot({x}, {y}, dims=([-1], [{along}]))"


@calls("outer")
def outer(pool: Pool, name: str) -> tuple[str, str]:
    x, y = pool.value(), pool.value()
    return call(pool, name, x, y), f"torch.outer({x}.reshape(-1), {y}.reshape(-1))"


SUBSCRIPTS = (
    "ij,jk->ik", "ij,j->i", "i,i", "i,j->ij", "ij->ji", "ij->j", "ij->", "ii", "ii->i", "iji->j", "ij,jk,kl->il",
    "i,i,i->", "...ij,...jk->...ik", "...i->...", "i...->...", "ij,k->ik", ",i->i", "bij,bjk->bik", "ij,ij->",
)  # fmt: skip


@calls("einsum")
def einsum(pool: Pool, name: str) -> tuple[str, str]:
    subscripts = pool.choose(*SUBSCRIPTS)
    lengths = {letter: pool.choose(2, 3, 1) for letter in "bijkl"}
    more = pool.shape(0, 1)
    shapes = [
        sum(((more if letter == "." else (lengths[letter],)) for letter in group.replace("...", ".")), ())
        for group in subscripts.split("->")[0].split(",")
    ]
    given = ", ".join(pool.of_shape(shape) for shape in shapes)
    return pool.choose(f"tg.einsum({subscripts!r}, {given})", f"np.einsum({subscripts!r}, {given})"), (
        f"torch.einsum({subscripts!r}, {given})"
    )


# ---------------------------------------------------------------------- shapes


@calls("reshape")
def reshape(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    n = math.prod(pool.shape_of(x))
    shapes = [(n,), (1, n), (-1,)] if n else [(0,), (0, 3)]
    shapes += [(k, -1) for k in (2, 3) if n and n % k == 0] + ([()] if n == 1 else [])
    shape = pool.choose(*shapes)
    return call(pool, name, x, shape), f"{x}.reshape({shape})"


@calls("transpose")
def transpose(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    n = len(pool.shape_of(x))
    axes = tuple(pool.permutation(n))
    if n and pool.flag():
        return call(pool, name, x, axes), f"{x}.permute({axes})"
    backwards = tuple(reversed(range(n)))
    return pool.choose(f"{x}.T", call(pool, name, x)), f"{x}.permute({backwards})"


@calls("swapaxes", "moveaxis")
def two_axes(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    a, b = pool.axis(x), pool.axis(x)
    return call(pool, name, x, a, b), f"torch.{name}({x}, {a}, {b})"


@calls("expand_dims")
def expand_dims(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    n = len(pool.shape_of(x))
    axis = pool.count(-n - 1, n)
    return call(pool, name, x, axis), f"torch.unsqueeze({x}, {axis})"


@calls("squeeze")
def squeeze(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value(lambda x: 1 in x.shape, lambda: (1, *pool.shape(0, 2)))
    axis = pool.choose(None, pool.shape_of(x).index(1))
    return call(pool, name, x, **chosen(axis=axis)), f"torch.squeeze({x}{'' if axis is None else f', {axis}'})"


@calls("ravel", "flatten")
def ravel(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    return call(pool, name, x), f"{x}.reshape(-1)"


@calls("broadcast_to")
def broadcast_to(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    shape = tuple(pool.choose(1, 2, 3) if n == 1 else n for n in pool.shape_of(x))
    shape = pool.choose(shape, (2, *shape))
    return call(pool, name, x, shape), f"torch.broadcast_to({x}, {shape})"


@calls("concatenate")
def concatenate(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    axis = pool.axis(x)
    shape = list(pool.shape_of(x))
    shape[axis] = pool.choose(shape[axis], 1, 2)
    joined = ", ".join([x, pool.of_shape(tuple(shape)), *([x] if pool.flag() else [])])
    return pool.choose(f"tg.concatenate([{joined}], axis={axis})", f"np.concatenate([{joined}], {axis})"), (
        f"torch.cat([{joined}], {axis})"
    )


@calls("stack")
def stack(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    n = len(pool.shape_of(x))
    axis = pool.count(-n - 1, n)
    joined = f"{x}, {pool.of_shape(pool.shape_of(x))}"
    return pool.choose(f"tg.stack([{joined}], axis={axis})", f"np.stack([{joined}], {axis})"), (
        f"torch.stack([{joined}], {axis})"
    )


@calls("vstack", "hstack")
def stacked(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    joined = f"[{x}, {pool.of_shape(pool.shape_of(x))}]"
    return pool.choose(f"tg.{name}({joined})", f"np.{name}({joined})"), f"torch.{name}({joined})"


@calls("split")
def split(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    axis = pool.axis(x)
    parts = pool.choose(*(k for k in (1, 2, 3) if pool.shape_of(x)[axis] % k == 0))
    return f"tg.split({x}, {parts}, axis={axis})[-1]", f"torch.tensor_split({x}, {parts}, dim={axis})[-1]"


@calls("flip")
def flip(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    axis = pool.axes(x)
    dims = (axis,) if isinstance(axis, int) else _dims(pool, x, axis)
    return call(pool, name, x, **chosen(axis=axis)), f"torch.flip({x}, {dims})"


@calls("pad")
def pad(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1, 2)
    n = len(pool.shape_of(x))
    width = pool.choose(1, (1, 0), tuple((pool.count(0, 1), pool.count(0, 2)) for _ in range(n)))
    fill = pool.choose(None, 0.5)
    theirs = np.broadcast_to(width, (n, 2))[::-1].ravel().tolist()  # PyTorch begins with the last axis
    return call(pool, name, x, width, **chosen(constant_values=fill)), f"F.pad({x}, {theirs}, value={fill or 0})"


@calls("tile")
def tile(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    reps = pool.choose(2, (2,), (2, 1), (1, 2), 1, 0)
    return call(pool, name, x, reps), f"torch.tile({x}, {(reps,) if isinstance(reps, int) else reps})"


@calls("astype")
def astype(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    what = pool.choose(x, f"({x} > 0)", f"abs({x})")
    return f"{what}.astype(np.float64)", f"{what}.double()"


@calls("copy")
def copy(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    return call(pool, name, x), f"{x}.clone()"


@calls("detach")
def detach(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    return f"{x}.detach() * {x}", f"{x}.detach() * {x}"


# ---------------------------------------------------------------------- indexing


def _index(pool: Pool, shape: tuple[int, ...]) -> tuple[str, Any]:
    """An index for this shape as text, and as what NumPy takes."""
    arrays = pool.choose("none", "none", "numbers", "mask")
    if arrays == "mask" and pool.flag():  # a mask over the first axes
        mask = pool.mask(shape[: pool.count(1, len(shape))]) if shape else pool.mask(())
        return mask, pool.constants[mask]
    size = pool.choose((2,), (3,), (2, 1), (0,))
    items: list[tuple[str, Any]] = []
    some = pool.count(0, len(shape))
    from_the_end = pool.flag()  # the last axes, behind an ellipsis
    for n in shape[len(shape) - some :] if from_the_end else shape[:some]:
        if arrays == "numbers" and n and pool.flag():
            numbers = pool.indices(n, size)
            items.append((numbers, pool.constants[numbers]))
        elif arrays == "mask" and pool.flag():
            mask, arrays = pool.mask((n,)), "none"
            items.append((mask, pool.constants[mask]))
        elif n and pool.flag():
            items.append((str(i := pool.count(-n, n - 1)), i))
        else:
            text = pool.choose(":", "1:", ":-1", "::2", "::-1", "-1:", "1:1", "2:0:-1")
            items.append((text, slice(*(int(part) if part else None for part in text.split(":")))))
    if pool.flag():
        items.insert(pool.count(0, len(items)), ("None", None))
    if from_the_end or not items:
        items.insert(0, ("...", Ellipsis))
    return ", ".join(text for text, _ in items), tuple(item for _, item in items)


def _places(shape: tuple[int, ...], index: Any) -> np.ndarray:
    """Where in the raveled array the elements are that the index names: NumPy's own answer."""
    return np.arange(math.prod(shape)).reshape(shape)[index]


@calls("getitem")
def getitem(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    shape = pool.shape_of(x)
    text, index = _index(pool, shape)
    places = np.asarray(_places(shape, index))
    if _means_the_same(pool, shape, text, places):
        return f"{x}[{text}]", f"{x}[{text}]"
    return f"{x}[{text}]", f"{x}.reshape(-1)[{places.ravel().tolist()}].reshape({places.shape})"


def _means_the_same(pool: Pool, shape: tuple[int, ...], text: str, places: np.ndarray) -> bool:
    """PyTorch knows no negative steps, and puts an axis elsewhere where numbers and arrays of numbers mix."""
    everywhere = pool.torch.arange(math.prod(shape)).reshape(shape)
    try:
        theirs = eval(f"everywhere[{text}]", {**pool.values, "everywhere": everywhere})
    except (ValueError, IndexError):
        return False
    return np.array_equal(theirs.numpy(), places)


@calls("index by truth")
def by_truth(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    return f"{x}[{x} > 0]", f"{x}[{x} > 0]"


@calls("scatter_add")
def scatter_add(pool: Pool, name: str) -> tuple[str, str]:
    shape = pool.shape(1, 2)
    text, index = _index(pool, shape)
    places = np.asarray(_places(shape, index))
    x = pool.of_shape(places.shape)
    zeros = f"torch.zeros({math.prod(shape)}, dtype=float)"
    at = f"torch.tensor({places.ravel().tolist()}, dtype=int)"
    here = f"tg.scatter_add({x}, shape={shape}, index=np.s_[{text}])"
    return here, f"{zeros}.index_put(({at},), {x}.reshape(-1), accumulate=True).reshape({shape})"


@calls("take")
def take(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value(lambda x: x.numel(), lambda: (2, 3))
    axis = pool.choose(None, pool.axis(x)) if pool.shape_of(x) else None
    n = math.prod(pool.shape_of(x)) if axis is None else pool.shape_of(x)[axis]
    numbers = pool.indices(n, pool.choose((3,), (2, 2), (), (0,)))
    theirs = f"{x}.reshape(-1)[{numbers}]" if axis is None else _along(pool, x, axis, numbers)
    return call(pool, name, x, numbers, **chosen(axis=axis)), theirs


def _along(pool: Pool, x: str, axis: int, numbers: str) -> str:
    return f"{x}[{':, ' * (axis % len(pool.shape_of(x)))}{numbers}]"


@calls("take_along_axis")
def take_along_axis(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value(lambda x: x.ndim and x.numel(), lambda: (2, 3))
    axis = pool.axis(x)
    if pool.flag():
        place = pool.choose("argmax", "argmin")
        here = f"{x}.{place}(axis={axis}, keepdims=True)"
        return call(pool, name, x, here, axis), f"torch.take_along_dim({x}, {x}.{place}({axis}, keepdim=True), {axis})"
    shape = list(pool.shape_of(x))
    shape[axis] = pool.count(1, 3)
    numbers = pool.indices(pool.shape_of(x)[axis], tuple(shape), low=0)
    return call(pool, name, x, numbers, axis), f"torch.take_along_dim({x}, {numbers}, {axis})"


@calls("masked_fill")
def masked_fill(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    value = pool.choose(pool.number(), "-inf", pool.value(lambda x: not x.ndim, lambda: ()))
    mask = pool.choose(f"{x} < 0", pool.truth(pool.shape_of(x)))
    theirs = value if value in pool.values else f"torch.tensor({value}, dtype=float)"
    return call(pool, name, x, mask, value), f"torch.where({mask}, {theirs}, {x})"
