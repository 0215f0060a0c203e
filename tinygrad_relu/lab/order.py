"""order: why gradients go back in topological order, and recursion does not do

In b = a + a; c = b + b the tensor b is used twice. Backpropagation must hand b's gradient on once, when all of it has
arrived. What happens if one simply recurses from c to what it was made of?

Two ways to recurse are tried. The first lets each tensor hand on its whole sum at each visit, so that the part which
came first is handed on twice. The second lets each message go on by itself to the end; that is right, but the visits
double with each step of a ladder x -> x + x -> ... The engine counts first how many gradients each tensor waits for,
and visits each once.

Then a chain in which nothing is used twice, -(-(-x)) and so on. Here each way has the same few visits and the right
slope, but a recursion goes one call deeper with each op, and Python allows about a thousand.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import Tensor
from ..record.order import by_whole_sums, parts
from .findings import Findings
from .workers import each

__all__ = ["Chain", "Ladder", "Order", "run"]


@dataclass
class Ladder:
    """x is added to itself ``steps`` times over: the slope is 2 ** steps. All visits are counted as they happen."""

    steps: int
    tensors: int
    visits_by_sums: int  # each visit hands on the whole sum
    slope_by_sums: float
    visits_by_messages: int  # each message goes on by itself
    slope_by_messages: float
    visits_in_order: int
    slope_in_order: float


@dataclass
class Chain:
    """``length`` negations of x, one after the other: the slope is (-1) ** length."""

    length: int
    recursion_arrives: bool  # or ends in a RecursionError
    visits_in_order: int
    slope_in_order: float


@dataclass(repr=False)
class Order(Findings):
    """Visits of three ways through the same graphs, and their results."""

    visits_by_sums: list[str]  # of b = a + a; c = b + b
    visits_in_order: list[str]
    slope_by_sums: float
    slope_in_order: float
    ladders: list[Ladder] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)


def run(
    steps: int = 16, lengths: tuple[int, ...] = (100, 10_000), *, executor: Executor | None = None,
    progress: bool = False,
) -> Order:  # fmt: skip
    """Go back through b = a + a; c = b + b, ladders of 2, 4, ... ``steps`` additions, and chains of ``lengths`` ops.

    >>> found = run(4, (10,), executor=lab.Serial())
    >>> found.slope_by_sums, found.slope_in_order
    (8.0, 4.0)
    """
    a = Tensor(3.0, requires_grad=True, name="a")
    b = a + a
    c = b + b
    b.name, c.name = "b", "c"
    by_sums = _by_sums(c)
    in_order = _in_order(c, [a, b, c])
    label = "order" if progress else ""
    ladders = each(_climb, [(n,) for n in range(2, steps + 1, 2)], executor, label)
    chains = each(_follow, [(n,) for n in lengths], executor, label)
    return Order(by_sums.visits, in_order.visits, by_sums.slope(a), in_order.slope(a), ladders, chains)


def _climb(steps: int) -> Ladder:
    """The three ways through one ladder."""
    x = Tensor(1.0, requires_grad=True, dtype=np.float64)
    tensors = [x]
    for _ in range(steps):
        tensors.append(tensors[-1] + tensors[-1])
    top = tensors[-1]
    by_sums, by_messages = _by_sums(top), _by_messages(top)
    in_order = _in_order(top, tensors)
    return Ladder(
        steps,
        len(tensors),
        len(by_sums.visits),
        by_sums.slope(x),
        len(by_messages.visits),
        by_messages.slope(x),
        len(in_order.visits),
        in_order.slope(x),
    )


def _follow(length: int) -> Chain:
    """A chain in which nothing is used twice."""
    x = Tensor(1.0, requires_grad=True, dtype=np.float64)
    tensors = [x]
    for _ in range(length):
        tensors.append(-tensors[-1])
    try:
        arrives = len(_by_messages(tensors[-1]).visits) == len(tensors)
    except RecursionError:
        arrives = False
    in_order = _in_order(tensors[-1], tensors)
    return Chain(length, arrives, len(in_order.visits), in_order.slope(x))


@dataclass
class _Walk:
    """The names of the tensors that were visited, and the gradients that have come together."""

    visits: list[str] = field(default_factory=list)
    grads: Counter[Tensor] = field(default_factory=Counter)

    def slope(self, t: Tensor) -> float:
        return float(self.grads[t])


def _by_messages(top: Tensor) -> _Walk:
    """Each message goes on by itself, down to the leaves."""
    walk = _Walk()

    def visit(t: Tensor, grad: Any) -> None:
        walk.visits.append(t.name or "")
        walk.grads[t] += grad
        for argument, part in parts(t, grad):
            visit(argument, part)

    visit(top, 1.0)
    return walk


def _by_sums(top: Tensor) -> _Walk:
    """Each visit hands on all that has come together so far: the textbook's mistake."""
    walk = _Walk()
    walk.grads = by_whole_sums(top, lambda t, sums: walk.visits.append(t.name or ""))
    return walk


def _in_order(top: Tensor, tensors: list[Tensor]) -> _Walk:
    """The engine's way; hooks tell which of these tensors it visits, and what has arrived there."""
    walk = _Walk()
    for t in tensors:

        def note(grad: Tensor, t: Tensor = t) -> None:
            walk.visits.append(t.name or "")
            walk.grads[t] += grad.item()  # type: ignore[assignment]

        t.register_hook(note)
    top.backward()
    return walk
