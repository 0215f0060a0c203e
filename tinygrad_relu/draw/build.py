"""Build: from the record of a computation to a Picture of it, with all labels, tooltips, links and clusters."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from ..guard import changed_since
from ..record.activity import silent_on, silent_units
from ..record.reading import ModuleCall, Reading, Step, Value, blocks, saved_arrays
from ..record.source import Line
from ..record.words import described, in_full, norm, number, option, percent, plural
from .fold import Fold, folds
from .frames import Frames
from .picture import LEVELS, Arrow, Box, Picture

__all__ = ["picture"]

# Where x op y is y op x, nobody needs to know which argument an arrow is.
_SYMMETRIC = frozenset({"add", "multiply", "maximum", "minimum", "equal", "not_equal", "logaddexp", "hypot"})


def picture(reading: Reading, *, depth: int | None = None, direction: str = "LR", limit: int | None = 300) -> Picture:
    """The Picture of a computation; see ``tg.draw`` for the options."""
    units, notes = folds(reading, depth, limit)
    title = f"Computation graph of {reading.output.name or 'a tensor'}"
    made = Picture(direction=direction, notes=notes, title=title)
    received = [step.op.received for step in reading.steps if step.op.received is not None]
    builder = _Builder(made, _flows(reading), received)
    for unit in units:
        builder.add(unit)
    if not reading.steps:
        builder.value(reading.output, ())
    made.notes += _changed_since(reading)
    counts = f"{plural(len(reading.values), 'tensor')} and {plural(len(reading.steps), 'op')}"
    made.description = f"{counts} in the order of the computation."
    return made


def _changed_since(reading: Reading) -> list[str]:
    """A note about tensors that an optimizer, say, has changed since: what was computed from them is older."""
    changed = [
        value.name or value.id
        for value in reading.values
        if value.tensor is not None and any(changed_since(value.tensor._array, step.op.time) for step, _ in value.uses)
    ]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return [f"changed after the results were computed: {', '.join(changed[:3])}{more}"] if changed else []


def _flows(reading: Reading) -> dict[tuple[Step, int], np.ndarray]:
    """The gradient that went back along each arrow."""
    found = {}
    for step in reading.steps:
        for i in range(len(step.arguments)):
            sent = step.sent(i)
            if sent is not None:
                found[step, i] = sent
    return found


class _Builder:
    """Adds boxes to a picture in the order of the computation, each once, with the arrows that lead to it."""

    def __init__(self, made: Picture, flows: dict[tuple[Step, int], np.ndarray], received: list[Any]):
        self.made = made
        self.flows = flows
        self.largest = max(filter(math.isfinite, map(norm, [*flows.values(), *received])), default=0.0)
        self.drawn: set[str] = set()
        self.frames = Frames(made)

    def add(self, unit: Fold) -> None:
        """One step with its tensors, or several as one box."""
        if unit.is_folded:
            self._add_folded(unit)
        else:
            self._add_step(unit.steps[0])

    def _add_step(self, step: Step) -> None:
        for argument in step.arguments:
            self.value(argument, argument.calls)
        self.made.boxes.append(_op_box(step, self.frames.around(step.calls)))
        labels = _argument_labels(step)
        for i, argument in enumerate(step.arguments):
            self._arrow(argument.id, step.id, self.flows.get((step, i)), labels[i])
        self.value(step.result, step.calls)
        self._arrow(step.id, step.result.id, step.op.received)

    def _add_folded(self, unit: Fold) -> None:
        inside = set(unit.steps)
        results = [step.result for step in unit.steps]
        given = [(value, step, i) for step in unit.steps for i, value in enumerate(step.arguments)]
        outside = [each for each in given if each[0].maker not in inside and not _is_hidden(each[0], inside)]
        crowd = _crowd([value for value, _, _ in outside], inside)
        outside = [each for each in outside if each[0] not in crowd]
        for value, _, _ in outside:
            self.value(value, value.calls)
        box = f"fold{unit.steps[0].id[2:]}"
        self.made.boxes.append(_fold_box(box, unit, [value for value, _, _ in given], self.frames.around(unit.calls)))
        if crowd:
            self.made.boxes[-1].lines.append(plural(len(crowd), "more input"))
        sent: dict[Value, list[np.ndarray]] = {value: [] for value, _, _ in outside}
        for value, step, i in outside:
            if (step, i) in self.flows:
                sent[value].append(self.flows[step, i])
        for value, flows in sent.items():
            self._arrow(value.id, box, sum(flows[1:], flows[0]) if flows else None)
        for result in results:
            if not _is_hidden(result, inside):
                self.value(result, unit.calls)
                self._arrow(box, result.id, result.maker.op.received if result.maker else None)

    def value(self, value: Value, calls: tuple[ModuleCall, ...]) -> None:
        """The box of a tensor, unless it stands there already."""
        if value.id not in self.drawn:
            self.drawn.add(value.id)
            self.made.boxes.append(_value_box(value, self.frames.around(calls)))

    def _arrow(self, tail: str, head: str, gradient: Any, label: str = "") -> None:
        arrow = Arrow(f"e{len(self.made.arrows)}", tail, head, label)
        if gradient is not None:
            gradient = np.asarray(gradient)
            size = norm(gradient)
            arrow.gradient, arrow.level = f"|g| {number(size)}", self._level(size)
            arrow.tooltip = f"gradient that flowed back here, of size {number(size)}\n{in_full(gradient)}"
        self.made.arrows.append(arrow)

    def _level(self, size: float) -> int:
        """4 for the largest and those near it, one less for each power of ten below."""
        if not math.isfinite(size):
            return LEVELS - 1
        if not size or not self.largest:
            return 0
        return min(LEVELS - 1, max(0, LEVELS - 1 - int(math.log10(self.largest) - math.log10(size))))


def _is_hidden(value: Value, inside: set[Step]) -> bool:
    """Tell whether a value lies within a folded box: it is used only there, and is no input or output of it."""
    if value.kind in ("output", "input"):
        return False
    return (value.maker is None or value.maker in inside) and all(step in inside for step, _ in value.uses)


_SHOWN_INPUTS = 12


def _crowd(values: list[Value], inside: set[Step]) -> set[Value]:
    """Of very many inputs that are used in one folded box only, all but the first few."""
    own = [v for v in dict.fromkeys(values) if v.maker is None and all(step in inside for step, _ in v.uses)]
    return set(own[_SHOWN_INPUTS:])


# ---------------------------------------------------------------------- labels


def _value_box(value: Value, cluster: str) -> Box:
    array = value.array
    lines = [value.name] if value.name else []
    lines += [f"{array.shape} {array.dtype}", *described(array)]
    tooltip = [f"{value.kind} {value.name or ''}".strip(), f"shape {array.shape}, {array.dtype}", in_full(array)]
    if value.requires_grad:
        for title, gradient in _gradients(value):
            shown = ["not computed"] if gradient is None else described(gradient)
            lines += [f"{title} {shown[0]}"] if len(shown) == 1 and title != _EARLIER else [title, *shown]
            tooltip.append(f"{title}: not computed" if gradient is None else f"{title}:\n{in_full(gradient)}")
    return Box(value.id, value.kind, lines, "\n".join(tooltip), cluster=cluster)


_EARLIER = "grad from an earlier backward()"


def _gradients(value: Value) -> list[tuple[str, np.ndarray | None]]:
    """Gradient to show, and its title: what is in ``grad`` need not come from this graph, or not all.

    It adds up over backward passes, and hooks, clipping and users change it; then what flowed back here is shown too.
    """
    held, arrived = value.held, value.arrived
    if held is None or arrived is None:
        return [("grad", arrived)] if held is None else [(_EARLIER, held)]
    if _agree(held, arrived):
        return [("grad", held)]
    return [("grad", held), ("last backward()", arrived)]


def _agree(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two gradients are the same but for the order in which they were added up."""
    close, size = np.sqrt(np.finfo(a.dtype).eps), norm(b)
    with np.errstate(all="ignore"):
        return np.allclose(a, b, rtol=close, atol=close * size if math.isfinite(size) else 0.0, equal_nan=True)


def _op_box(step: Step, cluster: str) -> Box:
    op, marks = step.op, []
    options = [option(name, value) for name, value in op.options.items() if _is_chosen(step, name, value)]
    lines = [op.name, *options, *saved(op)]
    silent = silent_units(step.op, step.result.array)
    if silent:
        marks.append("silent")
        words = silent_on(len(step.result.array))
        lines.append(f"{len(silent)} of {plural(step.result.array[0].size, 'unit')} {words}")
    tooltip = [", ".join([op.name, *options]), step.formula]
    if step.line:
        tooltip += [_place(step.line), step.line.text]
    tooltip += [f"saved {name}:\n{in_full(array)}" for name, array in saved_arrays(op).items()]
    if silent:
        tooltip.append(f"units that are {words}, and learn nothing from them: {', '.join(map(str, silent))}")
    link = step.line.url if step.line else ""
    return Box(step.id, "op", lines, "\n".join(tooltip), link, cluster, tuple(marks))


def _place(line: Line) -> str:
    """Where the line stands; of a cell of a notebook, whose file is a number that nobody knows, only that."""
    return f"{line.file}:{line.number}" if line.url else str(line)


def _is_chosen(step: Step, name: str, value: Any) -> bool:
    """Tell whether an option is not what it would be anyway."""
    parameter = step.op.signature.parameters.get(name)
    return not _same(value, None if parameter is None else parameter.default)


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and not isinstance(a, np.ndarray) and a == b)


def _fold_box(box: str, unit: Fold, given: list[Value], cluster: str) -> Box:
    learned = list(dict.fromkeys(value for value in given if value.kind == "parameter"))
    size = sum(value.array.size for value in learned)
    lines = [unit.title]
    if len(unit.steps) > 1 and not unit.is_run:
        lines.append(plural(len(unit.steps), "op"))
    if learned:
        lines.append(plural(size, "parameter"))
    lines += _sizes(learned)
    silent: Counter[int] = Counter()  # by the number of rows
    for step in unit.steps:
        found = silent_units(step.op, step.result.array)
        if found:
            silent[len(step.result.array)] += len(found)
    lines += [f"{plural(count, 'unit')} {silent_on(rows)}" for rows, count in silent.items()]
    names = [f"{value.name or value.id} {value.array.shape}" for value in learned]
    shown = [step.op.name for step in unit.steps[:20]] + ["..."] * (len(unit.steps) > 20)
    tooltip = [*lines, "ops: " + ", ".join(shown)] + ([f"parameters: {', '.join(names[:20])}"] if names else [])
    line = unit.steps[0].line
    if line:
        tooltip += [_place(line), line.text]
    return Box(box, "fold", lines, "\n".join(tooltip), line.url if line else "", cluster, ("silent",) * bool(silent))


def _sizes(learned: list[Value]) -> list[str]:
    """From where to where the gradients of some parameters go; apart, of those that an earlier backward pass left."""
    lines = []
    for title, gap in (("grad", " "), (_EARLIER, "\n")):
        found = [gradient for value in learned for name, gradient in _gradients(value) if name == title]
        sizes = [norm(gradient) for gradient in found if gradient is not None]
        if sizes:
            words = f"their {title.replace('grad', '|g|')}{gap}{number(min(sizes), 2)} … {number(max(sizes), 2)}"
            lines += words.split("\n")
    return lines


def _argument_labels(step: Step) -> list[str]:
    """Name of each argument, where there are several and their order matters."""
    if len(step.arguments) < 2 or step.op.name in _SYMMETRIC:
        return [""] * len(step.arguments)
    return step.argument_names[: len(step.arguments)]


# ---------------------------------------------------------------------- what an op has saved


def saved(op: Any) -> list[str]:
    """In a few words what was saved: of a mask the share that is blocked, of other arrays their names."""
    words, others = [], []
    for name, array in saved_arrays(op).items():
        if blocks(op, name) and array.size:
            words.append(f"{name} {percent(array.mean())} blocked")
        elif array.size <= 4:
            words.append(f"{name} {described(array)[0]}")
        else:
            others.append(name)
    return words + ([f"saves {', '.join(others)}"] if others else [])
