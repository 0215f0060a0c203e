"""Guard: an array that is changed between the forward and the backward pass is found and named.

Rules read the arrays that forward has used, so a change in between would give a wrong gradient. There are two ways to
change an array. Tensors that the package itself changes in place (an optimizer's step, ``w -= ...`` in ``no_grad``,
``load_state_dict``) note the time. An array that a user has been handed (``t.data``, ``t.numpy()``) is watched from
then on: its bytes are kept, and compared on the way back. What nobody has been handed costs nothing.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np

watched: dict[int, tuple[Any, bytes]] = {}  # id of the array that owns the memory -> itself, its bytes when handed out

tick = itertools.count(1).__next__  # the time: it grows with each op that is recorded, and each change in place


def hand_out(array: np.ndarray) -> np.ndarray:
    """The same array, watched from now on."""
    owner = owner_of(array)
    key = id(owner)
    if key not in watched and isinstance(owner, np.ndarray):
        watched[key] = (weakref.ref(owner, lambda _: watched.pop(key, None)), owner.tobytes())
    return array


def remember(arrays: Any) -> dict[int, bytes]:
    """The bytes of those arrays that somebody outside could change, by their place."""
    return {i: a.tobytes() for i, a in enumerate(arrays) if isinstance(a, np.ndarray) and id(owner_of(a)) in watched}


def refuse_changes(op: Any) -> None:
    """Raise RuntimeError if an array that the op has used or made, and that was handed out, is not what it was."""
    for i, array in enumerate((*op.inputs, op.output)):
        if isinstance(array, np.ndarray) and _differs(array, op.seen.get(i)):
            raise changed(op, i)


def changed(op: Any, i: int) -> RuntimeError:
    """The error for an input (or, behind the last one, the result) that is not what it was."""
    what = "the result" if i == len(op.inputs) else f"input {i}"
    name = getattr(op.arguments[i], "name", None) if i < len(op.inputs) else None
    return RuntimeError(_CHANGED.format(op=op.name, what=f"{what} ({name})" if name else what))


_CHANGED = (
    "{op}: {what} was changed in place after the forward pass had used it, so its gradient would be wrong. "
    "Change it after backward(), or compute with a copy."
)


def _differs(array: np.ndarray, before: bytes | None) -> bool:
    if before is not None:
        return array.tobytes() != before
    owner = owner_of(array)
    handed_out = watched.get(id(owner))  # after the forward pass, or it would have been remembered there
    if handed_out is None or not owner.flags.c_contiguous:
        return handed_out is not None and owner.tobytes() != handed_out[1]
    # Only this part of the memory matters: an optimizer lays many parameters end to end.
    start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return array.tobytes() != np.ndarray(array.shape, array.dtype, handed_out[1], start, array.strides).tobytes()


def owner_of(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
