"""HIPS autograd: NumPy code under ``value_and_grad``. Its optimizers run whole loops, so the rule is plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from problem import Problem

from contenders.plain_rules import rule_for


def eager(problem: Problem) -> Callable[[], float]:
    """The loss is traced anew in each step."""
    parameters = problem.parameters()
    rule = rule_for(problem, parameters)
    rows = np.arange(len(problem.X))

    def loss_of(parameters, X, y):
        weights, biases = parameters[::2], parameters[1::2]
        for i, (w, b) in enumerate(zip(weights, biases)):
            X = anp.dot(X, w.T) + b
            X = anp.maximum(X, 0) if i < len(weights) - 1 else X
        X = X - anp.max(X, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(X), axis=1)) - X[rows, y])

    loss_and_grads = value_and_grad(loss_of)

    def step() -> float:
        loss, grads = loss_and_grads(parameters, problem.X, problem.y)
        rule(grads)
        return float(loss)

    return step
