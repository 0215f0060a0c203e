"""Shapes: the same numbers in another arrangement, joined, cut, repeated, padded or in another dtype.

A gradient goes the same way back. Where NumPy gives a view, so do these ops: no numbers are copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..op import Op, function, register
from ..tensor import Tensor
from .reductions import sum

__all__ = [
    "astype", "broadcast_to", "concatenate", "copy", "expand_dims", "flip", "hstack", "moveaxis", "pad", "ravel",
    "reshape", "split", "squeeze", "stack", "swapaxes", "tile", "transpose", "vstack",
]  # fmt: skip


def _one_or_many(numbers: tuple) -> Any:
    """``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    if len(numbers) == 1 and (numbers[0] is None or isinstance(numbers[0], (tuple, list, np.ndarray))):
        return None if numbers[0] is None else tuple(numbers[0])
    return numbers


@register
class Reshape(Op):
    """The same elements in the same order, in another shape; one length may be -1, which means: whatever fits.

    The shape is a tuple, or given length by length. Raises ValueError if the number of elements differs.

    >>> Tensor([1.0, 2.0, 3.0, 4.0]).reshape(2, -1)
    Tensor([[1., 2.],
           [3., 4.]])
    """

    @staticmethod
    def arguments(x, *shape):
        return (x,), {"shape": _one_or_many(shape)}

    def forward(self, x, shape: tuple[int, ...]):
        return np.reshape(x, shape)

    def backward(self, grad):
        return np.reshape(grad, self.inputs[0].shape)


reshape = function(Reshape)


@register(numpy=np.reshape, method=False)
def _numpy_reshape(x, shape):
    """np.reshape, which takes the shape by name too."""
    return reshape(x, shape)


@register
class Transpose(Op):
    """The axes in another order: ``axes`` names the old axis that comes first, second, and so on; reversed if left out.

    >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).T
    Tensor([[1., 3.],
           [2., 4.]])
    """

    @staticmethod
    def arguments(x, *axes):
        return (x,), {"axes": _one_or_many(axes) or None}

    def forward(self, x, axes: tuple[int, ...] | None = None):
        self.axes = axes
        return np.transpose(x, axes)

    def backward(self, grad):
        if self.axes is None:
            return np.transpose(grad)
        order = [axis % len(self.axes) for axis in self.axes]
        return np.transpose(grad, tuple(order.index(i) for i in range(len(order))))


transpose = function(Transpose)


@register(numpy=np.transpose, method=False)
def _numpy_transpose(x, axes=None):
    """np.transpose, which takes the axes by name too."""
    return transpose(x, axes)


@register(numpy=np.swapaxes)
class Swapaxes(Op):
    """Two axes change places.

    >>> Tensor(np.zeros((2, 3, 4))).swapaxes(0, -1).shape
    (4, 3, 2)
    """

    @staticmethod
    def arguments(x, axis1: int, axis2: int):
        return (x,), {"axis1": axis1, "axis2": axis2}

    def forward(self, x, axis1: int, axis2: int):
        self.axes = axis1, axis2
        return np.swapaxes(x, axis1, axis2)

    def backward(self, grad):
        return np.swapaxes(grad, *self.axes)


swapaxes = function(Swapaxes)


@register(numpy=np.moveaxis)
class Moveaxis(Op):
    """The axes ``source`` go to the places ``destination`` (numbers, or tuples of equal length); the others close up.

    >>> Tensor(np.zeros((2, 3, 4))).moveaxis(0, -1).shape
    (3, 4, 2)
    """

    @staticmethod
    def arguments(x, source: int | tuple[int, ...], destination: int | tuple[int, ...]):
        return (x,), {"source": source, "destination": destination}

    def forward(self, x, source: int | tuple[int, ...], destination: int | tuple[int, ...]):
        self.source, self.destination = source, destination
        return np.moveaxis(x, source, destination)

    def backward(self, grad):
        return np.moveaxis(grad, self.destination, self.source)


moveaxis = function(Moveaxis)


@register(numpy=np.expand_dims)
class ExpandDims(Op):
    """A new axis of length 1 at the place ``axis`` of the result; a tuple makes several.

    >>> Tensor([1.0, 2.0]).expand_dims(0).shape
    (1, 2)
    """

    @staticmethod
    def arguments(x, axis: int | tuple[int, ...]):
        return (x,), {"axis": axis}

    def forward(self, x, axis: int | tuple[int, ...]):
        return np.expand_dims(x, axis)

    def backward(self, grad):
        return np.reshape(grad, self.inputs[0].shape)


expand_dims = function(ExpandDims)


@register(numpy=np.squeeze)
class Squeeze(Op):
    """Without the axes of length 1, or without those named in ``axis``; ValueError if one of these is longer.

    >>> Tensor([[[1.0], [2.0]]]).squeeze().shape
    (2,)
    """

    def forward(self, x, axis: int | tuple[int, ...] | None = None):
        return np.squeeze(x, axis)

    def backward(self, grad):
        return np.reshape(grad, self.inputs[0].shape)


squeeze = function(Squeeze)


@register(numpy=np.ravel, aliases=("flatten",))
class Ravel(Op):
    """All elements in one axis, row after row.

    >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).ravel()
    Tensor([1., 2., 3., 4.])
    """

    def forward(self, x):
        return np.ravel(x)

    def backward(self, grad):
        return np.reshape(grad, self.inputs[0].shape)


ravel = flatten = function(Ravel)


@register(numpy=np.broadcast_to)
class BroadcastTo(Op):
    """As if repeated along axes of length 1 and new axes in front, until the shape is ``shape``; nothing is copied.

    Each element gets the sum of the gradients of its repetitions. Raises ValueError if the shapes do not fit.

    >>> Tensor([1.0, 2.0]).broadcast_to((2, 2))
    Tensor([[1., 2.],
           [1., 2.]])
    """

    @staticmethod
    def arguments(x, shape: int | tuple[int, ...]):
        return (x,), {"shape": shape}

    def forward(self, x, shape: int | tuple[int, ...]):
        return np.broadcast_to(x, shape)

    def backward(self, grad):
        return grad


broadcast_to = function(BroadcastTo)


def _at(axis: int, index: Any) -> tuple:
    """The index that takes ``index`` along ``axis`` and everything along the axes before and after it."""
    return (slice(None),) * axis + (index,)


def _listed(arrays) -> tuple:
    if isinstance(arrays, (Tensor, np.ndarray)) and not arrays.ndim:
        raise TypeError("concatenate and stack join a list of arrays; got a single one without axes")
    return tuple(arrays)


@register(numpy=np.concatenate, method=False)
class Concatenate(Op):
    """Arrays joined along an axis that they have; ``axis=None`` ravels them first. Each gets its part of the gradient.

    Raises ValueError if their other axes differ in length, or if there are none.

    >>> tg.concatenate([Tensor([1.0, 2.0]), [3.0]])
    Tensor([1., 2., 3.])
    """

    @staticmethod
    def arguments(arrays, axis: int | None = 0):
        return _listed(arrays), {"axis": axis}

    def forward(self, *arrays, axis: int | None = 0):
        self.axis = axis
        return np.concatenate(arrays, axis=axis)

    def backward(self, grad):
        axis = 0 if self.axis is None else normalize_axis_index(self.axis, grad.ndim)
        gradients, start = [], 0
        for x, parent in zip(self.inputs, self.parents):
            shape = np.shape(x)
            end = start + (np.size(x) if self.axis is None else shape[axis])
            gradients.append(None if parent is None else np.reshape(grad[_at(axis, slice(start, end))], shape))
            start = end
        return tuple(gradients)


concatenate = function(Concatenate)


@register(numpy=np.stack, method=False)
class Stack(Op):
    """Arrays of one shape joined along a new axis, which stands at the place ``axis`` of the result.

    Raises ValueError if their shapes differ, or if there are none.

    >>> tg.stack([Tensor(1.0), Tensor(2.0)])
    Tensor([1., 2.])
    """

    @staticmethod
    def arguments(arrays, axis: int = 0):
        return _listed(arrays), {"axis": axis}

    def forward(self, *arrays, axis: int = 0):
        self.axis = axis
        if not arrays:
            raise ValueError("expected at least one array to stack")
        # Asked before NumPy makes float64 arrays of Python numbers, which must not widen float32.
        return np.stack(arrays, axis=axis, dtype=np.result_type(*arrays))

    def backward(self, grad):
        axis = normalize_axis_index(self.axis, grad.ndim)
        return tuple(None if parent is None else grad[_at(axis, i)] for i, parent in enumerate(self.parents))


stack = function(Stack)


@register(numpy=np.vstack, method=False)
def vstack(arrays):
    """Arrays joined along the first axis; a vector is a row.

    >>> tg.vstack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    return concatenate([x if np.ndim(x) > 1 else reshape(x, (1, -1)) for x in arrays], axis=0)


@register(numpy=np.hstack, method=False)
def hstack(arrays):
    """Arrays joined along the second axis, or vectors along their only one.

    >>> tg.hstack([Tensor([1.0, 2.0]), Tensor(3.0)])
    Tensor([1., 2., 3.])
    """
    arrays = [x if np.ndim(x) else reshape(x, (1,)) for x in arrays]
    return concatenate(arrays, axis=0 if arrays and np.ndim(arrays[0]) == 1 else 1)


@register(numpy=np.split)
def split(x, indices_or_sections: int | list[int] | tuple[int, ...], axis: int = 0) -> list[Any]:
    """A list of the parts of x along ``axis``: so many of equal length, or cut before each of a list of indices.

    As in NumPy; note that a number means parts, while in torch.split it means the length of a part. Raises ValueError
    if x cannot be cut into so many equal parts.

    >>> tg.split(Tensor([1.0, 2.0, 3.0, 4.0]), 2)
    [Tensor([1., 2.]), Tensor([3., 4.])]
    >>> [len(part) for part in tg.split(Tensor([1.0, 2.0, 3.0, 4.0]), [1])]
    [1, 3]
    """
    axis = normalize_axis_index(axis, np.ndim(x), "split")
    length = np.shape(x)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        parts = int(indices_or_sections)
        if parts < 1 or length % parts:
            raise ValueError(f"split: axis {axis} has length {length} and cannot be cut into {parts} equal parts")
        cuts = [length // parts * i for i in range(1, parts)]
    else:
        cuts = [int(i) for i in indices_or_sections]
    return [x[_at(axis, slice(start, end))] for start, end in zip([0, *cuts], [*cuts, length])]


@register(numpy=np.flip)
class Flip(Op):
    """The elements in reverse order along ``axis`` (a number or a tuple), or along all axes.

    >>> Tensor([1.0, 2.0, 3.0]).flip()
    Tensor([3., 2., 1.])
    """

    def forward(self, x, axis: int | tuple[int, ...] | None = None):
        self.axis = axis
        return np.flip(x, axis)

    def backward(self, grad):
        return np.flip(grad, self.axis)


flip = function(Flip)


@register(numpy=np.pad)
class Pad(Op):
    """x with a border of ``constant_values``. ``pad_width`` as in np.pad: how many before and after each axis.

    One number for all sides, a pair ``(before, after)`` for all axes, or a pair for each axis. The border gets no
    gradient. Raises ValueError for widths that do not fit, and for any ``mode`` but "constant".

    >>> Tensor([1.0, 2.0]).pad((1, 2))
    Tensor([0., 1., 2., 0., 0.])
    """

    @staticmethod
    def arguments(x, pad_width, mode: str = "constant", constant_values: float = 0):
        return (x,), {"pad_width": pad_width, "mode": mode, "constant_values": constant_values}

    def forward(self, x, pad_width, mode: str = "constant", constant_values: float = 0):
        if mode != "constant":
            raise ValueError(f"only mode='constant' has a gradient here, got {mode!r}")
        result = np.pad(x, pad_width, constant_values=constant_values)
        before = np.broadcast_to(pad_width, (np.ndim(x), 2))[:, 0]
        self.inside = tuple(slice(int(start), int(start) + n) for start, n in zip(before, np.shape(x)))
        return result

    def backward(self, grad):
        return grad[self.inside]


pad = function(Pad)


@register(numpy=np.tile)
class Tile(Op):
    """x repeated ``reps`` times, a number for each axis; a single number is for the last axis.

    Each element gets the sum of the gradients of its repetitions.

    >>> Tensor([1.0, 2.0]).tile(2)
    Tensor([1., 2., 1., 2.])
    """

    @staticmethod
    def arguments(x, reps: int | tuple[int, ...]):
        return (x,), {"reps": reps}

    def forward(self, x, reps: int | tuple[int, ...]):
        self.reps = (int(reps),) if isinstance(reps, (int, np.integer)) else tuple(reps)
        return np.tile(x, self.reps)

    def backward(self, grad):
        shape = self.inputs[0].shape
        n = grad.ndim
        lengths = (1,) * (n - len(shape)) + shape
        times = (1,) * (n - len(self.reps)) + self.reps
        # Each axis is taken apart into (times, length), and the times are summed.
        apart = np.reshape(grad, tuple(k for pair in zip(times, lengths) for k in pair))
        return np.reshape(sum(apart, axis=tuple(range(0, 2 * n, 2))), shape)


tile = function(Tile)


@register
class Astype(Op):
    """The elements converted to ``dtype``; the gradient is converted back.

    To integers or booleans nothing flows back, so the result requires no gradient.

    >>> Tensor([1.5, 2.5], requires_grad=True).astype(np.float64)
    Tensor([1.5, 2.5], dtype=float64, op=astype)
    """

    @staticmethod
    def arguments(x, dtype):
        smooth = np.dtype(dtype).kind == "f"
        return (x if smooth or not isinstance(x, Tensor) else x.detach(),), {"dtype": dtype}

    def forward(self, x, dtype):
        if np.dtype(dtype).kind not in "fiub":
            raise TypeError(f"expected a dtype of real numbers such as np.float32, got {np.dtype(dtype)}")
        return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype)

    def backward(self, grad):
        return astype(grad, self.inputs[0].dtype)


astype = function(Astype)


@register(numpy=np.copy)
class Copy(Op):
    """The same elements in memory of their own; the gradient passes through.

    >>> Tensor([1.0, 2.0]).copy()
    Tensor([1., 2.])
    """

    def forward(self, x):
        return np.copy(x)

    def backward(self, grad):
        return grad


copy = function(Copy)
