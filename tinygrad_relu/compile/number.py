"""Number: a Python number that may be another one in each call, such as a learning rate or the count of the steps.

It computes as the number does, and remembers how. Who asks for its truth, compares it or wants the plain number pins
what it was computed from: in a call where that is another number, another program is recorded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .tape import Expression

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow,
}  # fmt: skip
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "neg": 3, "**": 4}  # how tightly an operator binds


class Number:
    """A number with its formula: a Value, or a tuple of an operation and its operands."""

    # isinstance(x, float) is true of it, as of the number that it stands for
    __class__: Any = property(lambda self: type(self.value))
    __slots__ = ("__weakref__", "formula", "recorder", "value")

    def __init__(self, recorder: Any, value: Any, formula: Any):
        self.recorder = recorder
        self.value = value
        self.formula = formula

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return self.recorder.ufunc(ufunc, method, inputs, options)

    def item(self) -> Number:
        """The number itself, as NumPy's have it."""
        return self

    def _pinned(self) -> Any:
        self.recorder.pin(self)
        return self.value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._pinned(), dtype=dtype)

    def __bool__(self) -> bool:
        return self.recorder.decided(self, ("bool", self.formula), bool(self.value))

    def __getattr__(self, name: str) -> Any:  # is_integer(), real and the like
        if name.startswith("_"):
            raise AttributeError(f"a number that is being recorded has no attribute {name!r}")
        return getattr(self._pinned(), name)

    def __pos__(self) -> Number:
        return self

    def __neg__(self) -> Number:
        return Number(self.recorder, -self.value, ("neg", self.formula))

    def __abs__(self) -> Number:
        return Number(self.recorder, abs(self.value), ("abs", self.formula))


def _combining(sign: str, swapped: bool) -> Callable[[Number, Any], Any]:
    def combined(self: Number, other: Any) -> Any:
        if type(other) is not Number and not issubclass(type(other), (int, float)):
            return NotImplemented
        left, right = (other, self) if swapped else (self, other)
        value = _OPERATIONS[sign](plain_number(left), plain_number(right))
        return Number(self.recorder, value, (sign, _formula(left), _formula(right)))

    return combined


def _comparing(sign: str, function: Callable[[Any, Any], bool]) -> Callable[[Number, Any], Any]:
    def compared(self: Number, other: Any) -> Any:
        if type(other) is not Number and not issubclass(type(other), (int, float)):
            return NotImplemented
        outcome = bool(function(self.value, plain_number(other)))
        return self.recorder.decided(self, (sign, self.formula, _formula(other)), outcome)

    return compared


def _pinning(function: Callable[..., Any]) -> Callable[..., Any]:
    def answer(self: Number, *others: Any) -> Any:
        mine = self._pinned()
        return function(mine, *(x._pinned() if type(x) is Number else x for x in others))

    return answer


for _name, _sign in (
    ("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("floordiv", "//"), ("mod", "%"), ("pow", "**"),
):  # fmt: skip
    setattr(Number, f"__{_name}__", _combining(_sign, False))
    setattr(Number, f"__r{_name}__", _combining(_sign, True))
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    setattr(Number, f"__{_name}__", _comparing(_sign, getattr(operator, _name)))
for _name, _function in (
    ("float", float), ("int", int), ("index", operator.index), ("hash", hash), ("repr", repr),
    ("format", format), ("round", round), ("divmod", divmod), ("rdivmod", lambda x, y: divmod(y, x)),
    ("trunc", math.trunc), ("floor", math.floor), ("ceil", math.ceil),
):  # fmt: skip
    setattr(Number, f"__{_name}__", _pinning(_function))


def plain_number(x: Any) -> Any:
    """The number without its formula."""
    return x.value if type(x) is Number else x


def _formula(x: Any) -> Any:
    return x.formula if type(x) is Number else x


def spelled(formula: Any, name_of: Callable[[Any], str], outermost: bool = True) -> str:
    """The formula as Python; ``name_of`` names its values. With brackets around it unless it is the outermost."""
    if isinstance(formula, Expression):
        return spelled(formula.formula, name_of, outermost)
    if not isinstance(formula, tuple):
        if not isinstance(formula, (int, float)):
            return name_of(formula)
        return repr(formula) if math.isfinite(formula) else f"float('{formula}')"
    sign, *operands = formula
    if sign in ("bool", "abs", "int", "float"):
        return f"{sign}({spelled(operands[0], name_of)})"
    if sign == "shape":
        return f"{name_of(operands[0])}.shape"
    texts = [_operand_spelled(each, sign, i, name_of) for i, each in enumerate(operands)]
    text = f"-{texts[0]}" if sign == "neg" else f"{texts[0]}**{texts[1]}" if sign == "**" else f" {sign} ".join(texts)
    return text if outermost else f"({text})"


def _operand_spelled(operand: Any, sign: str, place: int, name_of: Callable[[Any], str]) -> str:
    """An operand, in brackets where Python would read the formula in another way without."""
    if not isinstance(operand, tuple):
        text = spelled(operand, name_of)
        return f"({text})" if text.startswith("-") and (place == 1 or sign == "**") else text
    inner, outer = _BINDING.get(operand[0], 9), _BINDING.get(sign, 0)
    needed = inner < outer or (inner == outer and (place == 1 or sign == "**"))
    return spelled(operand, name_of, outermost=not needed)
