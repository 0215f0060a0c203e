"""Workers: independent pieces of work, each done wherever an executor puts it; the numbers are the same everywhere."""

from __future__ import annotations

import ctypes
import functools
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

__all__ = ["Serial", "each", "one_blas_thread", "process_pool"]


class Serial(Executor):
    """An executor that does each piece of work at once, here: for debugging, and for work that is small.

    >>> with Serial() as executor:
    ...     each(pow, [(2, 3), (3, 2)], executor)
    [8, 9]
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function now; the Future is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def each(
    work: Callable[..., Any], jobs: Iterable[Sequence[Any]], executor: Executor | None = None, progress: str = ""
) -> list[Any]:
    """``[work(*job) for job in jobs]``, done by any ``concurrent.futures.Executor``; the results in the order of jobs.

    Without one, by a pool of processes, one for each core. ``work`` is a function of a module, so that processes can
    find it; what is random in it must come from its arguments (``tg.random.seeded``). ``progress`` is what stands
    beside the bar, and none is shown without it or without a terminal. An error in one piece ends it all. Meanwhile
    BLAS has one thread, see ``one_blas_thread``.

    >>> each(pow, [(2, 3), (3, 2)], Serial())
    [8, 9]
    """
    todo = [tuple(job) for job in jobs]
    with one_blas_thread(), process_pool(len(todo)) if executor is None else nullcontext(executor) as pool:
        futures = [pool.submit(_done_alone, work, job) for job in todo]
        try:
            with _bar(len(todo), progress) as step:
                for future in as_completed(futures) if progress else futures:
                    future.result()
                    step()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]


def _done_alone(work: Callable[..., Any], job: Sequence[Any]) -> Any:
    """One piece of work, in whatever process it has come to."""
    with one_blas_thread():
        return work(*job)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let OpenBLAS, which NumPy brings, compute with one thread in this block; other makes of BLAS stay as they are.

    Several threads add up a matrix product in another order, so that its last digits depend on the number of cores;
    and where several processes have several threads each, all of them wait for each other.

    >>> with one_blas_thread():
    ...     print(np.ones((2, 2)) @ np.ones(2))
    [2. 2.]
    """
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """One thread for BLAS from the first block that is entered, in whatever thread, until the last is left."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.blocks = 0
        self.before = 1

    def enter(self) -> None:
        get, set_ = _blas_threads()
        with self.lock:
            if not self.blocks:
                self.before = get()
                set_(1)
            self.blocks += 1

    def leave(self) -> None:
        with self.lock:
            self.blocks -= 1
            if not self.blocks:
                _blas_threads()[1](self.before)


_limit = _Limit()


@functools.cache
def _blas_threads() -> tuple[Callable[[], int], Callable[[int], Any]]:
    """OpenBLAS's own functions to ask for the number of threads and to set it; NumPy has none."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
        for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    except (AttributeError, OSError):
        pass
    return lambda: 1, lambda count: None


def process_pool(most: int | None = None) -> ProcessPoolExecutor:
    """A pool with a process for each core that this process may use, but no more than ``most``.

    >>> with process_pool(2) as pool:
    ...     each(pow, [(2, 3), (3, 2)], pool)
    [8, 9]
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # To fork is the fastest and asks nothing of the user's script, but is not safe beside other threads.
    alone = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if alone else "spawn")
    pool = ProcessPoolExecutor(max(1, min(cores, most or cores)), mp_context=context, initializer=_begin)
    if alone:
        with warnings.catch_warnings():  # Python 3.12 sees the threads of BLAS, which has taken care of that itself
            warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
            pool.submit(int)  # the processes start with the first piece of work
    return pool


def _begin() -> None:
    """Ctrl-C is for the process that asked for the work; it ends the pool. What it does on SIGTERM is no example."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _bar(total: int, label: str) -> Iterator[Callable[[], Any]]:
    """Callback after each piece: it moves tqdm's bar, or does nothing."""
    if not label or not sys.stderr.isatty():
        yield lambda: None
        return
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        yield lambda: None
        return
    quiet = type("Bar", (tqdm,), {"monitor_interval": 0})  # without its thread, beside which one should not fork
    shape = "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt}"
    with quiet(total=total, desc=label, bar_format=shape, dynamic_ncols=True, file=sys.stderr, leave=False) as bar:
        yield bar.update
