"""A picture as Mermaid text, which GitHub, GitLab, VS Code and many wikis draw where they meet it in Markdown."""

from __future__ import annotations

import re

from . import style
from .dot import contents
from .picture import Arrow, Box, Cluster, Picture

_LONGEST = 50_000  # characters; Mermaid refuses longer text unless the page was set up for it
_MOST_ARROWS = 500  # likewise

# How Mermaid writes a box of each shape; the shapes tell the kinds apart without colour.
_SHAPES = {
    "parameter": ('[("', '")]'),
    "input": ('[["', '"]]'),
    "op": ('(["', '"])'),
    "fold": ('{{"', '"}}'),
}
_RECTANGLE = ('["', '"]')


def mermaid(picture: Picture) -> str:
    """The picture as a Mermaid flowchart. Equal pictures give equal text.

    Mermaid refuses more than 50,000 characters and, unless ``maxEdges`` is raised, more than 500 arrows. Where the
    text would be longer, boxes keep only their first line; with more arrows a comment says what must be raised.
    Tooltips and links are left out, as most places that draw Mermaid forbid them.

    >>> from tinygrad_relu.draw.picture import Arrow, Box, Picture
    >>> boxes = [Box("t0", "input", ["x"]), Box("op1", "op", ["relu"])]
    >>> print(mermaid(Picture(boxes, [Arrow("e0", "t0", "op1")])))
    flowchart LR
      t0[["x"]]:::input
      op1(["relu"]):::op
      t0 --> op1
      ...
    """
    text = _flowchart(picture, titles_only=False)
    return text if len(text) <= _LONGEST else _flowchart(picture, titles_only=True)


def _flowchart(picture: Picture, titles_only: bool) -> str:
    lines = [f"flowchart {picture.direction}"]
    if picture.title:
        lines.insert(0, f"%% {_comment(picture.title)}")
    if len(picture.arrows) > _MOST_ARROWS:
        lines.append(f"  %% {len(picture.arrows)} arrows: Mermaid draws them where maxEdges allows so many")
    lines += _inside(contents(picture), "", "  ", titles_only)
    lines += [f"  {_arrow(arrow)}" for arrow in picture.arrows]
    lines += [f"  %% {_comment(note)}" for note in picture.notes]
    lines += [f"  {line}" for line in (*_classes(picture), *_arrow_styles(picture))]
    return "\n".join(lines) + "\n"


def _inside(
    inside: dict[str, tuple[list[Box], list[Cluster]]], around: str, indent: str, titles_only: bool
) -> list[str]:
    """Lines of the cluster ``around``: its boxes, then the clusters in it."""
    boxes, clusters = inside[around]
    lines = [indent + _box(box, titles_only) for box in boxes]
    for cluster in clusters:
        lines.append(f'{indent}subgraph {cluster.id}["{_escaped(cluster.label)}"]')
        lines += _inside(inside, cluster.id, indent + "  ", titles_only)
        lines.append(f"{indent}end")
    return lines


def _box(box: Box, titles_only: bool) -> str:
    left, right = _SHAPES.get(box.kind, _RECTANGLE)
    label = "\n".join(box.lines[:1] if titles_only else box.lines)
    kind = "silent" if "silent" in box.marks else box.kind  # of two classes with colours, the last one defined wins
    return f"{box.id}{left}{_escaped(label)}{right}:::{kind}"


def _arrow(arrow: Arrow) -> str:
    words = ": ".join(text for text in (arrow.label, arrow.gradient) if style.printable(text).strip())
    label = f'|"{_escaped(words)}"|' if words else ""
    return f"{arrow.tail} -->{label} {arrow.head}"


def _classes(picture: Picture) -> list[str]:
    """The look of each kind that occurs."""
    kinds = {box.kind for box in picture.boxes}
    lines = []
    for kind in (kind for kind in style.BORDERS if kind in kinds):
        border = style.BORDERS[kind]
        dash = f",stroke-dasharray:{border.dash}" if border.dash else ""
        lines.append(f"classDef {kind} {_colors(style.LIGHT[kind])},stroke-width:{border.width}px{dash}")
    if any("silent" in box.marks for box in picture.boxes):
        silent = style.LIGHT["op"]._replace(stroke=style.LIGHT_PLAIN["silent"])
        lines.append(f"classDef silent {_colors(silent)},stroke-width:2.4px")
    if picture.clusters:
        ids = ",".join(cluster.id for cluster in picture.clusters)
        lines += [f"classDef module {_colors(style.LIGHT['cluster'])}", f"class {ids} module"]
    return lines


def _colors(colors: style.Colors) -> str:
    return f"fill:{colors.fill},stroke:{colors.stroke},color:{colors.text}"


def _arrow_styles(picture: Picture) -> list[str]:
    """The look of the arrows with a gradient, one line for each level, and one for gradients of zero."""
    numbers: dict[str, list[str]] = {}
    for i, arrow in sorted(enumerate(picture.arrows), key=lambda each: each[1].level or 0):
        if arrow.level is not None:
            dash = f",stroke-dasharray:{style.ZERO_DASH}" if style.is_zero(arrow) else ""
            look = f"stroke:{style.LIGHT_LEVELS[arrow.level]},stroke-width:{style.arrow_width(arrow)}px{dash}"
            numbers.setdefault(look, []).append(str(i))
    return [f"linkStyle {','.join(of)} {look}" for look, of in numbers.items()]


def _escaped(text: str) -> str:
    """Plain text between quotes: what Mermaid, Markdown or HTML would read as a sign is written by its number."""
    lines = [style.printable(line).strip() for line in text.split("\n")]
    return "<br>".join(_escaped_line(line) for line in lines)


def _escaped_line(line: str) -> str:
    # Mermaid looks for these only after it has decoded the numbers; a space without width keeps them apart.
    line = line.replace("\\n", "\\\u200bn").replace("$$", "$\u200b$")
    number = re.match(r"\d*(?=[-+.)]( |$))", line)  # "1." and "-" would begin a list
    marked = {number.end()} if number else set()
    letters = [_code(letter) if i in marked or _is_sign(letter) else letter for i, letter in enumerate(line)]
    return "".join(letters)


def _is_sign(letter: str) -> bool:
    return letter.isascii() and not letter.isalnum() and letter not in " .,:;()[]+-/'!?"


def _code(letter: str) -> str:
    names = {'"': "quot", "<": "lt", ">": "gt", "&": "amp"}
    return f"#{names.get(letter, ord(letter))};"


def _comment(text: str) -> str:
    """In a comment a line break would end it, and braces would begin settings."""
    return style.printable(text).replace("{", "(").replace("}", ")")
