"""Main: one command from its arguments to its exit status, with errors told in one line on stderr."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from .parser import parser

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run the command with ``argv``, the arguments after its name; the exit status.

    0 if all went well, 2 for bad input (after one line on stderr), 130 after Ctrl-C,
    143 or 129 when it was terminated or its terminal closed.

    >>> main(["predict", "--run", "no/such/run", "table.csv"])
    2
    """
    arguments = argparse.Namespace()
    try:
        parser().parse_args(argv, arguments)
        with _termination_as_an_exception():
            arguments.command(arguments)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _say(f"interrupted, {_left(arguments)}", 130)
    except _Terminated as signal_:
        return _say(f"terminated, {_left(arguments)}", 128 + signal_.number)
    except BrokenPipeError:  # the reader of our output has seen enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        return _say(f"error: {named}", 2)
    except MemoryError as error:
        return _say(f"error: there is not enough memory for this: {error}", 2)
    except (ValueError, FloatingPointError) as error:
        return _say(f"error: {error}", 2)


class _Terminated(BaseException):
    """SIGTERM has come, or SIGHUP, since the terminal was closed."""

    def __init__(self, number: int):
        self.number = number


@contextmanager
def _termination_as_an_exception() -> Iterator[None]:
    """Let these signals clean up as Ctrl-C does, unless they are ignored, as under nohup.

    Only the main thread can ask for that.
    """

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated(number)

    wanted = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    before = {number: signal.getsignal(number) for number in wanted}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, terminate)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left(arguments: argparse.Namespace) -> str:
    """Remains of a command that was stopped: of experiments those that were done."""
    done = getattr(arguments, "done", [])
    return f"{', '.join(done)} had been written" if done else "nothing was written"


def _say(message: str, status: int) -> int:
    print("tinygrad-relu:", " ".join(message.split()), file=sys.stderr)
    return status
