"""The lab's race counts epochs rightly, drops no run, chooses rates with other seeds, and gets its statistics right."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data, lab, nn, optim
from tinygrad_relu.lab import speed
from tinygrad_relu.lab.speed import NETWORKS, RELU, SIGMOID, TANH, TANH_XAVIER, Trials, compare, epochs_to_target

TINY = {"rates": [0.3, 1.0], "seeds": 3, "tuning_seeds": 1, "most_epochs": 12}


@pytest.fixture(scope="module")
def found():
    return speed.run(**TINY, executor=lab.Serial())


def test_the_count_is_the_first_epoch_with_a_quarter_wrong_or_less():
    count = epochs_to_target(RELU, lr=0.3, seed=1, most_epochs=50)
    with tg.random.seeded(1):
        X, y = data.spirals(600, classes=3)
        model = nn.MLP(2, [64, 64, 64], 3)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    history = tg.fit(model, X, y, optimizer=optimizer, epochs=int(count) + 2, batch_size=60, seed=1, compile=False)
    assert np.flatnonzero(history["accuracy"] >= 0.75)[0] + 1 == count
    assert epochs_to_target(RELU, 0.3, 1, int(count)) == count
    assert epochs_to_target(RELU, 0.3, 1, int(count) - 1) == math.inf


def test_a_run_that_diverges_never_arrives():
    assert epochs_to_target(RELU, lr=1e6, seed=0, most_epochs=3) == math.inf


def test_gains_are_those_in_the_names():
    """By what the hidden weights of nn.MLP are larger than Xavier's; each keeps the mean square of normal sums."""
    z = np.linspace(-9, 9, 20001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    values = {"relu": np.maximum(z, 0), "tanh": np.tanh(z), "sigmoid": 1 / (1 + np.exp(-z))}
    for net in (RELU, TANH, SIGMOID):
        gain = 1 / math.sqrt(density @ values[net.activation] ** 2)
        with tg.random.seeded(0):
            weights = nn.MLP(400, [400], 2, activation=net.activation)[0].weight.data
        assert np.std(weights) * 20 == pytest.approx(gain, rel=0.01)  # 160,000 numbers: 4 sigma are 0.7 %
        assert net is RELU or net.start == f"gain {gain:.1f}"


def test_ratios_are_taken_seed_by_seed_and_censored_runs_stay_as_bounds():
    fast, slow = Trials("ReLU", 0.1, [4.0, 5.0, 8.0]), Trials("tanh", 0.3, [8.0, math.inf, 8.0])
    ratio = compare(slow, fast, most_epochs=50)
    assert ratio.ratios == [2.0, 10.0, 1.0] and ratio.median == 2.0
    assert (ratio.at_least, ratio.at_most, ratio.bound) == (1, 0, "at least ")
    back = compare(fast, slow, most_epochs=50)
    assert back.ratios == [0.5, 0.1, 1.0] and back.bound == "at most "
    assert str(compare(slow, slow, most_epochs=50)) == "undecided"
    assert str(compare(fast, fast, most_epochs=50)) == "1 (1 to 1)"


def test_the_range_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for n in (3, 6):
        draws = rng.exponential(size=(20000, n))
        covered = np.mean((draws.min(axis=1) < math.log(2)) & (math.log(2) < draws.max(axis=1)))
        said = compare(Trials("a", 1, [1.0] * n), Trials("b", 1, [1.0] * n), 5).confidence
        assert abs(covered - said) < 4 * math.sqrt(said * (1 - said) / 20000)


def test_relu_arrives_first_and_sigmoid_is_counted_though_it_does_not(found):
    slow = [trials for trials in found.trials if trials.network == str(SIGMOID)]
    assert all(trials.epochs == [math.inf] * 3 for trials in slow)
    ratio = found.ratio(SIGMOID)
    assert len(ratio.ratios) == 3 and ratio.at_least == 3 and min(ratio.ratios) > 1
    assert "> 12" in str(found) and "at least" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.fixture
def made(monkeypatch):
    """A race whose epochs are made up by a function of the network, the rate and the seed."""

    def race(epochs, *options):
        monkeypatch.setattr(speed, "epochs_to_target", lambda net, lr, seed, most_epochs: epochs(net, lr, seed))
        return speed.run(*options, executor=lab.Serial())

    return race


def test_the_best_rate_is_chosen_with_other_seeds_than_those_reported(made):
    def epochs(net, lr, seed):
        reported_likes = 0.1 if seed < 2 else 1.0
        return 5.0 if lr == reported_likes else 20.0

    found = made(epochs, [0.1, 1.0], 2, 2)
    assert (found.seeds, found.tuning_seeds) == ([0, 1], [2, 3])
    assert set(found.best_lr.values()) == {1.0}
    assert [each.ratios for each in found.at_best] == [[1.0, 1.0]] * 4
    assert {trials.epochs[0] for trials in found.trials if trials.lr == 1.0} == {20.0}


@pytest.mark.parametrize(
    ("times", "verdicts"),
    [
        ({TANH_XAVIER: 6, TANH: 3, SIGMOID: 6}, ["holds", "holds", "holds"]),
        ({TANH_XAVIER: 3, TANH: 1, SIGMOID: 20}, ["holds in part", "does not hold here", "holds in part"]),
        ({TANH_XAVIER: 0.5, TANH: 2, SIGMOID: 1}, ["does not hold here", "holds", "does not hold here"]),
    ],
)
def test_verdicts_follow_the_numbers(made, times, verdicts):
    found = made(lambda net, lr, seed: 4.0 * times.get(net, 1), [0.1], 3, 1)
    assert [claim.verdict for claim in found.claims()] == verdicts


def test_a_lower_bound_of_six_does_not_count_as_six(made):
    found = made(lambda net, lr, seed: math.inf if net == SIGMOID else 10.0, [0.1], 3, 1, 60)
    assert found.ratio(SIGMOID).median == 6 and found.claims()[2].verdict == "holds in part"


def test_the_functions_are_timed():
    assert all(0 < seconds < 60 for seconds in speed.function_times(10, turns=3).values())


def test_the_figure_is_labelled(found):
    pytest.importorskip("matplotlib")
    left, right = found.figure().axes
    assert all(axes.get_xlabel() and axes.get_title() for axes in (left, right)) and left.get_ylabel()
    assert {str(net) for net in NETWORKS} <= {text.get_text() for text in left.get_legend().get_texts()}
    assert "> 12" in {text.get_text() for text in left.get_yticklabels()}
    heights = {height for line in left.lines for height in line.get_ydata()}
    assert {count for trials in found.trials for count in trials.epochs if count < math.inf} <= heights
    assert {each for ratio in found.at_best for each in ratio.ratios} <= {
        x for line in right.lines for x in line.get_xdata()
    }
    never = dataclasses.replace(found, trials=[Trials(t.network, t.lr, [math.inf] * 3) for t in found.trials])
    never.figure().canvas.draw()
