"""Progress: what is shown while a network trains."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .history import History


@contextmanager
def shown_progress(epochs: int, wanted: bool) -> Iterator[Callable[[History], None]]:
    """What to call after each epoch: it moves tqdm's bar, or writes a line, or does nothing without a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda history: None
        return
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
