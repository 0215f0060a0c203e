"""Samples of the activation functions: each with its exact kinks, which PyTorch judges, and with extreme values."""

import numpy as np

from . import rng, sample

inf, nan = float("inf"), float("nan")


def _activation(*kinks, low=-4.0, high=4.0, extremes=(1e4, -1e4, 0.0, -0.0, inf, -inf, nan), **options):
    """Values on both sides and near the kinks, 0-d, empty; then the kinks; then infinity, NaN and scores of 1e4."""
    draw = rng(5).uniform
    beside = [k + step for k in kinks for step in (-0.01, 0.01)]
    samples = [
        sample(draw(low, high, (3, 4)), **options),
        sample(np.array(draw(low, high)), **options),
        sample(np.zeros((2, 0)), **options),
        sample(list(extremes), kink=True, **options),
    ]
    if kinks:
        samples += [sample(beside, **options), sample(list(kinks), kink=True, **options)]
    return samples


# Where PyTorch has no one answer: gelu(inf) differs between float32 and float64, softsign is NaN at infinity, and
# the older hard sigmoid is not there.
_FINITE = (1e4, -1e4, 0.0, -0.0)

SAMPLES = {
    "relu": _activation(0.0),
    "leaky_relu": [*_activation(0.0), *_activation(0.0, negative_slope=0.3)],
    "prelu": [
        sample(rng(1).normal(size=(3, 4)), [0.25]),
        sample(rng(2).normal(size=(3, 4)), [0.25, 0.5, -0.5, 2.0]),
        sample(rng(3).normal(size=(2, 3, 2)), [0.25, 0.5, -0.5]),
        sample(rng(4).normal(size=(5,)), [0.25]),
        sample(np.zeros((0, 2)), [0.25, 0.5]),
        sample([0.0, -0.0, nan, 1.0], [0.25], kink=True),
    ],
    "relu6": _activation(0.0, 6.0, high=8.0),
    "threshold": _activation(1.0, threshold=1.0, value=-7.0),
    "thresholded_relu": [*_activation(1.0), *_activation(0.5, theta=0.5)],
    "elu": [*_activation(0.0), *_activation(0.0, alpha=0.5)],
    "selu": _activation(0.0),
    "celu": [*_activation(0.0), *_activation(0.0, alpha=0.5)],
    "sigmoid": _activation(),
    "hard_sigmoid": [*_activation(-3.0, 3.0), *_activation(-2.5, 2.5, extremes=_FINITE, slope=0.2, offset=0.5)],
    "log_sigmoid": _activation(),
    "softplus": [*_activation(20.0), *_activation(5.0, beta=2.0, threshold=10.0)],
    "silu": [*_activation(), *_activation(beta=2.0)],
    "mish": _activation(),
    "hard_swish": _activation(-3.0, 3.0),
    "normal_cdf": _activation(),
    "gelu": [*_activation(extremes=_FINITE), *_activation(approximate="tanh")],
    "softsign": _activation(0.0, extremes=_FINITE),
    "hard_tanh": [*_activation(-1.0, 1.0), *_activation(-2.0, 0.5, min_val=-2.0, max_val=0.5)],
    "tanhshrink": _activation(),
    "softmax": [
        sample(rng(1).normal(size=(3, 4))),
        sample(rng(2).normal(size=(3, 4)), axis=0),
        sample(rng(3).normal(size=(2, 3, 2)), axis=1),
        sample(rng(4).normal(size=(3,))),
        sample(np.zeros((0, 3))),
        sample([[1e4, -1e4, 0.0], [1e4, 1e4, -inf]], kink=True),
    ],
    "log_softmax": [
        sample(rng(1).normal(size=(3, 4))),
        sample(rng(2).normal(size=(3, 4)), axis=0),
        sample(rng(3).normal(size=(2, 3, 2)), axis=1),
        sample(rng(4).normal(size=(3,))),
        sample(np.zeros((0, 3))),
        sample([[1e4, -1e4, 0.0], [1e4, 1e4, 0.0]], kink=True),
    ],
}


def _functional(theirs, **names):
    """PyTorch's function, with the options under PyTorch's names."""

    def call(torch, *xs, **options):
        return getattr(torch.nn.functional, theirs)(*xs, **{names.get(k, k): v for k, v in options.items()})

    return call


def _hard_sigmoid(torch, x, slope=None, offset=None):
    if slope is None:
        return torch.nn.functional.hardsigmoid(x)
    return torch.nn.functional.hardtanh(x * slope + offset, 0.0, 1.0)  # the older Keras form


TORCH = {
    "relu": _functional("relu"),
    "leaky_relu": _functional("leaky_relu"),
    "prelu": _functional("prelu"),
    "relu6": _functional("relu6"),
    "threshold": _functional("threshold"),
    "thresholded_relu": lambda torch, x, theta=1.0: torch.nn.functional.threshold(x, theta, 0.0),
    "elu": _functional("elu"),
    "selu": _functional("selu"),
    "celu": _functional("celu"),
    "sigmoid": lambda torch, x: torch.sigmoid(x),
    "hard_sigmoid": _hard_sigmoid,
    "log_sigmoid": _functional("logsigmoid"),
    "softplus": _functional("softplus"),
    "silu": lambda torch, x, beta=None: torch.nn.functional.silu(x) if beta is None else x * torch.sigmoid(beta * x),
    "mish": _functional("mish"),
    "hard_swish": _functional("hardswish"),
    "normal_cdf": lambda torch, x: torch.special.ndtr(x),
    "gelu": _functional("gelu"),
    "softsign": _functional("softsign"),
    "hard_tanh": _functional("hardtanh"),
    "tanhshrink": _functional("tanhshrink"),
    "softmax": lambda torch, x, axis=-1: torch.softmax(x, axis),
    "log_softmax": lambda torch, x, axis=-1: torch.log_softmax(x, axis),
}
