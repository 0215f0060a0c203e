"""Rule: what an op's ``backward`` returned for each argument, as it stands there and with the real numbers put in.

The rule is run once more on the gradient that came in, and its local variables are kept when it returns. So this works
for every op, those that users register included, and no op knows of it.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ..record.reading import Step
from ..record.words import number

__all__ = ["rules"]

_SHOWN = 4  # elements of an array that are written out
_LONGEST = 160  # characters
_SAID_OF_ARRAYS = ("shape", "dtype", "ndim", "size")


def rules(step: Step) -> list[dict[str, str] | None]:
    """For each argument that has got a gradient the expression that made it, or None."""
    nothing: list[dict[str, str] | None] = [None] * len(step.arguments)
    op = step.op
    if op.received is None:
        return nothing
    method = type(op).backward
    try:
        run = _Run(op)
        tree = _parsed(method)
        expressions = _returned(tree, run.lines, len(step.arguments))
        if expressions is None:
            return nothing
        scope = {**method.__globals__, **run.variables}
        for name in _assigned(tree) & set(run.parameters):  # it is no more what came in, as the page shows it
            del run.variables[name]
        return [_rule(each, i, tree, run, scope, step) for i, each in enumerate(expressions)]
    except Exception:  # a rule may do anything, and its source may be missing: then its result alone is shown
        return nothing


@lru_cache(maxsize=256)
def _parsed(method: Any) -> ast.AST:
    """The text of a rule as a tree, with the numbers of its lines in the file."""
    lines, start = inspect.getsourcelines(method)
    return ast.increment_lineno(ast.parse(textwrap.dedent("".join(lines))), start - 1)


def _rule(
    expression: ast.expr, i: int, tree: ast.AST, run: _Run, scope: dict[str, Any], step: Step
) -> dict[str, str] | None:
    """The expression behind the i-th contribution, if it gives that contribution indeed."""
    if step.sent(i) is None:
        return None
    origin = _origin(_branch(expression, scope), tree, run, scope)
    with np.errstate(all="ignore"):
        is_it = np.array_equal(_evaluated(origin, scope), step.op.sent[i], equal_nan=True)
    return _told(origin, run.variables, scope) if is_it else None


class _Run:
    """One more run of the rule: the lines that ran, and the local variables when it returned."""

    def __init__(self, op: Any):
        self.lines: set[int] = set()
        self.variables: dict[str, Any] = {}
        self.code = type(op).backward.__code__
        self.parameters = self.code.co_varnames[: self.code.co_argcount]
        before = sys.gettrace()
        sys.settrace(self._watch)
        try:
            with np.errstate(all="ignore"):
                copy.copy(op).backward(op.received)
        finally:
            sys.settrace(before)
        if not self.variables:
            raise ValueError("the rule is not a plain Python function")

    def _watch(self, frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code is not self.code:
            return None
        self.lines.add(frame.f_lineno)
        if event == "return":
            self.variables = dict(frame.f_locals)
        return self._watch


def _returned(tree: ast.AST, lines: set[int], count: int) -> list[ast.expr] | None:
    """The expressions of the return statement that ran, one for each argument."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None and _has_run(node, lines):
            parts = list(node.value.elts) if isinstance(node.value, ast.Tuple) else [node.value]
            return parts if len(parts) == count else None
    return None


def _origin(expression: ast.expr, tree: ast.AST, run: _Run, scope: dict[str, Any]) -> ast.expr:
    """Of a local variable what was assigned to it; of anything else itself."""
    if not isinstance(expression, ast.Name) or expression.id in run.parameters:
        return expression
    found: ast.expr = expression
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and _has_run(node, run.lines):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == expression.id:
                found = _branch(node.value, scope)
    return found


def _assigned(tree: ast.AST) -> set[str]:
    """The names that are assigned to somewhere."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _has_run(node: Any, lines: set[int]) -> bool:
    return any(line in lines for line in range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _told(expression: ast.expr, names: Mapping[str, Any], scope: dict[str, Any]) -> dict[str, str]:
    chosen = _branch(expression, scope)
    text = ast.unparse(chosen)
    filled = ast.unparse(_Filled(names, scope).visit(copy.deepcopy(chosen)))
    return {"text": text, "filled": filled if len(filled) <= _LONGEST else ""}


def _branch(expression: ast.expr, scope: dict[str, Any]) -> ast.expr:
    """Of ``a if condition else b`` the one that was taken."""
    while isinstance(expression, ast.IfExp):
        try:
            taken = _evaluated(expression.test, scope)
        except NameError:  # a variable of a comprehension
            return expression
        expression = expression.body if taken else expression.orelse
    return expression


def _evaluated(expression: ast.expr, scope: dict[str, Any]) -> Any:
    code = compile(ast.fix_missing_locations(ast.Expression(copy.deepcopy(expression))), "<rule>", "eval")
    return eval(code, scope)


class _Filled(ast.NodeTransformer):
    """Puts numbers where variables and saved attributes stood; names of functions and modules stay."""

    def __init__(self, names: Mapping[str, Any], scope: dict[str, Any]):
        self.names = names
        self.scope = scope

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _literal(self.names[node.id], node) if node.id in self.names else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        of_an_array = node.attr in _SAID_OF_ARRAYS and _root(node) in self.names
        if ast.unparse(node.value) == "self" or of_an_array:
            return _literal(_evaluated(node, self.scope), node)
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        chosen = _branch(node, self.scope)
        return self.generic_visit(node) if chosen is node else self.visit(chosen)  # type: ignore[return-value]

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if ast.unparse(node.value) == "self.inputs" or ast.unparse(node.value).endswith(".shape"):
            return _literal(_evaluated(node, self.scope), node)
        return self.generic_visit(node)  # type: ignore[return-value]


def _root(node: ast.expr) -> str:
    """The variable at the beginning of ``self.inputs[0].shape``; "" if there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _literal(value: Any, node: ast.expr) -> ast.expr:
    """The value as a name that reads like it: a number, a few numbers, or the shape of many."""
    if isinstance(value, np.ndarray) and value.ndim:
        text = _few(value) if 0 < value.size <= _SHOWN else f"⟨{'×'.join(map(str, value.shape))}⟩"
    elif isinstance(value, (bool, str, tuple, np.dtype)) or value is None:
        text = str(value) if isinstance(value, (tuple, np.dtype)) else repr(value)
    elif isinstance(value, (int, float, np.generic, np.ndarray)):
        text = number(value[()] if isinstance(value, np.ndarray) else value)
    else:
        return node
    return ast.Name(id=f"({text})" if text.startswith("-") else text)


def _few(array: np.ndarray) -> str:
    if array.ndim > 1:
        return "[" + ", ".join(_few(row) for row in array) + "]"
    return "[" + " ".join(number(x) for x in array) + "]"
