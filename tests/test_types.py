"""What editors and type checkers know about Tensor's methods is what `register` attaches when the program runs.

python tests/test_types.py      # writes tinygrad_relu/_methods.pyi anew, after an op has come or gone
"""

from __future__ import annotations

import inspect
from pathlib import Path

import tinygrad_relu as tg
from tinygrad_relu.tensor import Tensor

STUB = Path(tg.__file__).with_name("_methods.pyi")
HEADER = '''"""Tensor's methods and operators, as `register` attaches them; written by tests/test_types.py."""

from typing import Any

from .ops.sums import Axis
from .tensor import Tensor

class Methods:
'''


def expected_stub() -> str:
    lines = []
    for name, function in sorted(vars(Tensor).items()):
        if not getattr(function, "registered", False):
            continue
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[1:]
        text = "".join(f", {_text(p)}" for p in parameters)
        lines.append(f"    def {name}(self{text}) -> {_result(signature)}: ...{_note(name)}\n")
    return HEADER + "".join(lines)


def _text(p: inspect.Parameter) -> str:
    star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    annotation = "Any" if p.annotation is p.empty else p.annotation
    default = "" if p.default is p.empty else " = ..."
    return f"{star}{p.name}: {annotation}{default}"


def _result(signature: inspect.Signature) -> str:
    return "Tensor" if signature.return_annotation is signature.empty else signature.return_annotation


def _note(name: str) -> str:
    return "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""  # elementwise, as in NumPy


def test_declared_methods_are_the_registered_ones():
    assert STUB.read_text() == expected_stub(), "run: python tests/test_types.py"


if __name__ == "__main__":
    STUB.write_text(expected_stub())
