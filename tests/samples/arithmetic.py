"""Samples of the arithmetic ops. Non-differentiable ones (comparisons) have samples too: their values are checked."""

import numpy as np

from . import rng, sample

inf, nan = float("inf"), float("nan")


def _unary(low=-3.0, high=3.0, kinks=(), extremes=(), **options):
    """Ordinary values between low and high, 0-d, empty; the kinks and the extremes by comparison with PyTorch only."""
    draw = rng(1).uniform
    samples = [
        sample(draw(low, high, (2, 3)), **options),
        sample(np.array(draw(low, high)), **options),
        sample(np.zeros((0, 3)), **options),
    ]
    for values in (kinks, extremes):
        if values:
            samples.append(sample(list(values), kink=True, **options))
    return samples


def _binary(low=-3.0, high=3.0, kinks=None, low2=None, **options):
    """Same shapes, three ways of broadcasting, 0-d with a matrix, empty; and pairs that are kinks."""
    draw = rng(2).uniform
    low2 = low if low2 is None else low2
    shapes = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 2), ()), ((0, 3), (3,)), ((), ())]
    samples = [sample(np.array(draw(low, high, a)), np.array(draw(low2, high, b)), **options) for a, b in shapes]
    if kinks:
        samples.append(sample(*(list(each) for each in kinks), kink=True, **options))
    return samples


_PAIRS = ([1.0, 2.0, 2.0, nan, -0.0, inf], [2.0, 1.0, 2.0, 1.0, 0.0, inf])
_TRUTHS = [sample(np.array([True, True, False]), np.array([True, False, False]))]

SAMPLES = {
    "add": _binary(kinks=([inf, nan, 1.0], [1.0, 1.0, -inf])),
    "subtract": _binary(kinks=([inf, nan, 1.0], [1.0, 1.0, -inf])),
    "multiply": _binary(kinks=([inf, 0.0, nan], [2.0, inf, 1.0])),
    "divide": _binary(low2=0.5, kinks=([1.0, 0.0, -1.0], [0.0, 0.0, 0.0])),
    "negative": _unary(kinks=(0.0, -0.0, nan)),
    "power": [
        *_binary(low=0.5),
        sample([0.5, 1.0, 3.0], 2.0),
        sample([-2.0, 1.0, 3.0], 3),
        sample([2.0, 1.0, 3.0], 0),
        sample(2.0, [-1.0, 0.5, 3.0]),
        sample([0.0, 0.0, 0.0, 0.0, -2.0, 2.0], [0.0, 1.0, 2.0, 0.5, 2.0, 0.0], kink=True),
        sample([0.0, 2.0, nan], 0, kink=True),
        sample(0.0, [0.0, 1.0, 2.0], kink=True),
        sample([0.0, 4.0], 0.5, kink=True),
    ],
    "abs": _unary(kinks=(0.0, -0.0, -inf)),
    "reciprocal": _unary(low=0.5, kinks=(0.0, inf)),
    "maximum": _binary(kinks=_PAIRS),
    "minimum": _binary(kinks=_PAIRS),
    "clip": [
        *_unary(min=-1.0, max=1.0, kinks=(-1.0, 1.0, 0.0, nan, inf)),
        *_unary(min=0.0, kinks=(0.0, -0.0, nan)),
        *_unary(max=0.5, kinks=(0.5, nan)),
    ],
    "where": [
        sample(np.array([[True, False, True]]), rng(3).normal(size=(2, 3)), rng(4).normal(size=(3,))),
        sample(np.array(True), np.array(2.0), np.array(3.0)),
        sample(np.array([True, False]), [nan, 1.0], [1.0, nan], kink=True),
    ],
    "sign": _unary(kinks=(0.0, -0.0, inf)),  # PyTorch's sign of NaN is 0, NumPy's and ours NaN
    "exp": _unary(kinks=(0.0, -inf, 700.0, nan)),
    "exp2": _unary(kinks=(0.0, -inf, nan)),
    "expm1": _unary(kinks=(0.0, 1e-12, -inf, nan)),
    "log": _unary(low=0.5, kinks=(0.0, 1e-300, -1.0, inf, nan)),
    "log2": _unary(low=0.5, kinks=(0.0, -1.0, inf)),
    "log10": _unary(low=0.5, kinks=(0.0, -1.0, inf)),
    "log1p": _unary(low=-0.5, kinks=(-1.0, 0.0, 1e-12, -2.0, inf)),
    "logaddexp": _binary(kinks=([0.0, 1e4, -1e4, 3.0], [0.0, -1e4, 1e4, 3.0])),
    "sqrt": _unary(low=0.5, kinks=(0.0, -1.0, inf)),
    "rsqrt": _unary(low=0.5, kinks=(0.0, -1.0, inf)),
    "square": _unary(kinks=(0.0, inf, nan)),
    "sin": _unary(kinks=(0.0, nan)),
    "cos": _unary(kinks=(0.0, nan)),
    "tan": _unary(low=-1.0, high=1.0, kinks=(0.0, nan)),
    "arctan": _unary(kinks=(0.0, inf, nan)),
    "sinh": _unary(kinks=(0.0, nan)),
    "cosh": _unary(kinks=(0.0, nan)),
    "tanh": _unary(kinks=(0.0, 1e4, -1e4, inf, nan)),
    **{
        name: _binary(kinks=_PAIRS) for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    "logical_and": _TRUTHS,
    "logical_or": _TRUTHS,
    "logical_not": [sample(np.array([True, False]))],
    "isnan": _unary(kinks=(nan, inf, 0.0)),
    "isinf": _unary(kinks=(nan, inf, -inf)),
    "isfinite": _unary(kinks=(nan, inf, -inf)),
}

_SAME_NAME = (
    "add", "subtract", "multiply", "negative", "abs", "reciprocal", "maximum", "minimum", "where", "sign", "exp",
    "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "sqrt", "rsqrt", "square", "sin", "cos", "tan",
    "arctan", "sinh", "cosh", "tanh", "less", "less_equal", "greater", "greater_equal", "not_equal", "logical_and",
    "logical_or", "logical_not", "isnan", "isinf", "isfinite",
)  # fmt: skip


def _same_name(name):
    return lambda torch, *xs: getattr(torch, name)(*xs)


TORCH = {
    **{name: _same_name(name) for name in _SAME_NAME},
    "equal": lambda torch, x, y: torch.eq(x, y),
    "divide": lambda torch, x, y: torch.true_divide(x, y),
    "power": lambda torch, x, y: torch.pow(x, y),
    "clip": lambda torch, x, min=None, max=None: torch.clamp(x, min, max),
}
