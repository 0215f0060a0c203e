"""Report: what each pass has saved."""

from __future__ import annotations

from .plan import Plan, Saving

__all__ = ["Report"]


class Report:
    """A table with a row for each pass: how many calls of NumPy, allocations, buffers and bytes it has saved.

    ``savings`` are the rows; ``calls``, ``allocations``, ``buffers`` and ``bytes`` are what is left.
    """

    def __init__(self, plan: Plan):
        self.savings: list[Saving] = list(plan.savings)
        self.calls, self.allocations, self.buffers, self.bytes = plan.size()

    def __repr__(self) -> str:
        lines = [f"{'pass':<14}{'calls':>8}{'allocations':>13}{'buffers':>9}{'bytes':>12}"]
        lines += [_row(s.name, s.calls, s.allocations, s.buffers, s.bytes) for s in self.savings]
        return "\n".join([*lines, _row("left", self.calls, self.allocations, self.buffers, self.bytes)])


def _row(name: str, calls: int, allocations: int, buffers: int, nbytes: int) -> str:
    return f"{name:<14}{calls:>8,}{allocations:>13,}{buffers:>9,}{nbytes:>12,}"
