"""Where in the user's program a node of the graph was made: a file and a line, found out only when somebody asks.

While the program runs only its code object and the index of the instruction are kept. That takes a tenth of a
microsecond and keeps nothing alive, which a frame would: it holds all local variables of its function.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType

Place = tuple[CodeType, int]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


def users_place() -> Place | None:
    """The innermost call outside of this package that has led here; None if there is none, as on the command line."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return None if frame is None else (frame.f_code, frame.f_lasti)


def file_and_line(place: Place) -> tuple[str, int]:
    """The file that the code was read from, and the number of the line."""
    code, instruction = place
    lines = [line for start, end, line in code.co_lines() if start <= instruction < end]
    return code.co_filename, lines[0] or code.co_firstlineno
