"""What every lesson uses: ``exercise``, which checks an answer with the engine, and ``show``, which shows a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_relu import Tensor, plots
from tinygrad_relu.lab import figures

__all__ = ["Picture", "exercise", "show"]

_CLOSE = 1e-3  # a number that was worked out by hand may be rounded to three figures or more


def exercise(answer: Any, right: Any, hint: str | Callable[[Any], str]) -> None:
    """Print whether ``answer`` is right, and if not, the hint; with ``...`` it is not answered yet.

    ``right`` is what the engine has computed: a number, a text, a list, an array or a Tensor, with which the answer
    has to agree in shape and within 0.1 %. Or it is a function that is given the answer and says whether it is right;
    if that fails with an error, the answer is wrong. ``hint`` is a text that helps but does not tell the answer, or a
    function that is given the wrong answer and returns such a text.

    >>> w = Tensor(3.0, requires_grad=True)
    >>> (w * w).backward()
    >>> exercise(..., w.grad, "How fast does a square grow?")
    Not answered yet: put your answer in the place of the three dots and run the cell again.
    >>> exercise(3, w.grad, "How fast does a square grow?")
    Not yet. How fast does a square grow?
    >>> exercise(6, w.grad, "How fast does a square grow?")
    Right.
    """
    if answer is ...:
        print("Not answered yet: put your answer in the place of the three dots and run the cell again.")
        return
    try:
        is_right = right(answer) if callable(right) else _agree(answer, right)
        told = "Right." if is_right else f"Not yet. {hint(answer) if callable(hint) else hint}"
    except Exception as error:  # whatever the reader's own function or op may raise
        told = f"Not yet. The check ended with {type(error).__name__}: {error}"
    print(told)


def _agree(answer: Any, right: Any) -> bool:
    given, wanted = _array(answer), _array(right)
    if given.shape != wanted.shape:
        raise ValueError(f"your answer has the shape {given.shape}, the right one has {wanted.shape}")
    if "U" in (given.dtype.kind, wanted.dtype.kind):
        return given.tolist() == wanted.tolist()
    return np.allclose(given, wanted, rtol=_CLOSE, atol=1e-6)


def _array(thing: Any) -> np.ndarray:
    return thing.detach().numpy() if isinstance(thing, Tensor) else np.asarray(thing)


class Picture:
    """A figure that a notebook shows as SVG, with the same bytes each time.

    ``show(figure).save("slide")`` writes it for a slide, as slide.svg and slide.png.
    """

    def __init__(self, figure: Any):
        self.figure = figure

    def save(self, path: str | Path) -> list[Path]:
        """Write PATH.svg and PATH.png; both paths."""
        return figures.save(self.figure, path)

    def _repr_svg_(self) -> str:
        text = plots.as_svg(self.figure).decode()
        return text[text.index("<svg") :]

    def __repr__(self) -> str:
        return f"<Picture: {'; '.join(axes.get_title() for axes in self.figure.axes)}>"


def show(figure: Any) -> Picture:
    """A Figure of matplotlib as the last expression of a cell: a notebook shows it, plain Python goes on."""
    return Picture(figure)
