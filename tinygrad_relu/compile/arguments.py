"""Arguments: what a call is given, as a structure of leaves, and what two leaves share if one program takes both."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nn.module import Module
from ..tensor import Tensor
from .guards import is_comparable
from .spelling import identifier
from .tape import mapped


@dataclass(frozen=True)
class Leaf:
    """The place of an array, a Tensor or a number in nested tuples, lists and dicts."""

    index: int


def flatten(thing: Any, leaves: list[Any]) -> Any:
    """The structure of nested tuples, lists and dicts, with a Leaf for each thing inside, which is added to leaves."""

    def leaf(x: Any) -> Leaf:
        leaves.append(x)
        return Leaf(len(leaves) - 1)

    return mapped(leaf, thing, slices=False)


def same_structure(a: Any, b: Any) -> bool:
    """Tell whether two structures are of the same kinds, which ``==`` does not ask of a named tuple."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Leaf):
        return a == b
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_structure(a[name], b[name]) for name in a)
    return len(a) == len(b) and all(map(same_structure, a, b))


def unflatten(structure: Any, leaves: list[Any]) -> Any:
    """The thing again, with other leaves."""
    return mapped(lambda x: leaves[x.index], structure, slices=False)


def kind_of(leaf: Any) -> Any:
    """Properties that two arguments must share for one program to take both."""
    array = leaf._array if isinstance(leaf, Tensor) else leaf
    if isinstance(array, (np.ndarray, np.generic)):
        return type(array), array.shape, array.dtype, getattr(array, "strides", ()), _told_of(leaf)
    if type(leaf) is float:
        return (float,)
    return type(leaf), (repr(leaf) if is_comparable(leaf) else id(leaf))


def _told_of(leaf: Any) -> str:
    """Tell whether an argument is a Tensor, and one that requires a gradient: such are refused."""
    return "" if not isinstance(leaf, Tensor) else "requires grad" if leaf._requires_grad else "Tensor"


def is_of_kind(leaf: Any, kind: Any) -> bool:
    """Tell whether a leaf is of a kind; in almost all calls it is an array."""
    if type(leaf) is np.ndarray and kind[0] is np.ndarray:
        return leaf.shape == kind[1] and leaf.dtype == kind[2] and leaf.strides == kind[3] and not kind[4]
    return kind_of(leaf) == kind


def described_kind(kind: tuple[Any, ...]) -> str:
    """A kind in words, for the signature of a program."""
    return f"{kind[1]} {kind[2]}" if len(kind) > 2 else kind[0].__name__ if len(kind) == 1 else f"{kind[1]}"


def parameters_of(function: Any, structure: Any) -> list[tuple[str, Any]]:
    """How the function calls what it is given, and the structure of each."""
    args, kwargs = structure
    try:
        target = function.forward if isinstance(function, Module) else function
        parameters = inspect.signature(target).parameters.values()
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):
        named = []
    named += [f"x{i}" for i in range(len(named), len(args))]
    return [*zip(named, args), *kwargs.items()]


def names_of(parameters: list[tuple[str, Any]], count: int) -> list[str]:
    """A name for each array and number in the arguments; what lies in a list or dict has a number behind."""
    names = [""] * count
    for name, part in parameters:
        leaves: list[Leaf] = []
        mapped(leaves.append, part, slices=False)
        inside = [leaf.index for leaf in leaves]
        for i in inside:
            wish = identifier(name if len(inside) == 1 else f"{name}{i}")
            names[i] = wish if wish not in names else f"{wish}_{i}"
    return names
