"""Schedules of the learning rate: PyTorch's values, step by step."""

from __future__ import annotations

import copy
import itertools
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
    if sign < 0 and options.get("threshold_mode") != "abs":
        options = {**options, "threshold": 0.0}  # PyTorch's fraction of a metric below 0 points the wrong way
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


TOGETHER = {
    "StepLR": {"step_size": 7, "gamma": 0.5},
    "MultiStepLR": {"milestones": [5, 5, 20, 41], "gamma": 0.3},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 13, "eta_min": 0.01},  # comes to its end and goes up again, twice
    "LinearLR": {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 33},
    "OneCycleLR": {"max_lr": 0.4, "total_steps": 61},
    "ReduceLROnPlateau": {"patience": 2, "factor": 0.7},
}


def test_all_schedules_are_tried_together():
    assert TOGETHER.keys() == {*lr_scheduler.__all__} - {"LRScheduler"}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(
    "names",
    [*itertools.product(TOGETHER, repeat=2), *itertools.permutations(TOGETHER, 3), ("LinearLR",) * 3],
    ids="-".join,
)
def test_schedules_on_one_optimizer_compose_as_in_pytorch(names):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers(momentum=0.9)
    schedulers = [getattr(lr_scheduler, name)(ours, **TOGETHER[name]) for name in names]
    references = [getattr(torch.optim.lr_scheduler, name)(theirs, **TOGETHER[name]) for name in names]
    rng = np.random.default_rng(0)
    for t in range(50):
        metric = float(3 * math.exp(-t / 10) + 0.2 * rng.normal() + 1)
        for each in itertools.chain(schedulers, references):
            each.step(*[metric] if "Plateau" in type(each).__name__ else [])
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-9, atol=1e-15)
        assert [g["momentum"] for g in ours.param_groups] == pytest.approx([g["momentum"] for g in theirs.param_groups])


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_warm_up_and_a_cosine_multiply():
    """The theory: at step t the rate is lr * warm-up(t) * cosine(t), in whichever order the two step."""
    for order in (1, -1):
        optimizer = plain()
        schedulers = [lr_scheduler.LinearLR(optimizer), lr_scheduler.CosineAnnealingLR(optimizer, 10)]
        for t in range(1, 10):
            for scheduler in schedulers[::order]:
                scheduler.step()
            warm_up = min(1 / 3 + 2 / 3 * t / 5, 1)
            np.testing.assert_allclose(rates(optimizer), [warm_up * (1 + math.cos(math.pi * t / 10)) / 2], rtol=1e-12)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", TOGETHER)
def test_a_rate_set_by_hand_is_gone_on_from_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizers(momentum=0.9)
    scheduler = getattr(lr_scheduler, name)(ours, **TOGETHER[name])
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **TOGETHER[name])
    for t in range(40):
        if t == 9:
            ours.param_groups[0]["lr"] = theirs.param_groups[0]["lr"] = 0.03
        for each in (scheduler, reference):
            each.step(*[1.0] if name == "ReduceLROnPlateau" else [])
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-9, atol=1e-15)


def test_a_group_that_begins_at_zero_is_scheduled_from_when_it_is_given_a_rate():
    optimizer = optim.SGD([{"params": [nn.Parameter([1.0])], "lr": 0.0}, {"params": [nn.Parameter([1.0])]}], lr=1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    scheduler.step()
    optimizer.param_groups[0]["lr"] = 0.8
    scheduler.step()
    scheduler.step()
    assert rates(optimizer) == pytest.approx([0.2, 0.125])


# ------------------------------------------------------------------ groups that are added later


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("name", [name for name in TOGETHER if name != "OneCycleLR"])
def test_a_group_that_is_added_later_is_scheduled_as_in_pytorch(name):
    """Up to the lowest point of the cosine, where PyTorch raises an error about lengths."""
    torch = pytest.importorskip("torch")
    options = {**TOGETHER[name], "T_max": 60} if name == "CosineAnnealingLR" else TOGETHER[name]
    ours, theirs = optimizers()
    scheduler = getattr(lr_scheduler, name)(ours, **options)
    reference = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for t in range(50):
        if t == 4:
            ours.add_param_group({"params": nn.Parameter([1.0]), "lr": 0.3})
            theirs.add_param_group({"params": torch.nn.Parameter(torch.tensor([1.0])), "lr": 0.3})
        for each in (scheduler, reference):
            each.step(*[1.0] if name == "ReduceLROnPlateau" else [])
        np.testing.assert_allclose(rates(ours), rates(theirs), rtol=1e-9, atol=1e-15)
        assert len(scheduler.get_last_lr()) == len(rates(ours))
    assert rates(ours)[2] != 0.3


def test_a_group_that_is_added_later_goes_down_and_up_the_cosine():
    """PyTorch raises behind the lowest point; here the group goes up again to the rate that it was added with."""
    optimizer = plain()
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    optimizer.add_param_group({"params": nn.Parameter([1.0]), "lr": 0.3})
    low, high = [], []
    for t in range(1, 21):
        scheduler.step()
        (low if t == 10 else high if t == 20 else []).extend(rates(optimizer))
    assert low == pytest.approx([0.0, 0.0], abs=1e-15)
    assert high == pytest.approx([1.0, 0.3])


def test_a_group_that_is_added_later_joins_the_cycle():
    """PyTorch raises a KeyError; one max_lr for all is meant for the new group too."""
    optimizer = plain()
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=0.4, total_steps=20)
    scheduler.step()
    optimizer.add_param_group({"params": nn.Parameter([1.0]), "lr": 7.0})
    for _ in range(10):
        scheduler.step()
        assert rates(optimizer)[0] == rates(optimizer)[1]
        assert optimizer.param_groups[0]["momentum"] == optimizer.param_groups[1]["momentum"]


@pytest.mark.parametrize(
    ("name", "options", "option", "metric"),
    [
        ("OneCycleLR", {"max_lr": [0.4], "total_steps": 20}, "max_lr", ()),
        ("ReduceLROnPlateau", {"min_lr": [0.1]}, "min_lr", (1.0,)),
    ],
)
def test_a_list_of_values_needs_one_more_for_a_group_that_is_added_later(name, options, option, metric):
    optimizer = plain()
    scheduler = getattr(lr_scheduler, name)(optimizer, **options)
    optimizer.add_param_group({"params": nn.Parameter([1.0]), "lr": 0.3})
    with pytest.raises(ValueError, match=f"{name}: {option} has 1 values for 2 parameter groups"):
        scheduler.step(*metric)
    assert (scheduler.last_epoch, rates(optimizer)[1]) == (0, 0.3)
    getattr(scheduler, option).append(0.2)
    scheduler.step(*metric)
    assert scheduler.last_epoch == 1


# ------------------------------------------------------------------ a metric below 0


def creeping_up(**options):
    optimizer = plain()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    for k in range(50):
        scheduler.step(-5 + 4e-4 * k)
    return optimizer


def test_a_metric_below_zero_that_creeps_up_is_found_where_pytorch_does_not():
    assert rates(creeping_up())[0] < 1e-3 and rates(creeping_up(threshold_mode="abs"))[0] < 1e-3
    optimizer = plain()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", patience=1)
    for metric in (-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0):
        scheduler.step(metric)
    assert rates(optimizer) == [1.0]
    for _ in range(2):
        scheduler.step(1.00001)
    assert rates(optimizer) == [0.1]


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


class Halving(lr_scheduler.LRScheduler):
    """A schedule of a user's, half as much with each drop; ``drops`` is set from outside."""

    def __init__(self, optimizer):
        self.drops = 0
        super().__init__(optimizer)

    def get_lr(self, t, lr):
        return lr * 0.5**self.drops


def test_a_schedule_of_ones_own_composes_and_may_go_by_what_it_likes():
    optimizer = plain()
    own, other = Halving(optimizer), lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    for t in range(1, 7):
        own.drops = t // 3
        own.step()
        other.step()
    assert rates(optimizer) == pytest.approx([0.5**2 * 0.1**3])


@pytest.mark.parametrize("order", ["optimizer", "schedulers"])
@pytest.mark.parametrize("made_last", [False, True])
def test_a_run_with_two_schedules_goes_on_whatever_is_made_and_loaded_first(order, made_last):
    def make(optimizer):
        return [lr_scheduler.LinearLR(optimizer), lr_scheduler.CosineAnnealingLR(optimizer, 9, eta_min=0.1)]

    def steps(schedulers, number):
        for _ in range(number):
            for scheduler in schedulers:
                scheduler.step()

    optimizer, other = plain(), plain()
    schedulers = make(optimizer)
    steps(schedulers, 4)
    state, states = copy.deepcopy((optimizer.state_dict(), [each.state_dict() for each in schedulers]))
    if made_last:
        other.load_state_dict(state)
    again = make(other)
    if order == "optimizer" and not made_last:
        other.load_state_dict(state)
    for scheduler, each in zip(again, states):
        scheduler.load_state_dict(each)
    if order == "schedulers":
        other.load_state_dict(state)
    for _ in range(12):
        assert rates(other) == rates(optimizer)
        steps(schedulers, 1)
        steps(again, 1)


def test_the_state_of_another_number_of_groups_is_refused():
    state = lr_scheduler.ExponentialLR(plain(), 0.9).state_dict()
    optimizer = plain()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.add_param_group({"params": nn.Parameter([1.0])})
    with pytest.raises(ValueError, match=r"ExponentialLR.load_state_dict: there are 2 parameter groups here, and 1 in"):
        scheduler.load_state_dict(state)
    assert scheduler.gamma == 0.5


def test_the_groups_of_a_scheduled_optimizer_serve_for_another():
    """They have PyTorch's "initial_lr" among their options."""
    optimizer = plain()
    lr_scheduler.LinearLR(optimizer, start_factor=0.5)
    other = optim.SGD(optimizer.param_groups)
    assert (other.param_groups[0]["initial_lr"], rates(other)) == (1.0, [0.5])


def test_an_error_leaves_the_schedule_as_it_was():
    class Broken(lr_scheduler.LRScheduler):
        def get_lr(self, t, lr):
            return lr / (1 - t)

    optimizer = plain()
    scheduler = Broken(optimizer)
    with pytest.raises(ZeroDivisionError):
        scheduler.step()
    assert (scheduler.last_epoch, rates(optimizer)) == (0, [1.0])


def test_a_plateau_takes_a_tensor():
    optimizer = plain()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    scheduler.step(Tensor(1.0))
    scheduler.step(Tensor(2.0, requires_grad=True))
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
