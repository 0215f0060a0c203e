"""CompiledFunction: what ``tg.compile`` returns. It answers each call with a program that fits, or records one."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import pickle
import sys
import threading
import types
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from ..mode import mode
from ..nn.module import Module
from ..record.words import plural
from ..tensor import Tensor
from .passes import PASSES
from .program import MISS, Differs, Program
from .recorder import CannotCompile
from .recording import Leaf, flatten, plain_array, record, same_structure
from .report import Report
from .state import State, same_bits
from .watch import COMPILED_METHODS, Watch

__all__ = ["CompiledFunction"]

_MOST_PROGRAMS = 32
_turn = threading.RLock()  # one at a time: two compiled functions may share parameters


class CompiledFunction:
    """A function that is written out as NumPy programs, one for each signature that it has been called with.

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
        self.programs: list[Program] = []
        self.calls = 0
        self._newest_plain: Program | None = None  # the newest, if it takes its arguments by place and as they are
        functools.update_wrapper(self, function, updated=())

    # ------------------------------------------------------------------ methods, copies and pickles

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method of a class: each object has programs of its own, those without a ``__dict__`` share theirs."""
        bind = getattr(type(self.function), "__get__", None)
        if instance is None or bind is None:
            return self
        bound = bind(self.function, instance, owner)
        if mode.now.recorder is not None or bound is self.function:
            return bound
        attributes = getattr(instance, "__dict__", None)
        if not isinstance(attributes, dict):
            return types.MethodType(self, instance)
        methods = attributes.get(COMPILED_METHODS)
        if methods is None or methods.owner is not instance:  # a shallow copy has those of the original
            methods = attributes[COMPILED_METHODS] = _Methods(instance)
        if self not in methods:
            methods[self] = CompiledFunction(bound, self.check, self.without)
        return methods[self]

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
        if now.recorder is not None or now.anomaly:
            return self.function(*args, **kwargs)
        with _turn:
            self.calls += 1
            newest = self._newest_plain
            if newest is not None and len(args) == newest.takes and not kwargs:
                result = self._run(newest, args, args, kwargs)
                if result is not MISS:
                    return result
            structure, leaves = self._taken_apart(args, kwargs)
            for program in self.programs:
                if same_structure(program.structure, structure):
                    result = self._run(program, leaves, args, kwargs)
                    if result is not MISS:
                        self._newest_plain = program if program.takes >= 0 else None
                        return result
            return self._record(structure, leaves)

    def _taken_apart(self, args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
        """The structure of the arguments and what is in it, arrays of other makes as plain ones."""
        leaves: list[Any] = []
        structure = flatten((args, kwargs), leaves)
        return structure, [plain_array(leaf) for leaf in leaves]

    def _run(self, program: Program, leaves: Any, args: Any, kwargs: Any) -> Any:
        """What the program gives, or MISS; what the function itself gives if the program finds that it must differ."""
        if self.check and self.calls % self.check == 0:
            return self._checked(program, leaves, args, kwargs)
        try:
            return program.enter(*leaves)
        except Differs:
            program.bring_back()
        except BaseException:
            program.bring_back()
            raise
        before = State(program.recording)
        try:
            return self.function(*args, **kwargs)
        except BaseException:
            before.restore()
            raise

    def _checked(self, program: Program, leaves: Any, args: Any, kwargs: Any) -> Any:
        before = State(program.recording)
        try:
            result = program.enter(*leaves)
        except BaseException:
            before.restore()
            return self.function(*args, **kwargs)
        if result is MISS:
            return MISS
        after = State(program.recording)
        before.restore()
        eager = self.function(*args, **kwargs)
        difference = after.difference(State(program.recording)) or _difference(result, eager)
        if difference:
            raise RuntimeError(
                f"compile: in call {self.calls} the program and the function itself differ in {difference}. The state "
                "is now the function's own. Please report it, with the output of print(step.source)."
            )
        return result

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Record a program for these arguments without making the call: nothing changes.

        Raises CannotCompile as the first call would.

        >>> half = tg.compile(lambda x: x / 2)
        >>> half.prepare(np.ones(3))
        >>> len(half.signatures)
        1
        """
        structure, leaves = self._taken_apart(args, kwargs)
        with _turn:
            self._record(structure, leaves, keep=False)

    def _record(self, structure: Any, leaves: list[Any], keep: bool = True) -> Any:
        self.programs = [program for program in self.programs if program.is_alive()]
        if len(self.programs) >= _MOST_PROGRAMS:
            raise CannotCompile(
                f"compile: {_MOST_PROGRAMS} programs have been recorded already, and none fits this call: "
                f"{self.programs[0].misfit(structure, leaves)}. What differs in each call should be an array, a Tensor "
                "or a float among the arguments."
            )
        watch = Watch(self.function)
        names = _names(self.function, structure, leaves)
        for name, leaf in zip(names, leaves):
            watch.add_argument(name, leaf)
        together = "updates" not in self.without
        result, recording = record(self.function, structure, leaves, names, watch, keep, together)
        program = Program(recording, structure, leaves, names, watch, self.without)
        self.programs.insert(0, program)
        self._newest_plain = program if program.takes >= 0 else None
        return result

    # ------------------------------------------------------------------ what can be read

    @property
    def signatures(self) -> list[str]:
        """For each program: the arguments that it takes, the newest first."""
        return [program.signature for program in self.programs]

    @property
    def source(self) -> str:
        """The newest program as Python. RuntimeError before the first call."""
        from .listing import listing

        return listing(self._newest("source"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the newest program and the state as a Python file that needs only NumPy and goes on from here.

        RuntimeError before the first call, ValueError if the path does not end with .py.
        """
        from .save import save

        save(self._newest("save"), path)

    def report(self) -> Report:
        """What each pass has saved in the newest program: calls, buffers, bytes. RuntimeError before the first call."""
        return Report(self._newest("report").plan)

    def _newest(self, caller: str) -> Program:
        if not self.programs:
            raise RuntimeError(f"compile: {caller} tells of a program, and there is none before the first call")
        return self.programs[0]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"<compiled {name}: {plural(len(self.programs), 'program')}>"


class _Methods(dict):
    """The compiled methods of one object, its ``owner``; deep copies and pickles of it are recorded anew."""

    def __init__(self, owner: Any = None):
        self.owner = owner

    def __reduce__(self) -> Any:
        return _Methods, ()


def _found_by_name(function: types.FunctionType) -> Any:
    """What stands where pickle looks for the function."""
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found


def _difference(result: Any, eager: Any) -> str:
    mine: list[Any] = []
    theirs: list[Any] = []
    if not same_structure(flatten(result, mine), flatten(eager, theirs)):
        return "the structure of the result"
    for i, (a, b) in enumerate(zip(mine, theirs)):
        alike = same_bits(a, b) if isinstance(a, (Tensor, np.ndarray, np.generic)) else a == b
        if not alike:
            return f"result {i}"
    return ""


def _names(function: Any, structure: Any, leaves: list[Any]) -> list[str]:
    """How the function calls its arguments; what lies in a list or dict has a number behind."""
    args, kwargs = structure
    try:
        target = function.forward if isinstance(function, Module) else function
        parameters = inspect.signature(target).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        named = []
    named += [f"x{i}" for i in range(len(named), len(args))]
    names = [""] * len(leaves)
    for name, part in (*zip(named, args), *kwargs.items()):
        inside = _indices(part)
        for i, index in enumerate(inside):
            names[index] = name if len(inside) == 1 else f"{name}{i}"
    return names


def _indices(structure: Any) -> list[int]:
    if isinstance(structure, Leaf):
        return [structure.index]
    parts = structure.values() if isinstance(structure, dict) else structure
    return [index for part in parts for index in _indices(part)]
