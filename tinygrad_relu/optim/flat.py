"""Flat: many parameters as one vector, so that an optimizer's rule is written, and run, once for all of them."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from .. import guard
from ..tensor import Tensor


class Flat:
    """Parameters of one dtype that have made the same steps, laid end to end.

    ``theta`` holds their values: each parameter's array becomes a view of its part, so a change of ``theta`` is a
    change of them all. ``grad`` holds the gradients, ``memory(name)`` what the optimizer remembers, and ``scratch``
    two vectors to compute in, all in the same order. ``step`` counts the steps, from 1 on. ``states``, one for each
    parameter, is what an earlier Flat told with ``recall()``.

    When a parameter has been given another array, all are laid anew, into another ``theta``.

    >>> a, b = nn.Parameter([1.0, 2.0]), nn.Parameter(3.0)
    >>> flat = optim.flat.Flat([a, b])
    >>> flat.theta *= 10
    >>> a.tolist(), b.item()
    ([10.0, 20.0], 30.0)
    """

    def __init__(self, params: list[Any], states: Sequence[dict[str, Any]] = ({},)):
        ends = np.cumsum([p.size for p in params]).tolist()
        self.params = params
        parts = [slice(end - p.size, end) for p, end in zip(params, ends)]
        self._layouts = [(part, p.shape, _memory_order(p._array)) for part, p in zip(parts, params)]
        self.grad = np.zeros(ends[-1], params[0].dtype)
        self._slots = self.shaped(self.grad)
        self._scratch: tuple[np.ndarray, np.ndarray] | None = None
        self.used: list[Any] = [None] * len(params)  # the gradients of the last step
        self.new = False  # whether those of this step are others
        self._lay()

        self.step = states[0].get("step", 0)
        self.memories: dict[str, np.ndarray] = {}
        self.first_steps: dict[str, int] = {}  # those in which each memory was first asked for
        for name in states[0]:
            if name != "step":
                for part, state in zip(self.shaped(self.memory(name)), states):
                    part[...] = state[name]

    @property
    def scratch(self) -> tuple[np.ndarray, np.ndarray]:
        """Two vectors to compute in, made when they are first asked for."""
        if self._scratch is None:
            self._scratch = np.empty_like(self.theta), np.empty_like(self.theta)
        return self._scratch

    def forget_scratch(self) -> None:
        """Give their memory back; they are made again when somebody asks."""
        self._scratch = None

    def shaped(self, vector: np.ndarray) -> list[np.ndarray]:
        """Each parameter's part of ``vector``, in the parameter's shape and order in memory (row by row, or not)."""
        return [vector[part].reshape(shape, order=order) for part, shape, order in self._layouts]

    def memory(self, name: str, start: float = 0.0) -> np.ndarray:
        """The vector of this name, which outlives the step; full of ``start`` when it is first asked for."""
        if name not in self.memories:
            self.memories[name] = np.full_like(self.theta, start)
            self.first_steps[name] = self.step
        return self.memories[name]

    def is_new(self, name: str) -> bool:
        """Tell whether ``memory(name)`` was first asked for in this step, or after an option was changed."""
        return self.step == self.first_steps[name]

    def recall(self) -> list[dict[str, Any]]:
        """Memories of each parameter: copies of its parts of the vectors, and the number of steps."""
        states: list[dict[str, Any]] = [{"step": self.step} if self.step else {} for _ in self.params]
        for name, vector in self.memories.items():
            for state, part in zip(states, self.shaped(vector)):
                state[name] = part.copy()
        return states

    def gather(self) -> bool:
        """Bring all gradients to their parts of ``grad``; false if one is missing, or a parameter's dtype is another.

        Most parameters put their gradient in its part by themselves (``Parameter._add_to_grad``). Where one has been
        given another array since the last step, by ``p.data = ...`` or by another optimizer, all are adopted again.
        """
        grads = []
        moved = False
        for p, values, slot in self._places:
            grad = p._grad
            if isinstance(grad, Tensor):
                grad = grad._array
            elif grad is None:
                return False
            if p._array is not values:
                if p._array.dtype != values.dtype:
                    return False
                moved = True
            if grad.base is not self.grad:
                slot[...] = grad
            grads.append(grad)
        if moved:
            self._lay()
        self.new = any(map(operator.is_not, grads, self.used))
        self.used = grads
        return True

    def split(self) -> list[Flat]:
        """Flats of those of its parameters that have a gradient, and of those that have none."""
        return flattened(self.params, self.recall())

    def adopt(self) -> None:
        """Let all parameters live here, also those that have been given other arrays since."""
        if any(p._array is not values for p, values, _ in self._places):
            self._lay()

    def _lay(self) -> None:
        """Copy the parameters' values end to end, let them live there, and tell them where to put their gradients.

        Always into memory of its own: another parameter, or somebody's copy for later, may have the arrays by now that
        these have lived in, as after ``a.data, b.data = b.data, a.data``.
        """
        self.theta = np.empty_like(self.grad)
        self._left = [weakref.ref(p._array) for p in self.params if isinstance(p._array, np.ndarray)]
        self._places = list(zip(self.params, self.shaped(self.theta), self._slots))
        for p, values, slot in self._places:
            values[...] = p._array
            p._array = values
            if hasattr(p, "_slot"):
                p._slot = slot

    def note_change(self) -> None:
        """Tell the parameters that their arrays have changed: a graph made before may not go back any more."""
        guard.note_change(self.theta)
        for left in self._left:  # graphs may still hold the arrays that they lived in before
            array = left()
            if array is not None:
                guard.note_change(array)
        self._left = []

    def __getstate__(self) -> Any:  # for copy and pickle, which would make copies of the views
        return self.params, self.recall()

    def __setstate__(self, state: Any) -> None:
        self.__init__(*state)  # type: ignore[misc]


def flattened(params: list[Any], states: Sequence[dict[str, Any]]) -> list[Flat]:
    """Flats of the parameters that belong together: of one dtype, with as many steps, all or none with a gradient."""
    groups: dict[Any, list[Any]] = {}
    for p, state in zip(params, states):
        groups.setdefault((p._grad is None, p.dtype, state.get("step"), tuple(state)), []).append((p, state))
    return [Flat([p for p, _ in group], [state for _, state in group]) for group in groups.values()]


def _memory_order(array: Any) -> Literal["C", "F"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
