"""Calls: NumPy's calls in a run, carried out and written on the tape, and the stand-ins that lead them here.

Traced arrays and Numbers stand in for plain ones. They tell the CallRecorder of each call that is made with them, and
ask it before they give away a plain number or a truth.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import graph, random
from ..tensor import Tensor
from .asker import Asker, CannotCompile
from .functions import ABOUT_SHAPE, WRITERS, public_name, shape_depends_on_data
from .number import Expression, Number
from .standins import recorded_class
from .tape import Call, Decision, Source, Tape, Value, values_in
from .traced import Traced, plain, rebuilt, traced_in
from .undo import Undo
from .updates import can_move
from .values import Values

__all__ = ["CallRecorder", "RecordedGenerator"]

_HOW_TO_BRANCH = "use tg.where or np.where, or decide outside of the function"


class CallRecorder:
    """Writes the tape, for functions of arrays, Tensors and numbers."""

    def __init__(self, tape: Tape, asker: Asker, undo: Undo):
        self.tape = tape
        self.values = Values(tape)
        self.tensors: list[Tensor] = []  # those that hold a Traced array
        self.bound: set[int] = set()  # ids of Tensors that must stay in the array that they have
        self.assigned: dict[int, Tensor] = {}  # all whose elements became others, by their id
        self._asker = asker
        self._undo = undo
        self._alive: list[weakref.ref[Any]] = []
        self._thread = threading.get_ident()
        self._errors = dict(_errors())

    def is_bystander(self, *things: Any) -> bool:
        """Whether another thread asks, which has come by the state alone: to it that is plain arrays."""
        if threading.get_ident() == self._thread:
            return False
        return all(each.value.kind in ("state", "constant", "number") for each in traced_in(things))

    def escaped(self) -> list[Traced | Number]:
        """What was made in the run and is still held by somebody."""
        return [thing for thing in (reference() for reference in self._alive) if thing is not None]

    # ------------------------------------------------------------------ what stands in

    def traced(self, value: Value) -> Traced:
        """What stands in for the value while the function runs."""
        made = Traced(self, value)
        self._alive.append(weakref.ref(made))
        return made

    def given(self, source: Source, array: Any) -> Traced:
        """What stands in for an array that is fetched from the source for each call."""
        return self.traced(self.values.given(source, array))

    def number(self, source: Source, value: Any) -> Number:
        """What stands in for a Python number that is fetched anew for each call."""
        return self._numbered(self.values.number(source, value))

    def _numbered(self, value: Value) -> Number:
        made = Number(value.array, value, self.decide, self.ufunc)
        self._alive.append(weakref.ref(made))
        return made

    def outside(self, array: np.ndarray) -> Traced:
        """A plain array that the function has come by: what it holds may be other numbers in the next call."""
        found = self.values.of(array)
        if found is None:
            origin, _ = self._asker.origin()
            engines = origin.rule is not None and origin.rule[0].co_filename == graph.__file__
            source = Source(origin, ("array", origin.op is None and not engines), lambda: array)
            return self.given(source, array)
        return self.traced(found)

    def constant(self, array: np.ndarray) -> Traced:
        """An array of the package's own making: a constant, if it is the same in each run."""
        return self.given(Source(self._asker.origin()[0], ("array", False), lambda: array), array)

    def new_array(self, data: Any, dtype: Any, make: Callable[[Any, Any], np.ndarray]) -> Any:
        """The array of a new Tensor: a copy, or a constant if it is made of plain Python numbers."""
        data = self.lifted(data)
        if isinstance(data, Traced):
            copied: Any = data
            return copied.copy() if dtype is None else copied.astype(dtype)
        return self.constant(make(data, dtype))

    def tensor(self, t: Tensor) -> None:
        """Let the Tensor hold a Traced array until the run is over."""
        if isinstance(t._array, Traced):
            return
        if not can_move(t):
            self.bound.add(id(t))
        data = t._array
        if not isinstance(data, np.ndarray):
            t._array = data = np.asarray(data)  # a number has no memory to live on in
        self.tensors.append(t)
        kind: Any = type(t)
        self._undo.swap(t, "__class__", recorded_class(kind))  # first, so that no other thread meets a Traced array
        self._undo.swap(t, "_array", self.given(Source(t, "data", lambda: t._array, name=t.name or ""), data))

    def lifted(self, thing: Any) -> Any:
        """The same with Traced arrays in the place of plain ones, and with Tensors that hold such."""
        if isinstance(thing, Tensor):
            self.tensor(thing)
            return thing
        if isinstance(thing, np.ndarray):
            return self.outside(thing)
        if type(thing) in (tuple, list):
            weak = any(isinstance(item, Tensor) for item in thing)
            return type(thing)(self._weak(self.lifted(item)) if weak else self.lifted(item) for item in thing)
        if type(thing) is dict:
            return {name: self.lifted(item) for name, item in thing.items()}
        return thing

    def _weak(self, thing: Any) -> Any:
        """A NumPy scalar beside a Tensor as a Python number, which does not promote (as apply has it)."""
        if isinstance(thing, Traced) and isinstance(thing.array, np.generic):
            return self.call(".item", type(thing.array).item, (thing,), {})
        return thing

    # ------------------------------------------------------------------ NumPy's calls

    def ufunc(self, ufunc: Any, method: str, inputs: tuple, options: dict[str, Any]) -> Any:
        """A ufunc, or one of its methods, was called with something that is recorded."""
        name = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
        if getattr(np, ufunc.__name__, None) is not ufunc:
            raise self.refusal(f"{ufunc.__name__} is called, which is none of NumPy's functions", "write it with NumPy")
        function: Any = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "at":
            return self.write(name, function, inputs, options, inputs[0])
        return self.call(name, function, inputs, options)

    def array_function(self, function: Any, args: tuple, options: dict[str, Any]) -> Any:
        """Another of NumPy's functions was called with something that is recorded."""
        if self.is_bystander(args, options):
            return function(*plain(args), **plain(options))
        self._asker.refuse_strangers()
        if function in ABOUT_SHAPE:
            return function(*plain(args), **plain(options))
        name = public_name(function)
        if not name:
            raise self.refusal(
                f"{function.__name__} is called, which has no public name in NumPy", "write it another way"
            )
        if function in WRITERS:
            return self.write(name, function, args, options, args[0])
        return self.call(name, function, args, options)

    def call(self, name: str, function: Callable[..., Any], args: tuple, options: dict[str, Any]) -> Any:
        """Carry out a call that gives something new, and write it down."""
        if self.is_bystander(args, options):
            return function(*plain(args), **plain(options))
        self._asker.refuse_strangers()
        out = options.get("out")
        if out is not None:
            targets = out if isinstance(out, tuple) else (out,)
            if len(targets) != 1:
                raise self.refusal(f"{name} writes several results into out=", "let it make new arrays")
            return self.write(name, function, args, {**options, "out": targets[0]}, targets[0])
        origin, users = self._asker.origin()
        chosen = shape_depends_on_data(name, args, options)
        if chosen and users:
            raise self.refusal("how many elements there are depends on the data", "use np.where, or a fixed number")
        arguments, kept = self._values(args), self._values(options)
        result = function(*plain(args), **plain(options))
        call = Call(name, arguments, kept, origin=origin, errors=self._changed_errors())
        several = isinstance(result, (tuple, list))
        call.results = tuple(self._made(call, each) for each in (result if several else (result,)))
        self.tape.calls.append(call)
        if chosen:
            for value in call.results:
                self.tape.decisions.append(Decision(("shape", value), value.array.shape, len(self.tape.calls), origin))
        wrapped = [
            self.traced(v) if isinstance(v.array, (np.ndarray, np.generic)) else self._numbered(v) for v in call.results
        ]
        return rebuilt(result, wrapped) if several else wrapped[0]

    def write(self, name: str, function: Callable[..., Any], args: tuple, options: dict[str, Any], target: Any) -> Any:
        """Carry out a call that writes into memory that is there, and write it down."""
        self._asker.refuse_strangers()
        if not isinstance(target, Traced):
            target = self.outside(target)
        if target.value.kind == "argument":
            raise self.refusal("an argument of the function is written into", "work on np.copy(x)")
        origin, _ = self._asker.origin()
        kept = {key: value for key, value in options.items() if key != "out"}
        arguments, named = self._values(args), self._values(kept)
        self._undo.keep(target.value)
        source = target.value.source
        if source is not None and source.key == "data":
            self.assigned[id(source.owner)] = source.owner
        function(*plain(args), **plain(options))
        target.value.memory.written = True
        call = Call(name, arguments, named, out=target.value, origin=origin, errors=self._changed_errors())
        call.out_is_first = "out" not in options
        self.tape.calls.append(call)
        return target if "out" in options else None

    def _values(self, thing: Any) -> Any:
        """The same with Values in the place of arrays."""
        if isinstance(thing, (Traced, RecordedGenerator)):
            return thing.value
        if isinstance(thing, Number):
            return Expression(thing.value, thing.expression)
        if isinstance(thing, np.ndarray):
            return self.outside(thing).value
        if isinstance(thing, Tensor):
            self.tensor(thing)
            return thing._array.value
        if isinstance(thing, (tuple, list)):
            return (tuple if isinstance(thing, tuple) else list)(self._values(item) for item in thing)
        if isinstance(thing, dict):
            return {name: self._values(item) for name, item in thing.items()}
        if isinstance(thing, slice):
            return slice(self._values(thing.start), self._values(thing.stop), self._values(thing.step))
        return thing

    def _made(self, call: Call, result: Any) -> Value:
        if not isinstance(result, (np.ndarray, np.generic, int, float, bool)):
            raise self.refusal(f"{call.function} gives a {type(result).__name__}", "only arrays can be written down")
        return self.values.made(call, result)

    def _changed_errors(self) -> tuple[tuple[str, str], ...]:
        return tuple((kind, value) for kind, value in _errors() if value != self._errors[kind])

    # ------------------------------------------------------------------ decisions

    def decide(self, expression: Any, outcome: Any) -> None:
        """Somebody goes by this: a call in which it comes out otherwise needs another program."""
        origin, users = self._asker.origin()
        if users and any(value.source is None for value in values_in(expression)):
            raise self.refusal("the function goes by a number that was computed in it", _HOW_TO_BRANCH)
        self.tape.decisions.append(Decision(expression, outcome, len(self.tape.calls), origin))

    def decided(self, array: Traced) -> bool:
        """The truth of an array: noted where the package asks, refused where the user's function does."""
        if self.is_bystander(array):
            return bool(array.array)
        self._asker.refuse_users("the function goes by the data (a branch or a loop)", _HOW_TO_BRANCH)
        outcome = bool(array.array)
        self.decide(("bool", array.value), outcome)
        return outcome

    def pinned(self, array: Traced, kind: type) -> Any:
        """The plain number in an array, for the package only; another number needs another program."""
        if self.is_bystander(array):
            return kind(array.array)
        self._asker.refuse_users(
            f"a Python {kind.__name__} is wanted", "return the Tensor, and ask outside of the function"
        )
        outcome = kind(array.array)
        self.decide((kind.__name__, array.value), outcome)
        return outcome

    def told(self, array: Traced, spec: str) -> str:
        """The value as text, for an error that the package is about to raise; refused in the user's function."""
        if self.is_bystander(array):
            return format(array.array, spec)
        self._asker.refuse_users("its value is wanted as text", "return it, and print outside")
        return format(array.array, spec)

    def number_of(self, array: Traced, index: tuple) -> Any:
        """``.item()``: a number that the tape knows; refused in the user's function, who would keep it."""
        if self.is_bystander(array):
            return array.array.item(*index)
        self._asker.refuse_users(
            "a Python number is wanted (.item())", "return the Tensor, and call .item() on what comes out"
        )
        return self.call(".item", type(array.array).item, (array, *index), {})

    def refusal(self, what: str, advice: str) -> CannotCompile:
        """The error for the user, with his line."""
        return self._asker.refusal(what, advice)


class RecordedGenerator:
    """The package's generator of random numbers; what it draws is written down."""

    def __init__(self, calls: CallRecorder, real: Any):
        self._calls = calls
        self._real = real
        self.value = calls.values.number(Source(None, "rng", random.generator, False, "rng"), real)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        def drawn(*args: Any, **options: Any) -> Any:
            return self._calls.call(
                f"rng.{name}", lambda _, *rest, **named: method(*rest, **named), (self, *args), options
            )

        return drawn


def _errors() -> list[tuple[str, str]]:
    """What NumPy does now about each kind of number that goes wrong."""
    return [(kind, str(value)) for kind, value in np.geterr().items()]
