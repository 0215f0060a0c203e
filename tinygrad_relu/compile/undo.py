"""Undo: what a run has put in the place of something else, and the way back to the numbers from before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..guard import owner_of
from .tape import Value

__all__ = ["Undo"]


class Undo:
    """Two ways back: ``put_back`` takes out what only stood in, ``undo`` makes everything as it was."""

    def __init__(self) -> None:
        self._swapped: list[tuple[Any, str, Any]] = []  # what to put back: object, attribute, value
        self._actions: list[Callable[[], None]] = []
        self._kept: set[int] = set()  # the memories whose numbers can be brought back

    def swap(self, owner: Any, attribute: str, stand_in: Any) -> None:
        """Let something stand in for an attribute until it is put back."""
        self._swapped.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, stand_in)

    def put_back(self) -> None:
        """All attributes as they were."""
        for owner, attribute, before in reversed(self._swapped):
            setattr(owner, attribute, before)
        self._swapped.clear()

    def put_back_in(self, owners: Iterable[Any]) -> None:
        """The attributes of these objects as they were."""
        chosen = {id(owner) for owner in owners}
        for owner, attribute, before in reversed(self._swapped):
            if id(owner) in chosen:
                setattr(owner, attribute, before)
        self._swapped = [each for each in self._swapped if id(each[0]) not in chosen]

    def later(self, action: Callable[[], None]) -> None:
        """What ``undo`` is to do; the last one comes first."""
        self._actions.append(action)

    def keep(self, value: Value) -> None:
        """Keep the numbers of a state that is about to be written into."""
        memory = value.memory
        if memory.kind == "made" or id(memory) in self._kept:
            return
        self._kept.add(id(memory))
        root = owner_of(value.array)
        before = root.copy()
        self.later(lambda: np.copyto(root, before))

    def undo(self) -> None:
        """Bring back what was there before the run."""
        for action in reversed(self._actions):
            action()
        self._actions.clear()
