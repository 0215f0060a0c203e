"""order, in words and pictures."""

from __future__ import annotations

from typing import Any

from ...record.words import plural
from .. import figures
from ..findings import Claim, Table
from ..order import Ladder, Order

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Going back through a ladder of additions. Left: recursion visits once for each path, which doubles with each "
    "step; in topological order there is one visit for each tensor. Right: the slope that comes out. A recursion "
    "that hands on whole sums is wrong, and soon beyond all bounds; the other two agree."
)


def tables(found: Order) -> list[Table]:
    """The small graph, the ladders and the chains."""
    small = [
        ["recursion", " ".join(found.visits_by_sums), f"{found.slope_by_sums:g}"],
        ["topological order", " ".join(found.visits_in_order), f"{found.slope_in_order:g}"],
    ]
    columns = ["steps", "right slope", "by whole sums", "visits", "by messages", "visits", "in order", "visits"]
    chains = [
        [
            f"{chain.length:,}",
            "arrives" if chain.recursion_arrives else "RecursionError",
            f"{chain.visits_in_order:,}",
            f"{chain.slope_in_order:g}",
        ]
        for chain in found.chains
    ]
    return [
        Table("b = a + a; c = b + b", ["way", "visits", "dc/da"], small),
        Table("a ladder of x + x: the slope that comes out, and the visits", columns, [*map(_row, found.ladders)]),
        Table("a chain of negations", ["ops", "recursion", "visits in order", "slope"], chains),
    ]


def claims(found: Order) -> list[Claim]:
    """Verdict on each way."""
    last = found.ladders[-1]
    right = all(each.slope_by_messages == each.slope_in_order == 2**each.steps for each in found.ladders)
    doubled = all(each.visits_by_messages == 2 ** (each.steps + 1) - 1 for each in found.ladders)
    linear = all(each.visits_in_order == each.tensors for each in found.ladders)
    long = found.chains[-1]
    ends = "arrives" if long.recursion_arrives else "ends in a RecursionError"
    return [
        Claim(
            "where a tensor that is no leaf is used again, recursion gives a wrong gradient",
            "A. Karpathy on micrograd, pull request 64",
            f"dc/da is {found.slope_by_sums:g} by recursion and {found.slope_in_order:g} in order; 4 is right",
            "holds" if found.slope_by_sums != 4 == found.slope_in_order else "does not hold here",
        ),
        Claim(
            "a recursion that follows each path by itself is right, but takes exponential time",
            "the number of paths in a ladder of n steps is 2^n",
            f"{plural(last.visits_by_messages, 'visit')} for {plural(last.steps, 'step')}, {last.visits_in_order} in "
            "topological order; the slopes are the same",
            "holds" if right and doubled and linear else "does not hold here",
        ),
        Claim(
            "a recursive backward pass fails on graphs that are more than about 1,000 ops deep",
            "micrograd, pull request 90; Python's recursion limit",
            f"{plural(long.length, 'op')}: recursion {ends}, "
            f"topological order gives {long.slope_in_order:g} after {plural(long.visits_in_order, 'visit')}",
            "does not hold here" if long.recursion_arrives else "holds",
        ),
    ]


def figure(found: Order) -> Any:
    """Visits, and slopes, against the length of the ladder."""
    figure, (visits, slopes) = figures.panels(columns=2)
    steps = [each.steps for each in found.ladders]
    hollow = {"markersize": 10, "markerfacecolor": "none"}  # where two lines are one, both marks are seen
    lines: list[tuple[str, str, dict[str, Any]]] = [
        ("by_sums", "recursion by whole sums", {"color": figures.RED, "marker": "o", **hollow}),
        ("by_messages", "recursion by messages", {"color": figures.ORANGE, "marker": "D", "ls": "--", **hollow}),
        ("in_order", "topological order", {"color": figures.BLUE, "marker": "s"}),
    ]
    for way, label, look in lines:
        for axes, what in ((visits, "visits"), (slopes, "slope")):
            numbers = [getattr(each, f"{what}_{way}") for each in found.ladders]
            axes.semilogy(steps, numbers, label=label, linewidth=2, **look)
    visits.set(xlabel="steps of the ladder", ylabel="visits (logarithmic)", title="How many visits")
    slopes.set(xlabel="steps of the ladder", ylabel="slope (logarithmic)", title="What comes out")
    figures.legend(visits)
    figures.legend(slopes)
    return figure


def _row(ladder: Ladder) -> list[str]:
    return [
        f"{ladder.steps}",
        f"{2**ladder.steps:,}",
        _number(ladder.slope_by_sums),
        f"{ladder.visits_by_sums:,}",
        _number(ladder.slope_by_messages),
        f"{ladder.visits_by_messages:,}",
        _number(ladder.slope_in_order),
        f"{ladder.visits_in_order:,}",
    ]


def _number(x: float) -> str:
    """All digits of a small number, of a large one the first."""
    return f"{x:,.0f}" if abs(x) < 1e6 else f"{x:.2e}"
