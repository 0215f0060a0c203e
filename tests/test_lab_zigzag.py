"""The experiment zigzag: signs of gradients as they must be, and descents against their closed form."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data, lab, nn
from tinygrad_relu.lab.zigzag import run

TINY = {"seeds": 2, "batch_sizes": [1, 16]}


@pytest.fixture(scope="module")
def found():
    return run(**TINY, executor=lab.Serial())


def signs_of(found, network):
    return next(signs for signs in found.signs if signs.network == network)


def courses_of(found, inputs):
    """One example a step, all examples, and all at the best rate."""
    return [course for course in found.courses if course.inputs == inputs]


# ---------------------------------------------------------------------- networks


def test_positive_inputs_give_gradients_of_one_sign_for_each_example(found):
    """A unit's weight gradients are its own gradient times its inputs: an outer product."""
    for signs in found.signs:
        centred = signs.network == "relu, pixels centred"
        assert (signs.first_layer[0].mean == 1) is not centred  # the inputs are pixels, from 0 on
        positive = signs.network in ("relu", "relu, pixels centred", "sigmoid")
        assert (signs.second_layer[0].mean == 1) is positive
        if not positive:
            assert signs.second_layer[0].mean < 0.05  # 32 inputs of both signs


def test_batches_mix_the_signs(found):
    for name in ("relu", "sigmoid"):
        single, batch = (spread.mean for spread in signs_of(found, name).second_layer)
        assert 0 < batch < 0.9 * single
    assert signs_of(found, "sigmoid").second_layer[1].mean > signs_of(found, "relu").second_layer[1].mean


def gradients_by_hand(model, activation, X, y):
    """Backpropagation in plain NumPy: gradients of the second layer's weights, (units, inputs), and of its units."""
    w1, b1, w2, b2, w3, b3 = (parameter.data for parameter in model.parameters())
    value, slope = {
        "relu": (lambda z: np.maximum(z, 0), lambda z: z > 0),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    }[activation]
    below = value(X @ w1.T + b1)
    sums = below @ w2.T + b2
    scores = value(sums) @ w3.T + b3
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    of_sums = (chances - np.eye(10)[y]) / len(X) @ w3 * slope(sums)
    return of_sums.T @ below, of_sums.sum(axis=0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_shares_are_those_of_gradients_taken_by_hand(found, activation):
    X, y = (column[:1792] for column in data.digits())
    one_sign, reversals, positive = {1: [], 16: []}, {1: [], 16: []}, []
    for seed in found.seeds:
        with tg.random.seeded(seed) as rng:
            model = nn.MLP(64, [32, 32], 10, activation=activation)
            tg.fit(model, X, y, optimizer="sgd", lr=0.1, epochs=2, batch_size=32, progress=False, compile=False)
            rows = {size: [rng.choice(1792, size, replace=False) for _ in range(40)] for size in (1, 16)}
        for size, draws in rows.items():
            weights, units = zip(*(gradients_by_hand(model, activation, X[chosen], y[chosen]) for chosen in draws))
            signs = [set(np.sign(g[g != 0])) for draw in weights for g in draw if np.count_nonzero(g) > 1]
            one_sign[size].append(np.mean([len(each) == 1 for each in signs]))
            pairs = [pair for before, after in pairwise(weights) for pair in zip(before, after)]
            moving = [(a / np.linalg.norm(a), b / np.linalg.norm(b)) for a, b in pairs if a.any() and b.any()]
            angles = [np.degrees(np.arccos(np.clip(a @ b, -1, 1))) for a, b in moving]
            reversals[size].append(np.mean(np.array(angles) > 120))
            if size == 1:
                positive.append(np.mean([g > 0 for draw in units for g in draw if g]))
    signs = signs_of(found, activation)
    # of some 2,500 units and draws a few may be rounded to the other side
    for i, size in enumerate((1, 16)):
        assert signs.second_layer[i].mean == pytest.approx(np.mean(one_sign[size]), abs=0.003)
        assert signs.reversals[i].mean == pytest.approx(np.mean(reversals[size]), abs=0.003)
    assert signs.positive.mean == pytest.approx(np.mean(positive), abs=0.003)


def test_gradients_of_units_are_as_often_positive_as_negative(found):
    """Softmax's gradients add up to 0 over the classes, and weights start with either sign."""
    assert all(0.35 < signs.positive.mean < 0.65 for signs in found.signs)


def test_batches_begin_with_single_examples():
    with pytest.raises(ValueError, match=r"zigzag: batch_sizes begin with 1, for single examples, got \[4\]"):
        run(batch_sizes=[4])


# ---------------------------------------------------------------------- two weights


def inputs_of(inputs, seed=0):
    X = np.random.default_rng(seed).uniform(0.2, 1.8, (40, 2))
    return X - X.mean(axis=0) if inputs == "centred" else X


@pytest.mark.parametrize("inputs", ["positive", "centred"])
def test_the_hessian_is_that_of_least_squares(found, inputs):
    X = inputs_of(inputs)
    for course in courses_of(found, inputs):
        np.testing.assert_allclose(course.hessian, X.T @ X / 40, rtol=1e-9)
    conditions = [np.linalg.cond(inputs_of(inputs, seed)) ** 2 for seed in found.seeds]
    assert courses_of(found, inputs)[0].condition.mean == pytest.approx(np.mean(conditions))


@pytest.mark.parametrize("inputs", ["positive", "centred"])
@pytest.mark.parametrize("best", [False, True])
def test_descent_follows_its_closed_form(found, inputs, best):
    """w_k - w* = (I - lr H)^k (w_0 - w*), and the best rate is 2 by the sum of the eigenvalues."""
    X = inputs_of(inputs)
    H = X.T @ X / 40
    eigenvalues = np.linalg.eigvalsh(H)
    lr = 2 / eigenvalues.sum() if best else 0.3
    course = courses_of(found, inputs)[2 if best else 1]
    start, goal = np.array([-1.0, 0.0]), np.array([1.0, -1.0])
    for k, point in enumerate(course.points):
        expected = goal + np.linalg.matrix_power(np.eye(2) - lr * H, k) @ (start - goal)
        np.testing.assert_allclose(point, expected, rtol=1e-6, atol=1e-9)
    left = [np.linalg.norm(goal - point) / np.linalg.norm(goal - start) for point in course.points]
    assert left[-1] <= 0.05 < left[-2]  # it stops when it has arrived, and not before
    if best:  # no rate contracts both eigenvectors faster
        contraction = max(abs(1 - lr * eigenvalues))
        assert all(max(abs(1 - other * eigenvalues)) >= contraction for other in np.linspace(0.1, 2, 40) * lr)


def test_with_positive_inputs_one_example_never_moves_the_weights_apart(found):
    positive, centred = (courses_of(found, inputs)[0] for inputs in ("positive", "centred"))
    moves = np.diff(positive.points, axis=0)
    assert (moves[:, 0] * moves[:, 1] > 0).all() and positive.together.mean == 1
    assert centred.together.mean < 0.9
    # The goal lies the other way, one weight up and one down, so the path is longer.
    assert positive.length.mean > 1.5 * centred.length.mean and positive.reversals.mean > centred.reversals.mean


def test_steps_reversals_and_length_are_counted_over_the_path(found):
    one = run(seeds=1, batch_sizes=[1], executor=lab.Serial())
    for course in one.courses:
        moves = np.diff(course.points, axis=0)
        turns = [a @ b < 0 for a, b in pairwise(moves)]
        assert course.steps.mean == len(moves) and course.reversals.mean == sum(turns)
        assert course.length.mean == pytest.approx(sum(np.linalg.norm(m) for m in moves) / np.sqrt(5))
        assert course.points[0] == [-1, 0]


# ---------------------------------------------------------------------- words, figure, executors


def test_verdicts_follow_the_numbers(found):
    assert found.claims()[0].verdict == "holds"

    def with_signs(network, **changes):
        signs = [dataclasses.replace(s, **changes) if s.network == network else s for s in found.signs]
        return [claim.verdict for claim in dataclasses.replace(found, signs=signs).claims()]

    few, all_ = lab.Spread.of([0.2]), lab.Spread.of([1.0])
    assert with_signs("relu", second_layer=[few, few])[:2] == ["does not hold here"] * 2
    assert with_signs("tanh", second_layer=[all_, all_])[0] == "does not hold here"
    assert with_signs("relu", positive=all_)[1] == "holds in part"
    assert with_signs("relu", positive=all_, second_layer=[all_, all_])[1] == "holds"

    def of_steps(*positive):
        courses = [
            dataclasses.replace(course, steps=lab.Spread.of([steps]))
            for course, steps in zip(found.courses, (*positive, 10, 10, 10))
        ]
        return dataclasses.replace(found, courses=courses).claims()[2].verdict

    assert of_steps(20, 10, 20) == "holds"
    assert of_steps(10, 10, 20) == "holds in part"
    assert of_steps(20, 20, 10) == "does not hold here"


def test_the_figure_is_labelled_and_shows_the_numbers(found):
    pytest.importorskip("matplotlib")
    axes = found.figure().axes
    assert len(axes) == 4 and all(each.get_xlabel() and each.get_ylabel() and each.get_title() for each in axes)
    one_sign, _, positive, _ = axes
    assert {text.get_text() for text in one_sign.get_legend().get_texts()} == {s.network for s in found.signs}
    shown = {float(y) for line in one_sign.lines for y in line.get_ydata()}
    assert {100 * spread.mean for signs in found.signs for spread in signs.second_layer} <= shown
    paths = [line.get_xydata().tolist() for line in positive.lines]
    assert all(course.points in paths for course in courses_of(found, "positive")[:2])
