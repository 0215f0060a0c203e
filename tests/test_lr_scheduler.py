"""Schedules of the learning rate: PyTorch's values, step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.optim import lr_scheduler

SCHEDULES = [
    ("StepLR", {"step_size": 7, "gamma": 0.5}),
    ("StepLR", {"step_size": 10}),
    ("MultiStepLR", {"milestones": [5, 5, 20, 41], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 60}),
    ("CosineAnnealingLR", {"T_max": 13, "eta_min": 0.01}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 33}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 61}),
    ("OneCycleLR", {"max_lr": [0.4, 0.2], "total_steps": 70, "three_phase": True, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.4, "epochs": 7, "steps_per_epoch": 10, "pct_start": 0.5, "div_factor": 10.0}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 64, "cycle_momentum": False, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.4, "total_steps": 61, "pct_start": 0.0, "final_div_factor": 10.0}),
]


def optimizers(name="SGD", **options):
    """The same two parameter groups with learning rates 0.1 and 0.5, here and in PyTorch."""
    torch = pytest.importorskip("torch")
    made = []
    for package, parameter in ((optim, nn.Parameter), (torch.optim, lambda x: torch.nn.Parameter(torch.tensor(x)))):
        groups = [{"params": [parameter([1.0])], "lr": 0.1}, {"params": [parameter([1.0])], "lr": 0.5}]
        made.append(getattr(package, name)(groups, **options))
    return made


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


@pytest.mark.filterwarnings("ignore:Detected call of")  # PyTorch's, about the order of the two kinds of step
@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_sixty_steps_are_those_of_pytorch(name, options):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers(momentum=0.9)
    scheduler = getattr(lr_scheduler, name)(ours, **options)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for _ in range(60):
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(
            [g["momentum"] for g in ours.param_groups], [g["momentum"] for g in theirs.param_groups], rtol=1e-12
        )
        assert scheduler.get_last_lr() == rates(ours)
        scheduler.step()
        reference.step()
    np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-9, atol=1e-15)


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_one_cycle_turns_the_first_beta_of_adam():
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers("Adam")
    scheduler = lr_scheduler.OneCycleLR(ours, max_lr=0.1, total_steps=20)
    reference = torch.optim.lr_scheduler.OneCycleLR(theirs, max_lr=0.1, total_steps=20)
    for _ in range(19):
        scheduler.step()
        reference.step()
        np.testing.assert_allclose(ours.param_groups[0]["betas"], theirs.param_groups[0]["betas"], rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2},
        {"mode": "max", "patience": 1, "factor": 0.5, "cooldown": 3},
        {"patience": 0, "threshold": 0.1, "threshold_mode": "abs", "min_lr": 0.02},
        {"mode": "max", "patience": 1, "threshold": 0.2, "min_lr": [0.01, 0.1]},
        {"patience": 1, "factor": 0.9, "eps": 0.03},
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_plateau_reduces_when_pytorch_does(options, sign):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers()
    scheduler = lr_scheduler.ReduceLROnPlateau(ours, **options)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    rng = np.random.default_rng(0)
    for t in range(60):
        metric = sign * float(3 * math.exp(-t / 10) + 0.2 * rng.normal())
        scheduler.step(metric)
        reference.step(metric)
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-12)
        assert scheduler.get_last_lr() == rates(ours)
    assert scheduler.num_bad_epochs == reference.num_bad_epochs


def plain():
    return optim.SGD([nn.Parameter([1.0])], lr=1.0, momentum=0.5)


@pytest.mark.parametrize(("name", "options"), SCHEDULES + [("ReduceLROnPlateau", {"patience": 0})])
def test_a_state_dict_goes_on_where_it_stopped(name, options):
    options = {key: 0.4 if isinstance(value, list) and key == "max_lr" else value for key, value in options.items()}
    metric = (1.0,) if name == "ReduceLROnPlateau" else ()
    optimizer, other = plain(), plain()
    scheduler, second = getattr(lr_scheduler, name)(optimizer, **options), getattr(lr_scheduler, name)(other, **options)
    for _ in range(5):
        scheduler.step(*metric)
    second.load_state_dict(scheduler.state_dict())
    other.load_state_dict(optimizer.state_dict())
    for _ in range(5):
        scheduler.step(*metric)
        second.step(*metric)
        assert second.get_last_lr() == scheduler.get_last_lr()


def test_the_state_of_another_schedule_is_refused():
    state = lr_scheduler.StepLR(plain(), 3).state_dict()
    with pytest.raises(KeyError, match=r"ExponentialLR.load_state_dict: expected .*'gamma'"):
        lr_scheduler.ExponentialLR(plain(), 0.9).load_state_dict(state)


def test_a_plateau_takes_a_tensor():
    optimizer = plain()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    scheduler.step(Tensor(1.0))
    scheduler.step(Tensor(2.0))
    assert rates(optimizer) == [0.5]


def test_a_nan_metric_counts_as_bad():
    optimizer = plain()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    for _ in range(2):
        scheduler.step(float("nan"))
    assert rates(optimizer) == [0.5]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda o: lr_scheduler.StepLR(nn.ReLU(), 3), TypeError, "expected an optimizer first, got ReLU"),
        (lambda o: lr_scheduler.StepLR(o, 0), ValueError, "step_size must be an integer of at least 1, got 0"),
        (lambda o: lr_scheduler.LinearLR(o, start_factor=0), ValueError, "start_factor"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1), ValueError, "total_steps, or both"),
        (lambda o: lr_scheduler.OneCycleLR(o, [0.1, 0.2], 10), ValueError, "2 values for 1 parameter groups"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, pct_start=2.0), ValueError, "pct_start"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, anneal_strategy="cosine"), ValueError, "anneal_strategy"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="least"), ValueError, "mode is 'min' or 'max'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor must be below 1"),
        (lambda o: lr_scheduler.LRScheduler(o), NotImplementedError, "get_lr"),
    ],
)
def test_errors_say_what_was_wrong(make, kind, message):
    with pytest.raises(kind, match=message):
        make(plain())


def test_one_cycle_needs_a_momentum_and_ends():
    with pytest.raises(ValueError, match="Adagrad has no momentum to cycle; give cycle_momentum=False"):
        lr_scheduler.OneCycleLR(optim.Adagrad([nn.Parameter([1.0])]), 0.1, 10)
    scheduler = lr_scheduler.OneCycleLR(plain(), 0.1, total_steps=3)
    for _ in range(3):  # as many calls as batches, as in PyTorch; the rate after the last one stays
        scheduler.step()
    assert scheduler.get_last_lr() == pytest.approx([0.1 / 25 / 1e4])
    with pytest.raises(ValueError, match="the cycle is over after 3 steps"):
        scheduler.step()
