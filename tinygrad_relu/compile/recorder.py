"""Recorder: runs a function once and writes down what NumPy does in it, and what it reads and leaves behind.

While it runs, the arrays of Tensors, optimizers and modules are stood in for by Traced ones, wherever the package
meets them (see mode.py). Afterwards all is put back; ``undo`` brings even the numbers back.

What is done about arrays and NumPy's calls stands in calls.py, about gradients in gradients.py, about steps in
optimizers.py; here is what the run itself needs, modules, and values assigned to Tensors.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import random
from ..mode import mode
from ..tensor import Tensor
from .asker import Asker, CannotCompile
from .calls import CallRecorder, RecordedGenerator
from .gradients import Gradients
from .number import Number
from .optimizers import Optimizers
from .tape import Source, Tape, Value
from .traced import Traced, rebuilt
from .undo import Undo
from .values import value_of

__all__ = ["CannotCompile", "Recorder"]


class Recorder:
    """Writes the tape of one run.

    After ``run``, ``tape`` has the calls, ``outputs`` what the state became: (source, Value or None) for each gradient
    and each buffer of a module that was set.
    """

    def __init__(self) -> None:
        self.tape = Tape()
        self._asker = Asker()
        self._undo = Undo()
        self._calls = CallRecorder(self.tape, self._asker, self._undo)
        self._gradients = Gradients(self._calls, self._undo)
        self._optimizers = Optimizers(self._calls, self._gradients, self._undo)
        self._chance: Any = None  # the generator of random numbers of whoever calls the function
        self._generator: RecordedGenerator | None = None
        self._named: list[tuple[Any, Traced]] = []  # names in the user's program where Traced arrays stand
        self._assigned: dict[int, tuple[Tensor, Traced]] = {}  # Tensors that were given another array, and their own
        self.unsettled = False  # whether the run has changed how the state lies in memory
        self.modules: dict[int, Any] = {}
        self.buffers: list[tuple[Any, str]] = []  # of the modules that were called: module and name
        self.tensors = self._calls.tensors  # those that the run has met
        self.assigned = self._calls.assigned  # those whose elements became others, by their id
        self.bound = self._calls.bound  # ids of Tensors that must stay in the array that they have
        self.steps = self._optimizers.steps  # each optimizer, and the Flat that made a step
        self.optimizers = self._optimizers.found

    # ------------------------------------------------------------------ the run

    def run(self, function: Callable[..., Any], args: Any, kwargs: Any, profile: Any = None) -> Any:
        """What the function returns, with Traced arrays in it; ``profile`` is told of each call that Python makes."""
        now = mode.now
        self._chance = random.generator()
        self._asker.begin(function)
        now.recorder = self
        # A trace is told of Python's calls only, a profile of C's too, which takes longer; a debugger needs the first.
        get, set_ = (sys.gettrace, sys.settrace) if sys.gettrace() is None else (sys.getprofile, sys.setprofile)
        free = get() is None
        if profile is not None and free:
            set_(profile)
        try:
            result = function(*args, **kwargs)
            if self._asker.refused is not None:  # somebody has caught the error
                raise self._asker.refused
            self.write_assigned()
            return result
        finally:
            if profile is not None and free:
                set_(None)
            now.recorder = None
            self._asker.end()

    # ------------------------------------------------------------------ before it: what stands in

    def traced(self, value: Value) -> Traced:
        """What stands in for the value while the function runs."""
        return self._calls.traced(value)

    def number(self, source: Source, value: Any) -> Number:
        """A Python number that is fetched anew for each call."""
        return self._calls.number(source, value)

    def argument(self, array: Any, place: int, name: str) -> Value:
        """An array that the function is called with, and which of the arguments it is."""
        return self._calls.values.argument(array, place, name)

    def number_options(self, group: dict[str, Any]) -> None:
        """The options of a group of parameters of an optimizer are Numbers until the run is over."""
        self._optimizers.number_options(group)

    def stand_in(self, name: Any) -> None:
        """A plain array that has a name in the user's program is stood in for until the run is over."""
        traced = self._standing_in(name.value)
        name.put(traced)
        self._named.append((name, traced))

    def _standing_in(self, value: Any) -> Any:
        if type(value) is np.ndarray:
            return self._calls.outside(value)
        if not isinstance(value, tuple):
            return value
        return rebuilt(value, [self._standing_in(item) for item in value])

    # ------------------------------------------------------------------ after it: what has become of the state

    @property
    def draws(self) -> bool:
        """Whether random numbers were drawn."""
        return self._generator is not None

    @property
    def grad_tensors(self) -> list[Any]:
        """The tensors whose gradient was looked at or set."""
        return self._gradients.tensors

    def grad_conditions(self) -> list[tuple[Any, bool]]:
        """The tensors that the run asked whether they have a gradient, and the answer at the start."""
        return self._gradients.conditions()

    def options_changed(self) -> bool:
        """Whether the function itself has set an option of an optimizer, as a scheduler does."""
        return self._optimizers.options_changed()

    def outputs(self) -> list[tuple[Source, Value | None]]:
        """What the run has left in attributes: gradients, and buffers of modules."""
        found = self._gradients.outputs()
        for module, name in self.buffers:
            value = value_of(vars(module)[name])
            source = _buffer_source(module, name)
            if value is not self._calls.values.at(source):
                found.append((source, value))
        return found

    def escaped(self) -> list[Traced | Number]:
        """What was made in the run and is still held by somebody."""
        return self._calls.escaped()

    def put_back(self) -> None:
        """Plain arrays again where Traced ones stood in."""
        self._gradients.put_back()
        for module, name in self.buffers:
            value = vars(module)[name]
            vars(module)[name] = value.array if isinstance(value, Traced) else value
        self._undo.put_back()
        for name, traced in self._named:
            if name.now() is traced:
                name.put(name.value)
        self._named.clear()
        self._optimizers.put_back()

    def undo(self, forget_memories: bool = True) -> None:
        """Bring the numbers back that were there before the run, and forget what optimizers have begun to remember."""
        self.put_back()
        if forget_memories:
            self._optimizers.forget_memories()
        self._undo.undo()

    # ------------------------------------------------------------------ what the package calls while it runs

    def refusal(self, what: str, advice: str) -> CannotCompile:
        """The error, with the line of the user's program."""
        return self._asker.refusal(what, advice)

    def lifted(self, thing: Any) -> Any:
        """The same with Traced arrays in the place of plain ones, and with Tensors that hold such."""
        return self._calls.lifted(thing)

    def new_array(self, data: Any, dtype: Any, make: Callable[[Any, Any], np.ndarray]) -> Any:
        """The array of a new Tensor: a copy, or a constant if it is made of plain Python numbers."""
        return self._calls.new_array(data, dtype, make)

    def tensor(self, t: Tensor) -> None:
        """Let the Tensor hold a Traced array until the run is over."""
        self._calls.tensor(t)

    def module(self, module: Any) -> None:
        """A module is called: its parameters and buffers belong to the state."""
        if id(module) in self.modules:
            return
        self.modules[id(module)] = module
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor):
                self.tensor(value)
            elif name in module._persistent and isinstance(value, (np.ndarray, np.generic)):
                held = self._calls.given(_buffer_source(module, name), value)
                self._undo.later(functools.partial(vars(module).__setitem__, name, value))
                self.buffers.append((module, name))
                vars(module)[name] = held

    def called(self, module: Any, args: tuple) -> tuple:
        """A module is called: its state is recorded, and an array that it is given becomes a Tensor, as a plain one."""
        self.module(module)
        if args and isinstance(args[0], Traced) and isinstance(args[0].array, np.ndarray):
            return (Tensor(args[0]), *args[1:])
        return args

    def hold(self, t: Tensor) -> None:
        """The gradient of the Tensor is looked at: what was there before the run is a part of the state."""
        self._gradients.hold(t)

    def forget(self, tensors: Iterable[Any]) -> None:
        """The gradients are set to something else, without a look at what is there."""
        self._gradients.forget(tensors)

    def add_to_grad(self, t: Any, grad: Any) -> None:
        """Add a Traced gradient to that of the Tensor; a parameter's goes to where its optimizer wants it."""
        self._gradients.add(t, grad)

    def assign(self, t: Tensor, value: Any) -> None:
        """The elements of the Tensor become others, in the memory that it has."""
        self.tensor(t)
        value = self.lifted(value._array if isinstance(value, Tensor) else value)
        if value is t._array:
            return
        if isinstance(value, Traced) and value.value.kind == "state":
            raise self.refusal("an array is shared by two tensors (a.data = b.data)", "write a.data = np.copy(b.data)")
        if not t._array.array.flags.writeable:
            name = f" {t.name!r}" if t.name else ""
            raise CannotCompile(
                f"compile: the array of the tensor{name} of shape {t.shape} is read-only, so that it cannot take other "
                "numbers; write p.data = np.copy(p.data) before."
            )
        if np.shape(value) != t.shape:
            raise ValueError(f"Tensor.data: the new array has shape {np.shape(value)}, this tensor {t.shape}.")
        home = t._array
        t._array = np.copy(value).astype(t.dtype)
        self._assigned.setdefault(id(t), (t, home))
        self.assigned[id(t)] = t

    def write_assigned(self) -> None:
        """Write what was assigned to Tensors into their memory: who held the old array has seen the old numbers."""
        for t, home in self._assigned.values():
            home[...] = t._array
            t._array = home
        self._assigned.clear()

    def step(self, optimizer: Any) -> None:
        """One step of an optimizer, on Traced vectors."""
        self.write_assigned()
        self._optimizers.step(optimizer)
        self.unsettled |= self._optimizers.moved

    def generator(self, real: Any) -> Any:
        """What stands in for the package's generator of random numbers, which must be the one of the caller."""
        if real is not self._chance:
            raise self.refusal(
                "random numbers come from a generator of its own (tg.random.seeded)",
                "put the with block around the call of the function",
            )
        if self._generator is None:
            state = real.bit_generator.state
            self._undo.later(lambda: setattr(real.bit_generator, "state", state))
            self._generator = RecordedGenerator(self._calls, real)
        return self._generator


def _buffer_source(module: Any, name: str) -> Source:
    return Source(module, name, functools.partial(vars(module).__getitem__, name), False, name)
