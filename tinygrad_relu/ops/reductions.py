"""Reductions: many numbers become few. All take ``axis`` (a number, a tuple, or None for all axes) and ``keepdims``.

A gradient goes back by spreading over the axes that were reduced, to each element its share.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..op import Op, function, register
from .arithmetic import as_floats, slope_of_abs
from .sums import Axis, add_up, count, finer, reduced_axes, rounded, widened

__all__ = [
    "all", "any", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min", "norm", "prod", "std", "sum", "var",
]  # fmt: skip

_largest: Any = np.maximum.reduce  # np.max does the same after more than a microsecond of Python


def _kept(reduced, shape: tuple[int, ...], axis: Axis, keepdims: bool):
    """Result of a reduction of ``shape``, with the lost axes back as axes of length 1, so that it broadcasts again."""
    if keepdims or axis is None:
        return reduced
    axes = reduced_axes(shape, axis)
    return np.reshape(reduced, tuple(1 if i in axes else n for i, n in enumerate(shape)))


@register(numpy=(np.sum, np.add.reduce))
class Sum(Op):
    """The sum over ``axis``; 0 over no elements. Each element gets the gradient of the sum it went into.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> tg.sum(x, axis=0)
    Tensor([4., 6.], op=sum)
    >>> x.sum().backward()
    >>> x.grad
    Tensor([[1., 1.],
           [1., 1.]])
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims
        return add_up(x, axis=axis, keepdims=keepdims)

    def backward(self, grad):
        shape = self.inputs[0].shape
        return np.broadcast_to(_kept(grad, shape, self.axis, self.keepdims), shape)


sum = function(Sum)


@register(numpy=np.mean)
class Mean(Op):
    """The sum over ``axis`` divided by n, the number of its elements; each gets 1/n of the gradient.

    Over no elements it is NaN, as in NumPy.

    >>> x = Tensor([1.0, 2.0, 6.0], requires_grad=True)
    >>> x.mean()
    Tensor(3., op=mean)
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims
        self.count = count(np.shape(x), axis)
        return rounded(add_up(widened(x), axis=axis, keepdims=keepdims) / self.count, x)

    def backward(self, grad):
        shape = self.inputs[0].shape
        share = grad * (1 / self.count) if self.count > 2048 else grad / (self.count or 1)  # float16 ends at 65504
        return np.broadcast_to(_kept(share, shape, self.axis, self.keepdims), shape)


mean = function(Mean)


@register(numpy=(np.prod, np.multiply.reduce))
class Prod(Op):
    """The product over ``axis``; 1 over no elements. Each element gets the gradient times the product of the others.

    That product is formed without dividing, so zeros among the elements do no harm: with a single zero it alone gets
    a gradient, with two none does. An element that is infinite or NaN gets NaN, as in PyTorch.

    >>> x = Tensor([2.0, 0.0, 5.0], requires_grad=True)
    >>> tg.prod(x).backward()
    >>> x.grad
    Tensor([ 0., 10.,  0.])
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims
        return rounded(np.prod(x, axis=axis, keepdims=keepdims, dtype=finer(x, ())), x)

    def backward(self, grad):
        (x,) = self.inputs
        reduced = reduced_axes(x.shape, self.axis)
        order = (*(i for i in range(x.ndim) if i not in reduced), *reduced)
        moved = np.transpose(x, order)
        rest = moved.shape[: x.ndim - len(reduced)]
        others = _products_of_others(np.reshape(moved, (*rest, count(x.shape, self.axis))))
        back = tuple(order.index(i) for i in range(x.ndim))
        others = np.where(np.isfinite(x), np.transpose(np.reshape(others, moved.shape), back), math.nan)
        return _kept(grad, x.shape, self.axis, self.keepdims) * others


prod = function(Prod)


def _products_of_others(x):
    """For each element of the last axis, the product of all the others: a tree of products, up and down again.

    The first half is multiplied with the second, which leaves half the problem. Its answer, what is outside of a
    pair, times the partner in the pair is what was asked for. About 4 n multiplications and no division.
    """
    n = x.shape[-1]
    if n < 2:
        return np.ones_like(x)
    half = n // 2
    first, second, single = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    outside = _products_of_others(np.concatenate((first * second, single), axis=-1))
    pairs = outside[..., :half]
    return np.concatenate((pairs * second, pairs * first, outside[..., half:]), axis=-1)


class _Extremum(Op):
    """Common part of max and min: elements that are the extremum share its gradient evenly, the others get none."""

    ufunc: Any

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims
        result = type(self).ufunc.reduce(x, axis=axis, keepdims=keepdims)
        self.chosen, self.ties = _chosen(x, result, axis, keepdims, axis is None)
        return result

    def backward(self, grad):
        share = _kept(grad, self.inputs[0].shape, self.axis, self.keepdims) / self.ties
        return np.where(self.chosen, share, 0 if self.axis is None else share - share)  # 0, or NaN as in PyTorch


def _chosen(x, result, axis: Axis, keepdims: bool, nan_is_chosen: bool):
    """Which elements are the result, and how many they are, in the dtype of the result; NaN if none is equal to it."""
    kept = _kept(result, np.shape(x), axis, keepdims)
    chosen = x == kept
    if nan_is_chosen:
        chosen = chosen | np.isnan(x)  # where there is a NaN, it is the result too
    ties = np.add.reduce(chosen, axis=axis, keepdims=True, dtype=result.dtype)
    return chosen, np.where(ties == 0, math.nan, ties).astype(result.dtype) if result.dtype.kind == "f" else ties


@register(numpy=(np.max, np.amax, np.maximum.reduce))
class Max(_Extremum):
    """The largest element over ``axis``. Elements that tie for it share its gradient evenly, as torch.amax does.

    NaN wins over all numbers. Over all axes it takes the gradient then, as in torch.max; with an axis it makes NaN of
    all gradients along it, as in torch.amax. Raises ValueError over no elements.

    >>> x = Tensor([3.0, 1.0, 3.0], requires_grad=True)
    >>> x.max().backward()
    >>> x.grad
    Tensor([0.5, 0. , 0.5])
    """

    ufunc = np.maximum


max = function(Max)


@register(numpy=(np.min, np.amin, np.minimum.reduce))
class Min(_Extremum):
    """The smallest element over ``axis``. Elements that tie for it share its gradient evenly, as torch.amin does.

    NaN wins over all numbers, with gradients as in ``max``. Raises ValueError over no elements.

    >>> Tensor([[3.0, 1.0], [2.0, 5.0]]).min(axis=1)
    Tensor([1., 2.])
    """

    ufunc = np.minimum


min = function(Min)


@register(numpy=np.var)
class Var(Op):
    """The variance over ``axis``: sum((x - mean)²) / (n - ddof), for n elements.

    ``ddof`` is 0 as in NumPy, for the variance of just these numbers; PyTorch's default is 1, which estimates that
    of the source they were drawn from. The gradient is 2 (x - mean) / (n - ddof); NaN where n <= ddof.

    >>> x = Tensor([1.0, 3.0], requires_grad=True)
    >>> x.var(), x.var(ddof=1)
    (Tensor(1., op=var), Tensor(2., op=var))
    """

    def forward(self, x, axis: Axis = None, ddof: float = 0, keepdims: bool = False):
        self.axis, self.ddof, self.keepdims = axis, ddof, keepdims
        return rounded(np.var(x, axis=axis, ddof=ddof, keepdims=keepdims, dtype=finer(x, axis)), x)

    def backward(self, grad):
        (x,) = self.inputs
        return _kept(grad, x.shape, self.axis, self.keepdims) * _variance_slope(x, self.axis, self.ddof)


var = function(Var)


def _variance_slope(x, axis: Axis, ddof: float):
    """d var / d x."""
    degrees = count(x.shape, axis) - ddof
    if not math.prod(x.shape):
        return np.zeros(x.shape, x.dtype)
    return (x - mean(x, axis=axis, keepdims=True)) * (2 / degrees if degrees > 0 else math.nan)


@register(numpy=np.std)
class Std(Op):
    """The standard deviation over ``axis``: the square root of the variance, with ``ddof`` 0 as in NumPy (PyTorch: 1).

    The gradient is (x - mean) / ((n - ddof) std); 0 where all elements are equal, as in PyTorch.

    >>> x = Tensor([1.0, 3.0], requires_grad=True)
    >>> x.std()
    Tensor(1., op=std)
    """

    def forward(self, x, axis: Axis = None, ddof: float = 0, keepdims: bool = False):
        self.axis, self.ddof, self.keepdims = axis, ddof, keepdims
        result = rounded(np.std(x, axis=axis, ddof=ddof, keepdims=keepdims, dtype=finer(x, axis)), x)
        self.flat = result == 0
        return result

    def backward(self, grad):
        (x,) = self.inputs
        to_variance = np.where(self.flat, 0, grad / (2 * np.where(self.flat, 1, self.output)))
        return _kept(to_variance, x.shape, self.axis, self.keepdims) * _variance_slope(x, self.axis, self.ddof)


std = function(Std)


@register(name="logsumexp", numpy=np.logaddexp.reduce)
class LogSumExp(Op):
    """log(sum(exp(x))) over ``axis``, computed around the largest element so that nothing overflows.

    It is a smooth maximum, and its gradient is softmax(x): exp(x - logsumexp(x)). Over no elements it is -inf.

    >>> tg.logsumexp(Tensor([1000.0, 0.0]))
    Tensor(1000.)
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        self.axis, self.keepdims = axis, keepdims
        given, x = x, widened(as_floats(x))
        largest = _largest(x, axis=axis, keepdims=True, initial=-np.inf)
        largest = np.where(np.isfinite(largest), largest, 0)
        with np.errstate(divide="ignore", over="ignore"):  # log(0) = -inf and exp(1000) = inf are right
            result = rounded(np.log(add_up(np.exp(x - largest), axis=axis, keepdims=True)) + largest, given)
        return result if keepdims else np.squeeze(result, axis)

    def backward(self, grad):
        (x,) = self.inputs
        shape = x.shape
        softmax = np.exp(x - _kept(self.output, shape, self.axis, self.keepdims))
        return _kept(grad, shape, self.axis, self.keepdims) * softmax


logsumexp = function(LogSumExp)


@register(numpy=np.linalg.vector_norm)
class Norm(Op):
    """The length of the vector along ``axis``: sum(|x|ᵖ)^(1/p), where p is ``ord``; max|x| for ``ord=np.inf``.

    Several axes, or all with ``axis=None``, count as one long vector, as in torch.linalg.vector_norm. ``ord`` is any
    number above 0. The gradient is sign(x) (|x| / norm)^(p-1): x / norm for 2, sign(x) for 1; for inf it is sign(x)
    at the largest elements, which share it evenly. At the zero vector it is 0, and its own slope NaN, as in PyTorch.

    Raises ValueError if ``ord`` is not above 0.

    >>> x = Tensor([3.0, -4.0], requires_grad=True)
    >>> x.norm(), x.norm(ord=1), x.norm(ord=np.inf)
    (Tensor(5., op=norm), Tensor(7., op=norm), Tensor(4., op=norm))
    >>> x.norm().backward()
    >>> x.grad
    Tensor([ 0.6, -0.8])
    """

    def forward(self, x, ord: float | None = 2, axis: Axis = None, keepdims: bool = False):
        ord = 2 if ord is None else ord
        if isinstance(ord, str) or not ord > 0:
            raise ValueError(
                f"expected ord above 0, such as 1, 2 or np.inf; got {ord!r}. Norms of matrices are not here"
            )
        self.ord, self.axis, self.keepdims = float(ord), axis, keepdims
        self.sign, size = slope_of_abs(as_floats(x)), widened(np.abs(as_floats(x)))
        if ord == 2:
            result = np.sqrt(add_up(size * size, axis=axis, keepdims=keepdims))
        elif ord == np.inf:
            result = _largest(size, axis=axis, keepdims=keepdims)
            self.chosen, self.ties = _chosen(size, result, axis, keepdims, True)
        else:
            result = add_up(size**self.ord, axis=axis, keepdims=keepdims) ** (1 / self.ord)
        return rounded(result, x)

    def backward(self, grad):
        (x,) = self.inputs
        grad = _kept(grad, x.shape, self.axis, self.keepdims)
        if self.ord == np.inf:
            share = self.sign * grad / self.ties
            return np.where(self.chosen, share, share - share)
        if self.ord == 1:
            return self.sign * grad
        length = _kept(self.output, x.shape, self.axis, self.keepdims)
        with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 where x is 0: the slope is 0, its own may be NaN
            if self.ord == 2:
                return np.where(length == 0, 0, x * (grad / length))
            power = np.abs(x) ** (self.ord - 1)
            power = power if self.ord > 1 else np.where(x == 0, 0, power)
            return np.where(length == 0, 0, self.sign * power * (grad / length ** (self.ord - 1)))


norm = function(Norm)


@register(numpy=np.linalg.norm, method=False)
def _numpy_norm(x, ord: Any = None, axis: Axis = None, keepdims: bool = False):
    """np.linalg.norm, as far as it is the norm of a vector."""
    axes = len(reduced_axes(x.shape, axis))
    if ord not in (None, "fro") and axes > 1:
        raise ValueError(
            f"np.linalg.norm: with ord={ord!r} and {axes} axes this is the norm of a matrix, which has no op. "
            "Use tg.norm for the elements as one long vector, or give one axis."
        )
    return norm(x, ord=2 if ord in (None, "fro") else ord, axis=axis, keepdims=keepdims)


@register(name="cumsum", numpy=np.cumsum)
class CumSum(Op):
    """The running sum along ``axis``, or over all elements in a row with ``axis=None``.

    An element is in its own sum and all later ones, so its gradient is the running sum of the gradient from the end.

    >>> tg.cumsum(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    """

    def forward(self, x, axis: int | None = None):
        self.axis = axis
        return rounded(np.cumsum(x, axis=axis, dtype=finer(x, axis)), x)

    def backward(self, grad):
        axis = 0 if self.axis is None else self.axis
        from_the_end = np.flip(cumsum(np.flip(grad, axis), axis=axis), axis)
        return np.reshape(from_the_end, self.inputs[0].shape)


cumsum = function(CumSum)


@register(numpy=np.argmax)
class Argmax(Op):
    """The index of the largest element along ``axis``, the first one of a tie; over all elements with ``axis=None``.

    An index does not change smoothly: no gradient flows.

    >>> tg.argmax(Tensor([[1.0, 5.0], [7.0, 2.0]]), axis=1)
    Tensor([1, 0], dtype=int64)
    """

    def forward(self, x, axis: int | None = None, keepdims: bool = False):
        return np.argmax(x, axis=axis, keepdims=keepdims)


argmax = function(Argmax)


@register(numpy=np.argmin)
class Argmin(Op):
    """The index of the smallest element along ``axis``, the first one of a tie. No gradient flows.

    >>> tg.argmin(Tensor([3.0, 1.0, 2.0]))
    Tensor(1, dtype=int64)
    """

    def forward(self, x, axis: int | None = None, keepdims: bool = False):
        return np.argmin(x, axis=axis, keepdims=keepdims)


argmin = function(Argmin)


@register(name="any", numpy=(np.any, np.logical_or.reduce))
class AnyTrue(Op):
    """Test whether any element along ``axis`` is true, that is, not 0. No gradient flows.

    >>> bool((Tensor([1.0, -2.0]) < 0).any())
    True
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        return np.any(x, axis=axis, keepdims=keepdims)


any = function(AnyTrue)


@register(name="all", numpy=(np.all, np.logical_and.reduce))
class AllTrue(Op):
    """Test whether all elements along ``axis`` are true, that is, not 0. No gradient flows.

    >>> bool((Tensor([1.0, -2.0]) < 0).all())
    False
    """

    def forward(self, x, axis: Axis = None, keepdims: bool = False):
        return np.all(x, axis=axis, keepdims=keepdims)


all = function(AllTrue)
