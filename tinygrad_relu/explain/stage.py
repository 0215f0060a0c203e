"""Stage: the graph as the explorer's page draws it. The boxes have room for what the page writes into them."""

from __future__ import annotations

from typing import Any

from ..draw.frames import Frames
from ..draw.picture import Arrow, Box, Picture
from ..draw.svg import svg
from ..record.reading import Reading
from ..record.words import brief

__all__ = ["stage"]

_GRAD = "grad: not computed"  # the longest line for long; numbers that need more room are cut by the page


def stage(reading: Reading, story: dict[str, Any], direction: str) -> str:
    """The SVG of the graph. Ids are those of the story: t0 for values, op0 for ops, e0 for arrows."""
    made = Picture(direction=direction, name="stage", title=story["title"])
    frames = Frames(made)
    placed = set()

    def place(index: int) -> None:
        if index not in placed:
            placed.add(index)
            calls = reading.values[index].calls
            made.boxes.append(_value_box(story["values"][index], reading.values[index].array, frames.around(calls)))

    for op, step in zip(story["ops"], reading.steps):
        for index in op["arguments"]:
            place(index)
        made.boxes.append(Box(op["id"], "op", [op["label"]], cluster=frames.around(step.calls)))
        for index, edge in zip(op["arguments"], op["edges"]):
            made.arrows.append(Arrow(edge, story["values"][index]["id"], op["id"]))
        place(op["result"])
        made.arrows.append(Arrow(op["out_edge"], op["id"], story["values"][op["result"]]["id"]))
    for index in range(len(reading.values)):
        place(index)
    return svg(made, both_ways=True, prefix=f"{direction.lower()}-")


def _value_box(value: dict[str, Any], array: Any, cluster: str) -> Box:
    shape = tuple(value["shape"])
    title = f"{value['label']} {shape}" if shape else value["label"]
    lines = [title, brief(array)] + ([_GRAD] if value["requires_grad"] else [])
    return Box(value["id"], value["kind"], lines, cluster=cluster)
