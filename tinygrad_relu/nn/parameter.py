"""Parameter: a Tensor that a network learns."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A Tensor that requires a gradient, and that a Module it is assigned to lists among its ``parameters()``.

    What is computed from it is a plain Tensor. Without a ``name`` it takes the one of its place in the network.
    Raises TypeError for integers, as any Tensor that should require a gradient does.

    >>> nn.Parameter([1.0, 2.0])
    Parameter([1., 2.], requires_grad=True)
    >>> layer = nn.Linear(2, 1)
    >>> layer.weight.name
    'weight'
    """

    # Where an optimizer wants the gradient: this parameter's part of one vector that holds all gradients.
    __slots__ = ("_slot",)

    def __init__(self, data, requires_grad: bool = True, dtype=None, name: str | None = None):
        super().__init__(data, requires_grad, dtype, name)
        self._slot: np.ndarray | None = None

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` has added up here, of the same shape and dtype; None before the first."""
        if self._slot is not None and isinstance(self._grad, np.ndarray):
            self._grad = self._grad.copy(order="K")  # the slot is written again in the next step, what is read stays
        return Tensor.grad.fget(self)  # type: ignore[attr-defined]

    @grad.setter
    def grad(self, value) -> None:
        Tensor.grad.fset(self, value)  # type: ignore[attr-defined]

    def _add_to_grad(self, grad) -> None:
        if self._grad is None and self._slot is not None and not isinstance(grad, Tensor):
            view = self._slot[...]  # a new view each time: so the optimizer tells a new gradient from a used one
            view[...] = grad
            self._grad = view
        else:
            super()._add_to_grad(grad)

    def _convert(self, dtype) -> None:
        """Change the dtype in place; the gradient goes, and an optimizer notices that the array is another."""
        if dtype == self.dtype:
            return
        self._array = np.asarray(self._array).astype(dtype, copy=False)
        self._grad = self._slot = None
