"""A picture as a page of its own: one HTML file with the SVG in it, to zoom, to move, to hover over and to print."""

from __future__ import annotations

import html
import string
from pathlib import Path

from . import style
from .picture import LEVELS, Picture

_KINDS = {
    "parameter": "parameter",
    "input": "input",
    "constant": "constant",
    "result": "result",
    "output": "output",
    "op": "op",
    "fold": "folded ops",
}

_HERE = Path(__file__).parent


def page(picture: Picture, svg: str) -> str:
    """A page with the SVG text ``svg`` of the picture and a legend. It needs no server, and loads nothing.

    >>> from tinygrad_relu.draw.picture import Box, Picture
    >>> text = page(Picture([Box("op1", "op", ["relu"])], title="a < b"), '<svg viewBox="0 0 8 8"></svg>')
    >>> "<title>a &lt; b</title>" in text
    True
    """
    template = string.Template(_own("page.html"))
    return template.substitute(
        title=html.escape(style.printable(picture.title or picture.name)),
        colors=style.css(),
        style=_own("page.css"),
        svg=svg,
        first=html.escape(_first(picture)),
        legend=_legend(picture),
        script=_own("page.js"),
    )


def _own(name: str) -> str:
    """The text of a file that lies beside this one."""
    return (_HERE / name).read_text(encoding="utf-8")


def _first(picture: Picture) -> str:
    """The id of the box to begin with: an input, or else whatever was there first."""
    ids = [box.id for box in picture.boxes if box.kind == "input"] + [box.id for box in picture.boxes]
    return ids[0] if ids else ""


def _legend(picture: Picture) -> str:
    """Legend of each kind of box and each colour of an arrow, of those that occur."""
    kinds = {box.kind for box in picture.boxes}
    items = [_entry(_box_sign(kind), name) for kind, name in _KINDS.items() if kind in kinds]
    if any("silent" in box.marks for box in picture.boxes):
        items.append(_entry(_box_sign("op", "silent"), "op with silent units"))
    levels = {arrow.level for arrow in picture.arrows}
    arrows = []
    if levels - {None}:
        signs = "".join(_arrow_sign(f"g{level}") for level in range(LEVELS))
        arrows.append(_entry(signs, style.GRADIENTS))
        if any(style.is_zero(arrow) for arrow in picture.arrows):
            arrows.append(_entry(_arrow_sign("g0 zero"), style.ZERO))
        if None in levels:
            arrows.append(_entry(_arrow_sign("none"), style.NO_GRADIENT))
    lists = [("Boxes", items), ("Arrows", arrows)]
    return "\n".join(f'<ul aria-label="{name}">\n' + "\n".join(of) + "\n</ul>" for name, of in lists if of)


def _entry(sign: str, name: str) -> str:
    return f"<li>{sign}{name}</li>"


def _box_sign(kind: str, mark: str = "") -> str:
    """A small box that looks like those in the picture."""
    corner = 7 if kind == "op" else 2
    shapes = f'<rect x="2" y="2" width="26" height="14" rx="{corner}"/>'
    if kind == "parameter":
        shapes += '<rect x="2" y="2" width="5" height="14" style="fill: var(--tg-parameter-stroke)"/>'
    if kind == "input":
        shapes += '<rect x="5" y="5" width="20" height="8" style="fill: none"/>'
    name = f"box {kind} {mark}".strip()
    return f'<svg width="30" height="18" aria-hidden="true"><g class="{name}">{shapes}</g></svg>'


def _arrow_sign(level: str) -> str:
    line = '<path d="M1 9 H21"/><polygon points="20,4 29,9 20,14"/>'
    return f'<svg width="30" height="18" aria-hidden="true"><g class="arrow {level}">{line}</g></svg>'
