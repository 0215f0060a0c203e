"""Born dead: how often a ReLU network puts out nothing before it was ever trained, by formula and by counting.

A layer of N units with symmetric weights and no biases gets a fixed input that is not 0. Each sum is negative with
probability 1/2, independently of the others, so all N are silent with probability 2^-N; then nothing reaches the layers
above. A network of H such layers is dead at that input with probability 1 - (1 - 2^-N)^H, whatever the input and
whatever the symmetric law of the weights (Lu, Shin, Su and Karniadakis 2019, "Dying ReLU and initialization: theory and
numerical examples", arXiv 1903.06733).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import relu
from ..record.words import plural
from .findings import Table, wilson_interval
from .workers import each

__all__ = ["BornDead", "Cell", "born_dead_probability", "born_dead_table"]

_AT_ONCE = 1000  # networks whose weights are held in memory together


def born_dead_probability(depth: int, width: int) -> float:
    """1 - (1 - 2^-width)^depth: the probability that a network is silent at a fixed input that is not 0.

    ``depth``: the number of hidden layers. ``width``: of each of them. ValueError for sizes below 1.

    >>> round(born_dead_probability(depth=1, width=2), 9)
    0.25
    >>> round(born_dead_probability(depth=9, width=2), 4)
    0.9249
    """
    if depth < 1 or width < 1:
        raise ValueError(f"born_dead_probability: depth and width are at least 1, got {depth} and {width}")
    return -math.expm1(depth * math.log1p(-(2.0**-width)))


@dataclass(frozen=True)
class Cell:
    """Of so many networks with ``depth`` hidden layers of ``width`` units each, so many were silent."""

    depth: int
    width: int
    networks: int
    dead: int
    estimate: float  # the share that was counted
    exact: float  # the probability p by the formula
    standard_error: float  # how far such a share is from p, typically: sqrt(p (1 - p) / networks)
    z: float  # the distance of the two in standard errors; by chance alone its square is 1 on average

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share that was counted.

        >>> Cell.of(depth=1, width=10, networks=300, dead=0).interval[0]
        0.0
        """
        return wilson_interval(self.estimate, self.networks)

    @staticmethod
    def of(depth: int, width: int, networks: int, dead: int) -> Cell:
        """The cell of this count.

        >>> round(Cell.of(depth=1, width=2, networks=300, dead=80).standard_error, 9)
        0.025
        """
        exact = born_dead_probability(depth, width)
        error = math.sqrt(_variance(depth, width) / networks)
        return Cell(depth, width, networks, dead, dead / networks, exact, error, (dead / networks - exact) / error)


def _variance(depth: int, width: int) -> float:
    """Of a single network, which is silent (1) or not (0): p (1 - p)."""
    alive = math.exp(depth * math.log1p(-(2.0**-width)))  # for great depths 1 - p would be 0
    return born_dead_probability(depth, width) * alive


@dataclass(frozen=True)
class BornDead:
    """Counts beside the formula, cell by cell.

    ``chi_square`` is the sum of z^2 over all cells. If the formula is right it is near ``len(cells)``, and ``score``
    says how near, in standard deviations: beyond 4 either way the formula, or the program, is wrong.
    """

    seed: int
    cells: list[Cell]
    chi_square: float
    score: float

    @staticmethod
    def of(seed: int, cells: list[Cell]) -> BornDead:
        """The cells with their summary.

        The variance of z^2 for a count of n with probability p is 2 + (1 - 6 p (1 - p)) / (n p (1 - p)), exactly.
        """
        chi_square = sum(cell.z**2 for cell in cells)
        variances = [(_variance(cell.depth, cell.width), cell.networks) for cell in cells]
        deviation = math.sqrt(sum(2 + (1 - 6 * pq) / (n * pq) for pq, n in variances))
        return BornDead(seed, cells, chi_square, (chi_square - len(cells)) / deviation)

    @property
    def farthest(self) -> Cell:
        """The cell with the z farthest from 0."""
        return max(self.cells, key=lambda cell: abs(cell.z))

    def table(self) -> Table:
        """A row for each cell: the share counted, its standard error, the formula, the distance."""
        rows = [
            [
                f"{cell.depth}",
                f"{cell.width}",
                f"{cell.estimate:.4f} ± {cell.standard_error:.4f}",
                f"{cell.exact:.4f}",
                f"{cell.z:+.1f}",
            ]
            for cell in self.cells
        ]
        columns = ["hidden layers", "width", "silent", "1-(1-2^-N)^H", "z"]
        return Table(f"born dead at one input, {plural(self.cells[0].networks, 'network')} each", columns, rows)


def born_dead_table(
    depths: Iterable[int] = range(2, 21),
    widths: Iterable[int] = range(2, 11),
    networks: int = 10_000,
    seed: int = 0,
    executor: Executor | None = None,
    progress: bool = False,
) -> BornDead:
    """Count the networks that are silent at a random input, for all pairs of ``depths`` and ``widths``.

    Each cell is a piece of work with random numbers of its own, which depend on ``seed``, depth and width alone, so
    that it has the same count in any table and on any executor. As it stands the whole takes some ten seconds of one
    core. ValueError for sizes below 1.

    >>> table = born_dead_table([1, 9], [2], networks=1000, executor=lab.Serial())
    >>> [round(cell.exact, 4) for cell in table.cells], all(abs(cell.z) < 4 for cell in table.cells)
    ([0.25, 0.9249], True)
    """
    depths = list(depths)
    jobs = [(depth, width, networks, seed) for width in widths for depth in depths]
    if not jobs or any(number < 1 for job in jobs for number in job[:3]):
        raise ValueError("born_dead_table: needs some depths and widths, and networks, all at least 1")
    return BornDead.of(seed, each(_count, jobs, executor, "born dead" if progress else ""))


def _count(depth: int, width: int, networks: int, seed: int) -> Cell:
    """Draw the networks of one cell and count those whose last hidden layer is 0 everywhere."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(depth, width)))
    starts = range(0, networks, _AT_ONCE)
    dead = sum(_silent(depth, width, min(_AT_ONCE, networks - start), rng) for start in starts)
    return Cell.of(depth, width, networks, dead)


def _silent(depth: int, width: int, networks: int, rng: np.random.Generator) -> int:
    """How many of these networks are silent; each has an input and weights of its own."""
    h: Any = rng.standard_normal((networks, width))
    for _ in range(depth):
        weights = rng.normal(0, math.sqrt(2 / width), (networks, width, width))  # of He et al. 2015
        h = relu(np.einsum("noi,ni->no", weights, h))
    return int((h == 0).all(axis=1).sum())
