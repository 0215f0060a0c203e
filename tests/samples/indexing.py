"""Samples of indexing: numbers, slices, None, ..., arrays with repeats, booleans, and their mixtures."""

import numpy as np

from . import rng, sample

inf = float("inf")
_ROWS = np.array([0, 2, 0, -1])
_MASK = np.array([[True, False, True], [False, False, True]])


def _at(shape, index):
    return sample(rng(1).normal(size=shape), index=index)


def _on(shape, /, **options):
    return sample(rng(1).normal(size=shape), **options)


def _fill(mask, value, shape=(2, 3)):
    return sample(rng(1).normal(size=shape), value, mask=mask)


_INDICES = [
    ((3,), 1),
    ((3, 2), -1),
    ((3, 2), (0, 1)),
    ((3, 2), slice(1, None)),
    ((4,), slice(None, None, -1)),
    ((5, 2), (slice(None, None, 2), slice(-1, None))),
    ((4, 2), slice(3, 0, -2)),
    ((2, 3), (None, Ellipsis, 0)),
    ((2, 3), (slice(None), None)),
    ((2, 3), Ellipsis),
    ((2, 3), ()),
    ((), ()),
    ((), None),
    ((3,), slice(1, 1)),
    ((0, 2), slice(None)),
    ((3,), [0, 0, -1]),
    ((3, 2), _ROWS),
    ((3, 2), (_ROWS, np.array([1, 1, 1, 0]))),
    ((2, 3), (slice(None), np.array([[0, 0], [2, 1]]))),
    ((2, 3), (np.array([[0], [1]]), np.array([0, 2, 2]))),
    ((2, 3, 2), (np.array([0, 1, 1]), slice(None), np.array([0, 0, 0]))),
    ((2, 3), (Ellipsis, np.array([1, 1]), None)),
    ((2, 3), (1, np.array([1, 1, 2]))),
    ((3, 2), np.array([], dtype=int)),
    ((3,), np.array(1)),
    ((2, 3), _MASK),
    ((2, 3), np.array([True, False])),
    ((2, 3), (slice(None), np.array([True, False, True]))),
    ((2, 3), (0, np.array([True, False, True]))),
    ((2, 3), (np.array([0, 0]), np.array([True, False, True]))),
    ((2, 3), np.zeros((2, 3), dtype=bool)),
    ((2,), True),
]

SAMPLES = {
    "getitem": [_at(shape, index) for shape, index in _INDICES],
    "scatter_add": [
        sample(rng(2).normal(size=np.zeros(shape)[index].shape), shape=shape, index=index) for shape, index in _INDICES
    ],
    "take": [
        _on((2, 3), indices=4),
        _on((2, 3), indices=np.array([0, 5, 0, -1])),
        _on((2, 3), indices=np.array([[0, 0], [2, -2]]), axis=1),
        _on((2, 3), indices=[1, 1, 0], axis=-2),
        _on((2, 3), indices=1, axis=1),
        _on((), indices=[0, 0]),
        _on((0, 3), indices=[2, 2], axis=1),
        _on((3,), indices=np.array([], dtype=int)),
    ],
    "take_along_axis": [
        _on((2, 3), indices=np.array([[0, 0, -1], [2, 1, 1]]), axis=1),
        _on((2, 3), indices=np.array([[1], [2]])),
        _on((2, 3), indices=np.array([[0, 1, 0]]), axis=0),
        _on((2, 3), indices=np.array([5, 5, 0]), axis=None),
        _on((2, 0), indices=np.zeros((2, 0), dtype=int), axis=1),
    ],
    "masked_fill": [
        _fill(_MASK, 2.5),
        _fill(_MASK, np.array(2.5)),
        _fill(_MASK[:1], np.array([1.0, 2.0, 3.0])),
        _fill(_MASK, 0.5, shape=(3,)),
        _fill(np.array(True), 0.5, shape=()),
        _fill(np.zeros((0, 2), dtype=bool), 0.5, shape=(0, 2)),
        sample([1.0, 2.0], -inf, mask=np.array([True, False]), kink=True),
    ],
}


def _index(torch, index):
    items = index if isinstance(index, tuple) else (index,)
    return tuple(torch.as_tensor(item) if isinstance(item, (np.ndarray, list)) else item for item in items)


def _positions(torch, shape, index):
    """Where in the raveled array the elements come from: NumPy's own answer, since PyTorch knows no negative steps."""
    return torch.as_tensor(np.array(np.arange(np.prod(shape, dtype=int)).reshape(shape)[index]))


def _getitem(torch, x, index):
    return x.reshape(-1)[_positions(torch, tuple(x.shape), index)]


def _scatter_add(torch, x, shape, index):
    places = _positions(torch, shape, index).reshape(-1)
    flat = torch.zeros(int(np.prod(shape)), dtype=x.dtype)
    return flat.index_put((places,), x.reshape(-1), accumulate=True).reshape(shape)


def _take(torch, x, indices, axis=None):
    indices = torch.as_tensor(indices)
    if axis is None:
        return x.reshape(-1)[indices]
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


def _take_along_axis(torch, x, indices, axis=-1):
    indices = torch.as_tensor(indices % (x.numel() if axis is None else max(x.shape[axis], 1)))
    return torch.take_along_dim(x, indices, axis)


def _masked_fill(torch, x, value, mask):
    value = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=x.dtype)
    return torch.where(torch.as_tensor(mask), value, x)


TORCH = {
    "getitem": _getitem,
    "scatter_add": _scatter_add,
    "take": _take,
    "take_along_axis": _take_along_axis,
    "masked_fill": _masked_fill,
}
