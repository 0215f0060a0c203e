"""Tape: the calls of NumPy in one run of a function, and the values they work on. All else in this room reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class CannotCompile(RuntimeError):
    """The function does something that a program cannot repeat; the text says what, where, and what to do.

    >>> tg.compile(lambda x: x.sum().item())(np.ones(2))
    Traceback (most recent call last):
        ...
    tinygrad_relu.compile.tape.CannotCompile: compile: a Python number is wanted (.item()) at ...
    """


@dataclass(frozen=True)
class Layout:
    """An array without its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]
    nbytes: int

    @classmethod
    def of(cls, array: np.ndarray) -> Layout:
        """How the array lies in memory."""
        return cls(array.shape, array.dtype, array.strides, array.nbytes)


@dataclass(eq=False)
class Value:
    """An array or a number: an argument, a part of the state, a constant, or the result of a call."""

    array: Any
    kind: str  # "argument", "state", "constant" or "made"
    name: str = ""
    fetch: Any = None  # gets it from the arguments or the state before each call
    fixed: bool = False  # the same array in each call; a call with another one is not for this program
    about: str = ""  # in words, for the reader of the program
    base: Value | None = None  # in whose memory it lies
    maker: Any = None  # the call that gave it

    @property
    def root(self) -> Value:
        """The value that owns the memory."""
        return self if self.base is None else self.base.root

    @property
    def is_array(self) -> bool:
        """Lies in memory, which a NumPy scalar or a Python number does not."""
        return isinstance(self.array, np.ndarray)

    @property
    def layout(self) -> Any:
        """Properties that two arrays must share if one is to take the other's place."""
        return self.array.shape, self.array.dtype, self.array.strides


@dataclass(eq=False)
class Where:
    """The rule that a call belongs to, as the engine has told; in words once the run is over."""

    part: str  # "forward", "backward" or "update"
    op: Any = None
    name: str = ""
    about: str = ""
    inside: str = ""  # the module in which it is computed
    number: str = ""  # of that module in a Sequential
    line: str = ""  # of the user's program


@dataclass(eq=False)
class Call:
    """One call: ``np.add``, ``.reshape``, ``[]`` or ``[]=``; ``out`` is the value that it writes into."""

    function: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    where: Where
    results: tuple[Value, ...] = ()
    several: bool = False  # the results came as a tuple or list
    out: Any = None
    errors: tuple[tuple[str, str], ...] = ()  # np.errstate that the rule has set around it

    @property
    def result(self) -> Any:
        """The only result; None if there are more, or if it writes into memory that was there."""
        return self.results[0] if len(self.results) == 1 and not self.several else None

    @property
    def reads(self) -> list[Value]:
        """The values among its arguments and options."""
        return list(values_in((self.arguments, self.options)))

    @property
    def is_view(self) -> bool:
        """Computes nothing: the result lies in the memory of an argument."""
        return self.result is not None and self.result.base is not None


@dataclass(eq=False)
class Condition:
    """An answer that a rule has gone by; ``after`` counts the calls before it."""

    expression: Any
    outcome: Any
    after: int


@dataclass
class Tape:
    """Record of one run: calls and conditions in their order, and the inputs by when they were first met."""

    calls: list[Call] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    wishes: dict[Value, str] = field(default_factory=dict)  # names that the engine knows: outputs, masks, gradients


@dataclass(eq=False)
class Expression:
    """A Python number as it was computed from others: ``(sign, operand, ...)``, or a Value."""

    value: Any
    formula: Any


def values_in(thing: Any) -> Iterator[Value]:
    """The values in nested tuples, lists, dicts, slices and expressions."""
    if isinstance(thing, Value):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for item in thing:
            yield from values_in(item)
    elif isinstance(thing, dict):
        yield from values_in(list(thing.values()))
    elif isinstance(thing, slice):
        yield from values_in((thing.start, thing.stop, thing.step))
    elif isinstance(thing, Expression):
        yield from values_in(thing.formula)


def mapped(change: Callable[[Any], Any], thing: Any, slices: bool = True) -> Any:
    """The same nested tuples, lists, dicts and, unless they are to stay, slices with all other things changed."""
    if type(thing) in (tuple, list) or (isinstance(thing, tuple) and hasattr(thing, "_fields")):
        items = [mapped(change, item, slices) for item in thing]
        return thing._make(items) if hasattr(thing, "_make") else type(thing)(items)
    if type(thing) is dict:
        return {key: mapped(change, item, slices) for key, item in thing.items()}
    if slices and isinstance(thing, slice):
        return slice(*(mapped(change, bound) for bound in (thing.start, thing.stop, thing.step)))
    return change(thing)
