"""JAX: loss, gradients and update as one function that XLA compiles."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from problem import BETA1, BETA2, EPSILON, Problem

jax.config.update("jax_platforms", "cpu")


def loss_of(parameters, X, y):
    """Mean cross-entropy of an MLP."""
    for i, (w, b) in enumerate(parameters):
        X = X @ w.T + b
        X = jax.nn.relu(X) if i < len(parameters) - 1 else X
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(X), y[:, None], axis=1))


def sgd(parameters, grads, state, rate):
    """theta -= rate * g."""
    return jax.tree.map(lambda p, g: p - rate * g, parameters, grads), state


def adam(parameters, grads, state, rate):
    """Adam; ``state`` is the number of steps and the two running means."""
    t, m, v = state
    t = t + 1
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, grads)
    first, second = 1 - BETA1**t, 1 - BETA2**t

    def change(p, m, v):
        return p - rate * (m / first) / (jnp.sqrt(v / second) + EPSILON)

    return jax.tree.map(change, parameters, m, v), (t, m, v)


def jitted(problem: Problem) -> Callable[[], float]:
    """The whole step through ``jax.jit``; the old parameters' memory is given to the new ones."""
    rule, rate = {"SGD": sgd, "Adam": adam}[problem.optimizer], problem.learning_rate
    parameters = jax.tree.map(jnp.array, problem.layers)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    state = (jnp.float32(0), zeros, jax.tree.map(jnp.zeros_like, parameters))
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)

    def update(parameters, state, X, y):
        loss, grads = jax.value_and_grad(loss_of)(parameters, X, y)
        return *rule(parameters, grads, state, rate), loss

    update = jax.jit(update, donate_argnums=(0, 1))

    def step() -> float:
        nonlocal parameters, state
        parameters, state, loss = update(parameters, state, X, y)
        return float(loss)

    return step
