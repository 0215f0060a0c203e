"""How much memory does a step need? Asked in a process of its own, for each contender that computes with NumPy.

``tracemalloc`` counts what Python and NumPy allocate, from before the step is set up: weights, gradients, what the
optimizer remembers, buffers, recorded programs. The peak over some steps is what counts, when the first ones are done.
The batch and the modules that are imported are there before and do not count; neither do buffers inside of BLAS.
"""

from __future__ import annotations

# isort: off
import one_core  # noqa: F401  before anything that starts threads

# isort: on
import json
import subprocess
import sys
import tracemalloc

from contenders import CONTENDERS
from problem import Network, make_problem

MEASURED = ("expert", "compiled", "eager")
STEPS = 5


def peak_memory(contender: str, network: Network, optimizer: str) -> int:
    """Bytes at the peak of a step; a fresh process finds out."""
    question = json.dumps([contender, network.sizes, network.batch, optimizer])
    answer = subprocess.run([sys.executable, __file__, question], capture_output=True, text=True, check=True)
    return int(answer.stdout)


def measure(contender: str, sizes: list[int], batch: int, optimizer: str) -> int:
    """Bytes at the peak of a step, in this process."""
    make = CONTENDERS[contender].make
    run(make(make_problem(Network((2, 3, 2), 4, 1, 1), optimizer)))  # imports what is imported late
    problem = make_problem(Network(tuple(sizes), batch, 1, 1), optimizer)
    tracemalloc.start()
    step = make(problem)
    run(step)
    tracemalloc.reset_peak()
    run(step)
    return tracemalloc.get_traced_memory()[1]


def run(step) -> None:
    """Some steps."""
    for _ in range(STEPS):
        step()


if __name__ == "__main__":
    print(measure(*json.loads(sys.argv[1])))
