"""Switch: a change of some mode that can be used as a ``with`` block and as a decorator, as often as one likes."""

from __future__ import annotations

import functools
import inspect
import threading
import types
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, overload

Block = Callable[[], AbstractContextManager[Any]]
F = TypeVar("F", bound=Callable[..., Any])


class Switch:
    """A change of mode for a ``with`` block, or, as a decorator, for a function; may be used again and inside itself.

    A decorated generator or coroutine is in the mode while its own lines run, and not while it waits. So each use
    calls ``start``, and what that returns makes a context manager for each stretch.
    """

    def __init__(self, start: Callable[[], Block]):
        self._start = start

    def __enter__(self) -> Any:
        block = self._start()()
        value = block.__enter__()
        _entered.blocks.append(block)
        return value

    def __exit__(self, *error: Any) -> Any:
        return _entered.blocks.pop().__exit__(*error)

    def __call__(self, function: F) -> F:
        if inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__name__} is an asynchronous generator; write the with block inside of it")
        if not (inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)):
            return _like(function, lambda *args, **options: self._call(function, *args, **options))

        def steps(*args: Any, **options: Any) -> Any:
            return (yield from _steps(self._start(), function(*args, **options)))

        async def coroutine(*args: Any, **options: Any) -> Any:
            return await types.coroutine(steps)(*args, **options)

        return _like(function, coroutine if inspect.iscoroutinefunction(function) else steps)

    def _call(self, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self:
            return function(*args, **options)


class Switching(Protocol):
    """Callable for a Switch, or as a decorator without brackets."""

    @overload
    def __call__(self) -> Switch: ...
    @overload
    def __call__(self, function: F) -> F: ...


def switching(start: Callable[[], Block]) -> Switching:
    """Make of a function that gives a block, as ``Switch`` wants it, one that gives the Switch, or decorates."""

    def switch(function: Any = None) -> Any:
        return Switch(start) if function is None else Switch(start)(function)

    return _like(start, switch)


def _like(function: Any, wrapper: Any) -> Any:
    return functools.wraps(function)(wrapper)


class _Entered(threading.local):
    """The blocks that this thread is in, the innermost last."""

    def __init__(self) -> None:
        self.blocks: list[AbstractContextManager[Any]] = []


_entered = _Entered()


def _steps(block: Block, running: Any) -> Generator[Any, Any, Any]:
    """Run a generator or coroutine from one yield to the next, each time in a block of its own."""
    step, value = running.send, None
    while True:
        try:
            with block():
                given = step(value)
        except StopIteration as end:
            return end.value
        try:
            step, value = running.send, (yield given)
        except BaseException as error:  # one that was thrown in, GeneratorExit too
            step, value = running.throw, error
