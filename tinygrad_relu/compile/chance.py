"""Chance: the generators of random numbers that are not the package's, which a program could draw from only once."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["GENERATORS", "Chance"]

# The kinds of generators that are found in the user's program.
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


class Chance:
    """How Python's generator, NumPy's and these stand; ``generators``, by their ids, may become more meanwhile."""

    def __init__(self, generators: dict[int, Any]):
        self._generators = generators
        self._states = _random_states(generators.values())

    def drawn(self) -> bool:
        """Whether random numbers were drawn since the last look, from any of them; they are then put back."""
        now = _random_states(self._generators.values())
        before, self._states = self._states, now  # those that have been found only now are compared the next time
        if all(_same_state(a, b) for a, b in zip(before, now)):
            return False
        random.setstate(before[0])
        np.random.set_state(before[1])
        for generator, state in zip(self._generators.values(), before[2:]):
            _set_state(generator, state)
        return True


def _random_states(generators: Iterable[Any]) -> list[Any]:
    return [random.getstate(), np.random.get_state(), *(_state_of(each) for each in generators)]


def _state_of(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state() if isinstance(generator, np.random.RandomState) else generator.bit_generator.state


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _same_state(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_state(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and any(isinstance(item, np.ndarray) for item in a):
        return all(np.array_equal(x, y) for x, y in zip(a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b
