"""Guards: a function goes by what it names, and each name is compared before a program runs in its place.

Names are what the code *loads*: globals, closures, defaults, and the attributes behind them (``config.lr``,
``self.model``). Numbers and text are compared; Tensors, Modules and Optimizers are state; functions are followed.
Floats and arrays that the function itself names are read anew in each call, as its arguments are. Whatever else could
change unseen, such as an object, or a list of such, is refused: give it as an argument.
"""

from __future__ import annotations

import builtins
import dis
import enum
import functools
import inspect
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..nn.module import Module
from ..optim.optimizer import Optimizer
from ..record.source import Line
from ..tensor import Tensor
from .tape import CannotCompile

_PACKAGE = __package__.partition(".")[0]
_TRUSTED = {_PACKAGE, "numpy", "math", "cmath", "operator", "functools", "itertools", "collections", "typing",
            "builtins", "contextlib", "dataclasses", "enum", "abc", "types", "_operator", "_functools",
            "_collections"}  # fmt: skip
_UNREPEATABLE = {"print", "open", "input", "type", "id", "globals", "locals", "vars", "exec", "eval", "breakpoint",
                 "__import__", "next", "setattr", "delattr"}  # fmt: skip
_PLAIN = (bool, int, float, complex, str, bytes, type(None), range, slice, type(...))
_ITS_OWN = ("param_groups", "defaults", "_flats", "_known")  # of an optimizer, which is state
_MANY = 1000  # items of a list or dict: more are not compared in each call
_OF_OBJECTS = {"__repr__", "__str__", "__hash__", "__eq__", "__reduce__", "__getstate__", "__setstate__", "__replace__"}
_STATE = (Tensor, Module, Optimizer)
_ASSIGNED = ("data", "grad", "name", "requires_grad", "theta")  # of Tensors, which is seen; of a Flat in an update
_LOADS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FAST", "STORE_FAST_LOAD_FAST")
_STORES = ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "STORE_ATTR")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_NOWHERE = object()

Look = Callable[[], Any]


class Guards:
    """The names that a function and all that it calls go by, with the value that each had in the recording."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, Look, Any]] = []  # the name, how to look, and what was found
        self.later: list[tuple[Look, Any]] = []  # what must be so at the start of a call, and may be other at its end
        self.state: list[tuple[str, Any]] = []  # the Tensors, Modules and Optimizers among them, with their names
        self.inputs: dict[str, Look] = {}  # floats and arrays of the function itself: others in each call, as arguments
        self._seen: set[Any] = set()
        self._entry: Any = None
        self._is_called_inside = False  # the function calls itself by its name, and then as it is, without stand-ins

    def hold(self) -> bool:
        """Tell whether everything still is as it was in the recording."""
        for look, before in self.later:
            if look() != before:
                return False
        return self.changed() is None

    def changed(self) -> str | None:
        """The first name that does not stand for the same any more."""
        for words, look, before in self.checks:
            now = look()
            if now is not before and not same_value(now, before):
                return words
        return None

    def enter(self, function: Any) -> None:
        """Follow the function that is compiled."""
        self._entry = getattr(function, "__func__", function)
        bound = getattr(function, "__self__", None)
        if isinstance(function, Module):
            self.state.append(("", function))
            return
        if isinstance(bound, _STATE):
            self.state.append(("", bound))
            if _is_trusted(function.__func__):  # a method of this package's
                return
        self.follow(function)
        if self._is_called_inside:
            for name, look in self.inputs.items():
                self._admit(name, look(), look, self._entry)
            self.inputs.clear()

    def follow(self, function: Any, me: Any = _NOWHERE) -> None:
        """Look at everything that a function names. ``me`` is the object that its first argument stands for."""
        if isinstance(function, types.MethodType):
            function, me = function.__func__, function.__self__
        if isinstance(function, (staticmethod, classmethod)):
            function = function.__func__
        if isinstance(function, functools.partial):
            for i, value in enumerate((*function.args, *function.keywords.values())):
                self._admit(f"argument {i} of a partial", value, functools.partial(_itself, value))
            return self.follow(function.func)
        op = getattr(function, "op", None)
        if inspect.isclass(op):
            return self.rules(op)
        if not hasattr(function, "__code__") and not isinstance(function, (type, Module)):
            call = type(function).__call__ if callable(function) else None
            if isinstance(call, types.FunctionType) and not _is_trusted(call):
                function, me = call, function
        code = getattr(function, "__code__", None)
        me = _weakly(me)
        self._is_called_inside |= function is self._entry and (code, id(me)) in self._seen
        if code is None or (code, id(me)) in self._seen or (_is_trusted(function) and function is not self._entry):
            return None
        self._seen.add((code, id(me)))
        self.checks.append((function.__name__, lambda: function.__code__, code))
        for i, value in enumerate((*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())):
            self._admit(f"default {i} of {function.__name__}", value, functools.partial(_default, function, i))
        self._read(function, code, me)
        return None

    def argument(self, name: str, value: Any) -> None:
        """Follow an argument that is neither array nor number."""
        self._admit(name, value, lambda: value)

    def rules(self, op: Any) -> None:
        """Follow the rules of an op that a user has written."""
        if not op.is_built_in and op not in self._seen:
            self._seen.add(op)
            for name in ("arguments", "forward", "backward"):
                if callable(getattr(op, name, None)):
                    self.follow(inspect.getattr_static(op, name))

    def module(self, module: Module) -> None:
        """Follow the forward of a module that a user has written, and its hooks."""
        if not module.is_built_in:
            self.follow(type(module).forward, module)
        for hook in module._forward_hooks.values():
            self.hook(hook)

    def hook(self, hook: Any) -> None:
        """Follow a hook of a module or a tensor."""
        self._admit("a hook", hook, lambda: hook)

    def _read(self, function: Any, code: types.CodeType, me: Any) -> None:
        inside = isinstance(_looking(me)(), Module) or (me is _NOWHERE and "self" in code.co_varnames[:1])
        if "__class__" in code.co_freevars and me is not _NOWHERE:
            self._heirs(function, code, me)
        for opname, name, attributes in _uses(code):
            if opname in ("STORE_GLOBAL", "DELETE_GLOBAL") or (opname == "STORE_DEREF" and name in code.co_freevars):
                raise _refusal(f"the function sets {name}, a name outside of it", "return the value", code)
            if opname == "IMPORT_NAME" and name.partition(".")[0] not in _TRUSTED:
                raise _refusal(f"the function imports {name}", "import it at the top of the file", code)
            if opname == "STORE_ATTR" and name not in _ASSIGNED and not inside:
                raise _refusal(f"the function sets an attribute, .{name}", "return the value", code)
            if opname.startswith(_LOADS) and not name.startswith("@"):  # pytest's own, in an assert
                look = _place(function, code, opname, name, me)
                if look is not None:
                    self._chain(name, look, attributes, function)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._read(function, constant, me)

    def _heirs(self, function: Any, code: types.CodeType, me: Any) -> None:
        """Follow what ``super()`` may lead to: the methods of the classes above that have a name that is used."""
        cell = function.__closure__[function.__code__.co_freevars.index("__class__")]
        for cls in cell.cell_contents.__mro__[1:]:
            for name in code.co_names:
                method = vars(cls).get(name)
                if isinstance(method, types.FunctionType) and not _is_trusted(method):
                    self.follow(method, _looking(me)())

    def _chain(self, name: str, look: Look, attributes: tuple[str, ...], function: Any) -> None:
        """Go from a name to what its attributes lead to, as far as nothing is computed on the way."""
        words, value, owner = name, look(), None
        for attribute in attributes:
            code = isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc))
            if isinstance(value, (Tensor, np.ndarray)) or is_comparable(value) or (code and _is_trusted(value)):
                break
            found = inspect.getattr_static(value, attribute, _NOWHERE)
            if isinstance(value, Module) and attribute in value._persistent:
                break
            if isinstance(value, (Module, Optimizer)) and (
                found is _NOWHERE or _is_packages_code(found) or attribute in _ITS_OWN
            ):
                break
            if found is _NOWHERE and not isinstance(value, types.ModuleType):
                raise _refusal(
                    f"{words}.{attribute} is made up when it is asked for", "give it as an argument", function
                )
            if isinstance(found, (property, functools.cached_property)):
                return self.follow(getattr(found, "fget", None) or getattr(found, "func", None), value)
            owner, words = value, f"{words}.{attribute}"
            look = functools.partial(_attribute, look, attribute)
            value = look()
        if type(value) in (float, np.ndarray) and owner is None and function is self._entry:
            self.inputs.setdefault(name, look)
            return None
        return self._admit(words, value, look, function)

    def _admit(self, words: str, value: Any, look: Look, function: Any = None) -> None:
        """Note a value that can be compared or followed; refuse any other."""
        if words in _UNREPEATABLE and value is getattr(builtins, words, None):
            raise _refusal(f"{words}() is called", "do it outside of the function", function)
        if (words, id(value)) in self._seen:
            return
        self._seen.add((words, id(value)))
        held = _contents(value)
        if held is not None:
            self.state += [(words, x) for x in _state_in(value)]
            look, value = functools.partial(_contents_of, look), held
        elif isinstance(value, _STATE):
            self.state.append((words, value))
        elif not is_comparable(value):
            self._admit_code(words, value, function)
        self.checks.append((words, look, value))

    def _admit_code(self, words: str, value: Any, function: Any) -> None:
        inner = getattr(value, "function", None)
        if isinstance(value, types.ModuleType):
            if value.__name__.partition(".")[0] not in _TRUSTED:
                raise _refusal(f"the module {words} is handed on", "name what is wanted of it", function)
        elif inner is not None and type(value).__module__.startswith(_PACKAGE):  # a compiled function
            self.follow(inner)
        elif isinstance(value, type):
            self._class(value)
        elif _draws(value):
            raise _refusal(f"{words} draws random numbers", "draw from tg.random.generator(), or outside", function)
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            self.follow(value)
            bound = getattr(value, "__self__", None)
            if isinstance(bound, Module):
                self.state.append((words, bound))
            elif bound is not None and _is_trusted(value) and not isinstance(bound, (type, *_STATE)):
                words = words.rpartition(".")[0] or words
                kind = _with_article(type(bound).__name__)
                raise _refusal(
                    f"{words} is {kind}, which may change unseen", "use it outside of the function", function
                )
        elif not (isinstance(value, (types.BuiltinFunctionType, np.ufunc)) or callable(value)) or not _is_trusted(
            value
        ):
            held = getattr(value, "__self__", None)
            if held is not None and not isinstance(held, types.ModuleType):
                words, value = words.rpartition(".")[0] or words, held
            kind = type(value).__name__
            raise _refusal(
                f"{words} is {_with_article(kind)}, which may change unseen", "give it as an argument", function
            )

    def _class(self, cls: type) -> None:
        """Follow the methods of a class that a user has written, and compare its attributes."""
        if _is_trusted(cls) or issubclass(cls, BaseException) or cls in self._seen:
            return
        self._seen.add(cls)
        for name, value in list(vars(cls).items()):
            if name in _OF_OBJECTS:
                continue
            if isinstance(value, (types.FunctionType, staticmethod, classmethod)):
                self.follow(value)
            elif not name.startswith("__") and is_comparable(value):
                self.checks.append((f"{cls.__name__}.{name}", functools.partial(getattr, cls, name, None), value))


# ---------------------------------------------------------------------- what code names


def _uses(code: types.CodeType) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each name that is loaded, with the attributes that follow it at once; each that is set or imported."""
    instructions = [each for each in dis.get_instructions(code) if each.opname not in ("PUSH_NULL", "CACHE", "PRECALL")]
    for i, each in enumerate(instructions):
        if each.opname.startswith((*_LOADS, *_STORES)):
            attributes = []
            while i + 1 < len(instructions) and instructions[i + 1].opname in _ATTRIBUTES:
                i += 1
                attributes.append(instructions[i].argval)
            name = each.argval[-1] if isinstance(each.argval, tuple) else each.argval  # two loads in one
            yield each.opname, name, tuple(attributes)
        elif each.opname == "IMPORT_NAME":
            yield each.opname, each.argval, ()


def _place(function: Any, code: types.CodeType, opname: str, name: str, me: Any) -> Look | None:
    """How to look a name up; None for what is local."""
    if opname in ("LOAD_GLOBAL", "LOAD_NAME"):
        space = function.__globals__
        return lambda: space[name] if name in space else getattr(builtins, name, None)
    if "LOAD_FAST" in opname:
        is_me = me is not _NOWHERE and code is function.__code__ and name == code.co_varnames[0]
        return _looking(me) if is_me else None
    free = function.__code__.co_freevars
    if name not in free or name == "__class__":
        first = function.__code__.co_varnames[:1]
        return _looking(me) if me is not _NOWHERE and (name,) == first else None
    cell = function.__closure__[free.index(name)]
    return lambda: _content(cell)


def _weakly(me: Any) -> Any:
    """A reference that does not keep an object alive, which may itself hold the program of its method."""
    try:
        return weakref.ref(me) if me is not _NOWHERE else me
    except TypeError:
        return me


def _looking(me: Any) -> Look:
    return me if isinstance(me, weakref.ref) else lambda: me


def _itself(value: Any) -> Any:
    return value


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not there yet
        return None


def _attribute(look: Look, name: str) -> Any:
    return getattr(look(), name, _NOWHERE)


def _default(function: Any, i: int) -> Any:
    return (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())[i]


# ---------------------------------------------------------------------- kinds of values


def is_comparable(value: Any) -> bool:
    """Tell whether a value is plain: a number, text, a dtype or a tuple of such, which ``==`` compares as a whole."""
    if isinstance(value, (tuple, frozenset)) and type(value).__eq__ in (tuple.__eq__, frozenset.__eq__):
        return all(is_comparable(item) for item in value)
    exact = type(value) in _PLAIN or isinstance(value, (enum.Enum, np.dtype, np.generic))  # others may have attributes
    return exact or (isinstance(value, type) and _is_trusted(value))


def _contents(value: Any) -> Any:
    """A list, tuple or dict of plain values and state, as a tuple that can be compared; None for anything else."""
    if type(value) not in (list, tuple, dict) or len(value) > _MANY:
        return None
    items = [x for pair in value.items() for x in pair] if type(value) is dict else value
    found = tuple(x if is_comparable(x) or isinstance(x, _STATE) else _contents(x) for x in items)
    missing = any(x is None and y is not None for x, y in zip(found, items))
    return None if missing else (type(value).__name__, *found)


def _contents_of(look: Look) -> Any:
    return _contents(look())


def _state_in(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value
    return [
        x
        for item in items
        for x in (_state_in(item) if type(item) in (list, tuple, dict) else [item])
        if isinstance(x, _STATE)
    ]


def same_value(a: Any, b: Any) -> bool:
    """Tell whether two things are one, or plain values that are the same; nan is, and 1 is neither True nor 1.0."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (types.MethodType, types.BuiltinMethodType)):  # made anew each time somebody looks
        return a.__self__ is b.__self__ and getattr(a, "__func__", a.__name__) == getattr(b, "__func__", b.__name__)
    if type(a) is tuple:
        return len(a) == len(b) and all(map(same_value, a, b))
    if not is_comparable(a):
        return False
    return bool(a == b) or bool(a != a and b != b)


def _is_trusted(thing: Any) -> bool:
    """Tell whether a function or class is this package's, NumPy's, or one of Python's that always answer alike."""
    if isinstance(thing, (staticmethod, classmethod)):
        thing = thing.__func__
    bound = getattr(thing, "__self__", None)
    if bound is not None and not isinstance(bound, (types.ModuleType, type)) and not inspect.ismethod(thing):
        return isinstance(bound, (str, bytes, int, float, tuple))  # "".join; not the append of a list
    module = getattr(thing, "__module__", None) or type(thing).__module__
    top = str(module).partition(".")[0]
    return top in _TRUSTED and not (top == "numpy" and "random" in str(module).split("."))


def _is_packages_code(found: Any) -> bool:
    """Tell whether an attribute of a class is a method or property of this package's."""
    found = getattr(found, "fget", found)
    return isinstance(found, (types.FunctionType, staticmethod, classmethod, type)) and _is_trusted(found)


def _draws(value: Any) -> bool:
    module = str(getattr(value, "__module__", None) or type(value).__module__)
    owner = getattr(value, "__self__", None)
    owner = owner if owner is not None and not isinstance(owner, types.ModuleType) else value
    kind = owner if isinstance(owner, type) else type(owner)
    return module.startswith(("numpy.random", "random")) or kind.__module__.startswith(("numpy.random", "random"))


def _with_article(kind: str) -> str:
    return f"an array ({kind})" if kind == "ndarray" else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _refusal(what: str, advice: str, where: Any) -> CannotCompile:
    code = where if isinstance(where, types.CodeType) else getattr(getattr(where, "__func__", where), "__code__", None)
    place = f" (in {code.co_name}, {Line(code.co_filename, code.co_firstlineno, '')})" if code else ""
    return CannotCompile(f"compile: {what}{place}; {advice}.")
