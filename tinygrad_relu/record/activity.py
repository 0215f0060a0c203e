"""Which units of a network ever speak: silent and dead ReLU units, and how sparse the living ones are.

A unit is *silent* on some rows if it puts out 0, and passes no gradient on, for each of them. It is *dead* if the rows
are all of the data, since then nothing is left that could teach it. What has seen a batch alone can only say silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import nn
from ..graph import topological_order
from ..mode import enable_grad
from ..nn.module import evaluating
from ..tensor import Tensor, as_array
from ..train import slices
from .words import aligned, plural

__all__ = ["DeadUnits", "UnitActivity", "dead_units", "silent_on", "silent_units", "tells_of_silent_units"]

# Activations that are flat at 0: a unit there puts out nothing, and learns nothing either.
_CAN_DIE = frozenset({"relu", "relu6", "threshold", "thresholded_relu", "hard_sigmoid", "hard_swish"})


@dataclass(frozen=True)
class UnitActivity:
    """One activation layer over a whole data set."""

    layer: str  # the activation, and the weights before it
    units: int
    dead: list[int]  # the units that were silent on every row
    sparsity: float  # the share of silent values among all, from 0 to 1


@dataclass(frozen=True)
class DeadUnits:
    """Findings of ``dead_units``, layer by layer from the input on."""

    rows: int  # of the data
    layers: list[UnitActivity] = field(default_factory=list)

    @property
    def dead(self) -> int:
        """The number of dead units in all layers."""
        return sum(len(layer.dead) for layer in self.layers)

    def __repr__(self) -> str:
        """The layers as a table."""
        if not self.layers:
            return "no layer that could have dead units"
        lines = [["layer", "units", "dead", "zeros", "which are dead"]]
        for layer in self.layers:
            which = ", ".join(map(str, layer.dead[:10])) + (", ..." if len(layer.dead) > 10 else "")
            zeros = f"{layer.sparsity:.1%}".replace("%", " %")
            lines.append([layer.layer, str(layer.units), str(len(layer.dead)), zeros, which or "-"])
        return f"units that are dead: {silent_on(self.rows)} of data\n{aligned(lines)}"


def dead_units(model: nn.Module, X, *, batch_size: int = 256) -> DeadUnits:
    """Find the units that put out 0 and pass no gradient on for any row of ``X``, in every layer that can have them.

    Such a unit is dead, if ``X`` is all of the data: nothing can teach it any more. One that is silent for many rows
    but not for all is not dead, only sparse, and ``sparsity`` counts that. Looked at are relu, relu6, threshold,
    thresholded_relu, hard_sigmoid and hard_swish, wherever they stand in the graph: as modules or as functions. The
    model computes in evaluation mode and gets its own mode back. ValueError if ``X`` has no rows.

    >>> layer = nn.Linear(1, 3)
    >>> layer.weight.data[:] = [[1.0], [-1.0], [1.0]]
    >>> layer.bias.data[:] = [0.0, 0.0, -5.0]
    >>> tg.dead_units(nn.Sequential(layer, nn.ReLU()), np.array([[1.0], [2.0]]))
    units that are dead: silent on these 2 rows of data
                 layer  units  dead   zeros  which are dead
    relu of 0.weight      3     2  66.7 %            1, 2
    """
    X = as_array(X.detach() if isinstance(X, Tensor) else X, "dead_units: X")
    if not X.ndim or not len(X):
        raise ValueError(f"dead_units: X must have rows, got shape {X.shape}")
    first = next(iter(model.parameters()), None)
    if first is not None and X.dtype.kind == "f":
        X = X.astype(first.dtype, copy=False)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    silent: list[Any] = []  # for each layer, in how many rows each unit was silent
    labels: list[str] = []
    with evaluating(model), enable_grad():
        for rows in slices(model, len(X), batch_size):
            # With inputs that require a gradient every layer is recorded, one before the first weights too.
            batch = Tensor(X[rows], requires_grad=X.dtype.kind == "f")
            nodes = _activations(model(batch))
            if not silent:
                silent = [0] * len(nodes)
                labels = [_label(node, names) for node in nodes]
            counts = [_silent(node.op, node._array) for node in nodes]
            silent = [before + count for before, count in zip(silent, counts, strict=True)]
    return DeadUnits(len(X), [_activity(label, counts, len(X)) for label, counts in zip(labels, silent)])


def _activations(output: Tensor) -> list[Tensor]:
    """The results of activations that can die, from the input on."""
    if not output.requires_grad:
        return []
    order = topological_order([output])
    return [node for node in reversed(order) if node.op is not None and _can_die(node.op, node._array)]


def _can_die(op: Any, output: np.ndarray) -> bool:
    return op.name in _CAN_DIE and output.ndim > 1


def silent_on(rows: int) -> str:
    """Explanation of silent units, the same everywhere.

    >>> silent_on(1), silent_on(1438)
    ('silent on this 1 row', 'silent on these 1,438 rows')
    """
    return f"silent on {'this' if rows == 1 else 'these'} {plural(rows, 'row')}"


def tells_of_silent_units(op: Any, output: np.ndarray) -> bool:
    """Tell whether silence means something here: of an activation that can die, on a batch of more than one row."""
    return _can_die(op, output) and len(output) > 1


def silent_units(op: Any, output: np.ndarray) -> list[int]:
    """The units of this activation that are silent on every row of this batch.

    Units are counted along all axes but the first. [] for ops that cannot die, and for a single row, which tells
    nothing about others.

    >>> y = tg.relu(Tensor([[-1.0, 2.0], [-3.0, -4.0]], requires_grad=True))
    >>> silent_units(y.op, y.detach().numpy())
    [0]
    """
    if not tells_of_silent_units(op, output):
        return []
    return [int(i) for i in np.flatnonzero(_silent(op, output).reshape(-1) == len(output))]


def _silent(op: Any, output: np.ndarray) -> np.ndarray:
    """In how many rows of the batch each unit is 0, with a slope of 0."""
    slope = op.backward(np.ones(output.shape, output.dtype))
    slope = slope[0] if isinstance(slope, tuple) else slope
    return ((output == 0) & (slope == 0)).sum(axis=0)


def _activity(label: str, counts: np.ndarray, rows: int) -> UnitActivity:
    flat = counts.reshape(-1)
    dead = [int(i) for i in np.flatnonzero(flat == rows)]
    return UnitActivity(label, flat.size, dead, float(flat.mean() / rows) if flat.size else 0.0)


def _label(node: Any, names: dict[int, str]) -> str:
    """The activation, and the nearest matrix of weights before it."""
    seen = {node}
    near = [node]
    for each in near:
        name = names.get(id(each))
        if name is not None and each.ndim > 1:
            return f"{node.op.name} of {name}"
        for parent in each.op.parents if each.op is not None else ():
            if parent is not None and parent not in seen:
                seen.add(parent)
                near.append(parent)
    return node.op.name
