"""The experiment kink: counts of zeros against theory, and what trainings and gradient checks must give."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, lab, nn
from tinygrad_relu.lab import kink
from tinygrad_relu.lab.kink import sloped_relu
from tinygrad_relu.lab.zeros import counting, poisson_interval


@pytest.fixture(scope="module")
def found():
    return lab.run("kink", seeds=2, epochs=4, starts=300, narrow=800, widths=(2, 3), executor=lab.Serial())


def zeros(found, dtype, where):
    return next(each for each in found.zeros if (each.dtype, each.where) == (dtype, where))


# ---------------------------------------------------------------------- zeros by chance


@pytest.mark.parametrize("where", ["start, random bias", "training"])
def test_zeros_in_float16_are_as_many_as_the_distance_between_numbers_says(found, where):
    counted = zeros(found, "float16", where)
    assert counted.expected > 10
    # a count of a Poisson law: within five standard deviations
    assert abs(counted.zeros - counted.expected) < 5 * math.sqrt(counted.expected)


def test_expected_rates_fall_as_the_numbers_lie_closer(found):
    rates = {each.dtype: each.expected / each.values for each in found.zeros if each.where == "training"}
    # 13 and 29 binary digits more
    assert rates["float16"] / rates["float32"] == pytest.approx(2**13, rel=0.2)
    assert rates["float32"] / rates["float64"] == pytest.approx(2**29, rel=0.2)
    assert zeros(found, "float64", "training").zeros == 0


def test_all_hidden_pre_activations_are_counted(found):
    rows = len(tg.data.digits("train")[0])
    for dtype in ("float16", "float32", "float64"):
        assert zeros(found, dtype, "training").values == 2 * 4 * rows * 2 * kink.WIDTH  # seeds, epochs, layers
    assert zeros(found, "float32", "start, bias 0").values == 300 * 1797 * 128


def test_a_tally_tells_chance_from_reason():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model[0].weight.data[:] = [[0.5, 0.0], [1.0, 1.0], [3.0, 0.0]]
    model[0].bias.data[:] = [-0.5, 0.0, 0.0]
    # rows: 0.5 - 0.5, 1 + 0, 3; blank: -0.5, 0 and 0 for a reason; 1 - 1 by chance, -0.5 and 0 for a reason
    with counting(model, "here", "float32") as tally:
        model(np.array([[1.0, 0.0], [0.0, 0.0], [1.0, -1.0], [0.0, 1.0]], np.float32))
    # by chance: row 0 unit 0, row 2 units 0 and 1; for a reason: row 1 units 1 and 2, row 3 unit 2
    assert (tally.values, tally.zeros, tally.for_a_reason) == (12, 3, 3)


def test_poisson_intervals_are_those_of_the_tables():
    # Garwood 1936; as printed in tables of exact confidence limits
    for count, low, high in [(0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (20, 12.217, 30.888)]:
        assert poisson_interval(count) == pytest.approx((low, high), abs=1e-3)
    low, high = poisson_interval(5000)
    assert (low, high) == pytest.approx((5000 - 1.96 * 5000**0.5, 5000 + 1.96 * 5000**0.5), rel=1e-3)


# ---------------------------------------------------------------------- zeros for a reason


def test_shares_in_narrow_networks_are_those_of_theory(found):
    assert {(blank.width, blank.layer) for blank in found.blanks} == {(w, k) for w in (2, 3) for k in (1, 2, 3, 4)}
    for blank in found.blanks:
        dead_before = 1 - (1 - 2.0**-blank.width) ** (blank.layer - 1)
        assert blank.theory == pytest.approx(dead_before)
        assert blank.share.count == 800
        assert abs(blank.share.mean - dead_before) <= 4.5 * blank.share.standard_error


# ---------------------------------------------------------------------- slopes at 0


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_op_has_the_slope_that_one_asks_for_and_is_relu_elsewhere(slope, dtype):
    x = Tensor(np.array([-2.0, -0.0, 0.0, 3.0], dtype), requires_grad=True)
    y = sloped_relu(x, slope=slope)
    y.backward(np.array([1, 2, 4, 8], dtype))
    assert y.dtype == x.grad.dtype == np.dtype(dtype)
    assert y.detach().numpy().tolist() == tg.relu(x.detach()).numpy().tolist()
    assert x.grad.numpy().tolist() == [0, 2 * slope, 4 * slope, 8]
    assert "relu_with_a_slope_at_0" not in tg.registry


def test_weights_differ_only_if_a_zero_was_met(found):
    assert {each.dtype for each in found.trainings} == {"float16", "float32", "float64"}
    for training in found.trainings:
        assert training.distances[0] == 0
        if not training.zeros:
            assert training.distances == [0, 0, 0] and len(set(training.accuracies)) == 1
        if training.dtype == "float64":
            assert not training.zeros
        if training.dtype == "float16":
            assert training.zeros and max(training.distances) > 0
        assert min(training.accuracies) > 0.5  # it has learned something; chance is 0.1


def test_gradcheck_accepts_what_lies_between_left_and_right(found):
    assert [(check.slope, check.judged) for check in found.checks] == [
        (0.0, "at a kink"),
        (0.5, "agrees"),
        (1.0, "at a kink"),
        (2.0, "wrong"),
    ]
    assert all((check.left, check.central, check.right) == (0, 0.5, 1) for check in found.checks)


def test_verdicts_follow_from_the_numbers(found):
    verdicts = {claim.said: claim.verdict for claim in found.claims()}
    assert verdicts["in 64 bits the effect disappears"] == "holds"
    assert [v for said, v in verdicts.items() if said.startswith("in 16 bits")] == ["holds"]
    differ = [max(each.distances) > 0 for each in found.trainings if each.dtype == "float32"]
    half = 0.25 <= np.mean(differ) <= 0.75
    assert verdicts["in 32 bits it does so around half of the time"] == ("holds" if half else "does not hold here")
