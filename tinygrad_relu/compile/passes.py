"""The passes: each makes the plan of a program better and leaves its numbers as they are, bit for bit.

They run in the order of ``PASSES``, and each can be left out by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .plan import Buffer, Place, Plan, Saving, is_elementwise, key_of, replaced_in, takes_out
from .tape import Call, Memory, Value, values_in
from .updates import updates

__all__ = ["PASSES", "improve"]


def constants(plan: Plan) -> None:
    """What is computed from constants alone is computed once, before the first call."""
    written = _written(plan)
    known: set[Value] = {v for v in plan.inputs if v.kind == "constant"}
    dead = set()
    for i, call in enumerate(plan.calls):
        if call.out is not None or call.function.startswith("rng.") or call.errors:
            continue
        if any(v.memory in written or v in plan.kept for v in call.results) or not all(v in known for v in call.reads):
            continue
        known.update(call.results)
        plan.setup.append(call)
        dead.add(i)
    plan.remove(dead)


def common(plan: Plan) -> None:
    """The same computed again is not computed again."""
    written = _written(plan)
    versions: dict[Memory, int] = {}
    seen: dict[Any, Call] = {}
    same: dict[Value, Value] = {}
    dead = set()
    for i, call in enumerate(plan.calls):
        _replace(call, same)
        if call.out is not None:
            versions[call.out.memory] = versions.get(call.out.memory, 0) + 1
            continue
        if call.function.startswith("rng.") or any(v.memory in written and v.kind == "made" for v in call.results):
            continue
        written_before = tuple(versions.get(v.memory, 0) for v in call.reads)
        key = (call.function, key_of(call.arguments), key_of(call.options), call.errors, written_before)
        first = seen.setdefault(key, call)
        if first is not call:
            same.update(zip(call.results, first.results))
            dead.add(i)
    for decision in plan.decisions:
        decision.expression = replaced_in(decision.expression, same)
    plan.kept = [same.get(v, v) for v in plan.kept]
    plan.replaced = same | {old: same.get(new, new) for old, new in plan.replaced.items()}
    plan.remove(dead)


def destinations(plan: Plan) -> None:
    """A result that is only copied somewhere is written there at once, as a gradient is to its parameter's place."""
    copied = set()
    uses = plan.uses()
    makers = {value: i for i, call in enumerate(plan.calls) for value in call.results}
    for i, call in enumerate(plan.calls):
        target, value = _copy(call)
        if target is None or target.source is None:  # what a call makes is not there before it
            continue
        transposed = value.maker is not None and value.maker.function == ".T" and value.base is not None
        value = value.base if transposed else value
        if not plan.is_fresh(value) or value in plan.kept or value.memory in plan.homes:
            continue
        start = makers.get(value)
        if start is None or not takes_out(plan.calls[start]) or not _fits(value, target, transposed):
            continue
        first = start + _works_in_place(plan.calls[start], target)
        if any(_touches(other, target) for other in plan.calls[first:i]):
            continue
        last = max(uses[value.memory])
        if any(_overlap(other.out, target) for other in plan.calls[i + 1 : last + 1]):
            continue
        plan.homes[value.memory] = Place(target, transposed)
        copied.add(i)
    plan.remove(copied)


def _works_in_place(call: Call, target: Value) -> bool:
    """Whether the call can write its result over the target although it reads it: element by element."""
    read = [v for v in call.reads if _overlap(v, target)]
    return is_elementwise(call) and call.function != "np.where" and all(v is target for v in read)


def _fits(value: Value, target: Value, transposed: bool) -> bool:
    shape, dtype, strides = target.layout
    return value.layout == ((shape[::-1], dtype, strides[::-1]) if transposed else target.layout)


def dead(plan: Plan) -> None:
    """What nobody uses is not computed."""
    needed: set[Memory] = {v.memory for v in plan.kept}
    needed.update(v.memory for v in plan.inputs if v.kind == "state")
    needed.update(memory for memory, home in plan.homes.items() if isinstance(home, Place))
    used: set[Value] = set(plan.kept)
    for decision in plan.decisions:
        used.update(values_in(decision.expression))
    needed.update(v.memory for v in used)
    useless = set()
    for i in reversed(range(len(plan.calls))):
        call = plan.calls[i]
        made = (call.out,) if call.out is not None else call.results
        if call.is_view:
            alive = call.result in used
        else:
            alive = call.function.startswith("rng.") or any(v.memory in needed for v in made)
        if not alive:
            useless.add(i)
            continue
        used.update(call.reads)
        used.update((call.out,) if call.out is not None else ())
        needed.update(v.memory for v in call.reads)
    plan.remove(useless)


def numbers(plan: Plan) -> None:
    """A Python number beside arrays is made an array once: NumPy takes longer to convert it than to add it."""
    made: dict[Any, Value] = {}
    for call in plan.calls:
        arrays = [x for x in call.arguments if isinstance(x, Value)]
        dtypes = {v.array.dtype for v in arrays if v.is_array}
        alike = len(dtypes) == 1 and all(v.is_array for v in arrays) and next(iter(dtypes)).kind == "f"
        if not alike or not is_elementwise(call) or not call.function.startswith("np.") or call.options:
            continue
        if call.function in ("np.where", "np.copy", "np.power") or not all(v.is_array for v in call.results):
            continue
        (dtype,) = dtypes
        call.arguments = tuple(_as_array(x, dtype, made) for x in call.arguments)
    plan.numbers += made.values()


def _as_array(x: Any, dtype: np.dtype, made: dict[Any, Value]) -> Any:
    if hasattr(x, "expression"):
        return _as_changing_array(x, dtype, made)
    weak = type(x) in (int, float) or (isinstance(x, np.generic) and x.dtype == dtype)
    if not weak or not np.isfinite(np.array(x, dtype)):
        return x
    key = repr(float(x)), dtype
    if key not in made:
        made[key] = Value(np.array(x, dtype), Memory("constant"), hint=f"{x:g}")
    return made[key]


def copies(plan: Plan) -> None:
    """A copy that nobody writes into is not made, if the original stays as it is: both are the same."""
    written = _written(plan)
    uses = plan.uses()
    same: dict[Value, Value] = {}
    useless = set()
    for i, call in enumerate(plan.calls):
        _replace(call, same)
        if not _is_copy(call) or call.result.memory in written:
            continue
        original, copy = call.arguments[0], call.result
        later = plan.calls[i + 1 : max(uses[copy.memory])]
        if copy.layout == original.layout and not any(_overlap(other.out, original) for other in later):
            same[copy] = original
            useless.add(i)
    plan.kept = [same.get(v, v) for v in plan.kept]  # what is returned is copied at the end, if it lies where it stays
    plan.replaced = same | {old: same.get(new, new) for old, new in plan.replaced.items()}
    for decision in plan.decisions:
        decision.expression = replaced_in(decision.expression, same)
    plan.remove(useless)


def _is_copy(call: Call) -> bool:
    original = call.arguments[0] if call.arguments else None
    if not isinstance(original, Value) or not original.is_array:
        return False
    if call.function == ".astype":
        alike = len(call.arguments) == 2 and np.dtype(call.arguments[1]) == original.array.dtype
        return alike and call.options in ({}, {"copy": False})
    return call.function in (".copy", "np.copy") and len(call.arguments) == 1 and not call.options


def _as_changing_array(x: Any, dtype: np.dtype, made: dict[Any, Value]) -> Any:
    """The same for a number that is another one in each call, such as a learning rate, if it is known at the start."""
    known = all(v.source is not None for v in values_in(x.expression))
    if not known or type(x.value) is not float or not np.isfinite(np.array(x.value, dtype)):
        return x
    key = key_of(x), dtype
    if key not in made:
        made[key] = Value(np.array(x.value, dtype), Memory("constant"), hint="number", formula=x.expression)
    return made[key]


def masks(plan: Plan) -> None:
    """np.where(mask, 0, x) of a large array by its bits: where the mask is true all of them become 0.

    NumPy decides element by element, and a processor that guesses wrong half the time takes ten times as long.
    """
    plan.replace({i: _by_bits(plan, call) for i, call in enumerate(plan.calls) if _zeroes_where(call)})


_LARGE = 2048
_BITS = {2: np.int16, 4: np.int32, 8: np.int64}


def _zeroes_where(call: Call) -> bool:
    if call.function != "np.where" or len(call.arguments) != 3 or not takes_out(call):
        return False
    mask, zero, x = call.arguments
    fits = isinstance(x, Value) and x.is_array and x.layout == call.result.layout and x.array.dtype.kind == "f"
    fits = fits and mask.array.shape == x.array.shape and x.array.dtype.itemsize in _BITS
    return fits and type(zero) in (int, float) and repr(float(zero)) == "0.0" and x.array.nbytes >= 4 * _LARGE


def _by_bits(plan: Plan, call: Call) -> list[Call]:
    mask, _, x = call.arguments
    whole = _BITS[x.array.dtype.itemsize]
    ones = [v for v in plan.numbers if v.array.dtype == whole] or [
        Value(np.array(1, whole), Memory("constant"), hint="1")
    ]
    plan.numbers += [] if ones[0] in plan.numbers else ones

    def step(function: str, arguments: tuple, options: dict[str, Any], array: Any, base: Any = None) -> Call:
        made = Call(function, arguments, options, origin=call.origin, errors=call.errors)
        made.results = (Value(array, base.memory if base else Memory("made"), base=base, maker=made),)
        return made

    keep = step("np.subtract", (mask, ones[0]), {"dtype": whole}, np.empty_like(x.array, whole))
    bits = step(".view", (x, whole), {}, x.array.view(whole), base=x)
    both = step("np.bitwise_and", (bits.result, keep.result), {}, np.empty_like(x.array, whole))
    back = Call(".view", (both.result, x.array.dtype), {}, (call.result,), origin=call.origin)
    call.result.base, call.result.memory, call.result.maker = both.result, both.result.memory, back
    return [keep, bits, both, back]


def views(plan: Plan) -> None:
    """Views of what stays where it is, such as a transposed weight, are made once; the spelling sees to it."""


def buffers(plan: Plan) -> None:
    """Each result has a place of its own, which is allocated once."""
    kept = {v.memory for v in plan.kept}
    for call in plan.calls:
        value = call.result
        if value is None or not plan.is_fresh(value) or not takes_out(call):
            continue
        if value.memory not in plan.homes and value.memory not in kept:
            plan.homes[value.memory] = Buffer(value.array.nbytes, value.layout, first=value)


def inplace(plan: Plan) -> None:
    """Elementwise results are written over an argument that nobody needs any more."""
    uses = plan.uses()
    for i, call in enumerate(plan.calls):
        value = call.result
        home = plan.homes.get(value.memory) if value is not None and value.is_array else None
        if not isinstance(home, Buffer) or home.first is not value or not is_elementwise(call):
            continue
        for old in _candidates(call):
            there = plan.homes.get(old.memory)
            alone = [v for v in call.reads if v.memory is old.memory] == [old]
            if not isinstance(there, Buffer) or not alone or not old.layout == home.layout == there.layout:
                continue
            if _last_use(plan, uses, there) == i:
                _move(plan, home, there)
                break


def reuse(plan: Plan) -> None:
    """Buffers that are not needed at the same time share their memory."""
    uses = plan.uses()
    spans: dict[Buffer, tuple[int, int]] = {}
    for memory, home in plan.homes.items():
        if isinstance(home, Buffer):
            first, last = spans.get(home, (len(plan.calls), -1))
            spans[home] = min(first, *uses[memory]), max(last, *uses[memory])
    free: list[tuple[int, Buffer]] = []
    for home, (first, last) in sorted(spans.items(), key=lambda item: item[1]):
        fitting = [pair for pair in free if pair[0] < first and pair[1].nbytes >= home.nbytes]
        if fitting:
            best = min(fitting, key=lambda pair: pair[1].nbytes)
            free.remove(best)
            _move(plan, home, best[1])
            home = best[1]
        free.append((last, home))


def _candidates(call: Call) -> list[Value]:
    """The arguments that the result could be written over; the last one of np.where first, which then stays in part."""
    arguments = [x for x in call.arguments if isinstance(x, Value) and x.is_array]
    if call.function == "np.where":
        return [x for x in (call.arguments[2],) if isinstance(x, Value) and x.is_array]
    return [] if call.function in (".copy", "np.copy", ".astype") else arguments


def _last_use(plan: Plan, uses: dict[Memory, list[int]], home: Buffer) -> int:
    return max(max(uses[memory]) for memory, there in plan.homes.items() if there is home)


def _move(plan: Plan, home: Buffer, there: Buffer) -> None:
    for memory, each in plan.homes.items():
        if each is home:
            plan.homes[memory] = there


def _copy(call: Call) -> tuple[Any, Any]:
    """Target and value of a call that copies all of an array, or (None, None)."""
    if call.function == "[]=" and call.arguments[1] is Ellipsis:
        target, _, value = call.arguments
    elif call.function == "np.copyto" and len(call.arguments) == 2 and not call.options:
        target, value = call.arguments
    else:
        return None, None
    return (target, value) if isinstance(value, Value) and value.is_array else (None, None)


def _touches(call: Call, target: Value) -> bool:
    return any(_overlap(v, target) for v in (*call.reads, *call.results, call.out))


def _overlap(a: Value | None, b: Value) -> bool:
    """Whether they may lie, in part, in the same place."""
    return a is not None and a.memory is b.memory and np.may_share_memory(a.array, b.array)


def _writes(call: Call) -> list[Memory]:
    return [call.out.memory] if call.out is not None else []


def _written(plan: Plan) -> set[Memory]:
    return {memory for call in plan.calls for memory in _writes(call)}


def _replace(call: Call, same: dict[Value, Value]) -> None:
    if same:
        call.arguments = replaced_in(call.arguments, same)
        call.options = replaced_in(call.options, same)
        for value in call.results:
            if value.base in same:
                value.base = same[value.base]
                value.memory = value.base.memory
            elif value.base is not None:
                value.memory = value.base.memory
        if call.out is not None:
            call.out = same.get(call.out, call.out)


_IN_ORDER = (
    constants, common, copies, updates, masks, numbers, destinations, dead, views, buffers, inplace, reuse,
)  # fmt: skip
PASSES: dict[str, Callable[[Plan], None]] = {each.__name__: each for each in _IN_ORDER}


def improve(plan: Plan, without: Collection[str] = ()) -> None:
    """Run the passes, but those that are named in ``without``, and note what each has saved."""
    plan.without = frozenset(without)
    before = plan.size()
    for name, each in PASSES.items():
        if name in without:
            continue
        each(plan)
        after = plan.size()
        plan.savings.append(Saving(name, *(b - a for b, a in zip(before, after))))
        before = after
