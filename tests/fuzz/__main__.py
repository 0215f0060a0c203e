"""The command line, ``python -m fuzz 100000``: each fault is printed once, as code, and then the exit code is 1."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

from .grammar import OPS, VALUES
from .search import Found, Key, search
from .ways import WAYS

BATCH = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Random programs, here and on PyTorch.")
    parser.add_argument("programs", type=int, nargs="?", default=2000, help="how many; 2,000 if left out")
    parser.add_argument("--seed", type=int, default=0, help="where to begin; each seed has other programs")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--values", nargs="+", choices=VALUES, default=VALUES, help="numbers that the leaves hold")
    parser.add_argument("--ops", nargs="+", choices=OPS, default=OPS, metavar="OP", help="ops that the steps call")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=tuple(WAYS), help="besides eager and PyTorch")
    parser.add_argument("--most", type=int, default=20, help="faults after which to stop")
    options = parser.parse_args()
    found = run(options)
    print(f"{found.ran:,} programs, {len(found.faults)} faults")
    for (way, op), times in sorted(found.passed.items()):
        print(f"  {times:6,} times {way}: {op}")
    return bool(found.faults)


def run(options: argparse.Namespace) -> Found:
    """All batches, on as many processes as wanted, with a line after each and a program for each new fault."""
    begun, total, running = time.monotonic(), Found(), set()
    starts = list(range(0, options.programs, BATCH))
    with ProcessPoolExecutor(options.jobs, initializer=_alone_on_its_core) as pool:
        while (starts and len(total.faults) < options.most) or running:
            while starts and len(running) < options.jobs and len(total.faults) < options.most:
                running.add(pool.submit(_batch, options, starts.pop(0), list(total.faults)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for batch in done:
                _add(total, batch.result())
            rate = total.ran / (time.monotonic() - begun)
            print(f"{total.ran:,} programs, {len(total.faults)} faults, {rate:.0f} a second", flush=True)
    return total


def _batch(options: argparse.Namespace, start: int, known: list[Key]) -> Found:
    count = min(BATCH, options.programs - start)
    seed = options.seed * 1_000_000_000 + start
    chosen = {"ways": options.ways, "values": options.values, "ops": options.ops}
    return search(count, seed, known=known, most=options.most, **chosen)


def _add(total: Found, batch: Found) -> None:
    total.ran += batch.ran
    total.passed += _by_way(batch)
    for key, (program, difference) in batch.faults.items():
        if key not in total.faults:
            total.faults[key] = program, difference
            print(f"\n{'#' * 20} {difference}\n{program.script()}", flush=True)


def _by_way(batch: Found) -> Counter[Key]:
    """Programs of many ops that were excused are counted under one name."""
    counted: Counter[Key] = Counter()
    for (way, op), times in batch.passed.items():
        counted[way, "several ops" if " with " in op else op] += times
    return counted


def _alone_on_its_core() -> None:
    import torch

    torch.set_num_threads(1)
    gc.freeze()  # what was imported need not be searched each time that something is recorded


if __name__ == "__main__":
    sys.exit(main())
