"""Asker: who asks for something while a function runs: in which line, for which op, and whether it is the user's code.

What a program can repeat is given to the package, which asks on behalf of a rule; what it cannot is refused the user.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..mode import mode
from ..op import Op
from .origins import kind_of, line_of
from .tape import OpNote, Origin
from .traced import Traced
from .values import value_of

__all__ = ["Asker", "CannotCompile"]


class CannotCompile(RuntimeError):
    """The function does something that a program written down once cannot repeat; the message names the line.

    >>> @tg.compile
    ... def step(x):
    ...     return x * 2 if x.sum() > 0 else x
    >>> step(np.ones(3))
    Traceback (most recent call last):
        ...
    tinygrad_relu.compile.recorder.CannotCompile: compile: the function goes by the data (a branch or a loop) at ...
    """

    __module__ = f"{__package__}.recorder"  # by this name it is told of, and pickled


class Asker:
    """Who asks, found in the frames between the call of the function and now.

    ``refused`` is the last error that was made here: it still holds if the user's code has caught it.
    """

    def __init__(self) -> None:
        self.refused: CannotCompile | None = None
        self._thread: Any = None  # what its thread is asked to do, see mode.py, while the function runs
        self._frame: FrameType | None = None
        self._code: Any = None  # of the function that is recorded, which is the user's even where this package wrote it
        self._ops: dict[int, tuple[Op, OpNote]] = {}  # those that the run has seen, while it runs

    def begin(self, function: Callable[..., Any]) -> None:
        """The function is about to be called, in this thread and by the caller of this method."""
        self._thread = mode.now
        self._frame = sys._getframe(1)
        self._code = getattr(getattr(function, "__func__", function), "__code__", None)

    def end(self) -> None:
        """The run is over: note what the ops in it have saved, and let them go."""
        self._thread = self._frame = None
        for op, note in self._ops.values():
            note.saved = {name: x.value for name, x in vars(op).items() if isinstance(x, Traced) and name != "output"}
            note.output = value_of(op.output)
            note.call, note.place = op.call or note.call, op.users_place()
        self._ops.clear()

    def origin(self) -> tuple[Origin, bool]:
        """Where the program is now, and whether it is the user's code, not the package's, that asks."""
        frame: FrameType | None = sys._getframe(1)
        op, backward, place, rule, users = None, False, None, None, None
        part = ""
        while frame is not None and frame is not self._frame:
            code = frame.f_code
            kind = kind_of(code)
            if kind == "package":
                if code is self._code:
                    place = place or (code, frame.f_lasti)
                users = False if users is None else users
                rule = rule or (code, frame.f_lasti)
                part = code.co_name if code.co_name in ("backward", "step") else part
            elif kind == "user":
                users = True if users is None else users
                place = place or (code, frame.f_lasti)
            if code.co_name in ("forward", "backward") and code.co_argcount:
                owner = frame.f_locals.get(code.co_varnames[0])
                if isinstance(owner, Op):
                    op, backward = owner, code.co_name == "backward"
            frame = frame.f_back
        note = None
        if op is not None:
            note = self._ops.setdefault(id(op), (op, OpNote(op.name, mode.now.call, None)))[1]
        return Origin(note, backward, place, part, rule), bool(users)

    # ------------------------------------------------------------------ errors

    def refusal(self, what: str, advice: str) -> CannotCompile:
        """The error, with the line of the user's program."""
        origin, _ = self.origin()
        where = f" at {line_of(origin.place)}" if origin.place else ""
        op = f" (in {origin.op.name})" if origin.op is not None else ""
        self.refused = CannotCompile(f"compile: {what}{where}{op}, which differs from call to call; {advice}.")
        return self.refused

    def refuse_users(self, what: str, advice: str) -> None:
        """Raise the error if it is the user's code that asks."""
        _, users = self.origin()
        if users:
            raise self.refusal(what, advice)

    def refuse_strangers(self) -> None:
        """Raise CannotCompile if the run is over, or goes on in another thread."""
        if mode.now is not self._thread:
            raise CannotCompile(
                "compile: an array of a function that is being recorded is used outside of it, or in another thread; "
                "wait until the first call is over, and return what you need."
            )
