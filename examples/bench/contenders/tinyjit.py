"""tinygrad: the step through ``TinyJit``. It compiles its kernels with clang, which has to be on the PATH."""

from __future__ import annotations

from collections.abc import Callable

from problem import Problem
from tinygrad import Context, Tensor, TinyJit
from tinygrad.nn import optim


def jitted(problem: Problem) -> Callable[[], float]:
    """The whole step through ``TinyJit``; the first two calls record."""
    parameters = [Tensor(array).realize() for array in problem.parameters()]
    weights, biases = parameters[::2], parameters[1::2]
    optimizer = getattr(optim, problem.optimizer)(parameters, lr=problem.learning_rate)
    X, y = Tensor(problem.X).realize(), Tensor(problem.y).realize()

    @TinyJit
    def update(X: Tensor, y: Tensor) -> Tensor:
        for i, (w, b) in enumerate(zip(weights, biases)):
            X = X.linear(w.T, b)
            X = X.relu() if i < len(weights) - 1 else X
        optimizer.zero_grad()
        loss = X.sparse_categorical_crossentropy(y).backward()
        return loss.realize(*optimizer.schedule_step())

    def step() -> float:
        with Context(TRAINING=1):
            return update(X, y).item()

    return step
