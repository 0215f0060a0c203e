"""Across: places across the flow, so that lines are straight."""

from __future__ import annotations

from itertools import pairwise

from .places import CLEARANCE, HEADER, PADDING
from .plan import SWEEPS, Hop, Level, Link, Node, label_distance, spacing


def place_across(level: Level) -> None:
    """Sweep forth and back; each node goes where its lines are straight, as far as the others in its rank allow."""
    for rank in level.ranks:
        _settle(level, rank, [0.0] * len(rank))
    for sweep in range(SWEEPS + 1):
        forth = sweep % 2 == 0
        for rank in level.ranks if forth else reversed(level.ranks):
            _settle(level, rank, [_straight(node, node.before if forth else node.after) for node in rank])
    _straighten(level)
    nodes = [node for rank in level.ranks for node in rank]
    low = min([node.middle - node.breadth / 2 for node in nodes], default=0.0)
    high = max([node.middle + node.breadth / 2 for node in nodes], default=0.0)
    for link in level.links:
        if link.label:
            reach = link.label[1] + label_distance(link)
            low = min(low, last_middle(link) - reach)
            high = max(high, last_middle(link) + reach)
    first = PADDING + (HEADER if level.sideways and level.title else 0)
    for node in nodes:
        node.middle += first - low
    level.node.breadth = first + high - low + PADDING
    if not level.sideways:
        level.title_at = _beside_ports(level)
        level.node.breadth = max(level.node.breadth, level.title_at + level.title + PADDING)


def _beside_ports(level: Level) -> float:
    """Where the label of a cluster starts, so that no arrow from above runs through it."""
    at = float(PADDING)
    for port in level.ranks[0]:
        if port.middle - 2 * CLEARANCE < at + level.title:
            at = max(at, port.middle + 2 * CLEARANCE)
    return at


def _straight(node: Node, hops: list[Hop]) -> float:
    """Where the lines to the most important neighbours would be straight."""
    if not hops:
        return node.middle
    most = max(hop.weight for hop in hops)
    wishes = [hop.other.middle + hop.other_shift - hop.shift for hop in hops if hop.weight == most]
    return sum(wishes) / len(wishes)


def _settle(level: Level, rank: list[Node], wishes: list[float]) -> None:
    """Place a rank as near to the wishes as can be without overlap, by weighted least squares.

    Neighbours that would overlap form a block; a block stands at the weighted mean of its wishes.
    """
    blocks: list[tuple[float, float, int]] = []  # weight, weight times place, how many nodes
    offsets = _offsets(level, rank)
    for node, wish, offset in zip(rank, wishes, offsets):
        blocks.append((node.weight, node.weight * (wish - offset), 1))
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][0] > blocks[-1][1] / blocks[-1][0]:
            weight, moment, count = blocks.pop()
            blocks[-1] = (blocks[-1][0] + weight, blocks[-1][1] + moment, blocks[-1][2] + count)
    places = [moment / weight for weight, moment, count in blocks for _ in range(count)]
    for node, place, offset in zip(rank, places, offsets):
        node.middle = place + offset


def _offsets(level: Level, rank: list[Node]) -> list[float]:
    """How far each node's middle is from the first one's, if they stand as close as they may."""
    offsets = [0.0]
    for a, b in pairwise(rank):
        offsets.append(offsets[-1] + (a.breadth + b.breadth) / 2 + _room(level, a, b))
    return offsets


def _room(level: Level, a: Node, b: Node) -> float:
    """Room between two nodes of a rank."""
    if a.breadth and b.breadth:
        return 16.0 if level.sideways else 20.0
    return spacing(level)


def _straighten(level: Level) -> None:
    """Pull each long link tight: as many of its points as possible come into one straight line."""
    for link in level.links:
        run: list[Node] = []
        low, high = float("-inf"), float("inf")
        for point in link.points:
            least, most = _play(level, point)
            if max(low, least) > min(high, most):
                _line_up(run, low, high)
                run, low, high = [], float("-inf"), float("inf")
            run.append(point)
            low, high = max(low, least), min(high, most)
        _line_up(run, low, high)


def _play(level: Level, node: Node) -> tuple[float, float]:
    """From where to where a point can move without touching its neighbours."""
    rank = level.ranks[node.rank]
    low, high = float("-inf"), float("inf")
    if node.index > 0:
        a = rank[node.index - 1]
        low = a.middle + a.breadth / 2 + _room(level, a, node)
    if node.index + 1 < len(rank):
        b = rank[node.index + 1]
        high = b.middle - b.breadth / 2 - _room(level, node, b)
    return min(low, node.middle), max(high, node.middle)


def _line_up(run: list[Node], low: float, high: float) -> None:
    mean = sum(point.middle for point in run) / max(len(run), 1)
    for point in run:
        point.middle = min(max(mean, low), high)


def spread_ends(level: Level) -> None:
    """Where several links meet one side of a box, spread them, in the order in which they leave it."""
    for node in level.items:
        out = [link for link in node.out if not link.tail_port]
        into = [link for link in node.into if not link.head_port]
        for link, shift in _spread(level, node, out, [next_middle(link) for link in out]):
            link.tail_shift = shift
        for link, shift in _spread(level, node, into, [last_middle(link) for link in into]):
            link.head_shift = shift


def next_middle(link: Link) -> float:
    """Where the link goes to first from its tail."""
    if link.points:
        return link.points[0].middle
    return link.head.middle + (link.head_shift if link.head_port else 0.0)


def last_middle(link: Link) -> float:
    """Where the link comes from last before its head."""
    if link.points:
        return link.points[-1].middle
    return link.tail.middle + (link.tail_shift if link.tail_port else 0.0)


def _spread(level: Level, node: Node, links: list[Link], others: list[float]) -> list[tuple[Link, float]]:
    """The links, each with its shift from the middle of the node. If exactly one of them is straight, it stays so."""
    order = sorted(range(len(links)), key=lambda i: others[i])
    straight = [place for place, i in enumerate(order) if abs(others[i] - node.middle) < 1.0]
    center = straight[0] if len(straight) == 1 else (len(links) - 1) / 2
    farthest = max(center, len(links) - 1 - center, 0.5)
    step = min(spacing(level), max(node.breadth / 2 - 5.0, 0.0) / farthest)
    return [(links[i], (place - center) * step) for place, i in enumerate(order)]
