"""Grammar: random programs, each a few draws from the table of ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from .ops import TABLE
from .pool import ELEMENTS, Pool
from .program import Program
from .ways import quietly

__all__ = ["TABLE", "programs"]

VALUES = ("ordinary", "kinked", "extreme", "special")
OPS = tuple(TABLE)
assert set(VALUES) <= set(ELEMENTS)


@st.composite
def programs(
    draw: Callable[[Any], Any],
    values: Sequence[str] = VALUES,
    ops: Sequence[str] = OPS,
    most: int = 7,
    dtypes: Sequence[str] = ("float64", "float64", "float64", "float32"),
) -> Program:
    """Programs of up to ``most`` steps. ``values``: which numbers the leaves hold, see ``pool.ELEMENTS``."""
    pool = Pool(draw, draw(st.sampled_from(values)), draw(st.sampled_from(dtypes)))
    with quietly():
        for _ in range(draw(st.integers(1, 2))):
            pool.leaf(pool.shape())
        while len(pool.steps) < most and draw(_another_step(pool, ops)):
            pass
    assume(pool.steps)
    return pool.program()


@st.composite
def _another_step(draw: Callable[[Any], Any], pool: Pool, ops: Sequence[str]) -> bool:
    """One draw with all that belongs to a step in it, so that hypothesis can shrink a program by leaving it out."""
    if pool.steps and not draw(st.integers(0, 7)):
        return False
    op = draw(st.sampled_from(ops))
    pool.add(op, *TABLE[op](pool))
    return True
