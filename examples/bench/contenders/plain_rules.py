"""SGD and Adam on lists of arrays, for libraries that give gradients and leave the update to their users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from problem import BETA1, BETA2, EPSILON, Problem


def rule_for(problem: Problem, arrays: list[np.ndarray]) -> Callable[[Iterable[np.ndarray]], None]:
    """A function of the gradients that changes ``arrays`` in place."""
    return {"SGD": sgd, "Adam": adam}[problem.optimizer](arrays, problem.learning_rate)


def sgd(arrays: list[np.ndarray], rate: float) -> Callable[[Iterable[np.ndarray]], None]:
    """theta -= rate * g."""

    def rule(grads: Iterable[np.ndarray]) -> None:
        for array, g in zip(arrays, grads):
            array -= rate * g

    return rule


def adam(arrays: list[np.ndarray], rate: float) -> Callable[[Iterable[np.ndarray]], None]:
    """Adam by the formulas of its paper."""
    means = [(np.zeros_like(array), np.zeros_like(array)) for array in arrays]
    t = 0

    def rule(grads: Iterable[np.ndarray]) -> None:
        nonlocal t
        t += 1
        first, second = 1 - BETA1**t, math.sqrt(1 - BETA2**t)
        for array, (m, v), g in zip(arrays, means, grads):
            m *= BETA1
            m += (1 - BETA1) * g
            v *= BETA2
            v += (1 - BETA2) * g * g
            array -= rate / first * m / (np.sqrt(v) / second + EPSILON)

    return rule
