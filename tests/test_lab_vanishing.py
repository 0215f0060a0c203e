"""The lab's vanishing gradients agree with what can be computed by hand, and with the theory of wide layers."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from tinygrad_relu import lab, nn
from tinygrad_relu.lab import vanishing
from tinygrad_relu.lab.vanishing import NETWORKS, expected_shares, gradient_sizes, mean_singular_value


@pytest.fixture(scope="module")
def found():
    return vanishing.run([2, 12], seeds=8, executor=lab.Serial())


def chain(weights, activation):
    """Layers of one unit each with these weights, and two outputs."""
    layers = []
    for weight in weights:
        linear = nn.Linear(1, 1, bias=False)
        linear.weight.data[:] = weight
        layers += [linear, activation()]
    return nn.Sequential(*layers, nn.Linear(1, 2))


def test_the_gradient_of_a_linear_chain_shrinks_by_the_exact_product_of_its_weights():
    weights = [7.0, 0.5, -2.0, 0.25, 3.0]
    sizes = gradient_sizes(chain(weights, nn.Identity), np.array([[1.0], [-2.0]], np.float32), np.array([0, 1]))
    products = [abs(math.prod(weights[layer + 1 :])) for layer in range(5)]
    assert np.allclose(np.array(sizes) / sizes[-1], products, rtol=1e-5)


def test_the_gradient_of_a_sigmoid_chain_shrinks_by_slopes_and_weights():
    weights, x = [1.0, 2.0, -1.5], 0.3
    slopes, value = [], x
    for weight in weights:
        value = 1 / (1 + math.exp(-weight * value))
        slopes.append(value * (1 - value))
    sizes = gradient_sizes(chain(weights, nn.Sigmoid), np.array([[x]], np.float32), np.array([0]))
    products = [abs(math.prod(w * s for w, s in zip(weights[layer + 1 :], slopes[layer + 1 :]))) for layer in range(3)]
    assert np.allclose(np.array(sizes) / sizes[-1], products, rtol=1e-5)


def test_relu_multiplies_the_mean_square_by_half_the_variance_in_theory():
    for variance in (2.0, 1.0, 0.5):
        shares = expected_shares("relu", variance, 6)
        assert np.allclose(shares, [(variance / 2) ** ((5 - layer) / 2) for layer in range(6)], rtol=1e-12)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_theory_agrees_with_integrals_taken_another_way(name):
    z = np.linspace(-9, 9, 20001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    square, factors = 1.0, []
    for _ in range(4):
        t = np.tanh(z * math.sqrt(square)) if name == "tanh" else 1 / (1 + np.exp(-z * math.sqrt(square)))
        slope = 1 - t * t if name == "tanh" else t * (1 - t)
        factors.append(math.sqrt(density @ slope**2))
        square = density @ t**2
    assert np.allclose(
        expected_shares(name, 1.0, 4), [math.prod(factors[layer + 1 :]) for layer in range(4)], rtol=1e-6
    )


def test_small_weights_make_tanh_linear():
    """A linear layer multiplies by sqrt(n Var[W]), whatever comes in."""
    shares = expected_shares("tanh", 1e-6, 4)
    assert np.allclose(shares, [1e-9, 1e-6, 1e-3, 1], rtol=1e-5)


def test_what_is_measured_agrees_with_theory(found):
    # At finite width n a typical ReLU network lies below the root of the mean square, by about 5 / (4 n) = 2 % a layer.
    for net in NETWORKS:
        decay = found.deepest(net)
        allowed = 4 * decay.factor.standard_error + 0.02 * decay.expected_factor
        assert abs(decay.factor.mean - decay.expected_factor) < allowed, net


def test_the_fitted_factor_of_relu_is_the_one_that_is_known(found):
    factors = {str(net): found.deepest(net).expected_factor for net in NETWORKS}
    assert factors["ReLU, He"] == pytest.approx(1) and factors["ReLU, Xavier"] == pytest.approx(math.sqrt(1 / 2))


def test_no_sigmoid_layer_passes_on_more_than_a_quarter(found):
    """With n Var[W] = 1 in each layer; the last layers of networks with two and twelve."""
    for decay in found.decays:
        if decay.network.startswith("sigmoid"):
            steps = -np.diff([0.0, *(share.mean for share in reversed(decay.shares))])[1:]
            assert (10**-steps <= 0.25).all()


def test_the_mean_of_the_quarter_circle_law():
    x = np.linspace(0, 2, 200001)
    mean = np.sum(x * np.sqrt(4 - x * x) / np.pi) * (x[1] - x[0])
    assert mean_singular_value(1.0) == pytest.approx(mean, rel=1e-6)
    assert mean_singular_value(1 / 3) == pytest.approx(0.4901, abs=5e-5)
    assert mean_singular_value(1.0) == pytest.approx(0.8488, abs=5e-5)


def test_singular_values_follow_the_quarter_circle_law_where_tanh_is_linear(found):
    small = [each for each in found.jacobians if each.inputs == vanishing.SMALL]
    assert [each.start for each in small] == ["standard", "normalised"]
    for each in small:
        assert each.mean.count == 8 * vanishing.TANH_LAYERS
        # 64 units are not infinitely many: half a percent is allowed for that besides the chance of 4 sigma.
        assert abs(each.mean.mean - each.formula) < 4 * each.mean.standard_error + 0.005 * each.formula


def test_large_inputs_make_the_singular_values_smaller_where_they_come_in(found):
    for each in found.jacobians:
        if each.inputs == vanishing.ORDINARY:
            means = [layer.mean for layer in each.layers]
            assert means[0] < means[-1] < each.formula * 1.01


def test_verdicts_follow_the_numbers(found):
    assert [claim.verdict for claim in found.claims()] == ["holds in part", "holds", "holds", "holds in part"]
    kept = [
        dataclasses.replace(each, shares=[lab.Spread(0.0, 0.1, 8, -0.1, 0.1)] * each.depth) for each in found.decays
    ]
    flat = [dataclasses.replace(each, factor=lab.Spread(1.0, 0.1, 8, 0.9, 1.1)) for each in kept]
    note, quarter, he, _ = (claim.verdict for claim in dataclasses.replace(found, decays=flat).claims())
    assert (note, quarter, he) == ("does not hold here", "does not hold here", "holds in part")


def test_the_text_shows_what_the_numbers_are(found):
    text = str(found)
    assert "seeds 0 to 7" in text and "0.4901" in text and "0.8488" in text
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_figure_is_labelled(found):
    pytest.importorskip("matplotlib")
    left, right = found.figure().axes
    assert all(axes.get_xlabel() and axes.get_ylabel() and axes.get_title() for axes in (left, right))
    assert {str(net) for net in NETWORKS} <= {text.get_text() for text in left.get_legend().get_texts()}


def test_a_share_needs_two_layers():
    with pytest.raises(ValueError, match="2 or more"):
        vanishing.run([1, 5], executor=lab.Serial())
