"""Gradients: those of the Tensors that a run looks at, adds to or sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor
from .calls import CallRecorder
from .tape import Source, Value
from .traced import Traced
from .undo import Undo
from .updates import same_order
from .values import value_of

__all__ = ["Gradients"]


class Gradients:
    """Which tensors' gradients belong to the state, and what a run leaves in them."""

    def __init__(self, calls: CallRecorder, undo: Undo):
        self._calls = calls
        self._undo = undo
        self._tensors: dict[int, Any] = {}  # whose gradient the run has looked at or set, by their id
        self._was_none: dict[int, bool] = {}

    @property
    def tensors(self) -> list[Any]:
        """The tensors whose gradient was looked at or set."""
        return list(self._tensors.values())

    def conditions(self) -> list[tuple[Any, bool]]:
        """The tensors that the run asked whether they have a gradient, and the answer at the start."""
        return [(self._tensors[key], was_none) for key, was_none in self._was_none.items()]

    def hold(self, t: Tensor) -> None:
        """The gradient of the Tensor is looked at: what was there before the run is a part of the state."""
        if id(t) in self._tensors:
            return
        self._touch(t)
        grad = t._grad
        self._was_none[id(t)] = grad is None
        if grad is None:
            return
        holder = grad if isinstance(grad, Tensor) else None
        array = grad._array if holder is not None else grad
        # A view of its own: the array may be the parameter's place among all gradients, which is another value.
        held = self._calls.given(_source(t), array[...] if isinstance(array, np.ndarray) else array)
        t._grad = Tensor._from_array(held) if holder is not None else held

    def forget(self, tensors: Iterable[Any]) -> None:
        """The gradients are set to something else, without a look at what is there."""
        for t in tensors:
            self._touch(t)

    def _touch(self, t: Tensor) -> None:
        if id(t) not in self._tensors:
            self._tensors[id(t)] = t
            before = t._grad
            self._undo.later(lambda: setattr(t, "_grad", before))

    def add(self, t: Any, grad: Any) -> None:
        """Add a Traced gradient to that of the Tensor; a parameter's goes to where its optimizer wants it."""
        self.hold(t)
        if not isinstance(grad, Traced):  # a slope that is the same in each call, and came from nothing recorded
            grad = self._calls.constant(np.array(grad))
        if t._grad is not None:
            before = t._grad._array if isinstance(t._grad, Tensor) else t._grad
            t._grad = before + grad
            return
        slot = getattr(t, "_slot", None)
        if slot is None:
            t._grad = np.copy(grad)
            if not same_order(t._grad.array, t._array.array):
                self._calls.bound.add(id(t))  # in a vector of gradients it would lie in another order
            return
        place = self._calls.outside(slot)
        place[...] = grad
        t._grad = place

    def outputs(self) -> list[tuple[Source, Value | None]]:
        """What the run has left: where, and the value or None."""
        return [(_source(t), self._in_its_place(t, value_of(t._grad))) for t in self._tensors.values()]

    def _in_its_place(self, t: Any, value: Value | None) -> Value | None:
        """A gradient that was read, and so copied, is the same as the one that stands in its place."""
        slot = getattr(t, "_slot", None)
        copy = value.maker if value is not None and slot is not None else None
        if copy is None or copy.function != "np.copy" or copy.result.memory.written:
            return value
        original = copy.arguments[0]
        calls = self._calls.tape.calls
        later = calls[calls.index(copy) + 1 :]
        written = [call.out.array for call in later if call.out is not None and call.out.memory is original.memory]
        same = original.array is slot and not any(np.may_share_memory(each, slot) for each in written)
        return original if same else value

    def put_back(self) -> None:
        """Plain arrays again where Traced ones are."""
        for t in self._tensors.values():
            grad = t._grad
            if isinstance(grad, Tensor):
                if isinstance(grad._array, Traced):
                    grad._array = grad._array.array
            elif isinstance(grad, Traced):
                t._grad = grad.array


def _source(t: Any) -> Source:
    def fetch() -> Any:
        return t._grad._array if isinstance(t._grad, Tensor) else t._grad

    return Source(t, "grad", fetch, False, f"grad {t.name or ''}".strip())
