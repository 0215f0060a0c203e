"""Command ``tinygrad-relu lab``: it lists the experiments, or runs some and leaves what they found in a folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from . import experiment, figures, run, titles
from .page import INDEX, Run, write_page
from .workers import process_pool

__all__ = ["lab"]


def lab(options: argparse.Namespace) -> None:
    """List the experiments, or run those named, one after the other, with the same processes for all."""
    if not options.names:
        print(_listing())
        return
    names = _chosen(options.names)
    out = Path(options.out)
    _check_possible(out)
    options.done = []  # what has been written, for when we are stopped
    runs = []
    with _pool(options.workers) as pool:
        for name in names:
            done = _run_and_save(name, out, pool, progress=not options.quiet)
            options.done.append(name)
            runs.append(done)
            if not options.quiet:
                print(f"{done.found}\n\n{name}: {done.seconds:.1f} s; in {out}: {', '.join(done.files)}\n", flush=True)
    if "all" in options.names:
        write_page(runs, out)
        if not options.quiet:
            total = sum(done.seconds for done in runs)
            print(f"all {len(runs)} experiments: {total:.1f} s; open {out / INDEX} to read them as one lesson")


def _listing() -> str:
    known = titles()
    width = max(map(len, known))
    lines = [f"  {name:{width}}  {title}" for name, title in known.items()]
    return "\n".join(["experiments:", *lines, "", "run one with: tinygrad-relu lab NAME, or all of them: lab all"])


def _chosen(names: list[str]) -> list[str]:
    """The experiments that were asked for, each once; ValueError for a name that is none."""
    known = list(titles())
    for name in names:
        if name != "all":
            experiment(name)
    return known if "all" in names else list(dict.fromkeys(names))


def _check_possible(out: Path) -> None:
    """Raise ValueError now for what would make the work be in vain."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; --out names a folder")
    try:
        figures.panels()
    except ImportError as error:
        raise ValueError(f"lab: {error}") from None


@contextmanager
def _pool(workers: int | None) -> Iterator[Executor]:
    """Processes that end when we do; if anything goes wrong, with the piece of work that each is at, a second or so.

    They are not killed: one that is hit while it starts may stay, and would be waited for without an end.
    """
    pool = process_pool(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _run_and_save(name: str, out: Path, pool: Executor, progress: bool) -> Run:
    """One experiment, its numbers, its figure and its files."""
    start = time.perf_counter()
    found = run(name, executor=pool, progress=progress)
    paths = found.save(out)
    return Run(found, time.perf_counter() - start, [path.name for path in paths])
