"""Activation functions."""

from __future__ import annotations

from typing import Any

from ..pool import Pool
from .table import Call, call, calls

THEIRS = {
    "relu": "F.relu", "relu6": "F.relu6", "leaky_relu": "F.leaky_relu", "elu": "F.elu", "selu": "F.selu",
    "celu": "F.celu", "sigmoid": "torch.sigmoid", "log_sigmoid": "F.logsigmoid", "softplus": "F.softplus",
    "mish": "F.mish", "hard_swish": "F.hardswish", "normal_cdf": "torch.special.ndtr", "gelu": "F.gelu",
    "softsign": "F.softsign", "hard_tanh": "F.hardtanh", "tanhshrink": "F.tanhshrink",
}  # fmt: skip

OPTIONS: dict[str, dict[str, Any]] = {
    "leaky_relu": {"negative_slope": 0.3},
    "elu": {"alpha": 0.5},
    "celu": {"alpha": 0.5},
    "softplus": {"beta": 2.0, "threshold": 10.0},
    "gelu": {"approximate": "tanh"},
    "hard_tanh": {"min_val": -2.0, "max_val": 0.5},
}


@calls(*THEIRS)
def activation(pool: Pool, name: str) -> Call:
    x = pool.value()
    options = OPTIONS[name] if name in OPTIONS and pool.flag() else {}
    given = "".join(f", {key}={value!r}" for key, value in options.items())
    return call(pool, name, x, **options), f"{THEIRS[name]}({x}{given})"


@calls("silu", "swish")
def silu(pool: Pool, name: str) -> Call:
    x = pool.value()
    beta = pool.choose(None, 2.0, -0.5)
    return call(pool, name, x, beta=beta), f"F.silu({x})" if beta is None else f"F.silu({x} * {beta}) / {beta}"


@calls("hard_sigmoid")
def hard_sigmoid(pool: Pool, name: str) -> Call:
    """PyTorch has no second derivative of its own, in which 1/6 is a float32 number."""
    x = pool.value()
    slope = pool.choose(None, 0.25)
    line = f"({x} * {slope or 1 / 6} + 0.5)"
    inside = f"({line} > 0) & ({line} < 1)"
    return call(pool, name, x, slope=slope), f"torch.where({inside}, {line}, torch.clamp({line}, 0, 1).detach())"


@calls("threshold")
def threshold(pool: Pool, name: str) -> Call:
    x, at, value = pool.value(), pool.choose(0.0, 1.0), pool.choose(0.0, -7.0)
    return call(pool, name, x, threshold=at, value=value), f"F.threshold({x}, {at}, {value})"


@calls("thresholded_relu")
def thresholded_relu(pool: Pool, name: str) -> Call:
    x, at = pool.value(), pool.choose(1.0, 0.5)
    return call(pool, name, x, theta=at), f"F.threshold({x}, {at}, 0.0)"


@calls("prelu")
def prelu(pool: Pool, name: str) -> Call:
    """One weight, or one for each channel."""
    x = pool.with_axes(1)
    shape = pool.shape_of(x)
    weight = pool.of_shape((shape[1] if len(shape) > 1 and pool.flag() else 1,))
    return call(pool, name, x, weight), f"F.prelu({x}, {weight})"


@calls("softmax", "log_softmax")
def over_an_axis(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1)
    axis = pool.choose(None, pool.axis(x))
    return call(pool, name, x, axis=axis), f"torch.{name}({x}, {-1 if axis is None else axis})"
