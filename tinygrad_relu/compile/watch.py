"""Watch: the Python values that a function goes by, which no tape of NumPy's calls can show.

That ``alpha`` was 0.5 and that ``model`` was this one is not on the tape. So a recording notes which of the user's code
has run, and what the names in it stood for: in closures, among the globals, as defaults, as attributes of the objects
that were used, in lists and dicts. Each call looks whether they still stand for the same; else it is recorded anew.
"""

from __future__ import annotations

import collections
import dis
import gc
import os
import random
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..mode import changes
from ..nn.module import Module
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor

__all__ = ["Watch"]

# What is in these is looked up in each call.
_CHANCE = (np.random.Generator, np.random.RandomState, random.Random)
_LIVE = (Module, Optimizer, LRScheduler, Tensor, np.ndarray, *_CHANCE)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic)
_FUNCTIONS = (types.FunctionType, types.MethodType)
_PACKAGE = __name__.partition(".")[0]
_DEPTH = 8
_MOST_ITEMS = 1000
_MISSING = object()
_INLINE = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>", "<module>")  # a part of the code around it


@dataclass(eq=False)
class _Name:
    """A name and what it stood for.

    ``place`` is where it is looked up: a dict or list, with its ``key`` there, the cell of a closure, or an object
    whose attribute it is. ``content`` is what was in it, if it is a list, tuple, set or dict.
    """

    name: str
    place: Any
    key: Any
    value: Any
    content: Any = None

    def now(self) -> Any:
        """What it stands for now."""
        return _looked_up(self.place, self.key)

    @property
    def can_be_put(self) -> bool:
        """Whether it can be made to stand for something else."""
        places = (dict, list, collections.deque, types.CellType, _Attribute)
        return isinstance(self.place, places) and not isinstance(self.place, _Inherited)

    def restore(self) -> None:
        """Let it stand for what it did, with the same in it."""
        if not isinstance(self.place, (_Fixed, _Listing, types.MappingProxyType)):
            self.put(self.value)
        if isinstance(self.value, list) and self.content is not None:
            self.value[:] = self.content
        elif isinstance(self.value, dict) and self.content is not None:
            half = len(self.content) // 2
            self.value.clear()
            self.value.update(zip(self.content[:half], self.content[half:]))
        elif isinstance(self.value, set) and self.content is not None:
            self.value.clear()
            self.value.update(self.content)

    def put(self, value: Any) -> None:
        """Let it stand for something else."""
        if isinstance(self.place, (dict, list, collections.deque)):
            self.place[self.key] = value
        elif isinstance(self.place, types.CellType):
            self.place.cell_contents = value
        elif isinstance(self.place.owner, type):
            setattr(self.place.owner, self.key, value)
        else:
            object.__setattr__(self.place.owner, self.key, value)  # also where the class refuses, as if frozen

    def same(self) -> bool:
        """Whether it stands for the same, or for an equal number or text."""
        if isinstance(self.place, _Listing):
            return _same_content(list(self.place.owner), self.content or [])
        now = self.now()
        if self.content is None:
            return _alike(now, self.value)
        return now is self.value and _same_content(_content(now), self.content)


def _looked_up(place: Any, key: Any) -> Any:
    if isinstance(place, (dict, types.MappingProxyType)):
        return place.get(key, _MISSING)
    try:
        if isinstance(place, types.CellType):
            return place.cell_contents
        return place[key] if isinstance(place, (list, collections.deque)) else getattr(place, key)
    except (ValueError, IndexError, AttributeError):
        return _MISSING


def _alike(now: Any, then: Any) -> bool:
    """The same object, or an equal number or text of the same type: 1, 1.0 and True are not the same, nor 0 and -0."""
    return now is then or (type(now) is type(then) and isinstance(now, _PLAIN) and repr(now) == repr(then))


def _arrays_in(value: Any) -> list[np.ndarray]:
    """The plain arrays in a value, or in a tuple of such."""
    if type(value) is np.ndarray:
        return [value]
    return [array for item in value for array in _arrays_in(item)] if isinstance(value, tuple) else []


def _has_array(value: Any) -> bool:
    return bool(_arrays_in(value))


def _content(value: Any) -> list[Any] | None:
    """What is in a list, tuple, set or dict; None for anything else."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else None


def _same_content(now: list[Any] | None, then: list[Any]) -> bool:
    return now is not None and len(now) == len(then) and all(map(_alike, now, then))


class Watch:
    """What the names in a function's code, and in all of the user's code that it runs, stand for."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.names: list[_Name] = []
        self.tensors: dict[Tensor, None] = {}  # those that the names lead to
        self._codes: dict[types.CodeType, None] = {}  # the user's code that has run
        self._passed: dict[int, types.CodeType] = {}  # all code that has run, to look at each only once
        self._owners: dict[int, Any] = {}  # the objects whose methods have run
        self._wanted: set[str] = set()
        self._seen: set[Any] = set()
        self._arguments: list[tuple[str, Any]] = []
        self.modules: dict[Module, bool] = {}  # those that the names lead to, and whether they were in training mode
        self._attributes: list[tuple[Module, dict[str, Any]]] = []
        self._traits: list[tuple[Tensor, Any]] = []
        self._hidden: list[tuple[np.ndarray, bytes]] = []  # arrays that nothing can stand in for, and their bytes
        self._generators: dict[int, Any] = {}
        self._groups: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # options of optimizers, as they were
        self._schedulers: dict[int, tuple[Any, dict[str, Any]]] = {}
        self.stamp = changes[0]
        self._functions: list[Any] = [function]
        self._look()
        self._random = _random_states(self._generators.values())

    def profile(self, frame: types.FrameType, event: str, argument: Any) -> None:
        """To be called by Python at each call while the function runs: notes what code of the user's runs."""
        if event != "call":
            return
        code = frame.f_code
        if id(code) in self._passed:
            return
        self._passed[id(code)] = code
        module = sys.modules.get(frame.f_globals.get("__name__", ""))
        if _is_installed(code.co_filename) or (module is not None and _is_installed(_file_of(module))):
            return
        self._codes[code] = None
        if code.co_argcount and code.co_varnames[0] in ("self", "cls"):
            owner = frame.f_locals.get(code.co_varnames[0])
            self._owners[id(owner)] = owner

    def settle(self, modules: Iterable[Module], tensors: Iterable[Tensor]) -> None:
        """After a run: look at all names in the code that has run, and at these modules and tensors."""
        known = {_code_of(f) for f in self._functions}
        missing = [code for code in self._codes if code not in known and code.co_name not in _INLINE]
        if missing:
            self._functions += _functions_of(missing)
        for module in modules:
            self.modules.setdefault(module, module.training)
        self._look()
        self._attributes = [(module, _attributes(module)) for module in self.modules]
        self._hidden = [(name.value, name.value.tobytes()) for name in self.hidden_arrays()]
        self._traits = [(t, _traits(t)) for t in dict.fromkeys([*self.tensors, *tensors])]
        self.stamp = -1

    def groups(self) -> list[dict[str, Any]]:
        """The groups of parameters of the optimizers, with their options."""
        return [group for group, _ in self._groups.values()]

    def restore(self) -> None:
        """After an error: what the names stood for, and what was in it, as far as it can be brought back."""
        for group, before in self._groups.values():
            group.update(before)
        for scheduler, attributes in self._schedulers.values():
            vars(scheduler).update(attributes)
        for name in self.names:
            if not name.same():
                name.restore()

    def place_of(self, name: str) -> str:
        """``, at file:line``: where the user's code speaks of the name; of "" it is the first line of the function."""
        key = name.rpartition(".")[2].partition("[")[0]
        for function in self._functions:
            code = _code_of(function)
            for each in _nested(code) if code is not None else ():
                line = each.co_firstlineno
                for instruction in dis.get_instructions(each):
                    line = _line(instruction) or line
                    if key in (instruction.argval, ""):
                        return f", at {os.path.basename(each.co_filename).strip('<>')}:{line},"
        return ""

    def modes(self) -> dict[Module, bool]:
        """Which modules are in training mode now."""
        return {module: module.training for module in self.modules}

    def set_modes(self, modes: dict[Module, bool]) -> None:
        """Bring modules back to the mode that they were in."""
        for module, training in modes.items():
            vars(module)["training"] = training

    def _look(self) -> None:
        """Note what all names stand for; again from the start, since more code wants more names."""
        self.names.clear()
        codes = [*self._codes]
        for function in self._functions:
            code = _code_of(function)
            codes += [code] if code is not None else []
        for code in codes:
            for each in _nested(code):
                self._wanted.update(each.co_names)
                self._wanted.update(text for text in each.co_consts if isinstance(text, str) and text.isidentifier())
        self._seen.clear()
        for function in self._functions:
            self._look_into("the function", function, 0)
        for owner in self._owners.values():
            self._look_into("self", owner, 0)
        for name, value in self._arguments:
            self._add(name, _Fixed(value), "item", 0)

    def same(self) -> bool:
        """Whether all is as it was before the recording."""
        if changes[0] != self.stamp:
            if any(module.training is not training for module, training in self.modules.items()):
                return False
            if self._changed_attributes() or any(_traits(t) != traits for t, traits in self._traits):
                return False
            self.stamp = changes[0]
        return all(name.same() for name in self.names) and self.same_hidden()

    def same_hidden(self) -> bool:
        """Whether the arrays that nothing could stand in for hold what they held."""
        return all(array.tobytes() == before for array, before in self._hidden)

    @property
    def has_hidden(self) -> bool:
        """Whether there are such arrays."""
        return bool(self._hidden)

    def changed(self) -> list[str]:
        """The names that stand for something else now."""
        return sorted({name.name for name in self.names if not name.same()} | set(self._changed_attributes()))

    def _changed_attributes(self) -> list[str]:
        found = []
        for module, before in self._attributes:
            now = _attributes(module)
            for name in now.keys() | before.keys():
                if not _alike(now.get(name, _MISSING), before.get(name, _MISSING)):
                    found.append(f"{type(module).__name__}.{name}")
        return found

    # ------------------------------------------------------------------ arrays and chance

    def arrays(self) -> list[_Name]:
        """The names of plain arrays, and of tuples with such in them, where something else can stand in for them."""
        return [name for name in self.names if _has_array(name.value) and name.can_be_put]

    def hidden_arrays(self) -> list[_Name]:
        """Those in places where nothing can stand in for them."""
        covered = {id(each) for name in self.arrays() for each in _arrays_in(name.value)}
        arrays = [name for name in self.names if isinstance(name.value, np.ndarray)]
        names = [name for name in arrays if type(name.value) is not np.ndarray or not name.can_be_put]
        return [name for name in names if id(name.value) not in covered]

    def drawn(self) -> bool:
        """Whether random numbers were drawn from a generator that is not the package's; they are then put back."""
        now = _random_states(self._generators.values())
        before, self._random = self._random, now  # those that have been found only now are compared the next time
        if all(_same_state(a, b) for a, b in zip(before, now)):
            return False
        random.setstate(before[0])
        np.random.set_state(before[1])
        for generator, state in zip(self._generators.values(), before[2:]):
            _set_state(generator, state)
        return True

    def iterators(self) -> list[str]:
        """The names of iterators: the next item of one is another in each call."""
        return [name.name for name in self.names if hasattr(type(name.value), "__next__")]

    # ------------------------------------------------------------------ looking through code and objects

    def _look_into(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, (*_PLAIN, types.CodeType)) or id(value) in self._seen or depth > _DEPTH:
            return
        self._seen.add(id(value))
        if isinstance(value, _LIVE):
            self._note_live(value)
        elif isinstance(value, (list, tuple, dict, set, frozenset)):
            self._look_into_items(name, value, depth)
        elif isinstance(value, types.ModuleType):
            if not _is_installed(_file_of(value)):
                self._add_all(name, vars(value), depth)
        elif isinstance(value, _FUNCTIONS) or hasattr(value, "__wrapped__") or hasattr(value, "func"):
            self._look_into_function(name, value, depth)
        elif isinstance(value, type):
            self._look_into_class(name, value, depth)
        elif type(value).__module__.partition(".")[0] not in (_PACKAGE, "numpy"):
            self._look_into_object(name, value, depth)

    def add_argument(self, name: str, value: Any) -> None:
        """An argument that is neither array nor number: what is in it is looked at too."""
        if not isinstance(value, (np.ndarray, Tensor, *_PLAIN)):
            self._arguments.append((name, value))
            self._add(name, _Fixed(value), "item", 0)

    def _note_live(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self.tensors[value] = None
        elif isinstance(value, Module):
            self.tensors.update(dict.fromkeys(value.parameters()))
            for module in value.modules():
                self.modules.setdefault(module, module.training)
                self._look_into_module(module)
        elif isinstance(value, Optimizer):
            self.tensors.update(dict.fromkeys(p for group in value.param_groups for p in group["params"]))
            for group in value.param_groups:
                self._groups.setdefault(id(group), (group, dict(group)))
            if not _is_ours(type(value)):
                for key in sorted(self._wanted & vars(value).keys() - {"param_groups", "_flats", "defaults"}):
                    self._add(f"{type(value).__name__}.{key}", vars(value), key, 1)
                self._look_into_class(type(value).__name__, type(value), 1)
        elif isinstance(value, _CHANCE):
            self._generators[id(value)] = value
        elif isinstance(value, LRScheduler):
            self._schedulers.setdefault(id(value), (value, dict(vars(value))))
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
            if _has_array(item):
                place = value if isinstance(value, (dict, list)) else _Fixed(item)
                self.names.append(_Name(f"{name}[{key!r}]", place, key if place is value else "item", item))
            if not isinstance(item, _PLAIN):
                if _content(item) is not None:
                    self.names.append(_Name(f"{name}[{key!r}]", _Fixed(item), "item", item, _content(item)))
                self._look_into(f"{name}[{key!r}]", item, depth + 1)

    def _look_into_function(self, name: str, value: Any, depth: int) -> None:
        if hasattr(value, "func") and hasattr(value, "keywords"):  # functools.partial
            for part in (value.func, value.args, value.keywords):
                self._add(name, _Fixed(part), "item", depth)
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
        if _is_installed(function.__code__.co_filename):
            return
        self._seen.add(id(function))
        self.names.append(_Name(f"{name}.__code__", _Attribute(function), "__code__", function.__code__))
        wanted = {each for code in _nested(function.__code__) for each in code.co_names}
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._add(key, cell, key, depth)
        for key in sorted((wanted | self._wanted) & function.__globals__.keys()):
            if key in wanted or isinstance(function.__globals__[key], _PLAIN):
                self._add(key, function.__globals__, key, depth)
        self._add_all(name, vars(function), depth)
        for key in ("__defaults__", "__kwdefaults__"):
            if getattr(function, key):
                self._add(f"a default of {name}", _Attribute(function), key, depth)

    def _look_into_object(self, name: str, value: Any, depth: int) -> None:
        own = getattr(value, "__dict__", {})
        self._add_all(name, own, depth)
        for kind in type(value).__mro__:
            slots = getattr(kind, "__slots__", ())
            for key in {slots} if isinstance(slots, str) else {*slots}:
                if key in self._wanted and hasattr(value, key):
                    self._add(f"{name}.{key}", _Attribute(value), key, depth)
            if not _is_ours(kind):
                for key in self._wanted & vars(kind).keys() - own.keys():
                    if not hasattr(vars(kind)[key], "__get__"):  # data of the class, which the object's own would hide
                        self._add(f"{name}.{key}", _Inherited(value), key, depth)
        self._look_into_class(name, type(value), depth)
        if hasattr(value, "__getitem__") and hasattr(value, "__len__"):  # deque, UserDict and the like
            self._look_into_data(name, value, depth)

    def _look_into_data(self, name: str, value: Any, depth: int) -> None:
        for attribute in ("data", "_data"):
            inner = getattr(value, attribute, None)
            if isinstance(inner, (dict, list)):
                self._add(name, _Fixed(inner), "item", depth)
        if isinstance(value, collections.deque):
            for i, item in enumerate(value):
                if _has_array(item):
                    self.names.append(_Name(f"{name}[{i}]", value, i, item))
        if not hasattr(value, "keys"):
            self.names.append(_Name(name, _Listing(value), "items", value, list(value)))

    def _look_into_class(self, name: str, kind: type, depth: int) -> None:
        for each in kind.__mro__:
            if each is not object and not _is_ours(each):
                for key in sorted(self._wanted & vars(each).keys()):
                    item = vars(each)[key]
                    if isinstance(item, (property, classmethod, staticmethod)):
                        item = item.fget if isinstance(item, property) else item.__func__
                        self._look_into(f"{name}.{key}", item, depth + 1)
                    elif not key.startswith("__"):
                        place = vars(each) if hasattr(item, "__get__") else _Attribute(each)
                        self._add(f"{name}.{key}", place, key, depth)

    def _add_all(self, name: str, space: Any, depth: int) -> None:
        by_any_name = not self._wanted.isdisjoint(("getattr", "vars", "__dict__", "attrgetter"))
        for key in sorted(key for key in space if by_any_name or key in self._wanted):
            self._add(f"{name}.{key}", space, key, depth + 1)

    def _add(self, name: str, place: Any, key: Any, depth: int) -> None:
        value = _looked_up(place, key)
        if value is _MISSING:
            return
        if isinstance(value, types.ModuleType) and _is_installed(_file_of(value)):
            return
        self.names.append(_Name(name, place, key, value, _content(value)))
        self._look_into(name, value, depth)


class _Fixed:
    """A place for something that has none that could be looked up again."""

    def __init__(self, item: Any):
        self.item = item


class _Attribute:
    """The attributes of an object, looked up one by one."""

    def __init__(self, owner: Any):
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.owner, name)


class _Inherited(_Attribute):
    """The same, where the attribute is that of the class."""


class _Listing:
    """What a container of another kind holds now."""

    def __init__(self, owner: Any):
        self.owner = owner


def _code_of(function: Any) -> Any:
    """The code of a function or method; None for what has none in Python."""
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _line(instruction: dis.Instruction) -> int | None:
    """The line that an instruction begins, or is in where Python knows (from 3.11 on)."""
    positions = getattr(instruction, "positions", None)
    return positions.lineno if positions is not None else instruction.starts_line


def _functions_of(codes: list[types.CodeType]) -> list[Any]:
    """The functions that have these codes; Python itself does not remember them."""
    wanted = set(codes)
    return [f for f in gc.get_referrers(*codes) if isinstance(f, types.FunctionType) and f.__code__ in wanted]


def _attributes(module: Module) -> dict[str, Any]:
    """The attributes of a module but for its mode and its buffers, which are looked up in each call."""
    left_out = {"training", *module._persistent}
    found = {name: value for name, value in vars(module).items() if name not in left_out}
    return {**found, "_forward_hooks": None, **{f"hook {key}": hook for key, hook in module._forward_hooks.items()}}


def _traits(t: Tensor) -> Any:
    """Whether the tensor requires a gradient, and its hooks."""
    return t._requires_grad, list(t._hooks.items()) if t._hooks else []


def _random_states(generators: Iterable[Any]) -> list[Any]:
    return [random.getstate(), np.random.get_state(), *(_state_of(each) for each in generators)]


def _state_of(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state() if isinstance(generator, np.random.RandomState) else generator.bit_generator.state


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, random.Random):
        generator.setstate(state)
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def _same_state(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_state(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and any(isinstance(item, np.ndarray) for item in a):
        return all(np.array_equal(x, y) for x, y in zip(a, b))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = (
    os.path.dirname(os.__file__) + os.sep, os.path.dirname(os.path.dirname(np.__file__)) + os.sep, _OWN, "<frozen",
)  # fmt: skip


def _is_installed(file: str | None) -> bool:
    """Whether code belongs to Python, to a package that was installed, or to this one."""
    return file is None or file.startswith(_INSTALLED) or (not file.startswith("<") and "site-packages" in file)


def _file_of(module: Any) -> str:
    """The file of a module; one that was made by hand has none and is the user's."""
    own = module.__name__ in sys.builtin_module_names or module.__name__ in sys.stdlib_module_names
    return getattr(module, "__file__", None) or ("<frozen>" if own else "<here>")


def _is_ours(kind: type) -> bool:
    """Whether a class belongs to Python, to a package that was installed, or to this one, and so holds no choices."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "builtins" or _is_installed(getattr(module, "__file__", "<here>"))
