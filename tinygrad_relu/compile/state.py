"""State: all that a program may change, copied, so that it can be brought back."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import random
from ..tensor import Tensor
from .recording import Recording

__all__ = ["State"]


class State:
    """A copy of the parameters, what the optimizers remember, gradients, buffers of modules and the random numbers.

    ``restore`` brings all of it back; ``difference`` names what another copy has otherwise.
    """

    def __init__(self, recording: Recording):
        self.recording = recording
        self.flats = [(flat, flat.step, {name: v.copy() for name, v in _vectors(flat)}) for _, flat in recording.steps]
        self.tensors = [(t, t._array, np.copy(t._array)) for t in recording.tensors]
        self.grads = [(t, t._grad, _copied(t._grad)) for t in recording.grad_tensors]
        self.buffers = [(m, name, vars(m)[name]) for m, name in recording.buffers]
        self.arrays = [(array, array.copy()) for array in recording.arrays]
        self.generator = random.generator()
        self.drawn = self.generator.bit_generator.state if recording.draws else None

    def restore(self) -> None:
        """Make everything as it was."""
        for flat, step, vectors in self.flats:
            flat.step = step
            for name, vector in _vectors(flat):
                if name in vectors:
                    vector[...] = vectors[name]
        for t, data, copy in self.tensors:
            t._array = data
            if isinstance(data, np.ndarray):
                data[...] = copy
        for t, grad, copy in self.grads:
            t._grad = grad
            if grad is not None:
                (grad._array if isinstance(grad, Tensor) else grad)[...] = copy
        for module, name, value in self.buffers:
            vars(module)[name] = value
        for array, copy in self.arrays:
            array[...] = copy
        if self.drawn is not None:
            self.generator.bit_generator.state = self.drawn

    def difference(self, other: State) -> str:
        """What is not the same, to the last bit, in the other copy of the same state; "" if all is."""
        for (_, step, mine), (_, steps, theirs) in zip(self.flats, other.flats):
            for name in mine:
                if not same_bits(mine[name], theirs.get(name)):
                    return f"the optimizer's vector {name!r}"
            if step != steps:
                return "the optimizer's count of steps"
        for (t, _, now), (_, _, then) in zip(self.tensors, other.tensors):
            if not same_bits(now, then):
                return f"the tensor {t.name or ''!r} of shape {t.shape}"
        for (t, _, now), (_, _, then) in zip(self.grads, other.grads):
            if not same_bits(now, then):
                return f"the gradient of {t.name or ''!r} of shape {t.shape}"
        for (module, name, now), (_, _, then) in zip(self.buffers, other.buffers):
            if not same_bits(now, then):
                return f"{name} of {type(module).__name__}"
        for (_, now), (_, then) in zip(self.arrays, other.arrays):
            if not same_bits(now, then):
                return f"an array of shape {now.shape} from outside of the function"
        return "" if self.drawn == other.drawn else "the state of the generator of random numbers"


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays or numbers are the same to the last bit, NaN to NaN."""
    if a is None or b is None:
        return a is b
    a, b = (np.asarray(x._array if isinstance(x, Tensor) else x) for x in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _vectors(flat: Any) -> list[tuple[str, np.ndarray]]:
    return [("theta", flat.theta), *flat.memories.items()]


def _copied(grad: Any) -> Any:
    return None if grad is None else np.copy(grad._array if isinstance(grad, Tensor) else grad)
