"""Order: why gradients go back in topological order: both ways through ``b = a + a; c = b + b``, visit by visit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..graph import topological_order
from ..mode import enable_grad
from ..tensor import Tensor

__all__ = ["by_whole_sums", "compare", "parts"]

Sums = Counter[Tensor]  # of each tensor the gradients that have come together so far


def compare() -> dict[str, Any]:
    """The visits of both ways, each with the gradients that have arrived when it is over, and a's gradient in the end.

    >>> from tinygrad_relu.record.order import compare
    >>> compare()["naive"]["grad"], compare()["topological"]["grad"]
    (8, 4)
    """
    a = Tensor(1.0, requires_grad=True, name="a")
    with enable_grad():
        b = a + a
        c = b + b
    b.name, c.name = "b", "c"
    ways = {}
    for way, walk in (("topological", _in_order), ("naive", by_whole_sums)):
        visits: list[dict[str, Any]] = []

        def note(t: Tensor, sums: Sums, visits: list = visits) -> None:
            grads = {each.name: int(sums[each]) if each in sums else None for each in (c, b, a)}
            visits.append({"node": t.name, "grads": grads})

        walk(c, note)
        ways[way] = {"visits": visits, "grad": visits[-1]["grads"]["a"]}
    c.backward()
    assert a.grad is not None
    return {"code": "b = a + a; c = b + b", **ways, "right": int(a.grad.item())}


def by_whole_sums(top: Tensor, visited: Callable[[Tensor, Sums], None]) -> Sums:
    """Naive recursion: a tensor passes on its whole sum, then each of its arguments does the same, once for each use.

    So a tensor that is used twice passes on all of it twice: wrong, unless it is a leaf. ``visited`` is called in each
    visit, when the sum has been passed on. Returned are the sums in the end.
    """
    sums: Sums = Counter({top: 1})

    def visit(t: Tensor) -> None:
        found = parts(t, sums[t])
        for argument, part in found:
            sums[argument] += part
        visited(t, sums)
        for argument, _ in found:
            visit(argument)

    visit(top)
    return sums


def _in_order(top: Tensor, visited: Callable[[Tensor, Sums], None]) -> None:
    """The right way: a tensor waits until all that use it have passed on their sums."""
    sums: Sums = Counter({top: 1})
    for t in topological_order([top]):
        for argument, part in parts(t, sums[t]):
            sums[argument] += part
        visited(t, sums)


def parts(t: Tensor, grad: Any) -> list[tuple[Tensor, Any]]:
    """Arguments of the op behind ``t``, each with the gradient that its rule has for it; nothing for a leaf."""
    if t.op is None:
        return []
    found = t.op.backward(grad)
    return list(zip(t.op.arguments, found if isinstance(found, tuple) else (found,)))
