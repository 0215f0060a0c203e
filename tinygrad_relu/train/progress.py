"""Progress: what is shown while a network trains, in a notebook and on a terminal; nothing in a file or a pipe."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .history import History

__all__ = ["shown_progress"]

_PAUSE = 0.1  # seconds between two pictures in a notebook: each is a message to the browser


@contextmanager
def shown_progress(epochs: int, wanted: bool) -> Iterator[Callable[[History], None]]:
    """Callback after each epoch: it moves a bar in a notebook, or tqdm's on a terminal, or does nothing."""
    if wanted and _in_notebook():
        with _notebook(epochs) as show:
            yield show
    elif wanted and sys.stderr.isatty():
        with _terminal(epochs) as show:
            yield show
    else:
        yield lambda history: None


def _in_notebook() -> bool:
    """Tell whether this runs in the kernel of a notebook, whose stderr is no terminal but which can show pictures."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


@contextmanager
def _notebook(epochs: int) -> Iterator[Callable[[History], None]]:
    """A bar in HTML that the kernel replaces in place: no widgets are needed, and the last one stays."""
    handle: Any = importlib.import_module("IPython.display").display(_bar(0, epochs, ""), raw=True, display_id=True)
    shown_at, bar = time.monotonic(), None

    def show(history: History) -> None:
        nonlocal shown_at, bar
        bar = _bar(len(history), epochs, _summary(history[-1]))
        if time.monotonic() - shown_at >= _PAUSE:
            handle.update(bar, raw=True)
            shown_at, bar = time.monotonic(), None

    try:
        yield show
    finally:
        if bar is not None:
            handle.update(bar, raw=True)


def _bar(done: int, epochs: int, summary: str) -> dict[str, str]:
    text = f"epoch {done}/{epochs}  {summary}".rstrip()
    return {"text/plain": text, "text/html": f'<progress value="{done}" max="{epochs}"></progress> {text}'}


@contextmanager
def _terminal(epochs: int) -> Iterator[Callable[[History], None]]:
    """tqdm's bar, or a line where it is not installed."""
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        try:
            yield lambda history: print(
                f"\repoch {len(history)}/{epochs}  {_summary(history[-1])} ", end="", file=sys.stderr, flush=True
            )
        finally:
            print(file=sys.stderr)
        return
    shape = "{percentage:3.0f}% {bar} {n_fmt}/{total_fmt}  {desc}"
    with tqdm(total=epochs, bar_format=shape, dynamic_ncols=True, file=sys.stderr) as bar:

        def show(history: History) -> None:
            bar.set_description_str(_summary(history[-1]), refresh=False)
            bar.update()

        yield show


def _summary(row: dict[str, float]) -> str:
    parts = []
    for prefix, word, label in (("", "loss", "accuracy "), ("val_", "val", "")):
        if f"{prefix}loss" in row:
            accuracy = row.get(f"{prefix}accuracy")
            percent = "" if accuracy is None else f" {label}{100 * accuracy:.1f} %"
            parts.append(f"{word} {row[f'{prefix}loss']:.3f}{percent}")
    return ", ".join(parts)
