"""Watched: a name in the user's code, the place where it is looked up, and what it stood for."""

from __future__ import annotations

import collections
import types
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "MISSING",
    "PLAIN",
    "Attribute",
    "Fixed",
    "Inherited",
    "Listed",
    "Name",
    "alike",
    "arrays_in",
    "content_of",
    "has_array",
    "looked_up",
]

# What is known by its value, and has nothing in it that could change.
PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
MISSING = object()  # stands where a name stands for nothing


@dataclass(eq=False)
class Name:
    """A name and what it stood for.

    ``place`` is where it is looked up: a dict or list, with its ``key`` there, the cell of a closure, or an object
    whose attribute it is. ``content`` is what was in it, if it is a list, tuple, set or dict.
    """

    name: str
    place: Any
    key: Any
    value: Any
    content: Any = None

    def now(self) -> Any:
        """What it stands for now."""
        return looked_up(self.place, self.key)

    @property
    def can_be_put(self) -> bool:
        """Whether it can be made to stand for something else."""
        places = (dict, list, collections.deque, types.CellType, Attribute)
        return isinstance(self.place, places) and not isinstance(self.place, Inherited)

    def restore(self) -> None:
        """Let it stand for what it did, with the same in it."""
        if not isinstance(self.place, (Fixed, Listed, types.MappingProxyType)):
            self.put(self.value)
        if isinstance(self.value, list) and self.content is not None:
            self.value[:] = self.content
        elif isinstance(self.value, dict) and self.content is not None:
            half = len(self.content) // 2
            self.value.clear()
            self.value.update(zip(self.content[:half], self.content[half:]))
        elif isinstance(self.value, set) and self.content is not None:
            self.value.clear()
            self.value.update(self.content)

    def put(self, value: Any) -> None:
        """Let it stand for something else."""
        if isinstance(self.place, (dict, list, collections.deque)):
            self.place[self.key] = value
        elif isinstance(self.place, types.CellType):
            self.place.cell_contents = value
        elif isinstance(self.place.owner, type):
            setattr(self.place.owner, self.key, value)
        else:
            object.__setattr__(self.place.owner, self.key, value)  # also where the class refuses, as if frozen

    def same(self) -> bool:
        """Whether it stands for the same, or for an equal number or text."""
        if isinstance(self.place, Listed):
            return _same_content(list(self.place.owner), self.content or [])
        now = self.now()
        if self.content is None:
            return alike(now, self.value)
        return now is self.value and _same_content(content_of(now), self.content)


# ---------------------------------------------------------------------- places


class Fixed:
    """A place for something that has none that could be looked up again."""

    def __init__(self, item: Any):
        self.item = item


class Attribute:
    """The attributes of an object, looked up one by one."""

    def __init__(self, owner: Any):
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.owner, name)


class Inherited(Attribute):
    """The same, where the attribute is that of the class."""


class Listed:
    """What a container of another kind holds now."""

    def __init__(self, owner: Any):
        self.owner = owner


def looked_up(place: Any, key: Any) -> Any:
    """What is there now; MISSING if nothing is."""
    if isinstance(place, (dict, types.MappingProxyType)):
        return place.get(key, MISSING)
    try:
        if isinstance(place, types.CellType):
            return place.cell_contents
        return place[key] if isinstance(place, (list, collections.deque)) else getattr(place, key)
    except (ValueError, IndexError, AttributeError):
        return MISSING


# ---------------------------------------------------------------------- what a name stands for


def alike(now: Any, then: Any) -> bool:
    """The same object, or an equal number or text of the same type: 1, 1.0 and True are not the same, nor 0 and -0."""
    return now is then or (type(now) is type(then) and isinstance(now, PLAIN) and repr(now) == repr(then))


def arrays_in(value: Any) -> list[np.ndarray]:
    """The plain arrays in a value, or in a tuple of such."""
    if type(value) is np.ndarray:
        return [value]
    return [array for item in value for array in arrays_in(item)] if isinstance(value, tuple) else []


def has_array(value: Any) -> bool:
    """Whether there are any."""
    return bool(arrays_in(value))


def content_of(value: Any) -> list[Any] | None:
    """What is in a list, tuple, set or dict; None for anything else."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else None


def _same_content(now: list[Any] | None, then: list[Any]) -> bool:
    return now is not None and len(now) == len(then) and all(map(alike, now, then))
