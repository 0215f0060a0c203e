"""vanishing: ReLU does not lose the gradient, sigmoid does

A gradient goes back through a layer in two steps: the activation multiplies it by its slope, and the weights mix it.
The slope of sigmoid is 1/4 at most, that of ReLU is 0 or 1. Does ReLU keep the gradient where sigmoid loses it?

Networks of several depths, not trained yet, classify fifty handwritten digits. Measured is the root mean square (RMS)
of the loss's gradient at the output of each hidden layer, as a share of that at the last one, and from it the factor
by which one layer multiplies the gradient. Weights start as is usual for each activation: normal with n Var[W] = 1
(Xavier) for sigmoid and tanh, 2 (He) for ReLU; n is the number of inputs of a unit. Beside them stand tanh with the
older "standard" start, n Var[W] = 1/3, and ReLU with Xavier's. Theory for wide layers gives the factor
sqrt(n Var[W] E[f'(z)^2]), z being normal with the variance that sums have in this layer.

Second, Glorot and Bengio's measure: the mean singular value of the Jacobian of one layer, tanh(W x). For random W and
slopes near 1 it is 8 / (3 pi) sqrt(n Var[W]), by the quarter-circle law.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from .. import Tensor, cross_entropy, data, jacobian, linear, nn, random, tanh
from .findings import Findings, Spread
from .workers import each

__all__ = [
    "NETWORKS", "Decay", "Jacobians", "Network", "Vanishing", "expected_shares", "gradient_sizes",
    "mean_singular_value", "run",
]  # fmt: skip

WIDTH = 64  # units in each hidden layer, as many as a digit has pixels
TANH_LAYERS = 5  # of the networks whose Jacobians are taken
ROWS = 50  # digits in the batch
SMALL, ORDINARY = 0.01, 1.0  # the standard deviation of inputs for the Jacobians


@dataclass(frozen=True)
class Network:
    """A kind of network: the activation, how its weights start, and n Var[W], by which a layer spreads its inputs."""

    activation: str
    start: str
    variance: float

    def __str__(self) -> str:
        name = {"relu": "ReLU"}.get(self.activation, self.activation)
        return f"{name}, {self.start}"


NETWORKS = (
    Network("sigmoid", "Xavier", 1.0),
    Network("tanh", "Xavier", 1.0),
    Network("tanh", "standard", 1 / 3),
    Network("relu", "He", 2.0),
    Network("relu", "Xavier", 1.0),
)
"""The kinds of network that are compared."""


@dataclass
class Decay:
    """How the gradient shrinks on its way down through networks of one kind and one depth."""

    network: str
    depth: int  # hidden layers
    shares: list[Spread]  # log10 of the gradient's RMS at each hidden layer / that at the last, first layer first
    factor: Spread  # by which one layer multiplies the RMS, fitted over all layers
    expected: list[float]  # the shares in theory, for wide layers
    expected_factor: float


@dataclass
class Jacobians:
    """The mean singular value of the Jacobian of each layer of tanh networks, first layer first."""

    start: str
    inputs: float  # the standard deviation of the network's inputs
    formula: float
    layers: list[Spread]
    mean: Spread  # over all layers and seeds


@dataclass(repr=False)
class Vanishing(Findings):
    """The gradients, and the singular values."""

    seeds: list[int]
    decays: list[Decay]
    jacobians: list[Jacobians]

    def deepest(self, network: Network) -> Decay:
        """Findings for the deepest networks of this kind."""
        return max((decay for decay in self.decays if decay.network == str(network)), key=lambda decay: decay.depth)


def run(
    depths: Sequence[int] = (2, 5, 10, 20), seeds: int = 20, *, executor: Executor | None = None, progress: bool = False
) -> Vanishing:
    """Measure the gradient in networks with these numbers of hidden layers, 2 or more, and Jacobians of tanh layers.

    >>> found = run([2, 4], seeds=2, executor=lab.Serial())
    >>> [decay.depth for decay in found.decays[:2]], len(found.jacobians)
    ([2, 4], 4)
    >>> found.deepest(NETWORKS[0]).expected_factor < 0.25
    True
    """
    if min(depths) < 2:
        raise ValueError(f"vanishing: a share needs two hidden layers, so depths are 2 or more; got {min(depths)}")
    label = "vanishing" if progress else ""
    kinds = [(net, depth) for net in NETWORKS for depth in depths]
    sizes = each(_sizes, [(*kind, seed) for kind in kinds for seed in range(seeds)], executor, label)
    layers = [(start, inputs) for inputs in (SMALL, ORDINARY) for start in ("standard", "normalised")]
    values = each(_singular_values, [(*layer, seed) for layer in layers for seed in range(seeds)], executor, label)
    return Vanishing(
        list(range(seeds)),
        [_decay(*kind, sizes[i * seeds : (i + 1) * seeds]) for i, kind in enumerate(kinds)],
        [_jacobians(*layer, values[i * seeds : (i + 1) * seeds]) for i, layer in enumerate(layers)],
    )


# ---------------------------------------------------------------------- gradients


def _sizes(net: Network, depth: int, seed: int) -> list[float]:
    """The gradient's RMS at each hidden layer of one network."""
    X, y = data.digits()
    X = data.standardize(X)[0]
    with random.seeded(seed) as rng:
        rows = rng.choice(len(X), ROWS, replace=False)
        model = nn.MLP(X.shape[1], [WIDTH] * depth, 10, activation=net.activation)
        for layer in model[:-1]:
            if isinstance(layer, nn.Linear):
                _start(layer.weight, net.start)
    return gradient_sizes(model, X[rows], y[rows])


def _start(weight: Tensor, start: str) -> None:
    """Draw the weights; ``normalised`` is what Xavier Glorot called it, with evenly drawn numbers."""
    if start == "He":
        nn.init.kaiming_normal_(weight, nonlinearity="relu")
    elif start == "Xavier":
        nn.init.xavier_normal_(weight)
    elif start == "normalised":
        nn.init.xavier_uniform_(weight)
    else:
        bound = 1 / math.sqrt(weight.shape[1])
        nn.init.uniform_(weight, -bound, bound)


def gradient_sizes(model: nn.Sequential, X, y) -> list[float]:
    """The RMS of the cross-entropy's gradient at the output of each hidden layer of ``model``, first layer first.

    ``model``: Linear layers with other modules between; what comes out of those others counts as a hidden layer.

    >>> model = nn.MLP(2, [8, 8], 2)
    >>> len(gradient_sizes(model, *data.moons(10, seed=0)))
    2
    """
    hidden = []
    output = X
    for layer in model:
        output = layer(output)
        if not isinstance(layer, nn.Linear):
            output.retain_grad()
            hidden.append(output)
    cross_entropy(output, y).backward()
    return [float(np.sqrt(np.mean(each.grad.numpy().astype(float) ** 2))) for each in hidden]


def _decay(net: Network, depth: int, sizes: list[list[float]]) -> Decay:
    """Summary over the seeds; each item of ``sizes`` is one network."""
    shares = np.log10([np.array(each) / each[-1] for each in sizes])
    expected = expected_shares(net.activation, net.variance, depth)
    return Decay(
        str(net),
        depth,
        [Spread.of(layer) for layer in shares.T],
        Spread.of(_factor(each) for each in shares),
        expected,
        _factor(np.log10(expected)),
    )


def _factor(shares: np.ndarray) -> float:
    """By what one layer multiplies: a straight line through the logarithms of the shares."""
    slope = np.polyfit(np.arange(len(shares)), shares, 1)[0]
    return float(10**-slope)


def expected_shares(activation: str, variance: float, depth: int) -> list[float]:
    """The gradient's RMS at each of ``depth`` hidden layers / that at the last, in theory; first layer first.

    For very wide layers, biases of 0 and inputs of mean square 1. Sums are then normal, with n Var[W] = ``variance``
    times the mean square of what comes in as their variance, and a layer multiplies the gradient's mean square by
    variance * E[f'(z)^2] (Schoenholz et al. 2017, "Deep information propagation"). The means are taken by
    Gauss-Hermite quadrature.

    >>> np.round(expected_shares("relu", 1.0, 3), 4)
    array([0.5   , 0.7071, 1.    ])
    """
    activate = nn.MLP(1, [1], 1, activation=activation)[1]
    normal, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    square = 1.0  # mean, of what comes into the layer
    factors = []
    for _ in range(depth):
        z = Tensor(normal * math.sqrt(variance * square), requires_grad=True)
        output = activate(z)
        output.backward(np.ones(z.shape))
        assert z.grad is not None
        factors.append(math.sqrt(variance * (weights @ z.grad.numpy() ** 2)))
        square = weights @ output.detach().numpy() ** 2
    return [math.prod(factors[layer + 1 :], start=1.0) for layer in range(depth)]


# ---------------------------------------------------------------------- Jacobians


def _singular_values(start: str, inputs: float, seed: int) -> list[float]:
    """The mean singular value of the Jacobian of each tanh layer, at one random input."""
    means = []
    with random.seeded(seed) as rng:
        x = Tensor(rng.normal(0, inputs, WIDTH).astype(np.float32))
        for _ in range(TANH_LAYERS):
            weight = Tensor(np.empty((WIDTH, WIDTH), np.float32))
            _start(weight, start)
            slopes = jacobian(lambda x, weight=weight: tanh(linear(x, weight)), x)
            means.append(float(np.linalg.svd(slopes.numpy(), compute_uv=False).mean()))
            x = tanh(linear(x, weight))
    return means


def _jacobians(start: str, inputs: float, means: list[list[float]]) -> Jacobians:
    formula = mean_singular_value(1 / 3 if start == "standard" else 1.0)
    layers = [Spread.of(layer) for layer in zip(*means)]
    return Jacobians(start, inputs, formula, layers, Spread.of(np.ravel(means)))


def mean_singular_value(variance: float) -> float:
    """8 / (3 pi) sqrt(variance): of a large square matrix of independent numbers W with n Var[W] = ``variance``.

    Singular values then lie by the quarter-circle law between 0 and 2 sqrt(variance) (Marchenko and Pastur 1967).

    >>> round(mean_singular_value(1 / 3), 4), round(mean_singular_value(1.0), 4)
    (0.4901, 0.8488)
    """
    return 8 / (3 * math.pi) * math.sqrt(variance)
