"""The layers of a multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..mode import get_default_dtype
from ..tensor import Tensor
from . import functional, init
from .activations import gain_of, make_activation
from .module import Module
from .parameter import Parameter

__all__ = [
    "MLP", "BatchNorm1d", "Dropout", "Embedding", "Flatten", "Identity", "LayerNorm", "Linear", "ModuleList",
    "Sequential",
]  # fmt: skip


class Linear(Module):
    """x @ weight.T + bias: from (..., in_features) to (..., out_features).

    ``weight`` has shape (out_features, in_features), ``bias`` (out_features,), or is None with ``bias=False``. Both
    start evenly drawn from [-1/sqrt(in_features), 1/sqrt(in_features)), as in PyTorch; ``nn.init`` has other starts.
    Raises ValueError for sizes that are no positive integers, and for an input of another width.

    >>> layer = nn.Linear(3, 2)
    >>> layer
    Linear(in_features=3, out_features=2)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features = _positive("Linear", "in_features", in_features)
        self.out_features = _positive("Linear", "out_features", out_features)
        bound = 1 / math.sqrt(in_features)
        # In memory the weight lies as (in, out): BLAS is faster at x @ weight.T where that needs no transposing.
        self.weight = Parameter(_empty(in_features, out_features).T)
        init.uniform_(self.weight, -bound, bound)
        self.bias = None
        if bias:
            self.bias = Parameter(_empty(out_features))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, x) -> Tensor:
        try:
            return ops.linear(x, self.weight, self.bias)
        except ValueError:
            if np.shape(x)[-1:] == (self.in_features,):
                raise
        raise ValueError(
            f"Linear{_named(self.weight)}: expected {self.in_features} features along the last axis of the input, "
            f"got shape {np.shape(x)}"
        )

    def extra_repr(self) -> str:
        no_bias = ", bias=False" if self.bias is None else ""
        return f"in_features={self.in_features}, out_features={self.out_features}{no_bias}"


class Sequential(Module):
    """Modules one after the other: each gets what the one before it gives.

    Made from modules, or from one dict of names and modules. It has a length, can be gone through, and is indexed
    by position; a slice is a Sequential of the same modules. ``append`` adds one at the end.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=3)
      (1): ReLU()
      (2): Linear(in_features=3, out_features=1)
    )
    >>> len(model), model[-1].out_features
    (3, 1)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]):
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Iterable[tuple[str, Any]] = modules[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(modules))
        for name, module in named:
            self._add(name, module)

    def _add(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            hint = " (write nn.ReLU() with brackets)" if isinstance(module, type) else ""
            raise TypeError(f"{type(self).__name__}: expected modules, got {module!r} at {name!r}{hint}")
        if not name or "." in name or name in vars(self) or hasattr(type(self), name):
            raise ValueError(f"{type(self).__name__}: {name!r} cannot be the name of a module here; choose another")
        setattr(self, name, module)

    def forward(self, x) -> Any:
        for module in vars(self).values():
            if isinstance(module, Module):
                x = module(x)
        return x

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the Sequential itself."""
        self._add(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def __getitem__(self, index: int | slice) -> Any:
        children = list(self.named_children())
        return Sequential(dict(children[index])) if isinstance(index, slice) else children[index][1]


class ModuleList(Sequential):
    """A list of modules whose parameters are found; it computes nothing itself. Made from an iterable.

    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__(*modules)

    def forward(self, x) -> Any:
        raise NotImplementedError("ModuleList: it only holds modules; go through it in a forward method of your own")


class MLP(Sequential):
    """A multilayer perceptron: Linear and activation for each hidden width, and a Linear at the end.

    ``hidden``: the widths of the hidden layers, one number for one layer, ``[]`` for a linear model.
    ``activation``: a name (``"relu"``, ``"hard_sigmoid"``, any that ``nn`` has), a module, which is copied for each
    layer, or what makes one when it is called (``lambda: nn.LeakyReLU(0.2)``). ``batch_norm`` puts a BatchNorm1d
    between Linear and activation, ``dropout`` a Dropout of that share behind the activation.

    Hidden weights start normally distributed with standard deviation gain / sqrt(fan_in) and biases at 0. The gain
    keeps the variance through the activation: sqrt(2) for relu (He et al. 2015), 1 for selu. The last layer starts
    as any Linear.

    Raises ValueError for a width that is no positive integer or an activation that is unknown.

    >>> nn.MLP(64, [32], 10, dropout=0.1)
    MLP(
      (0): Linear(in_features=64, out_features=32)
      (1): ReLU()
      (2): Dropout(p=0.1)
      (3): Linear(in_features=32, out_features=10)
    )
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int] | int,
        out_features: int,
        activation: str | Module | Callable = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        hidden = [hidden] if isinstance(hidden, (int, np.integer)) else hidden
        widths = [_positive("MLP", "in_features", in_features)]
        widths += [_positive("MLP", "each width in hidden", width) for width in hidden]
        _positive("MLP", "out_features", out_features)
        make = make_activation(activation)
        layers: list[Module] = []
        for n_in, n_out in pairwise(widths):
            linear, activate = Linear(n_in, n_out), make()
            init.normal_(linear.weight, 0.0, gain_of(activate) / math.sqrt(n_in))
            linear.bias = Parameter(np.zeros(n_out, get_default_dtype()))
            layers.append(linear)
            if batch_norm:
                layers.append(BatchNorm1d(n_out))
            layers.append(activate)
            if dropout:
                layers.append(Dropout(dropout))
        super().__init__(*layers, Linear(widths[-1], out_features))


class Dropout(Module):
    """In training, put each element to 0 with probability ``p`` and divide the others by 1 - p; else do nothing.

    Raises ValueError for a p outside of [0, 1). See ``nn.functional.dropout``.

    >>> x = Tensor([1.0, 2.0])
    >>> nn.Dropout(0.5).eval()(x) is x
    True
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is the share that falls out, from 0 to below 1; got {p}")
        self.p = p

    def forward(self, x) -> Tensor:
        return functional.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Identity(Module):
    """Gives back what it gets.

    >>> nn.Identity()(Tensor([1.0, 2.0]))
    Tensor([1., 2.])
    """

    def forward(self, x) -> Any:
        return x


class Flatten(Module):
    """Make one axis of those from ``start_axis`` to ``end_axis``: (N, 8, 8) becomes (N, 64).

    >>> nn.Flatten()(np.zeros((5, 8, 8))).shape
    (5, 64)
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1):
        super().__init__()
        self.start_axis = start_axis
        self.end_axis = end_axis

    def forward(self, x) -> Tensor:
        shape = x.shape
        start, end = (axis + len(shape) if axis < 0 else axis for axis in (self.start_axis, self.end_axis))
        if not 0 <= start <= end < len(shape):
            raise ValueError(
                f"Flatten: there are no axes {self.start_axis} to {self.end_axis} in an input of shape {shape}"
            )
        size = math.prod(shape[start : end + 1])
        return ops.reshape(x, (*shape[:start], size, *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_axis={self.start_axis}, end_axis={self.end_axis}"


class Embedding(Module):
    """A table with one learned row for each of ``num_embeddings`` things: integers of any shape become rows.

    (N,) becomes (N, embedding_dim), and so on. Rows start normally distributed; the row of ``padding_idx`` starts at
    0 and is not learned. Raises IndexError for an index beyond the table, TypeError for what is no integer.

    >>> nn.Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None):
        super().__init__()
        self.num_embeddings = _positive("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = _positive("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: there is no row padding_idx={padding_idx} among {num_embeddings}")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(_empty(num_embeddings, embedding_dim))
        init.normal_(self.weight)
        if padding_idx is not None:
            self.weight._data[padding_idx] = 0

    def forward(self, indices) -> Tensor:
        indices = indices._data if isinstance(indices, Tensor) else indices
        indices = indices if hasattr(indices, "dtype") else np.asarray(indices)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"Embedding: expected integers, got {indices.dtype}")
        if indices.size and not (0 <= indices.min() and indices.max() < self.num_embeddings):
            raise IndexError(
                f"Embedding: indices go from 0 to {self.num_embeddings - 1}, "
                f"got some from {indices.min()} to {indices.max()}"
            )
        rows = ops.getitem(self.weight, indices)
        if self.padding_idx is None:
            return rows
        return ops.where(np.expand_dims(indices == self.padding_idx, -1), rows.detach(), rows)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


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
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = tuple(_positive("LayerNorm", "each length", n) for n in shape)
        self.eps = eps
        self.weight = Parameter(np.ones(shape, get_default_dtype())) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, get_default_dtype())) if elementwise_affine and bias else None

    def forward(self, x) -> Tensor:
        k = len(self.normalized_shape)
        if x.shape[-k:] != self.normalized_shape:
            raise ValueError(
                f"LayerNorm{_named(self.weight)}: expected an input that ends with the axes {self.normalized_shape}, "
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
    With ``affine=False`` there are no weight and bias, with ``track_running_stats=False`` nothing is remembered.

    Raises ValueError for an input of another shape, or for a single value per feature in training.

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
        self.num_features = _positive("BatchNorm1d", "num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        dtype = get_default_dtype()
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0) if track_running_stats else None)

    def forward(self, x) -> Tensor:
        shape = x.shape
        if len(shape) not in (2, 3) or shape[1] != self.num_features:
            raise ValueError(
                f"BatchNorm1d{_named(self.weight)}: expected an input of shape (N, {self.num_features}) or "
                f"(N, {self.num_features}, L), got {shape}"
            )
        axes, per_feature = ((0,), (-1,)) if len(shape) == 2 else ((0, 2), (-1, 1))
        if self.training or self.running_mean is None or self.running_var is None:
            mean, var = _moments(x, axes)
            if self.training:
                self._remember(np.ravel(mean._data), np.ravel(var._data), x.size // self.num_features)
        else:
            mean, var = self.running_mean.reshape(per_feature), self.running_var.reshape(per_feature)
        y = _standardized(x, mean, var, self.eps)
        if self.weight is None or len(shape) == 2:
            return _affine(y, self.weight, self.bias)
        return _affine(y, ops.reshape(self.weight, per_feature), ops.reshape(self.bias, per_feature))

    def _remember(self, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        if count < 2:
            raise ValueError(
                "BatchNorm1d: training needs more than one value per feature; .eval() uses the running ones"
            )
        if self.running_mean is None or self.running_var is None:
            return
        batches: Any = self.num_batches_tracked
        self.num_batches_tracked = batches = batches + 1
        step = 1 / batches.item() if self.momentum is None else self.momentum
        dtype = self.running_mean.dtype
        # new arrays, since the old ones may stand in a graph
        self.running_mean = ((1 - step) * self.running_mean + step * mean).astype(dtype)
        self.running_var = ((1 - step) * self.running_var + step * count / (count - 1) * var).astype(dtype)

    def extra_repr(self) -> str:
        parts = [f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"]
        parts += ["affine=False"] * (self.weight is None) + ["track_running_stats=False"] * (self.running_mean is None)
        return ", ".join(parts)


def _moments(x, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and population variance over the axes, which stay with length 1."""
    mean = ops.mean(x, axis=axes, keepdims=True)
    return mean, ops.mean(ops.square(x - mean), axis=axes, keepdims=True)


def _standardized(x, mean, var, eps: float):
    return (x - mean) * ops.rsqrt(var + eps)


def _affine(x, weight, bias):
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


def _empty(*shape: int) -> np.ndarray:
    return np.empty(shape, get_default_dtype())


def _named(parameter: Tensor | None) -> str:
    """' 0' for the layer whose parameter is called '0.weight', for errors."""
    path = parameter.name.rpartition(".")[0] if parameter is not None and parameter.name else ""
    return f" {path!r}" if path else ""


def _positive(owner: str, name: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{owner}: {name} must be a positive integer, got {value!r}")
    return int(value)
