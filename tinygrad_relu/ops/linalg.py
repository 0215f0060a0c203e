"""Products of vectors and matrices: matmul and its kin, einsum for all the rest, and the linear layer in one op."""

from __future__ import annotations

import functools
import math
import string
from typing import Any

import numpy as np

from ..op import Op, function, register
from . import reductions
from .sums import finer, rounded

__all__ = ["dot", "einsum", "linear", "matmul", "outer"]


@register(numpy=np.matmul, operator="matmul")
class Matmul(Op):
    """x @ y: the product of matrices in the last two axes, for every pair of ranks that NumPy allows.

    A vector on the left is a row, on the right a column, and its extra axis is dropped from the result. Axes before
    the last two are a batch, and batches broadcast. The gradients are grad @ y.T and x.T @ grad.

    Raises ValueError for 0-d inputs, and if the last axis of x is not as long as the second last of y.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> y = x @ [10.0, 1.0]
    >>> y
    Tensor([12., 34.], op=matmul)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([[10.,  1.],
           [10.,  1.]])
    """

    def forward(self, x, y):
        try:
            return np.matmul(x, y)
        except ValueError:
            raise ValueError(_why_no_product(np.shape(x), np.shape(y))) from None

    def backward(self, grad):
        x, y = self.inputs
        for_x, for_y = (parent is not None for parent in self.parents)
        if x.ndim == y.ndim == 1:
            return grad * y if for_x else None, grad * x if for_y else None
        # A vector becomes the matrix it stands for, and the result gets back the axis that was dropped.
        row = np.expand_dims(x, 0) if x.ndim == 1 else x
        column = np.expand_dims(y, 1) if y.ndim == 1 else y
        if x.ndim == 1:
            grad = np.expand_dims(grad, -2)
        elif y.ndim == 1:
            grad = np.expand_dims(grad, -1)
        grad_x = grad_y = None
        if for_x:
            grad_x = np.matmul(grad, np.swapaxes(column, -1, -2))
            grad_x = np.squeeze(grad_x, -2) if x.ndim == 1 else grad_x
        if for_y:
            if column.ndim == 2:  # one matrix for the whole batch: one product, and no sum over the batch after it
                row, grad = _as_matrix(row), _as_matrix(grad)
            grad_y = np.matmul(np.swapaxes(row, -1, -2), grad)
            grad_y = np.squeeze(grad_y, -1) if y.ndim == 1 else grad_y
        return grad_x, grad_y


matmul = function(Matmul)


def _why_no_product(x: tuple[int, ...], y: tuple[int, ...]) -> str:
    """Explain a fault in the shapes of x @ y, in words that help to mend it."""
    if not x or not y:
        return "a 0-d input has no axis to multiply along; use * to scale by a number"
    inner = y[-2] if len(y) > 1 else y[0]
    which = "second last axis" if len(y) > 1 else "only axis"
    if x[-1] != inner:
        return (
            f"the last axis of the first input has length {x[-1]}, but the {which} of the second has length {inner}. "
            "They must agree: (..., n, k) @ (..., k, m) gives (..., n, m)"
        )
    return f"the batch axes {x[:-2]} and {y[:-2]} do not broadcast; each pair must be equal, or one of them 1"


def _as_matrix(x):
    """All axes but the last made into one."""
    return x if x.ndim == 2 else np.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


@register
class Linear(Op):
    """x @ weight.T + bias: what a linear layer computes, and the step in which a network spends most of its time.

    ``x`` is ``(..., in)``, ``weight`` ``(out, in)`` as in PyTorch, ``bias`` ``(out,)`` or left out; the result is
    ``(..., out)``. The gradients are grad @ weight, grad.T @ x, and the sum of grad over all axes but the last.

    Raises ValueError if the shapes do not fit together.

    >>> x, weight = Tensor([[1.0, 2.0]]), Tensor([[10.0, 0.0], [0.0, 10.0], [1.0, 1.0]])
    >>> tg.linear(x, weight, bias=[0.0, 0.0, 0.5])
    Tensor([[10. , 20. ,  3.5]])
    """

    @staticmethod
    def arguments(x, weight, bias=None):
        return ((x, weight) if bias is None else (x, weight, bias)), {}

    def forward(self, x, weight, bias=None):
        if np.ndim(weight) != 2 or np.shape(x)[-1:] != weight.shape[1:]:
            raise ValueError(
                "expected x of shape (..., in) and weight of shape (out, in): the last axes must be equally long"
            )
        y = np.dot(x, weight.T) if x.ndim <= 2 else np.matmul(x, weight.T)
        if bias is None:
            return y
        if np.shape(bias) != weight.shape[:1]:
            raise ValueError(f"expected a bias of shape ({weight.shape[0]},), one number for each row of weight")
        if y.dtype is not bias.dtype:
            return y + bias
        y += bias  # y is new and nobody else's
        return y

    def backward(self, grad):
        x, weight = self.inputs[:2]
        for_x, for_weight = self.parents[0] is not None, self.parents[1] is not None
        if grad.ndim == 2:
            rows, grads = x, grad
            grad_x = np.dot(grad, weight) if for_x else None
        else:
            rows, grads = _as_matrix(x), _as_matrix(grad)
            grad_x = np.reshape(np.dot(grads, weight), x.shape) if for_x else None
        grad_weight = None
        if for_weight:  # in the order in which the weight lies in memory, where it will be subtracted from it
            grad_weight = np.dot(rows.T, grads).T if _by_column(weight) else np.dot(grads.T, rows)
        if len(self.inputs) == 2:
            return grad_x, grad_weight
        return grad_x, grad_weight, sum_of_rows(grads)


linear = function(Linear)


def _by_column(x) -> bool:
    """Tell whether a matrix lies in memory column by column; a Tensor does not tell."""
    strides = getattr(x, "strides", (1, 0))
    return strides[0] < strides[1]


def sum_of_rows(x):
    """The sum over the first axis of a matrix, by BLAS as a product with ones: for few rows three times as fast."""
    return reductions.sum(x, axis=0) if finer(x, 0) else np.dot(ones(x.shape[0], x.dtype), x)


@functools.lru_cache(maxsize=32)
def ones(length: int, dtype: np.dtype) -> np.ndarray:
    """A read-only vector of ones, made once for each length and dtype."""
    array = np.ones(length, dtype)
    array.flags.writeable = False  # everybody shares it
    return array


@register(numpy=np.dot)
class Dot(Op):
    """np.dot(x, y): sums over the last axis of x and the second last of y (the only one, if y is a vector).

    Up to two axes this is x @ y. Beyond, dot pairs every row of x with every column of y where @ would go through a
    batch, so the shape is x.shape[:-1] + y.shape[:-2] + y.shape[-1:]. A 0-d input scales the other.

    Raises ValueError if the axes summed over differ in length.

    >>> tg.dot(Tensor([1.0, 2.0]), [3.0, 4.0])
    Tensor(11.)
    """

    def forward(self, x, y):
        if not np.ndim(x) or not np.ndim(y):
            return x * y  # np.dot would let a Python number widen float32
        try:
            return np.dot(x, y)
        except ValueError:
            raise ValueError(_why_no_product(np.shape(x), np.shape(y))) from None

    def backward(self, grad):
        x, y = self.inputs
        n, m = np.ndim(x), np.ndim(y)
        if not n or not m:
            return grad * y, grad * x
        # x is (rows..., k) and y, with k moved to the front, (k, columns...); as matrices dot is a plain product.
        rows = _as_matrix(x)
        moved = np.moveaxis(y, -2, 0) if m > 1 else y
        columns = np.reshape(moved, (moved.shape[0], math.prod(moved.shape[1:])))
        grad = np.reshape(grad, (rows.shape[0], columns.shape[1]))
        grad_x = np.reshape(np.matmul(grad, columns.T), x.shape)
        grad_y = np.reshape(np.matmul(rows.T, grad), moved.shape)
        return grad_x, np.moveaxis(grad_y, 0, -2) if m > 1 else grad_y


dot = function(Dot)


@register(numpy=np.outer)
class Outer(Op):
    """Every element of x times every element of y: ``(x.size, y.size)``. Inputs with more axes are raveled.

    The gradients are grad @ y and x @ grad.

    >>> tg.outer(Tensor([1.0, 2.0]), [1.0, 10.0])
    Tensor([[ 1., 10.],
           [ 2., 20.]])
    """

    def forward(self, x, y):
        return np.outer(x, y)

    def backward(self, grad):
        x, y = self.inputs
        return (
            np.reshape(np.matmul(grad, np.ravel(y)), np.shape(x)),
            np.reshape(np.matmul(np.ravel(x), grad), np.shape(y)),
        )


outer = function(Outer)


@register(numpy=np.einsum, method=False)
class Einsum(Op):
    """Einstein's sum: a letter for each axis, equal letters run together, letters missing behind ``->`` are summed.

    ``subscripts`` is a text such as ``"ij,jk->ik"``, with one group of letters for each operand. Without ``->`` the
    result has the letters that occur once, in the order of the alphabet. ``...`` stands for axes that broadcast, and
    a letter twice in one group takes the diagonal. The gradient of an operand is an einsum of all the others.

    Raises TypeError if the subscripts are no text, ValueError if they do not fit the operands.

    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> tg.einsum("ij,j->i", x, [10.0, 1.0])
    Tensor([12., 34.], op=einsum)
    >>> tg.einsum("ii", x)
    Tensor(5., op=einsum)
    """

    @staticmethod
    def arguments(subscripts: str, *operands, optimize: Any = None):
        return operands, {"subscripts": subscripts}  # what optimize= chooses is chosen here already

    def forward(self, *operands, subscripts: str):
        self.groups, self.result = _parsed(subscripts, [np.shape(x) for x in operands])
        return _sum_over(self.groups, self.result, operands)

    def backward(self, grad):
        return tuple(None if parent is None else self._gradient(i, grad) for i, parent in enumerate(self.parents))

    def _gradient(self, i: int, grad):
        """An einsum of grad and the other operands, with the letters of operand i as its result.

        A letter that only operand i has at its full length was summed over: ones spread the gradient along it. A
        letter that it has twice took the diagonal: an identity matrix puts the gradient back on one.
        """
        others = [(group, x) for j, (group, x) in enumerate(zip(self.groups, self.inputs)) if j != i]
        factors = [(self.result, grad), *others]
        lengths = _lengths([group for group, _ in factors], [np.shape(x) for _, x in factors])
        unused = iter(_letters_besides({*lengths, *self.groups[i]}))
        wanted = ""
        for letter, length in zip(self.groups[i], self.inputs[i].shape):
            if letter in wanted:
                twin = next(unused)
                factors.append((letter + twin, np.eye(length, dtype=grad.dtype)))
                wanted += twin
                continue
            if lengths.get(letter, 1) == 1:
                factors.append((letter, np.ones(length, dtype=grad.dtype)))
            wanted += letter
        groups, arrays = zip(*factors)
        return np.einsum(f"{','.join(groups)}->{wanted}", *arrays, optimize=_pays(arrays))


einsum = function(Einsum)


def _sum_over(groups, result: str, operands):
    text = f"{','.join(groups)}->{result}"
    if len(operands) > 1:
        return np.einsum(text, *operands, optimize=_pays(operands))
    summed = tuple(i for i, letter in enumerate(groups[0]) if letter not in result)
    return rounded(np.einsum(text, *operands, dtype=finer(operands[0], summed)), operands[0])


def _pays(operands) -> bool:
    """Tell whether to make a plan: then NumPy calls BLAS, which pays from a few thousand products on."""
    return len(operands) > 2 or sum(np.size(x) for x in operands) > 2000


def _letters_besides(used) -> str:
    return "".join(letter for letter in string.ascii_letters if letter not in used)


def _parsed(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with ``...`` and a missing ``->`` written out."""
    if not isinstance(subscripts, str):
        raise TypeError("expected the subscripts as a text such as 'ij,jk->ik'; lists of numbers are not supported")
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    groups = left.split(",")
    for text in (*groups, right):
        if not set(text.replace("...", "", 1)) <= set(string.ascii_letters):
            raise ValueError(
                f"expected letters, and '...' at most once in a group; {text!r} in {subscripts!r} is neither"
            )
    if len(groups) != len(shapes):
        raise ValueError(f"{subscripts!r} has {len(groups)} groups of letters for {len(shapes)} operands")
    groups, ellipsis = _without_ellipsis(groups, shapes, _letters_besides(subscripts))
    _lengths(groups, shapes)
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        return groups, ellipsis + "".join(sorted(letter for letter in letters if letters.count(letter) == 1))
    if ellipsis and "..." not in right:
        raise ValueError(f"{subscripts!r} has '...' on the left only; write it on the right of '->' too")
    result = right.replace("...", ellipsis)
    for letter in result:
        if result.count(letter) > 1 or not any(letter in group for group in groups):
            raise ValueError(f"each letter behind '->' must stand there once and also before it; {letter!r} does not")
    return groups, result


def _without_ellipsis(groups: list[str], shapes: list[tuple[int, ...]], unused: str) -> tuple[list[str], str]:
    """The groups with letters in place of ``...``, aligned on the right as broadcasting is; and all those letters."""
    spare = [len(shape) - len(group.replace("...", "")) for group, shape in zip(groups, shapes)]
    for group, shape, more in zip(groups, shapes, spare):
        if more < 0 or (more > 0 and "..." not in group):
            raise ValueError(f"the group {group!r} does not fit an operand of shape {shape}: one letter for each axis")
    longest = max(spare)
    if longest > len(unused):
        raise ValueError("there are not enough letters for operands with so many axes")
    letters = unused[:longest]
    return [group.replace("...", letters[longest - more :]) for group, more in zip(groups, spare)], letters


def _lengths(groups: list[str], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    """How long each letter's axis is; an axis of length 1 broadcasts. ValueError if two lengths do not agree."""
    lengths: dict[str, int] = {}
    for group, shape in zip(groups, shapes):
        for letter, length in zip(group, shape):
            known = lengths.get(letter, 1)
            if known != 1 != length != known:
                raise ValueError(f"two axes called {letter!r} have lengths {known} and {length}; they must be equal")
            lengths[letter] = length if known == 1 else known
    return lengths
