"""Program: one recording as a Python function, and what a call must look like for it to be the right one."""

from __future__ import annotations

import builtins
import itertools
import linecache
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random
from ..guard import note_change, owner_of
from ..mode import changes, get_default_dtype, mode
from ..nn.parameter import Parameter
from ..record.source import Line
from ..record.words import plural
from ..tensor import Tensor
from . import arguments
from .guards import Guards, same_value
from .number import Number
from .passes import PASSES, Plan
from .recorder import Recorder
from .spelling import identifier
from .state import attributes, place_of_gradient, traits
from .tape import CannotCompile, Expression, Layout, values_in
from .text import Text, described
from .traced import Traced


class Program:
    """One recording of a function for arguments of this structure. ``source`` is what runs, as Python."""

    def __init__(
        self,
        function: Callable[..., Any],
        structure: Any,
        leaves: list[Any],
        without: Any = (),
        before: Program | None = None,
        keep: bool = True,
    ):
        self.structure = structure
        self.trusted = before is not None
        args, kwargs = structure
        self.takes = len(args) if not kwargs and all(isinstance(part, arguments.Leaf) for part in args) else -1
        self.parameters = arguments.parameters_of(function, structure)
        self.names = arguments.names_of(self.parameters, len(leaves))
        self.kinds = [arguments.kind_of(leaf) for leaf in leaves]
        self.guards = Guards()
        self.mode = mode.now.record, get_default_dtype()
        self.recorder: Any = Recorder(self.guards)
        try:
            self.result = self._record(function, leaves)
            self._write(function, without)
            if before is not None:
                self._agree(before)
            if not keep:
                self.recorder.state.put_back(undone=True)
                self.recorder.undo.undo()
        except BaseException:
            self.recorder.state.put_back(undone=True)
            self.recorder.undo.undo()
            raise
        self.stamp = changes[0]
        if keep:
            for array in self.written:
                note_change(array)
        self.recorder = None  # with it go the arrays of the run
        self.guards.state.clear()

    def take_result(self) -> Any:
        """Result of the recorded call; it is given away once."""
        result, self.result = self.result, None
        return result

    def _agree(self, before: Program) -> None:
        """Raise CannotCompile unless an earlier recording has said the same."""
        old, new = _code(before.source), _code(self.source)
        if old == new and self.constants == before.constants:
            return
        old, new = before.source.splitlines()[1:], self.source.splitlines()[1:]
        line = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), 0)
        was, became = (old[line].strip(), new[line].strip()) if old[line : line + 1] else ("", "")
        if was == became:
            was, became = "a constant array", "another one"
        rule = next(
            (each.strip() for each in reversed(new[:line]) if each.lstrip().startswith("# ") and ".py:" in each), ""
        )
        where = f", near {rule[2:]}" if rule else ""
        raise CannotCompile(
            f"compile: two calls with the same arguments did not do the same{where}: {was!r} became {became!r}; what "
            "differs from call to call must be an argument."
        )

    # ------------------------------------------------------------------ the recording

    def _record(self, function: Any, leaves: list[Any]) -> Any:
        recorder, guards = self.recorder, self.guards
        guards.enter(function)
        for name, leaf in zip(self.names, leaves):
            if not isinstance(leaf, (np.ndarray, Tensor, float)) or isinstance(leaf, Parameter):
                guards.argument(name, leaf)
        recorder.state.meet(guards.state)
        stand_ins = [self._stand_in(i, leaf) for i, leaf in enumerate(leaves)]
        args, kwargs = arguments.unflatten(self.structure, stand_ins)
        named = {name: self._named(name, look) for name, look in guards.inputs.items()}
        result = recorder.run(_with_stand_ins(function, named), args, kwargs)
        recorder.state.check()
        changed = guards.changed()
        if changed is not None:
            raise CannotCompile(
                f"compile: the function changes {changed}, which would happen only in the first calls; return what "
                "changes, or do it outside of the function."
            )
        mode.now.recorder = recorder
        try:
            recorder.state.settle()
        finally:
            mode.now.recorder = None
        found: list[Any] = []
        self.result_structure = arguments.flatten(result, found)
        self.found = [_returned(leaf) for leaf in found]
        self.left = recorder.state.left()
        self.modes = recorder.state.modes()
        given = [
            _given(kind, value, getattr(value, "array", getattr(value, "value", value))) for kind, value in self.found
        ]
        recorder.state.put_back(undone=False)
        for module, training in self.modes:
            vars(module)["training"] = training
        return arguments.unflatten(self.result_structure, given)

    def _stand_in(self, place: int, leaf: Any) -> Any:
        """Stand-in that the function gets in the place of an argument."""
        recorder, name = self.recorder, self.names[place]
        fetch = lambda leaves: leaves[place]
        if isinstance(leaf, Tensor):
            if leaf._requires_grad:
                raise CannotCompile(
                    f"compile: the argument {name!r} requires a gradient; a compiled function takes plain data. "
                    "Keep what is learned outside of the arguments, as parameters are."
                )
            tensor_array = lambda leaves: np.asarray(leaves[place]._array)
            return Tensor._from_array(recorder.input(np.asarray(leaf._array), "argument", name, tensor_array))
        if isinstance(leaf, (np.ndarray, np.generic)):
            return recorder.input(leaf, "argument", name, fetch)
        if type(leaf) is float:
            number = recorder.number(leaf, name, fetch)
            number.formula.kind = "argument"
            return number
        return leaf

    def _named(self, name: str, look: Callable[[], Any]) -> Any:
        """Stand-in for a float or an array that the function names."""
        fetch = lambda _: look()
        if isinstance(look(), float):
            return self.recorder.number(look(), name, fetch, "a number that the function names")
        return self.recorder.input(look(), "named", name, fetch, about="an array that the function names")

    # ------------------------------------------------------------------ the text

    def _write(self, function: Any, without: Any) -> None:
        recorder, tape = self.recorder, self.recorder.tape
        results = [value for kind, value in self.found if kind in ("tensor", "array", "number")]
        results += [value for _, _, value, _ in self.left if value is not None]
        for where in {call.where for call in tape.calls}:
            described(where)
        targets = [call.out.array for call in tape.calls if call.out is not None and call.out.root.kind == "state"]
        self.changing = list({id(owner): owner for owner in map(owner_of, targets)}.values())
        given = [v for v in tape.inputs if v.kind in ("argument", "named") and v.is_array]
        self.apart = [(v.fetch, not _overlaps(v.array, self.changing)) for v in given]
        if not all(apart for _, apart in self.apart):
            without = PASSES  # what is given lies in memory that the call changes: every call stays where it was
        self.plan = plan = Plan.of(tape, list(values_in(results)), without)
        left = [(v, before) for _, _, v, before in self.left if v is not None]
        stays = {v for v, _ in left if plan.now(v).fixed}  # gradients that lie in the optimizer's vector
        self.stays = [plan.now(v).array if v in stays else None for _, _, v, _ in self.left]
        self.renewed = [before for v, before in left if v not in stays]
        nested = arguments.unflatten(self.result_structure, [value for _, value in self.found])
        back = nested, [v for v, _ in left if v not in stays]
        name = identifier(getattr(function, "__name__", type(function).__name__).replace("<lambda>", "function"))
        text = Text(name, self._about(function, name), tape, plan, recorder.pinned, back)
        self.source = text.source
        self.text = text
        self.run: Any
        self.run, self.differs, file = _made(text, name)
        weakref.finalize(self, linecache.cache.pop, file, None).atexit = False
        self.constants = [v.array.tobytes() for v in text.fixed if v.kind == "constant"]
        self.fetches = [v.fetch for v in text.varying]
        self._note_state(recorder)
        for value in (*tape.inputs, *(v for call in tape.calls for v in call.results)):
            if value.kind in ("argument", "named", "made") and value.is_array:
                value.array = Layout.of(value.array)  # the numbers of the recording are nobody's any more

    def _note_state(self, recorder: Any) -> None:
        """Note what is to be compared before a call, and renewed after it."""
        state = recorder.state
        self.pinned = [(value.fetch, value.array) for value in recorder.pinned]
        self.gradients = state.gradients
        inputs = [
            v
            for v in self.text.varying
            if v.kind in ("state", "named") and isinstance(v.array, (np.ndarray, np.generic))
        ]
        self.varying = [(v.fetch, arguments.kind_of(v.array)) for v in inputs]
        self.modules = [(weakref.ref(module), before) for module, before in state.modules.items()]
        self.left = [
            (owner if isinstance(owner, Tensor) else weakref.ref(owner), name, value)
            for owner, name, value, _ in self.left
        ]
        self.modes = [(weakref.ref(module), training) for module, training in self.modes]
        self.traits = state.traits
        self.flats = list(state.flats)
        self.lists = [
            (o, [list(flats) for flats in o._flats], [list(g["params"]) for g in o.param_groups])
            for o in state.optimizers
        ]
        slots = [
            t._slot for t in state.tensors.values() if getattr(t, "_slot", None) is not None and state.starts_anew(t)
        ]
        self.written = [array for array in self.changing if not _overlaps(array, slots)]
        self.copies = [(np.empty_like(array), array) for array in self.written]
        self.draws = recorder._generator is not None
        self.tensors = [(t, t._array) for t in state.tensors.values()]

    def _about(self, function: Any, name: str) -> list[str]:
        arrays = [(n, kind) for n, kind in zip(self.names, self.kinds) if kind[0] is np.ndarray]
        target = getattr(function, "__func__", function)
        code = getattr(target, "__code__", None)
        place = f" ({Line(code.co_filename, code.co_firstlineno, '')})" if code else ""
        calls = plural(self.plan.count(), "call")
        lines = [f"{name}({', '.join(self.names)}) as plain NumPy, in {calls}; recorded from {name}{place}.", ""]
        width = max((len(n) for n, _ in arrays), default=0)
        return [*lines, *(f"    {n:{width}}  {kind[1]} {kind[2]}" for n, kind in arrays)]

    # ------------------------------------------------------------------ the call

    def fits(self, structure: Any, leaves: list[Any]) -> bool:
        """Tell whether all that the recording went by is as it was."""
        return arguments.same_structure(structure, self.structure) and self.fits_leaves(leaves)

    def fits_leaves(self, leaves: Any) -> bool:
        """The same for arguments that are known to be nested as in the recording."""
        for leaf, kind in zip(leaves, self.kinds):
            if not arguments.is_of_kind(leaf, kind):
                return False
        for t, array in self.tensors:
            if t._array is not array:
                return False
        if mode.now.record is not self.mode[0] or get_default_dtype() is not self.mode[1]:
            return False
        for t, place in self.gradients:
            if place_of_gradient(t) != place:
                return False
        for fetch, kind in self.varying:
            if arguments.kind_of(fetch(leaves)) != kind:
                return False
        for fetch, apart in self.apart:
            array = fetch(leaves)
            if (array.base is not None or not apart) and _overlaps(array, self.changing) is apart:
                return False
        for fetch, value in self.pinned:
            now = fetch(leaves)
            if now is not value and not same_value(now, value):
                return False
        for optimizer, flats, params in self.lists:
            if optimizer._flats != flats or [group["params"] for group in optimizer.param_groups] != params:
                return False
        return (changes[0] == self.stamp or self._are_modules_same()) and self.guards.hold()

    def is_alive(self) -> bool:
        """Tell whether the parameters still lie where they lay."""
        return all(t._array is array for t, array in self.tensors)

    def _are_modules_same(self) -> bool:
        now = ((attributes(module()), before) for module, before in self.modules)
        same = all(a.keys() == b.keys() and all(same_value(a[key], b[key]) for key in b) for a, b in now)
        same = same and all(traits(t) == was for t, was in self.traits)
        if same:
            self.stamp = changes[0]
        return same

    def __call__(self, leaves: list[Any]) -> Any:
        """Run the program; raises ``differs``, with nothing changed, where the function would go another way."""
        drawn = random.generator().bit_generator.state if self.draws else None
        for copy, array in self.copies:
            np.copyto(copy, array)
        try:
            result = self.run(*[fetch(leaves) for fetch in self.fetches])
        except BaseException:  # as before the call, whoever goes on
            for copy, array in self.copies:
                np.copyto(array, copy)
            if drawn is not None:
                random.generator().bit_generator.state = drawn
            raise
        for flat in self.flats:
            flat.step += 1
        for array in self.written:
            note_change(array)
        for module, training in self.modes:
            vars(module())["training"] = training
        result, renewed = result if self.renewed else (result, ())
        values = iter(renewed)
        for place, (owner, name, value) in zip(self.stays, self.left):
            new = None if value is None else place if place is not None else next(values)
            if name == "grad":
                owner._grad = Tensor._from_array(new)
            elif name == "_grad":
                owner._grad = new if self.flats or place is None else place[...]  # a new gradient to an optimizer
            else:
                vars(owner())[name] = new
        return self._wrapped(result)

    def _wrapped(self, result: Any) -> Any:
        """The result of the program with Tensors where the function returns Tensors."""
        if isinstance(self.result_structure, arguments.Leaf):
            return _given(*self.found[0], result)
        leaves: list[Any] = []
        arguments.flatten(result, leaves)
        given = [_given(*found, now) for found, now in zip(self.found, leaves)]
        return arguments.unflatten(self.result_structure, given)

    @property
    def signature(self) -> str:
        """The arguments that it takes."""
        told = [f"{n}: {arguments.described_kind(kind)}" for n, kind in zip(self.names, self.kinds)]
        modes = dict.fromkeys("training" if before["training"] else "evaluation" for _, before in self.modules)
        return ", ".join([*told, *([" and ".join(modes)] if modes else [])]) or "no arguments"


_number = itertools.count(1).__next__


def _made(text: Text, name: str) -> tuple[Any, Any, str]:
    """The function that the text defines, its error for numbers that it is not for, and the name of its file."""
    space: dict[str, Any] = {}
    file = f"<tg.compile {name} {_number()}>"
    exec(builtins.compile(text.source, file, "exec"), space)
    linecache.cache[file] = len(text.source), None, text.source.splitlines(True), file  # errors show its lines
    return space["prepare"](*(value.array for value in text.fixed)), space.get("Differs", ()), file


def _with_stand_ins(function: Any, named: dict[str, Any]) -> Any:
    """The function with these in the place of what it names."""
    plain = getattr(function, "__func__", function)
    if not named or not isinstance(plain, types.FunctionType):
        return function
    free = plain.__code__.co_freevars
    cells = tuple(types.CellType(named[n]) if n in named else cell for n, cell in zip(free, plain.__closure__ or ()))
    copy = types.FunctionType(plain.__code__, {**plain.__globals__, **named}, plain.__name__, plain.__defaults__, cells)
    copy.__kwdefaults__ = plain.__kwdefaults__
    return types.MethodType(copy, function.__self__) if plain is not function else copy


def _overlaps(array: np.ndarray, others: list[np.ndarray]) -> bool:
    """Tell whether an array may lie in the memory of one of the others."""
    return any(np.may_share_memory(array, other) for other in others)


def _code(source: str) -> list[str]:
    """The lines without comments, which tell from where a call was made."""
    return [line for line in source.splitlines()[1:] if not line.lstrip().startswith("#")]


def _returned(leaf: Any) -> tuple[str, Any]:
    if isinstance(leaf, Tensor):
        return ("tensor", leaf._array.value) if type(leaf._array) is Traced else ("given", leaf)
    if type(leaf) is Traced:
        return "array", leaf.value
    if type(leaf) is Number:
        return "number", Expression(leaf.value, leaf.formula)
    if leaf is None or isinstance(leaf, (bool, int, float, str)):
        return "given", leaf
    raise CannotCompile(
        f"compile: the function returns a {type(leaf).__name__}; return Tensors, arrays and numbers, "
        "in tuples, lists or dicts if there are several."
    )


def _given(kind: str, value: Any, now: Any) -> Any:
    """Hand a result to the caller."""
    if kind == "given":
        return value
    if isinstance(now, np.ndarray) and now is getattr(value, "array", None):
        now = np.array(now, order="K")
    return Tensor._from_array(now) if kind == "tensor" else now
