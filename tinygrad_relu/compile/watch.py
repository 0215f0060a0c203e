"""Watch: the Python values that a function goes by, which no tape of NumPy's calls can show.

That ``alpha`` was 0.5 and that ``model`` was this one is not on the tape. So a recording notes which of the user's code
has run, and what the names in it stood for: in closures, among the globals, as defaults, as attributes of the objects
that were used, in lists and dicts. Each call looks whether they still stand for the same; else it is recorded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..mode import changes
from ..nn.module import Module
from ..tensor import Tensor
from .chance import Chance
from .user_code import UserCode
from .walk import Walk
from .watched import MISSING, PLAIN, Name, alike, arrays_in, has_array

__all__ = ["COMPILED_METHODS", "Watch"]

COMPILED_METHODS = "_compiled_methods"  # the attribute in which an object keeps those that have been called


class Watch:
    """What the names in a function's code, and in all of the user's code that it runs, stand for.

    ``names`` are those that a walk through the code has found, ``tensors`` and ``modules`` what they lead to; of each
    module, whether it was in training mode.
    """

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        self.stamp = changes[0]
        self._code = UserCode(function)
        self._arguments: list[tuple[str, Any]] = []
        self._walk = Walk()
        self.names = self._walk.names
        self.tensors = self._walk.tensors
        self.modules = self._walk.modules
        self._attributes: list[tuple[Module, dict[str, Any]]] = []
        self._traits: list[tuple[Tensor, Any]] = []
        self._hidden: list[tuple[np.ndarray, bytes]] = []  # arrays that nothing can stand in for, and their bytes
        self._look()
        self._chance = Chance(self._walk.generators)

    # ------------------------------------------------------------------ while it is recorded

    def add_argument(self, name: str, value: Any) -> None:
        """An argument that is neither array nor number: what is in it is looked at too."""
        if not isinstance(value, (np.ndarray, Tensor, *PLAIN)):
            self._arguments.append((name, value))
            self._walk.argument(name, value)

    @property
    def profile(self) -> Callable[..., None]:
        """To be called by Python at each call while the function runs: notes what code of the user's runs."""
        return self._code.profile

    def settle(self, modules: Iterable[Module], tensors: Iterable[Tensor]) -> None:
        """After a run: look at all names in the code that has run, and at these modules and tensors."""
        self._code.find_functions()
        for module in modules:
            self.modules.setdefault(module, module.training)
        self._look()
        self._attributes = [(module, _attributes(module)) for module in self.modules]
        self._hidden = [(name.value, name.value.tobytes()) for name in self._hidden_arrays()]
        self._traits = [(t, _traits(t)) for t in dict.fromkeys([*self.tensors, *tensors])]
        self.stamp = -1

    def _look(self) -> None:
        """Note what all names stand for; again from the start, since more code wants more names."""
        self._walk.again(self._code.codes, self._code.functions, self._code.owners)
        for name, value in self._arguments:
            self._walk.argument(name, value)

    def restore(self) -> None:
        """After an error: what the names stood for, and what was in it, as far as it can be brought back."""
        for group, before in self._walk.groups.values():
            group.update(before)
        for scheduler, attributes in self._walk.schedulers.values():
            vars(scheduler).update(attributes)
        for name in self.names:
            if not name.same():
                name.restore()

    def modes(self) -> dict[Module, bool]:
        """Which modules are in training mode now."""
        return {module: module.training for module in self.modules}

    def set_modes(self, modes: dict[Module, bool]) -> None:
        """Bring modules back to the mode that they were in."""
        for module, training in modes.items():
            vars(module)["training"] = training

    # ------------------------------------------------------------------ what was found

    def optimizers(self) -> list[Any]:
        """The optimizers that the code names."""
        return list(self._walk.optimizers.values())

    def groups(self) -> list[dict[str, Any]]:
        """The groups of parameters of the optimizers, with their options."""
        return [group for group, _ in self._walk.groups.values()]

    def arrays(self) -> list[Name]:
        """The names of plain arrays, and of tuples with such in them, where something else can stand in for them."""
        return [name for name in self.names if has_array(name.value) and name.can_be_put]

    def _hidden_arrays(self) -> list[Name]:
        """Those in places where nothing can stand in for them."""
        covered = {id(each) for name in self.arrays() for each in arrays_in(name.value)}
        arrays = [name for name in self.names if isinstance(name.value, np.ndarray)]
        names = [name for name in arrays if type(name.value) is not np.ndarray or not name.can_be_put]
        return [name for name in names if id(name.value) not in covered]

    def iterators(self) -> list[str]:
        """The names of iterators: the next item of one is another in each call."""
        return [name.name for name in self.names if hasattr(type(name.value), "__next__")]

    def place_of(self, name: str) -> str:
        """``, at file:line``: where the user's code speaks of the name; of "" it is the first line of the function."""
        return self._code.place_of(name)

    # ------------------------------------------------------------------ is it still so?

    def same(self) -> bool:
        """Whether all is as it was before the recording."""
        if changes[0] != self.stamp:
            if any(module.training is not training for module, training in self.modules.items()):
                return False
            if self._changed_attributes() or any(_traits(t) != traits for t, traits in self._traits):
                return False
            self.stamp = changes[0]
        return all(name.same() for name in self.names) and self.same_hidden()

    def same_hidden(self) -> bool:
        """Whether the arrays that nothing could stand in for hold what they held."""
        return all(array.tobytes() == before for array, before in self._hidden)

    @property
    def has_hidden(self) -> bool:
        """Whether there are such arrays."""
        return bool(self._hidden)

    def changed(self) -> list[str]:
        """The names that stand for something else now."""
        return sorted({name.name for name in self.names if not name.same()} | set(self._changed_attributes()))

    def _changed_attributes(self) -> list[str]:
        found = []
        for module, before in self._attributes:
            now = _attributes(module)
            for name in now.keys() | before.keys():
                if not alike(now.get(name, MISSING), before.get(name, MISSING)):
                    found.append(f"{type(module).__name__}.{name}")
        return found

    def drawn(self) -> bool:
        """Whether random numbers were drawn from a generator that is not the package's; they are then put back."""
        return self._chance.drawn()


def _attributes(module: Module) -> dict[str, Any]:
    """The attributes of a module but for its mode and its buffers, which are looked up in each call."""
    left_out = {"training", COMPILED_METHODS, *module._persistent}
    found = {name: value for name, value in vars(module).items() if name not in left_out}
    return {**found, "_forward_hooks": None, **{f"hook {key}": hook for key, hook in module._forward_hooks.items()}}


def _traits(t: Tensor) -> Any:
    """Whether the tensor requires a gradient, and its hooks."""
    return t._requires_grad, list(t._hooks.items()) if t._hooks else []
