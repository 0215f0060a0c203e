"""Order: the nodes within each rank, so that few links cross."""

from __future__ import annotations

from bisect import bisect_right, insort

from .plan import SWEEPS, Hop, Level, Node


def order_ranks(level: Level) -> None:
    """Sweep forth and back; each node goes to the mean of its neighbours. Keep the order with the fewest crossings."""
    for rank in level.ranks:
        rank.sort(key=_importance)
        for i, node in enumerate(rank):
            node.index = node.place = i
    fewest, best = float("inf"), level.ranks
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        for rank in level.ranks if forth else reversed(level.ranks):
            rank.sort(key=_mean_before if forth else _mean_after)
            _number(rank)
        crossings = sum(_crossings(rank) for rank in level.ranks)
        if crossings < fewest:
            fewest, best = crossings, [list(rank) for rank in level.ranks]
        if not crossings and sweep:
            break
    level.ranks = best
    for rank in best:
        _number(rank)


def _importance(node: Node) -> tuple[bool, float]:
    """Between equals the main line comes first, and boxes that only feed it come last."""
    return not node.into and node.breadth > 0, -node.weight


def _number(rank: list[Node]) -> None:
    for i, node in enumerate(rank):
        node.index = i


def _mean_before(node: Node) -> tuple[float, int]:
    return _mean_index(node, node.before), node.place


def _mean_after(node: Node) -> tuple[float, int]:
    return _mean_index(node, node.after), node.place


def _mean_index(node: Node, hops: list[Hop]) -> float:
    if not hops:
        return node.index
    return sum(_index(hop.other, hop.other_shift) for hop in hops) / len(hops)


def _index(node: Node, shift: float) -> float:
    """The index of a place on a node: a port on the lower half of a cluster comes behind one on its upper half."""
    return node.index + (shift / node.breadth if node.breadth else 0.0)


def _crossings(rank: list[Node]) -> int:
    """How many pairs of arrows cross between this rank and the next."""
    ends = [(_index(node, hop.shift), _index(hop.other, hop.other_shift)) for node in rank for hop in node.after]
    seen: list[float] = []
    crossings = 0
    for _, end in sorted(ends):
        crossings += len(seen) - bisect_right(seen, end)
        insort(seen, end)
    return crossings
