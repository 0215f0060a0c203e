"""Listing: a compiled program as Python that a learner can read: forward, backward and update, line by line.

The same text runs: ``save`` puts the numbers behind it and has a file that goes on with the training.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn.module import Module
from ..op import registry
from ..optim.flat import Flat
from ..source import line_at
from ..tensor import Tensor
from .naming import (
    calls_back,
    function_name,
    identifier,
    is_argument,
    module_labels,
    names_of,
    rule_of,
    slots_of,
)
from .number import spelled
from .passes import replaced_in
from .plan import Place
from .recording import Leaf
from .spelling import Speller, in_silence, literal
from .tape import Call, Decision, OpNote, Value

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Item", "Listing", "listing"]

WIDTH = 120


def listing(program: Program) -> str:
    """The program as the text of a Python module; what it needs from outside stands in comments."""
    return Listing(program).text()


@dataclass
class Item:
    """Something that a program needs from outside, or begins with."""

    name: str
    value: Any  # an array, a number or a generator of random numbers
    what: str
    spelled: str = ""  # how it is made, if that is not a matter of numbers
    renewed: bool = False  # whether its numbers do not matter, since a call writes all of them before it reads any


class Listing:
    """The parts of the text. ``state`` is what lives on from call to call, ``once`` what is made before the first."""

    def __init__(self, program: Program):
        for flat in (*(flat for _, flat in program.recording.steps), *program.recording.laid):
            flat.adopt()  # as the next call would, if somebody has given a parameter another array
        self.program = program
        self.names = names_of(program)
        self.slots = slots_of(program)
        self.inputs = [v for v in (*program.fixed, *program.varying, *program.asked) if not is_argument(v)]
        self.labels = module_labels(program)
        self.speller = Speller(program.plan, self.names, for_reading=True)
        self.setup = _first_of_each_name(self.speller.setup())
        self.body = self.speller.body()
        self.name = function_name(program.watch.function)
        self.changed: list[str] = []  # the module's names that a call sets anew
        self.state, self.once = self._items()
        self.ends = self._ends()

    # ------------------------------------------------------------------ the whole

    def text(self) -> str:
        """A module docstring, the state in comments, what is made once, and the function."""
        state = [f"# {line}" for line in _columns([_described(item) for item in self.state])]
        return self.module(self.about(), ["import numpy as np"], state)

    def module(self, about: list[str], imports: list[str], state: list[str]) -> str:
        """The text with this docstring, these imports, and the state in these lines."""
        parts = [*_docstring(about), "", *imports]
        if state:
            parts += ["", _title("the state, which lives on from call to call"), *state]
        once = self._once()
        if once:
            parts += ["", _title("made once: constants, memory for results, views"), *once]
        parts += ["", "", *self.function(), *self._helper()]
        return "\n".join(parts) + "\n"

    def about(self) -> list[str]:
        """What the text is."""
        plan = self.program.plan
        calls = sum(isinstance(each, Call) for each, _ in self.body)
        size = sum(buffer.nbytes for buffer in plan.buffers)
        memory = f", with {_bytes(size)} of memory for results, allocated once" * bool(size)
        lines = [f"{self.name}({', '.join(self.parameters())}) as plain NumPy: {calls} calls{memory}.", ""]
        source = _told(self.program.watch.function)
        lines += [f"Recorded by tinygrad_relu.compile from {source}; the same numbers to the last bit."]
        width = max((len(each.hint) for each in self.arguments()), default=0)
        arguments = [f"{each.hint:{width}}  {_kind(each.array)}" for each in self.arguments()]
        return lines + ([""] + [f"    {line}" for line in arguments] if arguments else [])

    def _once(self) -> list[str]:
        lines = [_explained(f"{item.name} = {item.spelled}", item.what) for item in self.once]
        return [part for line in [*lines, *self.setup] for part in _wrapped(self._with_remark(line))]

    def _with_remark(self, line: str) -> str:
        """An alias needs a word: its results lie where others were."""
        right = line.partition(" = ")[2]
        return f"{line}  # in the same memory" if right.isidentifier() else line

    # ------------------------------------------------------------------ the function

    def arguments(self) -> list[Value]:
        """The arrays and numbers that the function is called with."""
        return [v for v in self.program.plan.inputs if is_argument(v)]

    def function(self) -> list[str]:
        """The definition of the function."""
        lines = [f"def {self.name}({', '.join(self.parameters())}):"]
        inside = [f"global {name}" for name in _joined(self.changed)]
        inside += self._taken_apart()
        inside += self._checks()
        inside += self._computation()
        inside += self.ends
        return lines + [f"    {part}".rstrip() for line in inside for part in _wrapped(line, WIDTH - 4)]

    def parameters(self) -> list[str]:
        """The arguments as they stand in the brackets of the definition."""
        args, kwargs = self.program.structure
        names = _positional(self.program.watch.function, len(args))
        parts = [*zip(names, args), *kwargs.items()]
        texts: list[str] = []
        for name, part in reversed(parts):
            fixed = self._fixed(part)
            can_be_left_out = fixed is not None and all("=" in text for text in texts)
            texts.append(f"{name}={fixed}" if can_be_left_out else name)
        return texts[::-1]

    def _fixed(self, part: Any) -> str | None:
        """How an argument is written that the program was recorded with, and that has no part in the computation."""
        if not isinstance(part, Leaf) or part.index in {v.source.key[1] for v in self.arguments() if v.source}:
            return None
        leaf = self.program._leaves[part.index]
        return repr(leaf) if isinstance(leaf, (bool, int, str)) else "None"

    def _taken_apart(self) -> list[str]:
        """The arrays in tuples, lists and dicts by names of their own."""
        args, kwargs = self.program.structure
        by_place = {v.source.key[1]: v for v in self.arguments() if v.source}
        lines = []
        for name, part in (*zip(_positional(self.program.watch.function, len(args)), args), *kwargs.items()):
            for path, leaf in _paths(part):
                if path and leaf.index in by_place:
                    lines.append((f"{self.names(by_place[leaf.index])}", f"{name}{path}"))
        lines.sort(key=lambda line: line[1].startswith(f"{line[0]}["))  # a name that is set anew comes last
        return [f"{left} = {right}" for left, right in lines]

    def _checks(self) -> list[str]:
        """What must be as it was in the recording."""
        lines = []
        for value in self.arguments():
            if value.is_array:
                lines.append(f'expect("{value.hint}", {value.hint}, {value.array.shape}, {_dtype(value.array)})')
        lines += self._checks_of_fixed()
        for decision in self.program.plan.decisions:
            if self.speller.at_start(decision):
                lines += self._decided(decision)
        before = [f"{name} = {_steps(name)} + 1  # the number of this step" for name in self._steps()]
        return [*before, *lines]

    def _checks_of_fixed(self) -> list[str]:
        args, kwargs = self.program.structure
        lines = []
        for name, part in (*zip(_positional(self.program.watch.function, len(args)), args), *kwargs.items()):
            fixed = self._fixed(part)
            if fixed not in (None, "None"):
                lines += [
                    f"if {name} != {fixed}:",
                    f'    raise ValueError(f"recorded with {name}={fixed}, got {{{name}!r}}")',
                ]
        return lines

    def _steps(self) -> list[str]:
        return [self.names(v) for v in self.inputs if v.source and v.source.key == "step"]

    def _decided(self, decision: Decision) -> list[str]:
        text, outcome = self.speller.condition(decision)
        message = f"recorded where {text} is {'true' if outcome else 'false'}; now it is not"
        return [f"if {self.speller.opposite(decision)}:", f"    raise ValueError({_quoted(message)})"]

    # ------------------------------------------------------------------ the computation and its comments

    def _computation(self) -> list[str]:
        lines: list[str] = []
        comments = _Comments(self)
        for each, text in self.body:
            if isinstance(each, Call):
                lines += comments.before(each)
                lines += in_silence(each, comments.behind(each, self._with_place(each, text)))
            else:
                lines += ["# the rest holds only if the answer is the one of the recording", *self._decided(each)]
        return lines

    def _with_place(self, call: Call, lines: list[str]) -> list[str]:
        """np.where in place does not show what it chooses from."""
        if call.function != "np.where" or len(lines) != 1 or call.out is not None:
            return lines
        other = call.arguments[2]
        if not isinstance(other, Value) or self.names(other) in lines[0]:
            return lines
        return [f"{lines[0]}  # in place: it lies where {self.names(other)} was"]

    # ------------------------------------------------------------------ the end

    def _ends(self) -> list[str]:
        """What is kept for the next call, and what is returned."""
        taken: set[Any] = set()
        returned = self._returned(taken)
        lines = []
        for source, value in self.program.recording.outputs:
            if value is not None and not self.program._stays(value) and self._is_kept(source):
                name = self._kept_name(source, value)
                text = self._owned(self._now(value), taken)
                self.changed.append(name)
                lines += [f"{name} = {text}"] if name != text else []
        for name in self._steps():
            self.changed.append(_steps(name))
            lines.append(f"{_steps(name)} = {name}")
        title = ["", _title("what the next call begins with", WIDTH - 4)] if lines else [""]
        return [*title, *lines, *([f"return {returned}"] if returned != "None" else [])]

    def _is_kept(self, source: Any) -> bool:
        """All but gradients that an optimizer has a place of its own for, if no call begins with them."""
        read = any(v.source and v.source.owner is source.owner and v.source.key == source.key for v in self.inputs)
        return read or source.key != "grad" or all(source.owner is not p for p in self.slots.values())

    def _now(self, value: Value) -> Value:
        return self.program.plan.replaced.get(value, value)

    def _kept_name(self, source: Any, left: Value) -> str:
        """What the module calls the thing that a value is left in."""
        for value in self.inputs:
            if value.source and value.source.owner is source.owner and value.source.key == source.key:
                return self.names(value)
        if source.key == "grad":
            return self.names(self._now(left))
        return identifier(f"{self.labels[id(source.owner)][0]}_{source.key}")

    def _owned(self, value: Value, taken: set[Any]) -> str:
        """An array that nobody else writes into."""
        name, plan = self.names(value), self.program.plan
        if not value.is_array:
            return name
        fresh = plan.is_fresh(value) and value.memory not in plan.homes and value.memory not in taken
        taken.add(value.memory)
        return name if fresh else f"{name}.copy()"

    def _returned(self, taken: set[Any]) -> str:
        texts = []
        for kind, what in self.program.recording.leaves:
            if kind == "number":
                texts.append(spelled(replaced_in(what.expression, self.program.plan.replaced), self.names))
            elif kind in ("tensor", "array"):
                texts.append(self._owned(self._now(what), taken))
            else:
                texts.append(self._given(what))
        return _structured(self.program.recording.structure, texts)

    def _given(self, what: Any) -> str:
        """Something that is returned as it is."""
        if not isinstance(what, Tensor):
            return literal(what)
        name = f"given{1 + sum(item.name.startswith('given') for item in self.state)}"
        self.state.append(Item(name, np.asarray(what._data), "is returned as it is"))
        return name

    # ------------------------------------------------------------------ the state

    def _items(self) -> tuple[list[Item], list[Item]]:
        """What lives on, bases before their views; and what can be made of nothing."""
        state: list[Item] = []
        once: list[Item] = []
        for value in sorted(self.inputs, key=_rank):
            item = self._item(value)
            item.renewed = value.memory in self.program.renewed
            (once if item.spelled else state).append(item)
        arrays = [item for item in state if isinstance(item.value, np.ndarray)]
        others = [item for item in state if not isinstance(item.value, np.ndarray)]
        return [*_bases_first(arrays), *others], once

    def _item(self, value: Value) -> Item:
        source, name = value.source, self.names(value)
        assert source is not None
        now = value.array if value.kind == "constant" else source.fetch()
        owner, key = source.owner, source.key
        if key == "step" and isinstance(owner, Flat):
            return Item(_steps(name), owner.step, f"how many steps {self._optimizer(owner)} has made")
        if isinstance(owner, Flat):
            like = f"np.empty({now.shape[0]}, {_dtype(now)})" if key.startswith("scratch") else ""
            return Item(name, now, self._about_vector(owner, key), like)
        if isinstance(owner, dict):
            fixed = ", as it was recorded" if value in self.program.asked else ""
            return Item(name, now, f"an option of {self._optimizer_of_group(owner)}{fixed}")
        if isinstance(owner, Module):
            return Item(name, now, f"{key} of {self.labels[id(owner)][1]}")
        if isinstance(key, tuple) and key[0] == "vector":
            of = "all parameters end to end" if key[1] == "data" else "their gradients, in the same order"
            return Item(name, now, of)
        if isinstance(owner, Tensor):
            what = owner.name or "a Tensor"
            return Item(name, now, what if key == "data" else f"the gradient of {what}, to which more is added")
        if key == "rng":
            return Item(name, now, "the generator of random numbers")
        if id(now) in self.slots:
            return Item(name, now, f"the gradient of {self.slots[id(now)].name or 'a parameter'}")
        if value.kind == "constant" or (key == ("array", False) and not value.memory.written):
            return Item(name, now, "a constant", _simple(now))
        return Item(name, now, "an array from outside of the function")

    def _about_vector(self, flat: Flat, key: str) -> str:
        optimizer = self._optimizer(flat)
        known = {
            "theta": f"all parameters end to end, which {optimizer} changes",
            "grad": "their gradients, in the same order",
            "scratch1": f"for {optimizer} to compute in",
            "scratch2": f"for {optimizer} to compute in",
        }
        return known.get(key, f"what {optimizer} remembers about each parameter")

    def _optimizer(self, flat: Any) -> str:
        found = [type(optimizer).__name__ for optimizer, each in self.program.recording.steps if each is flat]
        return found[0] if found else "the optimizer"

    def _optimizer_of_group(self, group: Any) -> str:
        for optimizer in self.program.recording.optimizers:
            if any(each is group for each in optimizer.param_groups):
                return type(optimizer).__name__
        return "the optimizer"

    def _helper(self) -> list[str]:
        if not any(value.is_array for value in self.arguments()):
            return []
        return ["", "", *_EXPECT.strip().split("\n")]


_EXPECT = '''
def expect(name, array, shape, dtype):
    """Refuse what the program was not recorded with: it would compute something else."""
    if not isinstance(array, (np.ndarray, np.generic)):
        raise ValueError(f"{name}: expected a NumPy array, got {type(array).__name__}")
    if array.shape != shape or array.dtype != dtype:
        wanted = f"{shape} {np.dtype(dtype)}"
        raise ValueError(f"{name}: recorded with an array {wanted}, got {array.shape} {array.dtype}")
'''


_BETWEEN = "before the update"


class _Comments:
    """The comments of a computation: its parts, the user's lines, and the ops."""

    def __init__(self, listing: Listing):
        self.listing = listing
        self.part = ""
        self.place: Any = None
        self.about: Any = None
        calls = [each for each, _ in listing.body if isinstance(each, Call)]
        self.back = calls_back(calls)
        self.learned = {call.origin.op for call in calls if call.origin.backward}
        # What stands behind the backward pass is the update, if no optimizer makes one.
        self.between = _BETWEEN if listing.program.recording.steps or not self._updates(calls) else "update"
        self.flat: Any = None
        self.remarks = _remarks(calls)

    def _updates(self, calls: list[Call]) -> bool:
        written = [call.out for call in calls if call.out is not None]
        written += [home.value for home in self.listing.program.plan.homes.values() if isinstance(home, Place)]
        return any(isinstance(v.source.owner, Tensor) for v in written if v.source is not None)

    def before(self, call: Call) -> list[str]:
        """What stands before the call; nothing if it goes on with the same op."""
        part = self._part(call)
        lines = ["", _title(part, WIDTH - 4)] if part != self.part else []
        self.place = None if lines else self.place
        self.flat = _flat_of(call) or self.flat
        about = (part, call.origin.op, call.origin.place, self.flat if part == "update" else None, self._kind(call))
        if about == self.about and not lines:
            return []
        self.part, self.about = part, about
        return lines + self._users_line(call) + self._header(call, part)

    def behind(self, call: Call, lines: list[str]) -> list[str]:
        """The lines, with what the rule says behind its own line, if this is the last call in that."""
        remark = self.remarks.get(call, "")
        if lines[0].startswith("for "):
            return ["# piece by piece, so that the pieces stay in the processor's cache", *lines]
        fits = remark and "  # " not in lines[-1] and len(lines[-1]) + len(remark) + 8 <= WIDTH
        return [*lines[:-1], f"{lines[-1]}  # {remark}"] if fits else lines

    def _part(self, call: Call) -> str:
        if call in self.back:
            return "backward"
        if call.origin.part == "step":
            return "update"
        if self.part in ("backward", "update") and call.origin.op not in self.learned:
            return self.part if self.part == "update" else self.between
        return self.part if self.part == _BETWEEN else "forward"

    def _users_line(self, call: Call) -> list[str]:
        line = _line(call)
        if line is None or line == self.place:
            return []
        between = [""] if self.place is not None else []
        self.place = line
        return [*between, f"# {line}: {line.text}" if line.text else f"# {line}"]

    def _header(self, call: Call, part: str) -> list[str]:
        note = call.origin.op
        if note is not None and part == "backward":
            where = f"   {_line_of(note) or ''}".rstrip()
            return [f"# back through {note.name}{self._module(note)}{where}"]
        if note is not None:
            formula = _formula(registry.get(note.name))
            return [_cut(f"# {note.name}{self._module(note)}{f': {formula}' if formula else ''}")]
        if part == "update":
            optimizer = self._optimizer()
            return [_cut(f"# {type(optimizer).__name__}: {_formula(type(optimizer))}")] if optimizer else []
        if part == "backward":
            return [f"# {self._kind(call)}"]
        return ["# no gradient goes through this"] if part == "forward" and self.back else []

    def _kind(self, call: Call) -> str:
        """What the engine does between two rules."""
        if call.origin.op is not None or call not in self.back:
            return ""
        if call.function == "np.add":
            return "a value that was used twice: its gradients add up"
        if call.function == "[]=":
            return "gradients in their places"
        return "what broadcasting has repeated: its gradients add up"

    def _optimizer(self) -> Any:
        steps = self.listing.program.recording.steps
        return next((optimizer for optimizer, flat in steps if flat is self.flat), None)

    def _module(self, note: OpNote) -> str:
        label = self.listing.labels.get(id(note.call[0])) if note.call is not None else None
        return f" ({label[1]})" if label else ""


# ---------------------------------------------------------------------- where calls belong


def _remarks(calls: list[Call]) -> dict[Call, str]:
    """The comments that stand behind the lines of an optimizer's rule, for the last call of each line."""
    places = [rule_of(call) for call in calls]
    lines = [line_at(place) if place is not None else None for place in places]
    found = {}
    for call, line, following in zip(calls, lines, [*lines[1:], None]):
        if line is not None and line != following and call.origin.part == "step":
            found[call] = line.text.partition("  # ")[2].partition("type: ignore")[0]
    return found


def _line(call: Call) -> Any:
    return line_at(call.origin.place) if call.origin.place is not None else None


def _line_of(note: OpNote) -> Any:
    return line_at(note.place) if note.place is not None else None


def _flat_of(call: Call) -> Any:
    """The optimizer's vectors that a call works on."""
    owners = [v.source.owner for v in (*call.reads, *([call.out] if call.out else [])) if v.source is not None]
    return next((owner for owner in owners if isinstance(owner, Flat)), None)


def _formula(kind: Any) -> str:
    """The first clause of what a class says of itself."""
    text = inspect.cleandoc(getattr(kind, "__doc__", None) or "").split("\n\n")[0]
    text = " ".join(text.replace("``", "").split())
    for end in (". ", "; ", ", elementwise"):
        text = text.partition(end)[0]
    for end in (": ", ", "):
        text = text.partition(end)[0] if len(text) > 80 else text
    return text.rstrip(".") if len(text) <= 80 else ""


# ---------------------------------------------------------------------- the function's head


def _told(function: Any) -> str:
    """The function and the line where it stands."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    where = f" ({line_at((code, 0))})" if code is not None else ""
    return f"{function_name(function)}{where}"


def _positional(function: Any, count: int) -> list[str]:
    """What the function calls its arguments by place."""
    try:
        target = function.forward if isinstance(function, Module) else function
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names, *(f"x{i}" for i in range(len(names), count))][:count]


def _paths(part: Any, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """How each leaf is reached: ``[0]["x"]``."""
    if isinstance(part, Leaf):
        yield path, part
        return
    for key, each in part.items() if isinstance(part, dict) else enumerate(part):
        yield from _paths(each, f"{path}[{_quoted(key) if isinstance(key, str) else repr(key)}]")


def _structured(structure: Any, texts: list[str]) -> str:
    if isinstance(structure, Leaf):
        return texts[structure.index]
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{key!r}: {_structured(each, texts)}" for key, each in structure.items()) + "}"
    inside = ", ".join(_structured(each, texts) for each in structure)
    return f"[{inside}]" if isinstance(structure, list) else f"({inside}{',' if len(structure) == 1 else ''})"


def _rank(value: Value) -> int:
    """The vector of all parameters stands first, options of an optimizer in its own order, behind all else."""
    if value.source is None or not isinstance(value.source.owner, dict):
        return -1 if value.source is not None and value.source.key == ("vector", "data") else 0
    key = value.source.key
    return 1 + list(value.source.owner).index(key if isinstance(key, str) else key[0])


def _steps(name: str) -> str:
    """t counts from 1 on; the number of steps that were made is one less."""
    return name.replace("t", "steps", 1)


# ---------------------------------------------------------------------- arrays in words


def _described(item: Item) -> tuple[str, str, str]:
    value = item.value
    kind = _kind(value) if isinstance(value, (np.ndarray, np.generic)) else ""
    kind = kind or (repr(value) if isinstance(value, (int, float)) else type(value).__name__)
    return item.name, kind, item.what


def _kind(array: Any) -> str:
    return f"{array.shape} {array.dtype}" if hasattr(array, "dtype") else "float"


def _dtype(array: Any) -> str:
    return literal(array.dtype)


def _bytes(size: int) -> str:
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.3g} KB" if size < 1e6 else f"{size / 1e6:.3g} MB"


def _simple(array: Any) -> str:
    """How a constant is made that needs no file: one number again and again, or 0, 1, 2, ...; else ""."""
    if not isinstance(array, np.ndarray) or not array.size:
        return ""
    if array.size > 1 and not any(array.strides):
        return f"np.broadcast_to({literal(array[(0,) * array.ndim])}, {array.shape})"
    if not array.flags.c_contiguous:
        return ""
    counted = np.arange(array.size, dtype=array.dtype).reshape(array.shape) if array.dtype != bool else array
    if array.size > 1 and array.dtype.kind == "i" and array.tobytes() == counted.tobytes():
        shape = f".reshape({array.shape})" if array.ndim > 1 else ""
        return f"np.arange({array.size}, dtype={_dtype(array)}){shape}"
    for name in ("zeros", "ones"):
        if array.tobytes() == getattr(np, name)(array.shape, array.dtype).tobytes():
            return f"np.{name}({array.shape if array.ndim != 1 else array.size}, {_dtype(array)})"
    return ""


def _bases_first(items: list[Item]) -> list[Item]:
    """Each array that others lie in before them, and those spelled as its views."""
    ordered: list[Item] = []
    for item in sorted(items, key=lambda each: -each.value.nbytes):
        base = next((each for each in ordered if not each.spelled and _lies_in(item.value, each.value)), None)
        if base is not None:
            item.spelled = _view(base, item.value)
            item.what = f"{item.what}, a view of {base.name}"
        ordered.append(item)
    numbers = {id(item): i for i, item in enumerate(items)}
    first = [item for item in items if not item.spelled]
    return first + sorted((item for item in ordered if item.spelled), key=lambda each: numbers[id(each)])


def _lies_in(array: np.ndarray, base: np.ndarray) -> bool:
    if not base.flags.c_contiguous or not np.may_share_memory(array, base):
        return False
    low, high = np.lib.array_utils.byte_bounds(array)
    base_low, base_high = np.lib.array_utils.byte_bounds(base)
    return base_low <= low and high <= base_high


def _view(base: Item, array: np.ndarray) -> str:
    offset = np.lib.array_utils.byte_bounds(array)[0] - np.lib.array_utils.byte_bounds(base.value)[0]
    if base.value.ndim == 1 and array.dtype == base.value.dtype and array.flags.c_contiguous:
        start = offset // array.itemsize
        part = f"{base.name}[{start}:{start + array.size}]"
        return part if array.ndim == 1 else f"{part}.reshape({', '.join(map(str, array.shape)) or '()'})"
    if base.value.ndim == 1 and array.dtype == base.value.dtype and array.T.flags.c_contiguous:
        return f"{_view(base, array.T)}.T"
    return f"np.ndarray({array.shape}, {_dtype(array)}, {base.name}, {offset}, {array.strides})"


# ---------------------------------------------------------------------- lines


def _first_of_each_name(lines: list[str]) -> list[str]:
    """A name stands for one place in memory: a second line for it says the same again."""
    found: list[str] = []
    names: set[str] = set()
    for line in lines:
        name, _, right = line.partition(" = ")
        if right and not line.startswith(" "):
            if name == right or name in names or not all(each.isidentifier() for each in name.split(", ")):
                continue
            names.add(name)
        found.append(line)
    return found


def _quoted(text: str) -> str:
    """The text as a string of Python, in double quotes where it can be."""
    return f'"{text}"' if not set(text) & {'"', "\\"} else repr(text)


def _title(text: str, width: int = WIDTH) -> str:
    return f"# ---- {text} ".ljust(min(width, 80), "-")


def _docstring(lines: list[str]) -> list[str]:
    first, *rest = [_cut(line.replace("\\", "/").replace('"""', "'''")) for line in lines]
    return [f'"""{first}', *rest, '"""']


def _columns(rows: list[tuple[str, str, str]]) -> list[str]:
    names = max((len(name) for name, _, _ in rows), default=0)
    kinds = max((len(kind) for _, kind, _ in rows), default=0)
    return [_cut(f"{name:{names}}  {kind:{kinds}}  {what}", WIDTH - 2) for name, kind, what in rows]


def _explained(line: str, what: str) -> str:
    return f"{line}  # {what}" if len(line) + len(what) + 4 <= WIDTH else line


def _cut(line: str, width: int = WIDTH - 4) -> str:
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def _wrapped(line: str, width: int = WIDTH) -> list[str]:
    """A long line of code, broken behind commas that stand in brackets."""
    if line.lstrip().startswith("#"):
        return [_cut(line, width)]
    if len(line) > width and line.startswith("for "):
        names, _, rest = line.removeprefix("for ").partition(" in ")
        line = f"for ({names}) in {rest}"
    lines: list[str] = []
    indent = " " * (len(line) - len(line.lstrip()) + 4 * (2 if line.endswith(":") else 1))
    places = list(_breaks(line))
    start = 0
    while len(line) - start + len(indent) > width and any(i < start + width - len(indent) for i in places if i > start):
        end = max(i for i in places if start < i < start + width - len(indent))
        lines.append(line[start:end])
        start, places = end, [i for i in places if i > end]
    lines.append(line[start:])
    return [lines[0], *(indent + each.lstrip() for each in lines[1:])]


def _joined(names: list[str]) -> list[str]:
    """Names with commas between, on as many lines as it takes."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(name) < 90:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return lines


def _breaks(line: str) -> Iterator[int]:
    """The places behind commas that stand in brackets."""
    depth = 0
    for i, character in enumerate(line):
        depth += (character in "([{") - (character in ")]}")
        if depth > 0 and line[i : i + 2] == ", ":
            yield i + 1
