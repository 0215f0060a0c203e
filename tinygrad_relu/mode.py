"""Mode: the engine's orders at the moment: record or not, look for NaN or not, in which dtype to start."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .switch import Block, switching


class _State:
    """Orders of one thread. The call is that of the innermost module that computes now: (the module, the
    call around it or None, the place in the user's program that called it or None, whether the module is built in).
    Two calls of one module are two tuples. The recorder, if there is one, writes down what NumPy does (compile/).
    """

    def __init__(self) -> None:
        self.record = True  # whether the graph is recorded
        self.anomaly = False  # whether the first NaN stops the computation
        self.call: tuple[Any, Any, Any, bool] | None = None
        self.recorder: Any = None


class _Mode(threading.local):
    """Each thread has its own state: switching recording off in one does not disturb another."""

    def __init__(self) -> None:
        self.now = _State()  # changed in place, since to set an attribute of a thread's own takes longer


mode = _Mode()

# Counts the changes to what a compiled program goes by and does not look at in each call: hooks, whether a tensor
# requires a gradient, attributes of modules.
changes = [0]
_default_dtype = np.dtype(np.float32)


@contextmanager
def switched(**changes: Any) -> Iterator[None]:
    """This thread's state with some changes, for the length of a block."""
    now = mode.now
    before = [(name, getattr(now, name)) for name in changes]
    for name, value in changes.items():
        setattr(now, name, value)
    try:
        yield
    finally:
        for name, value in before:
            setattr(now, name, value)


@switching
def no_grad() -> Block:
    """Compute without recording a graph, in this thread only; a context manager and a decorator.

    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     print((w * 2).requires_grad)
    False
    """
    return functools.partial(switched, record=False)


@switching
def enable_grad() -> Block:
    """Record a graph again inside a ``no_grad`` block; a context manager and a decorator.

    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     print((w * 2).requires_grad)
    True
    """
    return functools.partial(switched, record=True)


def is_grad_enabled() -> bool:
    """Tell whether this thread records a graph now.

    >>> tg.is_grad_enabled()
    True
    """
    return mode.now.record


@switching
def detect_anomaly() -> Block:
    """Stop at the first op whose result or gradient is NaN or infinite, and name it; a context manager and a decorator.

    The forward pass is watched too, so that the first source is named and not the last victim, with the line of the
    program that called it. NumPy's own warnings about such numbers are silent meanwhile.

    >>> x = tg.Tensor([-1.0], requires_grad=True)
    >>> with tg.detect_anomaly():
    ...     tg.sqrt(x)
    Traceback (most recent call last):
        ...
    FloatingPointError: sqrt: the forward pass made nan at index (0,) out of finite inputs, at ...
    """
    return _watching


@contextmanager
def _watching() -> Iterator[None]:
    with np.errstate(all="ignore"), switched(anomaly=True):
        yield


def get_default_dtype() -> np.dtype:
    """The dtype that lists and Python numbers become in a ``Tensor``: float32 unless it was set.

    >>> tg.get_default_dtype()
    dtype('float32')
    """
    return _default_dtype


def set_default_dtype(dtype) -> None:
    """Choose what lists and Python numbers become: float16, float32 (the start) or float64. For all threads.

    >>> tg.set_default_dtype("float64")
    >>> tg.Tensor([1.0]).dtype
    dtype('float64')
    >>> tg.set_default_dtype("float32")
    """
    global _default_dtype
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"set_default_dtype: expected a float dtype such as float32 or float64, got {wanted}")
    _default_dtype = wanted
