"""Draw: the computation graph as a picture, with values, gradients, masks and the user's own lines.

What ``record`` has read is made a ``Picture`` of boxes and arrows by ``build`` (``fold`` closes what is too much to
see, ``frames`` nests the modules). The picture is then written: by ``dot`` for Graphviz, which ``render`` runs; by
``svg``, for which ``layout`` finds the places; by ``mermaid``; and ``page`` puts a drawing into HTML. A ``Drawing``
offers all of these. It is made from graphviz's own class, so graphviz is first imported where something is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..mode import enable_grad
from ..nn.module import Module, evaluating
from ..record.reading import Reading, read
from ..tensor import Tensor
from .build import picture

if TYPE_CHECKING:
    from .drawing import Drawing as Drawing

__all__ = ["Drawing", "draw", "traced"]


_FEW = 5  # ops in a row that fit on a page from left to right


def __getattr__(name: str) -> Any:
    """``Drawing`` is here when somebody asks for it."""
    if name != "Drawing":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .drawing import Drawing

    return Drawing


def draw(
    t: Tensor | Module,
    x: Any = None,
    *,
    depth: int | None = None,
    direction: str | None = None,
    limit: int | None = 300,
) -> Drawing:
    """The graph that leads to the tensor ``t``, or that a module computes from ``x``, as a picture.

    It is a ``graphviz.Digraph``: ``.source`` is its DOT text, ``.render()`` and ``.pipe()`` make pictures. It shows
    itself in a notebook, and ``.save("graph.svg")`` writes it (.png, .pdf, .html, .mmd and .dot too). Where Graphviz
    is not installed, SVG and HTML come from a layout of our own.

    Boxes are tensors with name, shape, dtype, value (the numbers up to 8 elements, above that min, mean and max) and
    gradient; rounded ones are ops with their options and what they have saved, of a ReLU the share of elements that
    are blocked. There is one arrow for each argument. After ``backward(retain_graph=True)`` each arrow has the size
    (Euclidean norm) of the gradient that flowed back along it. Frames are calls of modules. Tooltips have the full
    numbers and the line of your program that made the node.

    ``depth``: how many nested modules are opened; 0 draws a network as one box. ``direction``: ``"LR"`` from left to
    right or ``"TB"`` from top to bottom; left out, a few ops go to the right, and networks down. ``limit``: with more
    boxes than that, modules and repeated blocks are folded until it can be read, and a note says so; None draws
    everything. A module is drawn in evaluation mode.

    Raises TypeError for what is neither Tensor nor Module, and RuntimeError if the graph was freed by ``backward()``.

    >>> x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    >>> tg.draw(x.relu())
    <Drawing 'computation': 2 tensors, 1 op, 2 arrows>
    >>> tg.draw(x.relu()).source
    'digraph computation {...t0 -> op0...op0 -> t1...
    >>> tg.draw(nn.MLP(2, [4], 2), np.ones((3, 2)), depth=0)
    <Drawing 'computation': 2 tensors, 0 ops, 1 fold, 2 arrows>
    """
    if direction not in ("LR", "TB", None):
        raise ValueError(f"draw: direction is 'LR' (left to right) or 'TB' (top to bottom), got {direction!r}")
    for name, value in (("depth", depth), ("limit", limit)):
        if value is not None and not (isinstance(value, (int, np.integer)) and value >= (name == "limit")):
            raise ValueError(f"draw: {name} is a whole number or None, got {value!r}")
    output = traced(t, x, "draw") if isinstance(t, Module) else t
    if not isinstance(t, Module) and x is not None:
        raise TypeError(f"draw: x is the input of a module, and {type(t).__name__} is none; give the tensor alone")
    from .drawing import Drawing  # which needs graphviz

    reading = read(output, "draw")
    return Drawing(picture(reading, depth=depth, direction=direction or _readable(reading), limit=limit))


def _readable(reading: Reading) -> str:
    """The direction in which the drawing is not much wider than a page."""
    small = len(reading.steps) <= _FEW and not any(step.calls for step in reading.steps)
    return "LR" if small else "TB"


def traced(model: Module, x: Any, caller: str) -> Tensor:
    """Result of the module for ``x`` in evaluation mode, recorded even if nothing in it can learn."""
    if x is None:
        raise TypeError(f"{caller}: a module is drawn at work: give its input too, {caller}(model, x)")
    if not isinstance(x, Tensor):
        first = next(iter(model.parameters()), None)
        x = np.asarray(x)
        x = Tensor(x.astype(first.dtype) if first is not None and x.dtype.kind == "f" else x, name="input")
    learns = any(parameter.requires_grad for parameter in model.parameters())
    if not (learns or x.requires_grad) and x.dtype.kind == "f":
        x = Tensor(x.detach()._array, requires_grad=True, name=x.name)
    with evaluating(model), enable_grad():
        output = model(x)
    if not isinstance(output, Tensor):
        raise TypeError(f"{caller}: the module returned {type(output).__name__}, not a Tensor; draw one of its parts")
    return output
