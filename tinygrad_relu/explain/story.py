"""Story: a computation and its backward pass as a list of steps, with all numbers: what the explorer shows.

The data are plain lists, dicts, numbers and text, so that they can become JSON. Every array stands once in ``arrays``,
and is referred to by its index there.
"""

from __future__ import annotations

import base64
import inspect
import math
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..graph import topological_order
from ..record.activity import silent_units
from ..record.order import compare
from ..record.reading import Reading, Step, Value, blocks, saved_arrays, saved_attributes
from ..record.words import number, written
from .rule import rules

__all__ = ["story"]

_NUMBERS = 64  # elements, up to which an array is given as numbers
_SIDE = 64  # rows and columns of a heat map at most
_PACKAGE = Path(__file__).resolve().parent.parent


def story(reading: Reading, gradient: np.ndarray, found: Mapping[Any, Any]) -> dict[str, Any]:
    """The whole story. ``gradient`` is what the backward pass started with, ``found`` what it brought to the leaves."""
    arrays = _Arrays()
    labels = _value_labels(reading)
    teller = _Teller(reading, arrays)
    values, ops = {v: i for i, v in enumerate(reading.values)}, {s: i for i, s in enumerate(reading.steps)}
    forward = teller.forward(values, ops)
    backward = teller.backward(values, ops, gradient, found)
    paths = _paths(reading)
    title = reading.output.name or labels[reading.output]
    return {
        "version": 1,
        "title": title,
        "subtitle": "",
        "forward_steps": len(forward),
        "values": [_value(value, labels, ops, paths, teller, arrays) for value in reading.values],
        "ops": [_op(step, label, values, teller, arrays) for step, label in zip(reading.steps, _op_labels(reading))],
        "steps": forward + backward,
        "compare": compare(),
        "arrays": arrays.found,
    }


# ---------------------------------------------------------------------- the steps


class _Teller:
    """Goes through the computation, forward and then backward, and notes each message along an arrow."""

    def __init__(self, reading: Reading, arrays: _Arrays):
        self.reading = reading
        self.arrays = arrays
        self.totals: dict[Value, np.ndarray] = {}  # the gradient of each value, as far as it has arrived
        self.edges: dict[tuple[Step, int], str] = {}
        self.out_edges: dict[Step, str] = {}
        self.expected = Counter(
            argument for step in reading.steps for i, argument in enumerate(step.arguments) if step.sent(i) is not None
        )

    def forward(self, values: dict[Value, int], ops: dict[Step, int]) -> list[dict[str, Any]]:
        """Every argument goes to its op, then the op computes."""
        steps: list[dict[str, Any]] = [{"phase": "forward", "kind": "start"}]
        for step in self.reading.steps:
            for i, argument in enumerate(step.arguments):
                self.edges[step, i] = f"e{len(self.edges) + len(self.out_edges)}"
                steps.append(
                    {"phase": "forward", "kind": "send", "op": ops[step], "argument": i, "value": values[argument]}
                )
            self.out_edges[step] = f"e{len(self.edges) + len(self.out_edges)}"
            steps.append({"phase": "forward", "kind": "compute", "op": ops[step], "value": values[step.result]})
        return steps

    def backward(
        self, values: dict[Value, int], ops: dict[Step, int], gradient: np.ndarray, found: Mapping[Any, Any]
    ) -> list[dict[str, Any]]:
        """In topological order: each node, once its gradient is complete, sends one message to each argument."""
        output = self.reading.output
        of_node = {value.tensor: value for value in values}
        self.totals[output] = gradient
        steps: list[dict[str, Any]] = [self._told("seed", value=values[output], sent=self.arrays.add(gradient))]
        missing = self.expected.copy()
        for node in topological_order([output.tensor]):
            value = of_node[node]
            step = value.maker
            final = found.get(node) if step is None else step.op.received
            if final is None:
                continue
            steps += self._hooked(value, values, np.asarray(final))
            if step is None:
                continue
            received = self.arrays.add(self.totals[value])
            steps.append(self._told("rule", op=ops[step], value=values[value], received=received))
            for i, argument in enumerate(step.arguments):
                if step.sent(i) is not None:
                    missing[argument] -= 1
                    steps.append(self._returned(step, i, argument, values, ops, missing[argument]))
        steps.append(self._told("end"))
        return steps

    def _returned(self, step: Step, i: int, argument: Value, values: Any, ops: Any, missing: int) -> dict[str, Any]:
        sent, raw, before = step.sent(i), np.asarray(step.op.sent[i]), self.totals.get(argument)
        assert sent is not None
        after = sent if before is None else np.asarray(before + sent)
        self.totals[argument] = after
        return self._told(
            "return",
            op=ops[step],
            argument=i,
            value=values[argument],
            sent=self.arrays.add(sent),
            raw_shape=None if raw.shape == sent.shape else list(raw.shape),
            before=None if before is None else self.arrays.add(before),
            after=self.arrays.add(after),
            missing=missing,
        )

    def _hooked(self, value: Value, values: dict[Value, int], final: np.ndarray) -> list[dict[str, Any]]:
        """The step in which a hook has put another gradient in the place of what had arrived, if one has."""
        before = self.totals[value]
        self.totals[value] = final
        if np.array_equal(before, final, equal_nan=True):
            return []
        return [self._told("hook", value=values[value], before=self.arrays.add(before), after=self.arrays.add(final))]

    @staticmethod
    def _told(kind: str, **what: Any) -> dict[str, Any]:
        return {"phase": "backward", "kind": kind, **what}


# ---------------------------------------------------------------------- values and ops


def _value(value: Value, labels: Any, ops: Any, paths: Any, teller: _Teller, arrays: _Arrays) -> dict[str, Any]:
    total = teller.totals.get(value)
    return {
        "id": value.id,
        "kind": value.kind,
        "label": labels[value],
        "name": value.name,
        "module": _module(value.calls),
        "shape": list(value.array.shape),
        "dtype": str(value.array.dtype),
        "requires_grad": value.requires_grad,
        "array": arrays.add(value.array),
        "grad": None if total is None else arrays.add(total),
        "maker": None if value.maker is None else ops[value.maker],
        "uses": [[ops[step], i] for step, i in value.uses],
        "expected": teller.expected[value],
        "paths": str(paths.get(value, 0)),
    }


def _op(step: Step, label: str, values: dict[Value, int], teller: _Teller, arrays: _Arrays) -> dict[str, Any]:
    op, kind = step.op, cast(Any, type(step.op))
    attributes = saved_attributes(op)
    mask = next((array for name, array in saved_arrays(op).items() if array.size and blocks(op, name)), None)
    return {
        "id": step.id,
        "name": op.name,
        "label": label,
        "formula": step.formula,
        "forward": _source(kind.forward),
        "backward": _source(kind.backward),
        "source": _source_place(kind),
        "options": [[name, written(value, 80)] for name, value in op.options.items() if value is not None],
        "arguments": [values[argument] for argument in step.arguments],
        "names": step.argument_names[: len(step.arguments)],
        "edges": [teller.edges[step, i] for i in range(len(step.arguments))],
        "out_edge": teller.out_edges[step],
        "result": values[step.result],
        "module": _module(step.calls),
        "line": _line(step),
        "saved": [_saved(name, value, arrays) for name, value in attributes.items()],
        "blocked": None if mask is None else float(mask.mean()),
        "silent": silent_units(op, step.result.array) or None,
        "rules": rules(step),
        "received": None if op.received is None else arrays.add(np.asarray(op.received)),
    }


def _module(calls: Any) -> str:
    return " / ".join(call.label for call in calls)


def _line(step: Step) -> dict[str, Any] | None:
    line = step.line
    if line is None:
        return None
    return {"file": line.name, "number": line.number, "text": line.text, "url": line.url}


def _saved(name: str, value: Any, arrays: _Arrays) -> dict[str, Any]:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub":
        return {"name": name, "array": arrays.add(np.asarray(value))}
    return {"name": name, "text": written(value, 200)}


@lru_cache(maxsize=256)  # a search through a file, and one op is applied many times
def _source(method: Any) -> str | None:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(method))
    except (OSError, TypeError):  # typed at a prompt that keeps no text
        return None


@lru_cache(maxsize=256)
def _source_place(cls: type) -> dict[str, Any] | None:
    try:
        path, number_ = Path(inspect.getsourcefile(cls) or ""), inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return None
    path = path.resolve() if path.exists() else path
    inside = path.is_relative_to(_PACKAGE)
    return {
        "file": str(path.relative_to(_PACKAGE.parent)) if inside else path.name,
        "number": number_,
        "url": f"{path.as_uri()}#L{number_}" if path.is_absolute() else "",
    }


def _value_labels(reading: Reading) -> dict[Value, str]:
    """A short name for each value, told apart by numbers where variables are used again: x, x #2, x #3."""
    seen: Counter[str] = Counter()
    labels = {}
    for value in reading.values:
        label = (value.name or _unnamed(value)).encode("utf-8", "replace").decode()  # what no terminal can print
        seen[label] += 1
        labels[value] = label if seen[label] == 1 else f"{label} #{seen[label]}"
    return labels


def _unnamed(value: Value) -> str:
    if value.kind == "constant" and not value.array.ndim:
        return number(value.array[()])
    return {"constant": "constant", "input": "input", "parameter": "weight"}.get(value.kind, value.id)


def _op_labels(reading: Reading) -> list[str]:
    """The op's name, with a number where it occurs more than once."""
    counts = Counter(step.op.name for step in reading.steps)
    seen: Counter[str] = Counter()
    labels = []
    for step in reading.steps:
        name = step.op.name
        seen[name] += 1
        labels.append(f"{name} {seen[name]}" if counts[name] > 1 else name)
    return labels


def _paths(reading: Reading) -> dict[Value, int]:
    """How often naive recursion would visit each value that needs a gradient: once for each way to it."""
    found = {reading.output: 1}
    for step in reversed(reading.steps):
        ways = found.get(step.result, 0)
        for argument in step.arguments:
            if argument.requires_grad:
                found[argument] = found.get(argument, 0) + ways
    return found


# ---------------------------------------------------------------------- arrays


class _Arrays:
    """A table in which each array stands once, small ones as numbers and large ones as heat maps."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._index: dict[Any, int] = {}

    def add(self, array: np.ndarray) -> int:
        """The index of the array in the table."""
        key = (array.shape, str(array.dtype), array.tobytes())
        if key not in self._index:
            self._index[key] = len(self.found)
            self.found.append(_small(array) if array.size <= _NUMBERS else _large(array))
        return self._index[key]


def _small(array: np.ndarray) -> dict[str, Any]:
    return {**_kind(array), "values": [_json(x) for x in array.reshape(-1)]}


def _large(array: np.ndarray) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        low, high = (finite.min(), finite.max()) if finite.size else (array.dtype.type(0), array.dtype.type(0))
        mean = (finite / max(finite.size, 1)).sum(dtype=np.float64)  # the sum itself may be too large
    return {
        **_kind(array),
        "min": _json(low),
        "mean": float(f"{mean:.6g}"),
        "max": _json(high),
        "nonfinite": int(array.size - finite.size),
        "map": _map(array, float(low), float(high)),
    }


def _kind(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": str(array.dtype)}


def _json(x: Any) -> Any:
    """A number that reads back as it was: the shortest digits of its own dtype; "nan", "inf" and "-inf" are text."""
    if x.dtype.kind == "b":
        return bool(x)
    if x.dtype.kind in "iu":
        return int(x) if abs(int(x)) <= 2**53 else str(x)  # JavaScript would round it
    return float(str(x)) if math.isfinite(x) else str(x)


def _map(array: np.ndarray, low: float, high: float) -> dict[str, Any]:
    """One byte for each element, or for the mean of a block of elements where there are too many."""
    grid = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(1, -1)
    if grid.shape[0] == 1 and grid.shape[1] > _SIDE:  # a long vector is broken into lines
        filler = -grid.shape[1] % _SIDE
        grid = np.concatenate([grid[0], np.full(filler, grid[0, -1])]).reshape(-1, _SIDE)
    small = _shrunk(_shrunk(grid.astype(np.float64), 0), 1)
    span = high - low
    with np.errstate(all="ignore"):
        levels = np.nan_to_num((small - low) / (span or 1.0) * 255, nan=0.0, posinf=255.0, neginf=0.0)
    data = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return {
        "rows": data.shape[0],
        "cols": data.shape[1],
        "low": float(f"{low:.6g}"),
        "high": float(f"{high:.6g}"),
        "data": base64.b64encode(data.tobytes()).decode(),
        "shrunk": data.size < grid.size,
    }


def _shrunk(grid: np.ndarray, axis: int) -> np.ndarray:
    size = grid.shape[axis]
    if size <= _SIDE:
        return grid
    starts = np.arange(_SIDE) * size // _SIDE
    with np.errstate(all="ignore"):
        sums = np.add.reduceat(grid, starts, axis=axis)
    counts = np.diff([*starts, size]).reshape((-1, 1) if axis == 0 else (1, -1))
    return sums / counts
