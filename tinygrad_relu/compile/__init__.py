"""Compile: a training step written out as the NumPy program that it is, which can be read, saved and run faster.

One call of an ordinary function is recorded: not its ops, but the calls of NumPy in them, caught through the dispatch
protocols that rules are written against. The way of a function through this package:

    recording runs it twice, since only what two runs agree on may be written down
    recorder  is one run: the package tells it of modules, gradients (gradients) and steps (optimizers)
    calls     has Traced arrays stand in for plain ones, and writes a tape of NumPy's calls; values knows which array is
              which on it, undo the way back, asker whose line asks, and the error for what no program can repeat
    watch     remembers what else the function went by: user_code is what has run, walk goes from name to name in it,
              watched is one such name, chance looks after generators of random numbers
    plan      says where each result lies; passes make it better, that for updates by hand has a file of its own
    spelling  writes it as Python; program makes that a function, and an entry that checks that it is the right one
    step      is what the user holds: it finds the program for a call, or records one
    listing   is the program as a learner reads it: items are what it begins with (array_words), comments stand above
              its calls, lines lays all of it out; save writes it to a file
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .passes import PASSES
from .recorder import CannotCompile
from .report import Report
from .step import CompiledFunction

__all__ = ["PASSES", "CannotCompile", "CompiledFunction", "Report", "compile"]


def compile(function: Callable[..., Any], *, check: int = 0, without: Collection[str] = ()) -> CompiledFunction:
    """The function as a NumPy program: recorded when it is first called, and replayed from then on.

    ``function``: any function of arrays, Tensors and numbers that computes with this package and NumPy, such as a whole
    training step (forward, ``backward()``, ``optimizer.step()``), or a model. Parameters, optimizers and statistics
    stay where they are: what is not compiled sees the new values, to the last bit those that the function itself
    would give. Learning rates and other options of optimizers may change at any time. Parameters that the function
    updates itself (``p.data -= lr * p.grad.data``) are laid end to end in one vector, as an optimizer does, and are
    updated as one, unless somebody else holds their arrays. What it assigns to ``p.data`` is written over the old
    numbers: an array taken from ``p.data`` before shows the new ones.

    On a method (``@tg.compile`` above ``def forward``, say) each object has programs of its own. Copies and pickles of
    a compiled function begin without programs. Arrays of other makes, such as pandas', are taken as plain ones by
    place; TypeError for a mask that hides something, and for columns of Python objects.

    Another program is recorded for arguments of another shape or dtype, another mode of a module, another value of a
    Python number that the function names; ``signatures`` lists them. To record, the function is run twice, and the
    first run is undone: it may have no effect but on tensors, optimizers, modules and ``tg.random``. A float argument
    may be another one in each call. Results are detached Tensors and the caller's own.

    ``source`` is the program as Python, ``save(path)`` writes it as a file that needs only NumPy, ``report()`` tells
    what each pass has saved. ``without``: names of passes to leave out, those in ``report()``. ``check=N`` runs
    every N-th call both ways and raises RuntimeError unless all bits are the same.

    Raises CannotCompile, a RuntimeError, and names the line for what a program cannot repeat: a branch or loop on
    data, ``.item()`` in the middle, an array made anew in each call, a value kept outside. Nothing has changed then.
    What is looked at before each call are the names in the code that ran: globals, closures, defaults, attributes, what
    is in lists and dicts. What a function learns from elsewhere, such as the clock, a file or ``os.environ``, it learns
    once: give it as an argument.

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
