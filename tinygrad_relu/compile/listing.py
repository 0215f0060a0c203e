"""Listing: a compiled program as Python that a learner can read: forward, backward and update, line by line.

The same text runs: ``save`` puts the numbers behind it and has a file that goes on with the training.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..nn.module import Module
from ..record.source import line_at
from ..record.words import plural
from ..tensor import Tensor
from .array_words import bytes_of, dtype_of, kind_of_array
from .comments import Comments
from .items import Item, Items, counter, described
from .lines import WIDTH, columns, docstring, explained, joined, quoted, title, wrapped
from .naming import function_name, identifier, is_argument, module_labels, names_of, slots_of
from .number import spelled
from .passes import replaced_in
from .recording import Leaf
from .spelling import Speller, in_silence, literal
from .tape import Call, Decision, Value

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Listing", "listing"]


def listing(program: Program) -> str:
    """The program as the text of a Python module; what it needs from outside stands in comments."""
    return Listing(program).text()


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
        self.state, self.once = Items(program, self.names, self.slots, self.labels).of(self.inputs)
        self.ends = self._ends()

    # ------------------------------------------------------------------ the whole

    def text(self) -> str:
        """A module docstring, the state in comments, what is made once, and the function."""
        state = [f"# {line}" for line in columns([described(item) for item in self.state])]
        return self.module(self.about(), ["import numpy as np"], state)

    def module(self, about: list[str], imports: list[str], state: list[str]) -> str:
        """The text with this docstring, these imports, and the state in these lines."""
        parts = [*docstring(about), "", *imports]
        if state:
            parts += ["", title("the state, which lives on from call to call"), *state]
        once = self._once()
        if once:
            parts += ["", title("made once: constants, memory for results, views"), *once]
        parts += ["", "", *self.function(), *self._helper()]
        return "\n".join(parts) + "\n"

    def about(self) -> list[str]:
        """What the text is."""
        plan = self.program.plan
        calls, *_ = plan.size()
        size = sum(buffer.nbytes for buffer in plan.buffers)
        memory = f", with {bytes_of(size)} of memory for results, allocated once" * bool(size)
        lines = [f"{self.name}({', '.join(self.parameters())}) as plain NumPy: {plural(calls, 'call')}{memory}.", ""]
        source = _told(self.program.watch.function)
        lines += [f"Recorded by tinygrad_relu.compile from {source}; the same numbers to the last bit."]
        width = max((len(each.hint) for each in self.arguments()), default=0)
        arguments = [f"{each.hint:{width}}  {kind_of_array(each.array)}" for each in self.arguments()]
        return lines + ([""] + [f"    {line}" for line in arguments] if arguments else [])

    def _once(self) -> list[str]:
        lines = [explained(f"{item.name} = {item.spelled}", item.what) for item in self.once]
        return [part for line in [*lines, *self.setup] for part in wrapped(self._with_remark(line))]

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
        inside = [f"global {name}" for name in joined(self.changed)]
        inside += self._taken_apart()
        inside += self._checks()
        inside += self._computation()
        inside += self.ends
        return lines + [f"    {part}".rstrip() for line in inside for part in wrapped(line, WIDTH - 4)]

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
                lines.append(f'expect("{value.hint}", {value.hint}, {value.array.shape}, {dtype_of(value.array)})')
        lines += self._checks_of_fixed()
        for decision in self.program.plan.decisions:
            if self.speller.at_start(decision):
                lines += self._decided(decision)
        before = [f"{name} = {counter(name)} + 1  # the number of this step" for name in self._steps()]
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
        return [f"if {self.speller.opposite(decision)}:", f"    raise ValueError({quoted(message)})"]

    # ------------------------------------------------------------------ the computation and its comments

    def _computation(self) -> list[str]:
        lines: list[str] = []
        calls = [each for each, _ in self.body if isinstance(each, Call)]
        comments = Comments(self.program, self.labels, calls)
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
            self.changed.append(counter(name))
            lines.append(f"{counter(name)} = {name}")
        heading = ["", title("what the next call begins with", WIDTH - 4)] if lines else [""]
        return [*heading, *lines, *([f"return {returned}"] if returned != "None" else [])]

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
        return name if fresh else self.speller.copied(value)

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
        self.state.append(Item(name, np.asarray(what._array), "is returned as it is"))
        return name

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
        yield from _paths(each, f"{path}[{quoted(key) if isinstance(key, str) else repr(key)}]")


def _structured(structure: Any, texts: list[str]) -> str:
    if isinstance(structure, Leaf):
        return texts[structure.index]
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{key!r}: {_structured(each, texts)}" for key, each in structure.items()) + "}"
    inside = ", ".join(_structured(each, texts) for each in structure)
    return f"[{inside}]" if isinstance(structure, list) else f"({inside}{',' if len(structure) == 1 else ''})"


# ---------------------------------------------------------------------- what is made once


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
