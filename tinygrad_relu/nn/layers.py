"""The layers of a multilayer perceptron."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import ops
from ..deciding import deciding
from ..mode import get_default_dtype
from ..record.words import plural
from ..tensor import Tensor
from . import functional, init
from .activations import gain_of, make_activation
from .making import named, positive
from .module import Module
from .normalization import BatchNorm1d
from .parameter import Parameter

__all__ = [
    "MLP", "Dropout", "Embedding", "Flatten", "Identity", "Linear", "ModuleList", "Sequential",
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
        self.in_features = positive("Linear", "in_features", in_features)
        self.out_features = positive("Linear", "out_features", out_features)
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
        except (ValueError, AttributeError):  # a Python number has no axes to speak of
            if np.shape(x)[-1:] == (self.in_features,):
                raise
        raise ValueError(
            f"Linear{named(self.weight)}: expected {plural(self.in_features, 'feature')} along the last axis of the "
            f"input, got shape {np.shape(x)}"
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
            raise TypeError(f"{type(self).__name__}: expected modules, got {module!r:.60} at {name!r}{_hint(module)}")
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
        if isinstance(index, str):
            raise TypeError(
                f"{type(self).__name__}: modules go by position, as in model[0]; by name it is model.{index}"
            )
        children = list(self.named_children())
        return Sequential(dict(children[index])) if isinstance(index, slice) else children[index][1]


class ModuleList(Sequential):
    """A list of modules whose parameters are found; it computes nothing itself. Made from an iterable.

    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] = ()):
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList: expected a list of modules, got {modules!r:.60}{_hint([modules])}")
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
        if not isinstance(hidden, Iterable):
            raise TypeError(f"MLP: hidden must be the widths of the hidden layers, as in [16, 16], got {hidden!r:.60}")
        widths = [positive("MLP", "in_features", in_features)]
        widths += [positive("MLP", "each width in hidden", width) for width in hidden]
        positive("MLP", "out_features", out_features)
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
        self.p = functional.checked_share("Dropout", p)

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
        shape = np.shape(x)
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
        self.num_embeddings = positive("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = positive("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: there is no row padding_idx={padding_idx} among {num_embeddings}")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(_empty(num_embeddings, embedding_dim))
        init.normal_(self.weight)
        if padding_idx is not None:
            self.weight._array[padding_idx] = 0

    def forward(self, indices) -> Tensor:
        indices = indices._array if isinstance(indices, Tensor) else indices
        indices = indices if hasattr(indices, "dtype") else np.asarray(indices)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"Embedding: expected integers, got {indices.dtype}")
        with deciding("Embedding"):
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


def _hint(thing: Any) -> str:
    """Advice for something that is no module, for the end of an error."""
    if isinstance(thing, type):
        return f" (write {'nn.' * getattr(thing, 'is_built_in', False)}{thing.__name__}() with brackets)"
    if isinstance(thing, (list, tuple)) and all(isinstance(each, Module) for each in thing):
        return "; give nn.Sequential them one by one, nn.ModuleList in a list"
    if hasattr(thing, "op") and callable(thing):
        return f" (a function; write its module, such as nn.ReLU(), instead of tg.{thing.__name__})"
    return ""


def _empty(*shape: int) -> np.ndarray:
    return np.empty(shape, get_default_dtype())
