"""Samples of the reductions: every kind of axis, ties, zeros in a product, the zero vector, equal elements, NaN."""

import warnings

import numpy as np

from . import rng, sample

inf, nan = float("inf"), float("nan")


def _axes(draw=lambda r, shape: r.normal(size=shape), **options):
    """One input over all its axes, over one, over several, with and without keepdims; 0-d and empty."""
    return [
        sample(np.array(draw(rng(1), shape)), **options, **chosen)
        for shape, chosen in [
            ((2, 3), {}),
            ((2, 3), {"axis": 0}),
            ((2, 3), {"axis": -1, "keepdims": True}),
            ((2, 3), {"keepdims": True}),
            ((2, 3, 2), {"axis": (0, -1)}),
            ((2, 3, 2), {"axis": (2, 1), "keepdims": True}),
            ((4,), {"axis": (0,)}),
            ((), {}),
        ]
    ] + [sample(np.zeros((0, 3)), axis=1, **options)]


def _positive(r, shape):
    return r.uniform(0.5, 2.0, size=shape) * np.where(r.normal(size=shape) > 0, 1, -1)


_TIES = [
    sample([2.0, 1.0, 2.0, -1.0, -1.0], kink=True),
    sample([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], axis=1, kink=True),
    sample([[1.0, 1.0], [1.0, 0.0]], axis=(0, 1), keepdims=True, kink=True),
    sample([0.0, -0.0], kink=True),
    sample([1.0, nan, nan, 2.0], kink=True),
    sample([inf, -inf, inf, -inf], kink=True),
]
_NO_CHOICE = [each for each in _axes() if np.size(each.inputs[0])]
_EMPTY_KEPT = sample(np.zeros((0, 3)), axis=1, kink=True)
_INDEX = [
    sample([[3.0, 1.0, 2.0], [0.0, 5.0, 5.0]]),
    sample([[3.0, 1.0, 2.0], [0.0, 5.0, 5.0]], axis=1),
    sample([[3.0, 1.0, 2.0], [0.0, 5.0, 5.0]], axis=0, keepdims=True),
]
_TRUTH = [
    sample([[1.0, 0.0], [0.0, 0.0]]),
    sample([[1.0, 0.0], [0.0, 0.0]], axis=1),
    sample([[1.0, nan], [2.0, 3.0]], axis=(0, 1), keepdims=True),
    sample(np.zeros((0, 2)), axis=0),
]

SAMPLES = {
    "sum": [*_axes(), sample(np.zeros(0)), sample([inf, 1.0], kink=True)],
    "mean": _axes(),
    "prod": [
        *_axes(),
        sample(np.zeros(0)),
        sample([2.0, 0.0, 5.0]),
        sample([0.0, 3.0, 0.0, 2.0]),
        sample([0.0, 0.0, 0.0]),
        sample([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0]], axis=1),
        sample([[[0.0, 2.0], [3.0, 1.5]], [[0.5, 0.0], [4.0, 2.5]]], axis=(0, 2)),
        sample([1e-200, 1e-200, 3.0], kink=True),
    ],
    "max": [*_NO_CHOICE, _EMPTY_KEPT, *_TIES],
    "min": [*_NO_CHOICE, _EMPTY_KEPT, *_TIES],
    "var": [
        *_axes(),
        *(sample(rng(2).normal(size=(3, 2)), ddof=1, axis=axis) for axis in (None, 0)),
        sample([2.0, 2.0, 2.0]),
    ],
    "std": [
        *(each for each in _axes() if np.size(each.inputs[0]) > 1),
        sample(np.zeros((0, 3)), axis=1),
        *(sample(rng(2).normal(size=(3, 2)), ddof=1, axis=axis) for axis in (None, 0)),
        sample([2.0, 2.0, 2.0], kink=True),
        sample([[2.0, 2.0], [1.0, 3.0]], axis=1, kink=True),
        sample(np.array(1.0), kink=True),
    ],
    "logsumexp": [
        *_axes(),
        sample([1e4, -1e4, 1e4 + 1]),
        sample([-inf, 1.0, 2.0], kink=True),
        sample([inf, 1.0], kink=True),
        sample([-inf, -inf], kink=True),
        sample(np.zeros(0)),
    ],
    "norm": [
        *(s for ord in (1, 1.5, 2, 3, inf, 0.5) for s in _axes(_positive, ord=ord) if ord != inf or s.inputs[0].size),
        *(sample([0.0, 0.0], ord=ord, kink=True) for ord in (0.5, 1, 1.5, 2, 3, inf)),
        *(sample([0.0, 2.0, -2.0, 1.0], ord=ord, kink=True) for ord in (0.5, 1, 1.5, 3, inf)),
        sample([0.0, 2.0, -1.0], ord=2),
        sample([[0.0, 0.0], [3.0, 4.0]], axis=1, kink=True),
    ],
    "cumsum": [
        *(sample(rng(3).normal(size=(2, 3, 2)), axis=axis) for axis in (0, 1, -1)),
        sample(rng(3).normal(size=(2, 3))),
        sample(np.array(2.0)),
        sample(np.zeros((0, 3)), axis=1),
    ],
    "argmax": _INDEX,
    "argmin": _INDEX,
    "any": _TRUTH,
    "all": _TRUTH,
}


def _dims(x, axis):
    return tuple(range(x.ndim)) if axis is None else axis


def _same(name):
    def call(torch, x, axis=None, keepdims=False, **options):
        return getattr(torch, name)(x, dim=_dims(x, axis), keepdim=keepdims, **options)

    return call


def _over_one_axis(name):
    """For what PyTorch has for one axis only: several are made into one first."""

    def call(torch, x, axis=None, keepdims=False):
        axes = [a % x.ndim for a in ((axis,) if isinstance(axis, int) else _dims(x, axis))]
        kept = [i for i in range(x.ndim) if i not in axes]
        flat = x.permute([*kept, *axes]).reshape([x.shape[i] for i in kept] + [-1 if x.numel() else 3 if kept else 0])
        result = getattr(torch, name)(flat, -1)
        return result.reshape([1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else result

    return call


def _spread(name):
    def call(torch, x, axis=None, ddof=0, keepdims=False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of few numbers where there is nothing to reduce
            return getattr(torch, name)(x, dim=_dims(x, axis), correction=ddof, keepdim=keepdims)

    return call


def _extremum(name):
    def call(torch, x, axis=None, keepdims=False):
        if axis is None and not keepdims:
            return getattr(torch, name)(x)
        return getattr(torch, f"a{name}")(x, dim=_dims(x, axis), keepdim=keepdims)

    return call


def _norm(torch, x, ord=2, axis=None, keepdims=False):
    return torch.linalg.vector_norm(x, ord, dim=axis, keepdim=keepdims)


def _index(name):
    return lambda torch, x, axis=None, keepdims=False: getattr(torch, name)(x, dim=axis, keepdim=keepdims)


def _cumsum(torch, x, axis=None):
    return torch.cumsum(x.reshape(-1) if axis is None else x, dim=axis or 0)


TORCH = {
    "sum": _same("sum"),
    "mean": _same("mean"),
    "prod": _over_one_axis("prod"),
    "max": _extremum("max"),
    "min": _extremum("min"),
    "var": _spread("var"),
    "std": _spread("std"),
    "logsumexp": _same("logsumexp"),
    "norm": _norm,
    "cumsum": _cumsum,
    "argmax": _index("argmax"),
    "argmin": _index("argmin"),
    "any": _same("any"),
    "all": _same("all"),
}
