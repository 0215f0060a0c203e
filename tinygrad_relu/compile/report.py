"""Report: what each pass has saved, and whether a program still does what the function does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .passes import Plan
from .snapshot import Snapshot, same_bits


class Report:
    """A table with a row for each pass: how many calls of NumPy it has saved.

    ``savings`` are the rows, ``calls`` is what is left in each run, ``once`` what is done once, and ``memory`` how many
    bytes the results lie in.
    """

    def __init__(self, plan: Plan):
        self.savings = list(plan.savings)
        self.calls = plan.count()
        self.once = len(plan.once)
        self.memory = sum(value.array.nbytes for value, home in plan.home.items() if home is None)

    def __repr__(self) -> str:
        lines = [f"{'pass':<14}{'calls saved':>12}", *(f"{each.name:<14}{each.calls:>12,}" for each in self.savings)]
        return "\n".join([*lines, f"{'left':<14}{self.calls:>12,}", f"{self.memory:,} bytes of memory for results"])


def checked(program: Any, leaves: list[Any], function: Callable[[], Any], call: int) -> Any:
    """Run a program and the function itself from the same state; RuntimeError unless all bits are the same."""
    before = Snapshot(program)
    try:
        result = program(leaves)
    except program.differs:
        return function()
    after = Snapshot(program)
    before.restore()
    theirs = function()
    difference = "the result" if not same_bits(result, theirs) else after.difference(Snapshot(program))
    if difference:
        raise RuntimeError(
            f"compile: in call {call} the program and the function itself differ in {difference}. The state is now the "
            "function's own. Please report it, with the output of print(step.source)."
        )
    return theirs
