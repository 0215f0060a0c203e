"""Comments: what stands above and behind the calls of a listing: the pass, the user's line, the op and its formula."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..op import registry
from ..optim.flat import Flat
from ..record.source import line_at
from ..tensor import Tensor
from .lines import WIDTH, cut, title
from .naming import calls_back, rule_of
from .plan import Place
from .tape import Call, OpNote

if TYPE_CHECKING:
    from .program import Program

__all__ = ["Comments"]

_BETWEEN = "before the update"


class Comments:
    """The comments of a computation: its parts, the user's lines, and the ops; ``labels`` are those of the modules."""

    def __init__(self, program: Program, labels: dict[int, tuple[str, str]], calls: list[Call]):
        self.program = program
        self.labels = labels
        self.part = ""
        self.place: Any = None
        self.about: Any = None
        self.back = calls_back(calls)
        self.learned = {call.origin.op for call in calls if call.origin.backward}
        # What stands behind the backward pass is the update, if no optimizer makes one.
        self.between = _BETWEEN if self.program.recording.steps or not self._updates(calls) else "update"
        self.flat: Any = None
        self.remarks = _remarks(calls)

    def _updates(self, calls: list[Call]) -> bool:
        written = [call.out for call in calls if call.out is not None]
        written += [home.value for home in self.program.plan.homes.values() if isinstance(home, Place)]
        return any(isinstance(v.source.owner, Tensor) for v in written if v.source is not None)

    def before(self, call: Call) -> list[str]:
        """What stands before the call; nothing if it goes on with the same op."""
        part = self._part(call)
        lines = ["", title(part, WIDTH - 4)] if part != self.part else []
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
            return [cut(f"# {note.name}{self._module(note)}{f': {formula}' if formula else ''}")]
        if part == "update":
            optimizer = self._optimizer()
            return [cut(f"# {type(optimizer).__name__}: {_formula(type(optimizer))}")] if optimizer else []
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
        steps = self.program.recording.steps
        return next((optimizer for optimizer, flat in steps if flat is self.flat), None)

    def _module(self, note: OpNote) -> str:
        label = self.labels.get(id(note.call[0])) if note.call is not None else None
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
