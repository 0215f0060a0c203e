"""SVG: a picture as one `<svg>` element that needs no other program, no script and no network to be seen."""

from __future__ import annotations

from html import escape

from ..record.words import plural
from . import style
from .layout import MARGIN, SIDE, WIDEST, Layout, Point, Rect, Route, box_size, corner_radius, layout
from .picture import Arrow, Box, Cluster, Picture

SCOPE = ".tg-picture"  # the style sheet touches nothing outside of this class, in a notebook or a page
_NARROWEST = 260  # of lines of notes below a small picture


def svg(picture: Picture, *, both_ways: bool = False, direction: str | None = None, prefix: str = "") -> str:
    """The picture as text that is a whole `<svg>` element, for a file of its own or within a page.

    It has its natural size, as an image too, or the width of the page if that is less. What scripts look for: each
    box is a group of the classes ``box`` and its kind, with the box's id after ``prefix`` (so that a page can hold a
    picture twice) and as ``data-id``; its lines are texts of the classes ``line`` and ``l0``, ``l1``, ... Each arrow
    is a group with a path of the class ``value``, and with ``both_ways`` a path ``gradient`` that leads back, which
    is invisible until the group gets the class ``flows``; its label is a group ``label`` with the arrow's id as
    ``data-of``.
    ``direction``: "LR" or "TB" instead of the picture's own.

    >>> from tinygrad_relu.draw.picture import Box, Picture
    >>> text = svg(Picture([Box("t0", "parameter", ["w <3"])]))
    >>> 'id="t0"' in text, "w &lt;3" in text
    (True, True)
    """
    places = layout(picture, direction=direction, both_ways=both_ways)
    notes = _wrapped(picture.notes, max(places.width - 2 * MARGIN, _NARROWEST))
    width = max([places.width, *(style.text_width(line, style.LABEL_SIZE) + 2 * MARGIN for line in notes)])
    height = places.height + (len(notes) * style.LINE_HEIGHT + MARGIN / 2 if notes else 0)
    any_gradient = any(arrow.level is not None for arrow in picture.arrows)
    parts = [
        _head(picture, width, height, prefix),
        *(_cluster(each, places, prefix) for each in picture.clusters if each.id in places.clusters),
        *(_arrow(each, places.arrows[each.id], any_gradient, prefix) for each in picture.arrows),
        *(_box(each, places.boxes[each.id], prefix) for each in picture.boxes),
        *_labels(picture, places),  # no later arrow runs through them
        *_notes(notes, places),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _head(picture: Picture, width: float, height: float, prefix: str) -> str:
    prefix = _attribute(prefix)
    size = f'viewBox="0 0 {_number(width)} {_number(height)}" width="{_number(width)}" height="{_number(height)}"'
    look = 'style="display: block; max-width: 100%; height: auto"'
    names = f'aria-labelledby="{prefix}picture-title {prefix}picture-description"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{SCOPE[1:]}" {size} {look}\n'
        f'  role="graphics-document document" {names}>\n'
        f'<title id="{prefix}picture-title">{_text(picture.title or picture.name)}</title>\n'
        f'<desc id="{prefix}picture-description">{_text(picture.description or _counts(picture))}</desc>\n'
        f"<style>\n{style.css(SCOPE)}\n</style>"
    )


def _counts(picture: Picture) -> str:
    boxes, arrows = plural(len(picture.boxes), "box", "boxes"), plural(len(picture.arrows), "arrow")
    return f"A computation graph of {boxes} and {arrows}."


def _cluster(cluster: Cluster, places: Layout, prefix: str) -> str:
    x, y = places.titles[cluster.id]
    label = style.clipped(style.printable(cluster.label), WIDEST, style.LABEL_SIZE, bold=True)
    return (
        f'<g {_identity(cluster.id, prefix)} class="cluster">{_title(cluster.tooltip)}'
        f"{_rectangle(places.clusters[cluster.id], 8)}"
        f'<text x="{_number(x)}" y="{_number(y)}">{escape(label)}</text></g>'
    )


# ---------------------------------------------------------------------- boxes


def _box(box: Box, rect: Rect, prefix: str) -> str:
    classes = " ".join(["box", box.kind, *box.marks])
    shapes = [*_behind(box, rect), _shape(box, rect), *_above(box, rect)]
    place = _in_the_middle(rect) if box.kind == "op" else _at_the_left(rect)
    top = rect.y + (rect.height - box_size(box)[1]) / 2
    texts = [_line(line, i, top, place) for i, line in enumerate(box.lines)]
    title = _title(box.tooltip or "\n".join(box.lines))
    group = f'<g {_identity(box.id, prefix)} class="{_attribute(classes)}">{title}{"".join(shapes + texts)}</g>'
    return f'<a href="{_attribute(box.link)}">{group}</a>' if box.link else group


def _shape(box: Box, rect: Rect) -> str:
    return _rectangle(rect, corner_radius(box, rect.width, rect.height), "shape")


def _behind(box: Box, rect: Rect) -> list[str]:
    """Folded ops look like a stack."""
    if box.kind != "fold":
        return []
    return [_rectangle(rect._replace(x=rect.x + shift, y=rect.y - shift), 4) for shift in (6, 3)]


def _above(box: Box, rect: Rect) -> list[str]:
    """Marks of a kind that can be seen without colours."""
    marks = []
    if box.kind == "parameter":
        marks.append(_rectangle(rect._replace(width=6.0), 3, "bar"))
    if box.kind == "input":
        marks.append(_rectangle(Rect(rect.x + 3, rect.y + 3, rect.width - 6, rect.height - 6), 2, "inner"))
    if "silent" in box.marks:
        x, y = rect.x + rect.width - 4, rect.y + 3
        marks.append(f'<ellipse class="badge" cx="{_number(x)}" cy="{_number(y)}" rx="7.5" ry="7.5"/>')
        marks.append(f'<path class="mark" d="M{_number(x - 3)} {_number(y - 3)}l6 6m0 -6l-6 6"/>')
    return marks


def _line(line: str, number: int, top: float, place: str) -> str:
    """A line of its own for each line of the label, so that scripts can rewrite it."""
    mono, size = number > 0, style.LINE_SIZE if number else style.TITLE_SIZE
    text = style.clipped(style.printable(line), WIDEST, size, mono=mono, bold=not mono)
    y = top + style.TITLE_HEIGHT + number * style.LINE_HEIGHT
    return f'<text class="line l{number}" {place} y="{_number(y)}">{escape(text)}</text>'


def _in_the_middle(rect: Rect) -> str:
    return f'x="{_number(rect.x + rect.width / 2)}" text-anchor="middle"'


def _at_the_left(rect: Rect) -> str:
    """Numbers stand below one another."""
    return f'x="{_number(rect.x + SIDE)}"'


# ---------------------------------------------------------------------- arrows


def _arrow(arrow: Arrow, route: Route, any_gradient: bool, prefix: str) -> str:
    lines = _way(route.path, "value", style.arrow_width(arrow))
    if route.twin:
        lines += _way(route.twin, "gradient", 1.8)
    name = style.arrow_class(arrow, any_gradient)
    return f'<g {_identity(arrow.id, prefix)} class="{name}">{_title(arrow.tooltip)}{lines}</g>'


def _way(path: list[Point], name: str, width: float) -> str:
    """A line, and its own head, as markers would need ids that are unique in a page."""
    tip, before = path[-1], path[-2]
    length, half = 6.5 + width, 2.6 + 0.9 * width
    dx, dy = _direction(before, tip)
    base = Point(tip.x - length * dx, tip.y - length * dy)
    corners = [tip, Point(base.x - half * dy, base.y + half * dx), Point(base.x + half * dy, base.y - half * dx)]
    # The line ends within the head, so that a wide one does not show beside its tip.
    back = Point(-0.8 * length * dx, -0.8 * length * dy)
    moved = [Point(point.x + back.x, point.y + back.y) for point in (before, tip)]
    line = f'<path class="{name}" d="{_path([*path[:-2], *moved])}"/>'
    return f'{line}<polygon class="{name}" points="{" ".join(_pair(corner) for corner in corners)}"/>'


def _direction(a: Point, b: Point) -> tuple[float, float]:
    length = ((b.x - a.x) ** 2 + (b.y - a.y) ** 2) ** 0.5 or 1.0
    return (b.x - a.x) / length, (b.y - a.y) / length


def _path(points: list[Point]) -> str:
    return f"M{_pair(points[0])}C" + " ".join(_pair(point) for point in points[1:])


def _labels(picture: Picture, places: Layout) -> list[str]:
    found = [(arrow, places.arrows[arrow.id].label) for arrow in picture.arrows]
    return [_label(arrow, rect) for arrow, rect in found if rect]


def _label(arrow: Arrow, rect: Rect) -> str:
    parts = (("argument", arrow.label), ("size", arrow.gradient))
    spans = [f'<tspan class="{name}">{_text(text)}</tspan>' for name, text in parts if text]
    place = f'x="{_number(rect.x + rect.width / 2)}" y="{_number(rect.y + rect.height - 3.5)}"'
    text = f'<text {place} text-anchor="middle">{"&#160; ".join(spans)}</text>'
    ground = _rectangle(rect, 3, "ground")
    return f'<g data-of="{_attribute(arrow.id)}" class="label">{_title(arrow.tooltip)}{ground}{text}</g>'


# ---------------------------------------------------------------------- notes, and pieces of XML


def _wrapped(notes: list[str], width: float) -> list[str]:
    """The notes as lines that are not wider than that, unless a word is."""
    lines = []
    for note in notes:
        line = ""
        for word in style.printable(note).split():
            longer = f"{line} {word}".strip()
            if line and style.text_width(longer, style.LABEL_SIZE) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _notes(lines: list[str], places: Layout) -> list[str]:
    first = places.height + style.LABEL_SIZE / 2
    return [
        f'<text class="note" x="{MARGIN}" y="{_number(first + i * style.LINE_HEIGHT)}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    ]


def _identity(name: str, prefix: str) -> str:
    return f'id="{_attribute(prefix + name)}" data-id="{_attribute(name)}"'


def _title(text: str) -> str:
    """Text that appears when the pointer rests there."""
    lines = [style.printable(line) for line in text.split("\n")]
    return f"<title>{escape(chr(10).join(lines))}</title>" if text else ""


def _rectangle(rect: Rect, corner: float, name: str = "") -> str:
    x, y, width, height = (_number(number) for number in rect)
    named = f'class="{name}" ' if name else ""
    return f'<rect {named}x="{x}" y="{y}" width="{width}" height="{height}" rx="{_number(corner)}"/>'


def _pair(point: Point) -> str:
    return f"{_number(point.x)} {_number(point.y)}"


def _number(number: float) -> str:
    """At most one digit behind the point, and never an exponent, however large the picture."""
    return f"{number:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(style.printable(text))


def _attribute(text: str) -> str:
    return escape(style.printable(text), quote=True)
