"""Updates: parameters that a function changes one at a time are laid end to end, and changed as one.

An optimizer of the package does so by itself (optim/flat.py). For a function with an update of its own, such as
``for p in model.parameters(): p.data -= lr * p.grad.data``, ``lay`` gives the parameters one vector to live in, and
``updates`` makes the calls for one parameter after the other a single call for that vector.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..guard import owner_of
from ..nn.parameter import Parameter
from ..optim.flat import Flat
from ..tensor import Tensor
from .plan import Plan, address_of, is_elementwise, key_of
from .tape import Call, Memory, Source, Value, values_in

__all__ = ["can_move", "lay", "same_order", "updates"]


# ---------------------------------------------------------------------- the vector


def lay(tensors: Iterable[Tensor]) -> list[Flat]:
    """Lay the parameters among the tensors end to end, those of each dtype in a vector of their own.

    Weights come before biases, which are often not updated alike. Left where they are: what is no Parameter, what an
    optimizer has laid already, and what is alone.
    """
    groups: dict[Any, list[Parameter]] = {}
    for t in sorted(tensors, key=lambda each: -each.ndim):
        if isinstance(t, Parameter) and t._slot is None and isinstance(t._array, np.ndarray):
            groups.setdefault(t.dtype, []).append(t)
    return [Flat(group) for group in groups.values() if len(group) > 1]


def can_move(t: Tensor) -> bool:
    """Whether nobody would notice if the tensor lived in another array: it is a plain one that nobody else holds."""
    data: Any = t._array
    if not isinstance(data, np.ndarray) or not data.flags.writeable:
        return False
    owner = data if data.base is None else data.base
    if type(owner) is not np.ndarray or not owner.flags.owndata:
        return False
    del data, owner
    dense = t._array.flags.c_contiguous or t._array.flags.f_contiguous
    return dense and all(now <= alone for now, alone in zip(_references(t), _ALONE))


def same_order(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of one shape lie in memory in the same order; axes of length 1 have none."""
    steps = [[s // x.itemsize for s, n in zip(x.strides, x.shape) if n > 1] for x in (a, b)]
    return steps[0] == steps[1]


def _references(t: Tensor) -> tuple[int, int]:
    """How many hold its array, and the one that this is a view of."""
    data = t._array
    base = data.base if isinstance(data, np.ndarray) else None
    return sys.getrefcount(data), 0 if base is None else sys.getrefcount(base)


_ALONE = _references(Tensor._from_array(np.empty(2)[:1]))  # what Python itself holds while it counts


# ---------------------------------------------------------------------- the pass


@dataclass(eq=False)
class _Write:
    """A call that writes over a part of a vector, and all that is computed only for it, element by element."""

    call: Call
    part: Value  # which it writes over
    start: int  # of the part in the vector, in elements
    formula: Any  # equal for writes that do the same to parts that lie alike
    tree: list[Call]  # what is computed only for it, in the order of the program


def updates(plan: Plan) -> None:
    """What is done to one parameter after the other is done once, to the vector that they are parts of."""
    while True:  # where one has been merged, another may be free to be
        free = [writes for writes in _runs(_writes(plan)) if _can_wait(plan, writes)]
        if not free:
            return
        _merge(plan, free[0])


def _writes(plan: Plan) -> list[_Write]:
    users = _users(plan)
    makers = {value: call for call in plan.calls for value in call.results}
    found = []
    for call in plan.calls:
        if call.out is None or call.out.kind != "state" or not (_overwrites(call) or _is_in_place(call)):
            continue
        if call.out.array.size and _vector_of(call.out) is not None:
            tree: list[Call] = []
            formula = _formula(call, call.out, users, makers, tree)
            start = _offset(call.out) // call.out.array.itemsize
            found.append(_Write(call, call.out, start, formula, tree[::-1]))
    return found


def _runs(writes: list[_Write]) -> Iterator[list[_Write]]:
    """Writes of one formula over parts that lie end to end, two or more."""
    groups: dict[Any, list[_Write]] = {}
    for write in writes:
        groups.setdefault((id(write.part.memory), write.formula), []).append(write)
    for group in groups.values():
        run: list[_Write] = []
        for write in sorted(group, key=lambda each: each.start):
            if run and run[-1].start + run[-1].part.array.size != write.start:
                if len(run) > 1:
                    yield run
                run = []
            run.append(write)
        if len(run) > 1:
            yield run


def _overwrites(call: Call) -> bool:
    """``target[...] = value``"""
    return call.function == "[]=" and call.arguments[1] is Ellipsis and isinstance(call.arguments[2], Value)


def _is_in_place(call: Call) -> bool:
    """``np.add(a, b, out=target)``"""
    return call.function.startswith("np.") and is_elementwise(call) and not call.options


def _formula(
    call: Call, target: Value, users: dict[Value, int], makers: dict[Value, Call], tree: list[Call]
) -> tuple[Any, ...]:
    """What the call does, and what is computed only for it, which is added to ``tree`` from the last call on."""
    arguments = call.arguments[2:] if call.function == "[]=" else call.arguments
    told = [_argument(x, target, users, makers, tree) for x in arguments]
    return call.function, key_of(call.options), call.errors, tuple(told)


def _argument(x: Any, target: Value, users: dict[Value, int], makers: dict[Value, Call], tree: list[Call]) -> Any:
    if not isinstance(x, Value) or not x.is_array or not x.array.ndim:
        return key_of(x)
    if _order(x) != _order(target):
        return object()  # like nothing else
    maker = makers.get(x)
    if maker is not None and users[x] == 1 and _is_part_of_formula(maker, x):
        tree.append(maker)
        return x.array.dtype, _formula(maker, target, users, makers, tree)
    if x.kind != "state" or _vector_of(x) is None:
        return object()
    distance = _offset(x) // x.array.itemsize - _offset(target) // target.array.itemsize
    return x.array.dtype, id(x.memory), distance


def _is_part_of_formula(maker: Call, value: Value) -> bool:
    alone = maker.out is None and len(maker.results) == 1 and value.base is None and not maker.is_view
    return alone and is_elementwise(maker) and maker.function not in ("np.copy", ".copy")


def _users(plan: Plan) -> dict[Value, int]:
    """How often each value is used."""
    found: dict[Value, int] = {}
    used = [v for call in plan.calls for v in (*call.reads, *([call.out] if call.out is not None else []))]
    used += plan.kept
    used += [v for decision in plan.decisions for v in values_in(decision.expression)]
    used += [v.base for call in plan.calls for v in call.results if v.base is not None]
    for value in used:
        found[value] = found.get(value, 0) + 1
    return found


def _order(value: Value) -> tuple[Any, ...]:
    """Shape and order in memory; axes of length 1 have none. Of an array with gaps, like nothing else."""
    array = value.array
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        return (object(),)
    return array.shape, tuple(s // array.itemsize for s, n in zip(array.strides, array.shape) if n > 1)


def _vector_of(value: Value) -> np.ndarray | None:
    """The vector that the array is a part of without gaps, or None."""
    found = _found(value)
    if found is None or not found.source.fixed:
        return None
    owner, array = owner_of(value.array), value.array
    whole = owner.ndim == 1 and owner.flags.c_contiguous and owner.dtype == array.dtype and owner is not array
    return owner if whole and (array.flags.c_contiguous or array.flags.f_contiguous) else None


def _found(value: Value) -> Value | None:
    """The value itself, or what it is a view of, if no call has made that."""
    while value.source is None and value.base is not None:
        value = value.base
    return value if value.source is not None else None


def _offset(value: Value) -> int:
    """Where the array begins in its vector, in bytes."""
    return address_of(value.array) - address_of(owner_of(value.array))


# ---------------------------------------------------------------------- may they be done later, all at once?


def _can_wait(plan: Plan, writes: list[_Write]) -> bool:
    """Whether nothing between the first and the last of these calls stands in the way of doing all at the end."""
    places = {call: i for i, call in enumerate(plan.calls)}
    last = max(places[write.call] for write in writes)
    for write in writes:
        own = {*write.tree, write.call}
        for call in own:
            between = [c for c in plan.calls[places[call] + 1 : last + 1] if c not in own]
            if any(_hinders(other, call) for other in between):
                return False
        if any(places[write.call] < d.after <= last and _is_asked(d, write.part) for d in plan.decisions):
            return False
    return True


def _hinders(other: Call, call: Call) -> bool:
    """Whether ``call`` may not be done after ``other``, as it was before it."""
    if other.out is not None and any(_overlap(other.out, value) for value in call.touched):
        return True
    return call.out is not None and any(_overlap(call.out, value) for value in other.touched)


def _is_asked(decision: Any, part: Value) -> bool:
    return any(_overlap(part, value) for value in values_in(decision.expression))


def _overlap(a: Value, b: Value) -> bool:
    return a.memory is b.memory and a.is_array and b.is_array and np.may_share_memory(a.array, b.array)


# ---------------------------------------------------------------------- the one call for all


def _merge(plan: Plan, writes: list[_Write]) -> None:
    """Put one call for all at the last of them."""
    size = sum(write.part.array.size for write in writes)
    whole = _Whole(plan, size)
    first = writes[0]
    new = [whole.call(call) for call in (*first.tree, first.call)]
    places = {call: i for i, call in enumerate(plan.calls)}
    last = max(places[write.call] for write in writes)
    gone: dict[int, list[Call]] = {places[call]: [] for write in writes for call in (*write.tree, write.call)}
    plan.replace({**gone, last: [*whole.views, *new]})
    for write in writes:
        for part in {value: None for call in (*write.tree, write.call) for value in call.touched}:
            whole.note(part)
        for call, like in zip(write.tree, first.tree):
            plan.replaced[call.result] = whole.values[like.result]


class _Whole:
    """Makes calls for all parts out of those for the first."""

    def __init__(self, plan: Plan, size: int):
        self.plan = plan
        self.size = size
        self.values: dict[Value, Value] = {}  # of the first part -> of all
        self.views: list[Call] = []  # that cut what is needed out of a vector

    def call(self, call: Call) -> Call:
        """The same call for all parts."""
        arguments = tuple(self._value(x) for x in call.arguments)
        made = Call(call.function, arguments, call.options, origin=call.origin, errors=call.errors)
        if call.out is not None:
            made.out, made.out_is_first = self._value(call.out), call.out_is_first
        else:
            made.results = (Value(np.empty(self.size, call.result.array.dtype), Memory("made"), maker=made),)
            self.values[call.result] = made.result
        return made

    def _value(self, x: Any) -> Any:
        if not isinstance(x, Value) or not x.is_array or not x.array.ndim:
            return x
        if x not in self.values:
            self.values[x] = self._part(x)
        return self.values[x]

    def _part(self, first: Value) -> Value:
        """The part of a vector that begins where this value begins."""
        vector = self._vector(first)
        start = _offset(first) // first.array.itemsize
        if self.size == vector.array.size:
            return vector
        call = Call("[]", (vector, slice(start, start + self.size)))
        call.results = (Value(vector.array[start : start + self.size], vector.memory, base=vector, maker=call),)
        self.views.append(call)
        return call.result

    def note(self, part: Value) -> None:
        """The plan relies on it that the part stays where it is in its vector; what is none is passed over."""
        found = _found(part) if part.is_array and part.array.ndim and part.kind == "state" else None
        if found is not None and found not in self.plan.parts:
            self.plan.parts.append(found)

    def _vector(self, part: Value) -> Value:
        owner = owner_of(part.array)
        known = next((v for v in self.plan.inputs if v.array is owner), None)
        if known is not None:
            return known
        found = _found(part)
        assert found is not None
        source = found.source
        name = "theta" if source.key == "data" else "grad"
        vector = Value(owner, part.memory, hint=name)
        vector.source = Source(source.owner, ("vector", source.key), lambda: owner_of(source.fetch()), name=name)
        self.plan.inputs.append(vector)
        return vector
