"""Ranks: how far along the flow each node of a level stands, and the points that long links go through."""

from __future__ import annotations

from collections import deque
from itertools import accumulate, pairwise

from .plan import ONE_BY_ONE, POINT, Hop, Level, Link, Node


def find_ranks(level: Level) -> None:
    """The rank is the length of the longest way to a node; what can wait stands close to where it is used."""
    order = _flow_order(level)
    for node in order:
        node.rank = max([1 + link.tail.rank for link in node.into if not link.direct], default=1)
    last = max([node.rank for node in order], default=0) + 1
    for port in level.exits:
        port.rank = last
    for node in reversed(order):
        users = [link.head.rank for link in node.out if not link.direct]
        if users and len(users) >= len(node.into):
            node.rank = min(users) - 1
    last += _stagger(level, order)
    level.ranks = [[] for _ in range(last + 1)]
    for node in [*level.entries, *order, *level.exits]:
        level.ranks[node.rank].append(node)


def _stagger(level: Level, order: list[Node]) -> int:
    """Make new ranks for boxes that only feed the next one, and return how many there are now.

    They stand behind a cluster in their rank, not beside it; and where the flow goes down, parameters and constants
    stand one below another, so that the picture is narrow.
    """
    feeders: dict[int, list[Node]] = {}
    for node in order:
        if not node.into and not node.is_cluster:
            feeders.setdefault(node.rank, []).append(node)
    clusters = {node.rank for node in order if node.is_cluster}
    delays: dict[Node, int] = {}
    new = [0] * (max([node.rank for node in order], default=0) + 1)  # how many ranks follow each
    for rank, nodes in feeders.items():
        first = int(rank in clusters)
        light = [node for node in nodes if node.weight < POINT]
        delays |= dict.fromkeys(nodes, first)
        if not level.sideways and len(light) <= ONE_BY_ONE:
            delays |= {node: first + i for i, node in enumerate(light)}
        new[rank] = max(delays[node] for node in nodes)
    before = list(accumulate(new, initial=0))
    for node in [*order, *level.exits]:
        node.rank += before[node.rank] + delays.get(node, 0)
    return before[-1]


def _flow_order(level: Level) -> list[Node]:
    """The items, each behind all that it needs. Where they need one another, a link against the flow is direct."""
    items = set(level.items)
    missing = {node: sum(link.tail in items for link in node.into) for node in level.items}
    ready = deque(node for node in level.items if not missing[node])
    rest = iter(level.items)
    done: dict[Node, None] = {}
    while len(done) < len(items):
        node = ready.popleft() if ready else next(rest)
        if node in done:
            continue
        done[node] = None
        for link in node.out:
            if link.head in done:
                link.direct = True
            elif link.head in items:
                missing[link.head] -= 1
                if not missing[link.head]:
                    ready.append(link.head)
    return list(done)


def lead_around(level: Level) -> None:
    """Give long links a point in each rank on their way, as many as the size of the level allows."""
    budget = 400 + 4 * (len(level.items) + len(level.links))
    for link in sorted(level.links, key=lambda link: link.head.rank - link.tail.rank):
        between = range(link.tail.rank + 1, link.head.rank)
        budget -= len(between)
        if link.direct or budget < 0:
            link.direct = True
            continue
        for rank in between:
            point = Node(weight=link.weight, rank=rank)
            link.points.append(point)
            level.ranks[rank].append(point)
        _tell_neighbours(link)


def _tell_neighbours(link: Link) -> None:
    stops = [link.tail, *link.points, link.head]
    for a, b in pairwise(stops):
        a_shift = link.tail_shift if a is link.tail else 0.0
        b_shift = link.head_shift if b is link.head else 0.0
        through_port = (a is link.tail and link.tail_port) or (b is link.head and link.head_port)
        a.after.append(Hop(a_shift, b, b_shift, link.weight if through_port else b.weight))
        b.before.append(Hop(b_shift, a, a_shift, link.weight if through_port else a.weight))
