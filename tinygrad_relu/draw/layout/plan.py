"""Plan: a picture as levels, nodes and links, each arrow cut where it crosses the border of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .. import style
from ..picture import Arrow, Box, Picture
from .places import CLEARANCE, LANE, PADDING, WIDEST, arrow_text, box_size, corner_radius

SWEEPS = 8
ONE_BY_ONE = 4  # parameters and constants that stand one below another, for one op


@dataclass(eq=False, slots=True)
class Node:
    """A box, a cluster as one box, a port at the border of a cluster, or a point that a long arrow goes through."""

    length: float = 0.0  # along the flow
    breadth: float = 0.0  # across it
    is_cluster: bool = False
    weight: float = 1.0  # how much it insists on straight lines
    corner: float = 0.0  # radius
    rank: int = 0
    index: int = 0  # in its rank
    place: int = 0  # its index at first, which decides between equals
    start: float = 0.0  # along the flow
    middle: float = 0.0  # across it
    into: list[Link] = field(default_factory=list)
    out: list[Link] = field(default_factory=list)
    before: list[Hop] = field(default_factory=list)  # to the rank before
    after: list[Hop] = field(default_factory=list)  # to the rank after


class Hop(NamedTuple):
    """From a node to a neighbour in the next rank or the last one; where it meets each, from their middles."""

    shift: float
    other: Node
    other_shift: float
    weight: float  # how much it matters that it is straight


@dataclass(eq=False, slots=True)
class Link:
    """The part of an arrow that lies in one level."""

    level: Level
    tail: Node
    head: Node
    tail_port: Node | None = None  # where a node is a cluster, the arrow goes on through a port in there
    head_port: Node | None = None
    weight: float = 1.0  # of the points on its way
    tail_shift: float = 0.0  # where it meets them, across the flow from their middle
    head_shift: float = 0.0
    pen: float = style.ARROW_WIDTH
    label: Size | None = None
    label_at: Place | None = None  # its middle
    direct: bool = False  # it goes against the flow, or so far that points on its way would cost too much
    points: list[Node] = field(default_factory=list)
    way: list[Place] = field(default_factory=list)


Place = tuple[float, float]  # along and across
Size = tuple[float, float]
Area = tuple[Place, Size]  # its middle and its size
Bend = tuple[Place, Place]


@dataclass(eq=False)
class Level:
    """Nodes that lie directly in one cluster, or in the whole picture."""

    sideways: bool  # the flow goes from left to right
    lane: int  # LANE, or 0 if there are no gradients beside the values
    parent: Level | None = None
    depth: int = 0
    title: float = 0.0  # the width of the label
    title_at: float = PADDING  # where it starts, from the left
    node: Node = field(default_factory=lambda: Node(is_cluster=True))  # the whole level as one box, in its parent
    items: list[Node] = field(default_factory=list)
    entries: list[Node] = field(default_factory=list)  # ports
    exits: list[Node] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    ranks: list[list[Node]] = field(default_factory=list)
    columns: list[tuple[float, float]] = field(default_factory=list)  # of each rank, from where to where
    origin: Place = (0.0, 0.0)  # in the whole


@dataclass
class Plan:
    picture: Picture
    sideways: bool
    both_ways: bool
    levels: dict[str, Level]  # by the id of the cluster, the innermost first; "" is the whole
    nodes: dict[str, Node]  # by the id of the box
    parts: list[list[Link]]  # of each arrow, from its tail to its head


# What comes from an input is the main line; what comes only from parameters and constants makes room for it.
_WEIGHTS = {"parameter": 1e-8, "constant": 1e-7}
_SOURCE = 0.1  # a box without arguments weighs so much less than what is made of it,
POINT = 1e-3  # a point on a long arrow so much less than the box that it comes from,
_LATER = 1e-2  # and what leads to the second use of a box so much less than what leads to its first one


def make_plan(picture: Picture, sideways: bool, both_ways: bool) -> Plan:
    """Sort boxes into levels, and cut arrows where they cross the border of a cluster."""
    levels = _levels(picture, sideways, LANE if both_ways else 0)
    nodes: dict[str, Node] = {}
    entered: set[Level] = set()
    weights = importance(picture)
    for box in picture.boxes:
        nodes[box.id] = _box_node(box, sideways)
        nodes[box.id].weight = weights[box.id]
        level = levels[box.cluster]
        level.items.append(nodes[box.id])
        while level.parent and level not in entered:  # with its first box, a cluster enters the one around it
            entered.add(level)
            level.parent.items.append(level.node)
            level = level.parent
    home = {box.id: levels[box.cluster] for box in picture.boxes}
    used: set[str] = set()
    parts = []
    for arrow in picture.arrows:
        parts.append(_parts(arrow, nodes, home, _LATER if arrow.tail in used else 1.0))
        used.add(arrow.tail)
    for box in picture.boxes:
        _grow(nodes[box.id], box, home[box.id])
    for level in levels.values():
        level.node.weight = max(node.weight for node in level.items) if level.items else 1.0
        for node in level.items:
            node.weight *= 1.0 if node.into else _SOURCE
    return Plan(picture, sideways, both_ways, levels, nodes, parts)


def importance(picture: Picture) -> dict[str, float]:
    """How much each box belongs to the main line: as much as the most important box that it comes from."""
    sources: dict[str, list[str]] = {}
    for arrow in picture.arrows:
        sources.setdefault(arrow.head, []).append(arrow.tail)
    weights: dict[str, float] = {}
    for box in picture.boxes:
        known = [weights[tail] for tail in sources.get(box.id, []) if tail in weights]
        weights[box.id] = max(known, default=_WEIGHTS.get(box.kind, 1.0))
    return weights


def _levels(picture: Picture, sideways: bool, lane: int) -> dict[str, Level]:
    """A level for each cluster with something in it, the innermost first, the whole last."""
    clusters = {cluster.id: cluster for cluster in picture.clusters}
    levels = {"": Level(sideways, lane)}
    for name in dict.fromkeys(box.cluster for box in picture.boxes):
        missing = []
        while name not in levels:
            missing.append(clusters[name])
            name = clusters[name].parent
        for cluster in reversed(missing):
            parent = levels[cluster.parent]
            title = min(style.text_width(style.printable(cluster.label), style.LABEL_SIZE, bold=True), WIDEST)
            levels[cluster.id] = Level(sideways, lane, parent, parent.depth + 1, title)
    return dict(sorted(levels.items(), key=lambda item: -item[1].depth))


def _box_node(box: Box, sideways: bool) -> Node:
    width, height = box_size(box)
    length, breadth = (width, height) if sideways else (height, width)
    return Node(length, breadth)


def _grow(node: Node, box: Box, level: Level) -> None:
    """Make a box broader if its arrows would touch each other; a thousand of them must do with what there is."""
    gaps = max(len(node.into), len(node.out)) - 1
    node.breadth = max(node.breadth, min(gaps * spacing(level) + 2 * CLEARANCE, 200.0))
    node.corner = corner_radius(box, node.length, node.breadth)


def _parts(arrow: Arrow, nodes: dict[str, Node], home: dict[str, Level], share: float) -> list[Link]:
    """The arrow as links, one in each level that it goes through."""
    tail, head = nodes[arrow.tail], nodes[arrow.head]
    outer, inner = home[arrow.tail], home[arrow.head]
    weight = tail.weight * POINT * share
    tail_port = head_port = None
    going_out, going_in = [], []
    while outer is not inner:
        port = Node(weight=weight)
        if outer.parent and outer.depth >= inner.depth:
            outer.exits.append(port)
            going_out.append(Link(outer, tail, port, tail_port, None, weight))
            tail, tail_port, outer = outer.node, port, outer.parent
        elif inner.parent:
            inner.entries.append(port)
            going_in.append(Link(inner, port, head, None, head_port, weight))
            head, head_port, inner = inner.node, port, inner.parent
    parts = [*going_out, Link(inner, tail, head, tail_port, head_port, weight), *reversed(going_in)]
    for link in parts:
        link.pen = style.arrow_width(arrow)
        _connect(link)
    text = arrow_text(arrow)
    if text:
        width = style.text_width(text, style.LABEL_SIZE) + 2
        parts[-1].label = (width, style.LABEL_HEIGHT) if inner.sideways else (style.LABEL_HEIGHT, width)
    return parts


def _connect(link: Link) -> None:
    link.level.links.append(link)
    link.tail.out.append(link)
    link.head.into.append(link)


def spacing(level: Level) -> float:
    """Room between two arrows."""
    return 13.0 + 1.25 * level.lane


def label_distance(link: Link) -> float:
    """How far a label beside the link is from the middle of its line."""
    return CLEARANCE + link.level.lane + link.pen / 2
