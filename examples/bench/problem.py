"""What every contender is given: a network's first weights, one batch of data, and the rule to train by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
LEARNING_RATES = {"SGD": 0.05, "Adam": 0.001}


@dataclass(frozen=True)
class Network:
    """Layer sizes and batch size; how many steps are taken before losses are compared, and in each turn.

    No contender takes more than some thousand steps in a run: on one batch, gradients would at last become so small
    that the processor computes with them slowly, and not for all contenders alike.
    """

    sizes: tuple[int, ...]
    batch: int
    checked_steps: int
    steps_a_turn: int

    @property
    def title(self) -> str:
        """The layers, as in 2-16-16-2."""
        return "-".join(str(size) for size in self.sizes)


@dataclass(frozen=True)
class Problem:
    """One network to be trained by one rule.

    ``layers`` holds each layer's weight (outputs, inputs) and bias. ``X`` is a batch of inputs in rows, ``y`` the
    labels. A contender copies the weights, and may prepare what depends on shapes alone; what it computes from ``X``
    and ``y`` belongs to the step.
    """

    sizes: tuple[int, ...]
    optimizer: str
    layers: list[tuple[np.ndarray, np.ndarray]]
    X: np.ndarray
    y: np.ndarray

    @property
    def learning_rate(self) -> float:
        """The learning rate of the rule."""
        return LEARNING_RATES[self.optimizer]

    def parameters(self) -> list[np.ndarray]:
        """Fresh copies of all weights and biases, layer by layer."""
        return [array.copy() for layer in self.layers for array in layer]


def make_problem(network: Network, optimizer: str) -> Problem:
    """Weights by He's rule, biases of zero, random inputs and labels; the same at every call."""
    rng = np.random.default_rng(0)
    layers = [
        ((rng.normal(size=(n, m)) * np.sqrt(2 / m)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in pairwise(network.sizes)
    ]
    X = rng.normal(size=(network.batch, network.sizes[0])).astype(np.float32)
    y = rng.integers(network.sizes[-1], size=network.batch)
    return Problem(network.sizes, optimizer, layers, X, y)
