"""Origins: whose code it is that calls, and the lines of the user's program, for comments and errors."""

from __future__ import annotations

import os
from types import CodeType

import numpy as np

from ..place import Place
from ..record.source import line_at

__all__ = ["kind_of", "line_of"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_SITE = os.path.dirname(os.path.dirname(os.path.abspath(np.__file__))) + os.sep
# Frames of these say nothing about who asks: NumPy, Python's own library, and what passes a call on.
_NEUTRAL = (
    _HERE, os.path.dirname(os.path.abspath(np.__file__)) + os.sep, os.path.dirname(os.__file__) + os.sep,
    *(_PACKAGE + name for name in ("op.py", "tensor.py", "dispatch.py", "mode.py")),
)  # fmt: skip


def line_of(place: Place | None) -> str:
    """``file.py:12 (loss = ...)``; "" if there is no place."""
    if place is None:
        return ""
    line = line_at(place)
    return f"{line} ({line.text})" if line.text else str(line)


_kinds: dict[int, tuple[CodeType, str]] = {}  # by the id of the code, since to hash a code takes long


def kind_of(code: CodeType) -> str:
    """Whose code it is: the user's, the package's, or neutral, which only passes a call on."""
    known = _kinds.get(id(code))
    if known is None or known[0] is not code:
        known = _kinds[id(code)] = (code, _found_kind(code))
    return known[1]


def _found_kind(code: CodeType) -> str:
    file = code.co_filename
    if file.startswith(_NEUTRAL) and not (file.startswith(_SITE) and "numpy" not in file):
        return "neutral"
    return "package" if file.startswith(_PACKAGE) else "user"
