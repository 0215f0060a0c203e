"""A module for each activation, for use in ``nn.Sequential``; the functions (``tg.relu``) have formulas and slopes.

Options are attributes: ``nn.LeakyReLU(0.2).negative_slope``.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..mode import no_grad
from ..names import one_of
from ..tensor import Tensor
from .making import checked_init
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU", "ELU", "GELU", "SELU", "HardSigmoid", "HardSwish", "HardTanh", "LeakyReLU", "LogSigmoid", "LogSoftmax",
    "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Swish", "Tanh",
    "Tanhshrink", "Threshold", "ThresholdedReLU",
]  # fmt: skip


class WithOptions(Module):
    """A module without parameters whose options are the fields of a dataclass; they stand in its repr."""

    def __post_init__(self):
        Module.__init__(self)

    def extra_repr(self) -> str:
        if not dataclasses.is_dataclass(self):
            return ""
        shown = ((field.name, getattr(self, field.name), field.default) for field in dataclasses.fields(self))
        return ", ".join(f"{name}={value!r}" for name, value, default in shown if value is not default)


class Activation(WithOptions):
    """A module that applies one function to each element."""


def options(cls: type[WithOptions]) -> Any:
    """Make a dataclass of the options; equality stays identity, and the repr that of a module."""
    made: Any = dataclass(eq=False, repr=False)(cls)
    made.__init__ = checked_init(made.__init__)
    return made


class ReLU(Activation):
    """max(x, 0), as ``tg.relu``.

    >>> nn.ReLU()(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """

    def forward(self, x) -> Tensor:
        return ops.relu(x)


@options
class LeakyReLU(Activation):
    """x where x > 0, negative_slope * x elsewhere, as ``tg.leaky_relu``.

    >>> nn.LeakyReLU(0.1)(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.2,  0. ,  3. ])
    """

    negative_slope: float = 0.01

    def forward(self, x) -> Tensor:
        return ops.leaky_relu(x, negative_slope=self.negative_slope)


class PReLU(Activation):
    """x where x > 0, weight * x elsewhere, with a learned weight: one, or one for each channel (axis 1).

    Weight decay should leave this weight alone, as it would pull it to 0, which is ReLU.

    >>> nn.PReLU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.5,  0. ,  3. ], op=prelu)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25):
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter([init] * num_parameters)

    def forward(self, x) -> Tensor:
        return ops.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ReLU6(Activation):
    """min(max(x, 0), 6), as ``tg.relu6``.

    >>> nn.ReLU6()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0., 0., 3.])
    """

    def forward(self, x) -> Tensor:
        return ops.relu6(x)


@options
class Threshold(Activation):
    """x where x > threshold, ``value`` elsewhere, as ``tg.threshold``.

    >>> nn.Threshold(1.0, -7.0)(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-7., -7.,  3.])
    """

    threshold: float
    value: float

    def forward(self, x) -> Tensor:
        return ops.threshold(x, threshold=self.threshold, value=self.value)


@options
class ThresholdedReLU(Activation):
    """x where x > theta, 0 elsewhere, as ``tg.thresholded_relu``.

    >>> nn.ThresholdedReLU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0., 0., 3.])
    """

    theta: float = 1.0

    def forward(self, x) -> Tensor:
        return ops.thresholded_relu(x, theta=self.theta)


@options
class ELU(Activation):
    """x where x > 0, alpha * (e^x - 1) elsewhere, as ``tg.elu``.

    >>> nn.ELU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.8647,  0.    ,  3.    ])
    """

    alpha: float = 1.0

    def forward(self, x) -> Tensor:
        return ops.elu(x, alpha=self.alpha)


class SELU(Activation):
    """A scaled elu that keeps mean 0 and variance 1, as ``tg.selu``; start its weights with ``lecun_normal``.

    >>> nn.SELU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-1.5202,  0.    ,  3.1521])
    """

    def forward(self, x) -> Tensor:
        return ops.selu(x)


@options
class CELU(Activation):
    """max(0, x) + min(0, alpha * (e^(x / alpha) - 1)), as ``tg.celu``.

    >>> nn.CELU(alpha=0.5)(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.4908,  0.    ,  3.    ])
    """

    alpha: float = 1.0

    def forward(self, x) -> Tensor:
        return ops.celu(x, alpha=self.alpha)


@options
class GELU(Activation):
    """x * Phi(x), as ``tg.gelu``; ``approximate="tanh"`` for the form without erf.

    >>> nn.GELU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.0455,  0.    ,  2.996 ])
    """

    approximate: str = "none"

    def forward(self, x) -> Tensor:
        return ops.gelu(x, approximate=self.approximate)


@options
class SiLU(Activation):
    """x * sigmoid(beta * x), as ``tg.silu``; also called Swish.

    >>> nn.SiLU()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.2384,  0.    ,  2.8577])
    """

    beta: float = 1.0

    def forward(self, x) -> Tensor:
        return ops.silu(x, beta=self.beta)


Swish = SiLU


class Mish(Activation):
    """x * tanh(softplus(x)), as ``tg.mish``.

    >>> nn.Mish()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.2525,  0.    ,  2.9865])
    """

    def forward(self, x) -> Tensor:
        return ops.mish(x)


class HardSwish(Activation):
    """x * relu6(x + 3) / 6, as ``tg.hard_swish``.

    >>> nn.HardSwish()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.3333,  0.    ,  3.    ])
    """

    def forward(self, x) -> Tensor:
        return ops.hard_swish(x)


class Sigmoid(Activation):
    """1 / (1 + e^-x), as ``tg.sigmoid``.

    >>> nn.Sigmoid()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0.1192, 0.5   , 0.9526])
    """

    def forward(self, x) -> Tensor:
        return ops.sigmoid(x)


@options
class HardSigmoid(Activation):
    """slope * x + offset held between 0 and 1, as ``tg.hard_sigmoid``; Keras 2 had ``slope=0.2``.

    >>> nn.HardSigmoid()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0.1667, 0.5   , 1.    ])
    """

    slope: float = 1 / 6
    offset: float = 0.5

    def forward(self, x) -> Tensor:
        return ops.hard_sigmoid(x, slope=self.slope, offset=self.offset)


class LogSigmoid(Activation):
    """log(sigmoid(x)), as ``tg.log_sigmoid``.

    >>> nn.LogSigmoid()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-2.1269, -0.6931, -0.0486])
    """

    def forward(self, x) -> Tensor:
        return ops.log_sigmoid(x)


class Tanh(Activation):
    """tanh(x), as ``tg.tanh``.

    >>> nn.Tanh()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.964 ,  0.    ,  0.9951])
    """

    def forward(self, x) -> Tensor:
        return ops.tanh(x)


@options
class HardTanh(Activation):
    """x held between min_val and max_val, as ``tg.hard_tanh``.

    >>> nn.HardTanh()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-1.,  0.,  1.])
    """

    min_val: float = -1.0
    max_val: float = 1.0

    def forward(self, x) -> Tensor:
        return ops.hard_tanh(x, min_val=self.min_val, max_val=self.max_val)


class Tanhshrink(Activation):
    """x - tanh(x), as ``tg.tanhshrink``.

    >>> nn.Tanhshrink()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-1.036 ,  0.    ,  2.0049])
    """

    def forward(self, x) -> Tensor:
        return ops.tanhshrink(x)


class Softsign(Activation):
    """x / (1 + |x|), as ``tg.softsign``.

    >>> nn.Softsign()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-0.6667,  0.    ,  0.75  ])
    """

    def forward(self, x) -> Tensor:
        return ops.softsign(x)


@options
class Softplus(Activation):
    """log(1 + e^(beta * x)) / beta, and x itself where beta * x > threshold, as ``tg.softplus``.

    >>> nn.Softplus()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0.1269, 0.6931, 3.0486])
    """

    beta: float = 1.0
    threshold: float = 20.0

    def forward(self, x) -> Tensor:
        return ops.softplus(x, beta=self.beta, threshold=self.threshold)


@options
class Softmax(WithOptions):
    """e^x / sum(e^x) along ``axis``, as ``tg.softmax``. Before ``CrossEntropyLoss`` it is one too many.

    >>> nn.Softmax()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([0.0064, 0.0471, 0.9465])
    """

    axis: int = -1

    def forward(self, x) -> Tensor:
        return ops.softmax(x, axis=self.axis)


@options
class LogSoftmax(WithOptions):
    """x - log(sum(e^x)) along ``axis``, as ``tg.log_softmax``.

    >>> nn.LogSoftmax()(Tensor([-2.0, 0.0, 3.0]))
    Tensor([-5.055, -3.055, -0.055])
    """

    axis: int = -1

    def forward(self, x) -> Tensor:
        return ops.log_softmax(x, axis=self.axis)


def _snake(name: str) -> str:
    """``LeakyReLU`` as leaky_relu, ``ReLU6`` as relu6."""
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", name).lower()


_BY_NAME: dict[str, type[Module]] = {_snake(name): globals()[name] for name in __all__ if name != "Threshold"}


def activation_names() -> list[str]:
    """The names that ``make_activation`` knows; it takes them in upper case and without underscores too.

    >>> nn.activations.activation_names()[:3]
    ['celu', 'elu', 'gelu']
    """
    return sorted(_BY_NAME)


def make_activation(wanted: str | Module | Callable) -> Callable[[], Module]:
    """Maker of the activation of one layer after the other, from a name, a module, its class or ``tg.relu``.

    A module is copied for each layer, so that learned slopes are each layer's own. Raises ValueError for a name that
    is unknown, TypeError for what makes no module.
    """
    if isinstance(wanted, str):
        return _by_name(wanted)
    if isinstance(wanted, Module):
        return lambda: copy.deepcopy(wanted)
    if hasattr(wanted, "op"):
        return _by_name(wanted.op.name)
    made = wanted() if callable(wanted) else None
    if not isinstance(made, Module):
        raise TypeError(
            "activation: expected a name such as 'relu', a module such as nn.ReLU(), or what makes one when it is "
            f"called, such as nn.ReLU; got {wanted!r}"
        )
    return wanted


def _by_name(name: str) -> type[Module]:
    plain = name.lower().replace("_", "").replace("-", "")
    for each, activation in _BY_NAME.items():
        if plain == each.replace("_", ""):
            return activation
    raise ValueError(f"unknown activation {name!r}; {one_of(name, activation_names())}")


def gain_of(activation: Module) -> float:
    """How much larger the weights before it should be, for a unit variance to stay one: 1 / sqrt(E[f(z)^2]).

    z is standard normal. For relu that is the sqrt(2) of He et al. 2015, for selu it is 1. For softmax, an activation
    with parameters, or one of the user's own, sqrt(2) is assumed.
    """
    if not isinstance(activation, Activation) or any(activation.parameters()):
        return 2**0.5
    z = np.linspace(-8, 8, 1601)
    density = np.exp(-z * z / 2)
    with no_grad():
        squares = activation(z)._array ** 2
    return float((density.sum() / (density * squares).sum()) ** 0.5)
