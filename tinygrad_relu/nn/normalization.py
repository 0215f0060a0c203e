"""The layers that give values mean 0 and variance 1: over the features of a row, or over the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from .. import ops
from ..deciding import deciding
from ..mode import get_default_dtype
from ..tensor import Tensor
from .making import named, positive
from .module import Module
from .parameter import Parameter

__all__ = ["BatchNorm1d", "LayerNorm"]


class LayerNorm(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last axes, those of ``normalized_shape``.

    The variance is that of the population (divided by n). ``weight`` starts at 1 and ``bias`` at 0, and both are
    left out with ``elementwise_affine=False``. Raises ValueError for an input whose last axes are others.

    Ba, Kiros and Hinton 2016, "Layer normalization".

    >>> nn.LayerNorm(2)(np.array([[1.0, 3.0]])).data.round(3)
    array([[-1.,  1.]])
    """

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True,
    ):  # fmt: skip
        super().__init__()
        shape = tuple(normalized_shape) if isinstance(normalized_shape, Iterable) else (normalized_shape,)
        self.normalized_shape = tuple(positive("LayerNorm", "each length", n) for n in shape)
        self.eps = eps
        self.weight = Parameter(np.ones(shape, get_default_dtype())) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, get_default_dtype())) if elementwise_affine and bias else None

    def forward(self, x) -> Tensor:
        x = _tensor(x)
        k = len(self.normalized_shape)
        if x.shape[-k:] != self.normalized_shape:
            raise ValueError(
                f"LayerNorm{named(self.weight)}: expected an input that ends with the axes {self.normalized_shape}, "
                f"got shape {x.shape}"
            )
        y = _standardized(x, *_moments(x, tuple(range(-k, 0))), self.eps)
        return _affine(y, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}" + ", elementwise_affine=False" * (self.weight is None)


class BatchNorm1d(Module):
    """(x - mean) / sqrt(var + eps) * weight + bias for each feature, over the batch. Input (N, C) or (N, C, L).

    In training, mean and variance are those of the batch, and the running ones go a step of ``momentum`` towards
    them; in evaluation the running ones are used. As in PyTorch, the batch's variance is divided by n where it is
    used and by n - 1 where it is remembered. ``momentum=None`` remembers the mean over all batches.
    With ``affine=False`` there are no weight and bias. With ``track_running_stats=False`` nothing is remembered, and
    evaluation uses the mean and variance of its batch too; set later, it only stops or goes on remembering.

    Raises ValueError for an input of another shape, and for a single value per feature where the batch's own mean
    and variance are used: it is its own mean, so that the result would be 0 for every input.

    Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
    shift", algorithm 1.

    >>> layer = nn.BatchNorm1d(1)
    >>> layer(np.array([[1.0], [3.0]])).data.round(3).tolist()
    [[-1.0], [1.0]]
    >>> layer.running_mean
    array([0.2], dtype=float32)
    """

    running_mean: np.ndarray | None
    running_var: np.ndarray | None
    num_batches_tracked: np.ndarray | None

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True,
    ):  # fmt: skip
        super().__init__()
        self.num_features = positive("BatchNorm1d", "num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0) if track_running_stats else None)

    @property
    def uses_batch(self) -> bool:
        """Tell whether mean and variance are those of the batch: in training, and where there are no running ones."""
        if (self.running_mean is None) != (self.running_var is None):
            raise ValueError(f"BatchNorm1d{named(self.weight)}: set both running_mean and running_var to None, or none")
        return self.training or self.running_mean is None

    def forward(self, x) -> Tensor:
        x = _tensor(x)
        shape = x.shape
        if len(shape) not in (2, 3) or shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm1d{named(self.weight)}: expected an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, L), got {shape}"
            )
        axes, per_feature = ((0,), (-1,)) if len(shape) == 2 else ((0, 2), (-1, 1))
        mean, var = self._of_batch(x, axes) if self.uses_batch else self._running(per_feature)
        y = _standardized(x, mean, var, self.eps)
        if len(shape) == 2:
            return _affine(y, self.weight, self.bias)
        return _affine(y, *(p if p is None else ops.reshape(p, per_feature) for p in (self.weight, self.bias)))

    def _running(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        mean, var = cast(np.ndarray, self.running_mean), cast(np.ndarray, self.running_var)
        return mean.reshape(shape), var.reshape(shape)

    def _of_batch(self, x, axes: tuple[int, ...]) -> tuple[Any, Any]:
        count = x.size // self.num_features
        if not count:
            return 0.0, 1.0  # for nothing
        if count == 1:
            way_out = "; .eval() uses the running ones" if self.training else ", as there are no running ones"
            raise ValueError(
                f"BatchNorm1d{named(self.weight)}: the mean and variance of a batch need more than one value per "
                f"feature, since one alone would become 0 whatever it is; got shape {x.shape}. "
                f"Give more rows at once{way_out}"
            )
        mean, var = _moments(x, axes)
        if self.training and self.track_running_stats and self.running_mean is not None:
            self._remember(np.ravel(mean._array), np.ravel(var._array), count)
        return mean, var

    def _remember(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        before_mean, before_var = cast(np.ndarray, self.running_mean), cast(np.ndarray, self.running_var)
        batches: Any = np.array(0) if self.num_batches_tracked is None else self.num_batches_tracked
        self.num_batches_tracked = batches = batches + 1
        with deciding("BatchNorm1d"):
            step = 1 / batches.item() if self.momentum is None else self.momentum
        # new arrays, since the old ones may stand in a graph
        self.running_mean = ((1 - step) * before_mean + step * mean).astype(before_mean.dtype)
        var = step * count / (count - 1) * var
        self.running_var = ((1 - step) * before_var + var).astype(before_var.dtype)

    def extra_repr(self) -> str:
        parts = [f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"]
        parts += ["affine=False"] * (self.weight is None)
        return ", ".join(parts + ["track_running_stats=False"] * (not self.track_running_stats))


def _moments(x, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and population variance over the axes, which stay with length 1."""
    mean = ops.mean(x, axis=axes, keepdims=True)
    return mean, ops.mean(ops.square(x - mean), axis=axes, keepdims=True)


def _standardized(x, mean, var, eps: float):
    return (x - mean) * ops.rsqrt(var + eps)


def _affine(x, weight, bias):
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


def _tensor(x) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x)
