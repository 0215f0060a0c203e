"""PyTorch: eager, and with forward, backward and optimizer through ``torch.compile``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise

import torch
from problem import Problem

torch.set_num_threads(1)
torch._logging.set_logs(dynamo=logging.ERROR)  # compiling the optimizer warns of a profiler that nobody has asked for


def parts(problem: Problem) -> tuple[Callable[[], torch.Tensor], torch.optim.Optimizer]:
    """A function that returns the loss, and the optimizer."""
    modules: list[torch.nn.Module] = []
    for m, k in pairwise(problem.sizes):
        modules += [torch.nn.Linear(m, k), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    with torch.no_grad():
        for p, value in zip(model.parameters(), problem.parameters()):
            p.copy_(torch.from_numpy(value))
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    optimizer = getattr(torch.optim, problem.optimizer)(model.parameters(), lr=problem.learning_rate)
    return lambda: torch.nn.functional.cross_entropy(model(X), y), optimizer


def train_step(loss_of, optimizer, update) -> Callable[[], float]:
    """The usual five lines."""

    def step() -> float:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        update()
        return loss.item()

    return step


def eager(problem: Problem) -> Callable[[], float]:
    """Each op when it is called."""
    loss_of, optimizer = parts(problem)
    return train_step(loss_of, optimizer, optimizer.step)


def compiled(problem: Problem) -> Callable[[], float]:
    """Loss and gradients as one program, the optimizer as another, which is what PyTorch recommends."""
    torch.compiler.reset()  # after some networks it would refuse to compile the same lines for another
    loss_of, optimizer = parts(problem)

    @torch.compile(fullgraph=False)
    def update():
        optimizer.step()

    return train_step(torch.compile(loss_of, fullgraph=True), optimizer, update)
