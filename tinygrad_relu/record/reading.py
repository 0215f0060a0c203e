"""Reading: the record of a computation as it ran, from the first op to the last, for those who draw or explain it.

The order is that of the program: each op knows when it was recorded. Nothing is computed here and nothing is copied.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import topological_order, unbroadcast
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..op import RECORD
from ..tensor import Tensor
from .source import Line, argument_names, assigned_name, line_at, names_bound_once, variables_now

__all__ = ["ModuleCall", "Reading", "Step", "Value", "blocks", "read", "saved_arrays", "saved_attributes"]


@dataclass(eq=False)
class ModuleCall:
    """One call of a module, with the calls around it."""

    module: Module
    parent: ModuleCall | None
    name: str  # what the module around it calls this one; "" for the outermost
    names: dict[int, str] = field(default_factory=dict)  # of the modules inside, by their id

    @property
    def label(self) -> str:
        """Its name and class: ``0: Linear``."""
        kind = type(self.module).__name__
        return f"{self.name}: {kind}" if self.name else kind


@dataclass(eq=False)
class Value:
    """A tensor, or a constant that an op was given."""

    id: str
    kind: str  # parameter, input, constant, result or output
    array: np.ndarray
    given: Any  # the tensor itself, or the constant as the program gave it
    name: str | None
    maker: Step | None = None
    uses: list[tuple[Step, int]] = field(default_factory=list)  # the op and the number of the argument

    @property
    def tensor(self) -> Tensor | None:
        """The tensor; None for a constant."""
        return self.given if isinstance(self.given, Tensor) else None

    @property
    def requires_grad(self) -> bool:
        """Tell whether a gradient flows to it."""
        return self.tensor is not None and self.tensor.requires_grad

    @property
    def held(self) -> np.ndarray | None:
        """Content of ``grad``, from whatever backward pass; None if nothing does."""
        grad = self.tensor._grad if self.tensor is not None else None
        return None if grad is None else np.asarray(getattr(grad, "_array", grad))

    @property
    def arrived(self) -> np.ndarray | None:
        """The gradient that the last backward pass over this graph has brought here; None if it has not been here."""
        if self.maker:
            return None if self.maker.op.received is None else np.asarray(self.maker.op.received)
        sent = [each for each in (step.sent(i) for step, i in self.uses) if each is not None]
        return np.asarray(sum(sent[1:], sent[0])) if sent else None

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        """The module calls around it, the outermost first. A parameter lies where it is used, an input outside."""
        if self.maker:
            return self.maker.calls
        if self.kind == "input" or not self.uses:
            return ()
        return _common([step.calls for step, _ in self.uses])


@dataclass(eq=False)
class Step:
    """One op that was applied."""

    id: str
    op: Any
    arguments: list[Value]
    result: Value
    calls: tuple[ModuleCall, ...]
    line: Line | None

    @property
    def argument_names(self) -> list[str]:
        """Names that the op's forward has for its arguments."""
        names = list(inspect.signature(self.op.forward).parameters)
        return names if len(names) >= len(self.arguments) else [str(i) for i in range(len(self.arguments))]

    @property
    def formula(self) -> str:
        """The first paragraph of the op's own text."""
        return inspect.cleandoc(type(self.op).__doc__ or "").split("\n\n")[0].replace("``", "")

    def sent(self, i: int) -> np.ndarray | None:
        """The gradient that went back to the i-th argument, in its shape; None if none did."""
        parent = self.op.parents[i]
        contribution = self.op.sent[i] if i < len(self.op.sent) and parent is not None else None
        return None if contribution is None else np.asarray(unbroadcast(contribution, parent, self.op))


@dataclass(eq=False)
class Reading:
    """A whole computation: its steps in the order of the program, and all values that occur."""

    steps: list[Step]
    values: list[Value]
    output: Value


def read(t: Tensor, caller: str) -> Reading:
    """The computation that led to ``t``. RuntimeError if its graph was freed; ``caller`` is named in errors."""
    if not isinstance(t, Tensor):
        raise TypeError(f"{caller}: expected a Tensor, got {type(t).__name__}")
    nodes = [node for node in _nodes(t, caller) if node.op is not None]
    nodes.sort(key=_time)
    values: dict[Any, Value] = {}
    calls: dict[int, ModuleCall] = {}
    steps: list[Step] = []
    for node in nodes:
        op: Any = node.op
        arguments = [_argument(values, *each) for each in zip(op.arguments, op.inputs)]
        result = values[node] = Value(f"t{len(values)}", "result", np.asarray(node._array), node, node.name)
        step = Step(f"op{len(steps)}", op, arguments, result, _calls(op.call, calls), None)
        result.maker = step
        for i, argument in enumerate(arguments):
            argument.uses.append((step, i))
        steps.append(step)
    output = values.get(t) or _leaf(values, t)
    output.kind = "output" if output.maker else output.kind
    called = _read_source(steps)
    _name_leaves(list(values.values()), called)
    return Reading(steps, list(values.values()), output)


def _time(node: Any) -> int:
    return node.op.time


def _nodes(t: Tensor, caller: str) -> list[Tensor]:
    try:
        return topological_order([t])
    except RuntimeError as error:
        raise RuntimeError(_FREED.format(caller=caller)) from error


_FREED = (
    "{caller}: the graph of this tensor was freed by backward() or grad(). Call tg.{caller} before, or go back with "
    "backward(retain_graph=True), and the gradients can be shown too."
)


def _argument(values: dict[Any, Value], argument: Any, array: Any) -> Value:
    if isinstance(argument, Tensor):
        return values.get(argument) or _leaf(values, argument)
    key: Any = id(argument) if isinstance(argument, np.ndarray) else object()  # an array may be used twice
    if key in values and values[key].array.tobytes() != array.tobytes():  # but may have been filled anew in between
        key = object()
    if key not in values:
        values[key] = Value(f"t{len(values)}", "constant", np.asarray(array), argument, None)
    return values[key]


def _leaf(values: dict[Any, Value], t: Tensor) -> Value:
    kind = "parameter" if isinstance(t, Parameter) else "input"
    values[t] = Value(f"t{len(values)}", kind, np.asarray(t._array), t, t.name)
    return values[t]


# ---------------------------------------------------------------------- modules


def _calls(call: Any, known: dict[int, ModuleCall]) -> tuple[ModuleCall, ...]:
    """The module calls around an op, the outermost first; each is made once."""
    found: list[ModuleCall] = []
    chain = []
    while call is not None:
        chain.append(call)
        call = call[1]
    for each in reversed(chain):
        if id(each) not in known:
            parent = found[-1] if found else None
            known[id(each)] = ModuleCall(each[0], parent, _name_within(parent, each[0]))
        found.append(known[id(each)])
    return tuple(found)


def _name_within(parent: ModuleCall | None, module: Module) -> str:
    if parent is None:
        return ""
    if not parent.names:
        parent.names.update({id(each): name for name, each in parent.module.named_modules()})
    return parent.names.get(id(module), "")


def _common(paths: Iterable[tuple[ModuleCall, ...]]) -> tuple[ModuleCall, ...]:
    """The calls that all paths begin with."""
    shared = []
    for level in zip(*paths):
        if any(each is not level[0] for each in level):
            break
        shared.append(level[0])
    return tuple(shared)


# ---------------------------------------------------------------------- the program's text


def _read_source(steps: list[Step]) -> dict[Value, tuple[str, bool]]:
    """Give each step its line, and each result without a name that of the variable it is assigned to.

    Returned is what the lines call the values that no op has made, and whether the name never meant anything else.
    """
    called: dict[Value, tuple[str, bool]] = {}
    for step, following in zip(steps, [*steps[1:], None]):
        place = step.op.users_place()
        if place is None:
            continue
        step.line = line_at(place)
        if step.op.place is not None:
            function = (step.op.name, *step.op.aliases)
            step.result.name = step.result.name or assigned_name(place, function)
            given, names = step.arguments, argument_names(place, len(step.arguments), function)
        else:  # a built-in module was called, with its input, and its last op gives the value
            if following is None or not _in_one_call(step, following):
                step.result.name = step.result.name or assigned_name(place)
            given, names = [x for x in step.arguments if x.kind == "input"], argument_names(place, 1)
        for value, name in zip(given, names):
            if name and not value.maker:
                called.setdefault(value, (name, name in names_bound_once(place)))
    return called


def _in_one_call(step: Step, following: Step) -> bool:
    """Tell whether two ops stand in the same call that the user's program made."""
    return following.op.place is None and _users_call(step) is _users_call(following)


def _users_call(step: Step) -> Any:
    call = step.op.call
    while call is not None and call[2] is None:
        call = call[1]
    return call


def _name_leaves(values: list[Value], called: dict[Value, tuple[str, bool]]) -> None:
    """Give what no op has made the name of the variable that holds it now, or else what the lines call it.

    The latter only if that variable holds the same numbers, as where a module has made a Tensor of an array, or if it
    is gone and never was anything else: a name that may be wrong is worse than none.
    """
    unnamed = [v for v in values if not (v.maker or v.name) and (v.array.ndim or v.requires_grad) and _is_as_given(v)]
    variables = variables_now()
    names, things = {id(thing): name for name, thing in reversed(variables)}, dict(reversed(variables))
    for value in unnamed:
        value.name = names.get(id(value.given))
    claims, taken = Counter(name for name, _ in called.values()), {v.name for v in values}
    for value in unnamed:
        name, is_own = called.get(value, ("", False))
        is_own = is_own and claims[name] == 1 and name not in taken
        if not value.name and (is_own or _equals(things.get(name), value)):
            value.name = name


def _equals(thing: Any, value: Value) -> bool:
    return isinstance(thing, np.ndarray) and np.array_equal(thing, value.array, equal_nan=True)


def _is_as_given(value: Value) -> bool:
    """Tell whether a constant still holds the numbers that the op was given: an array may have been filled anew."""
    return value.tensor is not None or np.array_equal(value.given, value.array, equal_nan=True)


# ---------------------------------------------------------------------- what an op has saved


def saved_attributes(op: Any) -> dict[str, Any]:
    """Values that forward has saved for backward, by name."""
    return {name: value for name, value in vars(op).items() if name not in RECORD and not name.startswith("_")}


def saved_arrays(op: Any) -> dict[str, np.ndarray]:
    """The arrays among what was saved."""
    found = saved_attributes(op).items()
    return {name: np.asarray(value) for name, value in found if isinstance(value, (np.ndarray, np.generic))}


# Where the mask of these is true, no gradient passes. Others save masks that tell one formula from another.
_BLOCKING = frozenset({"relu", "relu6", "threshold", "thresholded_relu", "hard_tanh"})


def blocks(op: Any, name: str) -> bool:
    """Tell whether what was saved by this name is a mask of the elements whose gradient stops here."""
    return name == "mask" and op.name in _BLOCKING
