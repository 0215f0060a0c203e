"""CompiledFunction: what ``tg.compile`` returns. It answers each call with a program that fits, or records one."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import sys
import threading
import types
import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ..mode import mode
from ..record.words import plural
from ..tensor import Tensor, as_array
from .arguments import flatten
from .passes import PASSES
from .program import Program
from .report import Report, checked
from .save import save
from .snapshot import Snapshot
from .state import COMPILED_METHODS, Moved

_MOST_PROGRAMS, _MOST_MOVES = 32, 8
_turn = threading.RLock()  # one at a time: two compiled functions may share parameters


class CompiledFunction:
    """A function that is written out as NumPy programs, one for each kind of call.

    Made by ``tg.compile``; see there.

    >>> double = tg.compile(lambda x: x * 2)
    >>> double(np.ones(2)), double(np.ones((2, 1))).shape
    (array([2., 2.]), (2, 1))
    >>> double.signatures
    ['x: (2, 1) float64', 'x: (2,) float64']
    >>> double.report().calls
    1
    """

    def __init__(self, function: Callable[..., Any], check: int = 0, without: Collection[str] = ()):
        if not callable(function):
            raise TypeError(f"compile: expected a function or a module, got {type(function).__name__}")
        unknown = sorted(set(without) - set(PASSES))
        if unknown:
            raise ValueError(f"compile: there is no pass {unknown[0]!r}; there are {', '.join(PASSES)}")
        if not isinstance(check, int) or check < 0:
            raise ValueError(
                f"compile: check=N runs every N-th call both ways, for N of 0 (never) or more, got {check!r}"
            )
        self.function: Callable[..., Any] = function.function if isinstance(function, CompiledFunction) else function
        self.check = check
        self.without = tuple(without)
        self._store = _Store()
        functools.update_wrapper(self, function, updated=())

    # ------------------------------------------------------------------ methods, copies and pickles

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method of a class: each object has programs of its own, those without a ``__dict__`` have none."""
        bind = getattr(type(self.function), "__get__", None)
        if instance is None or bind is None:
            return self
        bound = bind(self.function, instance, owner)
        attributes = getattr(instance, "__dict__", None)
        if mode.now.recorder is not None or bound is self.function or not isinstance(attributes, dict):
            return bound
        stores = attributes.get(COMPILED_METHODS)
        if stores is None or stores.owner != id(instance):  # a shallow copy has those of the original
            stores = attributes[COMPILED_METHODS] = _Stores(id(instance))
        method = CompiledFunction(bound, self.check, self.without)
        method._store = stores.setdefault(self.function, method._store)
        return method

    def __copy__(self) -> CompiledFunction:
        return CompiledFunction(self.function, self.check, self.without)

    def __deepcopy__(self, memo: Any) -> CompiledFunction:
        return CompiledFunction(copy.deepcopy(self.function, memo), self.check, self.without)

    def __reduce__(self) -> Any:
        """For pickle: without the programs, and a function by its name, which may stand for what is compiled."""
        function = self.function
        if isinstance(function, types.FunctionType):
            found = _found_by_name(function)
            if found is self:
                return function.__qualname__
            if found is not function:
                raise pickle.PicklingError(
                    "compile: pickle finds functions by their names, and "
                    f"{function.__module__}.{function.__qualname__} is not this one; define it at the top of a module."
                )
        return CompiledFunction, (function, self.check, self.without)

    # ------------------------------------------------------------------ the call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        now = mode.now
        if now.recorder is not None or now.anomaly or self._store.gives_up:
            return self.function(*args, **kwargs)
        store = self._store
        with _turn:
            store.calls += 1
            newest = store.programs[0] if store.programs else None
            if newest is not None and not kwargs and len(args) == newest.takes and newest.fits_leaves(args):
                return self._answer(newest, args, args, kwargs)  # as in almost every call
            leaves: list[Any] = []
            structure = flatten((args, kwargs), leaves)
            leaves = [_plain(leaf) for leaf in leaves]
            for program in store.programs:
                if program.fits(structure, leaves):
                    return self._answer(program, leaves, args, kwargs)
            return self._record(structure, leaves, args, kwargs)

    def _answer(self, program: Program, leaves: Any, args: Any, kwargs: Any) -> Any:
        store = self._store
        if not program.trusted:
            return self._record(program.structure, leaves, args, kwargs, before=program)
        if program is not store.programs[0]:
            store.programs.remove(program)
            store.programs.insert(0, program)
        if self.check and store.calls % self.check == 0:
            return checked(program, leaves, lambda: self.function(*args, **kwargs), store.calls)
        try:
            return program(leaves)
        except Exception:  # the function says it in better words; or a rule goes another way for these numbers
            before = Snapshot(program)
        try:
            return self.function(*args, **kwargs)
        except BaseException:
            before.restore()
            raise

    def _record(self, structure: Any, leaves: Any, args: Any, kwargs: Any, before: Program | None = None) -> Any:
        """Run the function under the recorder; its program is there to be read, and trusted if two runs agree."""
        store = self._store
        try:
            program = Program(self.function, structure, leaves, self.without, before)
        except Moved:
            store.moves += 1
            if store.moves > _MOST_MOVES:
                warnings.warn(
                    f"compile: {self!r} runs uncompiled, since its parameters move in memory in each call, as if two "
                    "optimizers step the same ones in turn; give each parameter to one optimizer",
                    stacklevel=3,
                )
                store.gives_up = True
            return self.function(*args, **kwargs)
        others = [each for each in store.programs if each is not before and each.is_alive()]
        store.programs[:] = [program, *others][:_MOST_PROGRAMS]
        return program.take_result()

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Record a program for these arguments without making the call: nothing changes.

        Raises CannotCompile as the first call would.

        >>> half = tg.compile(lambda x: x / 2)
        >>> half.prepare(np.ones(3))
        >>> len(half.signatures)
        1
        """
        leaves: list[Any] = []
        structure = flatten((args, kwargs), leaves)
        with _turn:
            program = Program(self.function, structure, [_plain(leaf) for leaf in leaves], self.without, keep=False)
            self._store.programs.insert(0, program)

    # ------------------------------------------------------------------ what can be read

    @property
    def programs(self) -> list[Program]:
        """The programs, the one that was used last first."""
        return self._store.programs

    @property
    def signatures(self) -> list[str]:
        """For each program: the arguments that it takes, the newest first."""
        return [program.signature for program in self.programs]

    @property
    def source(self) -> str:
        """The newest program as Python. RuntimeError before the first call."""
        return self._newest("source").source

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the newest program and the state as a Python file that needs only NumPy and goes on from here.

        RuntimeError before the first call, ValueError if the path does not end with .py.
        """
        save(self._newest("save"), path)

    def report(self) -> Report:
        """Savings of each pass in the newest program: calls of NumPy. RuntimeError before the first call."""
        return Report(self._newest("report").plan)

    def _newest(self, caller: str) -> Program:
        if not self.programs:
            raise RuntimeError(f"compile: {caller} tells of a program, and there is none before the first call")
        return self.programs[0]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}: {plural(len(self.programs), 'program')}>"


class _Store:
    """The programs of one function, or of one method of one object."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.calls = 0
        self.moves = 0  # how often parameters have moved in memory instead
        self.gives_up = False

    def __reduce__(self) -> Any:
        return _Store, ()


class _Stores(dict):
    """Those of the compiled methods of one object, whose id is ``owner``; its copies are recorded anew."""

    def __init__(self, owner: int = 0):
        self.owner = owner

    def __reduce__(self) -> Any:
        return _Stores, ()


def _plain(leaf: Any) -> Any:
    """An argument that is like an array, such as pandas' tables, as the engine takes it; all else as it is."""
    if isinstance(leaf, (Tensor, np.generic)) or not hasattr(type(leaf), "__array__"):
        return leaf
    return as_array(leaf, "compile: an argument")


def _found_by_name(function: types.FunctionType) -> Any:
    """The thing that stands where pickle looks for the function."""
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found
