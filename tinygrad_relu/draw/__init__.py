"""Draw: the computation graph as a picture, or rather as DOT text that Graphviz makes a picture of."""

from __future__ import annotations

from typing import Any

import graphviz
import numpy as np

from ..graph import topological_order
from ..tensor import Tensor

# Okabe & Ito's palette, which colour-blind readers can tell apart (Okabe & Ito 2008, "Color Universal Design").
_FILL = {"parameter": "#56B4E9", "constant": "#DDDDDD", "result": "#FFFFFF", "op": "#F0E442"}


def draw(t: Tensor) -> graphviz.Digraph:
    """The graph that leads to ``t``, as a ``graphviz.Digraph``: ``.source`` is its DOT text, ``.render()`` a picture.

    Boxes are tensors with name, shape, dtype, value (the numbers up to 8 elements, above that min, mean and max) and
    gradient; ovals are ops with their options; there is one arrow for each argument. A picture needs the Graphviz
    program ``dot``, the text does not. RuntimeError if the graph was freed by ``backward()``: draw before, or go back
    with ``retain_graph=True``.

    >>> x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    >>> [line.strip() for line in tg.draw(x.relu()).source.splitlines() if "->" in line]
    ['t0 -> op1', 'op1 -> t1']
    """
    if not isinstance(t, Tensor):
        raise TypeError(f"draw: expected a Tensor, got {type(t).__name__}")
    style = {"style": "filled", "fontname": "monospace"}
    dot = graphviz.Digraph("computation", graph_attr={"rankdir": "LR"}, node_attr=style)
    drawn: dict[Any, str] = {}
    for node in reversed(topological_order([t])):
        if node.op is None:
            _draw_tensor(dot, drawn, node)
            continue
        op_id = f"op{len(drawn)}"
        options = [f"{name}={value!r}"[:40] for name, value in node.op.options.items()]
        dot.node(op_id, _label(node.op.name, *options), shape="oval", fillcolor=_FILL["op"])
        for i, (argument, array) in enumerate(zip(node.op.arguments, node.op.inputs)):
            source = argument if isinstance(argument, Tensor) else (op_id, i)
            dot.edge(_draw_tensor(dot, drawn, source, array), op_id)
        dot.edge(op_id, _draw_tensor(dot, drawn, node))
    return dot


def _draw_tensor(dot: graphviz.Digraph, drawn: dict[Any, str], node: Any, array: Any = None) -> str:
    """The identity of the tensor's box, drawn now if it is new. A constant that was no Tensor has only its array."""
    if node in drawn:
        return drawn[node]
    drawn[node] = f"t{len(drawn)}"
    lines, kind = [], "constant"
    if isinstance(node, Tensor):
        array = node._data
        lines = [node.name] if node.name else []
        kind = "parameter" if node.op is None and node.requires_grad else "constant" if node.op is None else "result"
    array = np.asarray(array)
    lines += [f"{array.shape} {array.dtype}", _numbers(array)]
    if kind != "constant":
        lines.append(f"grad: {'not computed' if node._grad is None else _numbers(np.asarray(node.grad._data))}")
    dot.node(drawn[node], _label(*lines), shape="box", fillcolor=_FILL[kind])
    return drawn[node]


def _label(*lines: str) -> str:
    """Lines of plain text: a name with quotes, backslashes or angle brackets in it stays what it is."""
    return graphviz.nohtml("\\n".join(graphviz.escape(line) for line in "\n".join(lines).split("\n")))


def _numbers(array: np.ndarray) -> str:
    if array.size <= 8:
        return np.array2string(array, precision=4)
    if array.dtype == bool:
        return f"{array.mean():.0%} true"
    return f"min {array.min():.4g} mean {array.mean():.4g} max {array.max():.4g}"
