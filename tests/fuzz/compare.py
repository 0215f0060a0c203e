"""Compare: where a program's answers differ from PyTorch's, which op is to blame, and what is excused."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .known import reason
from .program import Program
from .ways import WAYS, Answers, close, eagerly, on_torch, quietly, same

EXCUSED = ("refused", "undefined", "known", "sign of zero", "rounding")
"""Differences that are no faults: PyTorch does not run the program; it has no second gradient there, but NaN; it is in
the list ``known``; a zero has the other sign, which makes the other infinity of it; or PyTorch, with its results
rounded otherwise, would differ as much."""


@dataclass(frozen=True)
class Difference:
    """``way`` and ``op`` tell one fault from another; ``told`` is for people."""

    way: str
    op: str
    told: str

    def __str__(self) -> str:
        return f"{self.way}, {self.op}: {self.told}"


def differences(program: Program, ways: Collection[str] = tuple(WAYS)) -> list[Difference]:
    """Every difference of the program from PyTorch, or from itself in one of the ways; see ``EXCUSED``."""
    with quietly():
        return list(_differences(program, ways))


def _differences(program: Program, ways: Collection[str]) -> Iterator[Difference]:
    try:
        theirs = on_torch(program)
    except RuntimeError as error:
        yield Difference("refused", _together(program), _said(error))
        return
    try:
        ours = eagerly(program)
    except Exception as error:
        yield Difference("raises", _blamed(program, theirs, eagerly), _said(error))
        return
    yield from _against_torch(program, ours, theirs)
    for way, run in WAYS.items():
        if way in ways and "loss.grad" in ours:
            try:
                run(program)
            except Exception as error:
                yield Difference(way, _blamed(program, theirs, run), _said(error))


def _against_torch(program: Program, ours: Answers, theirs: Answers) -> Iterator[Difference]:
    """All that is excused, up to the first difference that is not."""
    coarse = "binary_cross_entropy" in {step.op for step in program.steps}  # its 1e-12 is a float32 number in PyTorch
    ops = {step.name: step.op for step in program.steps}
    for label, wanted in theirs.items():
        found = ours.get(label, np.zeros_like(wanted))  # no gradient at all counts as zeros
        if same(found, wanted, coarse):
            continue
        kind = label.partition(".")[2]
        way = {"": "value", "grad": "gradient", "second": "second gradient"}[kind]
        op = ops.get(label) or _blamed(program, theirs, functools.partial(_must_agree, kind=kind))
        excuse = _excuse(program, ours, theirs, label, way, op)
        yield Difference(excuse or way, op, _told(label, found, wanted))
        if not excuse or (excuse, way) == ("known", "value"):  # all that comes of another value is another too
            return


def _told(label: str, ours: np.ndarray, theirs: np.ndarray) -> str:
    if ours.shape != theirs.shape:
        return f"{label}: the shape is {ours.shape} here, {theirs.shape} in PyTorch"
    if ours.dtype != theirs.dtype:
        return f"{label}: the dtype is {ours.dtype} here, {theirs.dtype} in PyTorch"
    place = tuple(int(i) for i in np.argwhere(~close(ours, theirs))[0])
    return f"{label}{list(place) or ''}: here {ours[place]}, PyTorch {theirs[place]}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


# ---------------------------------------------------------------------- what is excused


def _excuse(program: Program, ours: Answers, theirs: Answers, label: str, way: str, op: str) -> str | None:
    """One of ``EXCUSED``, or None if the difference is a fault."""
    if way == "second gradient" and np.isnan(theirs[label]).any():
        return "undefined"
    values = program.inputs | theirs
    for step in program.steps:
        if step.op == op and f"{step.name}.grad" in values:
            given = (values[name] for name in (f"{step.name}.grad", *step.uses()))
            if reason(op, way, *given):
                return "known"
    if any(_signs_of_zero(ours[name], theirs[name]) for name in program.results):
        return "sign of zero"
    return "rounding" if _is_rounding(program, ours, label, theirs[label]) else None


def _signs_of_zero(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype.kind == "f" and bool(((a == 0) & (b == 0) & (np.signbit(a) != np.signbit(b))).any())


def _is_rounding(program: Program, answers: Answers, label: str, theirs: np.ndarray) -> bool:
    """Whether rounding can be all: of PyTorch's own results, had each been rounded otherwise, or of earlier ones.

    PyTorch is run with its numbers nudged, and with our values and gradients in the place of its own: from these it
    must come to what we have.
    """
    ours = answers.get(label)
    if ours is None or ours.shape != theirs.shape or theirs.dtype.kind != "f":
        return False
    excused = close(ours, theirs)
    if label == "loss":  # a sum: its terms may be larger than it by far
        sizes = {name: abs(x) for name, x in (program.inputs | answers).items() if x.dtype != bool}
        excused |= np.abs(ours - theirs) <= 100 * np.finfo(theirs.dtype).eps * eval(program.steps[-1].here, sizes)
    earlier = {name: x for name, x in answers.items() if name != label}
    excused |= close(ours, _again(program, label, ours=earlier))
    for turn in range(3):
        nudged = _again(program, label, functools.partial(_nudged, turn=turn))
        excused |= ~close(nudged, theirs) | (np.abs(ours - theirs) <= 100 * np.abs(nudged - theirs))
        off = np.abs(_again(program, label, functools.partial(_nudged, turn=turn, all=True)) - theirs)
        excused |= (np.abs(ours - theirs) <= off) & (off <= 1e-3 * np.abs(theirs))  # more than that is a kink
    return bool(excused.all())


def _again(program: Program, label: str, *nudge: Any, **options: Any) -> np.ndarray:
    """PyTorch's answer with other numbers on the way; its own where it does not take those."""
    try:
        answers = on_torch(program, *nudge, **options)
    except RuntimeError:
        answers = on_torch(program)
    return answers.get(label, np.zeros(()))


def _nudged(x: Any, turn: int, all: bool = False) -> Any:
    """x times nearly 1, about 500 units in the last place off at most.

    Equal numbers stay equal, and unless ``all`` are moved those that are exact in binary stay as they are: nothing
    leaves a kink, and the ties of a maximum remain.
    """
    import torch

    value = x.detach()
    exact = (value * 1024 == torch.round(value * 1024)) & (abs(value) < 2**20) & (not all) | ~torch.isfinite(value)
    bits, size = (torch.int32, 5e-5) if value.dtype == torch.float32 else (torch.int64, 1e-13)
    noise = torch.frac((value.contiguous().view(bits) % 1000003).double() * (0.618034 + turn))
    return x * torch.where(exact, 1.0, 1 + size * (2 * noise - 1)).to(x.dtype)


# ---------------------------------------------------------------------- which op is it


def _blamed(program: Program, theirs: Answers, run: Callable[[Program], Any]) -> str:
    """The op of the first step with which this raises by itself, or all ops if it takes several."""
    for step in program.steps:
        try:
            run(program.alone(step, program.inputs | theirs))
        except Exception:
            return step.op
    return _together(program)


def _together(program: Program) -> str:
    return " with ".join(sorted({step.op for step in program.steps} - {"loss"}))


def smallest(program: Program, difference: Difference) -> Program:
    """The one step that is to blame, if it goes wrong in the same way by itself; else the program without dead ends."""

    def is_as_wrong(other: Program) -> bool:
        return any(each.way == difference.way for each in differences(other, (difference.way,)))

    with quietly():
        theirs = on_torch(program)
    for step in program.steps:
        if step.op == difference.op and is_as_wrong(alone := program.alone(step, program.inputs | theirs)):
            return alone
    for step in reversed(program.steps):
        shorter = program.without(step)
        if shorter and is_as_wrong(shorter):
            program = shorter
    return program


def _must_agree(program: Program, kind: str) -> None:
    theirs, ours = on_torch(program), eagerly(program)
    assert all(same(ours[k], x, coarse=True) for k, x in theirs.items() if k.endswith(kind) and k in ours)
