"""Importing this first gives the process one core, and every library in it one thread.

The variables are what BLAS and OpenMP read when they start. They do not bind XLA, which opens a pool of threads of its
own; a process that may only run on one core leaves it no second one. Where a system cannot pin a process, as macOS, the
variables have to do.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[variable] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
os.environ.setdefault("DEV", "CPU")  # tinygrad's choice of a device

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
