"""The ReLU lab: what is said about ReLU, run and measured.

Each experiment is one file that can be read from top to bottom: ``run()`` measures, and returns a dataclass with the
numbers, which knows its tables, its figure, and what its sources claim. The work is spread over any executor of
``concurrent.futures`` and gives the same numbers on each.

>>> found = lab.run("order")
>>> found.slope_in_order
4.0
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from .findings import Claim, Findings, Spread, Table
from .workers import Serial, each, process_pool

__all__ = [
    "EXPERIMENTS", "Claim", "Findings", "Serial", "Spread", "Table", "each", "experiment", "process_pool", "run",
    "titles",
]  # fmt: skip

EXPERIMENTS = ("order", "mask", "vanishing", "init", "speed", "dying", "zigzag", "kink", "siblings")
"""The names of the experiments, in the order of the lesson."""


def experiment(name: str) -> Any:
    """The module of an experiment: its ``run``, and the class of its findings. ValueError for an unknown name.

    >>> lab.experiment("ordre")
    Traceback (most recent call last):
        ...
    ValueError: lab: there is no experiment 'ordre'; the nearest is order
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        hint = f"the nearest is {near[0]}" if near else f"there are {', '.join(EXPERIMENTS)}"
        raise ValueError(f"lab: there is no experiment {name!r}; {hint}")
    return importlib.import_module(f"{__name__}.{name}")


def titles() -> dict[str, str]:
    """The names of the experiments, in the order of the lesson, each with its title.

    >>> lab.titles()["order"]
    'why gradients go back in topological order, and recursion does not do'
    """
    return {name: _findings_of(experiment(name)).title for name in EXPERIMENTS}


def _findings_of(module: Any) -> type[Findings]:
    """The class of what this experiment finds."""
    classes = [thing for thing in vars(module).values() if isinstance(thing, type) and issubclass(thing, Findings)]
    return next(each for each in classes if each is not Findings)


def run(name: str, *, executor: Executor | None = None, progress: bool = False, **options: Any) -> Findings:
    """Run an experiment and return what it found; ``options`` are those of its own ``run``.

    Numbers of seeds, epochs and so on are at least 1. Raises TypeError for an option that the experiment does not have.

    >>> print(lab.run("order", executor=lab.Serial()).tables()[0])
    b = a + a; c = b + b
                  way         visits  dc/da
            recursion  c b a a b a a      8
    topological order          c b a      4
    """
    measure = experiment(name).run
    _check(name, list(inspect.signature(measure).parameters), options)
    return measure(executor=executor, progress=progress, **options)


def _check(name: str, known: list[str], options: dict[str, Any]) -> None:
    """Raise an error that names the option with which nothing could be measured."""
    for option, value in options.items():
        if option not in known:
            there = ", ".join(each for each in known if each not in ("executor", "progress"))
            raise TypeError(f"lab: {name} has no option {option!r}; it has {there}")
        if isinstance(value, int) and value < 1:
            raise ValueError(f"lab: {name} needs {option} of at least 1, got {value}")
        if isinstance(value, Sequence) and not value:
            raise ValueError(f"lab: {name} needs {option} to have something in it, got {value!r}")
