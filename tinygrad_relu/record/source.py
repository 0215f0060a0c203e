"""Source: what the user's program says at the place where a node was made: the line, and the names of variables in it.

``b = a + a`` needs no ``name="b"``: the statement tells what its value is called. What it was computed from is called
by the variable that holds it now, since one that held it then may have been bound anew. Where none does, as after a
function has returned, the statement tells that too, if its variable never was anything else.

Python 3.11 and later know which expression an instruction belongs to. Before, only the line is known, so that names are
found where the line leaves no doubt.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..op import registry
from ..place import _PACKAGE, Place, file_and_line

__all__ = ["Line", "argument_names", "assigned_name", "line_at", "names_bound_once", "variables_now"]


@dataclass(frozen=True)
class Line:
    """One line of the user's program."""

    file: str
    number: int
    text: str  # without the space around it; "" if the file cannot be read

    @property
    def name(self) -> str:
        """The file's name without the folder; "notebook" for a cell, which goes by a number that nobody knows."""
        if "ipykernel_" in self.file or "ipython-input-" in self.file:
            return "notebook"
        return os.path.basename(self.file).strip("<>")

    @property
    def url(self) -> str:
        """Where a browser or an editor finds it; "" if it is in no file, as in a notebook."""
        return f"{Path(self.file).absolute().as_uri()}#L{self.number}" if os.path.exists(self.file) else ""

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"


def line_at(place: Place) -> Line:
    """The line that made a node."""
    file, number = file_and_line(place)
    return Line(file, number, linecache.getline(file, number).strip())


def variables_now() -> list[tuple[str, Any]]:
    """The user's variables where this package was called from, and what they hold, the nearest first.

    Those are the local ones, the global ones, those of the caller around, and so on. A notebook's own ``_`` and ``_1``
    are left out.
    """
    found: list[tuple[str, Any]] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            for variables in (frame.f_locals, frame.f_globals):
                found += variables.items()
        frame = frame.f_back
    return [(name, thing) for name, thing in found if name.isidentifier() and not name.startswith("_")]


def assigned_name(place: Place, function: tuple[str, ...] = ()) -> str | None:
    """The variable or attribute (``self.h``) that the value made here is assigned to, if the statement does only that.

    ``function``: the names of the op. A call of something else, such as ``rows = list(x)``, assigns more than what one
    op has made. () stands for a module.
    """
    found = _parsed(place)
    if found is None:
        return None
    node = _node(found[0], place, function)
    extent = _position(place) if node is None else _extent(node)
    return None if _calls_another(node, function) else _known(found[1].get(extent), place)


def argument_names(place: Place, count: int, function: tuple[str, ...] = ()) -> list[str | None]:
    """The variables among the ``count`` arguments of the operator, function or method that was called here.

    ``function`` as in ``assigned_name``: sum() or grad() have other arguments than the ops in them.
    """
    found = _parsed(place)
    node = _node(found[0], place, function) if found else None
    operands = _operands(node)
    if len(operands) != count or _calls_another(node, function):
        return [None] * count
    return [_known(operand.id, place) if isinstance(operand, ast.Name) else None for operand in operands]


def names_bound_once(place: Place) -> set[str]:
    """The arguments and variables of the function around the place that were never anything else, nor will be."""
    return _bound_once(_text(place), file_and_line(place)[1])


def _node(expressions: dict[Any, ast.expr], place: Place, function: tuple[str, ...]) -> ast.expr | None:
    """The expression that was computed here; where only the line is known, the only one of its kind on it."""
    position = _position(place)
    if position is not None:
        return expressions.get(position)
    line = file_and_line(place)[1]
    found = [node for extent, node in expressions.items() if extent[0] <= line <= extent[1]]
    found = [node for node in found if _may_be(node, function)]
    return found[0] if len(found) == 1 else None


_SIGNS: dict[type, str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power",
    ast.MatMult: "matmul", ast.USub: "negative",
}  # fmt: skip


def _may_be(node: ast.expr, function: tuple[str, ...]) -> bool:
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        return _SIGNS.get(type(node.op)) in function
    return isinstance(node, ast.Call) and (_called(node) in function if function else _called(node) not in registry)


def _known(name: str | None, place: Place) -> str | None:
    """The name, if the code that ran knows it: a file may have been edited since."""
    code = place[0]
    known = {*code.co_varnames, *code.co_names, *code.co_freevars, *code.co_cellvars}
    return name if name and known.issuperset(name.split(".")) else None


@lru_cache(maxsize=1024)
def _bound_once(text: str, line: int) -> set[str]:
    """The arguments and variables of the innermost function around the line that are bound once in it, in no loop."""
    around = [node for node in ast.walk(_tree(text)) if isinstance(node, _FUNCTIONS) and _holds(node, line)]
    if not around:
        return set()
    function = around[-1]  # ast.walk goes from the outside in
    counts = Counter(_bound_in(function))
    for loop in ast.walk(function):
        if isinstance(loop, _LOOPS):
            counts.update(_bound_in(loop))
    return {name for name, count in counts.items() if count == 1}


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _holds(node: Any, line: int) -> bool:
    return node.lineno <= line <= node.end_lineno


def _bound_in(root: ast.AST) -> list[str]:
    """The names that are bound or deleted in there, arguments included, each as often as it is."""
    names = [node.id for node in ast.walk(root) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    return names + [node.arg for node in ast.walk(root) if isinstance(node, ast.arg)]


def _calls_another(node: Any, function: tuple[str, ...]) -> bool:
    return isinstance(node, ast.Call) and bool(function) and _called(node) not in function


def _operands(node: Any) -> list[Any]:
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Call):
        return _called_with(node)
    return []


def _called(node: ast.Call) -> str:
    """The name of the function, without what stands before the dot."""
    return ast.unparse(node.func).rpartition(".")[2]


def _called_with(node: ast.Call) -> list[Any]:
    """The arguments by place; in x.relu() what stands before the dot."""
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return []
    is_method = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, (ast.Name, ast.Call, ast.BinOp))
    if is_method and not (node.args or node.keywords):
        return [node.func.value]  # type: ignore[attr-defined]
    return list(node.args)


Positions = tuple[int, int, int, int]  # first line, last line, first column, column behind the last


def _position(place: Place) -> Positions | None:
    code, instruction = place
    if not hasattr(code, "co_positions"):  # Python 3.10
        return None
    position: Any = _positions(code)[instruction // 2]
    return None if None in position else position


@lru_cache(maxsize=32)
def _positions(code: CodeType) -> list[Any]:
    return list(code.co_positions())  # type: ignore[attr-defined]


def _parsed(place: Place) -> tuple[dict[Any, ast.expr], dict[Any, str]] | None:
    text = _text(place)
    return _expressions(text) if text else None


def _text(place: Place) -> str:
    """The whole file; "" if it cannot be read."""
    return "".join(linecache.getlines(place[0].co_filename))


@lru_cache(maxsize=32)
def _expressions(text: str) -> tuple[dict[Any, ast.expr], dict[Any, str]]:
    """All expressions of a program by their position, and the names that values of some are assigned to."""
    expressions: dict[Any, ast.expr] = {}
    names: dict[Any, str] = {}
    for node in ast.walk(_tree(text)):
        if isinstance(node, ast.expr):
            expressions[_extent(node)] = node
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            _note(names, node.value, node.targets[0])
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            _note(names, node.value, node.target)
        elif isinstance(node, ast.AugAssign):
            _note(names, node, node.target)
    return expressions, names


@lru_cache(maxsize=32)
def _tree(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():  # about the user's text, who has seen them already
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError):  # a notebook's cell with magic commands
        return ast.Module([], [])


def _note(names: dict[Any, str], value: Any, target: ast.expr) -> None:
    """Note the name, or the names with dots between them, that the value is assigned to."""
    owner = target
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    if isinstance(owner, ast.Name):
        names[_extent(value)] = ast.unparse(target)


def _extent(node: Any) -> Positions:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
