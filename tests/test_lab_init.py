"""The lab's signals agree with exact formulas, within bounds that are stated, and its deep networks stall or learn."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from tinygrad_relu import lab
from tinygrad_relu.lab import init
from tinygrad_relu.lab.init import CHANCE, HE, SMALL, STARTS, XAVIER, relative_error, second_moments, train


@pytest.fixture(scope="module")
def found():
    return init.run([3], epochs=3, seeds=2, depth=6, moment_seeds=4, executor=lab.Serial())


@pytest.mark.parametrize("start", STARTS, ids=str)
def test_second_moments_are_those_of_theory_within_four_standard_errors(start):
    seeds, depth, width = 60, 10, 40
    moments = np.array([second_moments(start, depth, width, seed) for seed in range(seeds)])
    factor = {"He": 1.0, "Xavier": 0.5, "std 0.01": width * 1e-4 / 2}[start.name]
    for layer in range(1, depth + 1):
        error = relative_error(layer, width) / math.sqrt(seeds)
        assert abs(moments[:, layer - 1].mean() / factor**layer - 1) < 4 * error
    # One layer's factors are independent, with a variance of 5 / width: a sharper test than the products.
    factors = moments[:, 1:] / moments[:, :-1]
    assert abs(factors.mean() / factor - 1) < 4 * math.sqrt(5 / width / factors.size)
    assert factors.std() / factor == pytest.approx(math.sqrt(5 / width), rel=0.15)


def test_the_error_is_that_of_the_moments_of_a_normal_number():
    g = np.linspace(-9, 9, 20001)
    density = np.exp(-g * g / 2) / math.sqrt(2 * math.pi) * (g[1] - g[0])
    second, fourth = (density @ np.maximum(g, 0) ** power for power in (2, 4))
    n = 7
    variance = (4 / n) * (fourth - second**2)  # of 2/n times the sum of n squares, whose mean is 1
    assert relative_error(1, n) == pytest.approx(math.sqrt(variance), rel=1e-6)
    assert relative_error(3, n) == pytest.approx(math.sqrt((1 + variance) ** 3 - 1), rel=1e-6)


def test_xavier_is_he_divided_by_two_in_each_layer_exactly():
    he, xavier = (np.array(second_moments(start, 30, 16, seed=3)) for start in (HE, XAVIER))
    assert np.allclose(xavier, he * 0.5 ** np.arange(1, 31), rtol=1e-9)


def test_nothing_is_lost_to_underflow():
    moments = second_moments(SMALL, 30, 256, seed=0)
    assert 1e-60 < moments[-1] < 1e-54  # theory: 1.6e-57, times or divided by about 2


def test_thirty_layers_learn_with_he_and_stall_with_xavier():
    he, xavier = train(HE, 30, epochs=15, seed=0), train(XAVIER, 30, epochs=15, seed=0)
    assert abs(xavier.losses[-1] - math.log(3)) < 0.005 and xavier.error == pytest.approx(2 / 3, abs=0.01)
    assert he.losses[-1] < CHANCE - 0.1
    # 29 layers on the way back to the first, each of which takes 1/sqrt(2) of the RMS on average.
    assert xavier.first_gradient / he.first_gradient == pytest.approx(2**-14.5, rel=0.5)


def test_three_layers_learn_with_either():
    for start in (HE, XAVIER):
        assert train(start, 3, epochs=60, seed=0).losses[-1] < CHANCE - 0.1


def test_each_start_has_seeds_of_its_own_and_all_are_shown(found):
    assert [each.seeds for each in found.moments] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [run.seed for run in found.training(XAVIER, 3).runs] == [0, 1]
    text = str(found)
    assert "0 to 3" in text and "8 to 11" in text and "seeds 0 to 1" in text
    json.dumps(found.to_dict(), allow_nan=False)


def test_each_training_stands_under_its_own_name():
    found = init.run([2, 3], epochs=2, seeds=2, depth=1, moment_seeds=1, executor=lab.Serial())
    assert [(each.layers, each.start) for each in found.trainings] == [
        (2, "He"),
        (2, "Xavier"),
        (3, "He"),
        (3, "Xavier"),
    ]
    for layers in (2, 3):
        for start in (HE, XAVIER):
            assert found.training(start, layers).runs == [train(start, layers, 2, seed) for seed in (0, 1)]


def ended(start, layers, *losses, error=0.0):
    runs = [init.Training(seed, [1.1, loss], error, 1e-3) for seed, loss in enumerate(losses)]
    return init.Trainings(start.name, layers, runs)


def test_verdicts_follow_the_numbers(found):
    def verdicts(*trainings):
        return [claim.verdict for claim in dataclasses.replace(found, trainings=list(trainings)).claims()[1:]]

    stalled = ended(XAVIER, 30, CHANCE, error=2 / 3)
    both = [ended(HE, 22, 0.1), ended(XAVIER, 22, 0.5)]
    assert verdicts(*both, ended(HE, 30, 0.2), stalled) == ["holds", "holds"]
    assert verdicts(*both, ended(HE, 30, 0.8, error=0.3), stalled) == ["holds in part", "holds"]
    assert verdicts(*both, ended(HE, 30, 0.2), ended(XAVIER, 30, CHANCE, 0.7)) == ["does not hold here", "holds"]
    slow = [ended(HE, 22, 0.1), ended(XAVIER, 22, 0.9, error=0.4)]
    assert verdicts(*slow, ended(HE, 30, 0.2), stalled) == ["holds", "holds in part"]
    assert verdicts(*both[::-1], ended(HE, 30, CHANCE), stalled)[0] == "does not hold here"
    far = dataclasses.replace(found.moments[1], expected=[each * 100 for each in found.moments[1].expected])
    says = dataclasses.replace(found, moments=[found.moments[0], far, found.moments[2]])
    assert found.claims()[0].verdict == "holds" and says.claims()[0].verdict != "holds"


def test_no_loss_is_outside_of_the_figure_or_under_its_legend(found):
    pytest.importorskip("matplotlib")
    jumpy = dataclasses.replace(found.trainings[0], runs=[init.Training(0, [1.0, 9.0, 0.5], 0.0, 1e-3)])
    for trainings in (found.trainings, [*found.trainings, jumpy]):
        figure = dataclasses.replace(found, trainings=trainings).figure()
        figure.draw_without_rendering()
        for axes in figure.axes:
            low, high = axes.get_ylim()
            assert all(low <= y <= high for line in axes.lines for y in line.get_ydata())
            assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0


def test_the_figure_is_labelled(found):
    pytest.importorskip("matplotlib")
    left, right = found.figure().axes
    assert all(axes.get_xlabel() and axes.get_ylabel() and axes.get_title() for axes in (left, right))
    assert {"He", "Xavier", "std 0.01"} <= {text.get_text() for text in left.get_legend().get_texts()}
    assert sum(len(line.get_ydata()) == 3 for line in right.lines) == 2 * (2 + 1)  # the seeds and their median
    assert "chance" in {text.get_text() for text in right.texts}
