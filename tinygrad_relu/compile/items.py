"""Items: what a program needs from outside or begins with, each with a name, and with a word on what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn.module import Module
from ..optim.flat import Flat
from ..tensor import Tensor
from .array_words import dtype_of, kind_of_array, lies_in, made_of_nothing, view_of
from .tape import Value

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Item", "Items", "counter", "described"]


@dataclass
class Item:
    """Something that a program needs from outside, or begins with."""

    name: str
    value: Any  # an array, a number or a generator of random numbers
    what: str
    spelled: str = ""  # how it is made, if that is not a matter of numbers
    renewed: bool = False  # whether its numbers do not matter, since a call writes all of them before it reads any


class Items:
    """The items for the inputs of a program; ``names``, ``slots`` and ``labels`` are those of naming.py."""

    def __init__(
        self, program: Program, names: Callable[[Value], str], slots: dict[int, Any], labels: dict[int, tuple[str, str]]
    ):
        self.program = program
        self.names = names
        self.slots = slots
        self.labels = labels

    def of(self, inputs: list[Value]) -> tuple[list[Item], list[Item]]:
        """What lives on from call to call, bases before their views; and what can be made of nothing, once."""
        state: list[Item] = []
        once: list[Item] = []
        for value in sorted(inputs, key=_rank):
            item = self._item(value)
            item.renewed = value.memory in self.program.renewed
            (once if item.spelled else state).append(item)
        arrays = [item for item in state if isinstance(item.value, np.ndarray)]
        others = [item for item in state if not isinstance(item.value, np.ndarray)]
        return [*_bases_first(arrays), *others], once

    def _item(self, value: Value) -> Item:
        source, name = value.source, self.names(value)
        assert source is not None
        now = value.array if value.kind == "constant" else source.fetch()
        owner, key = source.owner, source.key
        if key == "step" and isinstance(owner, Flat):
            return Item(counter(name), owner.step, f"how many steps {self._optimizer(owner)} has made")
        if isinstance(owner, Flat):
            like = f"np.empty({now.shape[0]}, {dtype_of(now)})" if key.startswith("scratch") else ""
            return Item(name, now, self._about_vector(owner, key), like)
        if isinstance(owner, dict):
            fixed = ", as it was recorded" if value in self.program.asked else ""
            return Item(name, now, f"an option of {self._optimizer_of_group(owner)}{fixed}")
        if isinstance(owner, Module):
            return Item(name, now, f"{key} of {self.labels[id(owner)][1]}")
        if isinstance(key, tuple) and key[0] == "vector":
            of = "all parameters end to end" if key[1] == "data" else "their gradients, in the same order"
            return Item(name, now, of)
        if isinstance(owner, Tensor):
            what = owner.name or "a Tensor"
            return Item(name, now, what if key == "data" else f"the gradient of {what}, to which more is added")
        if key == "rng":
            return Item(name, now, "the generator of random numbers")
        if id(now) in self.slots:
            return Item(name, now, f"the gradient of {self.slots[id(now)].name or 'a parameter'}")
        if value.kind == "constant" or (key == ("array", False) and not value.memory.written):
            return Item(name, now, "a constant", made_of_nothing(now))
        return Item(name, now, "an array from outside of the function")

    def _about_vector(self, flat: Flat, key: str) -> str:
        optimizer = self._optimizer(flat)
        known = {
            "theta": f"all parameters end to end, which {optimizer} changes",
            "grad": "their gradients, in the same order",
            "scratch1": f"for {optimizer} to compute in",
            "scratch2": f"for {optimizer} to compute in",
        }
        return known.get(key, f"what {optimizer} remembers about each parameter")

    def _optimizer(self, flat: Any) -> str:
        found = [type(optimizer).__name__ for optimizer, each in self.program.recording.steps if each is flat]
        return found[0] if found else "the optimizer"

    def _optimizer_of_group(self, group: Any) -> str:
        for optimizer in self.program.recording.optimizers:
            if any(each is group for each in optimizer.param_groups):
                return type(optimizer).__name__
        return "the optimizer"


def _rank(value: Value) -> int:
    """The vector of all parameters stands first, options of an optimizer in its own order, behind all else."""
    if value.source is None or not isinstance(value.source.owner, dict):
        return -1 if value.source is not None and value.source.key == ("vector", "data") else 0
    key = value.source.key
    return 1 + list(value.source.owner).index(key if isinstance(key, str) else key[0])


def _bases_first(items: list[Item]) -> list[Item]:
    """Each array that others lie in before them, and those spelled as its views."""
    ordered: list[Item] = []
    for item in sorted(items, key=lambda each: -each.value.nbytes):
        base = next((each for each in ordered if not each.spelled and lies_in(item.value, each.value)), None)
        if base is not None:
            item.spelled = view_of(base.name, base.value, item.value)
            item.what = f"{item.what}, a view of {base.name}"
        ordered.append(item)
    numbers = {id(item): i for i, item in enumerate(items)}
    first = [item for item in items if not item.spelled]
    return first + sorted((item for item in ordered if item.spelled), key=lambda each: numbers[id(each)])


def described(item: Item) -> tuple[str, str, str]:
    """Its name, what kind of thing it is, and what it is for."""
    value = item.value
    kind = kind_of_array(value) if isinstance(value, (np.ndarray, np.generic)) else ""
    kind = kind or (repr(value) if isinstance(value, (int, float)) else type(value).__name__)
    return item.name, kind, item.what


def counter(name: str) -> str:
    """What the count of the steps that were made is called: ``t`` is the number of this step, one more."""
    return name.replace("t", "steps", 1)
