"""Guard: an array that is changed between the forward and the backward pass is found and named.

Rules read the arrays that forward has used, so a change in between would give a wrong gradient. What the package
changes itself (an optimizer's step, ``t -= 1``, ``load_state_dict``) is noted: where in memory, and when. What a user
is handed (``t.data``) can be changed as long as somebody holds it. So it is compared with what it was once he lets go
of it, and until then each op that is recorded keeps what it has used. What nobody holds costs nothing.

Up to 64 KB are compared in full, more by a sample, and all in ``detect_anomaly``.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np

from .mode import mode

tick = itertools.count(1).__next__  # the time: it grows with each op that is recorded, and each change in place
latest = [0]  # when an array was last changed or handed out

# By the id of the array that owns the memory:
_changes: dict[int, dict[tuple[int, int], int]] = {}  # which bytes of it were changed, and when
held: dict[int, dict[int, tuple[np.ndarray, bytes]]] = {}  # when a part of it was handed out -> the part, what it was

_IN_FULL, _SAMPLE = 1 << 16, 1 << 10  # bytes; elements


def note_change(array: np.ndarray, time: int | None = None) -> None:
    """Note that the elements of ``array`` have changed, now or at an earlier time."""
    if type(array) is not np.ndarray:
        return  # it stands for an array while its calls are written down
    owner = owner_of(array)
    if id(owner) not in _changes:
        _changes[id(owner)] = {}
        weakref.finalize(owner, _changes.pop, id(owner)).atexit = False
    changes, place, time = _changes[id(owner)], _place(array), time or tick()
    latest[0], changes[place] = max(latest[0], time), max(changes.get(place, 0), time)


def hand_out(array: np.ndarray) -> np.ndarray:
    """A view of the array for somebody outside, who may change it."""
    if type(array) is not np.ndarray:
        return array
    # NumPy shortens chains of views, but only those of arrays: what is made of this view will keep it alive.
    view = np.asarray(memoryview(array))  # type: ignore[arg-type]
    key, since = id(owner_of(array)), tick()
    latest[0] = since
    held.setdefault(key, {})[since] = array, _fingerprint(array)
    weakref.finalize(view, _let_go, key, since).atexit = False
    return view


def _let_go(key: int, since: int) -> None:
    array, before = held[key].pop(since)
    if not held[key]:
        del held[key]
    if _differs(array, before):
        note_change(array, since)


def remember(arrays: Any) -> dict[int, bytes]:
    """Fingerprints of those arrays that somebody outside could change, by their place."""
    return {i: _fingerprint(a) for i, a in enumerate(arrays) if type(a) is np.ndarray and id(owner_of(a)) in held}


def refuse_changes(op: Any) -> None:
    """Raise RuntimeError if an array that the op has used or made is not what it was."""
    noted = latest[0] > op.time
    for i, array in enumerate((*op.inputs, op.output)):
        if _differs(array, op.seen.get(i)) or (noted and type(array) is np.ndarray and changed_since(array, op.time)):
            name = getattr((*op.arguments, None)[i], "name", None)
            what = "the result" if i == len(op.inputs) else f"input {i}" + f" ({name})" * bool(name)
            why = "after the forward pass had used it, so its gradient would be wrong"
            hint = "change it after backward(), or compute with a copy"
            raise RuntimeError(f"{op.name}: {what} was changed in place {why}; {hint}")


def changed_since(array: np.ndarray, time: int) -> bool:
    """Tell whether elements of ``array`` have been changed after ``time``, as far as was noted, or can be seen now."""
    key, (start, end) = id(owner_of(array)), _place(array)
    noted = any(
        when > time and first < end and start < last for (first, last), when in list(_changes.get(key, {}).items())
    )
    return noted or any(
        since > time and np.may_share_memory(part, array) and _differs(part, before)
        for since, (part, before) in list(held.get(key, {}).items())
    )


def _fingerprint(array: np.ndarray, in_full: bool = False) -> bytes:
    if in_full or array.nbytes <= _IN_FULL or mode.now.anomaly:
        return array.tobytes("A")
    return (array.ravel("K") if array.flags.forc else array.flat)[:: array.size // _SAMPLE | 1].tobytes()


def _differs(array: np.ndarray, before: bytes | None) -> bool:
    return before is not None and _fingerprint(array, in_full=len(before) == array.nbytes) != before


def _place(array: np.ndarray) -> tuple[int, int]:
    """The addresses of the first byte and behind the last; what owns its memory is all of it, whatever they are."""
    return (0, 1 << 64) if array.base is None else np.lib.array_utils.byte_bounds(array)


def owner_of(array: np.ndarray) -> np.ndarray:
    """The array that has made the memory in which this one lies."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
