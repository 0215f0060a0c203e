"""speed: is ReLU six times faster than sigmoid or tanh?

Krizhevsky et al. (2012) saw a ReLU network reach a training error of 25 % in a sixth of the epochs that tanh took: four
convolutional layers, CIFAR-10, no regularisation, for each network the learning rate that makes it fastest. The seminar
note makes of it that ReLU learns about six times faster than sigmoid or tanh. What does a small network say?

Networks 2-64-64-64-3 learn three spirals of 600 points by plain SGD in batches of 60. Counted are the epochs until the
training error, taken over an epoch while the weights change, is 25 % or less. The same seeds are run at each learning
rate, and two networks are compared seed by seed. Each network's best rate is chosen with other seeds than those that
are reported. A run that has not arrived when time is up is censored: it stays in, as "more than" that many epochs.

The weights matter as much as the function, so they are told apart. Xavier's start (n Var[W] = 1, n being the number of
inputs of a unit) was usual for tanh. The start that keeps the mean square of the signal is He's for ReLU (n Var[W] = 2)
and has a gain of its own for each function, 1.6 for tanh, 1.8 for sigmoid; that is what nn.MLP does by itself.

What one call of a function costs in time is another question, which depends on the machine: function_times() measures
it.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import History, Tensor, data, fit, nn, optim, random, relu, sigmoid, tanh
from .findings import Findings
from .workers import each

__all__ = ["NETWORKS", "Network", "Ratio", "Speed", "Trials", "compare", "epochs_to_target", "function_times", "run"]

TARGET = 0.25  # training error
WIDTHS, POINTS, BATCH = [64, 64, 64], 600, 60


@dataclass(frozen=True)
class Network:
    """An activation, and how the hidden weights start: as Xavier's, or else as nn.MLP has them."""

    activation: str
    start: str

    def __str__(self) -> str:
        name = {"relu": "ReLU"}.get(self.activation, self.activation)
        return f"{name}, {self.start}"


RELU, RELU_XAVIER, TANH, TANH_XAVIER, SIGMOID = NETWORKS = (
    Network("relu", "He"),
    Network("relu", "Xavier"),
    Network("tanh", "gain 1.6"),
    Network("tanh", "Xavier"),
    Network("sigmoid", "gain 1.8"),
)
"""The networks that are compared. Sigmoid with Xavier's start is left out: it does not arrive at any of the rates."""


@dataclass
class Trials:
    """The epochs that one network took at one learning rate, for each seed; infinity where it did not arrive."""

    network: str
    lr: float
    epochs: list[float]

    @property
    def censored(self) -> int:
        """How many runs did not arrive."""
        return sum(math.isinf(count) for count in self.epochs)

    @property
    def median(self) -> float:
        """The median of the epochs, the upper one of two; infinity if half of the runs or more did not arrive."""
        return statistics.median_high(self.epochs)


@dataclass
class Ratio:
    """How many times as many epochs one network takes as another, seed by seed.

    Where the slower one was censored, the ratio is at least what stands here; where the faster one was, at most.
    """

    slower: str
    faster: str
    slower_lr: float
    faster_lr: float
    ratios: list[float]
    at_least: int  # how many of the ratios are lower bounds
    at_most: int

    @property
    def median(self) -> float:
        """The median over the seeds."""
        return statistics.median(self.ratios)

    @property
    def confidence(self) -> float:
        """That the median over all seeds lies between the smallest and the largest ratio: 1 - 2^(1 - n).

        Each ratio is above the true median with probability 1/2, whatever the law, so that all n lie on one side of
        it with probability 2 * 2^-n.
        """
        return 1 - 2.0 ** (1 - len(self.ratios))

    @property
    def bound(self) -> str:
        """Words before the number."""
        return "at least " if self.at_least else "at most " if self.at_most else ""

    def __str__(self) -> str:
        if self.at_least and self.at_most:
            return "undecided"
        low, high = min(self.ratios), max(self.ratios)
        return f"{self.bound}{self.median:.2g} ({low:.2g} to {high:.2g})"


@dataclass(repr=False)
class Speed(Findings):
    """The epochs at each learning rate, each network's best, and the ratios."""

    seeds: list[int]
    tuning_seeds: list[int]
    most_epochs: int  # after which a run is stopped
    trials: list[Trials]
    best_lr: dict[str, float]  # by network, chosen with the tuning seeds
    at_best: list[Ratio]  # against ReLU with He's start, each at its best learning rate
    at_equal: list[Ratio]  # the same pairs at each learning rate

    def ratio(self, slower: Network) -> Ratio:
        """How many times as many epochs this network takes as ReLU with He's start, both at their best."""
        return next(ratio for ratio in self.at_best if ratio.slower == str(slower))


def run(
    rates: Sequence[float] = (0.1, 0.3, 1.0, 3.0), seeds: int = 6, tuning_seeds: int = 2, most_epochs: int = 80, *,
    executor: Executor | None = None, progress: bool = False,
) -> Speed:  # fmt: skip
    """Train each network at each learning rate: ``tuning_seeds`` runs to choose the best rate, ``seeds`` to report.

    >>> found = run([0.3, 1.0], seeds=2, tuning_seeds=1, most_epochs=3, executor=lab.Serial())
    >>> len(found.trials), found.seeds, found.tuning_seeds
    (10, [0, 1], [2])
    """
    reported, tuned = list(range(seeds)), list(range(seeds, seeds + tuning_seeds))
    places = [(net, lr) for net in NETWORKS for lr in rates]
    jobs = [(*place, seed, most_epochs) for place in places for seed in reported + tuned]
    epochs = dict(zip(jobs, each(epochs_to_target, jobs, executor, "speed" if progress else "")))
    found = {
        (net, lr): Trials(str(net), lr, [epochs[net, lr, seed, most_epochs] for seed in reported]) for net, lr in places
    }
    tuning = {(net, lr): [epochs[net, lr, seed, most_epochs] for seed in tuned] for net, lr in places}
    best = {net: _best_rate({lr: tuning[net, lr] for lr in rates}, most_epochs) for net in NETWORKS}
    others = [net for net in NETWORKS if net != RELU]
    return Speed(
        reported,
        tuned,
        most_epochs,
        list(found.values()),
        {str(net): lr for net, lr in best.items()},
        [compare(found[net, best[net]], found[RELU, best[RELU]], most_epochs) for net in others],
        [compare(found[net, lr], found[RELU, lr], most_epochs) for net in others for lr in rates],
    )


def epochs_to_target(net: Network, lr: float, seed: int, most_epochs: int) -> float:
    """The epochs until the training error is 25 % or less; infinity if that takes more than ``most_epochs``.

    >>> epochs_to_target(RELU, lr=0.3, seed=0, most_epochs=1)
    inf
    """
    with random.seeded(seed):
        X, y = data.spirals(POINTS, classes=3)
        model = nn.MLP(2, WIDTHS, 3, activation=net.activation)
        if net.start == "Xavier":
            for layer in model[:-1]:
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        optimizer = optim.SGD(model.parameters(), lr=lr)
        options: dict[str, Any] = {"epochs": most_epochs, "batch_size": BATCH, "seed": seed, "progress": False}
        try:
            history = fit(model, X, y, optimizer=optimizer, callback=_arrived, **options)
        except FloatingPointError:  # the loss became infinite: this one never arrives
            return math.inf
    return float(len(history)) if _arrived(history) else math.inf


def _arrived(history: History) -> bool:
    return history[-1]["accuracy"] >= 1 - TARGET


def _best_rate(epochs: dict[float, list[float]], most_epochs: int) -> float:
    """The learning rate with the fewest epochs on average; what did not arrive counts as twice the most epochs."""
    return min(epochs, key=lambda lr: np.mean(np.minimum(epochs[lr], 2 * most_epochs)))


def compare(slower: Trials, faster: Trials, most_epochs: int) -> Ratio:
    """The ratios of the epochs, seed by seed; a run that did not arrive counts as ``most_epochs``, as a bound.

    >>> ratio = compare(Trials("tanh", 0.1, [8.0, math.inf]), Trials("ReLU", 0.1, [4.0, 5.0]), most_epochs=50)
    >>> ratio.ratios, ratio.at_least
    ([2.0, 10.0], 1)
    """
    pairs = list(zip(slower.epochs, faster.epochs))
    ratios = [min(a, most_epochs) / min(b, most_epochs) for a, b in pairs]
    return Ratio(slower.network, faster.network, slower.lr, faster.lr, ratios, slower.censored, faster.censored)


def function_times(size: int = 100_000, turns: int = 20) -> dict[str, float]:
    """Seconds for one activation of ``size`` numbers, forward and backward in the engine: the median of ``turns``.

    The clock gives other numbers each time, so they are not part of the findings; compare them within one call.

    >>> sorted(function_times(10, turns=2))
    ['relu', 'sigmoid', 'tanh']
    """
    x = Tensor(np.random.default_rng(0).normal(size=size).astype(np.float32), requires_grad=True)
    ones = np.ones(size, np.float32)
    functions = {"relu": relu, "tanh": tanh, "sigmoid": sigmoid}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(turns):
        for name, function in functions.items():
            x.grad = None
            start = time.perf_counter()
            function(x).backward(ones)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}
