"""Search: programs drawn one after the other; what goes wrong is shrunk, and each fault is told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from .compare import EXCUSED, Difference, differences, smallest
from .grammar import OPS, VALUES, programs
from .program import Program
from .ways import WAYS

Key = tuple[str, str]
"""What tells one fault from another: the way in which it shows, and the op that is to blame."""


@dataclass
class Found:
    """How many programs ran, each fault with its smallest program, and how often other differences were passed by."""

    ran: int = 0
    faults: dict[Key, tuple[Program, Difference]] = field(default_factory=dict)
    passed: Counter[Key] = field(default_factory=Counter)


class Fault(AssertionError):
    """A program that goes wrong in a way that was not known."""


def search(
    count: int, start: int = 0, *, known: Collection[Key] = (), most: int = 20, ways: Collection[str] = tuple(WAYS),
    values: Sequence[str] = VALUES, ops: Sequence[str] = OPS,
) -> Found:  # fmt: skip
    """``count`` programs from the seed ``start`` on, until ``most`` faults are found that are not ``known``."""
    found = Found()
    while found.ran < count and len(found.faults) < most:
        _until_a_fault(found, count - found.ran, start + found.ran, known, ways, programs(values, ops))
    return found


def _until_a_fault(
    found: Found, count: int, start: int, known: Collection[Key], ways: Collection[str], strategy: Any
) -> None:
    shrinking: list[tuple[Program, Difference]] = []  # the fault that has been met, by ever smaller programs

    @settings(
        max_examples=count, database=None, deadline=None, verbosity=Verbosity.quiet, report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @seed(start)
    @given(strategy)
    def run(program: Program) -> None:
        met = shrinking[0][1] if shrinking else None
        found.ran += met is None
        for difference in differences(program, ways):
            if _is_same(difference, met) if met else _is_new(difference, known, found):
                shrinking.append((program, difference))
                raise Fault
            if not met:
                found.passed[difference.way, difference.op] += 1

    before = found.ran
    try:
        run()
    except Fault:
        program, difference = shrinking[-1]
        found.faults[difference.way, difference.op] = smallest(program, difference), difference
    else:
        found.ran = max(found.ran, before + 1)  # of few ops hypothesis soon knows no new program


def _is_same(difference: Difference, other: Difference) -> bool:
    return (difference.way, difference.op) == (other.way, other.op)


def _is_new(difference: Difference, known: Collection[Key], found: Found) -> bool:
    key = difference.way, difference.op
    return difference.way not in EXCUSED and key not in known and key not in found.faults
