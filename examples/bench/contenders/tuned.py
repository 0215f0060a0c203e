"""Plain NumPy, tuned for this one network: the fastest training step that we know how to write by hand.

It is no more what the formulas say, and what is in ``grad`` is no gradient. What makes it fast, beside no allocation:

- One example is one column, so that every reduction of the softmax and every elementwise op runs along contiguous
  memory, and the batch, not the 10 classes, is the inner loop.
- Biases are the last columns of the weights, and each layer's input has a last row of ones. So one product gives
  weights and biases their part, forward and backward, and no op is spent on a bias.
- The mask of ReLU is a float array: to multiply by it twice takes less time than np.maximum and a mask of bools.
- All parameters are one vector, and so are all gradients; an optimizer's rule is a handful of calls.
- Constant factors of the rule are put into the gradient where it starts, at the small array of the logits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from problem import BETA1, BETA2, EPSILON, Problem

BLOCK = 65536  # elements that stay in the cache while Adam's calls pass over them


def numpy_tuned(problem: Problem) -> Callable[[], float]:
    """One step of forward, loss, backward and update; returns the loss."""
    X, y, sizes = problem.X, problem.y, problem.sizes
    n, last = len(X), len(sizes) - 2
    shapes = [(k, m + 1) for m, k in pairwise(sizes)]
    theta, grad = (np.zeros(sum(k * m for k, m in shapes), np.float32) for _ in range(2))
    weights, grads = cut(theta, shapes), cut(grad, shapes)
    for place, (weight, bias) in zip(weights, problem.layers):
        place[:, :-1], place[:, -1] = weight, bias
    without_bias = [w[:, :-1].T for w in weights]

    rows = np.ones((n, sizes[0] + 1), np.float32)  # the batch comes in rows and is copied here
    data = rows[:, :-1]
    inputs = [rows.T] + [np.ones((m + 1, n), np.float32) for m in sizes[1:-1]]
    transposed = [a.T for a in inputs]
    outs = [a[:-1] for a in inputs[1:]] + [np.empty((sizes[-1], n), np.float32)]
    positive = [np.empty(out.shape, bool) for out in outs[:-1]]
    masks, backs = ([np.empty(out.shape, np.float32) for out in outs[:-1]] for _ in range(2))

    logits, flat_logits = outs[-1], outs[-1].reshape(-1)
    largest, total = np.empty(n, np.float32), np.empty(n, np.float32)
    columns, places = np.arange(n), np.empty(n, np.intp)
    rule, factor = RULES[problem.optimizer](theta, grad, problem.learning_rate)

    def step() -> float:
        np.copyto(data, X)
        for i, z in enumerate(outs):
            np.dot(weights[i], inputs[i], out=z)
            if i < last:
                np.greater(z, 0, out=positive[i])
                np.copyto(masks[i], positive[i])
                np.multiply(z, masks[i], out=z)

        np.maximum.reduce(logits, axis=0, out=largest)
        np.subtract(logits, largest, out=logits)
        np.multiply(y, n, out=places)
        np.add(places, columns, out=places)
        picked = flat_logits.take(places)
        np.exp(logits, out=logits)
        np.add.reduce(logits, axis=0, out=total)
        np.divide(logits, total, out=logits)
        np.log(total, out=total)
        loss = (np.add.reduce(total) - np.add.reduce(picked)) / n

        flat_logits[places] -= 1
        np.multiply(logits, factor / n, out=logits)
        g = logits
        for i in range(last, -1, -1):
            np.dot(g, transposed[i], out=grads[i])
            if i:
                np.matmul(without_bias[i], g, out=backs[i - 1])
                g = np.multiply(backs[i - 1], masks[i - 1], out=backs[i - 1])
        rule()
        return float(loss)

    return step


def cut(vector: np.ndarray, shapes: list[tuple[int, int]]) -> list[np.ndarray]:
    """Consecutive parts of a vector as matrices; views, no copies."""
    ends = np.cumsum([k * m for k, m in shapes])
    return [vector[end - k * m : end].reshape(k, m) for end, (k, m) in zip(ends, shapes)]


def sgd(theta: np.ndarray, grad: np.ndarray, rate: float) -> tuple[Callable[[], object], float]:
    """The rule, and the factor that it wants in ``grad``: with -rate in it, theta += grad is all."""
    return lambda: np.add(theta, grad, out=theta), -rate


def adam(theta: np.ndarray, grad: np.ndarray, rate: float) -> tuple[Callable[[], object], float]:
    """Adam, block by block. With 1 - BETA1 in ``grad``, m = BETA1 m + grad.

    v is kept without the factor (1 - BETA2) / (1 - BETA1)^2, of which the root goes into the two numbers of the step.
    """
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    scratch = np.empty(min(BLOCK, theta.size), np.float32)
    starts = range(0, theta.size, BLOCK)
    blocks = [[a[i : i + BLOCK] for a in (theta, grad, m, v)] + [scratch[: theta.size - i]] for i in starts]
    root = (1 - BETA1) / math.sqrt(1 - BETA2)
    t = 0

    def rule() -> None:
        nonlocal t
        t += 1
        corrected = math.sqrt(1 - BETA2**t) * root
        epsilon, change = EPSILON * corrected, rate / (1 - BETA1**t) * corrected
        for theta_, g_, m_, v_, s_ in blocks:
            np.multiply(m_, BETA1, out=m_)
            np.add(m_, g_, out=m_)
            np.multiply(g_, g_, out=s_)
            np.multiply(v_, BETA2, out=v_)
            np.add(v_, s_, out=v_)
            np.sqrt(v_, out=s_)
            np.add(s_, epsilon, out=s_)
            np.divide(m_, s_, out=s_)
            np.multiply(s_, change, out=s_)
            np.subtract(theta_, s_, out=theta_)

    return rule, 1 - BETA1


RULES = {"SGD": sgd, "Adam": adam}
