"""Flat: many parameters as one vector, so that an optimizer's rule is written, and run, once for all of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import guard
from ..tensor import Tensor


class Flat:
    """Parameters of one dtype that have made the same steps, laid end to end.

    ``theta`` holds their values: each parameter's array becomes a view of its part, so a change of ``theta`` is a
    change of them all. ``grad`` holds the gradients, ``memory(name)`` what the optimizer remembers, and ``scratch``
    two vectors to compute in, all in the same order. ``step`` counts the steps, from 1 on.
    """

    def __init__(self, params: list[Tensor]):
        ends = np.cumsum([p.size for p in params]).tolist()
        self.params = params
        self.parts = [slice(end - p.size, end) for p, end in zip(params, ends)]
        self.theta = np.empty(ends[-1], params[0].dtype)
        self.grad = np.zeros_like(self.theta)
        self.scratch = (np.empty_like(self.theta), np.empty_like(self.theta))
        self.memories: dict[str, np.ndarray] = {}
        self.step = 0
        self.used: list[Any] = [None] * len(params)  # the gradients of the last step
        self.new = False  # whether those of this step are others
        self._places = list(zip(params, self.shaped(self.theta), self.shaped(self.grad)))
        for place in self._places:
            _adopt(*place)

    def shaped(self, vector: np.ndarray) -> list[np.ndarray]:
        """Each parameter's part of ``vector``, in the parameter's shape."""
        return [vector[part].reshape(p.shape) for p, part in zip(self.params, self.parts)]

    def memory(self, name: str, start: float = 0.0) -> np.ndarray:
        """The vector of this name, which outlives the step; full of ``start`` when it is first asked for."""
        if name not in self.memories:
            self.memories[name] = np.full_like(self.theta, start)
        return self.memories[name]

    def gather(self) -> bool:
        """Bring all gradients to their parts of ``grad``; false if the parameters no longer belong together.

        That is so when one of them has no gradient, or has another dtype now. Most parameters put their gradient in
        its part by themselves (``Parameter._add_to_grad``). One that has been given another array since the last
        step, by ``p.data = ...`` or by another optimizer, is adopted again.
        """
        grads = []
        for p, values, slot in self._places:
            grad = p._grad
            if isinstance(grad, Tensor):
                grad = grad._data
            elif grad is None:
                return False
            if p._data is not values:
                if p._data.dtype != values.dtype:
                    return False
                _adopt(p, values, slot)
            if grad.base is not self.grad:
                slot[...] = grad
            grads.append(grad)
        self.new = any(map(operator.is_not, grads, self.used))
        self.used = grads
        return True

    def note_change(self) -> None:
        """Tell the parameters that their arrays have changed: a graph made before may not go back any more."""
        now = guard.tick()
        for p in self.params:
            p._changed_at = now

    def forget_used(self) -> None:
        """Let go of the gradients of the last step."""
        self.used = [None] * len(self.params)

    def regrouped(self) -> list[Flat]:
        """The same parameters in Flats of those that belong together now; itself if they all do."""
        groups: dict[Any, list[Tensor]] = {}
        for p in self.params:
            groups.setdefault((p._grad is None, p._data.dtype), []).append(p)
        if len(groups) == 1 and self.params[0]._data.dtype == self.theta.dtype:
            return [self]
        return [self._only(params) for params in groups.values()]

    def _only(self, params: list[Tensor]) -> Flat:
        flat = Flat(params)
        place_of = {p: place for place, p in enumerate(self.params)}
        places = [place_of[p] for p in params]
        flat.step = self.step
        flat.used = [self.used[place] for place in places]
        for name, vector in self.memories.items():
            old = self.shaped(vector)
            flat.remember(name, [old[place] for place in places])
        return flat

    def remember(self, name: str, arrays: Iterable[Any]) -> None:
        """Fill the vector of this name with one array for each parameter."""
        for part, array in zip(self.shaped(self.memory(name)), arrays):
            part[...] = array

    def recall(self) -> list[dict[str, Any]]:
        """What is remembered about each parameter: copies of its parts of the vectors, and the number of steps."""
        states: list[dict[str, Any]] = [{"step": self.step} if self.step else {} for _ in self.params]
        for name, vector in self.memories.items():
            for state, part in zip(states, self.shaped(vector)):
                state[name] = part.copy()
        return states


def _adopt(p: Any, values: np.ndarray, slot: np.ndarray) -> None:
    """Copy the parameter's values to where they belong, let it live there, and tell it where to put its gradient."""
    values[...] = p._data
    p._data = values
    if hasattr(p, "_slot"):
        p._slot = slot
