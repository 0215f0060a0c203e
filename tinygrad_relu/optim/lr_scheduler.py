"""Schedules: how the learning rate changes during training. Call ``scheduler.step()`` after each epoch (after each
batch for OneCycleLR), after ``optimizer.step()``.

Each schedule is a formula of t, the number of calls so far, and of the rate that the optimizer began with. Several on
one optimizer compose. The values are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..tensor import Tensor
from .optimizer import Optimizer

__all__ = [
    "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LinearLR", "MultiStepLR", "OneCycleLR", "ReduceLROnPlateau",
    "StepLR",
]  # fmt: skip


class LRScheduler:
    """A formula for the learning rate; the base of the others. A subclass writes ``get_lr(t, lr)``.

    ``t`` counts the calls of ``step()``, ``lr`` is what a parameter group began with (its ``"initial_lr"``, the rate
    before the first schedule). The first rate, that of t = 0, is set at once.

    >>> class Inverse(optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self, t, lr):
    ...         return lr / (1 + t)
    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = Inverse(optimizer)
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.5

    Several schedules on one optimizer multiply, as in PyTorch, whatever the order of their steps; so does a rate that
    was set by hand in between. Each goes on from the rate that it finds, in proportion to its formula: from lr to
    eta_min + (lr - eta_min) * (f(t) - eta_min) / (f(t - 1) - eta_min), with f its formula and ``eta_min`` what it comes
    down to, 0 for most. Where f(t - 1) is eta_min it adds f(t) - f(t - 1). OneCycleLR sets the rate, whatever it finds.

    >>> second = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.1)
    >>> scheduler.step(); second.step(); round(optimizer.param_groups[0]["lr"], 6)
    0.033333

    A parameter group that is added later begins with the rate that it has then, and follows the formula from there.
    """

    eta_min = 0.0

    def __init__(self, optimizer: Optimizer):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an optimizer first, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lrs: list[float] = []
        self.formula_lrs: list[float] = []  # what the formula gave last: the rates, if nobody else changes them
        self.last_epoch = 0
        self._apply()

    def get_lr(self, t: int, lr: float) -> float:
        """The learning rate after ``t`` steps of a group that began with ``lr``."""
        raise NotImplementedError(f"{type(self).__name__}: a schedule needs a get_lr method")

    def step(self) -> None:
        """Go on to the next learning rate."""
        self.last_epoch += 1
        try:
            self._apply()
        except Exception:
            self.last_epoch -= 1
            raise

    def _apply(self) -> None:
        groups = self.optimizer.param_groups
        self._begin(groups)
        formula = [self.get_lr(self.last_epoch, base) for base in self.base_lrs]
        for group, before, now in zip(groups, self.formula_lrs, formula):
            group["lr"] = self._onward(group["lr"], before, now)
        self.formula_lrs = formula

    def _begin(self, groups: list[dict[str, Any]]) -> None:
        """Take note of the groups that are new, and of those that began at 0 and have been given a rate since."""
        bases, formula = [*self.base_lrs], [*self.formula_lrs]  # new lists: who has kept the old ones may put them back
        for i, group in enumerate(groups):
            if i == len(bases):
                base = group.get("initial_lr") or group["lr"]
            elif bases[i] == 0 and group["lr"] != formula[i]:
                base = group["lr"]
            else:
                continue
            group["initial_lr"] = base
            before = self.get_lr(self.last_epoch - 1, base) if self.last_epoch else base
            bases[i : i + 1], formula[i : i + 1] = [base], [before]
        self.base_lrs, self.formula_lrs = bases, formula

    def _onward(self, lr: float, before: float, now: float) -> float:
        """The rate that follows ``lr`` where the formula goes from ``before`` to ``now``."""
        if lr == before:
            return now
        if before == self.eta_min:
            return lr + now - before
        return self.eta_min + (lr - self.eta_min) * (now - self.eta_min) / (before - self.eta_min)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each parameter group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, and the rates of its groups, to go on from later."""
        return {"lrs": self.get_last_lr(), **{name: value for name, value in vars(self).items() if name != "optimizer"}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a ``state_dict()`` of the same kind of schedule; KeyError if it is of another.

        ValueError if the optimizer has another number of groups. The rates of the groups are those of the state again,
        whether the optimizer's own state is loaded before or after.
        """
        name, groups = f"{type(self).__name__}.load_state_dict", self.optimizer.param_groups
        if state.keys() != self.state_dict().keys():
            raise KeyError(f"{name}: expected {sorted(self.state_dict())}, got {sorted(state)}")
        own = dict(state)
        rates = own.pop("lrs")
        if len(rates) != len(groups):
            raise ValueError(f"{name}: there are {len(groups)} parameter groups here, and {len(rates)} in the state")
        for group, rate in zip(groups, rates):
            group["lr"] = rate
        vars(self).update(own)


class StepLR(LRScheduler):
    """lr * gamma^floor(t / step_size): ``gamma`` times as much after every ``step_size`` steps.

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        self.step_size = _at_least_1("StepLR", "step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        return lr * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """lr * gamma^k, k being how many of the ``milestones`` t has reached.

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1], gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1):
        self.milestones = list(milestones)
        self.gamma = gamma
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        return lr * self.gamma ** sum(t >= milestone for milestone in self.milestones)


class ExponentialLR(LRScheduler):
    """lr * gamma^t.

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float):
        self.gamma = gamma
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        return lr * self.gamma**t


class CosineAnnealingLR(LRScheduler):
    """eta_min + (lr - eta_min) * (1 + cos(pi t / T_max)) / 2: half a cosine from lr at 0 down to eta_min at T_max.

    Beyond ``T_max`` the cosine goes on, up again. Loshchilov and Hutter 2017, "SGDR: stochastic gradient descent with
    warm restarts", eq. 5, without the restarts.

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        self.T_max = _at_least_1("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        return _cosine(lr, self.eta_min, t / self.T_max)


class LinearLR(LRScheduler):
    """lr times a factor that goes from ``start_factor`` to ``end_factor`` in ``total_iters`` steps, and stays there.

    From below 1 this is a warm-up. Raises ValueError for a start_factor outside of (0, 1], an end_factor outside of
    [0, 1].

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ):
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: start_factor must be above 0 and at most 1, got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: end_factor must be from 0 to 1, got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = _at_least_1("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        done = min(t / self.total_iters, 1.0)
        return lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` in the first ``pct_start`` of all steps, then down to far below the start; step once a batch.

    It begins at max_lr / div_factor and ends at that divided by final_div_factor. ``total_steps``, or ``epochs`` and
    ``steps_per_epoch``, say how long it takes. ``anneal_strategy`` is ``"cos"`` or ``"linear"``. With
    ``cycle_momentum``, the momentum (for Adam the first of betas) goes the opposite way, from ``max_momentum`` to
    ``base_momentum`` and back. With ``three_phase``, it comes down as long as it went up, and only then goes below the
    start. It sets the rate, whatever other schedules do. A parameter group that is added later joins the cycle, with
    the same ``max_lr``; ``scheduler.max_lr``, where it is a list, needs a value more for it.

    Raises ValueError for lengths that are no positive integers, a pct_start outside of [0, 1], an optimizer that
    has no momentum to cycle; and for a step beyond the last.

    Smith and Topin 2018, "Super-convergence: very fast training of neural networks using large learning rates".

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0, momentum=0.9)
    >>> scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=100)
    >>> [round(lr, 6) for lr in scheduler.get_last_lr()]
    [0.02]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ):
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or both epochs and steps_per_epoch")
            total_steps = _at_least_1("OneCycleLR", "epochs", epochs) * _at_least_1(
                "OneCycleLR", "steps_per_epoch", steps_per_epoch
            )
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start is a fraction from 0 to 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy is 'cos' or 'linear', got {anneal_strategy!r}")
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError(
                f"OneCycleLR: {type(optimizer).__name__} has no momentum to cycle; give cycle_momentum=False"
            )
        self.total_steps = _at_least_1("OneCycleLR", "total_steps", total_steps)
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum = base_momentum
        self.max_momentum = max_momentum
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.three_phase = three_phase
        self.max_lr = max_lr
        for group, peak in zip(optimizer.param_groups, _per_group("OneCycleLR", "max_lr", max_lr, optimizer)):
            group["initial_lr"] = peak / div_factor  # what a schedule made later begins with, as in PyTorch
        super().__init__(optimizer)

    def get_lr(self, t: int, lr: float) -> float:
        """The learning rate after ``t`` steps of a group whose peak is ``lr``."""
        start = lr / self.div_factor
        return self._at(t, start, lr, start, start / self.final_div_factor)

    def _apply(self) -> None:
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: the cycle is over after {self.total_steps} steps, this was step {t}")
        peaks = _per_group("OneCycleLR", "max_lr", self.max_lr, self.optimizer)
        momentum = self._at(t, self.max_momentum, self.base_momentum, self.max_momentum, self.max_momentum)
        for group, peak in zip(self.optimizer.param_groups, peaks):
            group["lr"] = self.get_lr(t, peak)
            if self.cycle_momentum:
                if "betas" in group:
                    group["betas"] = (momentum, group["betas"][1])
                else:
                    group["momentum"] = momentum

    def _at(self, t: int, start: float, peak: float, start_again: float, end: float) -> float:
        """The value at t on the way from start to peak, with three phases back to the start, and to the end."""
        up, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        t = min(t, last)  # the call after the last batch, whose rate nobody uses
        if self.three_phase:
            phases = [(up, start, peak), (2 * up, peak, start_again), (last, start_again, end)]
        else:
            phases = [(up, start, peak), (last, peak, end)]
        begin = 0.0
        while len(phases) > 1 and t > phases[0][0]:
            begin = phases.pop(0)[0]
        finish, here, there = phases[0]
        done = (t - begin) / (finish - begin) if finish != begin else 1.0
        return _cosine(here, there, done) if self.anneal_strategy == "cos" else here + (there - here) * done


class ReduceLROnPlateau(LRScheduler):
    """``factor`` times the rate whenever a metric has not got better for more than ``patience`` steps.

    ``step(metric)`` is told the validation loss (``mode="min"``) or, say, the accuracy (``mode="max"``). Better means
    by more than ``threshold``, as a fraction of the best so far (``threshold_mode="rel"``) or as it is (``"abs"``).
    After a reduction, ``cooldown`` steps do not count as bad. The rate stays at or above ``min_lr``, one for all groups
    or a list; a change of at most ``eps`` is not made. A parameter group that is added later is reduced too;
    ``scheduler.min_lr``, where it is a list, needs a value more for it.

    Of a metric below 0 the fraction is that of its size. In PyTorch it points the wrong way there: a value that is
    worse by less than ``threshold`` of the best counts as better, and one that creeps up is never found.

    >>> optimizer = optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0]:
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ):
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                "ReduceLROnPlateau: mode is 'min' or 'max' and threshold_mode 'rel' or 'abs', "
                f"got {mode!r} and {threshold_mode!r}"
            )
        if not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
        super().__init__(optimizer)
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        _per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.min_lr = min_lr
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def _apply(self) -> None:
        """There is no formula of t: the metric decides."""

    def step(self, metric: float | Tensor) -> None:  # type: ignore[override]
        """Take note of the metric, a number or a Tensor of one element, and reduce the rate if it is time."""
        value = metric.item() if isinstance(metric, Tensor) else float(metric)
        least = _per_group("ReduceLROnPlateau", "min_lr", self.min_lr, self.optimizer)
        self.last_epoch += 1
        if self._is_better(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce(least)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        margin = sign * self.threshold
        fraction = 1 + margin if self.best >= 0 else 1 - margin
        limit = self.best * fraction if self.threshold_mode == "rel" else self.best + margin
        return sign * value > sign * limit

    def _reduce(self, least: list[float]) -> None:
        for group, lowest in zip(self.optimizer.param_groups, least):
            reduced = max(group["lr"] * self.factor, lowest)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))


def _at_least_1(owner: str, name: str, value: int) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{owner}: {name} must be an integer of at least 1, got {value!r}")
    return value


def _per_group(owner: str, name: str, value: Any, optimizer: Optimizer) -> list[float]:
    """One value for each parameter group, from one for all or from a list."""
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, Sequence) else [value] * count
    if len(values) != count:
        raise ValueError(f"{owner}: {name} has {len(values)} values for {count} parameter groups")
    return values
