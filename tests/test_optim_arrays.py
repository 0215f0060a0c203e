"""Optimizers: what becomes of their one flat vector when parameters are given other arrays behind its back."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim


def quadratic_step(w, optimizer):
    """One step down from |w|^2 / 2, whose gradient is w."""
    optimizer.zero_grad()
    (w * w).backward(np.full(w.shape, 0.5))
    optimizer.step()


def test_values_that_were_assigned_are_the_ones_that_are_stepped_from():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.5)
    quadratic_step(w, optimizer)
    w.data = np.array([10.0, 20.0])
    quadratic_step(w, optimizer)
    assert w.tolist() == [5.0, 10.0]
    w.data -= 1
    quadratic_step(w, optimizer)
    assert w.tolist() == [2.0, 4.5]


def test_two_optimizers_may_take_turns_at_one_parameter():
    w = nn.Parameter([8.0])
    first, second = optim.SGD([w], lr=0.5), optim.SGD([w], lr=0.25)
    for optimizer, expected in ((first, 4.0), (second, 3.0), (first, 1.5), (second, 1.125)):
        quadratic_step(w, optimizer)
        assert w.tolist() == [expected]


def swap(a, b, c):
    a.data, b.data = b.data, a.data


def turn(a, b, c):
    a.data, b.data, c.data = b.data, c.data, a.data


def share(a, b, c):
    a.data = b.data


def share_reversed(a, b, c):
    a.data, b.data = b.data[::-1], a.data[::-1]


def overlap(a, b, c):
    """Its own place the other way round, and one element of another's again and again."""
    a.data, c.data = a.data[::-1], np.broadcast_to(b.data[:1], 3)


SEPARATE = [
    pytest.param(lambda a, b, c: [optim.SGD([a, b, c], lr=0.5)], id="one"),
    pytest.param(lambda a, b, c: [optim.SGD([{"params": [a]}, {"params": [b, c]}], lr=0.5)], id="two groups"),
    pytest.param(lambda a, b, c: [optim.SGD([a, c], lr=0.5), optim.SGD([b], lr=0.5)], id="two optimizers"),
    pytest.param(lambda a, b, c: [optim.SGD([a, b, c], lr=0.5), optim.SGD([c, b, a], lr=0.5)], id="shared"),
]


@pytest.mark.parametrize("change", [swap, turn, share, share_reversed, overlap])
@pytest.mark.parametrize("make", SEPARATE)
@pytest.mark.parametrize("late", [False, True], ids=["together", "one late"])
def test_arrays_that_change_hands_keep_their_numbers(change, make, late):
    """As if each had been copied: from each value the step goes down by lr * gradient."""
    params = a, b, c = [nn.Parameter(np.arange(3.0) + start, dtype=np.float64) for start in (1, 10, 100)]
    optimizers = make(a, b, c)
    gradient = np.array([1.0, 2.0, 4.0])
    for step in range(3):
        if step:
            change(a, b, c)
        expected = [p.data.copy() for p in params]
        for optimizer in optimizers:
            for p in params:
                p.grad = None if late and step == 1 and p is b else gradient
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an optimizer may be left without any gradient
                optimizer.step()
        for p, before in zip(params, expected):
            times = sum(q is p for o in optimizers for group in o.param_groups for q in group["params"])
            np.testing.assert_array_equal(p.data, before - 0.5 * gradient * times * (p.grad is not None))


@pytest.mark.parametrize("change", [swap, turn, share, share_reversed, overlap])
@pytest.mark.parametrize("make", SEPARATE[:3])
def test_arrays_that_change_hands_between_compiled_steps_keep_their_numbers(change, make):
    def run(wrap):
        params = a, b, c = [nn.Parameter(np.arange(3.0) + start, dtype=np.float64) for start in (1, 10, 100)]
        optimizers = make(a, b, c)

        @wrap
        def step():
            for p in params:
                p.grad = None
            (a * b + c * c).sum().backward()
            for optimizer in optimizers:
                optimizer.step()

        for i in range(6):
            step()
            if i in (1, 2, 4):
                change(a, b, c)
        return [p.data for p in params]

    for eager, compiled in zip(run(lambda step: step), run(tg.compile)):
        np.testing.assert_array_equal(eager, compiled)


def test_a_state_made_of_the_arrays_themselves_is_loaded_as_if_copied():
    net = nn.Module()
    net.a, net.b, net.c = (nn.Parameter([float(i), 1.0]) for i in range(3))
    optim.SGD(net.parameters())
    net.load_state_dict({"a": net.b.data[::-1], "b": net.c.data, "c": net.a.data})
    assert [p.tolist() for p in net.parameters()] == [[1.0, 1.0], [2.0, 1.0], [0.0, 1.0]]


def test_an_array_that_was_kept_is_never_written_again():
    """As in PyTorch: weights that are put aside, others trained in their place, and these put back."""
    a, b = nn.Parameter([1.0, 2.0]), nn.Parameter([3.0, 4.0])
    optimizer = optim.SGD([a, b], lr=0.5)
    kept = [p.data for p in (a, b)]
    for p in (a, b):
        p.data = p.data.copy()
    for _ in range(3):
        a.grad = b.grad = [1.0, 1.0]
        optimizer.step()
    for p, array in zip((a, b), kept):
        p.data = array
    assert (a.tolist(), b.tolist()) == ([1.0, 2.0], [3.0, 4.0])


def test_copies_are_independent_of_the_optimizer():
    model = nn.Sequential(nn.PReLU(3))
    w = model[0].weight
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    quadratic_step(w, optimizer)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        before = twin[0].weight.data.copy()
        quadratic_step(w, optimizer)
        np.testing.assert_array_equal(twin[0].weight.data, before)
        assert twin[0].weight.data.base is None or twin[0].weight.data.base is not w.data.base


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
def test_a_copy_of_model_and_optimizer_goes_on_as_the_original(twin_of):
    w = nn.Parameter([4.0, -2.0])
    optimizer = optim.Adam([w], lr=0.5)
    quadratic_step(w, optimizer)
    before = w.tolist()
    w_twin, optimizer_twin = twin_of((w, optimizer))
    quadratic_step(w_twin, optimizer_twin)
    assert w.tolist() == before != w_twin.tolist()
    quadratic_step(w, optimizer)
    assert w.tolist() == w_twin.tolist()


def test_a_changed_dtype_is_followed_and_the_momentum_kept():
    model = nn.Sequential(nn.PReLU(2))
    w = model[0].weight
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    w.grad = [1.0, 1.0]
    optimizer.step()
    model.to(np.float64)
    before = w.data.copy()
    w.grad = [1.0, 1.0]
    optimizer.step()
    assert w.dtype == np.float64
    np.testing.assert_allclose(before - w.data, 0.5 * 1.5)


def test_a_gradient_that_was_read_is_not_overwritten_by_the_next():
    """Between backward and step the gradient stands in the optimizer's vector; who reads it gets one to keep."""
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.5)
    quadratic_step(w, optimizer)
    first = w.grad
    quadratic_step(w, optimizer)
    assert first.tolist() == [1.0, 2.0]
    assert w.grad.tolist() == [0.5, 1.0]


def test_gradients_add_up_over_backward_calls():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1)
    for _ in range(3):
        (w * 2).backward([1.0, 1.0])
    optimizer.step()
    np.testing.assert_allclose(w.data, [0.4, 1.4], rtol=1e-6)
    np.testing.assert_allclose(w.grad.data, [6.0, 6.0])


def test_weight_decay_leaves_the_gradient_alone():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.5)
    quadratic_step(w, optimizer)
    assert w.grad.tolist() == [1.0, 2.0]


def test_plain_tensors_and_scalars_are_optimized_too():
    w, b = Tensor([1.0, 2.0], requires_grad=True), Tensor(4.0, requires_grad=True)
    optimizer = optim.SGD([w, b], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        (w * b).backward([1.0, 1.0])
        optimizer.step()
    # by hand: w - b/2 = (-1, 0), b - 3/2 = 2.5; then w - 1.25 and b + 1/2
    assert w.tolist() == [-2.25, -1.25]
    assert b.item() == 3.0


def test_a_step_of_the_optimizer_records_nothing():
    w = nn.Parameter([1.0])
    optimizer = optim.Adam([w])
    quadratic_step(w, optimizer)
    assert w.is_leaf
    assert w.requires_grad
