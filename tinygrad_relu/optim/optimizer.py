"""Optimizer: what all of them share. The rules themselves are in optimizers.py."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..mode import mode
from ..names import one_of
from ..record.words import plural
from ..tensor import Tensor, as_array
from .flat import Flat, flattened

__all__ = ["Optimizer"]


class Optimizer:
    """Changes parameters step by step, by their gradients; the base of SGD, Adam and the others.

    ``params``: Tensors, such as ``model.parameters()``, or a list of groups: dicts with ``"params"`` and options of
    their own, the rest being the ``defaults``. The groups stand in ``param_groups`` and their options may be changed
    at any time: ``optimizer.param_groups[0]["lr"] = 0.01``.

    A step gives each parameter an array of its own: after ``a.data = b.data`` it is b's until a is stepped the next
    time. So ask for ``a.data`` anew rather than keep the array.

    For a rule of your own write ``update``. It is called with a ``Flat``, in which ``theta`` and ``grad`` are
    vectors of all parameters end to end, and with the options, and changes ``theta`` in place:

    >>> class SignSGD(optim.Optimizer):
    ...     def __init__(self, params, lr=0.01):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, flat, options):
    ...         flat.theta -= options["lr"] * np.sign(flat.grad)
    >>> w = nn.Parameter([1.0, -1.0])
    >>> optimizer = SignSGD([w], lr=0.25)
    >>> (w * w).backward([1, 1])
    >>> optimizer.step()
    >>> w
    Parameter([ 0.75, -0.75], requires_grad=True)

    Raises TypeError for what is no leaf Tensor of floats, and ValueError for no parameters at all, one given twice,
    an option that is unknown or out of its range.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        name = type(self).__name__
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                f"{name}: expected several parameters, as in {name}(model.parameters()) or {name}([w, b]); "
                f"got a single {type(params).__name__}"
            )
        params = list(params)
        if not params:
            raise ValueError(
                f"{name}: there are no parameters to optimize; note that an iterator can be used only once"
            )
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._flats: list[list[Flat]] = []  # for each group
        self._known: list[list[Tensor]] = []  # what is laid there
        for group in params if isinstance(params[0], Mapping) else [{"params": params}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Optimize more parameters, with options of their own: ``{"params": head.parameters(), "lr": 0.1}``.

        Raises as the constructor does; nothing has changed then.

        >>> optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
        >>> optimizer.add_param_group({"params": nn.Linear(2, 1).parameters(), "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        name = type(self).__name__
        if not isinstance(group, Mapping) or "params" not in group:
            raise TypeError(
                f"{name}: a parameter group is a dict with 'params', got {type(group).__name__} {group!r:.60}"
            )
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        for p in params:
            _check_parameter(name, p)
        _refuse_twice(name, (*self._parameters(), *params))
        options = dict(self.defaults)
        for key, value in group.items():
            if key != "params":
                options[key] = value
        options = {key: _checked_option(name, key, value, self.defaults) for key, value in options.items()}
        self.check(options)
        self.param_groups.append({"params": params, **options})
        self._known.append(list(params))
        self._flats.append(flattened(params, [{}] * len(params)))

    def check(self, options: dict[str, Any]) -> None:
        """Raise ValueError for options that do not go together."""

    def update(self, flat: Flat, options: dict[str, Any]) -> None:
        """The rule: change ``flat.theta`` in place by ``flat.grad``, which itself must not be changed."""
        raise NotImplementedError(
            f"{type(self).__name__}: an optimizer needs an update method, see help(optim.Optimizer)"
        )

    def step(self) -> None:
        """Change every parameter that has a gradient, by the rule; one without a gradient stays as it is.

        Warns if no gradient is newer than the last step, or if there is none at all: then a ``backward()`` has been
        forgotten, as a rule. Where all parameters are frozen (``requires_grad=False``) there is nothing to warn of.
        """
        if mode.now.recorder is not None:
            mode.now.recorder.step(self)
            found = new = any(p._grad is not None for p in self._parameters())
        else:
            self._follow_groups()
            found, new = self._step()
        if found and not new:
            warnings.warn(
                f"{type(self).__name__}: step() was called twice with the same gradients. "
                "Each step wants a new backward(), and a zero_grad() before that.",
                stacklevel=2,
            )
        if not found and any(p.requires_grad for p in self._parameters()):
            warnings.warn(
                f"{type(self).__name__}: step() has found no gradient in any parameter, and has changed nothing. "
                "Either backward() was not called; or zero_grad() was called between backward() and step(); or the "
                "parameters are those of another model than the one that made the loss. Each step wants zero_grad(), "
                "then backward(), then step(), and the optimizer the parameters() of the model that is trained.",
                stacklevel=2,
            )

    def _step(self) -> tuple[bool, bool]:
        """Tell whether there were gradients, and whether one of them was newer than the last step."""
        ready = [  # all of them before the first is changed: one parameter may have the array of another
            (part, group)
            for group, flats in zip(self.param_groups, self._flats)
            for flat in list(flats)
            for part in ([flat] if flat.gather() else _split(flats, flat))
        ]
        for flat, group in ready:
            flat.step += 1
            self.update(flat, group)
            flat.note_change()
        return bool(ready), any(flat.new for flat, _ in ready)

    def _follow_groups(self) -> None:
        """Lay the parameters anew where some were put into a group's list, or taken out of it, by hand."""
        name = type(self).__name__
        if len(self.param_groups) != len(self._flats):
            raise ValueError(
                f"{name}: param_groups has {plural(len(self.param_groups), 'group')} instead of {len(self._flats)}; "
                "add one with add_param_group(), or make a new optimizer"
            )
        for i, group in enumerate(self.param_groups):
            params, known = group["params"], self._known[i]
            if len(params) == len(known) and not any(map(operator.is_not, params, known)):
                continue
            for p in params:
                _check_parameter(name, p)
            _refuse_twice(name, self._parameters())
            recalled = _recalled(self._flats[i])
            self._known[i] = list(params)
            self._flats[i] = flattened(params, [recalled.get(id(p), {}) for p in params])

    def _parameters(self) -> Iterator[Tensor]:
        return (p for group in self.param_groups for p in group["params"])

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters: each ``grad`` is None again."""
        if mode.now.recorder is not None:
            mode.now.recorder.forget(list(self._parameters()))
        for p in self._parameters():
            p._grad = None

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """The options of all groups, and what is remembered about each parameter by its number, as in PyTorch.

        >>> w = nn.Parameter([1.0])
        >>> optimizer = optim.SGD([w], lr=0.5, momentum=0.9)
        >>> (w * 3).backward()
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'step': 1, 'momentum_buffer': array([3.], dtype=float32)}}
        """
        if mode.now.recorder is not None:
            raise mode.now.recorder.refusal("the optimizer's state is copied", "call state_dict() outside")
        self._follow_groups()
        state: dict[int, Any] = {}
        groups = []
        for group, flats in zip(self.param_groups, self._flats):
            recalled = _recalled(flats)
            numbers = range(len(state), len(state) + len(group["params"]))
            state.update(zip(numbers, (recalled[id(p)] for p in group["params"])))
            groups.append({**group, "params": list(numbers)})
        return {"state": {number: what for number, what in state.items() if what}, "param_groups": groups}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict()``, also one of PyTorch's with its tensors turned into arrays.

        Raises ValueError if the groups have other numbers of parameters or the arrays other shapes; nothing has
        changed then. Options that this optimizer does not have are left out.
        """
        self._follow_groups()
        name = type(self).__name__
        groups = state["param_groups"]
        here = [len(group["params"]) for group in self.param_groups]
        there = [len(group["params"]) for group in groups]
        if here != there:
            raise ValueError(
                f"{name}.load_state_dict: the groups have {here} parameters here, and {there} in the state"
            )
        options = [
            {
                key: _checked_option(name, key, group[key], self.defaults)
                for key in (*self.defaults, "initial_lr")
                if key in group
            }
            for group in groups
        ]
        remembered = [
            [
                _checked_memory(name, state["state"].get(number, {}), p)
                for number, p in zip(new["params"], old["params"])
            ]
            for new, old in zip(groups, self.param_groups)
        ]
        for i, group in enumerate(self.param_groups):
            group.update(options[i])
            self._flats[i] = flattened(group["params"], remembered[i])

    def __repr__(self) -> str:
        lines = [type(self).__name__ + "("]
        for group in self.param_groups:
            options = ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            lines.append(f"  {sum(p.size for p in group['params']):,} parameters, {options}")
        return "\n".join([*lines, ")"])


def _recalled(flats: list[Flat]) -> dict[int, dict[str, Any]]:
    """Memories of each parameter, by its id."""
    return {id(p): what for flat in flats for p, what in zip(flat.params, flat.recall())}


def _split(flats: list[Flat], flat: Flat) -> list[Flat]:
    """Put Flats that can step, or rest, as a whole in the place of one that cannot; those that have gathered."""
    if all(p._grad is None for p in flat.params):
        return []  # it rests as it is
    parts = flat.split()
    place = flats.index(flat)
    flats[place : place + 1] = parts
    return [part for part in parts if part.gather()]


def _called(p: Tensor) -> str:
    return f" {p.name!r}" if p.name else f" of shape {p.shape}"


def _check_parameter(owner: str, p: Any) -> None:
    if not isinstance(p, Tensor):
        raise TypeError(f"{owner}: parameters are Tensors, got {type(p).__name__}; give model.parameters() or [w, b]")
    if p.op is not None:
        raise TypeError(
            f"{owner}: a parameter must be a leaf, the tensor{_called(p)} is the result of '{p.op.name}'. "
            "Only what was made with requires_grad=True can be optimized, not what was computed from it."
        )
    if p.dtype.kind != "f" or not (p.requires_grad or hasattr(p, "_slot")):
        raise TypeError(
            f"{owner}: the tensor{_called(p)}, {p.dtype}, requires no gradient. "
            "Make it with requires_grad=True, or as nn.Parameter."
        )


def _refuse_twice(owner: str, params: Iterable[Tensor]) -> None:
    seen: set[int] = set()
    for p in params:
        if id(p) in seen:
            raise ValueError(f"{owner}: the parameter{_called(p)} was given twice, and would make each step twice")
        seen.add(id(p))


def _checked_option(owner: str, key: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    if key == "initial_lr":  # which schedules keep among a group's options, as in PyTorch
        return _checked_number(owner, key, value)
    if key not in defaults:
        raise ValueError(f"{owner}: unknown option {key!r}; {one_of(key, defaults)}")
    if key == "betas":
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            raise TypeError(f"{owner}: betas are two numbers, got {value!r}")
        first, second = (_checked_number(owner, "each of betas", beta) for beta in value)
        if max(first, second) >= 1:
            raise ValueError(f"{owner}: each of betas must be below 1, got {value!r}")
        return first, second
    return bool(value) if isinstance(defaults[key], bool) else _checked_number(owner, key, value)


def _checked_number(owner: str, key: str, value: Any) -> float:
    if not isinstance(value, (Real, np.number)) or isinstance(value, bool):
        hint = "; use .item()" if isinstance(value, (Tensor, np.ndarray)) else ""
        raise TypeError(f"{owner}: {key} must be a number, got {type(value).__name__} {value!r:.60}{hint}")
    number = float(value)
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError(f"{owner}: {key} must be 0 or more and finite, got {value}")
    return number


def _checked_memory(owner: str, state: Mapping[str, Any], p: Tensor) -> dict[str, Any]:
    """Memories of one parameter, as arrays; the number of steps is 1 if PyTorch did not count them."""
    arrays = {
        name: as_array(value, f"{owner}.load_state_dict: {name}")
        for name, value in state.items()
        if value is not None and name != "step"
    }
    for name, array in arrays.items():
        if array.shape != p.shape:
            raise ValueError(
                f"{owner}.load_state_dict: {name} of the parameter{_called(p)} has shape {array.shape} in the state, "
                f"and the parameter {p.shape}"
            )
    return {"step": int(state.get("step", 1)), **arrays} if arrays or "step" in state else {}
