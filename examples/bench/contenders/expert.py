"""Backpropagation in NumPy as an expert writes it: the formulas as they stand, and nothing allocated in the loop.

All parameters are views of one vector and all gradients of another, so that a rule of an optimizer is written once.
Weights are (inputs, outputs), so that a layer is x @ w; the gradient of a bias is a product with ones, which BLAS does
faster than a sum; views are made once.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from problem import BETA1, BETA2, EPSILON, Problem


def numpy_by_hand(problem: Problem) -> Callable[[], float]:
    """One step of forward, loss, backward and update; returns the loss."""
    X, y, sizes = problem.X, problem.y, problem.sizes
    n = len(X)
    shapes = [shape for m, k in pairwise(sizes) for shape in ((m, k), (k,))]
    theta, grad = (np.zeros(sum(int(np.prod(s)) for s in shapes), np.float32) for _ in range(2))
    weights, biases = cut(theta, shapes)[::2], cut(theta, shapes)[1::2]
    grad_w, grad_b = cut(grad, shapes)[::2], cut(grad, shapes)[1::2]
    for w, b, (weight, bias) in zip(weights, biases, problem.layers):
        w[...], b[...] = weight.T, bias
    outs = [np.empty((n, k), np.float32) for k in sizes[1:]]
    masks = [np.empty((n, k), bool) for k in sizes[1:-1]]
    backs = [np.empty((n, k), np.float32) for k in sizes[1:-1]]
    largest, total = np.empty((n, 1), np.float32), np.empty((n, 1), np.float32)
    ones, rows, last = np.ones(n, np.float32), np.arange(n), len(sizes) - 2
    inputs = [X, *outs[:-1]]
    transposed_inputs, transposed_weights = [a.T for a in inputs], [w.T for w in weights]
    logits = outs[-1]
    update = RULES[problem.optimizer](theta, grad, problem.learning_rate)

    def step() -> float:
        for i in range(last + 1):
            z = outs[i]
            np.matmul(inputs[i], weights[i], out=z)
            np.add(z, biases[i], out=z)
            if i < last:
                np.greater(z, 0, out=masks[i])
                np.maximum(z, 0, out=z)
        np.maximum.reduce(logits, axis=1, keepdims=True, out=largest)
        np.subtract(logits, largest, out=logits)
        picked = logits[rows, y]
        np.exp(logits, out=logits)
        np.add.reduce(logits, axis=1, keepdims=True, out=total)
        np.divide(logits, total, out=logits)
        np.log(total, out=total)
        loss = (np.add.reduce(total, axis=None) - np.add.reduce(picked)) / n
        logits[rows, y] -= 1
        np.multiply(logits, 1 / n, out=logits)
        g = logits
        for i in range(last, -1, -1):
            np.matmul(transposed_inputs[i], g, out=grad_w[i])
            np.matmul(ones, g, out=grad_b[i])
            if i:
                np.matmul(g, transposed_weights[i], out=backs[i - 1])
                g = np.multiply(backs[i - 1], masks[i - 1], out=backs[i - 1])
        update()
        return float(loss)

    return step


def cut(vector: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Consecutive parts of a vector in these shapes; views, no copies."""
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    return [vector[end - int(np.prod(s)) : end].reshape(s) for end, s in zip(ends, shapes)]


def sgd(theta: np.ndarray, grad: np.ndarray, rate: float) -> Callable[[], None]:
    """theta -= rate * grad."""
    change = np.empty_like(theta)

    def update() -> None:
        np.multiply(grad, rate, out=change)
        np.subtract(theta, change, out=theta)

    return update


def adam(theta: np.ndarray, grad: np.ndarray, rate: float) -> Callable[[], None]:
    """Kingma and Ba's algorithm 1, with eps outside of the corrected root as PyTorch has it."""
    m, v, s = (np.zeros_like(theta) for _ in range(3))
    t = 0

    def update() -> None:
        nonlocal t
        t += 1
        np.multiply(m, BETA1, out=m)
        np.multiply(grad, 1 - BETA1, out=s)
        np.add(m, s, out=m)
        np.multiply(grad, grad, out=s)
        np.multiply(v, BETA2, out=v)
        np.multiply(s, 1 - BETA2, out=s)
        np.add(v, s, out=v)
        np.sqrt(v, out=s)
        np.divide(s, (1 - BETA2**t) ** 0.5, out=s)
        np.add(s, EPSILON, out=s)
        np.divide(m, s, out=s)
        np.multiply(s, rate / (1 - BETA1**t), out=s)
        np.subtract(theta, s, out=theta)

    return update


RULES = {"SGD": sgd, "Adam": adam}
