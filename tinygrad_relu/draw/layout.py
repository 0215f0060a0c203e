"""Where everything of a picture goes: a layered layout in pure Python, as Sugiyama, Tagawa and Toda (1981) have it.

Each cluster is laid out by itself, the innermost first, and is then one large box in the cluster around it; so no
cluster overlaps another or a box that is not in it. Within a cluster there are four steps: ranks (how far along the
flow), order within a rank (few crossings), places across the flow (straight lines), places along the flow.
An arrow that crosses the border of a cluster goes through a port there.

All of it is written in two coordinates, along the flow and across it; only at the end these become x and y.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from . import style
from .picture import Arrow, Box, Picture

MARGIN = 14  # around the whole
PADDING = 12  # within a cluster
HEADER = 20  # for the label of a cluster
CLEARANCE = 5  # around the label of an arrow
LANE = 4  # with gradients beside the values, each keeps so far from the middle of its arrow
SIDE = 12  # between the border of a box and its text
WIDEST = 340  # of a line of text; what is longer is cut

_SWEEPS = 8
_ONE_BY_ONE = 4  # parameters and constants that stand one below another, for one op
_LINE = tuple(i / 10 for i in range(11))  # places on a bend; a label should cover none of them
_CROWD = 40  # where more arrows than this come together, labels may cover one another


class Point(NamedTuple):
    """A place, in pixels from the left and from the top."""

    x: float
    y: float


class Rect(NamedTuple):
    """The place of a box, a cluster or a label: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Route:
    """The way of an arrow: where it starts, then three points for each cubic Bézier curve."""

    path: list[Point]
    twin: list[Point]  # the way back, beside it, for the gradient; empty if not asked for
    label: Rect | None  # None if the arrow has none


@dataclass
class Layout:
    """The size of the whole, and where each box, cluster and arrow goes, by its id."""

    width: float
    height: float
    boxes: dict[str, Rect] = field(default_factory=dict)
    clusters: dict[str, Rect] = field(default_factory=dict)
    titles: dict[str, Point] = field(default_factory=dict)  # where the label of each cluster starts, on its baseline
    arrows: dict[str, Route] = field(default_factory=dict)


def layout(picture: Picture, *, direction: str | None = None, both_ways: bool = False) -> Layout:
    """Find a place for everything in the picture; the same picture always gives the same places.

    ``direction``: "LR" (left to right) or "TB" (top to bottom) instead of the picture's own; ValueError for others.
    ``both_ways`` leaves room for a second way beside each arrow, from its head back to its tail.

    >>> from tinygrad_relu.draw.picture import Arrow, Box, Picture
    >>> picture = Picture([Box("t0", "parameter", ["w"]), Box("op1", "op", ["relu"])], [Arrow("e0", "t0", "op1")])
    >>> places = layout(picture)
    >>> places.boxes["t0"].x < places.boxes["op1"].x
    True
    """
    direction = direction or picture.direction
    if direction not in ("LR", "TB"):
        raise ValueError(f'layout: direction must be "LR" or "TB", got {direction!r}')
    plan = _plan(picture, direction == "LR", both_ways)
    for level in plan.levels.values():  # the innermost first
        _arrange(level)
    return _finished(plan)


def box_size(box: Box) -> tuple[float, float]:
    """The width and height that the text of a box needs, in pixels."""
    widths = [line_width(line, i) for i, line in enumerate(box.lines)]
    lines = max(len(box.lines), 1)
    height = style.TITLE_HEIGHT + (lines - 1) * style.LINE_HEIGHT + 10
    return max(min(max(widths, default=0), WIDEST) + 2 * SIDE, 40), height


def corner_radius(box: Box, width: float, height: float) -> float:
    """How round the corners of a box are: very, for an op."""
    return min(width / 2, height / 2, 16.0) if box.kind == "op" else 4.0


def line_width(line: str, number: int) -> float:
    """The width of one line of a box. The first one is its title."""
    if number == 0:
        return style.text_width(style.printable(line), style.TITLE_SIZE, bold=True)
    return style.text_width(style.printable(line), style.LINE_SIZE, mono=True)


def arrow_text(arrow: Arrow) -> str:
    """What is written at an arrow: which argument it is, and the size of its gradient."""
    return style.printable("  ".join(part for part in (arrow.label, arrow.gradient) if part))


# ---------------------------------------------------------------------- the plan: levels, nodes and links


@dataclass(eq=False, slots=True)
class _Node:
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
    into: list[_Link] = field(default_factory=list)
    out: list[_Link] = field(default_factory=list)
    before: list[_Hop] = field(default_factory=list)  # to the rank before
    after: list[_Hop] = field(default_factory=list)  # to the rank after


class _Hop(NamedTuple):
    """From a node to a neighbour in the next rank or the last one; where it meets each, from their middles."""

    shift: float
    other: _Node
    other_shift: float
    weight: float  # how much it matters that it is straight


@dataclass(eq=False, slots=True)
class _Link:
    """The part of an arrow that lies in one level."""

    level: _Level
    tail: _Node
    head: _Node
    tail_port: _Node | None = None  # where a node is a cluster, the arrow goes on through a port in there
    head_port: _Node | None = None
    weight: float = 1.0  # of the points on its way
    tail_shift: float = 0.0  # where it meets them, across the flow from their middle
    head_shift: float = 0.0
    pen: float = style.ARROW_WIDTH
    label: _Size | None = None
    label_at: _Place | None = None  # its middle
    direct: bool = False  # it goes against the flow, or so far that points on its way would cost too much
    points: list[_Node] = field(default_factory=list)
    way: list[_Place] = field(default_factory=list)


_Place = tuple[float, float]  # along and across
_Size = tuple[float, float]
_Area = tuple[_Place, _Size]  # its middle and its size
_Bend = tuple[_Place, _Place]


@dataclass(eq=False)
class _Level:
    """What lies directly in one cluster, or in the whole picture."""

    sideways: bool  # the flow goes from left to right
    lane: int  # LANE, or 0 if there are no gradients beside the values
    parent: _Level | None = None
    depth: int = 0
    title: float = 0.0  # the width of the label
    title_at: float = PADDING  # where it starts, from the left
    node: _Node = field(default_factory=lambda: _Node(is_cluster=True))  # the whole level as one box, in its parent
    items: list[_Node] = field(default_factory=list)
    entries: list[_Node] = field(default_factory=list)  # ports
    exits: list[_Node] = field(default_factory=list)
    links: list[_Link] = field(default_factory=list)
    ranks: list[list[_Node]] = field(default_factory=list)
    columns: list[tuple[float, float]] = field(default_factory=list)  # of each rank, from where to where
    origin: _Place = (0.0, 0.0)  # in the whole


@dataclass
class _Plan:
    picture: Picture
    sideways: bool
    both_ways: bool
    levels: dict[str, _Level]  # by the id of the cluster, the innermost first; "" is the whole
    nodes: dict[str, _Node]  # by the id of the box
    parts: list[list[_Link]]  # of each arrow, from its tail to its head


# What comes from an input is the main line; what comes only from parameters and constants makes room for it.
_WEIGHTS = {"parameter": 1e-8, "constant": 1e-7}
_SOURCE = 0.1  # a box without arguments weighs so much less than what is made of it,
_POINT = 1e-3  # a point on a long arrow so much less than the box that it comes from,
_LATER = 1e-2  # and what leads to the second use of a box so much less than what leads to its first one


def _plan(picture: Picture, sideways: bool, both_ways: bool) -> _Plan:
    """Sort boxes into levels, and cut arrows where they cross the border of a cluster."""
    levels = _levels(picture, sideways, LANE if both_ways else 0)
    nodes: dict[str, _Node] = {}
    entered: set[_Level] = set()
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
    return _Plan(picture, sideways, both_ways, levels, nodes, parts)


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


def _levels(picture: Picture, sideways: bool, lane: int) -> dict[str, _Level]:
    """A level for each cluster with something in it, the innermost first, the whole last."""
    clusters = {cluster.id: cluster for cluster in picture.clusters}
    levels = {"": _Level(sideways, lane)}
    for name in dict.fromkeys(box.cluster for box in picture.boxes):
        missing = []
        while name not in levels:
            missing.append(clusters[name])
            name = clusters[name].parent
        for cluster in reversed(missing):
            parent = levels[cluster.parent]
            title = min(style.text_width(style.printable(cluster.label), style.LABEL_SIZE, bold=True), WIDEST)
            levels[cluster.id] = _Level(sideways, lane, parent, parent.depth + 1, title)
    return dict(sorted(levels.items(), key=lambda item: -item[1].depth))


def _box_node(box: Box, sideways: bool) -> _Node:
    width, height = box_size(box)
    length, breadth = (width, height) if sideways else (height, width)
    return _Node(length, breadth)


def _grow(node: _Node, box: Box, level: _Level) -> None:
    """Make a box broader if its arrows would touch each other; a thousand of them must do with what there is."""
    gaps = max(len(node.into), len(node.out)) - 1
    node.breadth = max(node.breadth, min(gaps * _spacing(level) + 2 * CLEARANCE, 200.0))
    node.corner = corner_radius(box, node.length, node.breadth)


def _parts(arrow: Arrow, nodes: dict[str, _Node], home: dict[str, _Level], share: float) -> list[_Link]:
    """The arrow as links, one in each level that it goes through."""
    tail, head = nodes[arrow.tail], nodes[arrow.head]
    outer, inner = home[arrow.tail], home[arrow.head]
    weight = tail.weight * _POINT * share
    tail_port = head_port = None
    going_out, going_in = [], []
    while outer is not inner:
        port = _Node(weight=weight)
        if outer.parent and outer.depth >= inner.depth:
            outer.exits.append(port)
            going_out.append(_Link(outer, tail, port, tail_port, None, weight))
            tail, tail_port, outer = outer.node, port, outer.parent
        elif inner.parent:
            inner.entries.append(port)
            going_in.append(_Link(inner, port, head, None, head_port, weight))
            head, head_port, inner = inner.node, port, inner.parent
    parts = [*going_out, _Link(inner, tail, head, tail_port, head_port, weight), *reversed(going_in)]
    for link in parts:
        link.pen = style.arrow_width(arrow)
        _connect(link)
    text = arrow_text(arrow)
    if text:
        width = style.text_width(text, style.LABEL_SIZE) + 2
        parts[-1].label = (width, style.LABEL_HEIGHT) if inner.sideways else (style.LABEL_HEIGHT, width)
    return parts


def _connect(link: _Link) -> None:
    link.level.links.append(link)
    link.tail.out.append(link)
    link.head.into.append(link)


# ---------------------------------------------------------------------- one level


def _arrange(level: _Level) -> None:
    """Place what is in the level, and so find out how large it is."""
    for link in level.links:
        if link.tail_port:
            link.tail_shift = link.tail_port.middle - link.tail.breadth / 2
        if link.head_port:
            link.head_shift = link.head_port.middle - link.head.breadth / 2
    _rank(level)
    _lead_around(level)
    _order(level)
    _place_across(level)
    _spread_ends(level)
    _place_along(level)
    for link in level.links:
        link.way = _way(level, link)
    _place_labels(level)


def _rank(level: _Level) -> None:
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


def _stagger(level: _Level, order: list[_Node]) -> int:
    """Make new ranks for boxes that only feed the next one, and return how many there are now.

    They stand behind a cluster in their rank, not beside it; and where the flow goes down, parameters and constants
    stand one below another, so that the picture is narrow.
    """
    feeders: dict[int, list[_Node]] = {}
    for node in order:
        if not node.into and not node.is_cluster:
            feeders.setdefault(node.rank, []).append(node)
    clusters = {node.rank for node in order if node.is_cluster}
    delays: dict[_Node, int] = {}
    new = [0] * (max([node.rank for node in order], default=0) + 1)  # how many ranks follow each
    for rank, nodes in feeders.items():
        first = int(rank in clusters)
        light = [node for node in nodes if node.weight < _POINT]
        delays |= dict.fromkeys(nodes, first)
        if not level.sideways and len(light) <= _ONE_BY_ONE:
            delays |= {node: first + i for i, node in enumerate(light)}
        new[rank] = max(delays[node] for node in nodes)
    before = list(accumulate(new, initial=0))
    for node in [*order, *level.exits]:
        node.rank += before[node.rank] + delays.get(node, 0)
    return before[-1]


def _flow_order(level: _Level) -> list[_Node]:
    """The items, each behind all that it needs. Where they need one another, a link against the flow is direct."""
    items = set(level.items)
    missing = {node: sum(link.tail in items for link in node.into) for node in level.items}
    ready = deque(node for node in level.items if not missing[node])
    rest = iter(level.items)
    done: dict[_Node, None] = {}
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


def _lead_around(level: _Level) -> None:
    """Give long links a point in each rank on their way, as many as the size of the level allows."""
    budget = 400 + 4 * (len(level.items) + len(level.links))
    for link in sorted(level.links, key=lambda link: link.head.rank - link.tail.rank):
        between = range(link.tail.rank + 1, link.head.rank)
        budget -= len(between)
        if link.direct or budget < 0:
            link.direct = True
            continue
        for rank in between:
            point = _Node(weight=link.weight, rank=rank)
            link.points.append(point)
            level.ranks[rank].append(point)
        _tell_neighbours(link)


def _tell_neighbours(link: _Link) -> None:
    stops = [link.tail, *link.points, link.head]
    for a, b in pairwise(stops):
        a_shift = link.tail_shift if a is link.tail else 0.0
        b_shift = link.head_shift if b is link.head else 0.0
        through_port = (a is link.tail and link.tail_port) or (b is link.head and link.head_port)
        a.after.append(_Hop(a_shift, b, b_shift, link.weight if through_port else b.weight))
        b.before.append(_Hop(b_shift, a, a_shift, link.weight if through_port else a.weight))


# ---------------------------------------------------------------------- order within ranks


def _order(level: _Level) -> None:
    """Sweep forth and back; each node goes to the mean of its neighbours. Keep the order with the fewest crossings."""
    for rank in level.ranks:
        rank.sort(key=_importance)
        for i, node in enumerate(rank):
            node.index = node.place = i
    fewest, best = float("inf"), level.ranks
    for sweep in range(_SWEEPS):
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


def _importance(node: _Node) -> tuple[bool, float]:
    """Between equals the main line comes first, and boxes that only feed it come last."""
    return not node.into and node.breadth > 0, -node.weight


def _number(rank: list[_Node]) -> None:
    for i, node in enumerate(rank):
        node.index = i


def _mean_before(node: _Node) -> tuple[float, int]:
    return _mean_index(node, node.before), node.place


def _mean_after(node: _Node) -> tuple[float, int]:
    return _mean_index(node, node.after), node.place


def _mean_index(node: _Node, hops: list[_Hop]) -> float:
    if not hops:
        return node.index
    return sum(_index(hop.other, hop.other_shift) for hop in hops) / len(hops)


def _index(node: _Node, shift: float) -> float:
    """The index of a place on a node: a port on the lower half of a cluster comes behind one on its upper half."""
    return node.index + (shift / node.breadth if node.breadth else 0.0)


def _crossings(rank: list[_Node]) -> int:
    """How many pairs of arrows cross between this rank and the next."""
    ends = [(_index(node, hop.shift), _index(hop.other, hop.other_shift)) for node in rank for hop in node.after]
    seen: list[float] = []
    crossings = 0
    for _, end in sorted(ends):
        crossings += len(seen) - bisect_right(seen, end)
        insort(seen, end)
    return crossings


# ---------------------------------------------------------------------- places across the flow


def _place_across(level: _Level) -> None:
    """Sweep forth and back; each node goes where its lines are straight, as far as the others in its rank allow."""
    for rank in level.ranks:
        _settle(level, rank, [0.0] * len(rank))
    for sweep in range(_SWEEPS + 1):
        forth = sweep % 2 == 0
        for rank in level.ranks if forth else reversed(level.ranks):
            _settle(level, rank, [_straight(node, node.before if forth else node.after) for node in rank])
    _straighten(level)
    nodes = [node for rank in level.ranks for node in rank]
    low = min([node.middle - node.breadth / 2 for node in nodes], default=0.0)
    high = max([node.middle + node.breadth / 2 for node in nodes], default=0.0)
    for link in level.links:
        if link.label:
            reach = link.label[1] + _distance(link)
            low = min(low, _last_middle(link) - reach)
            high = max(high, _last_middle(link) + reach)
    first = PADDING + (HEADER if level.sideways and level.title else 0)
    for node in nodes:
        node.middle += first - low
    level.node.breadth = first + high - low + PADDING
    if not level.sideways:
        level.title_at = _beside_ports(level)
        level.node.breadth = max(level.node.breadth, level.title_at + level.title + PADDING)


def _beside_ports(level: _Level) -> float:
    """Where the label of a cluster starts, so that no arrow from above runs through it."""
    at = float(PADDING)
    for port in level.ranks[0]:
        if port.middle - 2 * CLEARANCE < at + level.title:
            at = max(at, port.middle + 2 * CLEARANCE)
    return at


def _straight(node: _Node, hops: list[_Hop]) -> float:
    """Where the lines to the most important neighbours would be straight."""
    if not hops:
        return node.middle
    most = max(hop.weight for hop in hops)
    wishes = [hop.other.middle + hop.other_shift - hop.shift for hop in hops if hop.weight == most]
    return sum(wishes) / len(wishes)


def _settle(level: _Level, rank: list[_Node], wishes: list[float]) -> None:
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


def _offsets(level: _Level, rank: list[_Node]) -> list[float]:
    """How far each node's middle is from the first one's, if they stand as close as they may."""
    offsets = [0.0]
    for a, b in pairwise(rank):
        offsets.append(offsets[-1] + (a.breadth + b.breadth) / 2 + _room(level, a, b))
    return offsets


def _room(level: _Level, a: _Node, b: _Node) -> float:
    """What must be free between two nodes of a rank."""
    if a.breadth and b.breadth:
        return 16.0 if level.sideways else 20.0
    return _spacing(level)


def _spacing(level: _Level) -> float:
    """What must be free between two arrows."""
    return 13.0 + 1.25 * level.lane


def _straighten(level: _Level) -> None:
    """Pull each long link tight: as many of its points as possible come into one straight line."""
    for link in level.links:
        run: list[_Node] = []
        low, high = float("-inf"), float("inf")
        for point in link.points:
            least, most = _play(level, point)
            if max(low, least) > min(high, most):
                _line_up(run, low, high)
                run, low, high = [], float("-inf"), float("inf")
            run.append(point)
            low, high = max(low, least), min(high, most)
        _line_up(run, low, high)


def _play(level: _Level, node: _Node) -> tuple[float, float]:
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


def _line_up(run: list[_Node], low: float, high: float) -> None:
    mean = sum(point.middle for point in run) / max(len(run), 1)
    for point in run:
        point.middle = min(max(mean, low), high)


def _spread_ends(level: _Level) -> None:
    """Where several links meet one side of a box, spread them, in the order in which they leave it."""
    for node in level.items:
        out = [link for link in node.out if not link.tail_port]
        into = [link for link in node.into if not link.head_port]
        for link, shift in _spread(level, node, out, [_next_middle(link) for link in out]):
            link.tail_shift = shift
        for link, shift in _spread(level, node, into, [_last_middle(link) for link in into]):
            link.head_shift = shift


def _next_middle(link: _Link) -> float:
    """Where the link goes to first from its tail."""
    if link.points:
        return link.points[0].middle
    return link.head.middle + (link.head_shift if link.head_port else 0.0)


def _last_middle(link: _Link) -> float:
    """Where the link comes from last before its head."""
    if link.points:
        return link.points[-1].middle
    return link.tail.middle + (link.tail_shift if link.tail_port else 0.0)


def _spread(level: _Level, node: _Node, links: list[_Link], others: list[float]) -> list[tuple[_Link, float]]:
    """The links, each with its shift from the middle of the node. If exactly one of them is straight, it stays so."""
    order = sorted(range(len(links)), key=lambda i: others[i])
    straight = [place for place, i in enumerate(order) if abs(others[i] - node.middle) < 1.0]
    center = straight[0] if len(straight) == 1 else (len(links) - 1) / 2
    farthest = max(center, len(links) - 1 - center, 0.5)
    step = min(_spacing(level), max(node.breadth / 2 - 5.0, 0.0) / farthest)
    return [(links[i], (place - center) * step) for place, i in enumerate(order)]


# ---------------------------------------------------------------------- places along the flow


def _place_along(level: _Level) -> None:
    """Each rank is a column as long as its longest node, with room for arrows and their labels between."""
    at = 0.0
    for rank, gap in zip(level.ranks, _gaps(level)):
        at += gap
        length = max([node.length for node in rank], default=0.0)
        level.columns.append((at, at + length))
        for node in rank:
            share = 0.5 if node.into else 1.0  # what feeds the next rank stands close to it
            node.start = at + share * (length - node.length)
        at += length
    level.node.length = max(at, level.title + 2 * PADDING if level.sideways else 0.0)
    level.columns[-1] = (level.node.length, level.node.length)
    for port in level.exits:
        port.start = level.node.length


def _gaps(level: _Level) -> list[float]:
    """The free room before each rank: more of it where arrows are steep or have labels."""
    gaps = [30.0 if level.sideways else 24.0] * len(level.ranks)
    gaps[0] = 0.0  # here are ports, on the border
    gaps[1] = PADDING + (0 if level.sideways or not level.title else HEADER)
    gaps[-1] = PADDING
    for i, rank in enumerate(level.ranks):
        steepest = max([abs(_bend(node, hop)) for node in rank for hop in node.before], default=0.0)
        gaps[i] = max(gaps[i], min(0.3 * steepest, 90.0))
    for link in level.links:
        if link.label:
            at = _label_rank(link)
            room = link.label[0] + 2 * CLEARANCE + (26 if _is_bent_before(link, at) else 10)
            gaps[at] = max(gaps[at], room)
    return gaps


def _label_rank(link: _Link) -> int:
    """The rank before which the label is: that of the head, but for a box that feeds it from a little farther away."""
    feeds = link.tail.breadth > 0 and not link.tail.into
    if feeds and 0 < len(link.points) < _ONE_BY_ONE:
        return link.tail.rank + 1
    return link.head.rank


def _is_bent_before(link: _Link, rank: int) -> bool:
    if rank == link.head.rank:
        bend = link.head.middle + link.head_shift - _last_middle(link)
    else:
        bend = link.tail.middle + link.tail_shift - _next_middle(link)
    return abs(bend) > style.LABEL_HEIGHT


def _bend(node: _Node, hop: _Hop) -> float:
    return node.middle + hop.shift - hop.other.middle - hop.other_shift


def _way(level: _Level, link: _Link) -> list[_Place]:
    """Places that the link goes through, there along the flow: it bends only between two columns."""
    start = link.tail.middle + link.tail_shift
    end = link.head.middle + link.head_shift
    leaves = link.tail.start + link.tail.length - _inset(link.tail, link.tail_shift)
    arrives = link.head.start + _inset(link.head, link.head_shift)
    if link.direct:
        return [(leaves, start), (arrives, end)]
    way = [(leaves, start), (level.columns[link.tail.rank][1], start)]
    for point in link.points:
        column = level.columns[point.rank]
        way += [(column[0], point.middle), (column[1], point.middle)]
    return [*way, (level.columns[link.head.rank][0], end), (arrives, end)]


def _inset(node: _Node, shift: float) -> float:
    """How far inside its end the border of a node is, there where its corner is round."""
    beyond = abs(shift) - (node.breadth / 2 - node.corner)
    if beyond <= 0:
        return 0.0
    return node.corner - (node.corner**2 - min(beyond, node.corner) ** 2) ** 0.5


def _place_labels(level: _Level) -> None:
    """Put each label on a bend of its arrow or beside it, where it covers no other label and no other arrow."""
    bends: dict[int, dict[_Link, _Bend]] = {}  # by the rank before which they are
    for link in level.links:
        for rank, bend in _bends(link).items():
            bends.setdefault(rank, {})[link] = bend
    for rank, here in bends.items():
        lines = {link: _areas(link, here[link]) for link in list(here)[:_CROWD]}
        labels: list[_Area] = []
        for link in sorted(here, key=lambda link: _is_straight(here[link])):  # those have more places to choose from
            if link.label and _label_rank(link) == rank:
                taken = [] if len(here) > _CROWD else labels + [area for line in lines.values() for area in line]
                link.label_at = _freest(_spots(link, here[link], link.label), link.label, taken)
                labels.append((link.label_at, link.label))


def _areas(link: _Link, bend: _Bend) -> list[_Area]:
    """What a line covers, about."""
    return [(place, (1 + link.pen, 1 + link.pen)) for place in _on_bend(bend, _LINE)]


def _bends(link: _Link) -> dict[int, _Bend]:
    """The last bend of a link, and the one that its label is on; each starts and ends at the side of a column."""
    found = {_label_rank(link): (link.way[1], link.way[2])} if link.points else {}
    found[link.head.rank] = (link.way[-2], link.way[-1]) if link.direct else (link.way[-3], link.way[-2])
    return found


def _freest(spots: list[_Place], size: _Size, taken: list[_Area]) -> _Place:
    """The first free place, else the one that covers least."""
    for spot in spots:
        if not any(_touch(spot, size, area) for area in taken):
            return spot
    return min(spots, key=lambda spot: sum(area[1][0] for area in taken if _touch(spot, size, area)))


def _spots(link: _Link, bend: _Bend, size: _Size) -> list[_Place]:
    """Places for the middle of the label, the best one first."""
    beside = -1.0 if link.level.sideways else 1.0  # above, or on the right
    sides = (0.0, beside, -beside) if _is_steep(bend) else (beside, -beside, 0.0)
    shift = size[1] / 2 + _distance(link)
    corners = _corners(bend, size)
    return corners + [(x, y + side * shift) for side in sides for x, y in _on_bend(bend, (0.5, 0.4, 0.6, 0.3, 0.7))]


def _corners(bend: _Bend, size: _Size) -> list[_Place]:
    """Where a steep bend leaves room: behind its start and before its end, the places that are close to it first."""
    (x0, y0), (x1, y1) = bend
    if not _is_steep(bend) or abs(y1 - y0) < size[1]:
        return []
    inwards = size[1] / 2 if y1 > y0 else -size[1] / 2
    farthest = max((x1 - x0 - size[0] - CLEARANCE) / 2, 0.0)  # from the middle of the bend
    middle, steps = (x0 + x1) / 2, (0.4, 0.55, 0.7, 0.85, 1.0)
    behind = [(middle + step * farthest, y0 + inwards) for step in steps]
    before = [(middle - step * farthest, y1 - inwards) for step in steps]
    return behind + before


def _distance(link: _Link) -> float:
    """How far a label beside the link is from the middle of its line."""
    return CLEARANCE + link.level.lane + link.pen / 2


def _is_straight(bend: _Bend) -> bool:
    return abs(bend[1][1] - bend[0][1]) < style.LABEL_HEIGHT


def _is_steep(bend: _Bend) -> bool:
    """A label on it does not hide most of it."""
    return abs(bend[1][1] - bend[0][1]) >= 3 * style.LABEL_HEIGHT


def _on_bend(bend: _Bend, steps: tuple[float, ...]) -> list[_Place]:
    """Places on it, 0 at its start and 1 at its end."""
    (x0, y0), (x1, y1) = bend
    places = []
    for t in steps:
        along = 1.5 * t * (1 - t) + t**3  # the curve of Bézier whose inner points are halfway along the flow
        across = 3 * t**2 - 2 * t**3
        places.append((x0 + (x1 - x0) * along, y0 + (y1 - y0) * across))
    return places


def _touch(spot: _Place, size: _Size, area: _Area) -> bool:
    (x, y), (length, breadth) = area
    return abs(spot[0] - x) < (size[0] + length) / 2 and abs(spot[1] - y) < (size[1] + breadth) / 2


# ---------------------------------------------------------------------- from along and across to x and y


def _finished(plan: _Plan) -> Layout:
    """Everything in pixels."""
    for level in reversed(plan.levels.values()):  # the outermost first
        level.origin = (MARGIN - PADDING, MARGIN - PADDING)  # the whole has its padding already
        if level.parent:
            along, across = level.parent.origin
            level.origin = (along + level.node.start, across + level.node.middle - level.node.breadth / 2)
    whole = plan.levels[""].node
    size = _point(plan, (whole.length + 2 * (MARGIN - PADDING), whole.breadth + 2 * (MARGIN - PADDING)))
    result = Layout(size.x, size.y)
    for box in plan.picture.boxes:
        result.boxes[box.id] = _rect(plan, plan.levels[box.cluster], plan.nodes[box.id])
    for cluster in plan.picture.clusters:
        each = plan.levels.get(cluster.id)
        if each and each.parent:
            rect = _rect(plan, each.parent, each.node)
            result.clusters[cluster.id] = rect
            result.titles[cluster.id] = Point(round(rect.x + each.title_at, 1), rect.y + HEADER - 5)
    for arrow, parts in zip(plan.picture.arrows, plan.parts):
        result.arrows[arrow.id] = _route(plan, parts)
    return result


def _point(plan: _Plan, place: _Place) -> Point:
    x, y = place if plan.sideways else place[::-1]
    return Point(round(x, 1), round(y, 1))


def _rect(plan: _Plan, level: _Level, node: _Node) -> Rect:
    along, across = level.origin
    corner = _point(plan, (along + node.start, across + node.middle - node.breadth / 2))
    return Rect(*corner, *_point(plan, (node.length, node.breadth)))


def _route(plan: _Plan, parts: list[_Link]) -> Route:
    way = []
    for link in parts:
        along, across = link.level.origin
        way += [(along + a, across + b) for a, b in link.way]
    curve = _curve(_without_stops(way))
    twin: list[_Place] = []
    if plan.both_ways:
        curve, twin = _beside(curve, -LANE), _beside(curve, LANE)[::-1]
    label = _label(plan, parts[-1])
    return Route([_point(plan, place) for place in curve], [_point(plan, place) for place in twin], label)


def _label(plan: _Plan, link: _Link) -> Rect | None:
    if link.label is None or link.label_at is None:
        return None
    along, across = (a + b for a, b in zip(link.level.origin, link.label_at))
    corner = _point(plan, (along - link.label[0] / 2, across - link.label[1] / 2))
    return Rect(*corner, *_point(plan, link.label))


def _without_stops(way: list[_Place]) -> list[_Place]:
    """The way without places that are passed on a straight line, or twice."""
    kept = [way[0]]
    for place, following in pairwise(way[1:]):
        on_a_line = abs(place[1] - kept[-1][1]) < 0.05 and abs(place[1] - following[1]) < 0.05
        passed = abs(place[0] - kept[-1][0]) < 0.05 and abs(place[1] - kept[-1][1]) < 0.05
        if not on_a_line and not passed:
            kept.append(place)
    if abs(way[-1][0] - kept[-1][0]) < 0.05 and len(kept) > 1:
        kept.pop()
    return [*kept, way[-1]]


def _curve(way: list[_Place]) -> list[_Place]:
    """Cubic Bézier curves through the places, along the flow at each: the first place, then three for each curve."""
    curve = [way[0]]
    for (x0, y0), (x1, y1) in pairwise(way):
        reach = (x1 - x0) / 2 if x1 > x0 else 40.0
        curve += [(x0 + reach, y0), (x1 - reach, y1), (x1, y1)]
    return curve


def _beside(curve: list[_Place], distance: float) -> list[_Place]:
    """The curve moved to its side. Where it is steep it moves the other way too, so that both stay apart."""
    moved = [(curve[0][0], curve[0][1] + distance)]
    for i in range(0, len(curve) - 1, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = curve[i : i + 4]
        along, across = x3 + x2 - x1 - x0, y3 + y2 - y1 - y0  # the direction in the middle of the curve
        norm = (along**2 + across**2) ** 0.5 or 1.0
        # What the inner two points must move by, for the middle of the curve to move by `distance` at right angles.
        a = -distance * across / norm * 8 / 6
        b = distance * (8 * along / norm - 2) / 6
        moved += [(x1 + a, y1 + b), (x2 + a, y2 + b), (x3, y3 + distance)]
    return moved
