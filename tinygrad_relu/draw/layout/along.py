"""Along: places along the flow, the bends of the links, and their labels."""

from __future__ import annotations

from .. import style
from .across import last_middle, next_middle
from .places import CLEARANCE, HEADER, PADDING
from .plan import ONE_BY_ONE, Area, Bend, Hop, Level, Link, Node, Place, Size, label_distance

_LINE = tuple(i / 10 for i in range(11))  # places on a bend; a label should cover none of them
_CROWD = 40  # where more arrows than this come together, labels may cover one another


def place_along(level: Level) -> None:
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


def _gaps(level: Level) -> list[float]:
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


def _label_rank(link: Link) -> int:
    """The rank before which the label is: that of the head, but for a box that feeds it from a little farther away."""
    feeds = link.tail.breadth > 0 and not link.tail.into
    if feeds and 0 < len(link.points) < ONE_BY_ONE:
        return link.tail.rank + 1
    return link.head.rank


def _is_bent_before(link: Link, rank: int) -> bool:
    if rank == link.head.rank:
        bend = link.head.middle + link.head_shift - last_middle(link)
    else:
        bend = link.tail.middle + link.tail_shift - next_middle(link)
    return abs(bend) > style.LABEL_HEIGHT


def _bend(node: Node, hop: Hop) -> float:
    return node.middle + hop.shift - hop.other.middle - hop.other_shift


def find_way(level: Level, link: Link) -> list[Place]:
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


def _inset(node: Node, shift: float) -> float:
    """How far inside its end the border of a node is, there where its corner is round."""
    beyond = abs(shift) - (node.breadth / 2 - node.corner)
    if beyond <= 0:
        return 0.0
    return node.corner - (node.corner**2 - min(beyond, node.corner) ** 2) ** 0.5


def place_labels(level: Level) -> None:
    """Put each label on a bend of its arrow or beside it, where it covers no other label and no other arrow."""
    bends: dict[int, dict[Link, Bend]] = {}  # by the rank before which they are
    for link in level.links:
        for rank, bend in _bends(link).items():
            bends.setdefault(rank, {})[link] = bend
    for rank, here in bends.items():
        lines = {link: _areas(link, here[link]) for link in list(here)[:_CROWD]}
        labels: list[Area] = []
        for link in sorted(here, key=lambda link: _is_straight(here[link])):  # those have more places to choose from
            if link.label and _label_rank(link) == rank:
                taken = [] if len(here) > _CROWD else labels + [area for line in lines.values() for area in line]
                link.label_at = _freest(_spots(link, here[link], link.label), link.label, taken)
                labels.append((link.label_at, link.label))


def _areas(link: Link, bend: Bend) -> list[Area]:
    """Space that a line covers, about."""
    return [(place, (1 + link.pen, 1 + link.pen)) for place in _on_bend(bend, _LINE)]


def _bends(link: Link) -> dict[int, Bend]:
    """The last bend of a link, and the one that its label is on; each starts and ends at the side of a column."""
    found = {_label_rank(link): (link.way[1], link.way[2])} if link.points else {}
    found[link.head.rank] = (link.way[-2], link.way[-1]) if link.direct else (link.way[-3], link.way[-2])
    return found


def _freest(spots: list[Place], size: Size, taken: list[Area]) -> Place:
    """The first free place, else the one that covers least."""
    for spot in spots:
        if not any(_touch(spot, size, area) for area in taken):
            return spot
    return min(spots, key=lambda spot: sum(area[1][0] for area in taken if _touch(spot, size, area)))


def _spots(link: Link, bend: Bend, size: Size) -> list[Place]:
    """Places for the middle of the label, the best one first."""
    beside = -1.0 if link.level.sideways else 1.0  # above, or on the right
    sides = (0.0, beside, -beside) if _is_steep(bend) else (beside, -beside, 0.0)
    shift = size[1] / 2 + label_distance(link)
    corners = _corners(bend, size)
    return corners + [(x, y + side * shift) for side in sides for x, y in _on_bend(bend, (0.5, 0.4, 0.6, 0.3, 0.7))]


def _corners(bend: Bend, size: Size) -> list[Place]:
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


def _is_straight(bend: Bend) -> bool:
    return abs(bend[1][1] - bend[0][1]) < style.LABEL_HEIGHT


def _is_steep(bend: Bend) -> bool:
    """A label on it does not hide most of it."""
    return abs(bend[1][1] - bend[0][1]) >= 3 * style.LABEL_HEIGHT


def _on_bend(bend: Bend, steps: tuple[float, ...]) -> list[Place]:
    """Places on it, 0 at its start and 1 at its end."""
    (x0, y0), (x1, y1) = bend
    places = []
    for t in steps:
        along = 1.5 * t * (1 - t) + t**3  # the curve of Bézier whose inner points are halfway along the flow
        across = 3 * t**2 - 2 * t**3
        places.append((x0 + (x1 - x0) * along, y0 + (y1 - y0) * across))
    return places


def _touch(spot: Place, size: Size, area: Area) -> bool:
    (x, y), (length, breadth) = area
    return abs(spot[0] - x) < (size[0] + length) / 2 and abs(spot[1] - y) < (size[1] + breadth) / 2
