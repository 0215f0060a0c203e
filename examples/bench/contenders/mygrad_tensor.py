"""MyGrad, with its layers' functions; it has no optimizers of its own."""

from __future__ import annotations

from collections.abc import Callable

import mygrad
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy
from problem import Problem

from contenders.plain_rules import rule_for

mygrad.turn_memory_guarding_off()  # what its documentation advises for speed


def eager(problem: Problem) -> Callable[[], float]:
    """Each op when it is called."""
    parameters = [mygrad.tensor(array, copy=False) for array in problem.parameters()]
    weights, biases = parameters[::2], parameters[1::2]
    rule = rule_for(problem, [p.data for p in parameters])
    X, y = problem.X, problem.y

    def step() -> float:
        out = X
        for i, (w, b) in enumerate(zip(weights, biases)):
            out = mygrad.matmul(out, w.T) + b
            out = relu(out) if i < len(weights) - 1 else out
        loss = softmax_crossentropy(out, y)
        loss.backward()
        rule(p.grad for p in parameters)
        return loss.item()

    return step
