"""Optimizers: PyTorch's steps, their state, and what they say of mistakes."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim

RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.0}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "centered": True, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
]
SHAPES = [(3, 4), (4,), (), (2, 3, 2)]


def starts(dtype, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def gradient(step: int, i: int, dtype):
    return np.random.default_rng(100 * step + i).normal(size=SHAPES[i]).astype(dtype)


def set_gradients(params, step: int, present=lambda step, i: True):
    """The same gradients for both packages; None where ``present`` says no."""
    for i, p in enumerate(params):
        wanted = gradient(step, i, p.data.dtype if isinstance(p, Tensor) else p.detach().numpy().dtype)
        if isinstance(p, Tensor):
            p.grad = wanted if present(step, i) else None
        else:
            import torch

            p.grad = torch.tensor(wanted) if present(step, i) else None


def pair(name, options, dtype):
    """The same optimizer over the same values, here and in PyTorch."""
    torch = pytest.importorskip("torch")
    ours = [nn.Parameter(x) for x in starts(dtype)]
    theirs = [torch.nn.Parameter(torch.tensor(x)) for x in starts(dtype)]
    return ours, theirs, getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)


def assert_same(ours, theirs, tolerance):
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_thirty_steps_are_those_of_pytorch(name, options, dtype, tolerance):
    ours, theirs, optimizer, reference = pair(name, options, dtype)
    for step in range(30):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step()
        reference.step()
        assert_same(ours, theirs, tolerance)
    assert all(p.dtype == dtype for p in ours)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_parameters_without_a_gradient_are_left_out_as_in_pytorch(name, options):
    """Heads that take turns, one that starts late and one that never gets a gradient."""

    def present(step, i):
        return (True, step % 2 == 0, step >= 3, False)[i]

    ours, theirs, optimizer, reference = pair(name, options, np.float64)
    untouched = ours[3].data.copy()
    for step in range(12):
        set_gradients(ours, step, present)
        set_gradients(theirs, step, present)
        optimizer.step()
        reference.step()
        assert_same(ours, theirs, 1e-12)
    np.testing.assert_array_equal(ours[3].data, untouched)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_state_of_pytorch_loads_and_goes_on(name, options):
    torch = pytest.importorskip("torch")
    ours, theirs, optimizer, reference = pair(name, options, np.float64)
    for step in range(5):
        set_gradients(theirs, step)
        reference.step()
    for p, q in zip(ours, theirs):
        p.data = q.detach().numpy().copy()
    state = reference.state_dict()
    state["state"] = {
        i: {key: value.numpy() if torch.is_tensor(value) else value for key, value in entries.items()}
        for i, entries in state["state"].items()
    }
    optimizer.load_state_dict(state)
    for step in range(5, 10):
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step()
        reference.step()
    assert_same(ours, theirs, 1e-12)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_state_dict_goes_on_where_it_stopped(name, options):
    """Ten steps in one go, and five, a state_dict into new objects, and five more."""
    whole = [nn.Parameter(x) for x in starts(np.float32)]
    optimizer = getattr(optim, name)(whole, **options)
    for step in range(10):
        if step == 5:
            parts = [nn.Parameter(p.data) for p in whole]
            state = pickle.loads(pickle.dumps(optimizer.state_dict()))
            second = getattr(optim, name)(parts)
            second.load_state_dict(state)
        for params, each in ((whole, optimizer), (parts, second)) if step >= 5 else ((whole, optimizer),):
            set_gradients(params, step, lambda step, i: i != 1 or step % 2)
            each.step()
    for p, q in zip(whole, parts):
        np.testing.assert_array_equal(p.data, q.data)


def test_state_dict_is_a_copy():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    w.grad = [1.0, 1.0]
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["momentum_buffer"][...] = 100
    state["param_groups"][0]["lr"] = 100
    before = w.data.copy()
    w.grad = [1.0, 1.0]
    optimizer.step()
    np.testing.assert_allclose(before - w.data, 0.1 * 1.9, rtol=1e-6)


def test_load_state_dict_that_does_not_fit_changes_nothing():
    w = nn.Parameter([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    with pytest.raises(ValueError, match=r"\[1\] parameters here, and \[2\]"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"lr": 9.0, "params": [0, 1]}]})
    wrong = {"state": {0: {"step": 1, "momentum_buffer": np.zeros(3)}}, "param_groups": [{"lr": 9.0, "params": [0]}]}
    with pytest.raises(ValueError, match=r"momentum_buffer of the parameter of shape \(2,\) has shape \(3,\)"):
        optimizer.load_state_dict(wrong)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_groups_have_their_own_options():
    torch = pytest.importorskip("torch")
    ours = [nn.Parameter(x) for x in starts(np.float64)]
    theirs = [torch.nn.Parameter(torch.tensor(x)) for x in starts(np.float64)]

    def grouped(p):
        return [{"params": p[:2], "lr": 0.5}, {"params": [p[2]], "momentum": 0.0}]

    optimizer = optim.SGD(grouped(ours), lr=0.1, momentum=0.9)
    reference = torch.optim.SGD(grouped(theirs), lr=0.1, momentum=0.9)
    for step in range(6):
        if step == 3:
            optimizer.add_param_group({"params": ours[3], "lr": 0.01})
            reference.add_param_group({"params": theirs[3], "lr": 0.01})
            optimizer.param_groups[0]["lr"] = reference.param_groups[0]["lr"] = 0.25
        set_gradients(ours, step)
        set_gradients(theirs, step)
        optimizer.step()
        reference.step()
    assert_same(ours, theirs, 1e-12)


def test_parameters_of_several_dtypes():
    a, b = nn.Parameter([1.0], dtype=np.float32), nn.Parameter([1.0], dtype=np.float64)
    optimizer = optim.SGD([a, b], lr=0.5)
    a.grad, b.grad = [1.0], [2.0]
    optimizer.step()
    assert (a.dtype, a.tolist()) == (np.float32, [0.5])
    assert (b.dtype, b.tolist()) == (np.float64, [0.0])


# ------------------------------------------------------------------ options that are switched on later


@pytest.mark.parametrize(
    "options",
    [
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_momentum_that_is_switched_on_later_begins_as_in_pytorch(options, loaded):
    """The first velocity is the gradient, whenever that is; also where a parameter is late, and after a load."""

    def present(step, i):
        return i != 2 or step >= 7

    ours, theirs, optimizer, reference = pair("SGD", {"lr": 0.1}, np.float64)
    for step in range(15):
        for each in (optimizer, reference):
            if step in (4, 11):
                each.param_groups[0].update(options)
            if step == 8:
                each.param_groups[0].update(momentum=0.0, nesterov=False)
            if step in (3, 6) and loaded:
                each.load_state_dict(each.state_dict())
        set_gradients(ours, step, present)
        set_gradients(theirs, step, present)
        optimizer.step()
        reference.step()
        assert_same(ours, theirs, 1e-12)


def test_momentum_of_rmsprop_may_be_switched_on_later():
    """PyTorch raises a KeyError. The velocity begins at 0, so its first step is the one without momentum."""
    (a, b), g = [nn.Parameter([1.0, 2.0], dtype=np.float64) for _ in range(2)], np.array([0.5, -3.0])
    plain, later = optim.RMSprop([a], lr=0.1), optim.RMSprop([b], lr=0.1)
    for step in range(4):
        if step == 3:
            later.param_groups[0].update(momentum=0.9)
        a.grad = b.grad = g
        plain.step()
        later.step()
    np.testing.assert_allclose(b.data, a.data, rtol=1e-15)


def test_momentum_that_is_switched_on_later_is_the_same_compiled():
    def run(wrap):
        w = nn.Parameter([1.0, 2.0], dtype=np.float64)
        optimizer = optim.SGD([w], lr=0.1)

        @wrap
        def step():
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()

        for i in range(12):
            if i in (4, 9):
                optimizer.param_groups[0].update(momentum=0.9, dampening=0.5)
            if i == 7:
                optimizer.param_groups[0].update(momentum=0.0)
            step()
        return w.data, optimizer.state_dict()["state"][0]["momentum_buffer"]

    for eager, compiled in zip(run(lambda step: step), run(tg.compile)):
        np.testing.assert_array_equal(eager, compiled)


# ------------------------------------------------------------------ it finds the bottom


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
        ("Adam", {"lr": 0.1}),
        ("AdamW", {"lr": 0.1, "weight_decay": 0.0}),
        ("RMSprop", {"lr": 0.01}),
        ("Adagrad", {"lr": 1.0}),
    ],
)
def test_a_bowl_ten_times_as_steep_one_way_is_walked_to_its_bottom(name, options):
    w = nn.Parameter([3.0, -2.0], dtype=np.float64)
    optimizer = getattr(optim, name)([w], **options)
    for _ in range(600):
        optimizer.zero_grad()
        (w * w * np.array([0.5, 5.0])).backward([1.0, 1.0])
        optimizer.step()
    assert np.abs(w.data).max() < 0.02


def test_momentum_reaches_the_terminal_speed_of_theory():
    """Under a constant gradient the velocity tends to g / (1 - m), so a step to lr * g / (1 - m)."""
    w = nn.Parameter([0.0], dtype=np.float64)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    for _ in range(300):
        before = w.data.copy()
        w.grad = [1.0]
        optimizer.step()
    np.testing.assert_allclose(before - w.data, 0.1 / (1 - 0.9), rtol=1e-9)


def test_adam_steps_by_lr_whatever_the_size_of_the_gradient():
    for size in (1e-3, 1.0, 1e6):
        w = nn.Parameter([0.0], dtype=np.float64)
        optimizer = optim.Adam([w], lr=0.25)
        w.grad = [size]
        optimizer.step()
        np.testing.assert_allclose(w.data, [-0.25], rtol=1e-4)


# ------------------------------------------------------------------ errors and warnings


def test_two_steps_with_the_same_gradients_warn():
    w = nn.Parameter([1.0])
    optimizer = optim.SGD([w], lr=0.1)
    w.grad = [1.0]
    optimizer.step()
    with pytest.warns(UserWarning, match=r"SGD: step\(\) was called twice with the same gradients"):
        optimizer.step()


def test_plain_tensors_warn_too_even_if_the_gradient_was_looked_at():
    w = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    (w * 2).backward()
    optimizer.step()
    assert w.grad is not None
    with pytest.warns(UserWarning, match="twice"):
        optimizer.step()


def test_ordinary_loops_do_not_warn():
    w, unused = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.SGD([w, unused], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for forget in (optimizer.zero_grad, lambda: setattr(w, "grad", None), lambda: None):
            for _ in range(3):
                forget()
                (w * w).backward()
                optimizer.step()


def forgotten_backward(w, other, optimizer):
    optimizer.zero_grad()
    optimizer.step()


def zero_grad_in_the_wrong_place(w, other, optimizer):
    (w * w).backward()
    optimizer.zero_grad()
    optimizer.step()


def the_optimizer_of_another_model(w, other, optimizer):
    (other * other).backward()
    optimizer.step()


@pytest.mark.parametrize("wrap", [lambda step: step, tg.compile])
@pytest.mark.parametrize("mistake", [forgotten_backward, zero_grad_in_the_wrong_place, the_optimizer_of_another_model])
def test_a_step_without_any_gradient_warns(mistake, wrap):
    w, other = nn.Parameter([1.0]), nn.Parameter([1.0])
    optimizer = optim.Adam([w], lr=0.1)
    with pytest.warns(
        UserWarning, match=r"Adam: step\(\) has found no gradient .* Either backward.*or zero_grad.*another"
    ):
        wrap(lambda: mistake(w, other, optimizer))()
    assert w.tolist() == [1.0]


def test_a_step_of_frozen_parameters_does_not_warn():
    frozen = nn.Parameter([1.0], requires_grad=False)
    optimizer = optim.SGD([frozen], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        tg.compile(optimizer.step)()
    assert frozen.tolist() == [1.0]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda w: optim.SGD([]), ValueError, "there are no parameters"),
        (lambda w: optim.SGD(w), TypeError, "expected several parameters"),
        (lambda w: optim.SGD(nn.ReLU()), TypeError, "model.parameters"),
        (lambda w: optim.SGD([w.data]), TypeError, "parameters are Tensors, got ndarray"),
        (lambda w: optim.SGD([w, w]), ValueError, "'w' was given twice"),
        (lambda w: optim.SGD([{"params": [w]}, {"params": [w]}]), ValueError, "'w' was given twice"),
        (lambda w: optim.SGD([w * 2]), TypeError, "the result of 'multiply'"),
        (lambda w: optim.SGD([Tensor([1.0])]), TypeError, "requires no gradient"),
        (lambda w: optim.SGD([w], lr=-1), ValueError, "SGD: lr must be 0 or more and finite, got -1"),
        (lambda w: optim.SGD([w], lr=float("nan")), ValueError, "lr must be 0 or more"),
        (lambda w: optim.SGD([w], lr=Tensor(0.1)), TypeError, "lr must be a number, got Tensor.*item"),
        (lambda w: optim.SGD([w], lr="fast"), TypeError, "lr must be a number, got str"),
        (lambda w: optim.SGD([w], nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda w: optim.SGD([{"params": [w], "momentun": 0.9}]), ValueError, "unknown option 'momentun'.*momentum"),
        (lambda w: optim.SGD([{"lr": 0.9}]), TypeError, "dict with 'params'"),
        (lambda w: optim.Adam([w], betas=(0.9, 1.0)), ValueError, "betas must be below 1"),
        (lambda w: optim.Adam([w], betas=0.9), TypeError, "betas are two numbers"),
        (lambda w: optim.Adam([w], eps=-1e-8), ValueError, "eps must be 0 or more"),
    ],
)
def test_errors_say_what_was_wrong(make, kind, message):
    with pytest.raises(kind, match=message):
        make(nn.Parameter([1.0], name="w"))


def test_a_frozen_parameter_may_be_given_and_stays():
    w, frozen = nn.Parameter([1.0]), nn.Parameter([1.0], requires_grad=False)
    optimizer = optim.Adam([w, frozen], weight_decay=0.1)
    (w * frozen).backward()
    optimizer.step()
    assert frozen.tolist() == [1.0]
    assert w.tolist() != [1.0]


def test_repr_shows_the_options():
    assert "3 parameters, lr=0.5" in repr(optim.SGD([nn.Parameter([1.0, 2.0, 3.0])], lr=0.5))


def test_a_rule_of_ones_own_needs_update_only():
    class Nothing(optim.Optimizer):
        pass

    w = nn.Parameter([1.0])
    optimizer = Nothing([w], {"lr": 0.1})
    w.grad = [1.0]
    with pytest.raises(NotImplementedError, match="update"):
        optimizer.step()


def test_the_gradient_of_a_gradient_may_be_stepped_with():
    """With create_graph the gradient is a Tensor with a history; the step reads its values."""
    w = nn.Parameter([2.0])
    optimizer = optim.SGD([w], lr=0.1)
    (w * w).backward(create_graph=True)
    optimizer.step()
    np.testing.assert_allclose(w.data, [1.6], rtol=1e-6)
    with tg.no_grad():
        assert w.grad.tolist() == [4.0]


# ---------------------------------------------------------------------- groups that are changed by hand


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_parameter_put_into_a_group_by_hand_is_trained_from_then_on(name, compiled):
    """As in PyTorch, where step() goes through the lists as they are."""
    torch = pytest.importorskip("torch")
    options = {"lr": 0.1, **({"momentum": 0.9} if name == "SGD" else {})}
    numbers = [[1.0, 2.0], [3.0], [[4.0]]]
    weights = [1.5, -0.5, 2.0]

    def trained(make, optimizer, compile):
        params = [make(x) for x in numbers]
        optimizer = optimizer(params[:1], **options)

        def step():
            optimizer.zero_grad()
            sum((p * p * w).sum() for p, w in zip(params, weights)).backward()
            optimizer.step()

        step = compile(step)
        for turn in range(9):
            if turn == 3:
                optimizer.param_groups[0]["params"].append(params[1])
            if turn == 5:
                optimizer.param_groups[0]["params"].insert(0, params[2])
            if turn == 7:
                del optimizer.param_groups[0]["params"][1]
            step()
        return [p.tolist() for p in params]

    there = trained(lambda x: torch.tensor(x, requires_grad=True), getattr(torch.optim, name), lambda f: f)
    here = trained(nn.Parameter, getattr(optim, name), tg.compile if compiled else lambda f: f)
    for a, b in zip(here, there):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_what_cannot_be_followed_in_groups_changed_by_hand_is_refused():
    a, b = nn.Parameter([1.0], name="a"), nn.Parameter([2.0], name="b")
    optimizer = optim.SGD([a], lr=0.1)
    optimizer.param_groups[0]["params"].append(a)
    with pytest.raises(ValueError, match="'a' was given twice"):
        optimizer.step()
    optimizer.param_groups[0]["params"][1] = b * 2
    with pytest.raises(TypeError, match="must be a leaf"):
        optimizer.step()
    optimizer.param_groups[0]["params"].pop()
    optimizer.param_groups.append({"params": [b], "lr": 0.1})
    with pytest.raises(ValueError, match="2 groups instead of 1; add one with add_param_group"):
        optimizer.step()


def test_two_optimizers_of_one_parameter_step_it_in_turn_and_are_told_why_they_do_not_compile():
    def trained(compile):
        w = nn.Parameter([1.0])
        first, second = optim.SGD([w], lr=0.1), optim.SGD([w], lr=0.2)

        def step():
            w.grad = None
            (w * w).backward()
            first.step()
            second.step()

        step = compile(step)
        for _ in range(3):
            step()
        return w.tolist()

    (w,) = trained(lambda f: f)
    assert w == pytest.approx(0.4**3)  # two steps from one gradient: 1 - 0.2 - 0.4 of it
    with pytest.raises(tg.CannotCompile, match="change the same parameter"):
        trained(tg.compile)
