"""Naming: what the values of a program are called in its listing, so that a learner can read it.

A name says what a value is in the user's program: an argument, a parameter by its place in the model, the variable that
a line assigns, the module or op that made it, ``grad_`` before what it is the gradient of. Names are found only when
somebody asks for the source; running the program needs none.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn.module import Module
from ..op import registry
from ..optim.flat import Flat
from ..place import Place as Where
from ..record.source import assigned_name
from ..tensor import Tensor
from .number import spelled
from .plan import Buffer, Place
from .tape import Call, OpNote, Value, values_in

if TYPE_CHECKING:
    from .program import Program

__all__ = [
    "calls_back",
    "function_name",
    "identifier",
    "is_argument",
    "module_labels",
    "names_of",
    "rule_of",
    "slots_of",
]

_LONGEST = 30
_RESERVED = {*keyword.kwlist, *dir(builtins), "np", "io", "json", "base64", "Differs", "expect", "saved", "load_saved"}

# What a result is called that has no other name: by what NumPy has done.
_WORDS = {
    "add": "sum", "subtract": "difference", "multiply": "product", "divide": "quotient", "negative": "negative",
    "add.reduce": "sum", "maximum.reduce": "max", "minimum.reduce": "min", "[]": "part", ".T": "T", "**": "power",
    "count_nonzero": "count", "square": "squares", "random": "drawn", "standard_normal": "drawn", ".item": "number",
    "where": "chosen", ".copy": "copy", ".astype": "converted", "less_equal": "mask", "greater": "mask",
    "linalg.norm": "norm", "bitwise_and": "masked", ".view": "bits",
}  # fmt: skip
_ALONE = {"sum": "total", "max": "highest", "min": "lowest"}  # names that Python has given away


def names_of(program: Program) -> Callable[[Value], str]:
    """A readable name for every value: unique, but for those that lie in one place, one after the other."""
    return _Names(program).name_of


def identifier(text: str) -> str:
    """The text as a valid name: ``encoder.0.weight`` is ``encoder0_weight``."""
    text = re.sub(r"\.(?=\d)", "", text)
    text = re.sub(r"\W+", "_", text).strip("_")
    return f"x{text}" if not text or text[0].isdigit() else text


def calls_back(calls: list[Call]) -> set[Call]:
    """The calls of the way back: those of the rules, and what the engine itself does between them."""
    places = {call.origin.place for call in calls if call.origin.backward} - {None}
    between = [call for call in calls if call.origin.op is None and call.origin.part != "step"]
    return {call for call in calls if call.origin.backward} | {c for c in between if c.origin.place in places}


def rule_of(call: Call) -> Where | None:
    """The line of the package that makes the call, in the rule of an op or of an optimizer."""
    return getattr(call.origin, "rule", None)


def function_name(function: Any) -> str:
    """What the function is called, as a valid name; a module goes by its class."""
    name = getattr(function, "__name__", "") or type(function).__name__.lower()
    return "step" if name == "<lambda>" else identifier(name)


def variables(program: Program) -> dict[int, str]:
    """The names of the user's program for objects, by their id: what the function's code calls them."""
    found: dict[int, str] = {}
    for each in program.watch.names:
        name = each.name.rpartition(".")[2]
        if name.isidentifier():
            found.setdefault(id(each.value), name)
            for i, item in enumerate(each.value if isinstance(each.value, (list, tuple)) else ()):
                found.setdefault(id(item), f"{name}{i}")
    return found


def module_labels(program: Program) -> dict[int, tuple[str, str]]:
    """For each module, by its id, its name and its label: ("relu1", "1: ReLU")."""
    roots = _roots(program.recording.modules)
    known = variables(program)
    labels: dict[int, tuple[str, str]] = {}
    for root in roots:
        called = known.get(id(root), type(root).__name__.lower())
        for path, module in root.named_modules():
            kind = type(module).__name__
            name = called if not path else f"{_short(kind)}{path}" if path[0].isdigit() else path
            name = f"{called}_{name}" if path and len(roots) > 1 else name
            labels.setdefault(id(module), (identifier(name), f"{path}: {kind}" if path else kind))
    return labels


def _short(kind: str) -> str:
    return kind.lower().removesuffix("1d")


def _roots(modules: list[Module]) -> list[Module]:
    """The modules that lie in no other one."""
    inside = {id(each) for module in modules for each in module.modules() if each is not module}
    return [module for module in modules if id(module) not in inside]


def slots_of(program: Program) -> dict[int, Any]:
    """The parameters, by the ids of the arrays where their gradients belong."""
    tensors = dict.fromkeys((*program.recording.tensors, *program.recording.grad_tensors))
    found = [(getattr(t, "_slot", None), t) for t in tensors]
    return {id(slot): t for slot, t in found if slot is not None}


class _Names:
    """Finds a name for each value: what it would like to be called first, then what is still free."""

    def __init__(self, program: Program):
        self.program = program
        self.plan = program.plan
        self.variables = variables(program)
        self.labels = module_labels(program)
        self.tensors = self._tensors()
        self.flats = list({id(flat): flat for _, flat in program.recording.steps}.values())
        self.slots = slots_of(program)
        self.calls = [*self.plan.setup, *self.plan.calls]
        self.users = self._users()
        self.following = dict(zip(self.plan.calls, self.plan.calls[1:]))  # which call comes next
        self.outputs, self.places = self._outputs()
        self.back = calls_back(self.calls)
        self.gradients = self._gradients()
        self.left_in = {self._now(value): source for source, value in program.recording.outputs if value is not None}
        self.wishes: dict[Value, str] = {}
        self.names: dict[Value, str] = {}
        self.same: dict[Value, Value] = {}  # what takes the name of another one, in whose place it lies
        self.kept = set(self.plan.kept)
        self.kept.update(v for decision in self.plan.decisions for v in values_in(decision.expression))
        self._wish()
        self._share()
        self._settle()

    def name_of(self, value: Value) -> str:
        """The name; a number that was made an array for speed is written as the number."""
        if value.formula is not None:
            return spelled(value.formula, self.name_of)
        return self.names[value] if value in self.names else _number(value)

    def _now(self, value: Value) -> Value:
        """The value that stands in for it since the passes."""
        return self.plan.replaced.get(value, value)

    def _users(self) -> dict[Value, list[Call]]:
        """The calls that read each value."""
        users: dict[Value, list[Call]] = {}
        for call in self.calls:
            for value in dict.fromkeys(call.reads):
                users.setdefault(value, []).append(call)
        return users

    def _outputs(self) -> tuple[dict[OpNote, Value], dict[OpNote, Where]]:
        """What each op gave, and where in the user's program; without a graph, the last of its results."""
        outputs: dict[OpNote, Value] = {}
        places: dict[OpNote, Where] = {}
        for call in self.calls:
            note = call.origin.op
            if note is not None and not call.origin.backward and call.results:
                outputs[note] = call.result if note.output is None else self._now(note.output)
                if call.origin.place is not None:
                    places.setdefault(note, note.place or call.origin.place)
        return outputs, places

    def _values(self) -> Iterator[Value]:
        """All values in the order in which they appear; what is there before comes first."""
        yield from (*self.program.used, *self.program.asked)
        for call in self.calls:
            yield from call.results

    # ------------------------------------------------------------------ what each would like to be called

    def _wish(self) -> None:
        for note in self.outputs:
            self._wish_for_op(note)
        for value in self._values():
            if value.source is not None:
                self.wishes[value] = self._given_name(value)
        for value, note in self.gradients.items():
            if value not in self.wishes:
                self.wishes[value] = f"grad_{self._output_name(note)}"
        for value, source in self.left_in.items():
            if value not in self.wishes:
                self.wishes[value] = self._left_name(source)
        for call in reversed(self.plan.calls):
            self._wish_for_parts(call)
        self._wish_for_locals()
        for call in self.calls:
            if call.is_view and call.function == ".T":
                self._wish_for_transposed(call)

    def _wish_for_parts(self, call: Call) -> None:
        """What is copied or added to a gradient by the engine, between the rules."""
        if call not in self.back or call.origin.op is not None or call.function not in ("[]=", "np.copy", "np.add"):
            return
        target = call.out if call.out is not None else self._first_home(call.result)
        whole = re.sub("_(sum|part)$", "", self.wishes.get(target, "")) if target is not None else ""
        for value in call.reads if whole.startswith("grad_") else ():
            if value.source is None and value is not target:
                self.wishes.setdefault(value, f"{whole}_part")

    def _first_home(self, value: Value) -> Value:
        """Where it is written, if that is a place with a name."""
        home = self.plan.homes.get(value.memory)
        return home.value if isinstance(home, Place) else value

    def _wish_for_op(self, note: OpNote) -> None:
        base = self._output_name(note)
        if self.outputs[note].source is None:
            self.wishes.setdefault(self.outputs[note], base)
        for name, value in note.saved.items():
            value = self._now(value)
            if value.source is None:
                self.wishes.setdefault(value, f"{base}_{name}")

    def _output_name(self, note: OpNote) -> str:
        """The result of an op: by the variable that is assigned, the module that was called, or the op itself."""
        if self.outputs.get(note) in self.wishes:
            return self.wishes[self.outputs[note]]
        return self._assigned(note) or self._module_name(note) or note.name

    def _assigned(self, note: OpNote) -> str | None:
        place = self.places.get(note)
        if place is None:
            return None
        if note.call is None or not note.call[3]:  # the user's own line applies the op
            kind = registry.get(note.name)
            return assigned_name(place, (note.name, *(kind.aliases if kind else ())))
        return assigned_name(place) if self._is_last(note, _users_call(note.call)) else None

    def _module_name(self, note: OpNote) -> str | None:
        if note.call is None or id(note.call[0]) not in self.labels:
            return None
        name = self.labels[id(note.call[0])][0]
        return name if self._is_last(note, note.call) else f"{name}_{_WORDS.get(note.name, note.name)}"

    def _is_last(self, note: OpNote, around: Any) -> bool:
        """Whether no other op of the call of a module comes behind it."""
        inside = [c.origin.op for c in self.calls if c.origin.op and not c.origin.backward]
        inside = [each for each in inside if around is not None and _is_inside(each.call, around)]
        return bool(inside) and inside[-1] is note

    def _given_name(self, value: Value) -> str:
        """What was there before the call."""
        source = value.source
        assert source is not None
        owner, key = source.owner, source.key
        if isinstance(key, tuple) and key[0] == "vector":
            return source.name
        if isinstance(owner, Tensor):
            name = self._tensor_name(owner)
            return name if key == "data" else f"grad_{name}"
        if isinstance(owner, Flat):
            number = self.flats.index(owner) + 1 if owner in self.flats else 1
            return {"step": "t", "scratch1": "scratch", "scratch2": "scratch"}.get(key, key) + (
                str(number) if number > 1 else ""
            )
        if isinstance(owner, dict):
            name = key if isinstance(key, str) else f"{key[0].removesuffix('s')}{key[1] + 1}"
            return name + self._group_number(owner, "" if isinstance(key, str) else "_")
        if isinstance(owner, Module):
            known = self.labels.get(id(owner))
            return f"{known[0] if known else _short(type(owner).__name__)}_{key}"
        if isinstance(key, tuple) and key[0] == "array":
            return self._array_name(value)
        return source.name

    def _group_number(self, group: Any, between: str) -> str:
        """What stands behind an option of the second group of parameters, and of the others."""
        groups = [each for optimizer in self.program.recording.optimizers for each in optimizer.param_groups]
        number = next((i for i, each in enumerate(groups, 1) if each is group), 1)
        return f"{between}{number}" if number > 1 else ""

    def _array_name(self, value: Value) -> str:
        """A plain array that the function has come by."""
        array = value.source.fetch() if value.source is not None else value.array
        if id(array) in self.slots:
            return f"grad_{self._tensor_name(self.slots[id(array)])}"
        if id(array) in self.variables:
            return self.variables[id(array)]
        flat = np.ravel(array)
        if flat.size and np.array_equal(flat, np.arange(flat.size)):
            return "numbers"
        for number, name in ((0, "zeros"), (1, "ones")):
            if flat.size and (flat == number).all():
                return f"{name}{flat.size}"
        return "constant"

    def _left_name(self, source: Any) -> str:
        """What becomes a gradient, or the new state of a module."""
        if source.key == "grad":
            name = f"grad_{self._tensor_name(source.owner)}"
            if self._is_read(source):
                return f"{name}_sum"
            return f"{name}_new" if any(p is source.owner for p in self.slots.values()) else name
        return f"{self.labels[id(source.owner)][0]}_{source.key}_new"

    def _is_read(self, source: Any) -> bool:
        """Whether the program begins with what is there."""
        there = [v.source for v in self.program.varying]
        return any(each.owner is source.owner and each.key == source.key for each in there)

    def _wish_for_locals(self) -> None:
        """By the local variables of the rule that computes it; with the op's name before one that several ops have."""
        found: dict[Value, str] = {}
        for call in self.calls:
            name = _local_name(call) if call.origin.op is not None or call not in self.back else None
            if name and len(call.results) == 1 and call.result not in self.wishes:
                found[call.result] = name
        owners: dict[str, set[Any]] = {}
        for value, name in found.items():
            owners.setdefault(name, set()).add(value.maker.origin.op if value.maker else None)
        for value, name in found.items():
            note = value.maker.origin.op if value.maker else None
            several = len(owners[name]) > 1
            self.wishes[value] = f"{self._output_name(note)}_{name}" if several and note is not None else name

    def _wish_for_transposed(self, call: Call) -> None:
        array, view = call.arguments[0], call.result
        if array in self.wishes:
            self.wishes.setdefault(view, f"{self.wishes[array]}_T".removesuffix("_T_T"))
        elif view in self.wishes and array.source is None:
            self.wishes[array] = f"{self.wishes[view]}_T"

    # ------------------------------------------------------------------ Tensors

    def _tensors(self) -> dict[int, str]:
        """The names of parameters by their places in the modules."""
        found: dict[int, str] = {}
        for root in _roots(self.program.recording.modules):
            for module in root.modules():
                for name, value in vars(module).items():
                    if isinstance(value, Tensor):
                        found.setdefault(id(value), f"{self.labels[id(module)][0]}_{name}")
        return found

    def _tensor_name(self, t: Tensor) -> str:
        known = self.tensors.get(id(t)) or self.variables.get(id(t)) or t.name
        if known is None:
            known = f"tensor{1 + sum(name.startswith('tensor') for name in self.tensors.values())}"
            self.tensors[id(t)] = known
        return identifier(known)

    # ------------------------------------------------------------------ gradients

    def _gradients(self) -> dict[Value, OpNote]:
        """What comes in to the backward rule of an op: the gradient of its result."""
        found: dict[Value, OpNote] = {}
        known: set[OpNote] = set()
        for call in self.calls:
            note = call.origin.op
            if note is None or not call.origin.backward or note in known:
                continue
            for value in call.reads:
                if self._comes_back(value, note) and value not in found:
                    found[value] = note
                    known.add(note)
                    break
        return found

    def _comes_back(self, value: Value, note: OpNote) -> bool:
        """Whether the value was made on the way back, by another rule, in the shape of what this op has made."""
        maker = value.maker
        if maker not in self.back or note not in self.outputs or maker.origin.op is note:
            return False
        return np.shape(value.array) == np.shape(self.outputs[note].array)

    # ------------------------------------------------------------------ one name for one place

    def _share(self) -> None:
        """Steps towards a result that lie in its place take its name, as in ``x = x + 1``."""
        coming: dict[Any, Value] = {}
        for call in self.calls:
            first = call.arguments[0].maker if call.function == ".T" and call.is_view else None
            if first is not None and first.function == ".T" and first.is_view:
                self.same[call.result] = first.arguments[0]  # x.T.T is x
        for call in reversed(self.calls):
            for value in call.results:
                home = self.plan.homes.get(value.memory) if self.plan.is_fresh(value) else None
                if isinstance(home, Place):
                    self._share_place(value, home)
                elif isinstance(home, Buffer):
                    key = (call.origin.op, call.origin.backward, call.origin.part, home, value.layout)
                    if key in coming and value not in self.wishes:
                        self.same[value] = coming[key]
                    else:
                        coming[key] = value
                elif value not in self.wishes and self._is_step(value, call):
                    self.same[value] = self.users[value][0].result

    def _share_place(self, value: Value, home: Place) -> None:
        """What is written where another value lies, such as the gradient of a parameter."""
        if not home.transposed:
            self.same[value] = home.value
        else:
            self.wishes[value] = f"{self.wishes.get(home.value, 'place')}_T"

    def _is_step(self, value: Value, call: Call) -> bool:
        """Whether it is used only once: a number by the very next call of its rule, an array to be reshaped."""
        users = self.users.get(value, [])
        if call not in self.following or len(users) != 1 or value in self.kept or len(users[0].results) != 1:
            return False
        following = users[0]
        if value.is_array:
            return following.function == ".reshape" and following.origin.op is call.origin.op
        same_rule = following.origin.op is call.origin.op and following.origin.backward == call.origin.backward
        at_once = self.following[call] is following  # else another number of that name may be made in between
        return same_rule and at_once and call.origin.op is not None and not following.result.is_array

    # ------------------------------------------------------------------ names that nobody else has

    def _settle(self) -> None:
        for value in self.plan.inputs:
            if is_argument(value):
                self.names[value] = value.hint
        self.taken = {*_RESERVED, function_name(self.program.watch.function), *self.names.values()}
        for value in self._values():
            first = self._first(value)
            if first not in self.names:
                self.names[first] = self._free(self.wishes.get(first) or self._fallback(first))
            self.names[value] = self.names[first]

    def _first(self, value: Value) -> Value:
        """The value whose name it takes."""
        while value in self.same:
            value = self.same[value]
        return value

    def _free(self, wish: str) -> str:
        wish = identifier(wish)[:_LONGEST].rstrip("_")
        name, number = wish, 2
        while name in self.taken or re.fullmatch(r"memory\d+|steps\d*", name):
            name, number = f"{wish}_{number}", number + 1
        self.taken.add(name)
        return name

    def _fallback(self, value: Value) -> str:
        """By the op that it belongs to, and by what NumPy has done."""
        reshaped = value.base is not None and self.same.get(value.base) is value
        call = value.base.maker if reshaped and value.base is not None else value.maker
        if call is None:
            return value.hint or "constant"
        word, note = _word(call.function), call.origin.op
        if call.is_view and value.base is not None and self._first(value.base) in self.names:
            return f"{self.names[self._first(value.base)]}_{word}"
        if note is None and call.origin.part == "step":
            return "change"
        if note is None and call in self.back and call.reads and call.reads[0] in self.names:
            return f"{self.names[call.reads[0]]}_{word}"
        return _ALONE.get(word, word) if note is None else f"{self._output_name(note)}_{word}"


def _local_name(call: Call) -> str | None:
    rule = rule_of(call)
    name = assigned_name(rule) if rule is not None else None
    return name if name and len(name) > 1 and not name.startswith("grad") else None


def is_argument(value: Value) -> bool:
    """Whether the function is called with it."""
    return value.source is not None and isinstance(value.source.key, tuple) and value.source.key[0] == "argument"


def _number(value: Value) -> str:
    text = str(value.array[()])  # as short as its dtype allows: 0.01
    return text.removesuffix(".0") if len(text) < 9 and text != "-0.0" else text


def _word(function: str) -> str:
    name = function.removeprefix("np.").removeprefix("rng.")
    return _WORDS.get(name) or identifier(name.removesuffix(".reduce"))


def _users_call(call: Any) -> Any:
    """The call of a module in which it happened that the user's own line made."""
    while call is not None and call[2] is None:
        call = call[1]
    return call


def _is_inside(call: Any, around: Any) -> bool:
    while call is not None:
        if call is around:
            return True
        call = call[1]
    return False
