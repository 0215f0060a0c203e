"""Snapshot: the state of a program at one moment, to come back to after an error, or to compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..tensor import Tensor
from .state import array_of


class Snapshot:
    """Copies of all that a program may change: parameters, gradients, buffers, optimizers, random numbers."""

    def __init__(self, program: Any):
        places = [(t, name) for t, _ in program.tensors for name in ("_array", "_grad")]
        places += [(flat, name) for flat in program.flats for name in ("theta", "memories", "first_steps", "step")]
        places += [(vars(module()), name) for module, _ in program.modules for name in _changing(module())]
        places.append((random.generator().bit_generator, "state"))
        self._found = [(owner, name, _get(owner, name), _copied(_get(owner, name))) for owner, name in places]

    def restore(self) -> None:
        """Bring the state back, in the arrays in which it was."""
        for owner, name, thing, before in self._found:
            held = array_of(thing)
            if isinstance(held, np.ndarray):
                held[...] = before
            elif isinstance(thing, dict) and name != "state":
                for key in list(thing):
                    if key not in before:
                        del thing[key]
                    elif isinstance(thing[key], np.ndarray):
                        thing[key][...] = before[key]
            if isinstance(owner, dict):
                owner[name] = thing
            else:
                setattr(owner, name, thing)

    def difference(self, other: Snapshot) -> str:
        """The first place in which the states are not the same to the last bit; "" if there is none."""
        for (owner, name, _, mine), (_, _, _, theirs) in zip(self._found, other._found):
            if not same_bits(mine, theirs):
                return f"{name.strip('_')} of {getattr(owner, 'name', None) or type(owner).__name__}"
        return ""


def same_bits(a: Any, b: Any) -> bool:
    """Tell whether two results, nested as they may be, are the same to the last bit."""
    if isinstance(a, (tuple, list)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_bits, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same_bits(a[key], b[key]) for key in a)
    a, b = (x._array if isinstance(x, Tensor) else x for x in (a, b))
    if isinstance(a, (np.ndarray, np.generic)) and isinstance(b, (np.ndarray, np.generic)):
        return a.shape == b.shape and a.dtype == b.dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    return a is b or (type(a) is type(b) and bool(a == b or a != a))


def _changing(module: Any) -> list[str]:
    learned = [name for name in module._persistent if not isinstance(vars(module)[name], Tensor)]
    return [*learned, "training"]


def _get(owner: Any, name: str) -> Any:
    return owner[name] if isinstance(owner, dict) else getattr(owner, name)


def _copied(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {key: _copied(item) for key, item in thing.items()}
    thing = array_of(thing)
    return thing.copy(order="K") if isinstance(thing, np.ndarray) else thing
