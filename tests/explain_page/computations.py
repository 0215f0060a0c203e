"""Computations: small programs that the tests of the page look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn

HERE = Path(__file__)


def doubled():
    a = Tensor(2.0, requires_grad=True, name="a")
    b = a + a
    c = b + b
    return c


def masked():
    """relu on half of the elements, and a bias that is broadcast."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True, name="x")
    w = Tensor([0.5, 1.0, 2.0, 1.0], requires_grad=True, name="w")
    b = Tensor(0.1, requires_grad=True, name="b")
    return (x * w + b).relu().sum()


def perceptron():
    tg.manual_seed(0)
    inputs, classes = data.moons(8, noise=0.1, seed=0)
    return tg.cross_entropy(nn.MLP(2, [4], 2)(inputs), classes)


def nonfinite():
    x = Tensor([np.nan, np.inf, -np.inf, 0.0, -3.0], requires_grad=True, name="x")
    y = x * 2.0
    return (y * y + x.relu()).sum()


def residual():
    """A value that is used twice: what has arrived is shown before the sum is complete."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True, name="x")
    return x + x.relu()


def hooked():
    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    x.register_hook(lambda grad: grad * 10)
    return (x * 3).sum()


def often_used():
    x = Tensor([0.7, -1.3, 1e-7], requires_grad=True, name="x")
    total = x
    for _ in range(4):
        total = total * x + x
    return total.sum()


def unequal():
    """No two numbers of it are alike."""
    x = Tensor(1.37, requires_grad=True, name="x")
    w = Tensor(0.713, requires_grad=True, name="w")
    return (x * w + 0.537).exp() * x


def digits_network():
    """64-64-32-10 on a batch of 32, with a unit that is silent."""
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    model = nn.MLP(64, [64, 32], 10)
    first = model[0]
    first.bias = nn.Parameter(np.where(np.arange(64) == 5, -100, first.bias.detach().numpy()).astype(np.float32))
    images = rng.random((32, 64), dtype=np.float32)
    return tg.cross_entropy(model(images), rng.integers(10, size=32))


COMPUTATIONS = [doubled, masked, perceptron, nonfinite, often_used]


ODD_NAMES = ["<script>alert(1)</script>", "</script>", '"quoted"', "a\nb", "한글", "{value}", "$&", "<!--", "grad 1"]


def oddly_named():
    strange = type("<img src=x onerror=alert(1)>", (nn.Sequential,), {})(nn.ReLU())
    named = [Tensor(2.0, requires_grad=True, name=name) for name in ODD_NAMES]
    return strange(tg.stack(named)).sum()
