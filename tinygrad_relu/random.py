"""The one source of chance: initial weights, dropout, shuffling and toy data all draw from it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .mode import mode
from .switch import Switch

_generator = np.random.default_rng()
_own: ContextVar[np.random.Generator | None] = ContextVar("generator", default=None)  # of a block in one thread


def manual_seed(seed: int) -> np.random.Generator:
    """Start the package's random numbers anew from ``seed``, so that a run can be repeated; returns the generator.

    >>> _ = tg.manual_seed(0)
    >>> first = nn.Linear(2, 1).weight.data
    >>> _ = tg.manual_seed(0)
    >>> bool((first == nn.Linear(2, 1).weight.data).all())
    True
    """
    global _generator
    if mode.now.recorder is not None:
        raise mode.now.recorder.refusal("the random numbers start anew (tg.manual_seed)", "do it outside")
    made = np.random.default_rng(seed)
    if _own.get() is not None:
        _own.set(made)
    else:
        _generator = made
    return made


def seeded(seed: int) -> Switch:
    """Draw from a generator of its own in this block and this thread only; the package's own stays where it was.

    A context manager, which gives the generator, and a decorator. So networks that are trained side by side, in
    threads or not, get the same numbers wherever they run.

    >>> with tg.random.seeded(0):
    ...     first = nn.Linear(2, 1).weight.data
    >>> with tg.random.seeded(0):
    ...     print((first == nn.Linear(2, 1).weight.data).all())
    True
    """
    return Switch(lambda: functools.partial(_drawing_from, np.random.default_rng(seed)))


@contextmanager
def _drawing_from(own: np.random.Generator) -> Iterator[np.random.Generator]:
    before = _own.set(own)
    try:
        yield generator()
    finally:
        _own.reset(before)


def generator(seed: int | np.random.Generator | None = None) -> np.random.Generator:
    """The generator to draw from: the package's own, or, given a seed, a new one that starts there.

    >>> int(tg.random.generator(0).integers(10))
    8
    """
    if seed is not None:
        return np.random.default_rng(seed)
    now = _own.get() or _generator
    return now if mode.now.recorder is None else mode.now.recorder.generator(now)
