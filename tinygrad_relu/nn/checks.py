"""Checks of a Module: names that it needs itself, states that are none."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .module import Module

__all__ = ["check_name", "check_state", "refuse_overrides", "what_does_not_fit"]


def refuse_overrides(cls: type[Module], methods: Mapping[str, Any]) -> None:
    """Raise TypeError for a class whose attributes or methods hide those of Module, and cannot do their work."""
    for name in vars(cls).keys() & methods.keys():
        theirs, ours = getattr(cls, name), methods[name]
        if not callable(theirs):
            raise TypeError(f"{cls.__name__}: every module has a method {name}(), which {name} hides; rename it")
        if name != "forward" and inspect.isfunction(vars(cls)[name]):
            required = [p for p in inspect.signature(ours).parameters.values() if p.default is p.empty]
            try:
                inspect.signature(theirs).bind(*required)
            except TypeError:
                raise TypeError(
                    f"{cls.__name__}: {name}{inspect.signature(theirs)} hides the {name}{inspect.signature(ours)} that "
                    "every module has and that others call; choose another name"
                ) from None


def check_name(owner: object, name: Any) -> None:
    """Raise ValueError for what cannot be a part of a dotted name."""
    if not isinstance(name, str) or not name or "." in name:
        raise ValueError(f"{type(owner).__name__}: {name!r} is no name for a parameter, buffer or module; without dots")


def check_state(state: Any) -> None:
    """Raise TypeError for what is no dict of names and arrays, and say how to get one."""
    if isinstance(state, (str, os.PathLike)):
        raise TypeError(
            f"load_state_dict: expected a dict of names and arrays, got a path; read it first: "
            f"model.load_state_dict(tg.load({os.fspath(state)!r}))"
        )
    if hasattr(state, "state_dict"):
        raise TypeError("load_state_dict: expected a dict of names and arrays, got a module; give its state_dict()")
    if not isinstance(state, Mapping):
        raise TypeError(
            f"load_state_dict: expected a dict of names and arrays, got {type(state).__name__} {state!r:.60}"
        )
    if "structure.json" in state:
        raise TypeError("load_state_dict: tg.save wrote this file; read it with tg.load rather than np.load")
    for name, value in state.items():
        if not isinstance(name, str):
            raise TypeError(f"load_state_dict: expected names of parameters, got {name!r:.60}")
        if isinstance(value, Mapping):
            raise TypeError(
                f"load_state_dict: {name!r} holds another dict; if that is the model's, give state[{name!r}]"
            )


def what_does_not_fit(owner: str, missing: list[str], unexpected: list[str], wrong: list[str]) -> str:
    """All that is wrong about a state in one text."""
    lines = [f"load_state_dict: the state does not fit this {owner}, and nothing was changed."]
    for title, names in (("missing", missing), ("unexpected", unexpected), ("another shape", wrong)):
        if names:
            lines.append(f"{title}: {', '.join(names)}")
    return "\n  ".join(lines)
