"""kink: where ReLU has no derivative: how often 0 is met, and whether it matters

To the left of 0 ReLU has the slope 0, to the right the slope 1, and at 0 itself none. The note says that one may ignore
this, since a value is hardly ever exactly 0. How often is it? That depends on how finely the numbers lie: those of
float16, float32 and float64 have 11, 24 and 53 binary digits. A pre-activation x w + b is exactly 0 when x w is
rounded to exactly -b. So the expected share of zeros is the density of pre-activations at 0, which is measured, times
the distance from b to the next number. Zeros are counted in networks at their start and in all steps of a training,
on the handwritten digits.

Some zeros have nothing to do with chance: where all units below are silent for a row and the bias is 0, nothing is
added up, and the result is 0 in any precision. Those are told apart, and counted in narrow networks at their start. For
symmetric weights their share in the k-th hidden layer is 1 - (1 - 2^-N)^(k - 1), where N is the width.

Then the same networks are trained with relu'(0) = 0, 1/2 and 1, from the same seeds, batch by batch alike. If no value
is ever 0, the weights must be the same to the last bit. And at last a gradient check at the kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_relu as tg

from .. import Tensor, nn, optim
from .findings import Findings, Spread
from .workers import each
from .zeros import Zeros, counting

__all__ = ["Blank", "Check", "Kink", "Training", "run", "sloped_relu"]

DTYPES = ("float16", "float32", "float64")
_SLOPES = (0.0, 0.5, 1.0)
WIDTH = 16  # of both hidden layers of the networks that are trained


class SlopedReLU(tg.Op):
    """max(x, 0), elementwise, with the slope at 0 that one asks for."""

    def forward(self, x, slope: float = 0.0):
        at_zero = np.asarray(slope, x.dtype)
        self.slope = np.where(x == 0, at_zero, (x > 0).astype(x.dtype))
        return np.maximum(x, 0)

    def backward(self, grad):
        return grad * self.slope


tg.register(SlopedReLU, name="relu_with_a_slope_at_0", method=False)
sloped_relu: Callable[..., Any] = SlopedReLU.function
tg.unregister("relu_with_a_slope_at_0")  # it works all the same, and no list of ops shows it


@dataclass
class Blank:
    """The share of pre-activations that are 0 for a reason, in narrow networks at their start."""

    width: int
    layer: int
    share: Spread  # over networks
    theory: float


@dataclass
class Training:
    """One network, trained with relu'(0) = 0, 1/2 and 1."""

    dtype: str
    seed: int
    zeros: int  # that were met with relu'(0) = 0
    distances: list[float]  # of the weights from those with relu'(0) = 0: the largest
    accuracies: list[float]  # on rows that were not trained on


@dataclass
class Check:
    """Verdict of tg.gradcheck on a slope at 0."""

    slope: float
    central: float
    left: float
    right: float
    judged: str  # "agrees", "at a kink" or "wrong"


@dataclass(repr=False)
class Kink(Findings):
    """How often 0 is met, and what comes of it."""

    zeros: list[Zeros]
    blanks: list[Blank]
    trainings: list[Training]
    checks: list[Check]


def run(
    seeds: int = 5, epochs: int = 5, *, starts: int = 400, narrow: int = 600, widths: tuple[int, ...] = (2, 3, 4),
    executor: Executor | None = None, progress: bool = False,
) -> Kink:  # fmt: skip
    """Count zeros, train with three slopes at 0, and check gradients there.

    ``seeds`` trainings of ``epochs`` epochs for each precision; ``starts`` untrained networks in float32, a fourth of
    that in float64, and a 64th in float16, in which NumPy is slow; ``narrow`` networks for each of the ``widths``.

    >>> found = run(seeds=1, epochs=1, starts=2, narrow=2, widths=(2,), executor=lab.Serial())
    >>> [check.judged for check in found.checks]
    ['at a kink', 'agrees', 'at a kink', 'wrong']
    """
    label = "kink" if progress else ""
    trained = each(_train_all, [(dtype, seed, epochs) for dtype in DTYPES for seed in range(seeds)], executor, label)
    counts = {"float16": starts / 64, "float32": starts, "float64": starts / 4}
    jobs = [
        (dtype, kind, part, math.ceil(counts[dtype] / 4)) for dtype in DTYPES for kind in _STARTS for part in range(4)
    ]
    at_start = each(_count_at_start, jobs, executor, label)
    shares = each(_count_reasons, [(width, 4, narrow) for width in widths], executor, label)
    blanks = [
        Blank(width, layer + 1, Spread.of(column), 1 - (1 - 2.0**-width) ** layer)
        for width, networks in zip(widths, shares)
        for layer, column in enumerate(zip(*networks))
    ]
    zeros = _added_up([*at_start, *(counted for _, counted in trained)])
    return Kink(zeros, blanks, [training for training, _ in trained], [_check(slope) for slope in (*_SLOPES, 2.0)])


# ---------------------------------------------------------------------- counting


def _network(width: int = 64) -> Any:
    """Two hidden layers for the digits; all weights and biases at random, as nn.Linear starts them."""
    layers = [nn.Linear(64, width), _Sloped(), nn.Linear(width, width), _Sloped(), nn.Linear(width, 10)]
    return nn.Sequential(*layers)


class _Sloped(nn.Module):
    """relu, with the slope at 0 that its attribute says."""

    slope = 0.0

    def forward(self, x):
        return sloped_relu(x, slope=self.slope)


_STARTS: dict[str, Callable[[], Any]] = {
    "start, random bias": _network,
    "start, bias 0": lambda: nn.MLP(64, [64, 64], 10),
}


def _count_at_start(dtype: str, kind: str, part: int, networks: int) -> Zeros:
    """The zeros in so many untrained networks, over all digits."""
    X = tg.data.digits()[0].astype(dtype)
    found = Zeros(kind, dtype)
    with tg.random.seeded(1000 + part), tg.no_grad():
        for _ in range(networks):
            model = _STARTS[kind]().to(dtype)
            with counting(model, kind, dtype) as zeros:
                model(X)
            found += zeros
    # Without a bias a sum must cancel by itself. NumPy adds float16 in float32 and rounds in the end, so that is known
    # too; in float32 and float64 the digits that are left of a sum depend on the order in which BLAS adds.
    known = dtype == "float16" or kind != "start, bias 0"
    return found if known else replace(found, expected=None)


def _added_up(parts: list[Zeros]) -> list[Zeros]:
    """One for each place and precision."""
    sums: dict[tuple[int, str], Zeros] = {}
    for part in parts:
        key = DTYPES.index(part.dtype), part.where
        sums[key] = sums[key] + part if key in sums else part
    return [sums[key] for key in sorted(sums)]


def _count_reasons(width: int, layers: int, networks: int) -> list[list[float]]:
    """For each narrow network, and each hidden layer of it, the share of zeros for a reason over some of the digits."""
    X = tg.data.digits()[0][::20]
    found = []
    with tg.random.seeded(2000 + width), tg.no_grad():
        for _ in range(networks):
            model, h = nn.MLP(64, [width] * layers, 10), X
            shares = []
            for layer in model[:-1]:
                silent = ~h.any(axis=1, keepdims=True)  # rows for which nothing is added up; all biases are 0
                h = layer(h).numpy()
                if isinstance(layer, nn.Linear):
                    shares.append(float((silent & (h == 0)).mean()))
            found.append(shares)
    return found


# ---------------------------------------------------------------------- training


def _train_all(dtype: str, seed: int, epochs: int) -> tuple[Training, Zeros]:
    """The same network with each slope at 0, and the zeros that were met with the first."""
    outcomes = [_train(dtype, seed, epochs, slope) for slope in _SLOPES]
    weights, accuracies, (zeros, *_) = zip(*outcomes)
    distances = [float(np.abs(each - weights[0]).max()) for each in weights]
    return Training(dtype, seed, zeros.zeros + zeros.for_a_reason, distances, list(accuracies)), zeros


def _train(dtype: str, seed: int, epochs: int, slope: float) -> tuple[np.ndarray, float, Zeros]:
    """All weights after training, the accuracy on other rows, and the zeros."""
    X, y = tg.data.digits("train")
    X_test, y_test = tg.data.digits("test")
    with tg.random.seeded(seed):
        model = _network(WIDTH).to(dtype)
        for layer in model:
            if isinstance(layer, _Sloped):
                layer.slope = slope
        optimizer = optim.SGD(model.parameters(), lr=0.2)
        with counting(model, "training", dtype) as zeros:
            for _ in range(epochs):
                for X_batch, y_batch in tg.data.batches(X.astype(dtype), y, batch_size=32):
                    loss = tg.cross_entropy(model(X_batch), y_batch)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
    weights = np.concatenate([each.ravel() for each in model.state_dict().values()]).astype(np.float64)
    right = tg.predict(model, X_test).argmax(axis=1) == y_test
    return weights, float(right.mean()), zeros


# ---------------------------------------------------------------------- the kink itself


def _check(slope: float) -> Check:
    """gradcheck of relu at 0, with this slope there."""
    report = tg.gradcheck(lambda x: sloped_relu(x, slope=slope), Tensor(0.0), raise_exception=False)
    judged = "at a kink" if report.kinks else "wrong" if report.wrong else "agrees"
    step = 1e-6
    left, middle, right = (float(tg.relu(np.float64(x))) for x in (-step, 0, step))
    return Check(slope, (right - left) / (2 * step), (middle - left) / step, (right - middle) / step, judged)
