"""Places: the answer of the layout, and the size that the text of a box or an arrow needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .. import style
from ..picture import Arrow, Box

MARGIN = 14  # around the whole
PADDING = 12  # within a cluster
HEADER = 20  # for the label of a cluster
CLEARANCE = 5  # around the label of an arrow
LANE = 4  # with gradients beside the values, each keeps so far from the middle of its arrow
SIDE = 12  # between the border of a box and its text
WIDEST = 340  # of a line of text; what is longer is cut


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
    """Label of an arrow: which argument it is, and the size of its gradient."""
    return style.printable("  ".join(part for part in (arrow.label, arrow.gradient) if part))
