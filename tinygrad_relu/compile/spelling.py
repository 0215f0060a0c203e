"""Spelling: one call of NumPy, one constant, one piece of memory as Python."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .functions import WRITERS, public_name
from .number import spelled
from .tape import Call, Expression, Value

_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_WRITERS = {public_name(function) for function in WRITERS}


class Speller:
    """Spells calls with the names that ``name`` gives to values; ``home`` says where results are written."""

    def __init__(self, name: Callable[[Value], str], home: dict[Value, Value | None]):
        self.name = name
        self.home = home

    def lines(self, call: Call) -> list[str]:
        """The lines of one call, in silence where the rule knows that a warning of NumPy is needless."""
        lines = self._lines(call)
        if not call.errors:
            return lines
        options = ", ".join(f'{kind}="{value}"' for kind, value in call.errors)
        return [f"with np.errstate({options}):", *(f"    {line}" for line in lines)]

    def _lines(self, call: Call) -> list[str]:
        if call.out is not None:
            return [self._written(call)]
        result = call.result
        if result is None:
            names = ", ".join(self.name(value) for value in call.results)
            return [f"{names}{',' * (len(call.results) == 1)} = {self.expression(call)}"]
        if result not in self.home:
            return [f"{self.name(result)} = {self.expression(call)}"]
        name = self.name(result)
        if call.function == "np.where":
            return self._chosen(call, name)
        return [f"{call.function}({self.given(call.arguments, call.options)}, out={name})"]

    def _chosen(self, call: Call, name: str) -> list[str]:
        """``np.where`` into memory that is there, in two steps: it takes no ``out=``."""
        condition, chosen, other = call.arguments
        fits = condition.array.shape == call.result.array.shape and call.result.array.flags.c_contiguous
        put = f"np.putmask({name}, {self.text(condition)}, {self.text(chosen)})"
        if not (fits and isinstance(chosen, (int, float))):
            put = f"np.copyto({name}, {self.text(chosen)}, where={self.text(condition)})"
        return [f"np.copyto({name}, {self.text(other)})", put]

    def _written(self, call: Call) -> str:
        target, arguments = call.arguments[0] if call.arguments else None, call.arguments
        if call.function == "[]=":
            return f"{self.text(target)}[{self.index(arguments[1])}] = {self.text(arguments[2])}"
        if call.function in _WRITERS or call.function.endswith(".at"):
            return f"{call.function}({self.given(arguments, call.options)})"
        out = f"out={self.name(call.out)}"
        if call.function.startswith((".", "rng.")):
            name = call.function.removeprefix("rng")
            return (
                f"{self.text(target)}{name}({', '.join(filter(None, (self.given(arguments[1:], call.options), out)))})"
            )
        return f"{call.function}({self.given(arguments, call.options)}, {out})"

    def expression(self, call: Call) -> str:
        """The call as an expression."""
        function, arguments = call.function, call.arguments
        if function == "[]":
            return f"{self.text(arguments[0])}[{self.index(arguments[1])}]"
        if function == ".T":
            return f"{self.text(arguments[0])}.T"
        if function.startswith((".", "rng.")):
            given = self.given(arguments[1:], call.options)
            return f"{self.text(arguments[0])}{function.removeprefix('rng')}({given})"
        if function == "**":
            return f"{self.operand(arguments[0])} ** {self.operand(arguments[1])}"
        sign = _OPERATORS.get(function.removeprefix("np."))
        if sign and not call.options and all(_is_scalar(x) for x in arguments):
            return f"{self.operand(arguments[0])} {sign} {self.operand(arguments[1])}"
        if function == "np.negative" and not call.options and _is_scalar(arguments[0]):
            return f"-{self.operand(arguments[0])}"
        return f"{function}({self.given(arguments, call.options)})"

    def given(self, arguments: tuple, options: dict[str, Any]) -> str:
        """Arguments and options, with commas between."""
        texts = [self.text(x) for x in arguments]
        return ", ".join(texts + [f"{name}={self.text(value)}" for name, value in options.items()])

    def text(self, thing: Any) -> str:
        """An argument."""
        if isinstance(thing, Value):
            return self.name(thing)
        if isinstance(thing, Expression):
            return spelled(thing, self.name)
        if isinstance(thing, tuple):
            return f"({', '.join(self.text(x) for x in thing)}{',' if len(thing) == 1 else ''})"
        if isinstance(thing, list):
            return f"[{', '.join(self.text(x) for x in thing)}]"
        if isinstance(thing, slice):
            return f"slice({self.text(thing.start)}, {self.text(thing.stop)}, {self.text(thing.step)})"
        return literal(thing)

    def operand(self, thing: Any) -> str:
        """An argument that stands beside an operator."""
        if isinstance(thing, Expression):
            return spelled(thing, self.name, outermost=False)
        text = self.text(thing)
        return f"({text})" if text.startswith("-") else text

    def index(self, thing: Any) -> str:
        """The text between the brackets of ``x[...]``."""
        if isinstance(thing, tuple) and thing:
            return ", ".join(self.index(x) for x in thing) + ("," if len(thing) == 1 else "")
        if isinstance(thing, slice):
            text = ":".join("" if x is None else self.text(x) for x in (thing.start, thing.stop))
            return text if thing.step is None else f"{text}:{self.text(thing.step)}"
        return "..." if thing is Ellipsis else self.text(thing)


def _is_scalar(x: Any) -> bool:
    return not x.is_array if isinstance(x, Value) else isinstance(x, (int, float, np.generic, Expression))


def literal(thing: Any) -> str:
    """A constant as Python."""
    if isinstance(thing, np.dtype) or (isinstance(thing, type) and issubclass(thing, np.generic)):
        return dtype(np.dtype(thing))
    if isinstance(thing, type):
        return thing.__name__
    if isinstance(thing, float) and not np.isfinite(thing):
        return "np.nan" if thing != thing else "np.inf" if thing > 0 else "-np.inf"
    if isinstance(thing, np.generic):
        short = np.float64(str(thing)) if thing.dtype.kind == "f" else thing  # 0.01, not 0.009999999776482582
        same = thing.dtype.type(short) == thing
        return f"np.{thing.dtype.name}({literal((short if same else thing).item())})"
    return "..." if thing is Ellipsis else repr(thing)


def dtype(kind: np.dtype) -> str:
    """A dtype as Python."""
    return "bool" if kind == np.bool_ else f"np.{kind.name}"


def empty(array: np.ndarray) -> str:
    """New memory of the same layout."""
    order, in_memory = _memory_order(array.shape, array.strides)
    transposed = f".transpose{order}" if order != tuple(range(len(order))) else ""
    return f"np.empty({in_memory}, {dtype(array.dtype)}){transposed}"


def constant(array: np.ndarray) -> str:
    """A small or regular array as Python; "" for one that is better kept as it is."""
    if array.size > 1 and array.dtype.kind in "iu" and np.array_equal(array.ravel(), np.arange(array.size)):
        shape = f".reshape{array.shape}" if array.ndim > 1 else ""
        return f"np.arange({array.size}, dtype={dtype(array.dtype)}){shape}" if array.flags.c_contiguous else ""
    if array.size and (array == array.flat[0]).all() and (array.flat[0] or not np.signbit(array.flat[0])):
        return f"np.full({array.shape}, {literal(array.flat[0].item())}, {dtype(array.dtype)})"
    if 0 < array.size <= 8 and array.dtype.kind in "fiub" and array.flags.c_contiguous and np.isfinite(array).all():
        return f"np.array({array.tolist()!r}, {dtype(array.dtype)})"
    return ""


def part(array: np.ndarray, whole: np.ndarray) -> str:
    """Text behind the name of a vector that makes of it one of its parts; "" if there is no short way."""
    start, rest = divmod(array.__array_interface__["data"][0] - whole.__array_interface__["data"][0], whole.itemsize)
    if whole.ndim != 1 or rest or not whole.flags.c_contiguous or array.dtype != whole.dtype or not array.flags.forc:
        return ""
    cut = f"[{start}:{start + array.size}]"
    if array.ndim == 1:
        return cut
    shape = array.shape if array.flags.c_contiguous else array.shape[::-1]
    return f"{cut}.reshape{shape}" + ".T" * (not array.flags.c_contiguous)


def _memory_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How to transpose an array in C order so that it gets these strides, and that array's shape."""
    axes = sorted(range(len(shape)), key=lambda i: (-strides[i], i) if shape[i] > 1 else (0, i))
    if [i for i in axes if shape[i] > 1] == sorted(i for i in axes if shape[i] > 1):
        axes = list(range(len(shape)))
    return tuple(axes.index(i) for i in range(len(shape))), tuple(shape[i] for i in axes)


def identifier(name: str) -> str:
    """A name of a parameter, such as ``layers.0.weight``, as Python takes it: weight0."""
    numbered = re.fullmatch(r".*?(\d+)\.(\w+)", name)
    name = numbered.group(2) + numbered.group(1) if numbered else name
    name = re.sub(r"\W+", "_", name).strip("_") or "x"
    taken = keyword.iskeyword(name) or name in ("np", "prepare", "Differs")  # which the text itself uses
    return f"x{name}" if name[0].isdigit() else f"{name}_" if taken else name
