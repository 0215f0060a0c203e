"""Tape: the NumPy calls of one run in their order, and the arrays that they work on.

A Value is an array that the program has at some place: an argument, a part of the state that lives on from call to
call (a parameter, a gradient, what an optimizer remembers), a constant, or the result of a call. It may be a view of
another value (``x.T``, ``x[0]``), and then both lie in one Memory; a call can write into memory that is there
(``out=``, ``x[...] = y``). A value can also be a Python number, such as a learning rate: see number.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..place import Place

__all__ = ["Call", "Decision", "Memory", "OpNote", "Origin", "Outline", "Source", "Tape", "Value", "values_in"]


@dataclass(eq=False)
class Memory:
    """A piece of memory: what is written into one of its views is seen in all.

    ``kind`` is where it comes from: "argument"; "state", which lives on from call to call; "constant"; or "made", by
    a call of the program, which then may lie wherever the program puts it.
    """

    kind: str
    written: bool = False  # whether a call writes into it after it was made


@dataclass(eq=False)
class Source:
    """Where a value comes from that no call has made.

    ``owner`` and ``key`` say what it is, for instance a Tensor and "data"; two sources with the same are the same.
    ``fetch`` gets what is there now. ``fixed``: whether it is the same object in each call unless somebody replaces it.
    """

    owner: Any
    key: Any
    fetch: Any  # a function without arguments; None for an argument of the user's function
    fixed: bool = True
    name: str = ""


@dataclass(frozen=True)
class Outline:
    """All of an array but its elements, which nobody needs any more once the program stands."""

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]
    nbytes: int
    c_contiguous: bool

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @staticmethod
    def of(array: np.ndarray) -> Outline:
        """The outline of an array."""
        return Outline(array.shape, array.dtype, array.strides, array.nbytes, array.flags.c_contiguous)


@dataclass(eq=False)
class Value:
    """One array of the program; or a number, of NumPy's or Python's, which lies in no memory."""

    array: Any  # what it was in the recording; for a state it is the memory itself
    memory: Memory
    base: Value | None = None  # what it is a view of
    source: Any = None  # a Source; None for the result of a call
    name: str = ""  # how the program calls it
    hint: str = ""  # what it is, in a word or two
    maker: Call | None = None
    formula: Any = None  # of a number that was made an array: what it is in each call; None if it is always the same

    @property
    def is_array(self) -> bool:
        """Whether it is an array and not a number."""
        return isinstance(self.array, (np.ndarray, Outline))

    @property
    def kind(self) -> str:
        """argument, state, constant or made."""
        return self.memory.kind

    @property
    def layout(self) -> tuple[Any, ...]:
        """Shape, dtype and strides: what two arrays must have in common for one to take the other's place."""
        return self.array.shape, self.array.dtype, self.array.strides

    @property
    def is_contiguous(self) -> bool:
        """Whether it lies in C order without gaps."""
        return self.array.c_contiguous if isinstance(self.array, Outline) else self.array.flags.c_contiguous

    def forget(self) -> None:
        """Let go of the elements; a constant keeps them."""
        if isinstance(self.array, np.ndarray) and self.kind != "constant":
            self.array = Outline.of(self.array)


@dataclass(eq=False)
class OpNote:
    """What names and comments need to know of an op, which itself would keep its arrays alive."""

    name: str
    call: Any  # the call of a module that it was a part of, see mode.py
    place: Place | None  # the user's line of the forward pass
    saved: dict[str, Value] = field(default_factory=dict)  # what its forward saved for the way back, by its names
    output: Value | None = None


@dataclass(frozen=True)
class Origin:
    """Which part of the user's program a call belongs to."""

    op: OpNote | None = None  # None outside of all ops
    backward: bool = False
    place: Place | None = None  # the user's line
    part: str = ""  # "forward", "backward" or "update"
    rule: Place | None = None  # the line of this package: of the op's rule, of the optimizer's or of the layer


@dataclass(eq=False)
class Call:
    """One call. ``function`` is as it is written: ``np.add``, ``.reshape`` (a method), ``.T`` or ``[]``."""

    function: str
    arguments: tuple[Any, ...]  # Values, Numbers and constants, nested in tuples, lists, dicts and slices
    options: dict[str, Any] = field(default_factory=dict)
    results: tuple[Value, ...] = ()
    out: Value | None = None  # the array that the call writes into
    out_is_first: bool = False  # as its first argument, not as out=
    origin: Origin = field(default_factory=Origin)
    _reads: Any = ((None, None), ())
    errors: tuple[tuple[str, str], ...] = ()  # what np.errstate differs in here from how it was at the start

    @property
    def result(self) -> Any:
        """The only result, or None."""
        return self.results[0] if self.results else None

    @property
    def reads(self) -> list[Value]:
        """The values among its arguments and options; looked up again only when these are others."""
        of, found = self._reads
        if of[0] is not self.arguments or of[1] is not self.options:
            found = list(values_in((self.arguments, self.options)))
            self._reads = (self.arguments, self.options), found
        return found

    @property
    def touched(self) -> list[Value]:
        """All values that it reads, makes or writes into."""
        return [*self.reads, *self.results, *([self.out] if self.out is not None else [])]

    @property
    def is_view(self) -> bool:
        """Whether it computes nothing: its result lies in the memory of its argument."""
        return self.out is None and bool(self.results) and getattr(self.result, "base", None) is not None


@dataclass(eq=False)
class Decision:
    """Something that the recording went by: an expression of numbers, and what came out of it."""

    expression: Any
    outcome: Any
    after: int  # how many calls were on the tape by then
    origin: Origin


@dataclass
class Tape:
    """All calls of one run, and all that they began with."""

    calls: list[Call] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)  # what no call has made
    decisions: list[Decision] = field(default_factory=list)

    def let_go(self) -> None:
        """Take the calls apart from their results: each knows the other, and so keeps all arrays in memory."""
        for call in self.calls:
            for value in call.results:
                value.maker = None


def values_in(thing: Any) -> Iterator[Value]:
    """The values in nested tuples, lists, dicts, slices and expressions of numbers."""
    if isinstance(thing, Value):
        yield thing
    elif isinstance(thing, (tuple, list)):
        for item in thing:
            yield from values_in(item)
    elif isinstance(thing, dict):
        yield from values_in(list(thing.values()))
    elif isinstance(thing, slice):
        yield from values_in((thing.start, thing.stop, thing.step))
    elif hasattr(thing, "expression"):
        yield from values_in(thing.expression)
