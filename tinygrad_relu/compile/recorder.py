"""Recorder: one real run of a function, in which rules compute on Traced arrays that note each call of NumPy.

The engine says which rule runs (``enter``, ``leave``). Inside of a rule a number or a truth may be asked for, and is a
condition of the program; outside of all rules it is the user who asks, and that is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random
from ..guard import owner_of
from ..mode import mode
from ..place import users_place
from ..record.source import line_at
from ..tensor import Tensor
from .functions import ABOUT_SHAPE, WRITERS, public_name, shape_depends_on_data
from .guards import Guards
from .number import Number
from .snapshot import same_bits
from .state import State, Undo
from .tape import Call, CannotCompile, Condition, Expression, Tape, Value, Where, mapped, values_in
from .traced import Traced, plain

_HOW_TO_BRANCH = "use tg.where or np.where, or decide outside of the function"
_RETURN_IT = "return the Tensor, and ask outside of the function"


class Recorder:
    """Writes a ``tape``. ``state`` is what the run has met of tensors, modules and optimizers."""

    def __init__(self, guards: Guards) -> None:
        self.tape = Tape()
        self.guards = guards
        self.undo = Undo()
        self.state = State(self)
        self.pinned: list[Value] = []  # numbers that somebody has gone by: the program is for these only
        self.refused: CannotCompile | None = None  # the last refusal: it holds also if the user's code catches it
        self._rules: list[Where] = []
        self._part = "forward"
        self._known: dict[int, tuple[Any, Value]] = {}  # arrays by their id, kept alive
        self._roots: dict[int, Value] = {}  # the same for arrays that own their memory
        self._errors = dict(_errors())
        self._thread = threading.get_ident()
        self._generator: Any = None
        self._real_generator = random.generator()

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function, and keep what it does; undo all of it if it raises or is refused."""
        mode.now.recorder = self
        try:
            result = function(*args, **kwargs)
            if self.refused is not None:
                raise self.refused
            return result
        finally:
            mode.now.recorder = None

    # ------------------------------------------------------------------ what the engine says

    def enter(self, op: Any, inputs: Any, options: Any) -> Any:
        """Begin the forward rule of an op; what it computes on: the same with stand-ins."""
        self.guards.rules(type(op))
        lifted = self.lifted((inputs, options))
        self._rules.append(self._beginning("forward", op))
        return lifted

    def enter_backward(self, op: Any) -> None:
        """Begin the backward rule of an op."""
        self._part = "backward"
        self._rules.append(self._beginning("backward", op))

    def _beginning(self, part: str, op: Any) -> Where:
        """A rule of an op, with the module that computes it, as 0: Linear, and its number, as 0."""
        call: Any = op.call if part == "backward" else mode.now.call
        path = self.state.paths.get(id(call[0]), "") if call else ""
        last = path.rpartition(".")[2]
        inside = f"{path}: {type(call[0]).__name__}" if path else ""
        return Where(part, op, inside=inside, number=last if last.isdigit() else "")

    def begin(self, name: str) -> None:
        """Begin something of this package that goes by numbers as a rule does."""
        self._rules.append(Where(self._part, name=name, about=name))

    def leave(self, result: Any) -> None:
        """End the rule: what it has made has a name now."""
        where = self._rules.pop()
        op, wish = where.op, self.tape.wishes.setdefault
        if op is None:
            return
        if where.part == "forward":
            name = op.name + where.number
            saved = [(f"{name}_{key}", x) for key, x in vars(op).items() if type(x) is Traced]
            for wished, x in [(name, result), *saved]:
                if type(x) is Traced and x.value.kind == "made":
                    wish(x.value, wished)
        else:
            gradients = result if isinstance(result, tuple) else (result,)
            for parent, gradient in zip(op.arguments or (), gradients):
                known = getattr(parent, "_array", None)
                if type(known) is Traced and type(gradient) is Traced and gradient.value.kind == "made":
                    wish(gradient.value, f"grad_{self.tape.wishes.get(known.value) or known.value.name or 'x'}")

    def lifted(self, thing: Any) -> Any:
        """The same with Traced arrays in the place of plain ones, and with Tensors that hold such."""
        if isinstance(thing, Tensor):
            self.state.tensor(thing)
            return thing
        if type(thing) is np.ndarray:
            return self.outside(thing)
        if type(thing) in (tuple, list):
            weak = any(isinstance(item, Tensor) for item in thing)
            return type(thing)(self._weak(self.lifted(item)) if weak else self.lifted(item) for item in thing)
        if type(thing) is dict:
            return {name: self.lifted(item) for name, item in thing.items()}
        return thing

    def _weak(self, thing: Any) -> Any:
        """A NumPy scalar beside a Tensor as a Python number, which does not promote (as apply has it)."""
        if type(thing) is Traced and isinstance(thing.array, np.generic):
            return self.call(".item", lambda x: x.item(), (thing,), {})
        return thing

    def new_array(self, data: Any, dtype: Any, make: Callable[..., Any]) -> Any:
        """The array of a new Tensor: a copy of what is recorded, or a constant."""
        data = self.lifted(data)
        if type(data) is Traced:
            return data.copy() if dtype is None else data.astype(dtype)
        return self.outside(np.asarray(make(data, dtype)))

    def generator(self, real: Any) -> Any:
        """Stand-in for the package's random numbers: their draws are written down."""
        if real is not self._real_generator:
            raise self.refusal(
                "random numbers are drawn from a generator of their own", "put the block around the call"
            )
        if self._generator is None:
            before = real.bit_generator.state
            self.undo.later(lambda: setattr(real.bit_generator, "state", before))
            value = self.input(
                real, "state", "rng", lambda _: random.generator(), about="the random numbers of tg.random"
            )
            self._generator = _RecordedGenerator(self, real, value.value)
        return self._generator

    # what the package says of tensors, modules and optimizers: see State
    def called(self, module: Any, args: tuple) -> tuple:
        """A module is called."""
        self.state.module(module)
        return (Tensor._from_array(args[0]), *args[1:]) if args and type(args[0]) is Traced else args

    def forget(self, tensors: Any) -> None:
        """The gradients of these tensors are set to None, whatever they were."""
        for t in tensors:
            self.state.tensor(t)
            self.state.forgotten.add(id(t))

    def hold(self, t: Tensor) -> None:
        """Somebody is about to read the gradient of this tensor."""
        self.state.tensor(t)

    def step(self, optimizer: Any) -> None:
        """An optimizer makes a step."""
        self._part = "update"
        self._rules.append(Where("update", optimizer))
        self.state.step(optimizer)
        self._rules.pop()

    # ------------------------------------------------------------------ values

    def input(self, array: Any, kind: str, name: str, fetch: Any, fixed: bool = False, about: str = "") -> Traced:
        """Stand-in for an array that is fetched before each call; ``fixed`` if it must be the same one."""
        value = Value(array, kind, name, fetch, fixed, about)
        self.tape.inputs.append(value)
        self._remember(array, value)
        return Traced(self, value)

    def vector(self, array: np.ndarray, name: str, about: str) -> Traced:
        """Stand-in for a vector of an optimizer."""
        known = self._known.get(id(array))
        return Traced(self, known[1]) if known else self.input(array, "state", name, lambda _: array, True, about)

    def number(self, value: Any, name: str, fetch: Any, about: str = "") -> Number:
        """Stand-in for a Python number that may be another one in each call."""
        held = Value(value, "state", name, fetch, about=about)
        self.tape.inputs.append(held)
        return Number(self, value, held)

    def outside(self, array: np.ndarray) -> Traced:
        """A plain array that comes up in the run: a part of the state, or a constant that holds what it holds now."""
        found = self._known.get(id(array))
        if found is not None and (found[1].kind != "constant" or same_bits(found[1].array, array)):
            return Traced(self, found[1])
        root = self._roots.get(id(owner_of(array)))
        if root is not None and root.kind != "constant":
            return self.input(array, "state", "view", lambda _: array, True)
        name = f"ones{array.size}" if array.ndim == 1 and (array == 1).all() else "constant"
        value = Value(array.copy(order="K"), "constant", name, lambda _: None, True)
        self.tape.inputs.append(value)
        self._known[id(array)] = array, value
        return Traced(self, value)

    def _remember(self, array: Any, value: Value) -> None:
        if isinstance(array, np.ndarray):
            root = self._roots.setdefault(id(owner_of(array)), value)
            value.base = root if root is not value else None
            self._known[id(array)] = array, value

    def value_of(self, thing: Any) -> Any:
        """Entry on the tape for something that a call was given."""
        if type(thing) in (Traced, _RecordedGenerator):
            return thing.value
        if type(thing) is Number:
            return Expression(thing.value, thing.formula)
        if type(thing) is np.ndarray:
            return self.outside(thing).value
        return thing

    # ------------------------------------------------------------------ the calls of NumPy

    def ufunc(self, ufunc: np.ufunc, method: str, inputs: tuple, options: dict[str, Any]) -> Any:
        """A ufunc, or one of its methods, was called with something that is recorded."""
        if getattr(np, ufunc.__name__, None) is not ufunc:
            raise self.refusal(f"{ufunc.__name__} is called, which is none of NumPy's functions", "write it with NumPy")
        name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        function: Any = ufunc if method == "__call__" else getattr(ufunc, method)
        return (self.write if method == "at" else self.call)(name, function, inputs, options, inputs[0])

    def array_function(self, function: Any, args: tuple, options: dict[str, Any]) -> Any:
        """Another of NumPy's functions was called with something that is recorded."""
        name = public_name(function)
        if function in ABOUT_SHAPE or self._is_elsewhere():
            return function(*plain(args), **plain(options))
        if not name or function is np.apply_along_axis:
            raise self.refusal(f"{function.__name__} is called, which cannot be written down", "write it another way")
        return (self.write if function in WRITERS else self.call)(
            name, function, args, options, args[0] if args else None
        )

    def call(self, name: str, function: Callable[..., Any], args: tuple, options: dict[str, Any], _: Any = None) -> Any:
        """Carry out a call that gives something new, and write it down."""
        if self._is_elsewhere():
            return function(*plain(args), **plain(options))
        out = options.get("out")
        if out is not None:
            targets = out if isinstance(out, tuple) else (out,)
            if len(targets) != 1:
                raise self.refusal(f"{name} writes several results into out=", "let it make new arrays")
            return self.write(name, function, args, {**options, "out": targets[0]}, targets[0])
        chosen = shape_depends_on_data(name, args, options)
        if chosen and not self._rules:
            raise self.refusal("how many elements there are depends on the data", "use np.where, or a fixed number")
        call = Call(name, mapped(self.value_of, args), mapped(self.value_of, options), self.where())
        result = function(*plain(args), **plain(options))
        call.errors = self._changed_errors()
        call.several = isinstance(result, (tuple, list))
        call.results = tuple(self._made(call, each) for each in (result if call.several else (result,)))
        self.tape.calls.append(call)
        if chosen:
            shapes = [Condition(("shape", v), v.array.shape, len(self.tape.calls)) for v in call.results]
            self.tape.conditions += shapes
        stand_ins = [self._standing_in(value) for value in call.results]
        return mapped(lambda each: stand_ins.pop(0), result) if call.several else stand_ins[0]

    def _made(self, call: Call, result: Any) -> Value:
        if not isinstance(result, (np.ndarray, np.generic, int, float, bool)):
            raise self.refusal(f"{call.function} gives a {type(result).__name__}", "only arrays can be written down")
        value = Value(result, "made", maker=call)
        self._remember(result, value)
        return value

    def _standing_in(self, value: Value) -> Any:
        is_array = isinstance(value.array, (np.ndarray, np.generic))
        return Traced(self, value) if is_array else Number(self, value.array, value)

    def write(self, name: str, function: Any, args: tuple, options: dict[str, Any], target: Any) -> Any:
        """Carry out a call that writes into memory that is there, and write it down."""
        if self._is_elsewhere():
            return function(*plain(args), **plain(options))
        target = target if type(target) is Traced else self.lifted(target)
        if type(target) is not Traced or target.value.root.kind in ("argument", "named", "constant"):
            raise self.refusal("an argument, or an array made from nothing, is written into", "work on np.copy(x)")
        if isinstance(target.array, np.ndarray) and not target.array.flags.writeable:
            raise self.refusal("an array that is read-only is written into", "give the tensor an np.copy of it first")
        if name == "[]=" and args[1] is Ellipsis and getattr(args[2], "value", None) is target.value:
            return None  # t.data -= x ends with writing the array into itself
        kept = {key: value for key, value in options.items() if key != "out"}
        call = Call(name, mapped(self.value_of, args), mapped(self.value_of, kept), self.where(), out=target.value)
        self.undo.keep(target.value.root)
        function(*plain(args), **plain(options))
        call.errors = self._changed_errors()
        self.tape.calls.append(call)
        return target if "out" in options else None

    def where(self) -> Where:
        """The rule that runs now; between the rules, the part of the step."""
        return self._rules[-1] if self._rules else Where(self._part)

    def _changed_errors(self) -> tuple[tuple[str, str], ...]:
        return tuple((kind, value) for kind, value in _errors() if value != self._errors[kind])

    def _is_elsewhere(self) -> bool:
        """Another thread has come by an array that is being recorded: to it that is a plain one."""
        return threading.get_ident() != self._thread

    # ------------------------------------------------------------------ questions

    def answer(self, array: Traced, kind: Callable[[Any], Any], words: str, noted: bool = True) -> Any:
        """A plain number or truth, for a rule; it is a condition of the program. Refused in the user's own code."""
        if self._is_elsewhere():
            return kind(array.array)
        if not self._rules:
            raise self.refusal(words, _HOW_TO_BRANCH if kind is bool else _RETURN_IT)
        outcome = kind(array.array)
        if noted:
            formula = (getattr(kind, "__name__", "int").replace("index", "int"), array.value)
            self.tape.conditions.append(Condition(formula, outcome, len(self.tape.calls)))
        return outcome

    def number_of(self, array: Traced, index: tuple) -> Any:
        """``.item()``: a number that the tape knows; refused in the user's own code, who would keep it."""
        if self._is_elsewhere():
            return array.array.item(*index)
        if not self._rules:
            raise self.refusal("a Python number is wanted (.item())", _RETURN_IT)
        return self.call(".item", lambda x, *i: x.item(*i), (array, *index), {})

    def pin(self, number: Number) -> None:
        """Somebody goes by a number."""
        self.decided(number, number.formula, number.value)

    def decided(self, number: Number, formula: Any, outcome: Any) -> Any:
        """Somebody goes by what was computed from numbers: those of the state are pinned, others are a condition."""
        values = list(values_in(Expression(outcome, formula)))
        if all(value.fetch is not None for value in values):
            self.pinned += [value for value in values if value not in self.pinned]
        elif not self._rules:
            raise self.refusal("the function goes by a number that was computed in it", _HOW_TO_BRANCH)
        else:
            self.tape.conditions.append(Condition(Expression(outcome, formula), outcome, len(self.tape.calls)))
        return outcome

    def given_away(self, array: Traced, what: str, advice: str) -> Any:
        """The plain array, to another thread only."""
        if self._is_elsewhere():
            return array.array
        raise self.refusal(what, advice)

    def refusal(self, what: str, advice: str) -> CannotCompile:
        """The error for the user, with his line."""
        place = users_place()
        line = line_at(place) if place else None
        where = f" at {line}" + f" ({line.text})" * bool(line.text) if line else ""
        op = f" (in {self._rules[-1].op.name})" if self._rules and hasattr(self._rules[-1].op, "name") else ""
        self.refused = CannotCompile(f"compile: {what}{where}{op}, which differs from call to call; {advice}.")
        return self.refused


class _RecordedGenerator:
    """The package's generator of random numbers; what it draws is written down."""

    def __init__(self, recorder: Recorder, real: Any, value: Value):
        self._recorder, self._real, self.value = recorder, real, value

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)
        drawn = lambda _, *args, **options: method(*args, **options)
        return lambda *args, **options: self._recorder.call(f"rng.{name}", drawn, (self, *args), options)


def _errors() -> list[tuple[str, str]]:
    """The way in which NumPy takes each kind of number that goes wrong, now."""
    return [(kind, str(value)) for kind, value in np.geterr().items()]
