"""``train``: train a network on a data set, and leave in one folder all there is to know about it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from .. import optim, random
from ..files import replacing_folder, sweep
from ..record.activity import dead_units
from ..record.words import plural
from ..train import History, fit
from ..train import predict as outputs_of
from . import note, results
from .setup import Run, loss_floor, plan, prepare

__all__ = ["train"]


def train(options: argparse.Namespace) -> None:
    """Train a network as the options say, and write its folder."""
    out = Path(options.out or Path("runs", Path(options.data).stem))
    _check_replaceable(out)
    random.manual_seed(options.seed)
    run = prepare(options)
    say = _silent if options.quiet else print
    say(plan(run), flush=True)
    with replacing_folder(out) as folder:
        start = time.perf_counter()
        history = _train(run, options)
        seconds = time.perf_counter() - start
        right = int((outputs_of(run.model, run.X_test).argmax(axis=1) == run.y_test).sum())
        report = dead_units(run.model, run.X)
        results.write(folder, run, history, report, results.summary(run, history, report, right, seconds))
        saves, failed = results.write_more(folder, run, history)
        _check_replaceable(out)  # somebody may have written there meanwhile

    say(f"trained {plural(len(history), 'epoch')} in {seconds:.1f} s")
    if saves:
        say(f"training step: {saves}")
    floor = loss_floor(run)
    least = f" (label smoothing does not let it fall below {floor:.3f})" if floor else ""
    say(f"loss at the end: {history[-1]['loss']:.3f}{least}")
    percent = 100 * right / len(run.y_test)
    say(f"held-out accuracy: {percent:.2f} % ({right:,} of {plural(len(run.y_test), 'row')})")
    say(f"{report}\nin {out}:")
    for name, what in results.FILES.items():
        if (out / name).exists():
            say(f"  {name:15} {what}")
    for what in failed:
        note(what)


def _silent(*_: Any, **__: Any) -> None:
    pass


def _train(run: Run, options: argparse.Namespace) -> History:
    return fit(
        run.model,
        run.X,
        run.y,
        loss=run.loss,
        optimizer=run.optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(run.optimizer, T_max=options.epochs),
        epochs=options.epochs,
        batch_size=options.batch_size,
        # Where nothing is decided by it, the held-out part can be watched; a stop must be decided on other rows.
        validation=1 / 6 if options.patience else (run.X_test, run.y_test),
        patience=options.patience,
        seed=options.seed,
        progress=not options.quiet,
        compile=options.compile,
    )


def _check_replaceable(out: Path) -> None:
    """Refuse early what must not be replaced: anything but a folder that is empty, or holds a run and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out} is a file; --out names a folder")
    real = out.resolve()
    if real == Path.cwd() or real in Path.cwd().parents:
        raise ValueError(f"{out} is the current folder or one around it; give --out a folder of its own")
    sweep(out)
    foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in results.FILES)
    if foreign:
        raise ValueError(f"{out} holds {foreign[0]!r}, which no run has made; give --out another folder")
