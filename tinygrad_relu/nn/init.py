"""How weights start. Each function fills a Tensor in place and returns it.

The spread of a layer's outputs is the spread of its inputs times fan_in times the variance of the weights, so a deep
network keeps its signal only if the weights are drawn to match. ``fan_in`` is the number of inputs of a unit,
``fan_out`` that of outputs; for a weight of shape (out, in) they are ``in`` and ``out``.
Draws are made in float64 and then converted, so that a seed gives the same network whatever the dtype.
TypeError for what is no Tensor of floats (or of integers, where they can hold the values), and for options that are no
finite numbers.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from .. import random
from ..tensor import Tensor

__all__ = [
    "calculate_gain", "constant", "constant_", "kaiming_normal", "kaiming_normal_", "kaiming_uniform",
    "kaiming_uniform_", "lecun_normal", "lecun_normal_", "normal", "normal_", "ones", "ones_", "orthogonal",
    "orthogonal_", "uniform", "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_",
    "zeros", "zeros_",
]  # fmt: skip


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0: right for biases; weights of 0 make all units of a layer the same for ever.

    >>> nn.init.zeros_(Tensor([1.0, 2.0]))
    Tensor([0., 0.])
    """
    return _fill(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1.

    >>> nn.init.ones_(Tensor([[5.0, 2.0]]))
    Tensor([[1., 1.]])
    """
    return _fill(tensor, 1.0)


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill with ``value``.

    >>> nn.init.constant_(Tensor([[1.0, 2.0]]), 0.5)
    Tensor([[0.5, 0.5]])
    """
    return _fill(tensor, value)


def uniform_(tensor: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw evenly from [low, high).

    >>> bool(nn.init.uniform_(nn.Parameter(np.zeros((100, 100))), -1, 1).data.max() <= 1)
    True
    """
    _check_numbers("uniform_", low=low, high=high)
    if low > high:
        raise ValueError(f"uniform_: low must not be above high, got {low} and {high}")
    return _fill(tensor, random.generator().uniform(low, high, _checked(tensor).shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Draw from the normal distribution with this mean and standard deviation.

    >>> bool(abs(nn.init.normal_(nn.Parameter(np.zeros((100, 100))), std=0.1).data.std() - 0.1) < 0.01)
    True
    """
    _check_numbers("normal_", mean=mean, std=std)
    if std < 0:
        raise ValueError(f"normal_: std must be 0 or more, got {std}")
    return _fill(tensor, random.generator().normal(mean, std, _checked(tensor).shape))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Draw evenly from [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    Keeps the spread of values and of gradients about even through layers with tanh-like activations
    (Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", eq. 16).

    >>> w = nn.init.xavier_uniform_(nn.Parameter(np.zeros((100, 50))))
    >>> bool(abs(w.data).max() <= np.sqrt(6 / 150))
    True
    """
    _check_numbers("xavier_uniform_", gain=gain)
    bound = gain * math.sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Draw normally with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12).

    >>> w = nn.init.xavier_normal_(nn.Parameter(np.zeros((100, 100))))
    >>> bool(abs(w.data.std() - 0.1) < 0.01)
    True
    """
    _check_numbers("xavier_normal_", gain=gain)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Draw evenly from [-b, b), b = gain * sqrt(3 / fan): the spread of ``kaiming_normal_``, without its tails.

    ``a`` is the slope of leaky_relu below 0, ``mode`` says which fan counts (``"fan_in"`` keeps the spread of the
    values, ``"fan_out"`` that of the gradients), ``nonlinearity`` gives the gain.

    >>> w = nn.init.kaiming_uniform_(nn.Parameter(np.zeros((100, 54))), nonlinearity="relu")
    >>> bool(abs(w.data).max() <= np.sqrt(6 / 54))
    True
    """
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Draw normally with std = gain / sqrt(fan), sqrt(2 / fan_in) for ReLU, which lets half of its inputs through.

    He et al. 2015, "Delving deep into rectifiers", eq. 10 and 14. Options as in ``kaiming_uniform_``.

    >>> w = nn.init.kaiming_normal_(Tensor(np.empty((500, 200))))
    >>> bool(abs(w.data.std() - (2 / 200) ** 0.5) < 0.01)
    True
    """
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def lecun_normal_(tensor: Tensor) -> Tensor:
    """Draw normally with std = 1 / sqrt(fan_in): what SELU needs to keep mean 0 and variance 1.

    LeCun et al. 1998, "Efficient backprop", eq. 16; Klambauer et al. 2017, "Self-normalizing neural networks".

    >>> w = nn.init.lecun_normal_(nn.Parameter(np.zeros((100, 100))))
    >>> bool(abs(w.data.std() - 0.1) < 0.01)
    True
    """
    return normal_(tensor, 0.0, 1 / math.sqrt(_fans(tensor)[0]))


def orthogonal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Draw a matrix whose rows (or columns, the fewer of them) are orthogonal and of length ``gain``.

    From the QR decomposition of a normal matrix, with signs chosen so that all such matrices are equally likely
    (Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning", section 3).

    >>> w = nn.init.orthogonal_(Tensor(np.empty((2, 5)))).data
    >>> np.allclose(w @ w.T, np.eye(2))
    True
    """
    _check_numbers("orthogonal_", gain=gain)
    _fans(tensor)
    rows, columns = tensor.shape[0], int(np.prod(tensor.shape[1:]))
    q, r = np.linalg.qr(random.generator().normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return _fill(tensor, gain * (q.T if rows < columns else q).reshape(tensor.shape))


_GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much larger weights should be before this activation, to make up for what it takes from the spread.

    linear and sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + slope**2)) with ``param`` as its slope
    (0.01 if left out), selu 3/4. Raises ValueError for other names.

    >>> round(nn.init.calculate_gain("relu") ** 2, 6)
    2.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        _check_numbers("calculate_gain", param=slope)
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"calculate_gain: expected one of {', '.join(sorted([*_GAINS, 'leaky_relu']))}, got {nonlinearity!r}"
        )
    return _GAINS[nonlinearity]


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    _check_numbers("kaiming", a=a)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode is 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(tensor)[mode == "fan_out"])


def _fans(tensor: Tensor) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of shape (out, in, ...), at least 1 each."""
    if _checked(tensor).ndim < 2:
        raise ValueError(f"init: fan_in and fan_out need a weight of shape (out, in), got {tensor.shape}")
    field = int(np.prod(tensor.shape[2:]))
    return max(1, tensor.shape[1] * field), max(1, tensor.shape[0] * field)


def _fill(tensor: Tensor, values) -> Tensor:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"init: expected numbers to fill with, got {values!r:.60}")
    if not np.can_cast(array.dtype, _checked(tensor).dtype, "same_kind") and (array % 1).any():
        raise TypeError(f"init: a tensor of {tensor.dtype} cannot hold fractions; make it of floats")
    tensor._write(array)
    return tensor


def _checked(tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(
            f"init: expected a Tensor to fill, such as layer.weight, got {type(tensor).__name__} {tensor!r:.60}"
        )
    return tensor


def _check_numbers(caller: str, **numbers: Any) -> None:
    for name, value in numbers.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            raise TypeError(f"{caller}: {name} must be a finite number, got {type(value).__name__} {value!r:.60}")


# PyTorch marks what changes its argument by an underscore; without it they read as in papers.
zeros, ones, constant, uniform, normal = zeros_, ones_, constant_, uniform_, normal_
xavier_uniform, xavier_normal = xavier_uniform_, xavier_normal_
kaiming_uniform, kaiming_normal = kaiming_uniform_, kaiming_normal_
lecun_normal, orthogonal = lecun_normal_, orthogonal_
