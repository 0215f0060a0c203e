"""Content of a drawing, before anybody has chosen how: boxes, arrows and clusters, all of it plain text.

Every writer (DOT, our own SVG, Mermaid, HTML) starts from a Picture, so that they agree on labels, ids and classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEVELS = 5  # a gradient's size is one of the levels 0 to 4, each ten times the one before


@dataclass
class Box:
    """A tensor, an op, or several of them folded into one."""

    id: str  # t3, op4, fold5: the id in SVG too, where scripts find it
    kind: str  # parameter, input, constant, result, output, op or fold
    lines: list[str]  # the label; its first line is the title
    tooltip: str = ""  # more than fits: all numbers, the user's line; several lines of text
    link: str = ""  # where that line can be read, as a URL
    cluster: str = ""  # the id of the innermost cluster that it lies in
    marks: tuple[str, ...] = ()  # more classes: "silent" for an activation with silent units


@dataclass
class Arrow:
    """One use of one tensor, from what makes it to what uses it."""

    id: str  # e3
    tail: str  # the ids of two boxes
    head: str
    label: str = ""  # which argument it is, where the order matters
    gradient: str = ""  # the size of the gradient that flowed back along it, as text
    level: int | None = None  # the same as a level; None if nothing flowed
    tooltip: str = ""


@dataclass
class Cluster:
    """One call of a module, around what was computed in it."""

    id: str
    label: str
    parent: str = ""  # the id of the cluster around it
    tooltip: str = ""


@dataclass
class Picture:
    """All of it. Boxes stand in the order in which they were computed, so that arrows point to later boxes."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)
    name: str = "computation"
    direction: str = "LR"  # or "TB"
    title: str = ""  # for those who cannot see it, and for tooltips of the whole
    description: str = ""
    notes: list[str] = field(default_factory=list)  # what the reader must be told, such as "folded"
