"""Deciding: how the package itself, outside of the rules of ops, may go by numbers in a function that is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .mode import mode


@contextmanager
def deciding(name: str) -> Iterator[None]:
    """Go by numbers in a block, as a rule may: a compiled program looks at them again in each call.

    >>> from tinygrad_relu.deciding import deciding
    >>> with deciding("clip"):
    ...     print(Tensor(2.0).item() > 1)
    True
    """
    recorder = mode.now.recorder
    if recorder is not None:
        recorder.begin(name)
    try:
        yield
    finally:
        if recorder is not None:
            recorder.leave(None)
