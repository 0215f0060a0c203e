"""Optimizers: their steps in a run, on Traced vectors, and their options, which may be others in each call."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..tensor import Tensor
from .calls import CallRecorder
from .gradients import Gradients
from .tape import Source
from .traced import Traced
from .undo import Undo

__all__ = ["Optimizers"]


class Optimizers:
    """The optimizers that a run uses.

    ``found`` are those that made a step, ``steps`` the steps: an optimizer and a Flat. ``moved``: whether parameters
    have come to lie elsewhere, so that what was recorded before is of no use.
    """

    def __init__(self, calls: CallRecorder, gradients: Gradients, undo: Undo):
        self.found: list[Any] = []
        self.steps: list[tuple[Any, Any]] = []
        self.moved = False
        self._calls = calls
        self._gradients = gradients
        self._undo = undo
        self._memories_before: list[tuple[Any, set[str]]] = []
        self._groups: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []

    # ------------------------------------------------------------------ steps

    def step(self, optimizer: Any) -> None:
        """One step of an optimizer, on Traced vectors."""
        if optimizer not in self.found:
            self.found.append(optimizer)
        stepped: list[tuple[Any, Any]] = []  # all of them before the first is changed, as the optimizer has it
        for group, flats in zip(optimizer.param_groups, optimizer._flats):
            self.number_options(group)
            for flat in list(flats):
                for p in flat.params:
                    self._gradients.hold(p)
                stepped += [(ready, group) for ready in self._ready(flats, flat)]
        for ready, group in stepped:
            self._undo.later(functools.partial(setattr, ready, "step", ready.step))
            self._memories_before.append((ready, set(ready.memories)))
            ready.step += 1
            before = sum(flat is ready for _, flat in self.steps)
            self.steps.append((optimizer, ready))
            self._gather(ready)
            optimizer.update(_RecordedFlat(self._calls, ready, before), group)

    def _ready(self, flats: list[Any], flat: Any) -> list[Any]:
        """The Flats that step in the place of this one: itself, if all its parameters have gradients and live in it."""
        missing = [p._grad is None for p in flat.params]
        if all(missing):
            return []
        if any(missing) or any(_plain_data(p).dtype != values.dtype for p, values, _ in flat._places):
            self._settle(flat)
            parts = flat.split()
            place = flats.index(flat)
            flats[place : place + 1] = parts
            return [part for part in parts if all(p._grad is not None for p in part.params)]
        if any(_plain_data(p) is not values for p, values, _ in flat._places):
            self._settle(flat)
            flat.adopt()
        return [flat]

    def _settle(self, flat: Any) -> None:
        """Plain data again in these parameters, which are about to move; the run goes on with the new places."""
        self.moved = True
        self._undo.put_back_in(flat.params)

    def _gather(self, flat: Any) -> None:
        for p, _, slot in flat._places:
            grad = p._grad._array if isinstance(p._grad, Tensor) else p._grad
            place = self._calls.outside(slot)
            if grad.value is not place.value:
                place[...] = grad

    def forget_memories(self) -> None:
        """Forget what optimizers have begun to remember in the run."""
        for flat, names in self._memories_before:
            for name in set(flat.memories) - names:
                del flat.memories[name]

    # ------------------------------------------------------------------ options

    def number_options(self, group: dict[str, Any]) -> None:
        """The options of a group of parameters are Numbers until the run is over."""
        if any(known is group for known, _, _ in self._groups):
            return
        before = dict(group)
        for key, value in before.items():
            if isinstance(value, (bool, int, float)):
                group[key] = self._option(group, key, value)
            elif isinstance(value, tuple):
                group[key] = tuple(self._option(group, key, x, i) for i, x in enumerate(value))
        self._groups.append((group, before, dict(group)))

    def _option(self, group: dict[str, Any], key: str, value: Any, place: int | None = None) -> Any:
        """The Number of an option, or of what stands in this place of it."""
        fetch = functools.partial(_fetched, group, key, place)
        if place is None:
            return self._calls.number(Source(group, key, fetch, False, key), value)
        return self._calls.number(Source(group, (key, place), fetch, False, f"{key}{place + 1}"), value)

    def options_changed(self) -> bool:
        """Whether the function itself has set an option of an optimizer, as a scheduler does."""
        return any(group.get(key) is not value for group, _, given in self._groups for key, value in given.items())

    def put_back(self) -> None:
        """Plain options again where Numbers stood in."""
        for group, before, _ in self._groups:
            group.update(before)
        self._groups.clear()


class _RecordedFlat:
    """A Flat whose vectors are Traced, for the rule of an optimizer."""

    def __init__(self, calls: CallRecorder, flat: Any, steps_before: int):
        self._calls = calls
        self._flat = flat
        self.params = flat.params
        source = Source(flat, "step", lambda: flat.step + 1, False, "t")
        first: Any = calls.number(source, flat.step - steps_before)  # the first step of the call
        self.step = first + steps_before if steps_before else first
        self.theta = self._vector("theta", flat.theta)
        self.grad = self._vector("grad", flat.grad)
        self.scratch = tuple(self._vector(f"scratch{i + 1}", each) for i, each in enumerate(flat.scratch))

    def _vector(self, name: str, array: np.ndarray) -> Traced:
        flat = self._flat
        return self._calls.given(Source(flat, name, lambda: _vector_of(flat, name), name=name), array)

    def memory(self, name: str, start: Any = 0.0) -> Traced:
        """The vector of this name."""
        return self._vector(name, self._flat.memory(name, float(start)))

    def is_new(self, name: str) -> bool:
        """Whether the vector is first used in this step: a decision, so that the next step has a program of its own."""
        return self.step == self._flat.first_steps[name]

    def shaped(self, vector: Traced) -> list[Any]:
        """Each parameter's part of the vector."""
        return [vector[part].reshape(shape, order=order) for part, shape, order in self._flat._layouts]


def _vector_of(flat: Any, name: str) -> Any:
    if name in ("theta", "grad"):
        return getattr(flat, name)
    return flat.scratch[int(name[-1]) - 1] if name in ("scratch1", "scratch2") else flat.memories[name]


def _fetched(group: dict[str, Any], key: str, place: int | None) -> Any:
    return group[key] if place is None else group[key][place]


def _plain_data(t: Any) -> Any:
    return t._array.array if isinstance(t._array, Traced) else t._array
