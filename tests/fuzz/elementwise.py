"""Arithmetic, comparisons and activations."""

from __future__ import annotations

from .pool import Pool
from .table import call, calls, chosen

SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "equal": "==", "not_equal": "!=",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip

OTHER_NAMES = {
    "relu": "F.relu", "relu6": "F.relu6", "selu": "F.selu", "log_sigmoid": "F.logsigmoid", "mish": "F.mish",
    "hard_swish": "F.hardswish", "softsign": "F.softsign", "tanhshrink": "F.tanhshrink",
    "normal_cdf": "torch.special.ndtr",
}  # fmt: skip


@calls(*SIGNS)
def operator(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    pair = [x, pool.operand(x) if name == "power" else pool.operand(x, "truth")]  # PyTorch has no slope of x ** True
    if pool.flag():
        pair.reverse()
    with_sign = f"{pair[0]} {SIGNS[name]} {pair[1]}"
    return (with_sign if pool.flag() else call(pool, name, *pair)), with_sign


@calls("maximum", "minimum", "logaddexp")
def of_two(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    y = pool.number() if pool.count(0, 3) == 3 else pool.partner(x)
    theirs = f"torch.tensor({y}, dtype=float)" if y not in pool.values else y
    if pool.flag():
        return call(pool, name, y, x), f"torch.{name}({theirs}, {x})"
    return call(pool, name, x, y), f"torch.{name}({x}, {theirs})"


@calls(
    "negative", "abs", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt",
    "square", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "sigmoid", "isnan", "isinf", "isfinite",
    *OTHER_NAMES,
)  # fmt: skip
def of_one(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    here = {"negative": f"-{x}", "abs": f"abs({x})"}.get(name, f"tg.{name}({x})")
    return pool.choose(call(pool, name, x), here), f"{OTHER_NAMES.get(name, f'torch.{name}')}({x})"


@calls("logical_and", "logical_or")
def of_two_truths(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    a, b = f"({x} > 0)", pool.truth(pool.shape_of(x))
    sign = {"logical_and": "&", "logical_or": "|"}[name]
    return pool.choose(f"{a} {sign} {b}", f"tg.{name}({a}, {b})"), f"torch.{name}({a}, {b})"


@calls("logical_not")
def negation(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    return pool.choose(f"~({x} > 0)", f"tg.logical_not({x} > 0)"), f"~({x} > 0)"


@calls("clip")
def clip(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    low, high = pool.choose((-1.0, 1.0), (0, None), (None, 0.5), (0, 6), (2.0, 2.0))
    return (
        pool.choose(f"tg.clip({x}, {low}, {high})", f"np.clip({x}, {low}, {high})"),
        f"torch.clamp({x}, {low}, {high})",
    )


@calls("where")
def where(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    y = pool.number() if pool.count(0, 3) == 3 else pool.partner(x)
    condition = pool.choose(f"{x} > 0", pool.truth(pool.shape_of(x)))
    pair = f"{x}, {y}" if pool.flag() else f"{y}, {x}"
    return call(pool, name, condition, pair), f"torch.where({condition}, {pair})"


# ---------------------------------------------------------------------- activations with options


@calls("sign")
def sign(pool: Pool, name: str) -> tuple[str, str]:
    """The sign of NaN is NaN to NumPy and 0 to PyTorch."""
    x = pool.value()
    return call(pool, name, x), f"torch.sign({x}) + torch.where(torch.isnan({x}), nan, 0.0)"


@calls("leaky_relu", "elu", "celu", "gelu", "hard_tanh", "softplus")
def activation(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    options = {
        "leaky_relu": ({}, {"negative_slope": 0.3}),
        "elu": ({}, {"alpha": 0.5}),
        "celu": ({}, {"alpha": 0.5}),
        "gelu": ({}, {"approximate": "tanh"}),
        "hard_tanh": ({}, {"min_val": -2.0, "max_val": 0.5}),
        "softplus": ({}, {"beta": 2.0, "threshold": 10.0}),
    }
    given = pool.choose(*options[name])
    theirs = "".join(f", {key}={value!r}" for key, value in given.items())
    return call(pool, name, x, **given), f"F.{name.replace('hard_tanh', 'hardtanh')}({x}{theirs})"


@calls("silu", "swish")
def silu(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    beta = pool.choose(None, 2.0, -0.5)
    theirs = f"F.silu({x})" if beta is None else f"F.silu({x} * {beta}) / {beta}"
    return call(pool, name, x, **chosen(beta=beta)), theirs


@calls("hard_sigmoid")
def hard_sigmoid(pool: Pool, name: str) -> tuple[str, str]:
    """PyTorch has no second derivative of its own, in which 1/6 is a float32 number."""
    x = pool.value()
    options = pool.choose({}, {"slope": 0.25})
    line = f"({x} * {options.get('slope', 1 / 6)} + 0.5)"
    return (
        call(pool, name, x, **options),
        f"torch.where(({line} > 0) & ({line} < 1), {line}, torch.clamp({line}, 0, 1).detach())",
    )


@calls("threshold")
def threshold(pool: Pool, name: str) -> tuple[str, str]:
    x, at, value = pool.value(), pool.choose(0.0, 1.0), pool.choose(0.0, -7.0)
    return call(pool, name, x, threshold=at, value=value), f"F.threshold({x}, {at}, {value})"


@calls("thresholded_relu")
def thresholded_relu(pool: Pool, name: str) -> tuple[str, str]:
    x, at = pool.value(), pool.choose(1.0, 0.5)
    return call(pool, name, x, theta=at), f"F.threshold({x}, {at}, 0.0)"


@calls("prelu")
def prelu(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    shape = pool.shape_of(x)
    weight = pool.of_shape((shape[1] if len(shape) > 1 and pool.flag() else 1,))
    return call(pool, name, x, weight), f"F.prelu({x}, {weight})"


@calls("softmax", "log_softmax")
def over_an_axis(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.with_axes(1)
    axis = pool.choose(None, pool.axis(x))
    return call(pool, name, x, **chosen(axis=axis)), f"torch.{name}({x}, {-1 if axis is None else axis})"
