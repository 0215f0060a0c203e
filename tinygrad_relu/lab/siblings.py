"""siblings: what the functions that were made to mend ReLU do better, and what they do not

The note ends with ReLU's siblings: Hard Sigmoid, ELU, PReLU, Swish, Softsign, Softplus and ThresholdedReLU. Here they
stand beside ReLU and LeakyReLU, each with the slope that the engine's backward pass finds. Three questions are put to
all of them.

How far from 0 do they push the mean? For a normal input with mean 0 and deviation 1 the mean output is known: by a
closed form, or by quadrature where there is none. It is compared with the mean over a sample.

Do they learn better? Networks 64-32-32-10 learn the handwritten digits for six epochs of plain SGD. Each function has
the best of four learning rates, chosen with other seeds than those that are reported. The same seed means the same
rows, batches and random numbers for all, so each is compared with ReLU seed by seed. Only a difference of more than
four standard errors counts: with eight seeds chance makes one of eight such comparisons so large once in 25 times.

Do they bring a dead unit back? One unit with three inputs learns what another unit, its teacher, puts out for a hundred
rows; but it starts dead, with a largest sum of -1, -4 or -10, while the teacher speaks. The whole gradient is followed
for a thousand steps. Twenty such pairs are tried for each function and depth, and counted are the steps until a sum is
positive again. PReLU's slope is held at its start, 0.25. This is the kind case, for the teacher asks for more all the
time: in a whole network other units do the work, and a dead one is asked for less.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import Tensor, data, fit, grad, linear, nn, optim, predict, random
from .findings import Findings, Spread, wilson_interval
from .workers import each

__all__ = [
    "FUNCTIONS", "Curve", "Errors", "Function", "Mean", "Revival", "Siblings", "curve", "held_out_error",
    "lowest_point", "mean_by_quadrature", "revive", "run",
]  # fmt: skip

_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)  # of the standard normal law
RATES = (0.1, 0.3, 1.0, 3.0)
GUESSING = 0.9  # the error of a network that has blown up: one of ten digits is right by chance


@dataclass(frozen=True)
class Function:
    """One of the functions, as a module, and its mean output for a standard normal input where that has a formula."""

    name: str
    make: Callable[[], nn.Module]
    mean: float = math.nan
    formula: str = ""


RELU, LEAKY, PRELU, ELU, SOFTPLUS, SWISH, SOFTSIGN, HARD_SIGMOID, THRESHOLDED = FUNCTIONS = (
    Function("ReLU", nn.ReLU, _DENSITY_AT_0, "1/√(2π)"),
    Function("LeakyReLU", nn.LeakyReLU, 0.99 * _DENSITY_AT_0, "(1 - 0.01)/√(2π)"),
    Function("PReLU", nn.PReLU, 0.75 * _DENSITY_AT_0, "(1 - 0.25)/√(2π)"),  # at its start; the slope is learned
    Function(
        "ELU", nn.ELU, _DENSITY_AT_0 + math.sqrt(math.e) * math.erfc(1 / math.sqrt(2)) / 2 - 0.5,
        "1/√(2π) + √e Φ(-1) - 1/2",
    ),
    Function("Softplus", nn.Softplus),
    Function("Swish", nn.Swish),
    Function("Softsign", nn.Softsign, 0.0, "0, it is odd"),
    Function("HardSigmoid", nn.HardSigmoid, 0.5, "1/2, it is odd about it"),
    Function("ThresholdedReLU", nn.ThresholdedReLU, _DENSITY_AT_0 * math.exp(-0.5), "exp(-1/2)/√(2π)"),
)  # fmt: skip
"""ReLU, the note's seven, and LeakyReLU, which is PReLU with a slope of 0.01 that is not learned."""


@dataclass
class Curve:
    """A function and its slope, as the engine has them."""

    function: str
    x: list[float]
    y: list[float]
    slope: list[float]


@dataclass
class Mean:
    """The mean output for standard normal inputs: of a sample, and as it should be."""

    function: str
    measured: float
    standard_error: float
    expected: float
    by: str  # the formula, or "quadrature"


@dataclass
class Errors:
    """The share of rows classified wrongly, of those that were not trained on; one number for each seed."""

    function: str
    lr: float  # the best, chosen with other seeds
    errors: list[float]

    def minus(self, other: Errors) -> Spread:
        """By how much it is more often wrong than another, seed by seed."""
        return Spread.of(a - b for a, b in zip(self.errors, other.errors))


@dataclass
class Revival:
    """Units that start dead at one depth: the steps until each has a positive sum again, infinity if it never has."""

    function: str
    depth: float  # the largest sum of each unit at the start is minus this
    slope: float  # of the function there
    steps: list[float]
    moved: float  # how far any weight or bias of theirs has gone in all

    @property
    def share(self) -> float:
        """The share of units that came back."""
        return float(np.isfinite(self.steps).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that share (Wilson 1927).

        >>> low, high = Revival("ELU", 1.0, 0.37, [5.0] * 19 + [math.inf], 0.1).interval
        >>> round(low, 3), round(high, 3)
        (0.764, 0.991)
        """
        return wilson_interval(self.share, len(self.steps))


@dataclass(repr=False)
class Siblings(Findings):
    """Curves, means, errors on the digits, and revivals."""

    seeds: list[int]
    tuning_seeds: list[int]
    sample: int  # how many normal numbers the means are taken of, drawn with seed 0
    steps: int  # after which a unit that is still dead is given up
    curves: list[Curve]
    means: list[Mean]
    errors: list[Errors]
    revivals: list[Revival]
    swish_minimum: tuple[float, float]  # where Swish is lowest, and how low

    def revival(self, function: Function, depth: float) -> Revival:
        """How units with this function came back from this depth."""
        return next(each for each in self.revivals if (each.function, each.depth) == (function.name, depth))


def run(
    seeds: int = 8, tuning_seeds: int = 2, epochs: int = 6, depths: Sequence[float] = (1, 4, 10), units: int = 20,
    steps: int = 1000, sample: int = 200_000, *, executor: Executor | None = None, progress: bool = False,
) -> Siblings:  # fmt: skip
    """Draw the functions, take their means, train with each, and try to revive ``units`` units from each depth.

    >>> found = run(1, 1, epochs=1, depths=[1], units=2, steps=3, sample=100, executor=lab.Serial())
    >>> found.revival(RELU, 1).share
    0.0
    """
    label = "siblings" if progress else ""
    reported, tuned = list(range(seeds)), list(range(seeds, seeds + tuning_seeds))
    tries = [(function, lr, seed, epochs) for function in FUNCTIONS for lr in RATES for seed in tuned]
    tuning = dict(zip(tries, each(held_out_error, tries, executor, label)))

    def tuning_error(function: Function, lr: float) -> float:
        return sum(tuning[function, lr, seed, epochs] for seed in tuned)

    best = [min(RATES, key=partial(tuning_error, function)) for function in FUNCTIONS]
    jobs = [(function, lr, seed, epochs) for function, lr in zip(FUNCTIONS, best) for seed in reported]
    errors = each(held_out_error, jobs, executor, label)
    dead = [(function, tuple(depths), units, steps) for function in FUNCTIONS]
    return Siblings(
        reported,
        tuned,
        sample,
        steps,
        [curve(function) for function in FUNCTIONS],
        [_mean(function, sample) for function in FUNCTIONS],
        [Errors(f.name, best[i], errors[i * seeds : (i + 1) * seeds]) for i, f in enumerate(FUNCTIONS)],
        [revival for revivals in each(revive, dead, executor, label) for revival in revivals],
        lowest_point(SWISH, -2.0, -1.0),
    )


# ---------------------------------------------------------------------- curves and means


def curve(function: Function, low: float = -4.0, high: float = 4.0, points: int = 161) -> Curve:
    """The function and the slope that its backward rule gives, at evenly spaced places.

    >>> curve(RELU, -1.0, 1.0, 3)
    Curve(function='ReLU', x=[-1.0, 0.0, 1.0], y=[0.0, 0.0, 1.0], slope=[0.0, 0.0, 1.0])
    """
    x = Tensor(np.linspace(low, high, points), requires_grad=True)
    y = _as_module(function)(x)
    (slope,) = grad(y, x, np.ones(points))
    assert slope is not None
    return Curve(function.name, x.data.tolist(), y.data.tolist(), slope.data.tolist())


def lowest_point(function: Function, low: float, high: float) -> tuple[float, float]:
    """Where the slope goes from negative to positive between two places, and the function there, by bisection.

    >>> place, value = lowest_point(SWISH, -2.0, -1.0)
    >>> round(place, 4), round(value, 4)
    (-1.2785, -0.2785)
    """
    for _ in range(50):
        middle = (low + high) / 2
        found = curve(function, middle, middle, 1)
        low, high = (middle, high) if found.slope[0] < 0 else (low, middle)
    return middle, found.y[0]


def _as_module(function: Function) -> nn.Module:
    """One of double precision."""
    return function.make().to(np.float64)


def _mean(function: Function, sample: int) -> Mean:
    """The mean output for normal numbers, drawn with seed 0 for each function."""
    with random.seeded(0) as rng:
        output = _as_module(function)(Tensor(rng.normal(size=sample))).detach().numpy()
    expected, by = (
        (function.mean, function.formula) if function.formula else (mean_by_quadrature(function), "quadrature")
    )
    found = Spread.of(output)
    return Mean(function.name, found.mean, found.standard_error, expected, by)


def mean_by_quadrature(function: Function) -> float:
    """The mean output for a standard normal input, by Gauss-Hermite quadrature: exact to ten digits if it is smooth.

    >>> round(mean_by_quadrature(SWISH), 4)
    0.2066
    """
    places, weights = np.polynomial.hermite_e.hermegauss(150)
    output = _as_module(function)(Tensor(places)).detach().numpy()
    return float(weights @ output / weights.sum())


# ---------------------------------------------------------------------- learning the digits


def held_out_error(function: Function, lr: float, seed: int, epochs: int) -> float:
    """The share of wrong answers on the rows that were held out, a fifth of the digits.

    >>> held_out_error(RELU, lr=0.3, seed=0, epochs=2) < 0.5
    True
    """
    with random.seeded(seed), np.errstate(over="ignore", invalid="ignore"):
        X, y = data.digits()
        X_train, X_test, y_train, y_test = data.train_test_split(X, y, 0.2, seed)
        model = nn.MLP(64, [32, 32], 10, activation=function.make())
        optimizer = optim.SGD(model.parameters(), lr=lr)
        options: dict[str, Any] = {"epochs": epochs, "batch_size": 32, "seed": seed, "progress": False}
        try:
            fit(model, X_train, y_train, optimizer=optimizer, **options)
        except FloatingPointError:  # the loss became infinite
            return GUESSING
        return float(np.mean(predict(model, X_test).argmax(axis=1) != y_test))


# ---------------------------------------------------------------------- reviving the dead


def revive(function: Function, depths: Sequence[float], units: int, steps: int, lr: float = 0.1) -> list[Revival]:
    """Let dead units at each depth learn from teachers that are alive, and note when each comes back.

    >>> [revival.steps for revival in revive(RELU, [1, 4], units=2, steps=5)]
    [[inf, inf], [inf, inf]]
    """
    with random.seeded(0) as rng:  # the same units, teachers and rows for all functions and depths
        X = rng.normal(size=(100, 3))
        teacher, start = (np.tile(rng.normal(size=(units, 3)), (len(depths), 1)) for _ in range(2))
    activation = _as_module(function)
    target = activation(linear(X, teacher, np.ones(len(teacher)))).detach()
    w = Tensor(start, requires_grad=True)
    bias = -np.repeat(depths, units) - (X @ start.T).max(axis=0)
    b = Tensor(bias, requires_grad=True)
    back = np.full(len(start), math.inf)
    for step in range(1, steps + 1):
        missing = activation(linear(X, w, b)) - target
        loss = (missing * missing).mean(axis=0).sum()  # the units share nothing, so each has its own slopes
        dw, db = grad(loss, [w, b])
        assert dw is not None and db is not None
        w.data = w.data - lr * dw.data
        b.data = b.data - lr * db.data
        alive = (X @ w.data.T + b.data > 0).any(axis=0)
        back[alive & np.isinf(back)] = step
    moved = np.maximum(np.abs(w.data - start).max(axis=1), np.abs(b.data - bias))
    return [
        Revival(function.name, depth, curve(function, -depth, -depth, 1).slope[0], found.tolist(), float(far.max()))
        for depth, found, far in zip(depths, back.reshape(len(depths), units), moved.reshape(len(depths), units))
    ]
