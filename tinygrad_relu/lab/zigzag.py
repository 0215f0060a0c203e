"""zigzag: inputs of one sign, and the zigzag of the weights that they feed

For one example the gradient of a unit's weights is the gradient of the unit times its inputs. If the inputs are all
positive, as the outputs of ReLU or sigmoid are, then all of the weights must grow together or shrink together. Where
one should grow and another shrink, they can only get there in zigzags. How much of that is left in practice?

Networks of two hidden layers learn the digits for two epochs. Then, with the weights held fixed, the gradients of the
second layer's weights are looked at for single examples and for batches: how many units have weight gradients of one
sign only, how often the gradient of the unit itself is positive, and how many units the next draw pulls back: the angle
between the two weight gradients is more than 120 degrees.

Then the smallest case that shows the mechanism: one linear unit with two inputs, whose right weights are 1 and -1. Its
inputs are all positive, or the same ones less their mean. The Hessian of this loss is the same everywhere, and its
condition number says how many times more the valley is curved across than along. Counted are the steps until a
twentieth of the way is left, and among them the reversals, which turn by more than a right angle, and those that move
both weights together, up or down. The length of a path is told as a multiple of the straight line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import Tensor, cross_entropy, data, fit, grad, hessian, nn, random, relu
from .findings import Findings, Spread
from .workers import each

__all__ = ["GOAL", "Course", "Signs", "Zigzag", "run"]

_ROWS = 1792  # of the digits, in 56 batches of 32
_DRAWS = 40  # examples or batches whose gradients are looked at
_AGAINST = -0.5  # a cosine below this is called a reversal
_START, GOAL = (-1.0, 0.0), (1.0, -1.0)
_NEAR = 0.05  # the share of the way from start to goal that counts as arrived


@dataclass(frozen=True)
class Signs:
    """The weight gradients of one kind of network; the lists go by the sizes of the batches."""

    network: str
    first_layer: list[Spread]  # the share of units whose weight gradients all have one sign; the inputs are pixels
    second_layer: list[Spread]  # the inputs are the outputs of the first layer
    reversals: list[Spread]  # the share of units of the second layer that the next draw pulls back, cosine below -1/2
    positive: Spread  # the share of units of the second layer with a gradient above 0, for single examples


@dataclass(frozen=True)
class Course:
    """Descents of the unit with two weights from (-1, 0) to (1, -1), over several seeds."""

    inputs: str  # "positive" or "centred"
    way: str  # "one example", "all examples" or "all examples, best rate"
    lr: Spread
    condition: Spread  # of the Hessian: its larger eigenvalue by the smaller
    steps: Spread  # until a twentieth of the way is left
    reversals: Spread  # steps by more than a right angle off the one before
    together: Spread  # the share of steps in which both weights grow or both shrink
    length: Spread  # of the path, where the straight line has 1
    points: list[list[float]]  # the path of the first seed
    hessian: list[list[float]]  # of the first seed


@dataclass(repr=False)
class Zigzag(Findings):
    """Signs of weight gradients for several activations, and the paths of two weights."""

    seeds: list[int]
    batch_sizes: list[int]
    signs: list[Signs]
    courses: list[Course]


def run(
    seeds: int = 6,
    batch_sizes: Sequence[int] = (1, 4, 16, 64),
    lr: float = 0.3,
    *,
    executor: Executor | None = None,
    progress: bool = False,
) -> Zigzag:
    """Look at the gradients of networks of seven kinds, and send two weights down their valley with ``lr``.

    ``batch_sizes``: from 1 on, which stands for single examples. ValueError if they do not begin with 1.

    >>> found = run(seeds=1, batch_sizes=[1], executor=lab.Serial())
    >>> [(signs.network, signs.second_layer[0].mean) for signs in found.signs][:1]
    [('relu', 1.0)]
    """
    if list(batch_sizes)[:1] != [1]:
        raise ValueError(f"zigzag: batch_sizes begin with 1, for single examples, got {list(batch_sizes)}")
    jobs = [(network, seed, tuple(batch_sizes)) for network in _NETWORKS for seed in range(seeds)]
    looks = each(_look, jobs, executor, "zigzag" if progress else "")
    signs = [_signs(network, looks[i * seeds : (i + 1) * seeds]) for i, network in enumerate(_NETWORKS)]
    courses = [_course(inputs, way, lr, seeds) for inputs in ("positive", "centred") for way in _WAYS]
    return Zigzag(list(range(seeds)), list(batch_sizes), signs, courses)


# ---------------------------------------------------------------------- the signs of gradients in a network


class _CentredReLU(nn.Module):
    """ReLU less 1 / sqrt(2 pi), its mean for a standard normal input."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(x) - (2 * np.pi) ** -0.5


_NETWORKS: dict[str, tuple[Any, bool]] = {  # the activation, and whether the pixels are centred
    "relu": ("relu", False),
    "relu, pixels centred": ("relu", True),
    "relu minus its mean": (_CentredReLU, False),
    "leaky_relu": ("leaky_relu", False),
    "elu": ("elu", False),
    "tanh": ("tanh", False),
    "sigmoid": ("sigmoid", False),
}


@dataclass(frozen=True)
class _Look:
    """One network; the lists go by batch sizes."""

    first_layer: list[float]
    second_layer: list[float]
    reversals: list[float]
    positive: float


def _look(network: str, seed: int, batch_sizes: tuple[int, ...]) -> _Look:
    """Train a network for a while, and look at its gradients."""
    activation, centred = _NETWORKS[network]
    X, y = data.digits()
    X, y = X[:_ROWS], y[:_ROWS]
    if centred:
        X = X - X.mean(axis=0)
    with random.seeded(seed) as rng:
        model = nn.MLP(64, [32, 32], 10, activation=activation)
        fit(model, X, y, optimizer="sgd", lr=0.1, epochs=2, batch_size=32, progress=False)
        by_size = []
        for size in batch_sizes:
            rows = [rng.choice(_ROWS, size, replace=False) for _ in range(_DRAWS)]
            by_size.append([_gradients(model, X[chosen], y[chosen]) for chosen in rows])
    return _Look(
        [_one_signed([first for first, _, _ in draws]) for draws in by_size],
        [_one_signed([second for _, second, _ in draws]) for draws in by_size],
        [_reversals([second for _, second, _ in draws]) for draws in by_size],
        _positive([of_units for _, _, of_units in by_size[0]]),
    )


def _gradients(model: Any, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of the weights of both hidden layers, (units, inputs), and of the units of the second.

    The gradient of a unit is that of its bias, which it is added to.
    """
    first, second = model[0], model[2]
    found = grad(cross_entropy(model(X), y), [first.weight, second.weight, second.bias])
    return tuple(each.data for each in found if each is not None)  # type: ignore[return-value]


def _one_signed(gradients: list[np.ndarray]) -> float:
    """The share of units whose gradients, zeros apart, have one sign; left out are those with fewer than two."""
    positive = np.concatenate([(each > 0).sum(axis=1) for each in gradients])
    negative = np.concatenate([(each < 0).sum(axis=1) for each in gradients])
    counted = positive + negative >= 2
    return float(((positive == 0) | (negative == 0))[counted].mean())


def _reversals(gradients: list[np.ndarray]) -> float:
    """The share of units whose gradient lies against that of the next draw; left out are those with none in one."""
    before, after = (np.concatenate(each).astype(np.float64) for each in (gradients[:-1], gradients[1:]))
    lengths = np.sqrt((before**2).sum(axis=1) * (after**2).sum(axis=1))
    moved = lengths > 0
    cosines = (before * after).sum(axis=1)[moved] / lengths[moved]
    return float((cosines < _AGAINST).mean())


def _positive(gradients: list[np.ndarray]) -> float:
    """The share of gradients above 0 among those that are not 0."""
    every = np.concatenate(gradients)
    return float((every[every != 0] > 0).mean())


def _signs(network: str, looks: list[_Look]) -> Signs:
    """The looks of all seeds at one kind of network, brought together."""

    def by_size(name: str) -> list[Spread]:
        return [Spread.of(values) for values in zip(*(getattr(look, name) for look in looks))]

    positive = Spread.of(look.positive for look in looks)
    return Signs(network, by_size("first_layer"), by_size("second_layer"), by_size("reversals"), positive)


# ---------------------------------------------------------------------- two weights on their way

_WAYS = ("one example", "all examples", "all examples, best rate")


@dataclass(frozen=True)
class _Path:
    points: np.ndarray  # (steps + 1, 2)
    hessian: np.ndarray
    lr: float


def _course(inputs: str, way: str, lr: float, seeds: int) -> Course:
    """Descents with the data of each seed, and what they have in common."""
    paths = [_descend(inputs, way, lr, seed) for seed in range(seeds)]
    steps = [np.diff(path.points, axis=0) for path in paths]
    straight = np.subtract(GOAL, _START)
    return Course(
        inputs,
        way,
        Spread.of(path.lr for path in paths),
        Spread.of(np.linalg.cond(path.hessian) for path in paths),
        Spread.of(len(each) for each in steps),
        Spread.of(((each[1:] * each[:-1]).sum(axis=1) < 0).sum() for each in steps),
        Spread.of((each[:, 0] * each[:, 1] > 0).mean() for each in steps),
        Spread.of(np.hypot(*each.T).sum() / np.hypot(*straight) for each in steps),
        paths[0].points.tolist(),
        paths[0].hessian.tolist(),
    )


def _descend(inputs: str, way: str, lr: float, seed: int) -> _Path:
    """Gradient descent from the start until a twentieth of the way is left, or for 500 steps."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.2, 1.8, (40, 2))
    if inputs == "centred":
        X = X - X.mean(axis=0)
    loss = _loss_of(X)
    w = Tensor(np.array(_START), requires_grad=True)
    curvature = hessian(lambda weights: loss(weights, slice(None)), w).data
    rate = 2 / np.trace(curvature) if way == "all examples, best rate" else lr  # 2 by the sum of the eigenvalues
    points = [np.array(_START)]
    near = _NEAR * np.linalg.norm(np.subtract(GOAL, _START))
    while np.linalg.norm(points[-1] - GOAL) > near and len(points) <= 500:
        rows = [int(rng.integers(len(X)))] if way == "one example" else slice(None)
        w = Tensor(points[-1], requires_grad=True)
        (slope,) = grad(loss(w, rows), w)
        assert slope is not None
        points.append(points[-1] - rate * slope.data)
    return _Path(np.array(points), curvature, float(rate))


def _loss_of(X: np.ndarray) -> Callable[[Tensor, Any], Tensor]:
    """Half the mean squared error on some of the rows; the weights of ``GOAL`` make no error."""
    targets = X @ GOAL
    return lambda w, rows: ((X[rows] @ w - targets[rows]) ** 2).mean() / 2
