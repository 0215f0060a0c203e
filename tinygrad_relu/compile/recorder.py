"""Recorder: runs a function once and writes down what NumPy does in it, and what it reads and leaves behind.

While it runs, the arrays of Tensors, optimizers and modules are stood in for by Traced ones, wherever the package
meets them (see mode.py). Afterwards all is put back; ``undo`` brings even the numbers back.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import numpy as np

from .. import graph, random
from ..guard import owner_of
from ..mode import mode
from ..op import Op
from ..tensor import Tensor
from .functions import ABOUT_SHAPE, WRITERS, public_name, shape_depends_on_data
from .number import Expression, Number
from .origins import kind_of, line_of
from .standins import recorded_class
from .tape import Call, Decision, Memory, OpNote, Origin, Source, Tape, Value, values_in
from .traced import Traced, plain
from .updates import is_shared

__all__ = ["CannotCompile", "Recorder"]


class CannotCompile(RuntimeError):
    """The function does something that a program written down once cannot repeat; the message names the line.

    >>> @tg.compile
    ... def step(x):
    ...     return x * 2 if x.sum() > 0 else x
    >>> step(np.ones(3))
    Traceback (most recent call last):
        ...
    tinygrad_relu.compile.recorder.CannotCompile: compile: the function goes by the data (a branch or a loop) at ...
    """


class Recorder:
    """Writes the tape of one run.

    After ``run``, ``tape`` has the calls, ``outputs`` what the state became: (source, Value or None) for each gradient
    and each buffer of a module that was set.
    """

    def __init__(self) -> None:
        self.tape = Tape()
        self.modules: dict[int, Any] = {}
        self.steps: list[tuple[Any, Any]] = []  # each optimizer, and the Flat that made a step
        self.optimizers: list[Any] = []
        self._ops: dict[int, tuple[Op, OpNote]] = {}  # those that the run has seen, while it runs
        self.tensors: list[Tensor] = []
        self.draws = False  # whether random numbers were drawn
        self.unsettled = False  # whether the run has changed how the state lies in memory
        self._known: dict[int, tuple[Any, Value]] = {}  # id of an array -> itself, its value
        self._memories: dict[int, tuple[Any, Memory]] = {}  # id of the array that owns the memory -> itself, its Memory
        self._sources: dict[tuple[int, Any], Value] = {}
        self._swapped: list[tuple[Any, str, Any]] = []  # what to put back: object, attribute, value
        self._assigned: dict[int, tuple[Tensor, Traced]] = {}  # Tensors that were given another array, and their own
        self.assigned: dict[int, Tensor] = {}  # all whose elements became others, by their id
        self.shared: set[int] = set()  # ids of Tensors whose array somebody else holds too
        self._memories_before: list[tuple[Any, set[str]]] = []
        self._groups: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []
        self._named: list[tuple[Any, Traced]] = []  # names in the user's program where Traced arrays stand
        self._undo: list[Callable[[], None]] = []
        self._saved: set[int] = set()  # the memories whose numbers can be brought back
        self._grads: dict[int, Any] = {}  # tensors whose gradient the run has looked at or set, by their id
        self._grad_was_none: dict[int, bool] = {}
        self._buffers: list[tuple[Any, str]] = []
        self._alive: list[weakref.ref[Any]] = []
        self._generator: Any = None
        self._frame: FrameType | None = None
        self._code: Any = None  # of the function that is recorded, which is the user's even where this package wrote it
        self._refused: CannotCompile | None = None
        self._errors = dict(_errors())

    # ------------------------------------------------------------------ the run

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any, profile: Any = None) -> Any:
        """What the function returns, with Traced arrays in it; ``profile`` is told of each call that Python makes."""
        now = mode.now
        self._frame = sys._getframe()
        self._code = getattr(getattr(function, "__func__", function), "__code__", None)
        now.recorder = self
        # A trace is told of Python's calls only, a profile of C's too, which takes longer; a debugger needs the first.
        get, set_ = (sys.gettrace, sys.settrace) if sys.gettrace() is None else (sys.getprofile, sys.setprofile)
        free = get() is None
        if profile is not None and free:
            set_(profile)
        try:
            result = function(*args, **kwargs)
            if self._refused is not None:  # somebody has caught the error
                raise self._refused
            self.write_assigned()
            return result
        finally:
            if profile is not None and free:
                set_(None)
            now.recorder = None
            self._frame = None
            self._read_ops()

    def _read_ops(self) -> None:
        for op, note in self._ops.values():
            note.saved = {name: x.value for name, x in vars(op).items() if isinstance(x, Traced) and name != "output"}
            note.output = _value_of(op.output)
            note.call, note.place = op.call or note.call, op.users_place()
        self._ops.clear()

    @property
    def grad_tensors(self) -> list[Any]:
        """The tensors whose gradient was looked at or set."""
        return list(self._grads.values())

    @property
    def buffers(self) -> list[tuple[Any, str]]:
        """The buffers of modules that were called: module and name."""
        return self._buffers

    def outputs(self) -> list[tuple[Source, Value | None]]:
        """What the run has left in attributes: gradients, and buffers of modules."""
        found: list[tuple[Source, Value | None]] = []
        for t in self._grads.values():
            found.append((_grad_source(t), self._in_its_place(t, _value_of(t._grad))))
        for module, name in self._buffers:
            value = _value_of(vars(module)[name])
            source = _buffer_source(module, name)
            if value is not self._sources.get(_key(source)):
                found.append((source, value))
        return found

    def _in_its_place(self, t: Any, value: Value | None) -> Value | None:
        """A gradient that was read, and so copied, is the same as the one that stands in its place."""
        slot = getattr(t, "_slot", None)
        copy = value.maker if value is not None and slot is not None else None
        if copy is None or copy.function != "np.copy" or copy.result.memory.written:
            return value
        original = copy.arguments[0]
        later = self.tape.calls[self.tape.calls.index(copy) + 1 :]
        written = [call.out.array for call in later if call.out is not None and call.out.memory is original.memory]
        same = original.array is slot and not any(np.may_share_memory(each, slot) for each in written)
        return original if same else value

    def grad_conditions(self) -> list[tuple[Any, bool]]:
        """The tensors that the run asked whether they have a gradient, and the answer at the start."""
        return [(self._grads[key], was_none) for key, was_none in self._grad_was_none.items()]

    def put_back(self) -> None:
        """Plain arrays again where Traced ones stood in."""
        for t in self._grads.values():
            grad = t._grad
            if isinstance(grad, Tensor):
                if isinstance(grad._data, Traced):
                    grad._data = grad._data.array
            elif isinstance(grad, Traced):
                t._grad = grad.array
        for module, name in self._buffers:
            value = vars(module)[name]
            vars(module)[name] = value.array if isinstance(value, Traced) else value
        for owner, attribute, before in reversed(self._swapped):
            setattr(owner, attribute, before)
        self._swapped.clear()
        for name, traced in self._named:
            if name.now() is traced:
                name.put(name.value)
        self._named.clear()
        for group, before, _ in self._groups:
            group.update(before)
        self._groups.clear()

    def undo(self, forget_memories: bool = True) -> None:
        """Bring the numbers back that were there before the run, and forget what optimizers have begun to remember."""
        self.put_back()
        for flat, names in self._memories_before if forget_memories else ():
            for name in set(flat.memories) - names:
                del flat.memories[name]
        for each in reversed(self._undo):
            each()
        self._undo.clear()

    def escaped(self) -> list[Traced | Number]:
        """What was made in the run and is still held by somebody."""
        return [thing for thing in (reference() for reference in self._alive) if thing is not None]

    # ------------------------------------------------------------------ what the package calls while it runs

    def lifted(self, thing: Any) -> Any:
        """The same with Traced arrays in the place of plain ones, and with Tensors that hold such."""
        if isinstance(thing, Tensor):
            self.tensor(thing)
            return thing
        if isinstance(thing, np.ndarray):
            return self._outside(thing)
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

    def tensor(self, t: Tensor) -> None:
        """Let the Tensor hold a Traced array until the run is over."""
        if isinstance(t._data, Traced):
            return
        if is_shared(t):
            self.shared.add(id(t))
        data = t._data
        if not isinstance(data, np.ndarray):
            t._data = data = np.asarray(data)  # a number has no memory to live on in
        value = self._given(Source(t, "data", lambda: t._data, name=t.name or ""), data)
        self._swapped.append((t, "_data", data))
        self.tensors.append(t)
        t._data = self.traced(value)
        self._swapped.append((t, "__class__", type(t)))
        kind: Any = type(t)
        t.__class__ = recorded_class(kind)

    def module(self, module: Any) -> None:
        """A module is called: its parameters and buffers belong to the state."""
        if id(module) in self.modules:
            return
        self.modules[id(module)] = module
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                self.tensor(value)
            elif name in module._persistent and isinstance(value, (np.ndarray, np.generic)):
                held = self._given(_buffer_source(module, name), value)
                self._undo.append(functools.partial(vars(module).__setitem__, name, value))
                self._buffers.append((module, name))
                vars(module)[name] = self.traced(held)

    def called(self, module: Any, args: tuple) -> tuple:
        """A module is called: its state is recorded, and an array that it is given becomes a Tensor, as a plain one."""
        self.module(module)
        if args and isinstance(args[0], Traced) and isinstance(args[0].array, np.ndarray):
            return (Tensor(args[0]), *args[1:])
        return args

    def stand_in(self, name: Any) -> None:
        """A plain array that has a name in the user's program is stood in for until the run is over."""
        traced = self._standing_in(name.value)
        name.put(traced)
        self._named.append((name, traced))

    def _standing_in(self, value: Any) -> Any:
        if type(value) is np.ndarray:
            return self._outside(value)
        if not isinstance(value, tuple):
            return value
        items = [self._standing_in(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)

    def hold(self, t: Tensor) -> None:
        """The gradient of the Tensor is looked at: what was there before the run is a part of the state."""
        if id(t) in self._grads:
            return
        self._touch(t)
        grad = t._grad
        self._grad_was_none[id(t)] = grad is None
        if grad is None:
            return
        holder = grad if isinstance(grad, Tensor) else None
        array = grad._data if holder is not None else grad
        # A view of its own: the array may be the parameter's place among all gradients, which is another value.
        value = self._given(_grad_source(t), array[...] if isinstance(array, np.ndarray) else array)
        t._grad = Tensor._from_array(self.traced(value)) if holder is not None else self.traced(value)

    def forget(self, tensors: Any) -> None:
        """The gradients are set to something else, without a look at what is there."""
        for t in tensors:
            self._touch(t)

    def _touch(self, t: Tensor) -> None:
        if id(t) not in self._grads:
            self._grads[id(t)] = t
            before = t._grad
            self._undo.append(lambda: setattr(t, "_grad", before))

    def add_to_grad(self, t: Any, grad: Any) -> None:
        """Add a Traced gradient to that of the Tensor; a parameter's goes to where its optimizer wants it."""
        self.hold(t)
        if not isinstance(grad, Traced):  # a slope that is the same in each call, and came from nothing recorded
            grad = self._constant(np.array(grad))
        if t._grad is not None:
            before = t._grad._data if isinstance(t._grad, Tensor) else t._grad
            t._grad = before + grad
            return
        slot = getattr(t, "_slot", None)
        if slot is None:
            t._grad = np.copy(grad)
            return
        place = self._outside(slot)
        place[...] = grad
        t._grad = place

    def assign(self, t: Tensor, value: Any) -> None:
        """The elements of the Tensor become others, in the memory that it has."""
        self.tensor(t)
        value = self.lifted(value._data if isinstance(value, Tensor) else value)
        if value is t._data:
            return
        if isinstance(value, Traced) and value.value.kind == "state":
            raise self.refusal("an array is shared by two tensors (a.data = b.data)", "write a.data = np.copy(b.data)")
        if np.shape(value) != t.shape:
            raise ValueError(f"Tensor.data: the new array has shape {np.shape(value)}, this tensor {t.shape}.")
        home = t._data
        t._data = np.copy(value).astype(t.dtype)
        self._assigned.setdefault(id(t), (t, home))
        self.assigned[id(t)] = t

    def write_assigned(self) -> None:
        """Write what was assigned to Tensors into their memory: who held the old array has seen the old numbers."""
        for t, home in self._assigned.values():
            home[...] = t._data
            t._data = home
        self._assigned.clear()

    def generator(self, real: Any) -> Any:
        """What stands in for the package's generator of random numbers."""
        if self._generator is None:
            self.draws = True
            state = real.bit_generator.state
            self._undo.append(lambda: setattr(real.bit_generator, "state", state))
            self._generator = _Generator(self, real)
        return self._generator

    def step(self, optimizer: Any) -> None:
        """One step of an optimizer, on Traced vectors."""
        self.write_assigned()
        if optimizer not in self.optimizers:
            self.optimizers.append(optimizer)
        for group, flats in zip(optimizer.param_groups, optimizer._flats):
            self.number_options(group)
            for flat in list(flats):
                for p in flat.params:
                    self.hold(p)
                for ready in self._ready(flats, flat):
                    self._undo.append(functools.partial(setattr, ready, "step", ready.step))
                    self._memories_before.append((ready, set(ready.memories)))
                    ready.step += 1
                    before = sum(flat is ready for _, flat in self.steps)
                    self.steps.append((optimizer, ready))
                    self._gather(ready)
                    optimizer.update(_RecordedFlat(self, ready, before), group)

    def _ready(self, flats: list[Any], flat: Any) -> list[Any]:
        """The Flats that step in the place of this one: itself, if all its parameters have gradients and live in it."""
        missing = [p._grad is None for p in flat.params]
        if all(missing):
            return []
        if any(missing) or any(self._plain_data(p).dtype != values.dtype for p, values, _ in flat._places):
            self.unsettled = True
            self._settle(flat.params)
            parts = flat.split()
            place = flats.index(flat)
            flats[place : place + 1] = parts
            return [part for part in parts if all(p._grad is not None for p in part.params)]
        if any(self._plain_data(p) is not values for p, values, _ in flat._places):
            self.unsettled = True
            self._settle(flat.params)
            flat.adopt()
        return [flat]

    def _plain_data(self, t: Any) -> Any:
        return t._data.array if isinstance(t._data, Traced) else t._data

    def _settle(self, tensors: Any) -> None:
        """Plain data again in these Tensors, which are about to move; the run goes on with the new places."""
        moved = {id(t) for t in tensors}
        for t, attribute, before in self._swapped:
            if id(t) in moved:
                setattr(t, attribute, before)
        self._swapped = [each for each in self._swapped if id(each[0]) not in moved]

    def _gather(self, flat: Any) -> None:
        for p, _, slot in flat._places:
            grad = p._grad._data if isinstance(p._grad, Tensor) else p._grad
            place = self._outside(slot)
            if grad.value is not place.value:
                place[...] = grad

    def number_options(self, group: dict[str, Any]) -> None:
        """The options of a group of parameters are Numbers until the run is over."""
        if any(known is group for known, _, _ in self._groups):
            return
        before = dict(group)
        for key, value in before.items():
            if isinstance(value, (bool, int, float)):
                group[key] = self.number(Source(group, key, functools.partial(_option, group, key), False, key), value)
            elif isinstance(value, tuple):
                group[key] = tuple(
                    self.number(
                        Source(group, (key, i), functools.partial(_option, group, key, i), False, f"{key}{i + 1}"), x
                    )
                    for i, x in enumerate(value)
                )
        self._groups.append((group, before, dict(group)))

    def options_changed(self) -> bool:
        """Whether the function itself has set an option of an optimizer, as a scheduler does."""
        return any(group.get(key) is not value for group, _, given in self._groups for key, value in given.items())

    # ------------------------------------------------------------------ values

    def traced(self, value: Value) -> Traced:
        """What stands in for the value while the function runs."""
        made = Traced(self, value)
        self._alive.append(weakref.ref(made))
        return made

    def number(self, source: Source, value: Any) -> Number:
        """A Python number that is fetched anew for each call."""
        held = self._sources.get(_key(source))
        if held is None:
            held = Value(value, Memory("number"), source=source, hint=source.name)
            self.tape.inputs.append(held)
            self._sources[_key(source)] = held
        return self._numbered(held)

    def _numbered(self, value: Value) -> Number:
        made = Number(value.array, value, self.decide, self.ufunc)
        self._alive.append(weakref.ref(made))
        return made

    def argument(self, array: Any, place: int, name: str) -> Value:
        """An array that the function is called with, and which of the arguments it is."""
        known = self._known.get(id(array))
        source = Source(None, ("argument", place), None, False, name)
        value = Value(array, Memory("argument"), source=source, hint=name)
        self.tape.inputs.append(value)
        if known is None:
            self._known[id(array)] = (array, value)
            self._memories.setdefault(id(owner_of(array)), (owner_of(array), value.memory))
        return value

    def _outside(self, array: np.ndarray) -> Traced:
        """A plain array that the function has come by: what it holds may be other numbers in the next call."""
        found = self._known.get(id(array))
        if found is None:
            origin, _ = self.origin()
            engines = origin.rule is not None and origin.rule[0].co_filename == graph.__file__
            source = Source(origin, ("array", origin.op is None and not engines), lambda: array)
            return self.traced(self._given(source, array))
        return self.traced(found[1])

    def new_array(self, data: Any, dtype: Any, make: Callable[[Any, Any], np.ndarray]) -> Any:
        """The array of a new Tensor: a copy, or a constant if it is made of plain Python numbers."""
        data = self.lifted(data)
        if isinstance(data, Traced):
            copied: Any = data
            return copied.copy() if dtype is None else copied.astype(dtype)
        return self._constant(make(data, dtype))

    def _constant(self, array: np.ndarray) -> Traced:
        """An array of the package's own making: a constant, if it is the same in each run."""
        return self.traced(self._given(Source(self.origin()[0], ("array", False), lambda: array), array))

    def _given(self, source: Source, array: Any) -> Value:
        held = self._sources.get(_key(source))
        if held is not None and held.array is array:
            return held
        value = Value(array, self._memory(array), source=source, hint=source.name)
        self.tape.inputs.append(value)
        self._sources[_key(source)] = value
        if isinstance(array, np.ndarray):
            self._known[id(array)] = (array, value)
        return value

    def _memory(self, array: Any) -> Memory:
        if not isinstance(array, np.ndarray):
            return Memory("number")
        root = owner_of(array)
        return self._memories.setdefault(id(root), (root, Memory("state")))[1]

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
        self._refuse_strangers()
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
        self._refuse_strangers()
        out = options.get("out")
        if out is not None:
            targets = out if isinstance(out, tuple) else (out,)
            if len(targets) != 1:
                raise self.refusal(f"{name} writes several results into out=", "let it make new arrays")
            return self.write(name, function, args, {**options, "out": targets[0]}, targets[0])
        origin, users = self.origin()
        chosen = shape_depends_on_data(name, args, options)
        if chosen and users:
            raise self.refusal("how many elements there are depends on the data", "use np.where, or a fixed number")
        arguments, kept = self._values(args), self._values(options)
        result = function(*plain(args), **plain(options))
        call = Call(name, arguments, kept, origin=origin, errors=self._changed_errors())
        several = isinstance(result, (tuple, list))
        call.results = tuple(self._made(call, each, arguments) for each in (result if several else (result,)))
        self.tape.calls.append(call)
        if chosen:
            for value in call.results:
                self.tape.decisions.append(Decision(("shape", value), value.array.shape, len(self.tape.calls), origin))
        wrapped = [
            self.traced(v) if isinstance(v.array, (np.ndarray, np.generic)) else self._numbered(v) for v in call.results
        ]
        return type(result)(wrapped) if type(result) in (tuple, list) else tuple(wrapped) if several else wrapped[0]

    def write(self, name: str, function: Callable[..., Any], args: tuple, options: dict[str, Any], target: Any) -> Any:
        """Carry out a call that writes into memory that is there, and write it down."""
        self._refuse_strangers()
        if not isinstance(target, Traced):
            target = self._outside(target)
        if target.value.kind == "argument":
            raise self.refusal("an argument of the function is written into", "work on np.copy(x)")
        origin, _ = self.origin()
        kept = {key: value for key, value in options.items() if key != "out"}
        arguments, named = self._values(args), self._values(kept)
        self._save(target.value)
        source = target.value.source
        if source is not None and source.key == "data":
            self.assigned[id(source.owner)] = source.owner
        function(*plain(args), **plain(options))
        target.value.memory.written = True
        call = Call(name, arguments, named, out=target.value, origin=origin, errors=self._changed_errors())
        self.tape.calls.append(call)
        return target if "out" in options else None

    def _values(self, thing: Any) -> Any:
        """The same with Values in the place of arrays."""
        if isinstance(thing, Traced):
            return thing.value
        if isinstance(thing, _Generator):
            return thing.value
        if isinstance(thing, Number):
            return Expression(thing.value, thing.expression)
        if isinstance(thing, np.ndarray):
            return self._outside(thing).value
        if isinstance(thing, Tensor):
            self.tensor(thing)
            return thing._data.value
        if isinstance(thing, (tuple, list)):
            return type(thing)(self._values(item) for item in thing)
        if isinstance(thing, dict):
            return {name: self._values(item) for name, item in thing.items()}
        if isinstance(thing, slice):
            return slice(self._values(thing.start), self._values(thing.stop), self._values(thing.step))
        return thing

    def _made(self, call: Call, result: Any, arguments: Any) -> Value:
        if not isinstance(result, (np.ndarray, np.generic, int, float, bool)):
            raise self.refusal(f"{call.function} gives a {type(result).__name__}", "only arrays can be written down")
        value = Value(result, Memory("made"), maker=call)
        if isinstance(result, np.ndarray):
            root = owner_of(result)
            known = self._memories.get(id(root))
            if known is not None:  # a view of what is there
                value.memory = known[1]
                value.base = next((v for v in call.reads if v.memory is known[1]), None)
            else:
                self._memories[id(root)] = (root, value.memory)
            self._known[id(result)] = (result, value)
        return value

    def _save(self, value: Value) -> None:
        """Keep the numbers of a state that is about to be written into."""
        memory = value.memory
        if memory.kind == "made" or id(memory) in self._saved:
            return
        self._saved.add(id(memory))
        root = owner_of(value.array)
        before = root.copy()
        self._undo.append(lambda: np.copyto(root, before))

    def _changed_errors(self) -> tuple[tuple[str, str], ...]:
        return tuple((kind, value) for kind, value in _errors() if value != self._errors[kind])

    # ------------------------------------------------------------------ decisions

    def decide(self, expression: Any, outcome: Any) -> None:
        """Somebody goes by this: a call in which it comes out otherwise needs another program."""
        origin, users = self.origin()
        if users and any(value.source is None for value in values_in(expression)):
            raise self.refusal("the function goes by a number that was computed in it", _HOW_TO_BRANCH)
        self.tape.decisions.append(Decision(expression, outcome, len(self.tape.calls), origin))

    def decided(self, array: Traced) -> bool:
        """The truth of an array: noted where the package asks, refused where the user's function does."""
        self._refuse_users("the function goes by the data (a branch or a loop)", _HOW_TO_BRANCH)
        outcome = bool(array.array)
        self.decide(("bool", array.value), outcome)
        return outcome

    def pinned(self, array: Traced, kind: type) -> Any:
        """The plain number in an array, for the package only; another number needs another program."""
        self._refuse_users(f"a Python {kind.__name__} is wanted", "return the Tensor, and ask outside of the function")
        outcome = kind(array.array)
        self.decide((kind.__name__, array.value), outcome)
        return outcome

    def told(self, array: Traced, spec: str) -> str:
        """The value as text, for an error that the package is about to raise; refused in the user's function."""
        self._refuse_users("its value is wanted as text", "return it, and print outside")
        return format(array.array, spec)

    def number_of(self, array: Traced, index: tuple) -> Any:
        """``.item()``: a number that the tape knows; refused in the user's function, who would keep it."""
        self._refuse_users(
            "a Python number is wanted (.item())", "return the Tensor, and call .item() on what comes out"
        )
        return self.call(".item", type(array.array).item, (array, *index), {})

    def _refuse_strangers(self) -> None:
        if mode.now.recorder is not self:
            raise CannotCompile(
                "compile: an array of a function that is being recorded is used outside of it, or in another thread; "
                "wait until the first call is over, and return what you need."
            )

    def _refuse_users(self, what: str, advice: str) -> None:
        _, users = self.origin()
        if users:
            raise self.refusal(what, advice)

    def refusal(self, what: str, advice: str) -> CannotCompile:
        """The error, with the line of the user's program."""
        origin, _ = self.origin()
        where = f" at {line_of(origin.place)}" if origin.place else ""
        op = f" (in {origin.op.name})" if origin.op is not None else ""
        self._refused = CannotCompile(f"compile: {what}{where}{op}, which differs from call to call; {advice}.")
        return self._refused

    def origin(self) -> tuple[Origin, bool]:
        """Where the program is now, and whether it is the user's code, not the package's, that asks."""
        frame: FrameType | None = sys._getframe(1)
        op, backward, place, rule, users = None, False, None, None, None
        part = ""
        while frame is not None and frame is not self._frame:
            code = frame.f_code
            kind = kind_of(code)
            if kind == "package":
                if code is self._code:
                    place = place or (code, frame.f_lasti)
                users = False if users is None else users
                rule = rule or (code, frame.f_lasti)
                part = code.co_name if code.co_name in ("backward", "step") else part
            elif kind == "user":
                users = True if users is None else users
                place = place or (code, frame.f_lasti)
            if code.co_name in ("forward", "backward") and code.co_argcount:
                owner = frame.f_locals.get(code.co_varnames[0])
                if isinstance(owner, Op):
                    op, backward = owner, code.co_name == "backward"
            frame = frame.f_back
        note = None
        if op is not None:
            note = self._ops.setdefault(id(op), (op, OpNote(op.name, mode.now.call, None)))[1]
        return Origin(note, backward, place, part, rule), bool(users)


_HOW_TO_BRANCH = "use tg.where or np.where, or decide outside of the function"


class _RecordedFlat:
    """A Flat whose vectors are Traced, for the rule of an optimizer."""

    def __init__(self, recorder: Recorder, flat: Any, steps_before: int):
        self._recorder = recorder
        self._flat = flat
        self.params = flat.params
        source = Source(flat, "step", lambda: flat.step + 1, False, "t")
        first: Any = recorder.number(source, flat.step - steps_before)  # the first step of the call
        self.step = first + steps_before if steps_before else first
        self.theta = self._vector("theta", flat.theta)
        self.grad = self._vector("grad", flat.grad)
        self.scratch = tuple(self._vector(f"scratch{i + 1}", each) for i, each in enumerate(flat.scratch))

    def _vector(self, name: str, array: np.ndarray) -> Traced:
        flat, recorder = self._flat, self._recorder
        value = recorder._given(Source(flat, name, lambda: _vector_of(flat, name), name=name), array)
        return recorder.traced(value)

    def memory(self, name: str, start: Any = 0.0) -> Traced:
        """The vector of this name."""
        return self._vector(name, self._flat.memory(name, float(start)))

    def shaped(self, vector: Traced) -> list[Any]:
        """Each parameter's part of the vector."""
        return [vector[part].reshape(shape, order=order) for part, shape, order in self._flat._layouts]


def _vector_of(flat: Any, name: str) -> Any:
    if name in ("theta", "grad"):
        return getattr(flat, name)
    return flat.scratch[int(name[-1]) - 1] if name in ("scratch1", "scratch2") else flat.memories[name]


class _Generator:
    """The package's generator of random numbers; what it draws is written down."""

    def __init__(self, recorder: Recorder, real: Any):
        self._recorder = recorder
        self._real = real
        source = Source(None, "rng", random.generator, False, "rng")
        self.value = Value(real, Memory("number"), source=source, hint="rng")
        recorder.tape.inputs.append(self.value)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        def drawn(*args: Any, **options: Any) -> Any:
            return self._recorder.call(
                f"rng.{name}", lambda _, *rest, **named: method(*rest, **named), (self, *args), options
            )

        return drawn


def _key(source: Source) -> tuple[int, Any]:
    return id(source.owner), source.key


def _grad_source(t: Any) -> Source:
    def fetch() -> Any:
        return t._grad._data if isinstance(t._grad, Tensor) else t._grad

    return Source(t, "grad", fetch, False, f"grad {t.name or ''}".strip())


def _option(group: dict[str, Any], key: str, place: int | None = None) -> Any:
    return group[key] if place is None else group[key][place]


def _buffer_source(module: Any, name: str) -> Source:
    return Source(module, name, functools.partial(vars(module).__getitem__, name), False, name)


def _value_of(held: Any) -> Value | None:
    held = held._data if isinstance(held, Tensor) else held
    return held.value if isinstance(held, Traced) else None


def _errors() -> list[tuple[str, str]]:
    """What NumPy does now about each kind of number that goes wrong."""
    return [(kind, str(value)) for kind, value in np.geterr().items()]
