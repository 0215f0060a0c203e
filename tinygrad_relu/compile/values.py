"""Values: which array is which value of the tape, and in which memory it lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..guard import owner_of
from ..tensor import Tensor
from .tape import Call, Memory, Source, Tape, Value
from .traced import Traced

__all__ = ["Values", "value_of"]


class Values:
    """The values of one run, found by their arrays and by their sources; new ones become inputs of the tape."""

    def __init__(self, tape: Tape):
        self._tape = tape
        self._known: dict[int, tuple[Any, Value]] = {}  # id of an array -> itself, its value
        self._memories: dict[int, tuple[Any, Memory]] = {}  # id of the array that owns the memory -> itself, its Memory
        self._sources: dict[tuple[int, Any], Value] = {}

    def of(self, array: np.ndarray) -> Value | None:
        """The value that the array is, if it is known."""
        found = self._known.get(id(array))
        return None if found is None else found[1]

    def at(self, source: Source) -> Value | None:
        """The value that came from the source last, if one did."""
        return self._sources.get(_key(source))

    def given(self, source: Source, array: Any) -> Value:
        """An array that no call has made."""
        held = self._sources.get(_key(source))
        if held is not None and held.array is array:
            return held
        value = Value(array, self._memory(array), source=source, hint=source.name)
        self._tape.inputs.append(value)
        self._sources[_key(source)] = value
        if isinstance(array, np.ndarray):
            self._known[id(array)] = (array, value)
        return value

    def number(self, source: Source, number: Any) -> Value:
        """A Python number, or another thing without memory, that is fetched anew for each call."""
        held = self._sources.get(_key(source))
        if held is None:
            held = Value(number, Memory("number"), source=source, hint=source.name)
            self._tape.inputs.append(held)
            self._sources[_key(source)] = held
        return held

    def argument(self, array: Any, place: int, name: str) -> Value:
        """An array that the function is called with, and which of the arguments it is."""
        source = Source(None, ("argument", place), None, False, name)
        value = Value(array, Memory("argument"), source=source, hint=name)
        self._tape.inputs.append(value)
        if id(array) not in self._known:
            self._known[id(array)] = (array, value)
            self._memories.setdefault(id(owner_of(array)), (owner_of(array), value.memory))
        return value

    def made(self, call: Call, result: Any) -> Value:
        """What a call has made; or a view of what was there."""
        value = Value(result, Memory("made"), maker=call)
        if isinstance(result, np.ndarray):
            root = owner_of(result)
            known = self._memories.get(id(root))
            if known is not None:  # a view of what is there
                value.memory = known[1]
                value.base = next((v for v in call.reads if v.memory is known[1]), None)
            else:
                self._memories[id(root)] = (root, value.memory)
            self._known[id(result)] = (result, value)
        return value

    def _memory(self, array: Any) -> Memory:
        if not isinstance(array, np.ndarray):
            return Memory("number")
        root = owner_of(array)
        return self._memories.setdefault(id(root), (root, Memory("state")))[1]


def value_of(held: Any) -> Value | None:
    """The value of a Traced array, or of the one in a Tensor; None for anything else."""
    held = held._array if isinstance(held, Tensor) else held
    return held.value if isinstance(held, Traced) else None


def _key(source: Source) -> tuple[int, Any]:
    return id(source.owner), source.key
