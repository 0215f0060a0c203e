"""User code: which of the user's code has run, and in which functions it stands; and what code is not his."""

from __future__ import annotations

import dis
import gc
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["UserCode", "file_of", "globals_in", "imports_in", "is_installed", "is_ours", "nested"]

_INLINE = ("<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>", "<module>")  # a part of the code around it


class UserCode:
    """A function, and all of the user's code that it was seen to run."""

    def __init__(self, function: Callable[..., Any]):
        self.functions: list[Any] = [function]
        self._codes: dict[types.CodeType, None] = {}  # the user's code that has run
        self._passed: dict[int, types.CodeType] = {}  # all code that has run, to look at each only once
        self._owners: dict[int, Any] = {}  # the objects whose methods have run

    def profile(self, frame: types.FrameType, event: str, argument: Any) -> None:
        """To be called by Python at each call while the function runs: notes what code of the user's runs."""
        if event != "call":
            return
        code = frame.f_code
        if id(code) in self._passed:
            return
        self._passed[id(code)] = code
        module = sys.modules.get(frame.f_globals.get("__name__", ""))
        if is_installed(code.co_filename) or (module is not None and is_installed(file_of(module))):
            return
        self._codes[code] = None
        if code.co_argcount and code.co_varnames[0] in ("self", "cls"):
            owner = frame.f_locals.get(code.co_varnames[0])
            self._owners[id(owner)] = owner

    def find_functions(self) -> None:
        """After a run: find the functions of the code that has run."""
        known = {_code_of(f) for f in self.functions}
        missing = [code for code in self._codes if code not in known and code.co_name not in _INLINE]
        if missing:
            self.functions += _functions_of(missing)

    @property
    def codes(self) -> list[types.CodeType]:
        """All code that has run, and that of the functions."""
        codes = [*self._codes]
        for function in self.functions:
            code = _code_of(function)
            codes += [code] if code is not None else []
        return codes

    @property
    def owners(self) -> list[Any]:
        """The objects whose methods have run."""
        return list(self._owners.values())

    def place_of(self, name: str) -> str:
        """``, at file:line``: where the code speaks of the name; of "" it is the first line of the function."""
        key = name.rpartition(".")[2].partition("[")[0]
        for function in self.functions:
            code = _code_of(function)
            for each in nested(code) if code is not None else ():
                line = each.co_firstlineno
                for instruction in dis.get_instructions(each):
                    line = _line(instruction) or line
                    if key in (instruction.argval, ""):
                        return f", at {os.path.basename(each.co_filename).strip('<>')}:{line},"
        return ""


def _code_of(function: Any) -> Any:
    """The code of a function or method; None for what has none in Python."""
    return getattr(getattr(function, "__func__", function), "__code__", None)


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code, and that of all functions and classes that are defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


def globals_in(code: types.CodeType) -> set[str]:
    """The global names that the code loads or sets, with all that is defined in it; attributes go by other names."""
    return {each.argval for each in _instructions(code) if "GLOBAL" in each.opname or each.opname == "LOAD_NAME"}


def imports_in(code: types.CodeType, package: str) -> set[str]:
    """The modules that the code imports, where it stands in this package ("" outside of all)."""
    names = {each.argval for each in _instructions(code) if each.opname == "IMPORT_NAME"}
    return {*names, *(f"{package}.{name}".strip(".") for name in names)}


def _instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    return (each for part in nested(code) for each in dis.get_instructions(part))


def _line(instruction: dis.Instruction) -> int | None:
    """The line that an instruction begins, or is in where Python knows (from 3.11 on)."""
    positions = getattr(instruction, "positions", None)
    return positions.lineno if positions is not None else instruction.starts_line


def _functions_of(codes: list[types.CodeType]) -> list[Any]:
    """The functions that have these codes; Python itself does not remember them."""
    wanted = set(codes)
    return [f for f in gc.get_referrers(*codes) if isinstance(f, types.FunctionType) and f.__code__ in wanted]


# ---------------------------------------------------------------------- whose code it is


_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_INSTALLED = (
    os.path.dirname(os.__file__) + os.sep, os.path.dirname(os.path.dirname(np.__file__)) + os.sep, _OWN, "<frozen",
)  # fmt: skip


def is_installed(file: str | None) -> bool:
    """Whether code belongs to Python, to a package that was installed, or to this one."""
    return file is None or file.startswith(_INSTALLED) or (not file.startswith("<") and "site-packages" in file)


def file_of(module: Any) -> str:
    """The file of a module; one that was made by hand has none and is the user's."""
    own = module.__name__ in sys.builtin_module_names or module.__name__ in sys.stdlib_module_names
    return getattr(module, "__file__", None) or ("<frozen>" if own else "<here>")


def is_ours(kind: type) -> bool:
    """Whether a class belongs to Python, to a package that was installed, or to this one, and so holds no choices."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "builtins" or is_installed(getattr(module, "__file__", "<here>"))
