"""Spelling: a plan as Python, line by line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .number import spelled
from .plan import Buffer, Place, Plan
from .tape import Call, Decision, Value, values_in

__all__ = ["Speller", "in_silence", "literal", "zeros"]

_OPERATORS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "equal": "==", "not_equal": "!=",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


class Speller:
    """Spells the calls of a plan with the names that ``name_of`` gives to its values."""

    def __init__(self, plan: Plan, name_of: Callable[[Value], str], for_reading: bool = False):
        self.plan = plan
        self.for_reading = for_reading  # then numbers stand as numbers where they are used
        self.name_of = name_of
        self.once: set[Value] = set()  # the values that are there before the first call
        self.once.update(v for v in plan.inputs if v.kind in ("state", "constant") and v.source and v.source.fixed)
        self.once.update(plan.numbers)

    # ------------------------------------------------------------------ what is done once

    def setup(self) -> list[str]:
        """Constants, buffers, and views of what stays where it is."""
        lines = [
            f"{self.name_of(v)} = np.array({literal(v.array.item())}, {_dtype(v.array.dtype)})"
            for v in self.plan.numbers
            if v.formula is None or not self.for_reading
        ]
        for call in self.plan.setup:
            lines += self.call(call)
            self.once.update(call.results)
        lines += self._buffers()
        for call in list(self.plan.calls):
            if self._is_fixed_view(call):
                lines += self.call(call)
                self.once.update(call.results)
        return lines

    def _is_fixed_view(self, call: Call) -> bool:
        return call.is_view and "views" not in self.plan.without and all(v in self.once for v in call.reads)

    def _buffers(self) -> list[str]:
        """Where results lie: in memory of their own, or where another one was that nobody needs any more."""
        plan = self.plan
        placed = [call.result for call in plan.calls if call.result is not None and plan.is_fresh(call.result)]
        placed = [value for value in placed if value.memory in plan.homes]
        layouts: dict[Any, set[Any]] = {}
        for value in placed:
            layouts.setdefault(plan.homes[value.memory], set()).add(value.layout)
        lines = []
        there: dict[Any, str] = {}  # a buffer, or a buffer and a layout in it -> the name that it has already
        for value in placed:
            home, name = plan.homes[value.memory], self.name_of(value)
            self.once.add(value)
            if isinstance(home, Place):
                lines.append(f"{name} = {self.name_of(home.value)}{'.T' if home.transposed else ''}")
            elif (home, value.layout) in there:
                lines.append(f"{name} = {there[home, value.layout]}")
            elif len(layouts[home]) == 1:
                lines.append(f"{name} = {_allocated(value.layout)}")
            else:
                if home not in there:
                    there[home] = f"memory{sum(isinstance(key, Buffer) for key in there) + 1}"
                    lines.append(f"{there[home]} = np.empty({home.nbytes}, np.uint8)")
                lines.append(f"{name} = {_carved(there[home], value.array)}")
            there.setdefault((home, value.layout), name)
        return lines

    # ------------------------------------------------------------------ what is done in each call

    def body(self) -> list[tuple[Call | Decision, list[str]]]:
        """The lines of each call or check, with the call or decision; views that are there already are left out."""
        found: list[tuple[Call | Decision, list[str]]] = []
        decisions = sorted(self.plan.decisions, key=lambda each: each.after)
        made: set[str] = set()
        for i, call in enumerate((*self.plan.calls, None)):
            while decisions and decisions[0].after <= i:
                decision = decisions.pop(0)
                text = self.opposite(decision)
                if not self.at_start(decision) and text not in made:
                    made.add(text)
                    found.append((decision, self.decision(decision)))
            if call is not None and not (call.is_view and call.result in self.once):
                found.append((call, self.call(call)))
        return found

    def at_start(self, decision: Any) -> bool:
        """Whether the decision rests only on what is known before the call."""
        return all(v.source is not None for v in values_in(decision.expression))

    def decision(self, decision: Any) -> list[str]:
        """A check that all is as in the recording."""
        text, outcome = self.condition(decision)
        where = text if outcome else f"not {text}" if text.isidentifier() else f"not ({text})"
        return [f"if {self.opposite(decision)}:", f"    raise Differs({where!r})"]

    def condition(self, decision: Any) -> tuple[str, bool]:
        """What the recording went by, as it must be again."""
        expression, outcome = decision.expression, decision.outcome
        if isinstance(expression, tuple) and expression[0] == "bool":
            return spelled(expression[1], self.name_of), outcome
        if isinstance(expression, tuple) and expression[0] in ("==", "!=", "<", "<=", ">", ">="):
            return spelled(expression, self.name_of), outcome
        return f"{spelled(expression, self.name_of)} == {outcome!r}", True

    def opposite(self, decision: Any) -> str:
        """The condition under which this program is the wrong one."""
        text, outcome = self.condition(decision)
        if not outcome:
            return text
        return f"not {text}" if text.isidentifier() else f"not ({text})"

    def call(self, call: Call) -> list[str]:
        """The lines of one call."""
        if call.out is not None:
            return [self._writing(call)]
        names = ", ".join(self.name_of(v) for v in call.results)
        if (
            len(call.results) == 1
            and self.plan.homes.get(call.result.memory) is not None
            and self.plan.is_fresh(call.result)
        ):
            return self._into(call, names)
        return [f"{names} = {self.expression(call)}"]

    def expression(self, call: Call) -> str:
        """The call as an expression."""
        name, arguments = call.function, call.arguments
        if name == "[]":
            return f"{self.text(arguments[0])}[{self.index(arguments[1])}]"
        if name.startswith((".", "rng.")):
            name = name.removeprefix("rng") if name.startswith("rng.") else name
            rest = self._given(arguments[1:], call.options)
            return f"{self.text(arguments[0])}{name}" + ("" if name == ".T" else f"({rest})")
        if name == "**":
            return f"{self.operand(arguments[0])} ** {self.operand(arguments[1])}"
        ufunc = name.removeprefix("np.")
        if ufunc in _OPERATORS and len(arguments) == 2 and not call.options and self._are_scalars(arguments):
            return f"{self.operand(arguments[0])} {_OPERATORS[ufunc]} {self.operand(arguments[1])}"
        if ufunc == "negative" and not call.options and self._are_scalars(arguments):
            return f"-{self.text(arguments[0])}"
        return f"{name}({self._given(arguments, call.options)})"

    def _are_scalars(self, arguments: tuple) -> bool:
        values = [x for x in arguments if isinstance(x, Value)]
        numbers = [x for x in arguments if isinstance(x, (int, float, np.generic)) or hasattr(x, "expression")]
        return bool(values) and not any(x.is_array for x in values) and len(values) + len(numbers) == len(arguments)

    def _into(self, call: Call, name: str) -> list[str]:
        """The call with its result written to where it belongs."""
        arguments = call.arguments
        if call.function == "np.where":
            condition, chosen, other = (self.text(x) for x in arguments)
            in_place = isinstance(arguments[2], Value) and self._same_place(arguments[2], call.result)
            first = [] if in_place else [f"np.copyto({name}, {other})"]
            if self._can_be_put(arguments[0], arguments[1], call.result):
                return [*first, f"np.putmask({name}, {condition}, {chosen})"]
            return [*first, f"np.copyto({name}, {chosen}, where={condition})"]
        if call.function in (".copy", "np.copy"):
            return [f"np.copyto({name}, {self.text(arguments[0])})"]
        if call.function == ".astype":
            return [f'np.copyto({name}, {self.text(arguments[0])}, casting="unsafe")']
        if call.function.startswith("rng."):
            return [f"{self.text(arguments[0])}{call.function.removeprefix('rng')}(out={name})"]
        return [f"{call.function}({self._given(arguments, call.options)}, out={name})"]

    @staticmethod
    def _can_be_put(mask: Any, number: Any, result: Value) -> bool:
        """Whether np.putmask does the same, in half the time: one number, and a mask for each element."""
        fits = isinstance(mask, Value) and mask.is_array and mask.array.shape == result.array.shape
        return fits and isinstance(number, (int, float)) and result.is_contiguous

    def _same_place(self, a: Value, b: Value) -> bool:
        home = self.plan.homes.get(a.memory)
        return isinstance(home, Buffer) and home is self.plan.homes.get(b.memory) and a.layout == b.layout

    def _writing(self, call: Call) -> str:
        assert call.out is not None
        name, arguments = call.function, call.arguments
        if name == "[]=":
            return f"{self.text(arguments[0])}[{self.index(arguments[1])}] = {self.text(arguments[2])}"
        out = "" if call.out_is_first else f"out={self.name_of(call.out)}"
        if name.startswith((".", "rng.")):
            name = f"{self.text(arguments[0])}{name.removeprefix('rng')}"
            arguments = arguments[1:]
        given = self._given(arguments, call.options)
        return f"{name}({', '.join(filter(None, (given, out)))})"

    # ------------------------------------------------------------------ arguments

    def _given(self, arguments: tuple, options: dict[str, Any]) -> str:
        texts = [self.text(x) for x in arguments]
        return ", ".join(texts + [f"{name}={self.text(value)}" for name, value in options.items()])

    def text(self, thing: Any) -> str:
        """An argument as Python."""
        if isinstance(thing, Value):
            return self.name_of(thing)
        if hasattr(thing, "expression"):
            return spelled(thing.expression, self.name_of)
        if isinstance(thing, tuple):
            return f"({', '.join(self.text(x) for x in thing)}{',' if len(thing) == 1 else ''})"
        if isinstance(thing, list):
            return f"[{', '.join(self.text(x) for x in thing)}]"
        if isinstance(thing, slice):
            return f"slice({self.text(thing.start)}, {self.text(thing.stop)}, {self.text(thing.step)})"
        return literal(thing)

    def copied(self, value: Value) -> str:
        """A copy, which lies in memory as its original does."""
        return f"{self.name_of(value)}.copy({'' if value.is_contiguous else repr('K')})"

    def operand(self, thing: Any) -> str:
        """What stands beside an operator."""
        if hasattr(thing, "expression"):
            return spelled(thing.expression, self.name_of, outermost=False)
        text = self.text(thing)
        return f"({text})" if text.startswith("-") else text

    def index(self, thing: Any) -> str:
        """What stands between the brackets of x[...]."""
        if isinstance(thing, tuple) and thing:
            return ", ".join(self.index(x) for x in thing) + ("," if len(thing) == 1 else "")
        if isinstance(thing, slice):
            text = ":".join("" if x is None else self.text(x) for x in (thing.start, thing.stop))
            return text if thing.step is None else f"{text}:{self.text(thing.step)}"
        return "..." if thing is Ellipsis else self.text(thing)


def in_silence(call: Call, lines: list[str]) -> list[str]:
    """The lines, without the warnings of NumPy that the rule knows to be needless."""
    if not call.errors:
        return lines
    options = ", ".join(f'{kind}="{value}"' for kind, value in call.errors)
    return [f"with np.errstate({options}):", *(f"    {line}" for line in lines)]


def literal(thing: Any) -> str:
    """A constant as Python."""
    if isinstance(thing, np.dtype) or (isinstance(thing, type) and issubclass(thing, np.generic)):
        return _dtype(np.dtype(thing))
    if isinstance(thing, type):
        return thing.__name__
    if isinstance(thing, float) and not np.isfinite(thing):
        return "np.nan" if thing != thing else "np.inf" if thing > 0 else "-np.inf"
    if isinstance(thing, np.generic):
        short = np.float64(str(thing)) if thing.dtype.kind == "f" else thing  # 0.01, not 0.009999999776482582
        same = thing.dtype.type(short) == thing
        return f"np.{thing.dtype.name}({literal((short if same else thing).item())})"
    return "..." if thing is Ellipsis else repr(thing)


def zeros(array: np.ndarray) -> str:
    """An array of the same layout, full of zeros."""
    return _allocated((array.shape, array.dtype, array.strides), "zeros")


def _allocated(layout: tuple[Any, ...], how: str = "empty") -> str:
    shape, dtype, strides = layout
    order, in_memory = _memory_order(shape, strides)
    return f"np.{how}({in_memory}, {_dtype(dtype)}){_transposed(order)}"


def _carved(memory: str, array: np.ndarray) -> str:
    order, in_memory = _memory_order(array.shape, array.strides)
    return f"{memory}[:{array.nbytes}].view({_dtype(array.dtype)}).reshape({in_memory}){_transposed(order)}"


def _transposed(order: tuple[int, ...]) -> str:
    return f".transpose{order}" if order != tuple(range(len(order))) else ""


def _dtype(dtype: np.dtype) -> str:
    return "bool" if dtype == np.bool_ else f"np.{dtype.name}"


def _memory_order(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How to transpose an array in C order so that it gets these strides, and that array's shape."""
    axes = sorted(range(len(shape)), key=lambda i: (-strides[i], i) if shape[i] > 1 else (0, i))
    if [i for i in axes if shape[i] > 1] == sorted(i for i in axes if shape[i] > 1):
        axes = list(range(len(shape)))
    return tuple(axes.index(i) for i in range(len(shape))), tuple(shape[i] for i in axes)
