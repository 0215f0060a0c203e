"""The rules by which parameters change. In each, theta is one vector of all parameters and g one of all gradients.

Everything is computed in place, into vectors that are made once (``flat.scratch``): for large networks a new array
costs more than the arithmetic. The formula that a line computes stands behind it. Arithmetic and defaults are
PyTorch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .flat import Flat
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent: theta -= lr * g, the rule that all others refine.

    With ``momentum`` m, a velocity v is what moves theta: v = m v + (1 - dampening) g, theta -= lr * v; the first
    v is g (Polyak 1964). With ``nesterov``, theta -= lr * (g + m v) (Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning"). ``weight_decay`` adds weight_decay * theta to g.

    ``nesterov`` needs momentum and no dampening, or a ValueError is raised.

    >>> w = nn.Parameter([1.0, -3.0])
    >>> optimizer = optim.SGD([w], lr=0.25)
    >>> (w * w).backward([1, 1])
    >>> optimizer.step()
    >>> w
    Parameter([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ):
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs a momentum above 0 and a dampening of 0, "
                f"got momentum={options['momentum']}, dampening={options['dampening']}"
            )

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        theta, (_, change) = flat.theta, flat.scratch
        momentum = options["momentum"]
        g = _with_decay(flat, options["weight_decay"])
        if momentum:
            v = flat.memory("momentum_buffer")
            if flat.is_new("momentum_buffer"):
                v[:] = g
            else:
                v *= momentum
                v += np.multiply(g, 1 - options["dampening"], out=change)  # v = m v + (1 - dampening) g
            if options["nesterov"]:
                np.multiply(v, momentum, out=change)
                g = np.add(g, change, out=change)  # g + m v
            else:
                g = v
        theta -= np.multiply(g, options["lr"], out=change)  # theta -= lr g


class Adam(Optimizer):
    """Steps of about ``lr`` in each direction, whatever the size of the gradient.

    m = b1 m + (1 - b1) g and v = b2 v + (1 - b2) g^2 are running means of the gradient and of its square,
    (b1, b2) = ``betas``. They start at 0, hence too small at first, which dividing by 1 - b1^t and 1 - b2^t mends:
    theta -= lr * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps). ``weight_decay`` adds weight_decay * theta to g.

    Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    >>> w = nn.Parameter([1.0, -300.0])
    >>> optimizer = optim.Adam([w], lr=0.5)
    >>> (w * w).backward([1, 1])
    >>> optimizer.step()
    >>> w
    Parameter([   0.5, -299.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        self._adapt(flat, _with_decay(flat, options["weight_decay"]), options)

    def _adapt(self, flat: Flat, g: np.ndarray, options: dict[str, Any]) -> None:
        theta, (_, s) = flat.theta, flat.scratch
        m, v = flat.memory("exp_avg"), flat.memory("exp_avg_sq")
        b1, b2 = options["betas"]
        m += np.multiply(np.subtract(g, m, out=s), 1 - b1, out=s)  # m = b1 m + (1 - b1) g
        np.multiply(g, g, out=s)
        v *= b2
        v += np.multiply(s, 1 - b2, out=s)  # v = b2 v + (1 - b2) g^2
        correction = (1 - b2**flat.step) ** 0.5  # in the numbers: one call less, as at the end of section 2
        np.sqrt(v, out=s)
        s += options["eps"] * correction  # (sqrt(v / (1 - b2^t)) + eps) * correction
        np.divide(m, s, out=s)
        theta -= np.multiply(s, options["lr"] * correction / (1 - b1**flat.step), out=s)


class AdamW(Adam):
    """Adam whose weight decay shrinks theta itself and stays out of the running means: theta *= 1 - lr * weight_decay.

    Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    >>> w = nn.Parameter([100.0])
    >>> optimizer = optim.AdamW([w], lr=0.5, weight_decay=0.5)
    >>> (w * 0).backward()
    >>> optimizer.step()
    >>> w
    Parameter([75.], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        if options["weight_decay"]:
            flat.theta *= 1 - options["lr"] * options["weight_decay"]
        self._adapt(flat, flat.grad, options)


class RMSprop(Optimizer):
    """The gradient divided by its running size: v = alpha v + (1 - alpha) g^2, theta -= lr * g / (sqrt(v) + eps).

    ``centered`` divides by the running standard deviation instead: sqrt(v - a^2) with a the running mean of g
    (Graves 2013, "Generating sequences with recurrent neural networks", eq. 38 to 41). With ``momentum``, a velocity
    gathers the quotients: u = momentum * u + g / (sqrt(v) + eps), theta -= lr * u. ``weight_decay`` adds
    weight_decay * theta to g.

    Hinton's lecture 6e of "Neural networks for machine learning" (Tieleman and Hinton 2012).

    >>> w = nn.Parameter([1.0, -3.0])
    >>> optimizer = optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter([ 0.9, -2.9], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ):
        defaults = {
            "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
            "centered": centered,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        theta, (_, s) = flat.theta, flat.scratch
        alpha, momentum = options["alpha"], options["momentum"]
        g = _with_decay(flat, options["weight_decay"])
        v = flat.memory("square_avg")
        v *= alpha
        np.multiply(g, g, out=s)
        v += np.multiply(s, 1 - alpha, out=s)  # v = alpha v + (1 - alpha) g^2
        if options["centered"]:
            a = flat.memory("grad_avg")
            a += np.multiply(np.subtract(g, a, out=s), 1 - alpha, out=s)  # a = alpha a + (1 - alpha) g
            np.subtract(v, np.multiply(a, a, out=s), out=s)
            np.sqrt(np.maximum(s, 0, out=s), out=s)  # rounding can bring a variance near 0 below it
        else:
            np.sqrt(v, out=s)
        s += options["eps"]
        np.divide(g, s, out=s)  # g / (sqrt(v) + eps)
        if momentum:
            u = flat.memory("momentum_buffer")
            u *= momentum
            u += s
            np.copyto(s, u)
        s *= options["lr"]
        theta -= s


class Adagrad(Optimizer):
    """Shorter steps where much has been gone: v += g^2, theta -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(v) + eps).

    v starts at ``initial_accumulator_value``. ``weight_decay`` adds weight_decay * theta to g.

    Duchi, Hazan and Singer 2011, "Adaptive subgradient methods for online learning and stochastic optimization".

    >>> w = nn.Parameter([1.0, -3.0])
    >>> optimizer = optim.Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter([ 0.5, -2.5], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
    ):
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "eps": eps,
        }  # fmt: skip
        super().__init__(params, defaults)

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        theta, (_, s) = flat.theta, flat.scratch
        g = _with_decay(flat, options["weight_decay"])
        v = flat.memory("sum", start=options["initial_accumulator_value"])
        v += np.multiply(g, g, out=s)
        np.sqrt(v, out=s)
        s += options["eps"]
        np.divide(g, s, out=s)  # g / (sqrt(v) + eps)
        s *= options["lr"] / (1 + (flat.step - 1) * options["lr_decay"])
        theta -= s


def _with_decay(flat: Flat, weight_decay: float) -> np.ndarray:
    """g + weight_decay * theta: the gradient of the loss plus weight_decay / 2 * |theta|^2."""
    if not weight_decay:
        return flat.grad
    g = np.multiply(flat.theta, weight_decay, out=flat.scratch[0])
    g += flat.grad
    return g
