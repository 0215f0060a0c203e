"""Finish: from along and across to x and y."""

from __future__ import annotations

from itertools import pairwise

from .places import HEADER, LANE, MARGIN, PADDING, Layout, Point, Rect, Route
from .plan import Level, Link, Node, Place, Plan


def finished(plan: Plan) -> Layout:
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


def _point(plan: Plan, place: Place) -> Point:
    x, y = place if plan.sideways else place[::-1]
    return Point(round(x, 1), round(y, 1))


def _rect(plan: Plan, level: Level, node: Node) -> Rect:
    along, across = level.origin
    corner = _point(plan, (along + node.start, across + node.middle - node.breadth / 2))
    return Rect(*corner, *_point(plan, (node.length, node.breadth)))


def _route(plan: Plan, parts: list[Link]) -> Route:
    way = []
    for link in parts:
        along, across = link.level.origin
        way += [(along + a, across + b) for a, b in link.way]
    curve = _curve(_without_stops(way))
    twin: list[Place] = []
    if plan.both_ways:
        curve, twin = _beside(curve, -LANE), _beside(curve, LANE)[::-1]
    label = _label(plan, parts[-1])
    return Route([_point(plan, place) for place in curve], [_point(plan, place) for place in twin], label)


def _label(plan: Plan, link: Link) -> Rect | None:
    if link.label is None or link.label_at is None:
        return None
    along, across = (a + b for a, b in zip(link.level.origin, link.label_at))
    corner = _point(plan, (along - link.label[0] / 2, across - link.label[1] / 2))
    return Rect(*corner, *_point(plan, link.label))


def _without_stops(way: list[Place]) -> list[Place]:
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


def _curve(way: list[Place]) -> list[Place]:
    """Cubic Bézier curves through the places, along the flow at each: the first place, then three for each curve."""
    curve = [way[0]]
    for (x0, y0), (x1, y1) in pairwise(way):
        reach = (x1 - x0) / 2 if x1 > x0 else 40.0
        curve += [(x0 + reach, y0), (x1 - reach, y1), (x1, y1)]
    return curve


def _beside(curve: list[Place], distance: float) -> list[Place]:
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
