"""Text: the plan as one Python function, with readable names. What is read is what runs, and what is saved."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..record.source import line_at
from .number import spelled
from .passes import Plan
from .spelling import Speller, constant, empty, identifier, literal, part
from .tape import Condition, Expression, Tape, Value, Where, values_in

WIDTH, _LONG = 110, 30  # of a line, of a name
_WORDS = {
    "np.dot": "product", "np.add": "sum", "np.subtract": "difference", "np.multiply": "product", "[]": "part",
    "np.add.reduce": "total", "np.maximum.reduce": "max", "np.minimum.reduce": "min", "np.divide": "quotient",
    "**": "power",
    "np.negative": "negative", ".item": "number",
}  # fmt: skip
_MEANT = {"np", "Differs", "prepare", *dir(builtins)}


class Names:
    """A name for each value: the parameter's, the argument's, the op's, or what the gradient is one of."""

    def __init__(self, plan: Plan, wishes: dict[Value, str], taken: set[str]):
        self._plan = plan
        self._taken = taken | _MEANT
        self._names: dict[Value, str] = {}
        self._wishes: dict[Value, str] = {}
        for value, wish in wishes.items():
            self._wishes.setdefault(plan.now(value), wish)

    def __call__(self, value: Value) -> str:
        if value not in self._names:
            maker = value.maker
            if maker is not None and maker.function == ".T":  # costs nothing, and reads well
                self._names[value] = f"{self(self._plan.now(maker.arguments[0]))}.T"
            else:
                self._names[value] = self._free(
                    identifier(self._wishes.get(value) or value.name or self._by_maker(value))
                )
        return self._names[value]

    def give(self, value: Value, name: str) -> None:
        """The value has this name, whatever others it could have."""
        self._names[value] = name
        self._taken.add(name)

    def _free(self, wish: str) -> str:
        name, number = wish, 2
        while name in self._taken:
            name, number = f"{wish}_{number}", number + 1
        self._taken.add(name)
        return name

    def _by_maker(self, value: Value) -> str:
        call = value.maker
        if call is None:
            return "x"
        word = _WORDS.get(call.function) or call.function.rpartition(".")[2] or "x"
        if call.is_view and isinstance(call.arguments[0], Value):
            base = self(self._plan.now(call.arguments[0]))
            return f"{base}_{word}" if base.isidentifier() else word
        if call.where.part == "update":
            return "change" if not call.function.startswith("np.empty") else "scratch"
        grad = "grad_" * (call.where.part == "backward")
        before = f"{grad}{call.where.name}_" if call.where.name else ""
        return before + word if len(before + word) <= _LONG else word


class Text:
    """``source``, and what the function in it takes: ``fixed`` values once, ``varying`` ones in each call."""

    def __init__(
        self, name: str, about: list[str], tape: Tape, plan: Plan, pinned: list[Value], back: tuple[Any, list[Value]]
    ):
        self.plan, self.pinned = plan, pinned
        self.name = name
        self.arguments = [v for v in tape.inputs if v.kind == "argument"]
        self.names = Names(plan, tape.wishes, {name})
        for value in self.arguments:
            self.names.give(value, value.name)
        self.speller = Speller(self.names, plan.home)
        used = self._used(back)
        self.varying = [
            *self.arguments,
            *(v for v in tape.inputs if v in used and not v.fixed and v.kind != "argument"),
        ]
        self.varying = [v for v in self.varying if v not in pinned or v.kind == "argument"]
        self.fixed: list[Value] = []
        setup = self._setup([v for v in tape.inputs if v in used and v.fixed], used)
        body = [*self._body(), self._return(*back)]
        parameters = ", ".join(self.names(v) for v in self.varying)
        lines = [
            f"def prepare({', '.join(self.names(v) for v in self.fixed)}):",
            *_indented(setup),
            "",
            f"    def {name}({parameters}):",
            *_indented(_indented(body)),
            "",
            f"    return {name}",
        ]
        head = ['"""' + about[0], *about[1:], '"""', "", "import numpy as np", "", ""]
        if plan.conditions:
            head += [
                "class Differs(ValueError):",
                '    """A rule would go another way than in the recording."""',
                "",
                "",
            ]
        self.source = "\n".join([*head, *(wrapped for line in lines for wrapped in _wrapped(line))]) + "\n"

    def _used(self, back: Any) -> set[Value]:
        plan = self.plan
        used = {v for call in (*plan.once, *plan.calls) for v in (*call.reads, *([call.out] if call.out else []))}
        used.update(home if home.maker is None else home.base for home in plan.home.values() if home is not None)
        used.update(v for condition in plan.conditions for v in values_in(condition.expression))
        used.update(values_in(back))
        turned = [v for v in used if v.maker is not None and v.maker.function == ".T"]
        while turned:
            turned = [v for v in values_in([v.maker.arguments for v in turned]) if v not in used]
            used.update(turned)
        return used

    # ------------------------------------------------------------------ what is made once

    def _setup(self, fixed: list[Value], used: set[Value]) -> list[str]:
        owners = {id(v.array): v for v in fixed if v.is_array and v.array.base is None and v.kind == "state"}
        lines: list[str] = []
        self.views: list[str] = []  # the lines that name parts of the state
        for value in fixed:
            base = value.array
            while isinstance(getattr(base, "base", None), np.ndarray):
                base = base.base
            owner: Any = owners.get(id(base))
            made = constant(value.array) if value.kind == "constant" else ""
            cut = part(value.array, owner.array) if owner is not None and owner is not value else ""
            if made:
                lines.append(f"{self.names(value)} = {made}")
            elif cut:
                self.names(owner)
                self.views.append(f"{self.names(value)} = {self.names(owner)}{cut}")
            else:
                self.fixed.append(value)
        lines += [
            f"{self.names(v)} = {literal(v.array)}  # as it was recorded"
            for v in self.pinned
            if v in used and v.kind != "argument"
        ]
        for call in self.plan.once:
            lines += self.speller.lines(call)
        return [*self.views, *lines, *self._memory()]

    def _memory(self) -> list[str]:
        """Memory for results: those of one layout on one line."""
        rooms: dict[str, list[str]] = {}
        for value, home in self.plan.home.items():
            if home is None:
                rooms.setdefault(empty(value.array), []).append(self.names(value))
            else:
                turned = home.maker is not None
                self.names.give(value, self.names(self.plan.now(home.base if turned else home)) + ".T" * turned)
        lines = []
        for room, names in rooms.items():
            for some in _in_lines(names, WIDTH - len(room) - 30):
                made = room if len(some) == 1 else f"({room} for _ in range({len(some)}))"
                lines.append(f"{', '.join(some)} = {made}")
        return lines

    # ------------------------------------------------------------------ what is done in each call

    def _body(self) -> Iterator[str]:
        title, line, rule = "", "", None
        conditions = sorted(self.plan.conditions, key=lambda each: each.after)
        said: set[str] = set()
        for i, call in enumerate((*self.plan.calls, None)):
            while conditions and conditions[0].after <= i:
                for text in self._condition(conditions.pop(0)):
                    if text not in said:
                        said.add(text)
                        yield text
            if call is None or call.function == ".T":
                continue
            where = call.where
            if where.part != title:
                title = where.part
                yield f"# ---- {title} {'-' * (60 - len(title))}"
            if where is not rule and where.name:
                rule = where
                if where.line and where.line != line and where.part == "forward":
                    line = where.line
                    yield f"# {line}"
                yield f"# {'back through ' * (title == 'backward')}{where.about}"
            yield from self.speller.lines(call)

    def _condition(self, condition: Condition) -> list[str]:
        """The check that a rule would go the same way again."""
        expression, outcome = getattr(condition.expression, "formula", condition.expression), condition.outcome
        sign = expression[0] if isinstance(expression, tuple) else ""
        if sign in ("bool", "==", "!=", "<", "<=", ">", ">="):
            asked = spelled(expression[1] if sign == "bool" else expression, self.names)
            negated = f"not {asked}" if asked.isidentifier() else f"not ({asked})"
            text, held = (negated, asked) if outcome else (asked, negated)
        else:
            asked, was = spelled(expression, self.names), literal(outcome)
            text, held = f"{asked} != {was}", f"{asked} == {was}"
        return [f"if {text}:", f'    raise Differs("recorded where {held}; now it is not so")']

    def _return(self, result: Any, renewed: list[Value]) -> str:
        """The result as the function nests it; behind it the parts of the state that are other arrays now."""
        given: set[Value] = set()
        text = self._nested(result, given)
        if not renewed:
            return f"return {text}"
        return f"return {text}, ({''.join(self._owned(value, given) + ', ' for value in renewed).rstrip()})"

    def _nested(self, thing: Any, given: set[Value]) -> str:
        if isinstance(thing, dict):
            return "{" + ", ".join(f"{key!r}: {self._nested(item, given)}" for key, item in thing.items()) + "}"
        if isinstance(thing, (tuple, list)):
            items = ", ".join(self._nested(item, given) for item in thing)
            return f"[{items}]" if isinstance(thing, list) else f"({items}{',' * (len(thing) == 1)})"
        if isinstance(thing, (Value, Expression)):
            return self._owned(thing, given)
        return repr(thing) if thing is None or isinstance(thing, (bool, int, float, str)) else "None"

    def _owned(self, result: Any, given: set[Value]) -> str:
        """The caller's own: a copy of what lies in memory that is used again."""
        if not isinstance(result, Value):
            return spelled(result, self.names)
        value = self.plan.now(result)
        root = value.root
        own = (
            root.kind == "made"
            and root not in self.plan.home
            and root not in given
            and root.maker not in self.plan.once
        )
        given.add(root)
        copied = "" if own or not value.is_array else ".copy()" if value.array.flags.c_contiguous else '.copy("K")'
        return self.names(value) + copied


def described(where: Where) -> None:
    """Note in words what a reader wants to know of a rule, and let the op go: it holds the graph of a run."""
    op = where.op
    if op is None:
        return
    doc = re.split(r"\.$|\. |: |; |, elementwise", (type(op).__doc__ or "").strip().partition("\n")[0])[0]
    name = getattr(op, "name", type(op).__name__)
    where.name = name + where.number
    where.about = name + f" ({where.inside})" * bool(where.inside) + f": {doc}" * bool(doc and where.part != "backward")
    place = op.users_place() if hasattr(op, "users_place") else None
    if place is not None:
        line = line_at(place)
        where.line = f"{line}" + f": {line.text}" * bool(line.text)
    where.op = None


def _in_lines(names: list[str], width: int) -> Iterator[list[str]]:
    """The names, as many at a time as there is room for."""
    some: list[str] = []
    for name in names:
        if some and len(", ".join([*some, name])) > width:
            yield some
            some = []
        some.append(name)
    yield some


def _indented(lines: Any) -> list[str]:
    return [f"    {line}" for line in lines]


def _wrapped(line: str) -> list[str]:
    """A long line of code, broken behind a comma; a long comment, cut."""
    if len(line) <= WIDTH:
        return [line]
    if line.lstrip().startswith("#"):
        return [line[: WIDTH - 3].rstrip() + "..."]
    place = line.rfind(", ", 0, WIDTH)
    depth = sum(line[:place].count(b) for b in "([{") - sum(line[:place].count(b) for b in ")]}")
    if place < 0 or depth <= 0:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 8)
    return [line[: place + 1], *_wrapped(indent + line[place + 2 :])]
