"""Fold: which steps of a computation are drawn as one box, so that a large graph can still be read.

What is folded is always a run of steps that follow each other in the program. Arrows then still point forward, whatever
was folded, and all of it takes linear time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..record.reading import ModuleCall, Reading, Step
from ..record.words import plural

__all__ = ["Fold", "folds"]

_LONGEST_PATTERN = 12  # units of a repeated block, such as Linear, BatchNorm1d, ReLU
_FEWEST_REPEATS = 3
_WIDE = 24  # arguments


@dataclass(eq=False)
class Fold:
    """Steps that are drawn as one box; a single step that stands for itself is one too."""

    steps: list[Step]
    title: str = ""
    calls: tuple[ModuleCall, ...] = ()  # the module calls around the box
    is_run: bool = False  # whatever stood there, rather than one module or one block

    @property
    def is_folded(self) -> bool:
        """Tell whether it is more, or shows less, than one op."""
        return bool(self.title)


def folds(reading: Reading, depth: int | None, limit: int | None) -> tuple[list[Fold], list[str]]:
    """The runs of steps to draw as one box each, and what the reader must be told.

    ``depth``: how many nested module calls are opened; deeper ones, and blocks that repeat, become one box. If there
    are more than ``limit`` boxes still, repeated blocks, and at last runs of any steps, are folded.
    """
    units = [Fold([step], calls=step.calls) for step in reading.steps]
    if depth is not None:
        units = _repeats_folded(_modules_folded(units, depth))
    if limit is None or _boxes(units) <= limit:
        return units, []
    steps = len(reading.steps)
    deepest = max((len(step.calls) for step in reading.steps), default=0)
    for level in range(deepest, -1, -1):
        units = _repeats_folded(_modules_folded(units, level))
        if _boxes(units) <= limit:
            break
    else:
        units = _runs_folded([_closed(unit) for unit in units], limit)
    note = f"{plural(steps, 'op')} in {plural(len(units), 'box', 'boxes')}: more cannot be read."
    return units, [f"{note} limit=None draws them all."]


def _boxes(units: list[Fold]) -> int:
    """About how many boxes there will be: those of the ops, and of the tensors that they are given and make."""
    return sum(1 if unit.is_folded else 2 + len(unit.steps[0].arguments) // 2 for unit in units)


def _modules_folded(units: list[Fold], depth: int) -> list[Fold]:
    """Each call of a module inside of ``depth`` others becomes one."""
    found: list[Fold] = []
    last: ModuleCall | None = None
    for unit in units:
        call = unit.calls[depth] if len(unit.calls) > depth else None
        if call is not None and call is last:
            found[-1].steps += unit.steps
        elif call is not None:
            found.append(Fold(list(unit.steps), call.label, unit.calls[:depth]))
        else:
            found.append(unit)
        last = call
    return found


def _repeats_folded(units: list[Fold]) -> list[Fold]:
    """Blocks of units that come at least three times in a row become one."""
    signs = [_sign(unit) for unit in units]
    found: list[Fold] = []
    i = 0
    while i < len(units):
        length, times = _repeated_block(signs, i)
        if times >= _FEWEST_REPEATS:
            block = units[i : i + length * times]
            title = f"{times:,} x ({_described(block[:length])})"
            found.append(Fold(_all_steps(block), title, _calls_around(block)))
        else:
            found.append(units[i])
        i += length * times if times >= _FEWEST_REPEATS else 1
    return found


def _repeated_block(signs: list[Any], start: int) -> tuple[int, int]:
    """The length of the shortest block that is repeated from ``start`` on, and how often it comes."""
    for length in range(1, _LONGEST_PATTERN + 1):
        times, end = 1, start + length
        while signs[end : end + length] == signs[start : start + length]:
            times, end = times + 1, end + length
        if times >= _FEWEST_REPEATS:
            return length, times
    return 1, 1


def _sign(unit: Fold) -> Any:
    """Two units with the same sign look the same but for their numbers."""
    last = unit.steps[-1]
    if unit.is_folded:
        kind = unit.title.partition(": ")[2] or unit.title
        return kind, len(unit.steps), last.result.array.shape, tuple(step.op.name for step in unit.steps[:50])
    shapes = tuple(value.array.shape for value in last.arguments)
    return last.op.name, repr(last.op.options), shapes, tuple(call.label.partition(": ")[2] for call in last.calls)


def _described(units: list[Fold]) -> str:
    return ", ".join(unit.title.partition(": ")[2] or unit.title or unit.steps[0].op.name for unit in units)


def _runs_folded(units: list[Fold], limit: int) -> list[Fold]:
    """As many units in one as it takes, whatever they are."""
    length = -(-len(units) // max(limit // 2, 1))
    blocks = [units[i : i + length] for i in range(0, len(units), length)]
    return [_run_of(block) if len(block) > 1 else block[0] for block in blocks]


def _run_of(block: list[Fold]) -> Fold:
    steps = _all_steps(block)
    return Fold(steps, _counted(steps), _calls_around(block), is_run=True)


def _closed(unit: Fold) -> Fold:
    """An op with very many arguments as a folded box, which shows a few of them."""
    step = unit.steps[0]
    is_wide = not unit.is_folded and len(step.arguments) > _WIDE
    return Fold(unit.steps, step.op.name, unit.calls) if is_wide else unit


def _counted(steps: list[Step]) -> str:
    counts = Counter(step.op.name for step in steps).most_common(3)
    more = "" if len({step.op.name for step in steps}) <= 3 else ", ..."
    return f"{plural(len(steps), 'op')}: " + ", ".join(f"{count:,} {name}" for name, count in counts) + more


def _all_steps(units: list[Fold]) -> list[Step]:
    return [step for unit in units for step in unit.steps]


def _calls_around(units: list[Fold]) -> tuple[ModuleCall, ...]:
    first, last = units[0].calls, units[-1].calls
    shared = [a for a, b in zip(first, last) if a is b]
    return tuple(shared)
