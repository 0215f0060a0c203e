"""State: the tensors, modules and optimizers that a run meets. Traced arrays stand in for theirs until it is over."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..guard import owner_of
from ..tensor import Tensor
from .guards import same_value
from .spelling import identifier
from .tape import CannotCompile, Value
from .traced import Traced

COMPILED_METHODS = "_compiled_methods"  # where an object keeps the programs of its compiled methods


class Undo:
    """A way back to what was there before the run."""

    def __init__(self) -> None:
        self._actions: list[Callable[[], Any]] = []
        self._kept: set[Value] = set()

    def later(self, action: Callable[[], Any]) -> None:
        """Add something that is to be done; the last one comes first."""
        self._actions.append(action)

    def keep(self, root: Value) -> None:
        """Keep the numbers of an array that is about to be written into."""
        if root.kind != "made" and root not in self._kept and isinstance(root.array, np.ndarray):
            self._kept.add(root)
            owner = owner_of(root.array)
            before = owner.copy()
            self.later(lambda: np.copyto(owner, before))

    def undo(self) -> None:
        """Bring everything back."""
        while self._actions:
            self._actions.pop()()


class Moved(Exception):
    """Parameters are about to move in memory: this call runs without the recorder, the next one is recorded."""


class State:
    """Everything that lives on from call to call, as the run has met it."""

    def __init__(self, recorder: Any):
        self.recorder = recorder
        self.tensors: dict[int, Any] = {}
        self.forgotten: set[int] = set()  # ids of those whose gradient at the start does not matter
        self.modules: dict[Any, dict[str, Any]] = {}  # with their attributes as they were
        self.paths: dict[int, str] = {}  # the dotted name of each module, by its id
        self.optimizers: list[Any] = []
        self.flats: list[Any] = []  # those that have stepped, in this order
        self.traits: list[tuple[Tensor, Any]] = []
        self._arrays: dict[int, Traced] = {}  # what stands in for the array of each tensor
        self._slots: dict[int, Any] = {}
        self._grads: dict[int, Any] = {}  # the gradient of each tensor at the start of the run
        self._places: dict[int, str] = {}  # where it was
        self._stand_ins: dict[int, Any] = {}  # and what stands in for it
        self._buffers: dict[tuple[int, str], tuple[Any, Traced]] = {}
        self._groups: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = []

    def meet(self, found: list[tuple[str, Any]]) -> None:
        """Let stand-ins stand in all that Tensors, Modules and Optimizers hold, which have these names."""
        modules = [(words, x) for words, x in found if hasattr(x, "named_modules")]
        for words, thing in modules:
            before = f"{words}." if len({id(x) for _, x in modules}) > 1 else ""
            for path, module in thing.named_modules():
                self.module(module, before + path)
        for words, thing in found:
            if isinstance(thing, Tensor):
                self.tensor(thing, words)
            elif hasattr(thing, "param_groups"):
                self.optimizer(thing)

    # ------------------------------------------------------------------ tensors

    def tensor(self, t: Any, words: str = "") -> None:
        """Let a tensor hold a Traced array until the run is over, and its gradient too."""
        if id(t) in self.tensors or type(t._array) is Traced:
            return
        for hook in (t._hooks or {}).values():
            self.recorder.guards.hook(hook)
        if t.op is not None:
            what = (
                f"a tensor from outside, the result of '{t.op.name}', whose graph a program would not go back through"
            )
            raise self.recorder.refusal(f"{what}, is used", "compute it inside, or give its .detach()")
        t._make_array()
        self.tensors[id(t)] = t
        name = identifier(words or t.name or "tensor")
        about = t.name or words or "a tensor"
        self._arrays[id(t)] = t._array = self.recorder.input(t._array, "state", name, lambda _: t._array, True, about)
        self.traits.append((t, traits(t)))
        slot = self._slots[id(t)] = getattr(t, "_slot", None)
        if slot is not None:
            place = lambda _: t._slot
            t._slot = self.recorder.input(slot, "state", f"grad_{name}", place, True, f"the gradient of {about}")
        grad = self._grads[id(t)] = t._grad
        self._places[id(t)] = place_of_gradient(t)
        if grad is not None:
            fetch = lambda _: array_of(t._grad)
            held = self.recorder.input(array_of(grad), "state", f"grad_{name}_before", fetch)
            t._grad = Tensor._from_array(held) if isinstance(grad, Tensor) else held
        self._stand_ins[id(t)] = t._grad

    @property
    def gradients(self) -> list[tuple[Tensor, str]]:
        """The tensors whose gradient at the start matters, and where it was."""
        return [(t, self._places[key]) for key, t in self.tensors.items() if key not in self.forgotten]

    def starts_anew(self, t: Tensor) -> bool:
        """Tell whether the gradient at the start does not matter."""
        return id(t) in self.forgotten or self._grads[id(t)] is None

    # ------------------------------------------------------------------ modules

    def module(self, module: Any, path: str = "") -> None:
        """Let the parameters and buffers of a module stand on the tape, and note its other attributes."""
        if module in self.modules:
            return
        self.paths[id(module)] = path
        self.recorder.guards.module(module)
        self.modules[module] = attributes(module)
        space = vars(module)
        for name, value in list(space.items()):
            called = f"{path}.{name}" if path else name
            if isinstance(value, Tensor):
                self.tensor(value, called)
            elif name in module._persistent and isinstance(value, (np.ndarray, np.generic)):
                fetch = functools.partial(_buffer, weakref.ref(module), name)
                about = f"{name} of {type(module).__name__}"
                held = self._buffers[id(module), name] = (
                    value,
                    self.recorder.input(_scalar(value), "state", identifier(called), fetch, about=about),
                )
                space[name] = held[1]

    def modes(self) -> list[tuple[Any, bool]]:
        """The modules that the run has put into another mode."""
        return [(m, m.training) for m, before in self.modules.items() if m.training != before["training"]]

    # ------------------------------------------------------------------ optimizers

    def optimizer(self, optimizer: Any) -> None:
        """Let the options of an optimizer be Numbers, which may be others in each call."""
        if optimizer not in self.optimizers:
            self.optimizers.append(optimizer)
            if not type(optimizer).__module__.startswith(__package__.partition(".")[0]):
                self.recorder.guards.follow(type(optimizer).update, optimizer)
            for p in optimizer._parameters():
                for other in self.optimizers[:-1]:
                    if any(p is q for q in other._parameters()):
                        what = f"{type(other).__name__} and {type(optimizer).__name__} change the same parameter"
                        raise CannotCompile(
                            f"compile: {what}{' ' + repr(p.name) if p.name else ''}; give it to one of them."
                        )
                self.tensor(p)
        for i, group in enumerate(optimizer.param_groups):
            if any(group is known for known, _, _ in self._groups):
                continue
            before = {key: value for key, value in group.items() if key != "params"}
            group.update({key: self._option(optimizer, i, key, value) for key, value in before.items()})
            self._groups.append((group, before, dict(group)))

    def _option(self, optimizer: Any, i: int, key: str, value: Any) -> Any:
        number = self.recorder.number
        if not isinstance(value, (bool, int, float, tuple)):
            return value
        about = f"an option of {type(optimizer).__name__}"
        if isinstance(value, tuple):
            fetch = lambda _, place: optimizer.param_groups[i][key][place]
            names = [f"{key[:-1] if key.endswith('s') else key}{place + 1}" for place in range(len(value))]
            return tuple(
                number(x, name, functools.partial(fetch, place=place), about)
                for place, (x, name) in enumerate(zip(value, names))
            )
        return number(value, key, lambda _: optimizer.param_groups[i][key], about)

    def step(self, optimizer: Any) -> None:
        """Make one step, on Traced vectors."""
        self.optimizer(optimizer)
        if [group["params"] for group in optimizer.param_groups] != optimizer._known:
            raise Moved
        ready = []
        for group, flats in zip(optimizer.param_groups, optimizer._flats):
            self.recorder.undo.later(functools.partial(_set_items, flats, list(flats)))
            for flat in flats:
                missing = [p._grad is None for p in flat.params]
                if any(_held(p._array) is not values for p, values, _ in flat._places) or any(missing) != all(missing):
                    raise Moved
                if not all(missing):
                    ready.append((flat, group))
        for flat, group in ready:
            recorded = RecordedFlat(self.recorder, flat, self.flats.count(flat))
            for p, _, slot in flat._places:
                place = self.recorder.outside(slot)
                grad = array_of(p._grad)
                if not (type(grad) is Traced and grad.array.base is not None and _same_place(grad.array, slot)):
                    place[...] = grad
            self.recorder.undo.later(functools.partial(_set_back, flat, flat.step, dict(flat.memories)))
            flat.step += 1
            self.flats.append(flat)
            optimizer.update(recorded, group)

    # ------------------------------------------------------------------ the end of the run

    def check(self) -> None:
        """Raise CannotCompile for what the function has changed and a program would not change again."""
        for group, _, given in self._groups:
            if any(group.get(key) is not value for key, value in given.items()):
                raise CannotCompile(
                    "compile: the function changes an option of an optimizer, as a scheduler's step does, which would "
                    "not happen again; do it outside of the function."
                )
        for module, before in self.modules.items():
            after = attributes(module)
            for name in [*before, *after]:
                if name != "training" and not same_value(before.get(name), after.get(name)):
                    raise CannotCompile(
                        f"compile: the function changes {type(module).__name__}.{name}, which would happen only in the "
                        "first calls; return what changes, make it a buffer, or do it outside of the function."
                    )

    def left(self) -> list[tuple[Any, str, Any, Any]]:
        """Changes that the run has left in gradients and buffers: (owner, name, Value or None, the Value before).

        A gradient that somebody has read is called "grad", a raw one "_grad".
        """
        found: list[tuple[Any, str, Any, Any]] = []
        for key, t in self.tensors.items():
            if t._grad is not self._stand_ins[key] or key in self.forgotten:
                before = _recorded(self.recorder, self._stand_ins[key])
                name = "grad" if isinstance(t._grad, Tensor) else "_grad"
                found.append((t, name, _recorded(self.recorder, t._grad), before))
        for module in self.modules:
            for name, value in vars(module).items():
                known = self._buffers.get((id(module), name))
                if known is not None and value is not known[1]:
                    found.append((module, name, _recorded(self.recorder, value), known[1].value))
        return found

    def settle(self) -> None:
        """Write arrays that were assigned to tensors into those that the tensors have had; the tape notes it."""
        for key, t in self.tensors.items():
            held = self._arrays[key]
            if t._array is not held:
                held[...] = t._array

    def put_back(self, undone: bool) -> None:
        """Take out what stood in; ``undone``: also what the run has left."""
        for key, t in self.tensors.items():
            t._array = self._arrays[key].array
            if hasattr(t, "_slot"):
                t._slot = self._slots[key]
            t._grad = self._grads[key] if undone or t._grad is self._stand_ins[key] else _plain_grad(t._grad)
        for module, before in self.modules.items():
            space = vars(module)
            for name in list(space):
                known = self._buffers.get((id(module), name))
                if known is not None:
                    kept = undone or space[name] is known[1]
                    space[name] = known[0] if kept else getattr(space[name], "array", space[name])
            if undone:
                space["training"] = before["training"]
        for group, before, _ in self._groups:
            group.update(before)


class RecordedFlat:
    """A Flat whose vectors are Traced, for the rule of an optimizer."""

    def __init__(self, recorder: Any, flat: Any, before: int):
        self._recorder, self._flat, self._before = recorder, flat, before
        first: Any = recorder.number(flat.step - before + 1, "t", lambda _: flat.step + 1, "the number of this step")
        self.step = first + before if before else first
        self.params = flat.params
        self.theta = self._vector("theta", flat.theta, "all parameters, end to end")
        self.grad = self._vector("grad", flat.grad, "their gradients, in the same order")

    @property
    def scratch(self) -> tuple[Any, Any]:
        """Two vectors to compute in: each time new ones, which need not be remembered."""
        return np.empty_like(self.theta), np.empty_like(self.theta)

    def _vector(self, name: str, array: np.ndarray, about: str) -> Traced:
        return self._recorder.vector(array, name, about)

    def memory(self, name: str, start: Any = 0.0) -> Traced:
        """The vector of this name."""
        return self._vector(name, self._flat.memory(name, float(start)), "what the optimizer remembers")

    def is_new(self, name: str) -> bool:
        """Tell whether the vector is first used in this step; the next step has a program of its own."""
        flat, before = self._flat, self._before
        new = flat.is_new(name)
        self._recorder.guards.later.append((lambda: flat.step + 1 + before == flat.first_steps.get(name), new))
        return new

    def shaped(self, vector: Traced) -> list[Any]:
        """Each parameter's part of the vector."""
        return [vector[part].reshape(shape, order=order) for part, shape, order in self._flat._layouts]


def _buffer(module: Any, name: str, _: Any) -> Any:
    return _scalar(vars(module())[name])


def _scalar(array: Any) -> Any:
    """An array of one number as NumPy's scalar, which it becomes as soon as something is computed with it."""
    return array[()] if array.ndim == 0 else array


def traits(t: Tensor) -> Any:
    """Traits of a tensor that the engine goes by, besides its array."""
    return t._requires_grad, t._retains_grad, tuple((t._hooks or {}).items())


def attributes(module: Any) -> dict[str, Any]:
    """Attributes that a module's forward may go by, but for what is learned and counted."""
    learned = [name for name in module._persistent if isinstance(vars(module).get(name), (np.ndarray, np.generic))]
    found = {name: value for name, value in vars(module).items() if name not in (*learned, COMPILED_METHODS)}
    return found | {f"hook {number}": hook for number, hook in module._forward_hooks.items()}


def place_of_gradient(t: Any) -> str:
    """Where a gradient lies: "" for none, and otherwise what a program must know of it."""
    grad, slot = t._grad, getattr(t, "_slot", None)
    if grad is None:
        return ""
    kind = "read" if isinstance(grad, Tensor) else "raw"
    return kind + " in its slot" * (slot is not None and _same_place(array_of(grad), _held(slot)))


def array_of(grad: Any) -> Any:
    """The array in a gradient, which is one itself until somebody reads it."""
    return grad._array if isinstance(grad, Tensor) else grad


def _recorded(recorder: Any, held: Any) -> Any:
    held = array_of(held)
    return None if held is None else recorder.value_of(held)


def _plain_grad(grad: Any) -> Any:
    if isinstance(grad, Tensor):
        return Tensor._from_array(_held(grad._array))
    return _held(grad)


def _held(array: Any) -> Any:
    return array.array if type(array) is Traced else array


def _same_place(a: Any, b: np.ndarray) -> bool:
    return (
        isinstance(a, np.ndarray)
        and a.__array_interface__["data"] == b.__array_interface__["data"]
        and a.strides == b.strides
    )


def _set_items(items: list[Any], before: list[Any]) -> None:
    items[:] = before


def _set_back(flat: Any, step: int, memories: dict[str, Any]) -> None:
    flat.step, flat.memories = step, memories
