"""Parts that a module keeps where nobody looks for it: layers and parameters in plain lists, tuples, sets and dicts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module

__all__ = ["hidden", "told"]

_CONTAINERS = (list, tuple, set, frozenset, dict)
_LOOKED_AT = 1000  # things in one container: layers are few, and a long list holds data


def hidden(model: Module) -> list[tuple[str, Any]]:
    """Modules and parameters in plain containers, which ``parameters()`` and ``train()`` miss, and where they lie.

    What is an attribute elsewhere in the model, frozen, or neither learns nor minds the mode, such as a ReLU, is none.
    """
    modules = list(model.named_modules())
    places = [
        (path, name, value)
        for path, module in modules
        for name, value in vars(module).items()
        if isinstance(value, _CONTAINERS) and value and name != "_persistent"
    ]
    if not places:
        return []
    known = {id(module) for _, module in modules} | {id(parameter) for _, parameter in model.named_parameters()}
    return [
        (place, thing)
        for path, name, container in places
        for place, thing in _inside(container, f"{path}.{name}".removeprefix("."), set())
        if id(thing) not in known and _is_missed(thing, known)
    ]


def told(owner: object, found: list[tuple[str, Any]]) -> str:
    """Explain the fault, and what to write instead."""
    path, first = found[0]
    more = f", as {len(found) - 1} more like it" if len(found) > 1 else ""
    advice = "write nn.ModuleList(...) around the layers, or nn.Sequential(...) to call them one after the other"
    if isinstance(first, Parameter):
        advice = "assign each parameter to an attribute of its own"
    return (
        f"{type(owner).__name__}: {path} is a {type(first).__name__} in a plain list, tuple, set or dict{more}, which "
        "parameters(), state_dict(), train() and eval() do not look into: it would not be trained, nor saved, nor "
        f"switched to evaluation. Instead {advice}. (What is not to be trained is frozen by requires_grad = False.)"
    )


def _inside(container: Any, place: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The modules and parameters in a container, and in the containers in it."""
    if id(container) in seen:
        return
    seen.add(id(container))
    items = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in islice(items, _LOOKED_AT):
        path = f"{place}[{key!r}]"
        if isinstance(value, Parameter) or hasattr(type(value), "named_parameters"):
            yield path, value
        elif isinstance(value, _CONTAINERS):
            yield from _inside(value, path, seen)


def _is_missed(thing: Any, known: set[int]) -> bool:
    if isinstance(thing, Parameter):
        return thing.requires_grad
    learned = any(p.requires_grad and id(p) not in known for _, p in thing.named_parameters())
    return learned or any(_has_state(module) for module in thing.modules() if id(module) not in known)


def _has_state(module: Module) -> bool:
    """Tell whether it has buffers, or computes something else in training, as its forward method tells."""
    code = getattr(type(module).forward, "__code__", None)
    return bool(module._persistent) or (code is not None and "training" in code.co_names)
