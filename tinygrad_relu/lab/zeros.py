"""Zeros: how many pre-activations of a network are exactly 0, by chance or for a reason, and what chance would give."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import Tensor, nn

__all__ = ["Zeros", "counting", "poisson_interval"]

_NEAR = 0.05  # the density at 0 is that of values nearer to it than this


@dataclass
class Zeros:
    """How many pre-activations were exactly 0, of how many. Those of the same place and precision can be added."""

    where: str
    dtype: str
    values: int = 0
    zeros: int = 0  # by chance
    for_a_reason: int = 0  # where nothing was added up, and the bias is 0
    expected: float | None = 0.0  # of those by chance; None where it depends on the order in which BLAS adds

    @property
    def rate(self) -> float:
        """Zeros by chance, as a share of all values."""
        return self.zeros / self.values

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that rate."""
        low, high = poisson_interval(self.zeros)
        return low / self.values, high / self.values

    def __add__(self, other: Zeros) -> Zeros:
        return Zeros(
            self.where,
            self.dtype,
            self.values + other.values,
            self.zeros + other.zeros,
            self.for_a_reason + other.for_a_reason,
            None if self.expected is None or other.expected is None else self.expected + other.expected,
        )


@contextmanager
def counting(model: nn.Sequential, where: str, dtype: str) -> Iterator[Zeros]:
    """Count in all forward passes of this block, over all Linear layers but the last; the counts grow meanwhile.

    >>> model = nn.MLP(2, [3], 1)
    >>> with counting(model, "two rows of 0", "float32") as found:
    ...     output = model(np.zeros((2, 2), np.float32))
    >>> found.values, found.zeros, found.for_a_reason
    (6, 0, 6)
    """
    found = Zeros(where, dtype)
    hidden = [layer for layer in model[:-1] if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_hook(functools.partial(_look, found)) for layer in hidden]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _look(found: Zeros, layer: Any, args: tuple[Any, ...], output: Tensor) -> None:
    """Count in the outputs of one layer for one batch."""
    z, bias = _array(output), _array(layer.bias)
    found.values += z.size
    # x w + b is 0 when x w is rounded to -b, which has as much room as there is from b to the next number.
    density = np.count_nonzero(np.abs(z) < _NEAR, axis=0) / (2 * _NEAR)
    assert found.expected is not None
    found.expected += float(density @ np.spacing(np.abs(bias)).astype(np.float64))
    if z.all():
        return
    x, weight = _array(args[0]), _array(layer.weight)
    for row, unit in zip(*np.nonzero(z == 0)):
        nothing = bias[unit] == 0 and not np.any(x[row] * weight[unit])
        found.for_a_reason += int(nothing)
        found.zeros += int(not nothing)


def _array(x: Any) -> np.ndarray:
    return x.detach().numpy() if isinstance(x, Tensor) else x


def poisson_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the mean of a Poisson law that gave this count (Garwood 1936).

    At its ends, a count so large, or so small, has a probability of 2.5 %.

    >>> low, high = poisson_interval(0)
    >>> low, round(high, 3)
    (0.0, 3.689)
    >>> [round(end, 2) for end in poisson_interval(10)]
    [4.8, 18.39]
    """
    low = _mean_with(lambda mean: 1 - _at_most(count - 1, mean) > 0.025, count) if count else 0.0
    return low, _mean_with(lambda mean: _at_most(count, mean) < 0.025, count)


def _at_most(count: int, mean: float) -> float:
    """The probability of that many or fewer."""
    return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(count + 1))


def _mean_with(reached: Callable[[float], bool], count: int) -> float:
    """The smallest mean with this property, which all larger ones have too."""
    low, high = 0.0, 2.0 * count + 10
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
