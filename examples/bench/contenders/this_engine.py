"""This engine: as a newcomer writes the step, and the same function through ``tg.compile``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from problem import Problem

import tinygrad_relu as tg
from tinygrad_relu import nn, optim


def made(problem: Problem) -> nn.Module:
    """The network with the problem's weights."""
    sizes = problem.sizes
    model = nn.MLP(sizes[0], sizes[1:-1], sizes[-1])
    model.load_state_dict(dict(zip(model.state_dict(), problem.parameters())))
    return model


def train_step(problem: Problem, model: nn.Module) -> Callable[[np.ndarray, np.ndarray], tg.Tensor]:
    """A function of a batch and its labels that makes one step and returns the loss."""
    optimizer = getattr(optim, problem.optimizer)(model.parameters(), lr=problem.learning_rate)

    def step(X, y):
        loss = tg.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def eager(problem: Problem) -> Callable[[], float]:
    """The step as it is."""
    step = train_step(problem, made(problem))
    return lambda: step(problem.X, problem.y).item()


def assigned(problem: Problem) -> Callable[[], float]:
    """The same, where the weights were set through ``.data`` and read there once."""
    model = made(problem)
    for p, weights in zip(model.parameters(), problem.parameters()):
        p.data = weights
        assert p.data.dtype == weights.dtype
    step = train_step(problem, model)
    return lambda: step(problem.X, problem.y).item()


def compiled(problem: Problem) -> Callable[[], float]:
    """The step recorded once and replayed."""
    step = tg.compile(train_step(problem, made(problem)))
    return lambda: step(problem.X, problem.y).item()
