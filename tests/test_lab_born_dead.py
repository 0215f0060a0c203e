"""Born dead: the formula against the literature, and the counts against the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_relu import lab
from tinygrad_relu.lab.born_dead import BornDead, Cell, born_dead_probability, born_dead_table


@pytest.mark.parametrize(
    "depth, width, probability",
    [
        (1, 1, 1 / 2),
        (1, 2, 1 / 4),
        (2, 1, 3 / 4),  # silent after one layer or after the other
        (9, 2, 0.9249),
        (9, 3, 0.6993),
        (9, 4, 0.4406),
        (9, 5, 0.2485),
        (9, 10, 0.0088),
        (20, 4, 0.7249),
        (1, 40, 2.0**-40),
    ],
)
def test_the_formula(depth, width, probability):
    """1 - (1 - 2^-N)^H, worked out apart to four digits; where it is tiny, no digits are lost."""
    assert born_dead_probability(depth, width) == pytest.approx(probability, abs=5e-5, rel=1e-9)
    assert born_dead_probability(depth, width) == pytest.approx(1 - (1 - 0.5**width) ** depth, rel=1e-3)


def silent_by_loops(depth, width, networks):
    """The share of silent networks, written once more: uniform weights, one network after the other."""
    rng = np.random.default_rng(7)
    silent = 0
    for _ in range(networks):
        signal = rng.uniform(-1, 1, 5)  # an input of another size, too
        for _ in range(depth):
            signal = np.maximum(rng.uniform(-1, 1, (width, signal.size)) @ signal, 0)
        silent += not signal.any()
    return silent / networks


@pytest.mark.parametrize("depth, width", [(2, 2), (6, 3)])
def test_neither_the_law_of_the_weights_nor_the_size_of_the_input_matters(depth, width):
    n, p = 4000, born_dead_probability(depth, width)
    assert abs(silent_by_loops(depth, width, n) - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_counts_are_as_far_from_the_formula_as_chance_allows():
    found = born_dead_table([2, 7], [2, 3, 5], networks=4000, seed=3, executor=lab.Serial())
    assert [(cell.depth, cell.width) for cell in found.cells] == [(2, 2), (7, 2), (2, 3), (7, 3), (2, 5), (7, 5)]
    for cell in found.cells:
        p = 1 - (1 - 0.5**cell.width) ** cell.depth
        assert cell.exact == pytest.approx(p) and cell.estimate == cell.dead / 4000
        assert cell.standard_error == pytest.approx(math.sqrt(p * (1 - p) / 4000))
        assert abs(cell.dead / 4000 - p) < 4.5 * math.sqrt(p * (1 - p) / 4000)  # 7 in a million by chance
        assert cell.z == pytest.approx((cell.dead / 4000 - p) / cell.standard_error)
    assert found.chi_square == pytest.approx(sum(cell.z**2 for cell in found.cells)) and abs(found.score) < 4
    assert abs(found.farthest.z) == max(abs(cell.z) for cell in found.cells)


def test_the_score_is_in_standard_deviations_also_where_few_networks_die():
    """Binomial counts with just these probabilities: the score has a mean of 0 and a deviation of 1."""
    rng = np.random.default_rng(0)
    sizes, n = [(2, 8), (3, 9), (5, 2)], 500
    counts = [rng.binomial(n, born_dead_probability(*size), 4000) for size in sizes]
    scores = [BornDead.of(0, [Cell.of(*s, n, int(c)) for s, c in zip(sizes, row)]).score for row in zip(*counts)]
    assert abs(np.mean(scores)) < 4 * np.std(scores) / math.sqrt(4000)
    assert np.std(scores) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("depth, width, n", [(1, 1, 7), (2, 3, 40), (2, 8, 60), (9, 2, 25)])
def test_the_deviation_of_the_score_is_the_exact_one(depth, width, n):
    """From the binomial law itself: sums over all counts that there can be give the mean and the variance of z^2."""
    p = 1 - (1 - 0.5**width) ** depth
    chances = [math.comb(n, dead) * p**dead * (1 - p) ** (n - dead) for dead in range(n + 1)]
    squares = [(dead - n * p) ** 2 / (n * p * (1 - p)) for dead in range(n + 1)]
    mean = sum(chance * square for chance, square in zip(chances, squares))
    deviation = math.sqrt(sum(chance * (square - mean) ** 2 for chance, square in zip(chances, squares)))
    assert mean == pytest.approx(1)
    for dead in (0, n // 2, n):
        score = BornDead.of(0, [Cell.of(depth, width, n, dead)]).score
        assert score == pytest.approx((squares[dead] - 1) / deviation)


def test_a_wrong_formula_would_be_found():
    """Counted with 1 - 2^-N per layer, but as if there were one layer more."""
    found = born_dead_table([4], [2, 3, 4], networks=2000, executor=lab.Serial())
    cells = [Cell.of(cell.depth + 1, cell.width, cell.networks, cell.dead) for cell in found.cells]
    assert BornDead.of(0, cells).score > 4


def test_a_cell_is_the_same_in_any_table_and_another_with_another_seed():
    alone = born_dead_table([5], [3], networks=1500, executor=lab.Serial()).cells[0]
    assert alone in born_dead_table([2, 5], [2, 3], networks=1500, executor=lab.Serial()).cells
    assert alone.dead != born_dead_table([5], [3], networks=1500, seed=1, executor=lab.Serial()).cells[0].dead


@pytest.mark.parametrize("sizes", [([0], [2], 10), ([2], [0], 10), ([2], [2], 0), ([], [2], 10), ([2], [], 10)])
def test_sizes_below_one_and_empty_tables_are_refused(sizes):
    with pytest.raises(ValueError, match=r"born_dead_table: .*at least 1"):
        born_dead_table(*sizes, executor=lab.Serial())
    with pytest.raises(ValueError, match="at least 1, got 0 and 3"):
        born_dead_probability(0, 3)
