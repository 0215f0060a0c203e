"""Origins: the lines of the user's program, for comments and errors."""

from __future__ import annotations

from ..place import Place
from ..source import line_at

__all__ = ["line_of"]


def line_of(place: Place | None) -> str:
    """``file.py:12 (loss = ...)``; "" if there is no place."""
    if place is None:
        return ""
    line = line_at(place)
    return f"{line} ({line.text})" if line.text else str(line)
