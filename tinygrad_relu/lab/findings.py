"""Findings: what an experiment of the lab has measured, as numbers, as text, as a figure and as files."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import math
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..record.words import aligned, plural
from . import figures

__all__ = ["Claim", "Findings", "Spread", "Table", "named_seeds", "wilson_interval"]

WIDTH = 100


@dataclass(frozen=True)
class Spread:
    """Measurements of the same thing with several seeds: their mean, standard deviation, number and ends.

    >>> print(Spread.of([1.0, 2.0, 3.0]))
    2 ± 1 (3 seeds)
    >>> Spread.of([1.0, 2.0, 3.0]).standard_error
    0.5773502691896258
    """

    mean: float
    deviation: float  # of the sample, with n - 1
    count: int
    least: float
    most: float

    @staticmethod
    def of(values: Iterable[float]) -> Spread:
        """The spread of these values; a single one has a deviation of 0."""
        found = np.array(list(values), float)
        deviation = float(found.std(ddof=1)) if found.size > 1 else 0.0
        return Spread(float(found.mean()), deviation, found.size, float(found.min()), float(found.max()))

    @property
    def standard_error(self) -> float:
        """How far the mean may be from that over all seeds: the deviation by the root of the count."""
        return self.deviation / math.sqrt(self.count)

    @property
    def share_interval(self) -> tuple[float, float]:
        """The 95 % interval of a mean of shares: Wilson's, with as many trials as would have this standard error.

        >>> [round(end, 3) for end in Spread.of([1.0] * 19 + [0.0]).share_interval]
        [0.757, 0.991]
        """
        variance = self.standard_error**2
        return wilson_interval(self.mean, self.mean * (1 - self.mean) / variance if variance else self.count)

    def percent(self, digits: int = 1) -> str:
        """A share as per cent, mean ± deviation, with so many digits behind the point.

        >>> Spread.of([0.25, 0.75]).percent(0)
        '50 ± 35 %'
        """
        return f"{100 * self.mean:.{digits}f} ± {100 * self.deviation:.{digits}f} %"

    def __str__(self) -> str:
        return f"{self.mean:.3g} ± {self.deviation:.2g} ({plural(self.count, 'seed')})"


@dataclass(frozen=True)
class Claim:
    """Claim of a source beside the measurement.

    >>> lab.run("order").claims()[0].verdict
    'holds'
    """

    said: str
    source: str
    measured: str
    verdict: str  # "holds", "holds in part" or "does not hold here"


@dataclass(frozen=True)
class Table:
    """Rows of text under the names of their columns.

    >>> print(Table("squares", ["x", "x * x"], [["2", "4"], ["10", "100"]]))
    squares
     x  x * x
     2      4
    10    100
    """

    title: str
    columns: list[str]
    rows: list[list[str]]

    def __str__(self) -> str:
        return f"{self.title}\n{aligned([self.columns, *self.rows])}"


class Findings:
    """Common part of all experiments; each makes a dataclass of it, whose fields are the numbers.

    Beside the module that measures, NAME.py, stands ``told/NAME.py``, which has the words and the picture.
    ``str()`` is the text with tables and claims, ``to_dict()`` the numbers, ``figure()`` a Figure of matplotlib, and
    ``save(folder)`` writes all of it. A notebook shows findings with their figure.

    >>> found = lab.run("order")
    >>> found.title, len(found.tables()), found.to_dict()["numbers"]["slope_in_order"]
    ('why gradients go back in topological order, and recursion does not do', 3, 4.0)
    """

    name: ClassVar[str]  # as the command line knows it: that of the module
    title: ClassVar[str]  # one line for the list of experiments: the first of the module's docstring
    story: ClassVar[str]  # the question and how it is answered, in one or more paragraphs: the rest of it

    def __init_subclass__(cls) -> None:
        if "story" in vars(cls):
            return
        cls.name = cls.__module__.rpartition(".")[2]
        about, _, cls.story = inspect.cleandoc(sys.modules[cls.__module__].__doc__ or "").partition("\n\n")
        cls.title = about.removeprefix(f"{cls.name}: ")

    @property
    def _told(self) -> Any:
        """The module that puts these findings into words and pictures."""
        return importlib.import_module(f"{__package__}.told.{self.name}")

    @property
    def caption(self) -> str:
        """Explain the figure, and how to read it."""
        return self._told.CAPTION

    def tables(self) -> list[Table]:
        """The numbers as tables."""
        return self._told.tables(self)

    def claims(self) -> list[Claim]:
        """Claims of the sources beside the measurements."""
        return self._told.claims(self)

    def figure(self) -> Any:
        """The numbers as a Figure of matplotlib. ImportError if that is not installed."""
        return self._told.figure(self)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain lists, dicts and numbers, as they are written to the JSON file."""
        return {
            "experiment": self.name,
            "numbers": {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)},  # type: ignore[arg-type]
            "claims": [dataclasses.asdict(claim) for claim in self.claims()],
        }

    def save(self, folder: str | Path) -> list[Path]:
        """Write NAME.txt, NAME.json and the figure as NAME.svg and NAME.png; the paths."""
        text = f"{self}\n"
        numbers = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        # All of it is made before the first file is written, so that an error leaves nothing half-done.
        files = {".txt": text.encode(), ".json": numbers.encode(), **figures.drawn(self.figure())}
        Path(folder).mkdir(parents=True, exist_ok=True)
        return figures.write(files, Path(folder) / self.name)

    def __repr__(self) -> str:
        """Short: the numbers may be thousands."""
        counts = f"{plural(len(self.tables()), 'table')}, {plural(len(self.claims()), 'claim')}"
        return f"<{type(self).__name__}: {counts}; print() shows them>"

    def _repr_html_(self) -> str:
        """Representation for a notebook."""
        return importlib.import_module(f"{__package__}.page").fragment(self)

    def __str__(self) -> str:
        paragraphs = [f"{self.name}: {self.title}", *(each for each in self.story.strip().split("\n\n"))]
        parts = [textwrap.fill(" ".join(each.split()), WIDTH) for each in paragraphs]
        parts += [str(table) for table in self.tables()]
        parts += [_in_words(claim) for claim in self.claims()]
        return "\n\n".join(parts)


def wilson_interval(share: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a probability, if this share of independent trials came true (Wilson 1927): within 0 and 1.

    >>> [round(end, 3) for end in wilson_interval(0.95, 20)], wilson_interval(0.0, 20)[0], wilson_interval(1.0, 20)[1]
    ([0.764, 0.991], 0.0, 1.0)
    """
    z = 1.96
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def named_seeds(numbers: Sequence[int]) -> str:
    """Which seeds these are, that follow each other.

    >>> named_seeds([0, 1, 2]), named_seeds([7])
    ('seeds 0 to 2', 'seed 7')
    """
    return f"seeds {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"seed {numbers[0]}"


def _in_words(claim: Claim) -> str:
    pairs = (("said", f"{claim.said} ({claim.source})"), ("measured", claim.measured), ("so", claim.verdict))
    return "\n".join(
        textwrap.fill(text, WIDTH, initial_indent=f"{word:>8}: ", subsequent_indent=" " * 10) for word, text in pairs
    )


def _plain(thing: Any) -> Any:
    """Numbers as JSON knows them; what is no number (NaN, infinity) is None."""
    if dataclasses.is_dataclass(thing):
        return {field.name: _plain(getattr(thing, field.name)) for field in dataclasses.fields(thing)}
    if isinstance(thing, dict):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_plain(item) for item in thing]
    if isinstance(thing, (np.ndarray, np.generic)):
        return _plain(thing.tolist())
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing
