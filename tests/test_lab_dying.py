"""The experiment dying: its counts against a look of our own at the same networks, and what must be so in theory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data, lab, nn
from tinygrad_relu.lab.born_dead import BornDead, Cell
from tinygrad_relu.lab.dying import Dying, Rate, run

TINY = {"rates": [0.1, 2.0], "seeds": 2, "epochs": 12, "networks": 100}


@pytest.fixture(scope="module")
def found():
    return run(**TINY, executor=lab.Serial())


def trained(lr, seed, epochs):
    """The network of one run, once more, and the sums of its hidden layers over all rows, in plain NumPy."""
    with tg.random.seeded(seed):
        X, y = data.spirals(300, classes=3)
        model = nn.MLP(2, (64, 64), 3)
        tg.fit(model, X, y, optimizer="sgd", lr=lr, epochs=epochs, batch_size=30, progress=False, compile=False)
    (w1, b1, w2, b2, w3, b3) = (parameter.data for parameter in model.parameters())
    first = X @ w1.T + b1
    second = np.maximum(first, 0) @ w2.T + b2
    answers = (np.maximum(second, 0) @ w3.T + b3).argmax(axis=1)
    return [first, second], float(np.mean(answers != y))


@pytest.mark.parametrize("place", [0, 1])
def test_dead_is_silent_for_every_row(found, place):
    rate = found.rates[place]
    by_seed = [trained(rate.lr, seed, TINY["epochs"]) for seed in found.seeds]
    for layer in (0, 1):
        sums = [sums[layer] for sums, _ in by_seed]
        dead = [np.mean((each <= 0).all(axis=0)) for each in sums]
        batches = [np.mean((each.reshape(10, 30, 64) <= 0).all(axis=1)) for each in sums]
        assert rate.dead[layer].mean == pytest.approx(np.mean(dead))
        assert rate.silent_on_batch[layer].mean == pytest.approx(np.mean(batches))
        assert rate.zeros[layer].mean == pytest.approx(np.mean([np.mean(each <= 0) for each in sums]))
    assert rate.error.mean == pytest.approx(np.mean([error for _, error in by_seed]))


def test_those_that_start_dead_are_counted_before_the_first_step(found):
    shares = []
    for seed in found.seeds:
        with tg.random.seeded(seed):
            X, _ = data.spirals(300, classes=3)
            model = nn.MLP(2, (64, 64), 3)
        w1, b1, w2, b2, *_ = (parameter.data for parameter in model.parameters())
        first = X @ w1.T + b1
        second = np.maximum(first, 0) @ w2.T + b2
        shares.append([np.mean((sums <= 0).all(axis=0)) for sums in (first, second)])
    assert [layer.mean for layer in found.dead_at_start] == pytest.approx(np.mean(shares, axis=0))
    assert max(map(max, shares)) > 0 and f"{100 * np.mean(shares):.1f} % are dead before" in str(found.claims()[0])


def test_what_is_dead_on_all_data_is_dead_on_each_batch_and_silent(found):
    for rate in found.rates:
        for dead, on_batch, zeros in zip(rate.dead, rate.silent_on_batch, rate.zeros):
            assert dead.mean <= on_batch.mean and dead.mean <= zeros.mean
        assert rate.dead_of_all.mean == pytest.approx(np.mean([dead.mean for dead in rate.dead]))


def test_a_large_rate_kills_and_the_dead_of_the_first_layer_stay_dead(found):
    calm, wild = found.rates
    assert wild.dead_of_all.mean > calm.dead_of_all.mean + 0.2
    assert calm.came_back[0] == wild.came_back[0] == 0  # its inputs are the data, which do not move
    assert calm.came_back[1] + wild.came_back[1] > 0  # the inputs of the second layer do


def test_the_unit_that_is_watched_dies_in_one_step_and_moves_no_more(found):
    death = found.death
    killing = death.steps.index(0)
    assert max(death.highest[: killing + 1]) > 0 and min(death.active[:killing]) > 0
    assert death.active[killing] > 0 and death.gradient[killing] > 0
    for i in range(killing + 1, len(death.steps)):
        assert death.lowest[i] <= death.highest[i] <= 0 and death.active[i] == 0
        assert death.gradient[i] == 0 and death.parameters[i] == death.parameters[killing + 1]
    assert death.largest_gradient_after == 0 and death.moved_after == 0
    assert death.steps_after == 10 * TINY["epochs"] - death.step - 1
    # Plain SGD goes as far in each step as the learning rate times the length of the gradient.
    moves = np.linalg.norm(np.diff(death.parameters, axis=0), axis=1)
    np.testing.assert_allclose(moves, death.lr * np.array(death.gradient[:-1]), rtol=1e-4, atol=1e-6)
    # The sums are w x + b over all rows, whose largest and smallest stand there.
    with tg.random.seeded(death.seed):
        X, _ = data.spirals(300, classes=3)
    for i in (0, killing, killing + 1):
        w1, w2, b = death.parameters[i]
        sums = X @ [w1, w2] + b
        assert (death.highest[i], death.lowest[i]) == pytest.approx((sums.max(), sums.min()), abs=1e-5)


def test_a_run_in_which_nobody_dies_is_told_without_a_death():
    calm = run([0.1], seeds=1, epochs=2, networks=20, watched_rate=0.01, executor=lab.Serial())
    assert calm.death is None and len(calm.tables()) == 2 and len(calm.claims()) == 3
    assert "dies in step" not in str(calm)


def made(dead, error, came_back=(0, 0), zeros=0.5, born=1.0):
    """Findings with these numbers for the learning rates 0.1, 0.2, ..."""

    def both(value):
        return [lab.Spread.of([value])] * 2

    rates = [
        Rate(0.1 * (i + 1), both(d), both(d), both(zeros), list(came_back), *both(d)[:1], *both(e)[:1], 0)
        for i, (d, e) in enumerate(zip(dead, error))
    ]
    cell = Cell.of(3, 2, 1000, 0)
    born_dead = BornDead(0, [dataclasses.replace(cell, z=born)], born**2, born)
    return Dying([0], both(0.0), rates, None, born_dead)


@pytest.mark.parametrize(
    "numbers, verdicts",
    [
        ({"dead": [0.0, 0.5], "error": [0.0, 0.3]}, ["holds", "holds in part", "holds"]),
        ({"dead": [0.0, 0.3], "error": [0.0, 0.0], "zeros": 0.01}, ["does not hold here", "holds", "holds"]),
        ({"dead": [0.4], "error": [0.6], "came_back": (0, 3), "zeros": 0.01}, ["holds", "holds in part", "holds"]),
        ({"dead": [0.4], "error": [0.6], "zeros": 0.42}, ["holds", "holds", "holds"]),
        ({"dead": [0.4], "error": [0.6], "born": -9.0}, ["holds", "holds in part", "does not hold here"]),
    ],
)
def test_verdicts_follow_the_numbers(numbers, verdicts):
    assert [claim.verdict for claim in made(**numbers).claims()] == verdicts


def test_a_unit_that_still_moves_is_not_called_still(found):
    assert found.claims()[2].verdict == "holds"
    for changed in ({"moved_after": 1e-9}, {"largest_gradient_after": 0.5}):
        moving = dataclasses.replace(found, death=dataclasses.replace(found.death, **changed))
        assert moving.claims()[2].verdict == "does not hold here"


def test_whiskers_end_at_all_and_at_nothing(found):
    pytest.importorskip("matplotlib")
    nearly_all, nearly_none = lab.Spread.of([1.0] * 7 + [0.7]), lab.Spread.of([0.0] * 7 + [0.3])
    assert nearly_all.mean + nearly_all.deviation > 1 and nearly_none.mean - nearly_none.deviation < 0
    rates = [dataclasses.replace(found.rates[0], dead=[nearly_all, nearly_none])]
    cells = [Cell.of(20, 2, 100, dead=100), Cell.of(2, 10, 100, dead=0)]
    extreme = dataclasses.replace(found, rates=rates, born=BornDead.of(0, cells))
    for axes in extreme.figure().axes[:2]:
        ends = np.concatenate([segment[:, 1] for each in axes.collections for segment in each.get_segments()])
        assert ends.min() == 0 and ends.max() == pytest.approx(100)


def test_the_figure_is_labelled_and_shows_the_numbers(found):
    pytest.importorskip("matplotlib")
    axes = found.figure().axes
    assert len(axes) == 4 and all(each.get_xlabel() and each.get_ylabel() and each.get_title() for each in axes)
    by_rate, by_depth, sums, _ = axes
    shown = {float(y) for line in by_rate.lines for y in line.get_ydata()}
    assert {100 * dead.mean for rate in found.rates for dead in (*rate.dead, *rate.silent_on_batch)} <= shown
    counted = {float(y) for line in by_depth.lines for y in line.get_ydata()}
    assert {100 * cell.estimate for cell in found.born.cells} <= counted
    assert any(list(line.get_ydata()) == found.death.highest for line in sums.lines)
