"""Where everything of a picture goes: a layered layout in pure Python, as Sugiyama, Tagawa and Toda (1981) have it.

Each cluster is laid out by itself, the innermost first, and is then one large box in the cluster around it; so no
cluster overlaps another or a box that is not in it. Within a cluster there are four steps: ranks (how far along the
flow), order within a rank (few crossings), places across the flow (straight lines), places along the flow.
An arrow that crosses the border of a cluster goes through a port there.

All of it is written in two coordinates, along the flow and across it; only at the end these become x and y.

A picture goes through the files in this order: ``plan`` cuts it into levels (clusters), nodes and links; for each level
``ranks`` sorts the nodes along the flow, ``order`` within each rank, ``across`` and ``along`` give them places;
``finish`` turns these into the boxes and curves of ``places``, which is what a ``Layout`` consists of.
"""

from __future__ import annotations

from ..picture import Picture
from .across import place_across, spread_ends
from .along import find_way, place_along, place_labels
from .finish import finished
from .order import order_ranks
from .places import MARGIN, SIDE, WIDEST, Layout, Point, Rect, Route, box_size, corner_radius
from .plan import Level, importance, make_plan
from .ranks import find_ranks, lead_around

__all__ = [
    "MARGIN",
    "SIDE",
    "WIDEST",
    "Layout",
    "Point",
    "Rect",
    "Route",
    "box_size",
    "corner_radius",
    "importance",
    "layout",
]


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
    plan = make_plan(picture, direction == "LR", both_ways)
    for level in plan.levels.values():  # the innermost first
        _arrange(level)
    return finished(plan)


def _arrange(level: Level) -> None:
    """Place what is in the level, and so find out how large it is."""
    for link in level.links:
        if link.tail_port:
            link.tail_shift = link.tail_port.middle - link.tail.breadth / 2
        if link.head_port:
            link.head_shift = link.head_port.middle - link.head.breadth / 2
    find_ranks(level)
    lead_around(level)
    order_ranks(level)
    place_across(level)
    spread_ends(level)
    place_along(level)
    for link in level.links:
        link.way = find_way(level, link)
    place_labels(level)
