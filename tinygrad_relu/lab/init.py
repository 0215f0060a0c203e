"""init: what makes depth work: He's start against Xavier's at 22 and 30 layers

ReLU lets half of its inputs through, so a layer whose weights have n Var[W] = 1 (Xavier's start, n being the number of
inputs of a unit) halves the mean square of the signal, and does so again in each layer. He et al. (2015) start with
n Var[W] = 2. Does that decide whether a deep network learns?

First the signal alone: a random input goes through 30 ReLU layers of 256 units, and the mean square after each is
compared with theory, (n Var[W] / 2)^L after L layers. For normal weights it is exact on average over the seeds, at any
width, and so is the standard deviation: the mean square times sqrt((1 + 5/n)^L - 1).

Then training: networks with 22 and 30 layers of weights, 64 units wide, learn three spirals of 600 points with plain
SGD (learning rate 0.03, batches of 60, biases that start at 0). Both starts get the same random numbers, only scaled.
Chance is an error of 2/3 and a loss of ln 3 = 1.0986.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from .. import Tensor, cross_entropy, data, fit, linear, nn, no_grad, optim, predict, random, relu
from .findings import Findings, Spread
from .workers import each

__all__ = [
    "CHANCE", "STARTS", "Init", "Moments", "Start", "Training", "Trainings", "relative_error", "run", "second_moments",
    "train",
]  # fmt: skip

CHANCE = math.log(3)
"""The cross-entropy of a network that gives each of three classes the probability 1/3."""

WIDTH, LR, BATCH, POINTS = 64, 0.03, 60, 600  # of the networks that are trained
WIDE = 256  # units of the layers whose second moments are followed


@dataclass(frozen=True)
class Start:
    """How weights start: normal, with mean 0."""

    name: str
    gain: float | None  # the standard deviation is gain / sqrt(n); None if it is 0.01 whatever n

    def fill(self, weight: Tensor) -> None:
        """Draw the weights."""
        nn.init.normal_(weight, 0.0, 0.01 if self.gain is None else self.gain / math.sqrt(weight.shape[1]))

    def factor(self, n: int) -> float:
        """By what a ReLU layer with n inputs multiplies the mean square of its input, on average: n Var[W] / 2."""
        return (n * 0.01**2 if self.gain is None else self.gain**2) / 2


HE, XAVIER, SMALL = STARTS = (Start("He", math.sqrt(2)), Start("Xavier", 1.0), Start("std 0.01", None))
"""The starts that are compared: He et al. 2015, Xavier's as they use it (1/n), and a fixed small spread."""


@dataclass
class Moments:
    """The mean square of the signal after each layer, beside theory."""

    start: str
    seeds: list[int]
    measured: list[Spread]  # after layer 1, 2, ...
    expected: list[float]
    standard_error: list[float]  # of the mean over the seeds, in theory, as a share of the expected value
    factor: Spread  # by which a layer multiplies, over all layers and seeds
    expected_factor: float


@dataclass
class Training:
    """One network's training."""

    seed: int
    losses: list[float]  # of each epoch
    error: float  # the share of wrong answers at the end
    first_gradient: float  # the RMS gradient of the first layer's weights before the first step


@dataclass
class Trainings:
    """The trainings of networks of one depth and one start, one for each seed."""

    start: str
    layers: int  # of weights
    runs: list[Training]

    @property
    def loss(self) -> Spread:
        """That of the last epoch."""
        return Spread.of(run.losses[-1] for run in self.runs)

    @property
    def error(self) -> Spread:
        """The share of wrong answers at the end."""
        return Spread.of(run.error for run in self.runs)

    @property
    def first_gradient(self) -> Spread:
        """The base-10 logarithm of the first layer's gradient before the first step."""
        return Spread.of(math.log10(run.first_gradient) for run in self.runs)

    @property
    def stalled(self) -> bool:
        """Tell whether all runs are where they began: a loss within 0.01 of ln 3."""
        return all(abs(run.losses[-1] - CHANCE) < 0.01 for run in self.runs)

    @property
    def learns(self) -> bool:
        """Tell whether all runs have a loss clearly below chance, by a tenth or more."""
        return all(run.losses[-1] < 0.9 * CHANCE for run in self.runs)

    @property
    def converged(self) -> bool:
        """Tell whether all runs have at most 5 % wrong answers at the end."""
        return all(run.error <= 0.05 for run in self.runs)


@dataclass(repr=False)
class Init(Findings):
    """The signal's mean square by layer, and the trainings."""

    moments: list[Moments]
    trainings: list[Trainings]

    def training(self, start: Start, layers: int) -> Trainings:
        """The trainings of this start and depth."""
        return next(each for each in self.trainings if (each.start, each.layers) == (start.name, layers))


def run(
    layers: Sequence[int] = (22, 30), epochs: int = 50, seeds: int = 3, depth: int = 30, moment_seeds: int = 20, *,
    executor: Executor | None = None, progress: bool = False,
) -> Init:  # fmt: skip
    """Train networks with these numbers of weight layers, and follow the signal through ``depth`` layers.

    >>> found = run([3], epochs=2, seeds=1, depth=4, moment_seeds=2, executor=lab.Serial())
    >>> len(found.training(HE, 3).runs), len(found.moments[0].measured)
    (1, 4)
    """
    label = "init" if progress else ""
    # Each start has seeds of its own: with the same numbers, only scaled, the three would err alike.
    own = {start: list(range(i * moment_seeds, (i + 1) * moment_seeds)) for i, start in enumerate(STARTS)}
    jobs = [(start, depth, WIDE, seed) for start in STARTS for seed in own[start]]
    signals = dict(zip(jobs, each(second_moments, jobs, executor, label)))
    moments = [
        _moments(start, own[start], [signals[start, depth, WIDE, seed] for seed in own[start]]) for start in STARTS
    ]
    kinds = [(start, count) for count in layers for start in (HE, XAVIER)]
    # The deepest come first, since they take longest and others can be done beside them.
    runs = [(*kind, epochs, seed) for kind in reversed(kinds) for seed in range(seeds)]
    trained = dict(zip(runs, each(train, runs, executor, label)))
    trainings = [
        Trainings(start.name, count, [trained[start, count, epochs, seed] for seed in range(seeds)])
        for start, count in kinds
    ]
    return Init(moments, trainings)


# ---------------------------------------------------------------------- the signal


def second_moments(start: Start, depth: int, width: int, seed: int) -> list[float]:
    """The mean square of a signal after each of ``depth`` ReLU layers; at the input it is 1. In float64.

    >>> len(second_moments(HE, 3, 10, seed=0))
    3
    """
    moments = []
    with random.seeded(seed) as rng, no_grad():
        x = rng.normal(size=width)
        signal = Tensor(x / np.sqrt(np.mean(x**2)))
        for _ in range(depth):
            weight = Tensor(np.empty((width, width)))
            start.fill(weight)
            signal = relu(linear(signal, weight))
            moments.append((signal * signal).mean().item())
    return moments


def relative_error(layers: int, width: int) -> float:
    """The standard deviation of the mean square after so many ReLU layers, as a share of its mean: exact.

    In a layer with normal weights the mean square is multiplied by Var[W] times the sum of max(g, 0)^2 over ``width``
    normal numbers g, whatever comes in. Their fourth moment is 3/2, so the factor's variance is 5 / width of its
    mean's square, and the factors of all layers are independent.

    >>> relative_error(1, 5)
    1.0
    """
    return math.sqrt((1 + 5 / width) ** layers - 1)


def _moments(start: Start, seeds: list[int], found: list[list[float]]) -> Moments:
    depth = len(found[0])
    factor = start.factor(WIDE)
    after = np.array(found)
    before = np.column_stack([np.ones(len(seeds)), after[:, :-1]])
    return Moments(
        start.name,
        seeds,
        [Spread.of(layer) for layer in after.T],
        [factor**layer for layer in range(1, depth + 1)],
        [relative_error(layer, WIDE) / math.sqrt(len(seeds)) for layer in range(1, depth + 1)],
        Spread.of((after / before).ravel()),
        factor,
    )


# ---------------------------------------------------------------------- training


def train(start: Start, layers: int, epochs: int, seed: int) -> Training:
    """Train one network with so many layers of weights on three spirals.

    >>> train(HE, layers=2, epochs=3, seed=0).error < 2 / 3
    True
    """
    with random.seeded(seed):
        X, y = data.spirals(POINTS, classes=3)
        model = nn.MLP(2, [WIDTH] * (layers - 1), 3)
        for layer in model:
            if isinstance(layer, nn.Linear):
                start.fill(layer.weight)
        model[-1].bias.data[:] = 0  # as He et al. do; those of the hidden layers are 0 already
        first = _first_gradient(model, X[:BATCH], y[:BATCH])
        optimizer = optim.SGD(model.parameters(), lr=LR)
        history = fit(model, X, y, optimizer=optimizer, epochs=epochs, batch_size=BATCH, seed=seed, progress=False)
    wrong = predict(model, X, batch_size=BATCH).argmax(axis=1) != y
    return Training(seed, history["loss"].tolist(), float(wrong.mean()), first)


def _first_gradient(model: nn.MLP, X, y) -> float:
    """The RMS gradient of the first layer's weights."""
    cross_entropy(model(X), y).backward()
    gradient = model[0].weight.grad.numpy()
    model.zero_grad()
    return float(np.sqrt(np.mean(gradient.astype(float) ** 2)))
