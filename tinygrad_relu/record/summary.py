"""Summary: a network as a table: what each layer makes, how much it learns, and how many of its units are silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..draw import traced
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..tensor import Tensor
from .activity import silent_units, tells_of_silent_units
from .words import aligned, norm, number, percent, plural

__all__ = ["LayerSummary", "ModelSummary", "summary"]


@dataclass(frozen=True)
class LayerSummary:
    """One call of one module."""

    name: str  # its dotted name in the network; "" for the network itself
    layer: str  # as its repr, without the modules inside
    output_shape: tuple[int, ...] | None  # None where the output is no Tensor
    parameters: int  # its own ones, not those of modules inside
    silent: list[int] | None  # units that were silent on every row; None where that has no meaning
    gradient: float | None = None  # the Euclidean norm of the gradients of its own parameters; None if there are none

    @property
    def units(self) -> int:
        """How many units the output has: its elements without the batch axis."""
        return math.prod((self.output_shape or ())[1:])


@dataclass(frozen=True)
class ModelSummary:
    """The calls of all modules in their order. ``print`` shows them as a table."""

    layers: list[LayerSummary]
    parameters: int  # of the whole network, each counted once
    learned: int  # those among them that require a gradient

    def __repr__(self) -> str:
        titles = [f"{each.name}: {each.layer}" if each.name else each.layer for each in self.layers]
        width = max(map(len, ["layer", *titles]))
        lines = [["layer".ljust(width), "output shape", "parameters", self._silent_units(), "|grad|"]]
        for title, each in zip(titles, self.layers):
            shape = "-" if each.output_shape is None else str(each.output_shape)
            lines.append([title.ljust(width), shape, f"{each.parameters:,}", _silent(each), _size(each)])
        if all(each.gradient is None for each in self.layers):
            lines = [line[:-1] for line in lines]
        frozen = "" if self.learned == self.parameters else f", {self.parameters - self.learned:,} of them frozen"
        return f"{aligned(lines)}\n{plural(self.parameters, 'parameter')}{frozen}"

    def _silent_units(self) -> str:
        rows = {each.output_shape[0] for each in self.layers if each.silent is not None and each.output_shape}
        return f"units silent on {plural(rows.pop(), 'row')}" if len(rows) == 1 else "silent units"


def _size(layer: LayerSummary) -> str:
    return "-" if layer.gradient is None else number(layer.gradient, 3)


def _silent(layer: LayerSummary) -> str:
    if layer.silent is None:
        return "-"
    return f"{len(layer.silent)} of {layer.units} ({percent(len(layer.silent) / max(layer.units, 1))})"


def summary(model: Module, x: Any) -> ModelSummary:
    """The layers of ``model`` with the shape of their output for the input ``x``, their parameters and silent units.

    After a backward pass the gradients that it has left in each layer are shown too, by their size: where they vanish
    or explode is seen at once. Silent units are those of ReLU and its like that put out 0 and pass no gradient on for
    any row of ``x``; if that is all of the data, they are dead (see ``dead_units``). The model computes in evaluation
    mode, and gets its own mode back.

    Raises TypeError if ``model`` is no Module.

    >>> layer = nn.Linear(1, 3)
    >>> layer.weight.data[:] = [[1.0], [-1.0], [1.0]]
    >>> layer.bias.data[:] = 0
    >>> tg.summary(nn.Sequential(layer, nn.ReLU()), np.array([[1.0], [2.0]]))
    layer                                     output shape  parameters  units silent on 2 rows
    0: Linear(in_features=1, out_features=3)        (2, 3)           6                       -
    1: ReLU()                                       (2, 3)           0         1 of 3 (33.3 %)
    6 parameters
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: expected a module and its input, got {type(model).__name__}")
    names = {module: name for name, module in model.named_modules()}
    found: list[LayerSummary] = []
    handles = [module.register_forward_hook(_note(names, found)) for module in names]
    try:
        traced(model, x, "summary")
    finally:
        for handle in handles:
            handle.remove()
    every = list(model.parameters())
    learned = sum(p.size for p in every if p.requires_grad)
    layers = [layer for layer in found if layer.name or layer.parameters or len(names) == 1]
    return ModelSummary(layers, sum(p.size for p in every), learned)


def _note(names: dict[Module, str], found: list[LayerSummary]) -> Any:
    def note(module: Module, args: tuple, output: Any) -> None:
        own = [value for value in vars(module).values() if isinstance(value, Parameter)]
        grads = [np.asarray(p.grad._array).reshape(-1) for p in own if p.grad is not None]
        gradient = norm(np.concatenate(grads)) if grads else None
        shape = output.shape if isinstance(output, Tensor) else None
        silent = _silent_units(module, args, output)
        size = sum(p.size for p in own)
        found.append(LayerSummary(names[module], _title(module), shape, size, silent, gradient))

    return note


def _title(module: Module) -> str:
    return f"{type(module).__name__}({module.extra_repr()})"


def _silent_units(module: Module, args: tuple, output: Any) -> list[int] | None:
    """The silent units of an activation. What a container or an idle dropout hands on counts where it was made."""
    handed_on = any(True for _ in module.children()) or any(output is argument for argument in args)
    if handed_on or not isinstance(output, Tensor) or output.op is None:
        return None
    return silent_units(output.op, output._array) if tells_of_silent_units(output.op, output._array) else None
