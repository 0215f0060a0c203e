"""Program: run a few lines as if the user had written them, so that what they compute can point back at them."""

from __future__ import annotations

import linecache
from typing import Any

__all__ = ["run_program"]


def run_program(text: str, names: dict[str, Any], file: str = "<program.py>") -> dict[str, Any]:
    """Run ``text`` with these names defined, and return all names that are defined then.

    The text is remembered under ``file``, so that errors and drawings can show its lines.

    >>> run_program("y = x * 2", {"x": 3})["y"]
    6
    """
    lines = text.splitlines(keepends=True)
    linecache.cache[file] = (len(text), None, lines, file)
    scope = {"__name__": "__main__", **names}
    exec(compile(text, file, "exec"), scope)
    return scope
