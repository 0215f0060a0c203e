"""The one source of chance: initial weights, dropout, shuffling and toy data all draw from it."""

from __future__ import annotations

import numpy as np

from .mode import mode

_generator = np.random.default_rng()


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
    _generator = np.random.default_rng(seed)
    return _generator


def generator(seed: int | np.random.Generator | None = None) -> np.random.Generator:
    """The generator to draw from: the package's own, or, given a seed, a new one that starts there.

    >>> int(tg.random.generator(0).integers(10))
    8
    """
    if seed is not None:
        return np.random.default_rng(seed)
    return _generator if mode.now.recorder is None else mode.now.recorder.generator(_generator)
