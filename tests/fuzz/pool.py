"""Pool: what a program that is being made offers to its next step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .program import Program, Step, there, weights

inf, nan = math.inf, math.nan

MOST = 40  # elements of a result at most
SIDES = (1, 2, 3, 2, 3, 4, 2, 3, 0)  # lengths of axes; few programs are about empty arrays
NUMBERS = (2, 0.5, -1.0, 3, 1.0, 0, -2, 0.25)  # exact in binary

KINKED = (0.0, 1.0, -1.0, 2.0, 0.5, -0.5, -2.0, 3.0, -3.0, 6.0, -0.0, 20.0)
EXTREME = (1e4, -1e4, 1e300, -1e300, 1e-300, -1e-300, 40.0, 1e-9)
ELEMENTS = {
    "ordinary": st.integers(-300, 300).map(lambda i: i / 100),
    "kinked": st.sampled_from(KINKED),
    "extreme": st.sampled_from((*KINKED, *EXTREME)),
    "special": st.sampled_from((*KINKED, *EXTREME, inf, -inf, nan, inf, -inf, nan)),
    "shares": st.sampled_from((0.5, 0.25, 0.75, 0.125, 0.9, 0.0, 1.0)),
}


class Pool:
    """The values so far, on PyTorch, and draws of what a call may be made with.

    Values that this package has as Tensors are called x0, x1, ... (leaves) and v0, v1, ... (results); c0, c1, ... are
    constants, which are arrays here.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any], elements: str, dtype: str):
        self.draw, self.elements, self.dtype = draw, elements, dtype
        self.values: dict[str, Any] = {}
        self.leaves: dict[str, np.ndarray] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.steps: list[Step] = []
        self.names = there()
        self.torch = self.names["torch"]

    # ------------------------------------------------------------------ draws

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def count(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def array(self, shape: tuple[int, ...], elements: str | None = None) -> np.ndarray:
        n = math.prod(shape)
        strategy = ELEMENTS[elements or self.elements]
        numbers = np.array(self.draw(st.lists(strategy, min_size=n, max_size=n)), dtype=float).reshape(shape)
        return numbers.astype(self.dtype)

    def shape(self, low: int = 0, high: int = 3) -> tuple[int, ...]:
        return tuple(self.draw(st.lists(st.sampled_from(SIDES), min_size=low, max_size=high)))

    # ------------------------------------------------------------------ values, as names

    def leaf(self, shape: tuple[int, ...], elements: str | None = None) -> str:
        """A new leaf."""
        name = f"x{len(self.leaves)}"
        self.leaves[name] = self.array(shape, elements)
        self.values[name] = self.torch.tensor(self.leaves[name])
        return name

    def constant(self, array: Any) -> str:
        """A new constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        self.values[name] = self.torch.tensor(self.constants[name])
        return name

    def tensors(self, accept: Callable[[Any], bool], kind: str = "f") -> list[str]:
        """The names of all Tensors of a kind (floats, booleans, integers) that are accepted, the latest first."""
        return [
            name
            for name in reversed(self.values)
            if name[0] != "c" and _kind(self.values[name]) == kind and accept(self.values[name])
        ]

    def value(
        self, accept: Callable[[Any], bool] = lambda x: True, shape: Any = None, elements: str | None = None
    ) -> str:
        """A Tensor of floats that is accepted: an earlier value, or a leaf of a shape for which ``shape`` is asked."""
        found = self.tensors(accept)
        if not found or (len(self.leaves) < 5 and self.count(0, 3) == 3):
            return self.leaf(self.shape() if shape is None else shape(), elements)
        return self.choose(*found)

    def of_shape(self, shape: tuple[int, ...], elements: str | None = None) -> str:
        return self.value(lambda x: tuple(x.shape) == shape, lambda: shape, elements)

    def with_axes(self, low: int, high: int = 4) -> str:
        return self.value(lambda x: low <= x.ndim <= high, lambda: self.shape(low, max(low, 3)))

    def partner(self, name: str) -> str:
        """A Tensor of floats that broadcasts with this one."""
        mine = self.shape_of(name)
        return self.value(lambda x: _broadcasts(mine, tuple(x.shape)), lambda: self.partner_shape(mine))

    def partner_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape again, or with some axes of length 1, fewer axes, or one more."""
        kept = tuple(self.choose(n, n, 1) for n in shape)
        return self.choose(shape, kept, kept[self.count(0, len(kept)) :], (self.choose(2, 1), *kept))

    def operand(self, name: str, *kinds: str) -> str:
        """What can stand beside a Tensor in arithmetic: a Tensor, a number, an array, or of other ``kinds``."""
        kind = self.choose("tensor", "tensor", "tensor", "number", "array", *kinds)
        if kind == "number":
            return self.number()
        if kind == "array":
            return self.constant(self.array(self.partner_shape(self.shape_of(name))))
        return self.truth(self.shape_of(name)) if kind == "truth" else self.partner(name)

    def partner_or_number(self, name: str) -> tuple[str, str]:
        """The same, or a number, which PyTorch's functions of two arguments want as a tensor."""
        if self.count(0, 3) < 3:
            return (partner := self.partner(name)), partner
        number = self.number()
        return number, f"{name}.new_tensor({number})"

    def number(self) -> str:
        n = self.choose(*NUMBERS)
        return str(n) if n >= 0 else f"({n})"

    def truth(self, shape: tuple[int, ...]) -> str:
        """Booleans that broadcast with the shape: an earlier result, or a constant."""
        found = self.tensors(lambda x: _broadcasts(shape, tuple(x.shape)), "b")
        if found and self.flag():
            return self.choose(*found)
        return self.mask(self.partner_shape(shape))

    def mask(self, shape: tuple[int, ...]) -> str:
        n = math.prod(shape)
        return self.constant(np.array(self.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool).reshape(shape))

    def indices(self, n: int, shape: tuple[int, ...], low: int | None = None) -> str:
        """A constant of whole numbers that index an axis of length n: from its end too, or from ``low`` on."""
        size = math.prod(shape)
        numbers = st.lists(st.integers(-n if low is None else low, n - 1), min_size=size, max_size=size)
        return self.constant(np.array(self.draw(numbers), dtype=int).reshape(shape))

    # ------------------------------------------------------------------ shapes and axes

    def shape_of(self, name: str) -> tuple[int, ...]:
        return tuple(self.values[name].shape)

    def axis(self, name: str) -> int:
        """One axis; of a 0-d value the first, as both allow."""
        n = max(len(self.shape_of(name)), 1)
        return self.count(-n, n - 1)

    def axes(self, name: str) -> int | tuple[int, ...] | None:
        """None, one axis, or a tuple of several."""
        n = len(self.shape_of(name))
        if not n:  # where there is no axis, NumPy's functions do not agree among themselves whether 0 names one
            return None
        if n < 2 or self.flag():
            return self.choose(None, self.axis(name))
        return tuple(axis - self.choose(0, n) for axis in self.permutation(n)[: self.count(1, n)])

    def dims(self, name: str, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
        """The axes as PyTorch's functions take them: a tuple of numbers from 0 on."""
        n = len(self.shape_of(name))
        return tuple(range(n)) if axis is None else tuple(i % n for i in ((axis,) if isinstance(axis, int) else axis))

    def permutation(self, n: int) -> list[int]:
        return self.draw(st.permutations(range(n)))

    # ------------------------------------------------------------------ the program

    def add(self, op: str, here: str, there: str) -> None:
        """The next step, unless PyTorch refuses it or it grows too large."""
        name = f"v{len(self.steps)}"
        try:
            value = eval(there, {**self.names, **self.values})
        except (RuntimeError, IndexError, ValueError):
            return
        if value.numel() <= MOST and value.ndim <= 5:
            self.steps.append(Step(name, op, here, there))
            self.values[name] = value

    def program(self) -> Program:
        """All steps, and a loss of what no later step uses; leaves and constants that nobody uses are left out."""
        used = {name for step in self.steps for name in step.uses()}
        ends = [s.name for s in self.steps if s.name not in used and _kind(self.values[s.name]) == "f"]
        last = {f"w{i}": weights(self.shape_of(name), self.dtype) for i, name in enumerate(ends)}
        total = " + ".join(f"({name} * {w}).sum()" for name, w in zip(ends, last))
        steps = [*self.steps, *([Step("loss", "loss", total, total)] if ends else [])]
        constants = {name: x for name, x in self.constants.items() if name in used} | last
        return Program({name: x for name, x in self.leaves.items() if name in used}, constants, steps)


def _kind(x: Any) -> str:
    return "f" if x.is_floating_point() else "b" if str(x.dtype) == "torch.bool" else "i"


def _broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        return math.prod(np.broadcast_shapes(a, b)) <= MOST
    except ValueError:
        return False
