"""Arithmetic and comparisons."""

from __future__ import annotations

from ..pool import Pool
from .table import Call, call, calls

SIGNS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "equal": "==", "not_equal": "!=",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


@calls(*SIGNS)
def operator(pool: Pool, name: str) -> Call:
    x = pool.value()
    pair = [x, pool.operand(x) if name == "power" else pool.operand(x, "truth")]  # PyTorch has no slope of x ** True
    if pool.flag():
        pair.reverse()
    with_sign = f"{pair[0]} {SIGNS[name]} {pair[1]}"
    return (with_sign if pool.flag() else call(pool, name, *pair)), with_sign


@calls("maximum", "minimum", "logaddexp")
def of_two(pool: Pool, name: str) -> Call:
    x = pool.value()
    y, theirs = pool.partner_or_number(x)
    if pool.flag():
        return call(pool, name, y, x), f"torch.{name}({theirs}, {x})"
    return call(pool, name, x, y), f"torch.{name}({x}, {theirs})"


@calls(
    "negative", "abs", "reciprocal", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt",
    "square", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "isnan", "isinf", "isfinite",
)  # fmt: skip
def of_one(pool: Pool, name: str) -> Call:
    x = pool.value()
    pythons = {"negative": [f"-{x}"], "abs": [f"abs({x})"]}.get(name, [])
    return pool.choose(call(pool, name, x), *pythons), f"torch.{name}({x})"


@calls("sign")
def sign(pool: Pool, name: str) -> Call:
    """The sign of NaN is NaN to NumPy and 0 to PyTorch."""
    x = pool.value()
    return call(pool, name, x), f"torch.sign({x}) + torch.where(torch.isnan({x}), nan, 0.0)"


@calls("logical_and", "logical_or")
def of_two_truths(pool: Pool, name: str) -> Call:
    x = pool.value()
    a, b = f"({x} > 0)", pool.truth(pool.shape_of(x))
    with_sign = f"{a} {'&' if name == 'logical_and' else '|'} {b}"
    return pool.choose(with_sign, f"tg.{name}({a}, {b})"), with_sign


@calls("logical_not")
def negation(pool: Pool, name: str) -> Call:
    x = pool.value()
    return pool.choose(f"~({x} > 0)", f"tg.logical_not({x} > 0)"), f"~({x} > 0)"


@calls("clip")
def clip(pool: Pool, name: str) -> Call:
    x = pool.value()
    bounds = pool.choose("-1.0, 1.0", "0, None", "None, 0.5", "0, 6", "2.0, 2.0")
    return pool.choose(f"tg.clip({x}, {bounds})", f"np.clip({x}, {bounds})"), f"torch.clamp({x}, {bounds})"


@calls("where")
def where(pool: Pool, name: str) -> Call:
    x = pool.value()
    y, _ = pool.partner_or_number(x)
    condition = pool.choose(f"{x} > 0", pool.truth(pool.shape_of(x)))
    pair = f"{x}, {y}" if pool.flag() else f"{y}, {x}"
    return call(pool, name, condition, pair), f"torch.where({condition}, {pair})"
