"""Number: a Python number that may be another one in each call, such as a learning rate or the count of the steps.

It computes as the number does, and remembers the expression. Who asks for its truth or compares it takes a decision,
which is noted; who wants the plain number itself pins it to its value. A call in which a decision would come out
otherwise is not answered by this recording. So nothing is frozen in silence.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Expression", "Number", "plain_number", "spelled"]

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(eq=False)
class Expression:
    """What a Number was in one place of the tape."""

    value: Any
    expression: Any


class Number:
    """A number with its expression: a Value, or a tuple of an operation and its operands.

    ``decide`` is called with an expression and its outcome when somebody goes by it.
    """

    # isinstance(x, float) is true of it, as of the number that it stands for
    __class__: Any = property(lambda self: type(self.value))
    __slots__ = ("__weakref__", "decide", "expression", "ufunc", "value")

    def __init__(self, value: Any, expression: Any, decide: Callable[[Any, Any], None], ufunc: Callable[..., Any]):
        self.value = value
        self.expression = expression
        self.decide = decide
        self.ufunc = ufunc

    def _combined(self, sign: str, left: Any, right: Any) -> Any:
        if not all(isinstance(x, (Number, int, float)) for x in (left, right)):
            return NotImplemented
        value = _OPERATIONS[sign](plain_number(left), plain_number(right))
        return Number(value, (sign, _operand(left), _operand(right)), self.decide, self.ufunc)

    def _compared(self, sign: str, other: Any) -> Any:
        result = self._combined(sign, self, other)
        return result if result is NotImplemented else bool(result)

    def __bool__(self) -> bool:
        outcome = bool(self.value)
        self.decide(("bool", self.expression), outcome)
        return outcome

    def _pinned(self) -> Any:
        self.decide(self.expression, self.value)
        return self.value

    def __float__(self) -> float:
        return float(self._pinned())

    def __int__(self) -> int:
        return int(self._pinned())

    def __index__(self) -> int:
        return operator.index(self._pinned())

    def __hash__(self) -> int:
        return hash(self._pinned())

    def __format__(self, spec: str) -> str:
        return format(self._pinned(), spec)

    def __repr__(self) -> str:
        return repr(self._pinned())

    def item(self) -> Number:
        """The number itself, as NumPy's have it."""
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return self.ufunc(ufunc, method, inputs, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._pinned(), dtype=dtype)

    def __getattr__(self, name: str) -> Any:  # is_integer(), real and the like
        return getattr(self._pinned(), name)

    def __pos__(self) -> Number:
        return self

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._pinned(), digits)

    def __divmod__(self, other: Any) -> Any:
        return divmod(self._pinned(), other)

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(other, self._pinned())

    def __neg__(self) -> Number:
        return Number(-self.value, ("neg", self.expression), self.decide, self.ufunc)

    def __abs__(self) -> Number:
        return Number(abs(self.value), ("abs", self.expression), self.decide, self.ufunc)


def _two_sided(name: str, sign: str) -> None:
    setattr(Number, f"__{name}__", lambda self, other: self._combined(sign, self, other))
    setattr(Number, f"__r{name}__", lambda self, other: self._combined(sign, other, self))


def _comparison(name: str, sign: str) -> None:
    setattr(Number, f"__{name}__", lambda self, other: self._compared(sign, other))


for _name, _sign in (
    ("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("floordiv", "//"), ("mod", "%"), ("pow", "**"),
):  # fmt: skip
    _two_sided(_name, _sign)
for _name, _sign in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">=")):
    _comparison(_name, _sign)


def plain_number(x: Any) -> Any:
    """The number without its expression."""
    return x.value if isinstance(x, Number) else x


def _operand(x: Any) -> Any:
    return x.expression if isinstance(x, Number) else x


_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "neg": 3, "**": 4}  # how tightly an operator binds


def spelled(expression: Any, name_of: Callable[[Any], str], outermost: bool = True) -> str:
    """The expression as Python; ``name_of`` names its values. With brackets around it unless it is the outermost."""
    if not isinstance(expression, tuple):
        if not isinstance(expression, (int, float)):
            return name_of(expression)
        return repr(expression) if math.isfinite(expression) else f"float('{expression}')"
    sign, *operands = expression
    if sign in ("bool", "abs", "int", "float"):
        return f"{sign}({spelled(operands[0], name_of)})"
    if sign == "shape":
        return f"{name_of(operands[0])}.shape"
    texts = [_operand_spelled(each, sign, i, name_of) for i, each in enumerate(operands)]
    text = f"-{texts[0]}" if sign == "neg" else f"{texts[0]}**{texts[1]}" if sign == "**" else f" {sign} ".join(texts)
    return text if outermost else f"({text})"


def _operand_spelled(operand: Any, sign: str, place: int, name_of: Callable[[Any], str]) -> str:
    """An operand, in brackets where Python would read the expression in another way without."""
    if not isinstance(operand, tuple):
        text = spelled(operand, name_of)
        return f"({text})" if text.startswith("-") and (place == 1 or sign == "**") else text
    inner, outer = _BINDING.get(operand[0], 9), _BINDING.get(sign, 0)
    needed = inner < outer or (inner == outer and (place == 1 or sign == "**"))
    return spelled(operand, name_of, outermost=not needed)
