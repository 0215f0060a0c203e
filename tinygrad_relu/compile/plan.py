"""Plan: the calls of a program before it is spelled, and where each result lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..guard import owner_of
from .number import Expression
from .tape import Call, Decision, Memory, Tape, Value, values_in

__all__ = [
    "Buffer",
    "Place",
    "Plan",
    "Saving",
    "address_of",
    "is_elementwise",
    "key_of",
    "replaced_in",
    "takes_out",
]


@dataclass(eq=False)
class Buffer:
    """Memory that the program allocates once. Values of several layouts may lie in it, one after the other."""

    nbytes: int
    layout: tuple[Any, ...]
    first: Any = None  # the Value that it was made for


@dataclass(frozen=True)
class Place:
    """A value that is there already, into which a result is written; ``transposed``: as it lies in ``value.T``."""

    value: Value
    transposed: bool = False


@dataclass
class Saving:
    """What one pass has saved."""

    name: str
    calls: int = 0  # of NumPy, in each call of the program
    allocations: int = 0  # of arrays, in each call of the program
    buffers: int = 0
    bytes: int = 0  # of all results, in buffers or not


@dataclass(eq=False)
class Plan:
    """What the program does: ``setup`` once, ``calls`` in each call of it.

    ``homes`` says where the result of a call is written: into a Buffer, or a Place that is there already. A result
    without a home is a new array in each call.
    """

    calls: list[Call]
    inputs: list[Value]
    decisions: list[Decision]
    kept: list[Value]  # what is returned, or left in an attribute
    setup: list[Call] = field(default_factory=list)
    homes: dict[Memory, Any] = field(default_factory=dict)
    numbers: list[Value] = field(default_factory=list)  # Python numbers that have been made arrays
    parts: list[Value] = field(default_factory=list)  # of vectors that stand for them: they must stay there
    replaced: dict[Value, Value] = field(default_factory=dict)  # what another value is in the place of
    without: frozenset[str] = frozenset()  # the passes that were left out
    savings: list[Saving] = field(default_factory=list)

    @staticmethod
    def of(tape: Tape, kept: list[Value]) -> Plan:
        """The plan that does just what the tape says."""
        plan = Plan(list(tape.calls), list(tape.inputs), list(tape.decisions), kept)
        _name_each_result(plan)
        return plan

    @property
    def buffers(self) -> list[Buffer]:
        """All buffers, each once."""
        return list(dict.fromkeys(home for home in self.homes.values() if isinstance(home, Buffer)))

    def size(self) -> tuple[int, int, int, int]:
        """Calls that are no mere views, arrays that are allocated in each call, buffers, and the bytes of both."""
        made = {call.result for call in self.calls if call.result is not None and self.is_fresh(call.result)}
        anew = [value for value in made if value.memory not in self.homes]
        nbytes = sum(buffer.nbytes for buffer in self.buffers) + sum(value.array.nbytes for value in anew)
        return sum(not call.is_view for call in self.calls), len(anew), len(self.buffers), nbytes

    def uses(self) -> dict[Memory, list[int]]:
        """At which calls, or behind which, each memory is read or written; what is kept is used behind the last one."""
        found: dict[Memory, list[int]] = {}
        for i, call in enumerate(self.calls):
            for value in call.touched:
                found.setdefault(value.memory, []).append(i)
        for decision in self.decisions:
            for value in values_in(decision.expression):
                found.setdefault(value.memory, []).append(max(decision.after - 1, 0))
        for value in self.kept:
            found.setdefault(value.memory, []).append(len(self.calls))
        return found

    def renewed(self) -> set[Memory]:
        """The state whose numbers before a call do not matter: all that is read of it has been written in the call."""
        written: dict[Memory, np.ndarray] = {}  # for each byte, whether it has been
        old: set[Memory] = {v.memory for d in self.decisions for v in values_in(d.expression)}
        for call in self.calls:
            if call.is_view:
                continue
            target = self.target_of(call)
            read = list(values_in(call.arguments[1:])) if call.function in ("[]=", "np.copyto") else call.reads
            old.update(v.memory for v in read if not _bytes(v, written).all())
            if target is None:
                continue
            if call.out is not None and not overwrites(call):
                old.add(target.memory)
            elif _bytes(target, written).size == target.array.nbytes:  # without gaps
                _bytes(target, written)[...] = True
        old.update(v.memory for v in self.kept if not _bytes(v, written).all())
        return {memory for memory in written if memory.kind == "state"} - old

    def target_of(self, call: Call) -> Value | None:
        """The array that is there and that the call writes into, if there is one."""
        home = self.homes.get(call.result.memory) if call.out is None and call.result is not None else None
        return home.value if isinstance(home, Place) else call.out

    def is_fresh(self, value: Value) -> bool:
        """Whether a call makes the array anew, in memory that nothing else in the program knows yet."""
        return value.is_array and value.kind == "made" and value.base is None

    def replace(self, new: dict[int, list[Call]]) -> None:
        """Put other calls, or none, in the place of those at these places; decisions keep theirs."""
        calls: list[Call] = []
        moved = [0]
        for i, call in enumerate(self.calls):
            calls += new.get(i, [call])
            moved.append(len(calls))
        for decision in self.decisions:
            decision.after = moved[decision.after]
        self.calls = calls

    def remove(self, dead: set[int]) -> None:
        """Take out the calls at these places."""
        self.replace({i: [] for i in dead})


def _name_each_result(plan: Plan) -> None:
    """Let a call that writes over a whole array give a new value: where that lies is for the passes to decide.

    So it is with the vectors that an optimizer computes in, and with ``y += bias`` in a rule.
    """
    renamed: dict[Value, Value] = {}
    viewed = {v.base for call in plan.calls for v in call.results if v.base is not None}
    for call in plan.calls:
        call.arguments, call.options = replaced_in((call.arguments, call.options), renamed)
        target = call.out
        if target is None or not _may_be_anew(call, target) or target in viewed:
            call.out = renamed.get(target, target) if target is not None else None
            continue
        result = Value(target.array, Memory("made"), maker=call)
        call.out, call.results = None, (result,)
        renamed[target] = result
    plan.kept[:] = [renamed.get(v, v) for v in plan.kept]
    plan.replaced.update(renamed)


def overwrites(call: Call) -> bool:
    """Whether the call writes all of an array, and nothing that is there shows in it: ``target[...] = value``."""
    if call.function == "[]=":
        return call.arguments[1] is Ellipsis
    if call.function == "np.copyto":
        return len(call.arguments) == 2 and not call.options
    return _writes_all(call)


def _bytes(value: Value, known: dict[Memory, np.ndarray]) -> np.ndarray:
    """The part of the notes about its memory, a byte for each, that belongs to the value."""
    if value.kind != "state" or not value.is_array:
        return np.ones(0, bool)
    owner = owner_of(value.array)
    notes = known.setdefault(value.memory, np.zeros(owner.nbytes, bool))
    start, stop = (bound - address_of(owner) for bound in np.lib.array_utils.byte_bounds(value.array))
    return notes[start:stop]


def address_of(array: np.ndarray) -> int:
    """Where its first element lies."""
    return array.__array_interface__["data"][0]


def _may_be_anew(call: Call, target: Value) -> bool:
    return _is_workspace(target) and _writes_all(call) and _gives_the_same_anew(call, target)


def _is_workspace(value: Value) -> bool:
    """Whether what was in it before and will be in it after the call is nobody's business."""
    key = value.source.key if value.source is not None else None
    return key in ("scratch1", "scratch2") or (value.kind == "made" and value.base is None and value.is_array)


def _writes_all(call: Call) -> bool:
    return _ufunc_of(call) is not None and "where" not in call.options


def _gives_the_same_anew(call: Call, target: Value) -> bool:
    """Whether the call without out= gives an array of that shape and dtype: out= may cast and broadcast."""
    operands = [_number(x) for x in call.arguments]
    alike = all(type(x) in (int, float) or _like(x, target.array) for x in operands)
    if alike and target.array.dtype.kind == "f" and call.function in _KEEP_DTYPE and not call.options:
        return True
    ufunc: Any = _ufunc_of(call)
    with np.errstate(all="ignore"):
        result = (ufunc.reduce if call.function.endswith(".reduce") else ufunc)(
            *operands, **{name: _number(x) for name, x in call.options.items()}
        )
    return result.shape == target.array.shape and result.dtype == target.array.dtype


def _like(x: Any, array: np.ndarray) -> bool:
    return isinstance(x, np.ndarray) and x.shape == array.shape and x.dtype == array.dtype


_KEEP_DTYPE = {f"np.{name}" for name in ("add", "subtract", "multiply", "divide", "sqrt", "negative", "maximum")}


def _ufunc_of(call: Call) -> Any:
    """The ufunc that is called, or whose reduce is; None for all else."""
    ufunc = getattr(np, call.function.removeprefix("np.").removesuffix(".reduce"), None)
    return ufunc if isinstance(ufunc, np.ufunc) else None


def _number(x: Any) -> Any:
    """What an argument was in the recording."""
    return x.array if isinstance(x, Value) else x.value if hasattr(x, "expression") else x


def replaced_in(thing: Any, same: dict[Value, Value]) -> Any:
    """Arguments with other values in the place of some."""
    if not same:
        return thing
    if isinstance(thing, Value):
        return same.get(thing, thing)
    if isinstance(thing, (tuple, list)):
        return type(thing)(replaced_in(item, same) for item in thing)
    if isinstance(thing, dict):
        return {name: replaced_in(value, same) for name, value in thing.items()}
    if isinstance(thing, slice):
        return slice(*replaced_in((thing.start, thing.stop, thing.step), same))
    if hasattr(thing, "expression"):
        return Expression(thing.value, replaced_in(thing.expression, same))
    return thing


def key_of(thing: Any) -> Any:
    """Arguments as something that is equal for equal calls; 1, 1.0 and True are different arguments."""
    if isinstance(thing, (tuple, list)):
        return type(thing).__name__, tuple(key_of(item) for item in thing)
    if isinstance(thing, dict):
        return tuple((name, key_of(value)) for name, value in thing.items())
    if isinstance(thing, slice):
        return "slice", key_of((thing.start, thing.stop, thing.step))
    if hasattr(thing, "expression"):
        return "number", key_of(thing.expression)
    return (thing,) if isinstance(thing, Value) else (type(thing).__name__, repr(thing))


def takes_out(call: Call) -> bool:
    """Whether the call can write its result, bit for bit the same, into an array that is there."""
    value = call.result
    if call.out is not None or len(call.results) != 1 or not value.is_array:
        return False
    if call.function == "np.where":
        return getattr(call.arguments[0], "array", np.empty(0)).dtype == bool
    if call.function in (".astype", ".copy", "np.copy", "rng.random", "rng.standard_normal"):
        return not call.function.startswith("rng.") or (len(call.arguments) == 2 and not call.options)
    if call.function in ("np.dot", "np.concatenate", "np.stack"):
        return value.is_contiguous and "dtype" not in call.options  # NumPy takes either dtype= or out=
    name = call.function.removeprefix("np.").removesuffix(".reduce")
    ufunc = getattr(np, name, None)
    return isinstance(ufunc, np.ufunc) and ufunc.nout == 1


def is_elementwise(call: Call) -> bool:
    """Whether each element of the result comes from the same element of the arguments."""
    if call.function in ("np.where", ".astype", ".copy", "np.copy"):
        return True
    ufunc = getattr(np, call.function.removeprefix("np."), None)
    return isinstance(ufunc, np.ufunc) and ufunc.signature is None
