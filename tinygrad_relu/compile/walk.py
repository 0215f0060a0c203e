"""Walk: through the user's code and objects, from name to name, to all that his function can go by.

It begins at functions and at the objects whose methods have run. In an object it goes only where a name leads that
stands in the code; Tensors, modules, optimizers and generators of random numbers are noted apart.
"""

from __future__ import annotations

import collections
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .chance import GENERATORS
from .user_code import file_of, globals_in, imports_in, is_installed, is_ours, nested
from .watched import (
    MISSING,
    PLAIN,
    Attribute,
    Fixed,
    Inherited,
    Listed,
    Name,
    content_of,
    has_array,
    looked_up,
)

__all__ = ["Walk"]

# What is in these is looked up in each call.
_LIVE = (Module, Optimizer, LRScheduler, Tensor, np.ndarray, *GENERATORS)
_FUNCTIONS = (types.FunctionType, types.MethodType)
_PACKAGE = __name__.partition(".")[0]
# Code that names one of these may look a global up by its text.
_BY_TEXT = {"globals", "vars", "eval", "exec", "sys", "import_module", "__globals__", "__dict__", "f_globals"}
_DEPTH = 8
_MOST_ITEMS = 1000


class Walk:
    """What the names lead to. Each walk finds the names anew; the other things that were found stay."""

    def __init__(self) -> None:
        self.names: list[Name] = []
        self.tensors: dict[Tensor, None] = {}
        self.modules: dict[Module, bool] = {}  # and whether they were in training mode
        self.generators: dict[int, Any] = {}  # of random numbers, by their id
        self.optimizers: dict[int, Optimizer] = {}  # by their id
        self.groups: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # options of optimizers, as they were
        self.schedulers: dict[int, tuple[Any, dict[str, Any]]] = {}  # and their attributes, as they were
        self._wanted: set[str] = set()  # the names in the code
        self._seen: set[Any] = set()

    def again(self, codes: Iterable[types.CodeType], functions: Iterable[Any], owners: Iterable[Any]) -> None:
        """Find what all names stand for, from the start, since more code wants more names.

        ``owners``: objects whose methods are among the code.
        """
        self.names.clear()
        for code in codes:
            for each in nested(code):
                self._wanted.update(each.co_names)
                self._wanted.update(text for text in each.co_consts if isinstance(text, str) and text.isidentifier())
        self._seen.clear()
        for function in functions:
            self._look_into("the function", function, 0)
        for owner in owners:
            self._look_into("self", owner, 0)

    def argument(self, name: str, value: Any) -> None:
        """Find what is in an argument that goes by this name."""
        self._add(name, Fixed(value), "item", 0)

    # ------------------------------------------------------------------ by the kind of thing

    def _look_into(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, (*PLAIN, types.CodeType)) or id(value) in self._seen or depth > _DEPTH:
            return
        self._seen.add(id(value))
        if isinstance(value, _LIVE):
            self._note_live(value)
        elif isinstance(value, (list, tuple, dict, set, frozenset)):
            self._look_into_items(name, value, depth)
        elif isinstance(value, types.ModuleType):
            if not is_installed(file_of(value)):
                self._add_all(name, vars(value), depth)
        elif isinstance(value, _FUNCTIONS) or hasattr(value, "__wrapped__") or hasattr(value, "func"):
            self._look_into_function(name, value, depth)
        elif isinstance(value, type):
            self._look_into_class(name, value, depth)
        elif type(value).__module__.partition(".")[0] not in (_PACKAGE, "numpy"):
            self._look_into_object(name, value, depth)

    def _note_live(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self.tensors[value] = None
        elif isinstance(value, Module):
            self.tensors.update(dict.fromkeys(value.parameters()))
            for module in value.modules():
                self.modules.setdefault(module, module.training)
                self._look_into_module(module)
        elif isinstance(value, Optimizer):
            self.optimizers[id(value)] = value
            value._follow_groups()
            self.tensors.update(dict.fromkeys(p for group in value.param_groups for p in group["params"]))
            for group in value.param_groups:
                self.groups.setdefault(id(group), (group, dict(group)))
            if not is_ours(type(value)):
                for key in sorted(self._wanted & vars(value).keys() - {"param_groups", "_flats", "_known", "defaults"}):
                    self._add(f"{type(value).__name__}.{key}", vars(value), key, 1)
                self._look_into_class(type(value).__name__, type(value), 1)
        elif isinstance(value, GENERATORS):
            self.generators[id(value)] = value
        elif isinstance(value, LRScheduler):
            self.schedulers.setdefault(id(value), (value, dict(vars(value))))
            self._note_live(value.optimizer)
            for key in sorted(self._wanted & vars(value).keys() - {"optimizer"}):
                self._add(f"{type(value).__name__}.{key}", vars(value), key, 1)

    def _look_into_module(self, module: Module) -> None:
        """The attributes of a module of the user's; its mode is looked after apart, and so are its buffers."""
        name, space = type(module).__name__, vars(module)
        for key in sorted(self._wanted & space.keys() - module._persistent.keys() - {"training"}):
            self._add(f"{name}.{key}", space, key, 1)
        self._look_into_class(name, type(module), 1)

    def _look_into_items(self, name: str, value: Any, depth: int) -> None:
        if len(value) > _MOST_ITEMS:
            return
        places = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in list(places):
            if has_array(item):
                place = value if isinstance(value, (dict, list)) else Fixed(item)
                self.names.append(Name(f"{name}[{key!r}]", place, key if place is value else "item", item))
            if not isinstance(item, PLAIN):
                if content_of(item) is not None:
                    self.names.append(Name(f"{name}[{key!r}]", Fixed(item), "item", item, content_of(item)))
                self._look_into(f"{name}[{key!r}]", item, depth + 1)

    def _look_into_function(self, name: str, value: Any, depth: int) -> None:
        if hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
            for part in (value.func, value.args, value.keywords):
                self._add(name, Fixed(part), "item", depth)
        if hasattr(value, "__wrapped__"):
            self._look_into(name, value.__wrapped__, depth)
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            self._look_into("self", owner, depth)
        function = getattr(value, "__func__", value)
        if not isinstance(function, types.FunctionType):
            if not isinstance(value, types.BuiltinFunctionType):
                self._look_into_object(name, value, depth)
            return
        if is_installed(function.__code__.co_filename):
            return
        self._seen.add(id(function))
        self.names.append(Name(f"{name}.__code__", Attribute(function), "__code__", function.__code__))
        loaded, by_text = globals_in(function.__code__), not self._wanted.isdisjoint(_BY_TEXT)
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._add(key, cell, key, depth)
        for key in sorted((loaded | self._wanted) & function.__globals__.keys()):
            if key in loaded or (by_text and isinstance(function.__globals__[key], PLAIN)):
                self._add(key, function.__globals__, key, depth)
        package = function.__globals__.get("__package__") or ""
        for key in sorted(imports_in(function.__code__, package) & sys.modules.keys()):
            self._add(key, sys.modules, key, depth)
        self._add_all(name, vars(function), depth)
        for key in ("__defaults__", "__kwdefaults__"):
            if getattr(function, key):
                self._add(f"a default of {name}", Attribute(function), key, depth)

    def _look_into_object(self, name: str, value: Any, depth: int) -> None:
        own = getattr(value, "__dict__", {})
        self._add_all(name, own, depth)
        for kind in type(value).__mro__:
            slots = getattr(kind, "__slots__", ())
            for key in {slots} if isinstance(slots, str) else {*slots}:
                if key in self._wanted and hasattr(value, key):
                    self._add(f"{name}.{key}", Attribute(value), key, depth)
            if not is_ours(kind):
                for key in self._wanted & vars(kind).keys() - own.keys():
                    if not hasattr(vars(kind)[key], "__get__"):  # data of the class, which the object's own would hide
                        self._add(f"{name}.{key}", Inherited(value), key, depth)
        self._look_into_class(name, type(value), depth)
        if hasattr(value, "__getitem__") and hasattr(value, "__len__"):  # deque, UserDict and the like
            self._look_into_data(name, value, depth)

    def _look_into_data(self, name: str, value: Any, depth: int) -> None:
        for attribute in ("data", "_array"):
            inner = getattr(value, attribute, None)
            if isinstance(inner, (dict, list)):
                self._add(name, Fixed(inner), "item", depth)
        if isinstance(value, collections.deque):
            for i, item in enumerate(value):
                if has_array(item):
                    self.names.append(Name(f"{name}[{i}]", value, i, item))
        if not hasattr(value, "keys"):
            self.names.append(Name(name, Listed(value), "items", value, list(value)))

    def _look_into_class(self, name: str, kind: type, depth: int) -> None:
        for each in kind.__mro__:
            if each is not object and not is_ours(each):
                for key in sorted(self._wanted & vars(each).keys()):
                    item = vars(each)[key]
                    if isinstance(item, (property, classmethod, staticmethod)):
                        item = item.fget if isinstance(item, property) else item.__func__
                        self._look_into(f"{name}.{key}", item, depth + 1)
                    elif not key.startswith("__"):
                        place = vars(each) if hasattr(item, "__get__") else Attribute(each)
                        self._add(f"{name}.{key}", place, key, depth)

    # ------------------------------------------------------------------ name by name

    def _add_all(self, name: str, space: Any, depth: int) -> None:
        by_any_name = not self._wanted.isdisjoint(("getattr", "vars", "__dict__", "attrgetter"))
        for key in sorted(key for key in space if by_any_name or key in self._wanted):
            self._add(f"{name}.{key}", space, key, depth + 1)

    def _add(self, name: str, place: Any, key: Any, depth: int) -> None:
        value = looked_up(place, key)
        if value is MISSING:
            return
        if isinstance(value, types.ModuleType) and is_installed(file_of(value)):
            return
        self.names.append(Name(name, place, key, value, content_of(value)))
        self._look_into(name, value, depth)
