"""A picture as DOT, the language of Graphviz: attributes give the light look, classes let a style sheet change it."""

from __future__ import annotations

from collections import Counter

import graphviz

from . import style
from .layout import importance
from .picture import Arrow, Box, Cluster, Picture

_POINTS = 72  # to an inch, the unit of DOT's widths
_PADDING = 12  # points between a label and the border of its box

_SPACE = 3 * " "  # at both ends of the label of an arrow, so that it does not touch the line
_BAR = 5  # points, of the bar at the left of a parameter

# What tells the kinds of boxes apart besides their colour.
_SHAPES = {
    "parameter": {"style": "striped"},
    "input": {"peripheries": "2"},
    "constant": {"style": "filled,dashed"},
    "op": {"style": "filled,rounded"},
    "fold": {"shape": "folder"},
}


def digraph(picture: Picture) -> graphviz.Digraph:
    """The picture as a ``graphviz.Digraph``. Equal pictures give equal text.

    >>> from tinygrad_relu.draw.picture import Arrow, Box, Picture
    >>> boxes = [Box("t0", "input", ["x"]), Box("op1", "op", ["relu"])]
    >>> source = digraph(Picture(boxes, [Arrow("e0", "t0", "op1")])).source
    >>> [line.split(" [")[0].strip() for line in source.splitlines() if "class=" in line]
    ['t0', 'op1', 't0 -> op1']
    """
    graph = graphviz.Digraph(
        graphviz.nohtml(style.printable(picture.name).replace("\\", "/")),  # an identifier cannot hold a backslash
        graph_attr=_graph_attributes(picture),
        node_attr={"fontname": "Helvetica", "fontsize": str(style.LINE_SIZE), "shape": "box"},
        edge_attr={"fontname": "Helvetica", "fontsize": str(style.LABEL_SIZE)},
    )
    sides = _sides(picture)
    _add_inside(graph, contents(picture), sides, "")
    any_gradient = any(arrow.level is not None for arrow in picture.arrows)
    main_line = _main_line(picture)
    for arrow in picture.arrows:
        side = sides[arrow.head].index(arrow.tail) if arrow.tail in sides.get(arrow.head, []) else None
        _add_arrow(graph, arrow, any_gradient, arrow.id in main_line, side, picture.direction == "LR")
    return graph


def _graph_attributes(picture: Picture) -> dict[str, str]:
    attributes = {
        "bgcolor": "transparent",
        "fontname": "Helvetica",
        "fontsize": str(style.LABEL_SIZE),
        "fontcolor": style.LIGHT_PLAIN["note"],
        "nodesep": "0.3",
        "rankdir": picture.direction,
        "ranksep": "0.5",
    }
    if picture.notes:
        attributes |= {"label": _label(picture.notes), "labelloc": "b"}
    return attributes


def _sides(picture: Picture) -> dict[str, list[str]]:
    """The parameters and constants that stand beside the box that they feed, the left one first, by the id of that box.

    Where the flow goes down they would otherwise stand before it, in its cluster; then the main line must go around
    them, and each cluster would begin farther to the right than the one before.
    """
    fed = {arrow.head for arrow in picture.arrows}
    uses = Counter(arrow.tail for arrow in picture.arrows)
    home = {box.id: box.cluster for box in picture.boxes}
    feeders = {box.id for box in picture.boxes if box.kind in ("parameter", "constant") and uses[box.id] == 1} - fed
    sides: dict[str, list[str]] = {}
    others = set()  # what something else leads to
    for arrow in picture.arrows:
        if arrow.tail in feeders and home[arrow.tail] == home[arrow.head]:
            sides.setdefault(arrow.head, []).append(arrow.tail)
        else:
            others.add(arrow.head)
    down = picture.direction == "TB"
    return {head: tails for head, tails in sides.items() if down and head in others and len(tails) <= 2}


def _main_line(picture: Picture) -> set[str]:
    """The arrows that should be straight: from each box that comes from an input, the first one."""
    weights = importance(picture)
    most = max(weights.values(), default=0.0)
    first: dict[str, str] = {}
    for arrow in picture.arrows:
        if weights[arrow.tail] == most:
            first.setdefault(arrow.tail, arrow.id)
    return set(first.values())


def contents(picture: Picture) -> dict[str, tuple[list[Box], list[Cluster]]]:
    """Nodes that lie directly in each cluster, by the id of the cluster; "" stands for the whole picture."""
    inside: dict[str, tuple[list[Box], list[Cluster]]] = {"": ([], [])}
    inside |= {cluster.id: ([], []) for cluster in picture.clusters}
    for box in picture.boxes:
        inside[box.cluster][0].append(box)
    for cluster in picture.clusters:
        inside[cluster.parent][1].append(cluster)
    return inside


def _add_inside(
    graph: graphviz.Digraph,
    inside: dict[str, tuple[list[Box], list[Cluster]]],
    sides: dict[str, list[str]],
    around: str,
) -> None:
    """Add the boxes that lie in the cluster ``around``, then the clusters in it."""
    boxes, clusters = inside[around]
    for box in boxes:
        _add_box(graph, box)
    for box in boxes:
        if box.id in sides:
            row = " ".join(graphviz.quoting.quote(name) for name in (box.id, *sides[box.id]))
            graph.body.append(f"\t{{ rank=same {row} }}\n")
    for cluster in clusters:
        inner = graphviz.Digraph(f"cluster_{cluster.id}", graph_attr=_cluster_attributes(cluster))
        _add_inside(inner, inside, sides, cluster.id)
        graph.subgraph(inner)


def _cluster_attributes(cluster: Cluster) -> dict[str, str]:
    colors = style.LIGHT["cluster"]
    return {
        "id": cluster.id,
        "color": colors.stroke,
        "fillcolor": colors.fill,
        "fontcolor": colors.text,
        "label": _label([cluster.label]),
        "labeljust": "l",
        "labelloc": "t",
        "penwidth": str(style.BORDERS["cluster"].width),
        "style": "filled,rounded",
        "tooltip": _tooltip(cluster.tooltip or cluster.label),
    }


def _add_box(graph: graphviz.Digraph, box: Box) -> None:
    colors = style.LIGHT[box.kind]
    attributes = {
        "class": " ".join(("box", box.kind, *box.marks)),
        "id": box.id,
        "color": colors.stroke,
        "fillcolor": colors.fill,
        "fontcolor": colors.text,
        "penwidth": str(style.BORDERS[box.kind].width),
        "style": "filled",
        "tooltip": _tooltip(box.tooltip or "\n".join(box.lines)),
        **_size(box),
        **_SHAPES.get(box.kind, {}),
    }
    if box.link:
        attributes["URL"] = _label([box.link])
    if box.kind == "parameter":  # a bar at the left, then the rest
        bar = _BAR / (_POINTS * float(attributes["width"]))
        attributes["fillcolor"] = f"{colors.stroke};{bar:.3f}:{colors.fill}"
    if "silent" in box.marks:
        attributes |= {"color": style.LIGHT_PLAIN["silent"], "penwidth": "2.4"}
    graph.node(box.id, _label(box.lines), **attributes)


def _size(box: Box) -> dict[str, str]:
    """The least size of the box: some builds of Graphviz do not know how wide Korean letters are, or bold ones."""
    widths = [style.text_width(line, style.LINE_SIZE, mono=True) for line in box.lines[1:]]
    widths += [style.text_width(line, style.TITLE_SIZE, bold=True) for line in box.lines[:1]]
    height = style.TITLE_HEIGHT + style.LINE_HEIGHT * len(box.lines[1:])
    return {
        "width": f"{(max(widths, default=0) + 2 * _PADDING) / _POINTS:.2f}",
        "height": f"{(height + _PADDING) / _POINTS:.2f}",
    }


def _add_arrow(
    graph: graphviz.Digraph, arrow: Arrow, any_gradient: bool, is_main: bool, side: int | None, is_sideways: bool
) -> None:
    """``side``: 0 if the tail stands at the left of the head, 1 if at its right, None if before it."""
    color, width = style.LIGHT_PLAIN["arrow"], style.arrow_width(arrow)
    if arrow.level is not None:
        color = style.LIGHT_LEVELS[arrow.level]
    words = ": ".join(text for text in (arrow.label, arrow.gradient) if style.printable(text).strip())
    attributes = {
        "arrowsize": f"{0.6 + 0.12 * width:.2f}",  # a thick line needs a large head
        "class": style.arrow_class(arrow, any_gradient),
        "id": arrow.id,
        "color": color,
        "fontcolor": style.LIGHT_PLAIN["note"],
        "penwidth": str(width),
        "tooltip": _tooltip(arrow.tooltip or words or " "),  # else Graphviz would show the two ids
    }
    if any_gradient and arrow.level is None:
        attributes["style"] = "dotted"
    if style.is_zero(arrow):
        attributes["style"] = "dashed"
    if is_main:
        attributes["weight"] = "8"
    ends = (arrow.tail, arrow.head)
    if side == 1:  # in a row Graphviz puts the tail of an edge at the left
        ends = (arrow.head, arrow.tail)
        attributes["dir"] = "back"
    graph.edge(*ends, _arrow_label(words, is_above=is_sideways or side is not None), **attributes)


def _arrow_label(words: str, is_above: bool) -> str | None:
    """The label with room between it and the line, beside which it stands, or above which."""
    if not words:
        return None
    return _label([f"{_SPACE}{words}{_SPACE}", *([" "] if is_above else [])])


def _label(lines: list[str]) -> str:
    """Lines of plain text as they stand: DOT reads backslashes, entities such as &lt;, and <...> as HTML."""
    printable = [style.printable(line) for line in "\n".join(lines).split("\n")]
    return graphviz.nohtml("\\n".join(line.replace("\\", "\\\\").replace("&", "&amp;") for line in printable))


def _tooltip(text: str) -> str:
    """Plain text for tooltips, in which Graphviz reads backslashes twice."""
    printable = "\n".join(style.printable(line) for line in text.split("\n"))
    return graphviz.nohtml(printable.replace("&", "&amp;").replace("\\", 4 * "\\").replace("\n", "&#10;"))
