"""dying: when a ReLU unit falls silent for good, by too large a step or from birth

ReLU passes no gradient where the weighted sum of a unit is negative. One negative sum does no harm: that is how ReLU
chooses. A unit is dead only if its sum is negative for every row of the data, for then nothing changes its weights. How
many units die, and of what?

Networks with two hidden layers of 64 units learn three spirals, by gradient descent in batches of 30 rows, with larger
and larger learning rates. Before and after the training the units are counted that are silent on all data, and after
it, for comparison, on a single batch. After each epoch it is checked whether units that were dead have come back. One
unit of the first layer is then watched, step by step, as it dies.

A unit may be dead from the start, too. In a deep and narrow network that happens to a whole layer, and then the network
is silent. How often, a formula tells, and counting confirms it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .. import cross_entropy, data, dead_units, fit, nn, optim, predict, random
from .born_dead import BornDead, born_dead_table
from .findings import Findings, Spread
from .workers import each

__all__ = ["Death", "Dying", "Rate", "run"]

_ROWS, _BATCH, _HIDDEN = 300, 30, (64, 64)
_WINDOW = 12  # steps shown before and after a death


@dataclass(frozen=True)
class Rate:
    """Fate of the networks that were trained with one learning rate; the lists go by hidden layers."""

    lr: float
    dead: list[Spread]  # the share of units that are silent on all data
    silent_on_batch: list[Spread]  # on a single batch, on average over the batches
    zeros: list[Spread]  # the share of activations that are 0, whether of dead units or of living ones
    came_back: list[int]  # how often a unit was dead after one epoch and not after the next, in all runs
    dead_of_all: Spread  # the share in both layers together
    error: Spread  # the share of training rows that are classified wrongly
    diverged: int  # the runs that ended with a loss that was not finite


@dataclass(frozen=True)
class Death:
    """A unit of the first layer, before and after the step that kills it; entry i is ``steps[i]`` steps from it.

    Entry 0 shows what the killing step found and the gradient that it followed, entry 1 what it left behind.
    """

    lr: float
    seed: int
    unit: int
    step: int  # the number of the killing step, from 0
    steps: list[int]
    highest: list[float]  # the largest of the unit's sums over all rows
    lowest: list[float]
    active: list[float]  # the share of rows with a sum above 0
    parameters: list[list[float]]  # both weights, and the bias
    gradient: list[float]  # its length, on the batch of the step
    steps_after: int  # how many there were in all after the killing step
    largest_gradient_after: float
    moved_after: float  # how far any of its parameters has gone since


@dataclass(repr=False)
class Dying(Findings):
    """Dead units against the learning rate, the death of one, and networks that are born dead."""

    seeds: list[int]
    dead_at_start: list[Spread]  # by hidden layers, before the first step; the same networks for all rates
    rates: list[Rate]
    death: Death | None  # None if in the run that was watched no unit died
    born: BornDead


def run(
    rates: Sequence[float] = (0.1, 0.3, 0.6, 1.0, 1.25, 1.5, 2.0, 3.0),
    seeds: int = 8,
    epochs: int = 40,
    networks: int = 2000,
    *,
    watched_rate: float = 2.0,
    executor: Executor | None = None,
    progress: bool = False,
) -> Dying:
    """Train with each of the ``rates`` and seeds, watch a unit at ``watched_rate``, and count the born dead.

    ``networks``: how many are drawn for each depth and width.

    >>> found = run([0.1], seeds=1, epochs=2, networks=50, executor=lab.Serial())
    >>> found.rates[0].came_back[0]
    0
    """
    label = "dying" if progress else ""
    jobs = [(lr, seed, epochs) for lr in rates for seed in range(seeds)]
    outcomes = each(_train, jobs, executor, label)
    by_rate = [_rate(lr, outcomes[i * seeds : (i + 1) * seeds]) for i, lr in enumerate(rates)]
    born = born_dead_table((2, 5, 10, 15, 20), (2, 3, 4, 6, 10), networks, executor=executor, progress=progress)
    at_start = [Spread.of(layer) for layer in zip(*(outcome.dead_at_start for outcome in outcomes[:seeds]))]
    return Dying(list(range(seeds)), at_start, by_rate, _watch(watched_rate, 0, epochs), born)


@dataclass(frozen=True)
class _Outcome:
    """One trained network; the lists go by hidden layers."""

    dead_at_start: list[float]
    dead: list[float]
    silent_on_batch: list[float]
    zeros: list[float]
    came_back: list[int]
    error: float
    diverged: bool


def _train(lr: float, seed: int, epochs: int) -> _Outcome:
    """Train one network and count its dead units, after each epoch and at the end."""
    with random.seeded(seed):
        X, y = data.spirals(_ROWS, classes=3)
        model = nn.MLP(2, _HIDDEN, 3)
        at_start = _silent_shares(model, X)
        after: list[list[set[int]]] = []  # the dead of each layer after each epoch
        diverged = False
        try:
            fit(
                model,
                X,
                y,
                optimizer="sgd",
                lr=lr,
                epochs=epochs,
                batch_size=_BATCH,
                progress=False,
                callback=lambda history: after.append([set(layer.dead) for layer in dead_units(model, X).layers]),
            )
        except FloatingPointError:
            diverged = True
    layers = dead_units(model, X).layers
    on_batches = [_silent_shares(model, X[start : start + _BATCH]) for start in range(0, _ROWS, _BATCH)]
    return _Outcome(
        at_start,
        _silent_shares(model, X),
        np.mean(on_batches, axis=0).tolist(),
        [layer.sparsity for layer in layers],
        [sum(len(a[i] - b[i]) for a, b in pairwise(after)) for i in range(len(layers))],
        float(np.mean(predict(model, X).argmax(axis=1) != y)),
        diverged,
    )


def _silent_shares(model: nn.Module, X: np.ndarray) -> list[float]:
    """The share of units in each layer that are silent on all these rows."""
    return [len(layer.dead) / layer.units for layer in dead_units(model, X).layers]


def _rate(lr: float, outcomes: list[_Outcome]) -> Rate:
    """The outcomes of all seeds with one learning rate, brought together."""

    def by_layer(name: str) -> list[Spread]:
        return [Spread.of(values) for values in zip(*(getattr(outcome, name) for outcome in outcomes))]

    return Rate(
        lr,
        by_layer("dead"),
        by_layer("silent_on_batch"),
        by_layer("zeros"),
        np.sum([outcome.came_back for outcome in outcomes], axis=0).tolist(),
        Spread.of(float(np.mean(outcome.dead)) for outcome in outcomes),  # the layers are equally wide
        Spread.of(outcome.error for outcome in outcomes),
        sum(outcome.diverged for outcome in outcomes),
    )


# ---------------------------------------------------------------------- the death of a unit


@dataclass
class _Record:
    """The first layer at each step: before it, but for the gradients, which are those that it followed."""

    highest: np.ndarray  # (steps, units)
    lowest: np.ndarray
    active: np.ndarray
    parameters: np.ndarray  # (steps, units, 3)
    gradient: np.ndarray  # (steps, units)


def _watch(lr: float, seed: int, epochs: int) -> Death | None:
    """Train one network step by step, and pick the unit of its first layer that was most alive just before it died."""
    record = _recorded(lr, seed, epochs)
    dead = record.active == 0
    # The last step before which a unit lived is the one that killed it, if it was dead ever after.
    killed_at = np.where(dead[-1], len(dead) - 1 - np.argmin(dead[::-1], axis=0), -1)
    in_sight = (killed_at >= _WINDOW) & (killed_at < len(dead) - 1 - _WINDOW) & ~dead.all(axis=0)
    if not in_sight.any():
        return None
    last_active = record.active[killed_at, np.arange(dead.shape[1])]
    unit = int(np.argmax(np.where(in_sight, last_active, -1.0)))
    step = int(killed_at[unit])
    shown = slice(step - _WINDOW, step + _WINDOW + 1)
    after = record.parameters[step + 1 :, unit]
    return Death(
        lr,
        seed,
        unit,
        step,
        list(range(-_WINDOW, _WINDOW + 1)),
        record.highest[shown, unit].tolist(),
        record.lowest[shown, unit].tolist(),
        record.active[shown, unit].tolist(),
        record.parameters[shown, unit].tolist(),
        record.gradient[shown, unit].tolist(),
        len(after),
        float(record.gradient[step + 1 :, unit].max()),
        float(abs(after - after[0]).max()),
    )


def _recorded(lr: float, seed: int, epochs: int) -> _Record:
    """The training loop by hand, with a look at the first layer in each step."""
    looks: list[tuple[np.ndarray, ...]] = []
    with random.seeded(seed):
        X, y = data.spirals(_ROWS, classes=3)
        model = nn.MLP(2, _HIDDEN, 3)
        first, optimizer = model[0], optim.SGD(model.parameters(), lr=lr)
        for _ in range(epochs):
            for xb, yb in data.batches(X, y, _BATCH):
                loss = cross_entropy(model(xb), yb)
                optimizer.zero_grad()
                loss.backward()
                sums = predict(first, X)
                parameters = np.column_stack([first.weight.data, first.bias.data])
                slopes = np.column_stack([first.weight.grad.data, first.bias.grad.data])
                length = np.sqrt((slopes**2).sum(axis=1))
                looks.append((sums.max(axis=0), sums.min(axis=0), (sums > 0).mean(axis=0), parameters, length))
                optimizer.step()
    return _Record(*(np.array(column) for column in zip(*looks)))
