"""Compile: a training step written out as the NumPy program that it is, which can be read, saved and run faster.

A call of an ordinary function is recorded while it runs: not its ops, but the calls of NumPy in them, caught through
the dispatch protocols that rules are written against. The way of a function through this room:

    guards    the names that it goes by; what could change unseen is refused
    recorder  one real run: traced arrays and numbers stand in for plain ones, and each call of NumPy with them is
              written on a tape; state is what the run meets of tensors, modules and optimizers
    passes    make a plan of the tape: which calls are made, which once, and where results lie
    text      is the plan as Python (spelling, one call at a time): what is read is what runs, and what is saved
    program   runs the text, in the calls that it is right for; compiled is what the user holds
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .compiled import CompiledFunction
from .passes import PASSES
from .report import Report
from .tape import CannotCompile

__all__ = ["PASSES", "CannotCompile", "CompiledFunction", "Report", "compile"]


def compile(function: Callable[..., Any], *, check: int = 0, without: Collection[str] = ()) -> CompiledFunction:
    """The function as a NumPy program: its first two calls are recorded, and from the third on the program runs.

    ``function``: any function of arrays, Tensors and numbers that computes with this package and NumPy, such as a whole
    training step (forward, ``backward()``, ``optimizer.step()``), or a model. Parameters, optimizers and statistics
    stay where they are: what is not compiled sees the new values, to the last bit those that the function itself
    would give. Learning rates and other options of optimizers may change at any time, and so may a float or an array
    that the function is given or names. What it assigns to ``p.data`` is written over the old numbers.

    On a method (``@tg.compile`` above ``def forward``, say) each object has programs of its own. Copies and pickles of
    a compiled function begin without programs. Arrays of other makes, such as pandas', are taken as plain ones by
    place; TypeError for a mask that hides something, and for columns of Python objects.

    Another program is recorded for arguments of another shape or dtype, another mode of a module, another value of a
    whole number that the function names; ``signatures`` lists them, at most 32: then the oldest goes. Results are
    detached Tensors and the caller's own.

    ``source`` is the program as Python, ``save(path)`` writes it as a file that needs only NumPy, ``report()`` tells
    what each pass has saved. ``without``: names of passes to leave out, those in ``report()``. ``check=N`` runs
    every N-th call both ways and raises RuntimeError unless all bits are the same.

    A function goes by the names that its code loads. Numbers, text, and lists and dicts of such are compared in each
    call, Tensors, modules and optimizers are state, functions are followed. Raises CannotCompile, a RuntimeError, for
    what could change unseen (an object, a list of arrays, an array that only a helper names: give it as an argument)
    and for what no program can repeat: a branch or loop on data, ``.item()`` in the middle, a value kept outside.
    Everything is then as before the call.

    >>> model = nn.MLP(2, [8], 2)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> @tg.compile
    ... def train_step(X, y):
    ...     loss = tg.cross_entropy(model(X), y)
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> X, y = data.moons(100, seed=0)
    >>> first = train_step(X, y)
    >>> for _ in range(50):
    ...     last = train_step(X, y)
    >>> bool(last.item() < first.item())
    True
    >>> train_step.signatures
    ['X: (100, 2) float32, y: (100,) int64, training']
    """
    return CompiledFunction(function, check=check, without=without)
