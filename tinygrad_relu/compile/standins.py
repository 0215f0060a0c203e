"""Standins: what a Tensor is while its function is being recorded.

Its class is exchanged for one that tells the recorder when its array or its gradient is looked at or set. So the core
does not know of recording. Other threads read plain arrays meanwhile.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..mode import mode
from ..tensor import Tensor
from .traced import Traced, plain

__all__ = ["recorded_class"]


class _Recorded:
    """What a Tensor does in another way while it holds a Traced array."""

    __slots__ = ()
    _grad: Any

    @property
    def _array(self) -> Any:
        """The Traced array; for another thread the plain one that it stands for."""
        held = _slot.__get__(self)
        return held.array if isinstance(held, Traced) and held.recorder.is_bystander(held) else held

    @_array.setter
    def _array(self, value: Any) -> None:
        _slot.__set__(self, value)

    @property
    def data(self) -> Any:
        """The same."""
        return self._array

    @data.setter
    def data(self: Any, value: Any) -> None:
        _recorder().assign(self, value)

    @property
    def grad(self) -> Tensor | None:
        """The gradient, of which the recorder now knows that it matters what it was; for another thread a copy."""
        if mode.now.recorder is None:
            grad = plain(self._grad._array if isinstance(self._grad, Tensor) else self._grad)
            return None if grad is None else Tensor._from_array(np.copy(grad))
        _recorder().hold(self)
        if self._grad is not None and not isinstance(self._grad, Tensor):
            self._grad = Tensor._from_array(np.copy(self._grad))  # as Parameter.grad does: the place is written again
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        _recorder().forget([self])
        Tensor.grad.fset(self, _recorder().lifted(value))  # type: ignore[attr-defined]

    def _add_to_grad(self, grad: Any) -> None:
        if isinstance(grad, Tensor):
            _recorder().hold(self)
            super()._add_to_grad(grad)  # type: ignore[misc]
        else:
            _recorder().add_to_grad(self, grad)


_slot: Any = vars(Tensor)["_array"]  # where a Tensor keeps its array


@cache
def recorded_class(kind: type) -> type:
    """The class that stands in for Tensor, Parameter or a subclass of them, and goes by its name."""
    return kind if issubclass(kind, _Recorded) else type(kind.__name__, (_Recorded, kind), {"__slots__": ()})


def _recorder() -> Any:
    recorder = mode.now.recorder
    if recorder is None:
        raise RuntimeError(
            "compile: a tensor is used while another thread records a function with it; wait until that call is over."
        )
    return recorder
