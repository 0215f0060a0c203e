"""Known: where this package and PyTorch differ on purpose, or where PyTorch's own answer is the worse one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Known:
    """A difference in an op where ``when`` is true, for the gradient that arrived and the inputs, and why it stays."""

    op: str
    ways: tuple[str, ...]
    when: Callable[..., object]
    reason: str


VALUE, GRADIENT, SECOND = "value", "gradient", "second gradient"

KNOWN = [
    *(
        Known(
            op, (GRADIENT,), lambda grad, x, *_: np.isnan(x),
            "PyTorch's gradient at NaN is one in its vector instructions and another in what is left over behind them",
        )
        for op in ("elu", "selu", "celu", "relu6", "hard_tanh", "hard_swish")
    ),
    Known(
        "binary_cross_entropy", (SECOND,), lambda grad, p, *_: p * (1 - p) < 1e-3,
        "near 0 and 1 PyTorch adds 1e-12 to a denominator, which ours bounds by that from below",
    ),
    *(
        Known(
            op, (GRADIENT,), lambda grad, x, *_: np.isnan(x).any() | ~np.isfinite(grad),
            "NaN shares the gradient as any extremum does, and as in torch.max(x), and what is no extremum has none; "
            "torch.amax multiplies the gradient by 0 there, so that all elements get NaN",
        )
        for op in ("max", "min")
    ),
    *(
        Known(
            op, (VALUE, GRADIENT), lambda *arrays: not all(np.isfinite(x).all() for x in arrays),
            "BLAS, which NumPy calls for a matrix and a vector, leaves out what is multiplied by 0, be it infinite",
        )
        for op in ("dot", "matmul", "linear")
    ),
    Known(
        "cross_entropy", (GRADIENT,), lambda grad, *_: ~np.isfinite(grad),
        "PyTorch goes back in two steps, of which the second takes infinity from infinity",
    ),
    Known(
        "prod", (GRADIENT,), lambda grad, x, *_: ~(np.abs(x) < 1e50),
        "PyTorch takes the product of the others if there is a zero anywhere, and NaN if not or if it overflows",
    ),
    Known(
        "log_sigmoid", (SECOND,), lambda grad, x, *_: np.abs(x) > 15,
        "PyTorch takes 1 - (1 - z), of which few digits of a small z remain",
    ),
    Known(
        "gelu", (GRADIENT,), lambda grad, x, *_: np.abs(x) > 20,
        "PyTorch's with approximate='tanh' is NaN where the slope does not change any more",
    ),
    Known(
        "einsum", (VALUE, GRADIENT), lambda grad, *xs: any(np.any(~(np.abs(x) < 1e100)) for x in xs),
        "which of three operands are multiplied first decides where 0 meets infinity",
    ),
    Known(
        "softplus", (GRADIENT,), lambda grad, x: np.abs(grad) > 1e250,
        "PyTorch multiplies a huge gradient by e**x before it divides by 1 + e**x",
    ),
    Known(
        "softplus", (SECOND,), lambda grad, x, *_: (x == 20) | (x == 5),
        "exactly at the threshold PyTorch has the slope of the curve and the curvature of the line",
    ),
    Known(
        "prelu", (SECOND,), lambda grad, x, *_: x == 0,
        "at 0 PyTorch has the slope of the left side and the curvature of the right one",
    ),
    Known(
        "tanhshrink", (GRADIENT,), lambda grad, x, *_: np.isinf(grad),
        "PyTorch takes infinity from infinity where an infinite gradient arrives",
    ),
    Known(
        "softsign", (GRADIENT, SECOND), lambda grad, x, *_: np.isinf(grad) | (np.abs(x) > 100),
        "PyTorch takes one large number from another, or infinity from infinity",
    ),
    Known(
        "norm", (VALUE, GRADIENT, SECOND), lambda grad, x, *_: (np.abs(x) < 1e-150) | (np.abs(x) > 1e150),
        "of a single element PyTorch takes the absolute value, instead of powers that are too small or too large",
    ),
]  # fmt: skip


def reason(op: str, way: str, gradient: np.ndarray, *inputs: np.ndarray) -> str | None:
    """Why this difference is known, or None."""
    return next((k.reason for k in KNOWN if k.op == op and way in k.ways and np.any(k.when(gradient, *inputs))), None)
