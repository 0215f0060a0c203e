"""Program: a plan made into a function, and the entry that gets its inputs and puts away what it leaves.

The entry is written as Python too, since a step of a small network takes no longer than a few loops over lists.
"""

from __future__ import annotations

import builtins
import contextvars
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import guard, random
from ..guard import owner_of
from ..mode import changes, get_default_dtype, mode
from ..nn.module import Module
from ..tensor import Tensor
from .number import spelled
from .passes import improve
from .plan import Place, Plan, address_of, replaced_in
from .recording import Leaf, Recording, same_structure
from .spelling import Speller, in_silence
from .tape import Call, Memory, Value, values_in
from .updates import can_move, same_order
from .watch import Watch

__all__ = ["Differs", "MISS", "Program"]

MISS = object()
"""What the entry returns if the program is not for this call."""


_SMALL = 16384  # bytes: up to here a copy of the state costs less than to find out whether it is needed


class Differs(Exception):
    """In the middle of the program something came out that the recording did not go by."""


class Program:
    """One recording as a function that is called with the leaves of the arguments, in their order.

    ``enter(*leaves)`` returns the result, or MISS if the arguments, or something that the recording went by, are
    others. Raises Differs, with nothing changed, if that shows only in the middle.
    """

    def __init__(
        self, recording: Recording, structure: Any, leaves: list[Any], names: list[str], watch: Watch, without: Any = ()
    ):
        self.recording = recording
        self.structure = structure
        self.names = names
        self.watch = watch
        kept = [v for kind, what in recording.leaves if kind in ("tensor", "array", "number") for v in values_in(what)]
        kept += [value for _, value in recording.outputs if value is not None]
        self.plan = Plan.of(recording.tape, kept)
        improve(self.plan, without)
        self.renewed = self.plan.renewed()
        plain = structure[0] == tuple(Leaf(i) for i in range(len(leaves))) and not structure[1]
        self.takes = len(leaves) if plain else -1  # how many arguments, if all are given by place and as they are
        self.signature = _signature(leaves, names, recording.modules)
        self._leaves = [_without_data(leaf) for leaf in leaves]
        self._numbers: dict[Value, str] = {}
        self.speller = Speller(self.plan, self._short)
        setup = self.speller.setup()
        body = [
            f"{self._short(v)}[()] = {spelled(v.formula, self._short)}"
            for v in self.plan.numbers
            if v.formula is not None
        ]
        for what, lines in self.speller.body():
            body += in_silence(what, lines) if isinstance(what, Call) else lines
        self.used = self._used()
        self.fixed = [v for v in self.used if v.source.fixed]
        self.starts = {v: address_of(v.array) for v in self.fixed if v.kind == "state" and v.is_array}
        self.varying = [v for v in self.used if not v.source.fixed]
        self.asked = [v for v in self._decided() if v not in self.used]
        self.results = self._results()
        named = (*watch.optimizers(), *recording.optimizers)
        self.optimizers = list({id(optimizer): optimizer for optimizer in named}.values())
        self.flats = [(optimizer, [list(flats) for flats in optimizer._flats]) for optimizer in recording.optimizers]
        parameters = ", ".join(self._short(v) for v in self.varying)
        text = [f"def program({parameters}):", *(f"    {line}" for line in body)]
        text.append(f"    return {', '.join(self.results) or 'None'}" + ("," if len(self.results) == 1 else ""))
        self._setup = builtins.compile("\n".join(setup), "<setup>", "exec")
        self._program = builtins.compile("\n".join(text), "<program>", "exec")
        self.namespace: dict[str, Any] = {"np": np, "Differs": Differs}
        self._bind()
        self.enter = _EntryWriter(self, self._leaves).entry()
        self._forget()

    def _forget(self) -> None:
        """Let go of the arrays of the recording: all that the program needs stands in its namespace."""
        for call in (*self.recording.tape.calls, *self.plan.setup, *self.plan.calls):
            for value in call.touched:
                value.forget()
        for value in (*self.recording.tape.inputs, *self.plan.replaced):
            value.forget()
        for _, flat in self.recording.steps:
            flat.forget_scratch()

    def _short(self, value: Value) -> str:
        return self._numbers.setdefault(value, f"v{len(self._numbers)}")

    def _used(self) -> list[Value]:
        """The inputs that the program needs."""
        plan = self.plan
        used: set[Value] = {*plan.kept, *plan.parts}
        for call in (*plan.setup, *plan.calls):
            used.update(call.reads)
            used.update((call.out,) if call.out is not None else ())
        for home in plan.homes.values():
            used.update((home.value,) if isinstance(home, Place) else ())
        used.update(values_in([v.formula for v in plan.numbers]))
        for decision in plan.decisions:
            if not self.speller.at_start(decision):
                used.update(values_in(decision.expression))
        return [v for v in plan.inputs if v in used]

    def _decided(self) -> list[Value]:
        """The inputs that decide, before the program is begun, whether it is the right one."""
        found = [d.expression for d in self.plan.decisions if self.speller.at_start(d)]
        return list(dict.fromkeys(values_in(found)))

    def _results(self) -> list[str]:
        """What the program returns: results and outputs, as memory of the caller's own."""
        texts = []
        taken: set[Any] = set()
        for kind, what in self.recording.leaves:
            if kind == "number":
                texts.append(spelled(replaced_in(what.expression, self.plan.replaced), self._short))
            elif kind in ("tensor", "array"):
                texts.append(self._owned(self.plan.replaced.get(what, what), taken))
        for _, value in self.recording.outputs:
            if value is not None and not self._stays(value):
                texts.append(self._owned(self.plan.replaced.get(value, value), taken))
        return texts

    def _owned(self, value: Value, taken: set[Any]) -> str:
        name = self._short(value)
        if not value.is_array:
            return name
        fresh = self.plan.is_fresh(value) and value.memory not in self.plan.homes and value.memory not in taken
        taken.add(value.memory)
        return name if fresh else self.speller.copied(value)

    def _stays(self, value: Value) -> bool:
        """Whether it is a place that is always the same, such as a parameter's part of the gradients."""
        return value.kind == "state" and value in self.speller.once

    # ------------------------------------------------------------------ binding

    def _bind(self) -> None:
        """Look up the arrays that stay where they are, and make buffers and views of them."""
        for value in self.fixed:
            self.namespace[self._short(value)] = value.source.fetch() if value.kind != "constant" else value.array
        exec(self._setup, self.namespace)
        exec(self._program, self.namespace)
        self._keep_safe()

    # ------------------------------------------------------------------ what an error must not change

    def _keep_safe(self) -> None:
        """Make room for copies of what the program changes in place: parameters, and what optimizers remember."""
        written: dict[int, np.ndarray] = {}
        places = [t._slot for t in self.recording.grad_tensors if getattr(t, "_slot", None) is not None]
        gradients = {id(owner_of(place)) for place in places}
        first = len(self.plan.calls)  # of the calls that change something
        for i, call in enumerate(self.plan.calls):
            value = self.plan.target_of(call)
            if value is not None and value.kind == "state":
                while value.source is None and value.base is not None:
                    value = value.base
                array = owner_of(value.source.fetch())
                if value.source.key != "grad" and id(array) not in gradients:
                    written[id(array)] = array
                    first = min(first, i)
        self.changing = list(written.values())
        self.copies: list[np.ndarray] = []
        self.drawn: Any = None  # the state of the random numbers before the call
        self.unfinished = False  # whether the copies are those of a call that has not come to its end
        late = [d for d in self.plan.decisions if not self.speller.at_start(d) and d.after > first]
        small = sum(array.nbytes for array in self.changing) <= _SMALL
        self.copies_always = bool(self.changing) and (small or bool(late))

    def copy_state(self) -> None:
        """Copy what the program will change, in case that a call in it raises."""
        if not self.copies:
            self.copies = [np.empty_like(array) for array in self.changing]
        for array, copy in zip(self.changing, self.copies):
            np.copyto(copy, array)
        self.unfinished = True

    def bring_back(self) -> None:
        """Undo what an unfinished call has changed."""
        if self.unfinished:
            for array, copy in zip(self.changing, self.copies):
                np.copyto(array, copy)
        if self.drawn is not None:
            random.generator().bit_generator.state = self.drawn
        self.unfinished, self.drawn = False, None

    def rebind(self) -> bool:
        """Look them up again, after somebody has put others in their place; whether the program still fits."""
        for _, flat in self.recording.steps:
            if any(p._array.dtype != values.dtype for p, values, _ in flat._places):
                return False
            flat.adopt()
        for flat in self.recording.laid:
            moved = [(t, values) for t, values, _ in flat._places if t._array is not values]
            if any(t._array.dtype != v.dtype or not can_move(t) or not same_order(t._array, v) for t, v in moved):
                return False
            flat.adopt()
        for value in self.fixed:
            if value.kind == "constant":
                continue
            now = value.source.fetch()
            if not isinstance(now, np.ndarray) or (now.shape, now.dtype, now.strides) != value.layout:
                return False
        if not self._lie_as_they_lay():
            return False
        self._bind()
        self.enter = _EntryWriter(self, self._leaves).entry()
        return True

    def _lie_as_they_lay(self) -> bool:
        """Whether what lay in one memory does so again, each at its place, and nothing else lies there."""
        found: dict[Memory, tuple[int, int]] = {}
        for value, start in self.starts.items():
            array = value.source.fetch()
            place = id(owner_of(array)), address_of(array) - start
            if found.setdefault(value.memory, place) != place:
                return False
        return len({owner for owner, _ in found.values()}) == len(found)

    def is_alive(self) -> bool:
        """Whether it could be the program for a call again: its optimizers still work on the same vectors."""
        return all(optimizer._flats == flats for optimizer, flats in self.flats)

    def misfit(self, structure: Any, leaves: list[Any]) -> str:
        """Why the program is not for these arguments."""
        if not same_structure(structure, self.structure):
            return "there are other arguments"
        for name, mine, given in zip(self.names, self._leaves, leaves):
            if _described(_without_data(given)) != _described(mine):
                return f"{name} is {_described(_without_data(given))}, and was {_described(mine)}"
        changed = self.watch.changed()
        if changed:
            return f"{', '.join(changed)} stands for something else"
        return "a number that the function goes by, or the state, has changed"


# Where NumPy keeps what it does about NaN and infinity: to look whether that is the usual takes a tenth of np.geterr.
_state: Any = getattr(getattr(getattr(np, "_core", None), "umath", None), "_extobj_contextvar", None)
_usual = contextvars.Context().run(_state.get) if _state is not None else None


def may_raise() -> bool:
    """Whether a NumPy call can raise in the middle of its work: where warnings of NaN and infinity are errors."""
    if _state is None or _state.get() is not _usual:
        answers = set(np.geterr().values())
        if answers & {"raise", "call"}:
            return True
        if "warn" not in answers:
            return False
    return "error" in [each[0] for each in warnings.filters]


@dataclass(frozen=True)
class _Given:
    """What is known of an argument that is an array: all but its elements."""

    kind: type  # Tensor, ndarray, or the class of a NumPy scalar
    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]


def _without_data(leaf: Any) -> Any:
    if isinstance(leaf, np.generic):
        return _Given(type(leaf), (), leaf.dtype, ())
    if not isinstance(leaf, (Tensor, np.ndarray)):
        return leaf
    array = np.asarray(leaf._array) if isinstance(leaf, Tensor) else leaf
    return _Given(Tensor if isinstance(leaf, Tensor) else np.ndarray, array.shape, array.dtype, array.strides)


def _described(leaf: Any) -> str:
    if isinstance(leaf, _Given):
        return f"{leaf.shape} {leaf.dtype}"
    return "float" if type(leaf) is float else repr(leaf)


def _signature(leaves: list[Any], names: list[str], modules: list[Any]) -> str:
    """The arguments that a program takes, and the modes that it was recorded in."""
    texts = [f"{name}: {_described(_without_data(leaf))}" for name, leaf in zip(names, leaves)]
    if modules:
        texts.append("training" if any(module.training for module in modules) else "evaluation")
    if not mode.now.record:
        texts.append("no_grad")
    return ", ".join(texts)


class _EntryWriter:
    """Writes the entry: checks first, then the inputs, the program, and what it leaves behind."""

    def __init__(self, program: Program, leaves: list[Any]):
        self.program = program
        self.leaves = leaves
        self.lines: list[str] = []
        self.stepped = {p for _, flat in program.recording.steps for p in flat.params}
        self.names: dict[str, Any] = {
            "MISS": MISS, "ndarray": np.ndarray, "Tensor": Tensor, "mode": mode, "program": program,
            "run": program.namespace["program"], "from_array": Tensor._from_array, "note_change": guard.note_change,
            "get_default_dtype": get_default_dtype, "np": np, "watch": program.watch,
        }  # fmt: skip

    def entry(self) -> Callable[..., Any]:
        """The function, of the leaves of the arguments."""
        arguments = ", ".join(f"a{i}" for i in range(len(self.leaves)))
        self._check_arguments()
        self._check_state()
        self._fetch()
        self._check_decisions()
        self._run()
        text = f"def enter({arguments}):\n" + "\n".join(f"    {line}" for line in self.lines)
        exec(builtins.compile(text, "<entry>", "exec"), self.names)
        self.text = text
        return self.names["enter"]

    def _named(self, thing: Any) -> str:
        name = f"o{len(self.names)}"
        self.names[name] = thing
        return name

    def _miss_if(self, condition: str) -> None:
        self.lines.append(f"if {condition}: return MISS")

    def _check_arguments(self) -> None:
        for i, leaf in enumerate(self.leaves):
            a = f"a{i}"
            if isinstance(leaf, _Given):
                if leaf.kind is Tensor:
                    self._miss_if(f"not isinstance({a}, Tensor) or {a}._requires_grad")
                    self.lines.append(f"{a} = {a}._array" if leaf.shape else f"{a} = np.asarray({a}._array)")
                if leaf.kind not in (Tensor, np.ndarray):
                    self._miss_if(f"type({a}) is not {self._named(leaf.kind)}")
                    continue
                dtype = self._named(leaf.dtype)
                self._miss_if(
                    f"type({a}) is not ndarray or {a}.shape != {leaf.shape} or {a}.dtype != {dtype} or "
                    f"{a}.strides != {leaf.strides}"
                )
            elif type(leaf) is float:
                self._miss_if(f"type({a}) is not float")
            elif type(leaf) in (int, bool, str):
                self._miss_if(f"type({a}) is not {type(leaf).__name__} or {a} != {leaf!r}")
            else:
                self._miss_if(f"{a} is not {self._named(leaf)}")

    def _check_state(self) -> None:
        now = mode.now
        self.lines.append("now = mode.now")
        record = "not now.record" if now.record else "now.record"
        self._miss_if(f"{record} or get_default_dtype() is not {self._named(get_default_dtype())}")
        self._check_names()
        self._check_optimizers()
        moved = []
        for value in self.program.fixed:
            owner, key = value.source.owner, value.source.key
            if key == "data":
                moved.append(f"{self._named(owner)}._array is not {self._named(value.source.fetch())}")
        if moved:
            self.lines.append(f"if {' or '.join(moved)}:")
            self.lines.append("    if not program.rebind(): return MISS")
            self.lines.append(
                f"    return program.enter({', '.join(self._original(i) for i in range(len(self.leaves)))})"
            )
        for source, gradient in self.program.recording.outputs:
            if gradient is None or source.key != "grad" or source.owner in self.stepped:
                continue
            if self.program._stays(gradient):
                slot = self.program.namespace[self.program._short(gradient)]
                self._miss_if(f"{self._named(source.owner)}._slot is not {self._named(slot)}")
        for tensor, was_none in self.program.recording.grads:
            self._miss_if(f"{self._named(tensor)}._grad is {'not ' if was_none else ''}None")

    def _check_optimizers(self) -> None:
        """Whether they have the same groups of the same parameters, in the same vectors."""
        for optimizer, flats in self.program.flats:
            self._miss_if(f"{self._named(optimizer)}._flats != {self._named(flats)}")
        for optimizer in self.program.optimizers:
            self._miss_if(self._are_others(f"{self._named(optimizer)}.param_groups", optimizer.param_groups))
            for group in optimizer.param_groups:
                self._miss_if(self._are_others(f"{self._named(group)}['params']", group["params"]))

    def _are_others(self, text: str, things: list[Any]) -> str:
        """The condition that a list holds other objects."""
        return f"[*map(id, {text})] != {self._named([id(each) for each in things])}"

    def _check_names(self) -> None:
        """Whether the names in the function's code stand for the same; looked at closely only where they may not."""
        conditions = ["changes[0] != watch.stamp"]
        self.names["changes"] = changes
        for name in self.program.watch.names:
            if name.key == "__code__":
                conditions.append(f"{self._named(name.place.owner)}.__code__ is not {self._named(name.value)}")
            elif name.content is not None or not isinstance(name.place, (dict, types.CellType)):
                conditions.append(f"not {self._named(name)}.same()")
            elif isinstance(name.place, dict):
                conditions.append(f"{self._named(name.place)}.get({name.key!r}) is not {self._named(name.value)}")
            else:
                conditions.append(f"{self._named(name.place)}.cell_contents is not {self._named(name.value)}")
        if self.program.watch.has_hidden:
            conditions.append("not watch.same_hidden()")
        self.lines.append(f"if {' or '.join(conditions)}:")
        self.lines.append("    if not watch.same(): return MISS")

    def _original(self, i: int) -> str:
        leaf = self.leaves[i]
        return f"from_array(a{i})" if isinstance(leaf, _Given) and leaf.kind is Tensor else f"a{i}"

    def _fetch(self) -> None:
        leaves = set(values_in([v.formula for v in self.program.plan.numbers]))  # of what is made an array in each call
        for value in (*self.program.varying, *self.program.asked):
            key, owner = value.source.key, value.source.owner
            if isinstance(key, tuple) and key[0] == "argument":
                text = f"a{key[1]}"
            elif key == "step" and not isinstance(owner, dict):
                text = f"{self._named(owner)}.step + 1"
            elif isinstance(owner, dict):
                place = f"[{key!r}]" if isinstance(key, str) else f"[{key[0]!r}][{key[1]}]"
                text = f"{self._named(owner)}{place}"
            elif isinstance(owner, Module):
                text = f"vars({self._named(owner)})[{key!r}]"
            else:
                text = f"{self._named(value.source.fetch)}()"
            name = self.program._short(value)
            self.lines.append(f"{name} = {text}")
            if value in leaves:
                self._miss_if(f"type({name}) is not {self._named(type(value.array))}")

    def _check_decisions(self) -> None:
        for decision in self.program.plan.decisions:
            if self.program.speller.at_start(decision):
                self._miss_if(self.program.speller.opposite(decision))

    def _run(self) -> None:
        program = self.program
        arguments = ", ".join(program._short(v) for v in program.varying)
        if program.copies_always:
            self.lines.append("program.copy_state()")
        elif program.changing:
            self.lines.append("if may_raise(): program.copy_state()")
            self.names["may_raise"] = may_raise
        if program.recording.draws and any(not program.speller.at_start(d) for d in program.plan.decisions):
            self.lines.append("program.drawn = generator().bit_generator.state")
            self.names["generator"] = random.generator
        results = ", ".join(f"r{i}" for i in range(len(program.results)))
        self.lines.append(f"{results + ', = ' if results else ''}run({arguments})")
        if program.changing:
            self.lines.append("program.unfinished = False")
        if "generator" in self.names:
            self.lines.append("program.drawn = None")
        self._keep_state()
        self._give_back()

    def _keep_state(self) -> None:
        recording = self.program.recording
        for _, flat in recording.steps:
            self.lines.append(f"{self._named(flat)}.step += 1")
        number = sum(kind in ("tensor", "array", "number") for kind, _ in recording.leaves)
        for source, value in recording.outputs:
            if value is None:
                text = "None"
            elif self.program._stays(value):
                text = self._named(self.program.namespace[self.program._short(value)])
                # A new view each time, as Parameter has it: so its optimizer tells a new gradient from a used one.
                text += "" if source.owner in self.stepped else "[...]"
            else:
                text, number = f"r{number}", number + 1
            if source.key == "grad":
                self.lines.append(f"{self._named(source.owner)}._grad = {text}")
            else:
                self.lines.append(f"vars({self._named(source.owner)})[{source.key!r}] = {text}")
        for module, training in recording.modes.items():
            self.lines.append(f"vars({self._named(module)})['training'] = {training}")
        self.lines += [f"{self._named(flat)}.note_change()" for _, flat in recording.steps]
        self.lines += [f"note_change({self._named(p)}._array)" for p in recording.assigned if p not in self.stepped]

    def _give_back(self) -> None:
        recording, number = self.program.recording, 0
        texts = []
        for kind, what in recording.leaves:
            if kind in ("constant", "given"):
                texts.append(self._named(what))
                continue
            texts.append(f"from_array(r{number})" if kind == "tensor" else f"r{number}")
            number += 1
        self.lines.append(f"return {self._structured(recording.structure, texts)}")

    def _structured(self, structure: Any, texts: list[str]) -> str:
        if isinstance(structure, Leaf):
            return texts[structure.index]
        if isinstance(structure, dict):
            return "{" + ", ".join(f"{self._key(k)}: {self._structured(v, texts)}" for k, v in structure.items()) + "}"
        inside = ", ".join(self._structured(each, texts) for each in structure)
        if isinstance(structure, list):
            return f"[{inside}]"
        text = f"({inside}{',' if len(structure) == 1 else ''})"
        return f"{self._named(structure._make)}({text})" if hasattr(structure, "_fields") else text

    def _key(self, key: Any) -> str:
        return self._named(key)
