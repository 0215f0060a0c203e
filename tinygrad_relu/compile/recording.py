"""Recording: a function is run under the recorder until two runs agree, so that nothing is taken for constant that is
not. What the runs have done to the state is undone but for the last one, whose results are those of the call.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..guard import owner_of
from ..optim.flat import Flat
from ..tensor import Tensor, as_array
from .number import Expression, Number
from .origins import line_of
from .recorder import CannotCompile, Recorder
from .tape import Call, Memory, Source, Tape, Value
from .traced import Traced, rebuilt
from .updates import lay
from .watch import Watch

__all__ = ["Leaf", "Recording", "flatten", "record", "unflatten"]

_RUNS = 4  # an optimizer may make its memories in the first one, and a parameter may move


@dataclass(frozen=True)
class Leaf:
    """The place of an array, a Tensor or a number in nested tuples, lists and dicts."""

    index: int


@dataclass(eq=False)
class Recording:
    """What two runs of a function agreed on."""

    tape: Tape
    structure: Any  # what the function returns, with Leaves in it
    leaves: list[tuple[str, Any]]  # kind ("tensor", "array", "number" or "constant") and Value, or the constant
    outputs: list[tuple[Source, Value | None]]
    grads: list[tuple[Any, bool]]
    steps: list[tuple[Any, Any]]
    optimizers: list[Any]
    modules: list[Any]
    tensors: list[Any]  # whose data the runs have met
    grad_tensors: list[Any]
    buffers: list[tuple[Any, str]]
    draws: bool
    modes: dict[Any, bool] = field(default_factory=dict)  # the modules that the function puts into another mode
    laid: list[Flat] = field(default_factory=list)  # the parameters that were laid end to end for it
    assigned: list[Any] = field(default_factory=list)  # the tensors whose elements it changes, but for optimizers
    arrays: list[np.ndarray] = field(default_factory=list)  # plain ones from outside that it changes


def flatten(thing: Any, leaves: list[Any]) -> Any:
    """The structure of nested tuples, lists and dicts with a Leaf for each thing inside, which is added to leaves."""
    if type(thing) in (tuple, list) or (isinstance(thing, tuple) and hasattr(thing, "_fields")):
        return rebuilt(thing, [flatten(item, leaves) for item in thing])
    if type(thing) is dict:
        return {name: flatten(item, leaves) for name, item in thing.items()}
    leaves.append(thing)
    return Leaf(len(leaves) - 1)


def unflatten(structure: Any, leaves: list[Any]) -> Any:
    """The thing again, with other leaves."""
    if isinstance(structure, Leaf):
        return leaves[structure.index]
    if isinstance(structure, dict):
        return {name: unflatten(item, leaves) for name, item in structure.items()}
    return rebuilt(structure, [unflatten(item, leaves) for item in structure])


def plain_array(leaf: Any) -> Any:
    """What is like an array, such as pandas' tables, as the engine takes it; all else as it is."""
    if isinstance(leaf, (Tensor, np.generic)) or not hasattr(type(leaf), "__array__"):
        return leaf
    return as_array(leaf, "compile: an argument")


def same_structure(a: Any, b: Any) -> bool:
    """Whether two structures are of the same kinds, which ``==`` does not ask: a named tuple equals a plain one."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Leaf):
        return a == b
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_structure(a[name], b[name]) for name in a)
    return len(a) == len(b) and all(map(same_structure, a, b))


def record(
    function: Callable[..., Any],
    structure: Any,
    leaves: list[Any],
    names: list[str],
    watch: Watch,
    keep: bool = True,
    together: bool = True,
) -> tuple[Any, Recording]:
    """Run the function until two runs agree: what it returns, and the recording; undone too unless ``keep`` is set.

    ``together``: parameters that it updates itself are laid end to end, so that they can be updated as one.

    Raises CannotCompile if they never do, or if something in it cannot be repeated; the state is then as before.
    """
    before: Recording | None = None
    difference = (
        "the parameters move in memory in each call, as where two optimizers step the same one; give each parameter "
        "to one optimizer, or leave the call uncompiled."
    )
    known = dict(watch.tensors)
    modes = watch.modes()
    laid: list[Flat] | None = None if together else []
    for _ in range(_RUNS):
        recorder = Recorder()
        try:
            result, recording = _one_run(recorder, function, structure, leaves, names, watch, known, before is None)
            recorder.put_back()
            if before is not None and not recorder.unsettled:
                difference = _difference(before, recording)
                before.tape.let_go()
                if not difference:
                    _refuse_chance(watch)
                    _refuse_changes(watch)
                    _refuse_escapes(recorder)
                    recording.laid = laid or []
                    recording.assigned = list(recorder.assigned.values())
                    recording.arrays = _changed_arrays(recording)
                    recording.modes = {m: now for m, now in watch.modes().items() if now is not modes.get(m, now)}
                    if not keep:
                        recorder.undo(forget_memories=False)
                        watch.set_modes(modes)
                    return result, recording
            del result
            _refuse_escapes(recorder)
            watch.settle(recording.modules, recording.tensors)
            _refuse_chance(watch)
            moving = [t for key, t in recorder.assigned.items() if key not in recorder.bound]
        except BaseException:
            recorder.undo()
            watch.set_modes(modes)
            watch.restore()
            _let_go(recorder)
            raise
        recorder.undo()
        if laid is None:
            laid = lay(moving)
            recorder.unsettled |= bool(laid)
        modes = {**watch.modes(), **modes}
        watch.set_modes(modes)
        known.update(dict.fromkeys(recorder.tensors))
        known.update(watch.tensors)
        if recorder.unsettled:
            recording.tape.let_go()
        before = None if recorder.unsettled else recording
    watch.restore()
    raise CannotCompile(f"compile: {difference}")


def _one_run(
    recorder: Recorder,
    function: Any,
    structure: Any,
    leaves: list[Any],
    names: list[str],
    watch: Watch,
    known: Any,
    first: bool,
) -> tuple[Any, Recording]:
    for module in watch.modules:
        recorder.module(module)
    for t in known:
        recorder.tensor(t)
    for name in watch.arrays():
        recorder.stand_in(name)
    for group in watch.groups():
        recorder.number_options(group)
    stand_ins = [_stand_in(recorder, i, leaf, name) for i, (leaf, name) in enumerate(zip(leaves, names))]
    args, kwargs = unflatten(structure, stand_ins)
    result = recorder.run(function, args, kwargs, watch.profile if first else None)
    if recorder.options_changed():
        raise CannotCompile(
            "compile: the function changes an option of an optimizer, as a scheduler's step does, which would not "
            "happen again; do it outside of the function. The new value is used in the next call."
        )
    found: list[Any] = []
    result_structure = flatten(result, found)
    returned = [_returned(leaf) for leaf in found]
    recording = Recording(
        recorder.tape, result_structure, returned, recorder.outputs(), recorder.grad_conditions(), recorder.steps,
        recorder.optimizers, list(recorder.modules.values()),
        list(dict.fromkeys(recorder.tensors)), recorder.grad_tensors, recorder.buffers, recorder.draws,
    )  # fmt: skip
    return unflatten(result_structure, [_concrete(kind, value) for kind, value in returned]), recording


def _changed_arrays(recording: Recording) -> list[np.ndarray]:
    """Plain arrays of the user's that the function writes into; what gradients live in is none."""
    places = [t._slot for t in recording.grad_tensors if getattr(t, "_slot", None) is not None]
    gradients = {id(owner_of(place)) for place in places}
    targets = [call.out for call in recording.tape.calls if call.out is not None and call.out.kind == "state"]
    owners = [owner_of(v.array) for v in targets if isinstance(v.source, Source) and v.source.key[0] == "array"]
    return list({id(owner): owner for owner in owners if id(owner) not in gradients}.values())


def _stand_in(recorder: Recorder, place: int, leaf: Any, name: str) -> Any:
    """What the function gets in the place of an argument."""
    if isinstance(leaf, Tensor):
        if leaf._requires_grad:
            raise CannotCompile(
                f"compile: the argument {name!r} requires a gradient; a compiled function takes plain data. "
                "Keep what is learned outside of the arguments, as parameters are."
            )
        return Tensor._from_array(recorder.traced(recorder.argument(np.asarray(leaf._array), place, name)))
    if isinstance(leaf, (np.ndarray, np.generic)):
        return recorder.traced(recorder.argument(leaf, place, name))
    if type(leaf) is float:
        return recorder.number(Source(None, ("argument", place), lambda: leaf, False, name), leaf)
    return leaf


def _returned(leaf: Any) -> tuple[str, Any]:
    if isinstance(leaf, Tensor):
        return ("tensor", leaf._array.value) if isinstance(leaf._array, Traced) else ("given", leaf)
    if isinstance(leaf, Traced):
        return "array", leaf.value
    if isinstance(leaf, Number):
        return "number", Expression(leaf.value, leaf.expression)
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return "constant", leaf
    raise CannotCompile(
        f"compile: the function returns a {type(leaf).__name__}; return Tensors, arrays and numbers, "
        "in tuples, lists or dicts if there are several."
    )


def _concrete(kind: str, value: Any) -> Any:
    """What the caller gets: memory of his own."""
    if kind == "tensor":
        return Tensor._from_array(np.copy(value.array) if value.is_array else value.array)
    if kind == "array":
        return np.copy(value.array)
    return value.value if kind == "number" else value


def _refuse_changes(watch: Watch) -> None:
    for name in watch.changed():
        raise CannotCompile(
            f"compile: the function changes {name}{watch.place_of(name) or ','} which would happen only in the first "
            "call; return what changes, or do it outside of the function."
        )


def _let_go(recorder: Recorder) -> None:
    """Put plain arrays wherever somebody still holds Traced ones, after an error."""
    for thing in recorder.escaped():
        if not isinstance(thing, Traced):
            continue
        for holder in gc.get_referrers(thing):
            if isinstance(holder, list):
                holder[:] = [thing.array if item is thing else item for item in holder]
            elif isinstance(holder, Tensor) and holder._array is thing:
                holder._array = thing.array
            elif isinstance(holder, dict) and "recorder" not in holder:
                for key in [key for key, item in holder.items() if item is thing]:
                    holder[key] = thing.array


def _refuse_chance(watch: Watch) -> None:
    if watch.drawn():
        raise CannotCompile(
            f"compile: the function{watch.place_of('')} draws random numbers from a generator of its own, or of Python "
            "or NumPy, which would be drawn once and for all; draw from tg.random.generator(), or outside."
        )
    for name in watch.iterators():
        raise CannotCompile(
            f"compile: {name} is an iterator: it gives something else in each call; call next() outside."
        )


def _refuse_escapes(recorder: Recorder) -> None:
    if recorder.escaped():
        gc.collect()  # what only hangs in a cycle is nobody's
    for thing in recorder.escaped():
        value = getattr(thing, "value", None)
        call = value.maker if isinstance(value, Value) else None
        where = f", made at {line_of(call.origin.place)}," if call is not None and call.origin.place else ""
        what = f"the array of shape {thing.shape}" if isinstance(thing, Traced) else "a number"
        raise CannotCompile(
            f"compile: {what}{where} is kept by something outside of the function, where later calls would not renew "
            "it; return it instead."
        )


# ---------------------------------------------------------------------- do two runs agree?


def _difference(before: Recording, now: Recording) -> str:
    """What two runs do not agree on; "" if all is the same. Plain arrays are found to be state or constants."""
    pairs: dict[Value, Value] = {}
    for old, new in zip(before.tape.calls, now.tape.calls):
        alike = old.function == new.function and len(old.results) == len(new.results)
        alike = alike and _alike(old.arguments, new.arguments, pairs) and _alike(old.options, new.options, pairs)
        alike = alike and _alike(old.out, new.out, pairs)
        if not alike:
            return _told(old, new)
        pairs.update(zip(old.results, new.results))
    if len(before.tape.calls) != len(now.tape.calls):
        return "two runs with the same arguments did not make the same calls of NumPy" + _HINT
    for before_, after_ in pairs.items():
        told = _freshly_made(before_, after_)
        if told:
            return told
    if not _alike([v for _, v in before.leaves], [v for _, v in now.leaves], pairs):
        return "two runs with the same arguments did not return the same" + _HINT
    return ""


_HINT = "; what differs from call to call must be an argument."


def _told(old: Call, new: Call) -> str:
    place = line_of(new.origin.place)
    for a, b in zip(old.arguments, new.arguments):
        if isinstance(a, (int, float)) and isinstance(b, (int, float)) and a != b:
            return f"the number {a!r} became {b!r} in a second run with the same arguments, at {place}{_HINT}"
    return f"a second run with the same arguments did something else at {place}{_HINT}"


def _freshly_made(old: Value, new: Value) -> str:
    """An array of the function's own making: a constant if a rule made it, alike each time; else an error."""
    source = new.source
    if source is None or not (isinstance(source.key, tuple) and source.key[0] == "array"):
        return ""
    if old.array is new.array:
        return ""
    users = source.key[1]
    same = old.layout == new.layout and np.array_equal(old.array, new.array, equal_nan=new.array.dtype.kind == "f")
    if users or not same:
        return (
            f"an array of shape {new.array.shape} is made anew in each call from plain NumPy, at "
            f"{line_of(source.owner.place)}, and would be frozen. Make it outside of the function, give it as an "
            "argument, or compute it from the arguments."
        )
    new.memory = Memory("constant")
    return ""


def _alike(old: Any, new: Any, pairs: dict[Value, Value]) -> bool:
    if isinstance(old, Value):
        if not isinstance(new, Value):
            return False
        if old in pairs:
            return pairs[old] is new
        if old.source is None or new.source is None:
            return False
        pairs[old] = new
        return _same_source(old.source, new.source) or _both_arrays(old.source, new.source)
    if isinstance(old, Expression):
        return isinstance(new, Expression) and _alike(old.expression, new.expression, pairs)
    if type(old) is not type(new):
        return False
    if isinstance(old, (tuple, list)):
        return len(old) == len(new) and all(_alike(a, b, pairs) for a, b in zip(old, new))
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_alike(old[name], new[name], pairs) for name in old)
    if isinstance(old, slice):
        return _alike((old.start, old.stop, old.step), (new.start, new.stop, new.step), pairs)
    if isinstance(old, Tensor):
        return old is new
    return old is new or repr(old) == repr(new)


def _same_source(old: Source, new: Source) -> bool:
    return old.owner is new.owner and old.key == new.key


def _both_arrays(old: Source, new: Source) -> bool:
    return all(isinstance(source.key, tuple) and source.key[0] == "array" for source in (old, new))
