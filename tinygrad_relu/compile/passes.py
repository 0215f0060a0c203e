"""Passes: a Plan says which calls are made in each run, which once, and where results lie; each pass makes it better.

A pass is a function of the Plan. It may be left out: the program then computes the same with more calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .tape import Call, Condition, Expression, Tape, Value, mapped, values_in


class Saving(NamedTuple):
    """A pass, and how many calls of NumPy it has saved in each run."""

    name: str
    calls: int


@dataclass
class Plan:
    """The calls of a program. ``kept`` are the values that it gives back or leaves in the state."""

    calls: list[Call]
    conditions: list[Condition]
    kept: list[Value]
    once: list[Call] = field(default_factory=list)  # made when the program is
    same: dict[Value, Value] = field(default_factory=dict)  # values that need not be made, for they are others
    home: dict[Value, Any] = field(default_factory=dict)  # a result -> where it is written; None: its own memory
    savings: list[Saving] = field(default_factory=list)

    @classmethod
    def of(cls, tape: Tape, kept: list[Value], without: Any) -> Plan:
        """The plan of a tape, made better by all passes but those ``without``."""
        plan = cls(list(tape.calls), list(tape.conditions), kept)
        for name, improve in PASSES.items():
            if name not in without:
                before = plan.count()
                improve(plan)
                plan.savings.append(Saving(name, before - plan.count()))
        return plan

    def count(self) -> int:
        """The number of calls; a view by ``.T`` is none."""
        return sum(call.function != ".T" for call in self.calls)

    def now(self, value: Value) -> Value:
        """The value that stands for this one now."""
        while value in self.same:
            value = self.same[value]
        return value

    def replace(self) -> None:
        """Let all calls read the values that stand for others now."""
        for call in self.calls:
            call.arguments, call.options = self.replaced(call.arguments), self.replaced(call.options)
            call.out = call.out and self.now(call.out)
        for condition in self.conditions:
            condition.expression = self.replaced(condition.expression)
        self.kept = [self.now(value) for value in self.kept]

    def replaced(self, thing: Any) -> Any:
        """The same with the values that stand for others now."""
        if isinstance(thing, Value):
            return self.now(thing)
        if isinstance(thing, Expression):
            return Expression(thing.value, self.replaced(thing.formula))
        return mapped(self.replaced, thing) if isinstance(thing, (tuple, list, dict, slice)) else thing

    def remove(self, useless: set[int]) -> None:
        """Leave calls out; conditions stay behind the calls that they were behind."""
        left = np.cumsum([0, *(i not in useless for i in range(len(self.calls)))]).tolist()
        self.calls = [call for i, call in enumerate(self.calls) if i not in useless]
        for condition in self.conditions:
            condition.after = left[condition.after]

    def last_uses(self) -> dict[Value, int]:
        """For each memory: the number of the last call that reads or writes it."""
        last: dict[Value, int] = {}
        for i, call in enumerate(self.calls):
            last.update(dict.fromkeys([v.root for v in (*call.reads, *([call.out] if call.out else []))], i))
        for condition in self.conditions:
            for v in values_in(condition.expression):
                last[v.root] = max(last.get(v.root, 0), condition.after)
        last.update({value.root: len(self.calls) for value in self.kept})
        return last

    def is_written(self, value: Value, start: int, end: int) -> bool:
        """Tell whether one of these calls writes into the memory of the value."""
        return any(call.out is not None and _overlap(call.out, value) for call in self.calls[start:end])


def _overlap(a: Value, b: Value) -> bool:
    return a.root is b.root and (not (a.is_array and b.is_array) or np.may_share_memory(a.array, b.array))


def copies(plan: Plan) -> None:
    """Leave out copies of what stays as it is, and ``x[...]``, which is x."""
    last = plan.last_uses()
    written = {call.out.root for call in plan.calls if call.out is not None}
    useless = set()
    for i, call in enumerate(plan.calls):
        source, result = call.arguments[0] if call.arguments else None, call.result
        if result is None or not isinstance(source, Value) or not (source.is_array and result.is_array):
            continue
        if plan.now(source).layout != result.layout:
            continue
        is_itself = call.function == "[]" and call.arguments[1] is Ellipsis
        is_itself |= call.function == ".astype" and call.options.get("copy") is False  # of the same dtype
        is_copy = call.function in (".copy", "np.copy") and result.root not in written
        if is_itself or (is_copy and not plan.is_written(plan.now(source), i, last.get(result, i) + 1)):
            if result in plan.kept and not is_itself and plan.now(source).kind != "made":
                continue
            plan.same[result] = source
            useless.add(i)
    plan.remove(useless)
    plan.replace()


def common(plan: Plan) -> None:
    """Make a call once that is made twice with the same arguments."""
    seen: dict[Any, tuple[int, Call]] = {}
    written = {call.out.root for call in plan.calls if call.out is not None}
    useless = set()
    for i, call in enumerate(plan.calls):
        call.arguments, call.options = plan.replaced(call.arguments), plan.replaced(call.options)
        if call.result is None or call.out is not None or call.function.startswith(("rng.", "np.empty")):
            continue
        key = (call.function, _key(call.arguments), _key(call.options))
        first: Any = seen.get(key)
        stays = first and (
            call.is_view
            or (
                not (call.result.root in written or first[1].result.root in written)
                and not any(plan.is_written(v, first[0], i) for v in call.reads)
            )
        )
        if stays:
            plan.same[call.result] = first[1].result
            useless.add(i)
        else:
            seen[key] = i, call
    plan.remove(useless)
    plan.replace()


def _key(thing: Any) -> Any:
    if isinstance(thing, (tuple, list)):
        return type(thing), tuple(_key(item) for item in thing)
    if isinstance(thing, dict):
        return tuple((name, _key(item)) for name, item in thing.items())
    if isinstance(thing, slice):
        return slice, _key((thing.start, thing.stop, thing.step))
    if isinstance(thing, Expression):
        return Expression, _key(thing.formula)
    return id(thing) if isinstance(thing, Value) else (type(thing), repr(thing))


def dead(plan: Plan) -> None:
    """Leave out what nobody uses."""
    used = {v for value in plan.kept for v in (value, value.root)}
    used.update(u for condition in plan.conditions for v in values_in(condition.expression) for u in (v, v.root))
    useless = set()
    for i in reversed(range(len(plan.calls))):
        call = plan.calls[i]
        made = [call.out.root] if call.out is not None else [v.root for v in call.results]
        needed = call.function.startswith("rng.") or any(v.kind != "made" or v in used for v in made)
        if call.out is None and call.is_view and call.result.root.kind != "made":
            needed = call.result in used
        if not needed:
            useless.add(i)
        else:
            used.update(v for read in call.reads for v in (read, read.root))
    plan.remove(useless)


def destinations(plan: Plan) -> None:
    """Let a result that is only copied somewhere be written there at once."""
    makers = {call.result: i for i, call in enumerate(plan.calls) if call.result is not None}
    last, useless = plan.last_uses(), set()
    for i, call in enumerate(plan.calls):
        if call.function != "[]=" or call.arguments[1] is not Ellipsis:
            continue
        target, value = call.out, call.arguments[2]
        if not isinstance(value, Value) or value.kind != "made" or target.root.kind == "made":
            continue
        turned = (
            value.maker is not None and value.maker.function == ".T" and isinstance(value.maker.arguments[0], Value)
        )
        fresh = plan.now(value.maker.arguments[0]) if turned else value
        place = target.array.T if turned else target.array
        start = makers.get(fresh)
        if start is None or fresh in plan.home or not takes_out(plan.calls[start]):
            continue
        if fresh.layout != (place.shape, place.dtype, place.strides):
            continue
        first = start + is_elementwise(plan.calls[start])  # which may read what it writes over
        between = [v for c in plan.calls[first:i] if not c.is_view for v in (*c.reads, *([c.out] if c.out else []))]
        if any(_overlap(v, target) for v in between) or plan.is_written(target, i + 1, last.get(fresh, i) + 1):
            continue
        plan.home[fresh] = target if not turned else Value(place, "state", base=target, maker=value.maker)
        plan.same[value] = target
        useless.add(i)
    plan.remove(useless)
    plan.kept = [plan.now(value) for value in plan.kept]


def once(plan: Plan) -> None:
    """Make constants, and views of what stays where it is, only once."""
    written = {call.out.root for call in plan.calls if call.out is not None}
    useless: set[int] = set()
    ready: set[Value] = set()  # all that is there before the first call
    constants: set[Value] = set()  # those that no call changes
    for i, call in enumerate(plan.calls):
        if call.out is not None or call.function.startswith("rng.") or not call.results:
            continue
        known = all(v in ready or v.fixed for v in call.reads) and not any(_has_number(x) for x in call.arguments)
        allocates = call.function in ("np.empty", "np.empty_like")
        constant = all((v.root in constants or v.root.kind == "constant") and v.root not in written for v in call.reads)
        fresh = [v for v in call.results if v.root in written or v in plan.kept]
        if known and (call.is_view or allocates or (constant and not fresh)) and call.function != ".T":
            ready.update(call.results)
            constants.update(call.results if constant and not allocates else ())
            plan.once.append(call)
            useless.add(i)
    plan.remove(useless)


def _has_number(thing: Any) -> bool:
    return any(not v.is_array and v.kind == "state" for v in values_in(thing))


def memory(plan: Plan) -> None:
    """Let each result lie in memory of its own, which is made once."""
    kept = {value.root for value in plan.kept}
    for call in plan.calls:
        value = call.result
        if value is not None and value not in plan.home and value not in kept and takes_out(call):
            plan.home[value] = None


def is_elementwise(call: Call) -> bool:
    """Tell whether the call may write over what it reads; ``np.where`` may not, for it is written in two steps."""
    ufunc = getattr(np, call.function.removeprefix("np."), None)
    return isinstance(ufunc, np.ufunc) and ufunc.signature is None


def takes_out(call: Call) -> bool:
    """Tell whether the call can write its result into memory that is there."""
    v = call.result
    if v is None or v.base is not None or not v.is_array or not v.array.size:
        return False
    if not isinstance(getattr(np, call.function.partition(".")[2].partition(".")[0], None), (np.ufunc, type(np.dot))):
        return False
    if call.function == "np.where":
        condition, *others = call.arguments
        fits = isinstance(condition, Value) and condition.array.dtype == bool and len(others) == 2
        return fits and v.array.flags.forc
    if call.function == "np.dot":
        return bool(v.array.flags.c_contiguous)
    name, _, method = call.function.removeprefix("np.").partition(".")
    ufunc = getattr(np, name, None)
    return isinstance(ufunc, np.ufunc) and ufunc.nout == 1 and method in ("", "reduce") and v.array.flags.forc


PASSES: dict[str, Callable[[Plan], None]] = {
    each.__name__: each for each in (copies, common, dead, destinations, once, memory)
}
