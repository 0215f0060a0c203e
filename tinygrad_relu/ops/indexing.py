"""Indexing: some of the elements, chosen by place or by a mask. A gradient is put back to where it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..op import Op, function, register
from ..tensor import Tensor, as_array, rebuilt

__all__ = ["getitem", "masked_fill", "scatter_add", "take", "take_along_axis"]


def _plain(index: Any) -> Any:
    """The index with arrays in place of Tensors; the arrays are copies, since the caller may fill his own anew."""
    if isinstance(index, Tensor):
        return index._array.copy()
    if isinstance(index, (tuple, list)):
        return rebuilt(index, map(_plain, index))
    if hasattr(index, "__array__") and not isinstance(index, np.generic):
        index = as_array(index, "index")
        return index.copy() if isinstance(index, np.ndarray) else index
    if isinstance(index, slice):
        return slice(_plain_bound(index.start), _plain_bound(index.stop), _plain_bound(index.step))
    return index


def _as_array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def _plain_bound(bound: Any) -> Any:
    return int(bound) if isinstance(bound, Tensor) else bound


def _reaches_each_once(index: Any) -> bool:
    """Tell whether the index can name no element twice: numbers, slices, None, ..., booleans; no array of numbers."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None
        or item is Ellipsis
        or isinstance(item, (int, slice, np.integer, np.bool_))
        or getattr(item, "dtype", None) == np.bool_
        for item in items
    )


@register(operator="getitem", method=False)
class Getitem(Op):
    """x[index], for all indices that NumPy knows: numbers, slices, None, ``...``, lists, arrays of numbers or booleans.

    The gradient is put where the elements came from, into zeros; an element that was taken twice gets both gradients.

    Raises IndexError if there is no such element, or if the index is no integer and no boolean.

    >>> x = Tensor([10.0, 20.0, 30.0], requires_grad=True)
    >>> y = x[[0, 0, -1]]
    >>> y
    Tensor([10., 10., 30.], op=getitem)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([2., 0., 1.])
    """

    @staticmethod
    def arguments(x, index):
        return (x,), {"index": _plain(index)}

    def forward(self, x, index):
        self.index = index
        return x[index]

    def backward(self, grad):
        return scatter_add(grad, self.inputs[0].shape, self.index)


getitem = function(Getitem)


@register(method=False)
class ScatterAdd(Op):
    """Zeros of ``shape`` with x added at ``index``: what indexing is, backwards. Its own gradient is grad[index].

    Values for the same place add up. Raises ValueError if x does not have, nor broadcasts to, the shape of what the
    index names, and IndexError as indexing does.

    >>> tg.scatter_add(Tensor([1.0, 2.0, 5.0]), shape=(4,), index=[0, 0, 3])
    Tensor([3., 0., 0., 5.])
    """

    @staticmethod
    def arguments(x, shape: tuple[int, ...], index):
        return (x,), {"shape": shape, "index": _plain(index)}

    def forward(self, x, shape: tuple[int, ...], index):
        self.index = index
        result = np.zeros_like(x, np.result_type(x), shape=shape)
        named = result[index].shape
        if np.shape(x) != named:  # np.add.at may crash the whole process when the ranks differ: it never sees that
            x = self._broadcast(x, named)
        if _reaches_each_once(index):
            result[index] = x
        else:
            np.add.at(result, index, x)
        return result

    @staticmethod
    def _broadcast(x, shape: tuple[int, ...]):
        try:
            return np.broadcast_to(x, shape)
        except ValueError:
            raise ValueError(f"the index names places of shape {shape}, to which the values do not broadcast") from None

    def backward(self, grad):
        return grad[self.index]


scatter_add = function(ScatterAdd)


@register(numpy=np.take)
class Take(Op):
    """The elements with these ``indices`` along ``axis``, or of all elements in a row with ``axis=None``.

    The axis is replaced by the axes of ``indices``. Elements taken several times get the sum of the gradients.
    Raises IndexError if there is no such element.

    >>> tg.take(Tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0], axis=1)
    Tensor([[2., 2., 1.],
           [4., 4., 3.]])
    """

    @staticmethod
    def arguments(x, indices, axis: int | None = None):
        return (x,), {"indices": _plain(indices), "axis": axis}

    def forward(self, x, indices, axis: int | None = None):
        self.indices, self.axis = _as_array(indices), axis
        if self.indices.dtype.kind not in "iu":
            raise TypeError(f"expected indices that are integers, got {self.indices.dtype}; a mask goes in x[mask]")
        return np.take(x, self.indices, axis=axis)

    def backward(self, grad):
        shape = self.inputs[0].shape
        if self.axis is None:
            return np.reshape(scatter_add(grad, (self.inputs[0].size,), self.indices), shape)
        before = (slice(None),) * normalize_axis_index(self.axis, len(shape))
        return scatter_add(grad, shape, (*before, self.indices))


take = function(Take)


@register(numpy=np.take_along_axis)
class TakeAlongAxis(Op):
    """Along ``axis``, the elements with the ``indices`` that stand in the same place of the other axes.

    It picks from each row its own elements, such as those that argmax or argsort found. ``indices`` has as many axes
    as x. Elements taken several times get the sum of the gradients.

    >>> x = Tensor([[10.0, 20.0], [40.0, 30.0]])
    >>> tg.take_along_axis(x, x.argmax(axis=1, keepdims=True), axis=1)
    Tensor([[20.],
           [40.]])
    """

    @staticmethod
    def arguments(x, indices, axis: int | None = -1):
        return (x,), {"indices": _as_array(_plain(indices)), "axis": axis}

    def forward(self, x, indices, axis: int | None = -1):
        self.indices, self.axis = indices, axis
        return np.take_along_axis(x, indices, axis)

    def backward(self, grad):
        (x,) = self.inputs
        if self.axis is None:
            return np.reshape(scatter_add(grad, (x.size,), self.indices), x.shape)
        # A grid says for each taken element where it stands in the other axes; those of length 1 are broadcast.
        axis = normalize_axis_index(self.axis, x.ndim)
        grid = np.ogrid[tuple(slice(n) for n in x.shape)]
        index = tuple(self.indices if i == axis else places for i, places in enumerate(grid))
        return scatter_add(grad, x.shape, index)


take_along_axis = function(TakeAlongAxis)


@register
class MaskedFill(Op):
    """x, with ``value`` where ``mask`` is true. The gradient goes to the value there, and to x everywhere else.

    ``mask`` is an array or Tensor of booleans that broadcasts with x; TypeError if it is of another dtype.

    >>> x = Tensor([1.0, -2.0, 3.0])
    >>> tg.masked_fill(x, x < 0, 100.0)
    Tensor([  1., 100.,   3.])
    """

    @staticmethod
    def arguments(x, mask, value):
        return (x, value), {"mask": _as_array(_plain(mask))}

    def forward(self, x, value, mask):
        if mask.dtype != bool:
            raise TypeError(f"expected a mask of booleans, got {mask.dtype}; compare first, as in x < 0")
        self.mask = mask
        return np.where(mask, value, x)

    def backward(self, grad):
        return np.where(self.mask, 0, grad), np.where(self.mask, grad, 0)


masked_fill = function(MaskedFill)
