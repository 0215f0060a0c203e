"""How long do graphs of single scalars take, beside micrograd, and is the cost of backward() linear?

    python examples/bench/scalars.py

The network is that of micrograd's demo. Both take turns in one run, and medians are printed.
"""

from __future__ import annotations

# isort: off
import one_core  # noqa: F401  before anything that starts threads

# isort: on
import argparse
import importlib.util
import statistics
import sys
import threading
import time
from itertools import pairwise

import numpy as np

import tinygrad_relu as tg


def measure(works, rounds):
    """Microseconds of each piece of work: the median over rounds in which all take turns."""
    times = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - start) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def scalar_chain(value, length=300):
    """A chain of scalar ops as people write it with micrograd, b = b * a + a and so on."""
    a = value(1.0)
    b = a
    for i in range(length):
        b = b * a + a if i % 2 else (b * 0.5).relu()
    return b, 2 * length


def scalar_network(value, batch=100):
    """The network of micrograd's demo on 100 points: 2-16-16-1, every weight a scalar of its own."""
    rng = np.random.default_rng(0)
    layers = [
        [([value(w) for w in rng.uniform(-1, 1, m).tolist()], value(0.0)) for _ in range(n)]
        for m, n in pairwise((2, 16, 16, 1))
    ]
    total, count = value(0.0), 0
    for x in rng.normal(size=(batch, 2)).tolist():
        for layer in layers:
            outs = []
            for weights, bias in layer:
                out = bias
                for w, xi in zip(weights, x):
                    out = out + w * xi
                outs.append(out if layer is layers[-1] else out.relu())
                count += 2 * len(x) + (layer is not layers[-1])
            x = outs
        total, count = total + x[0], count + 1
    return total, count


def scalar_graphs(rounds):
    """Scalar graphs beside micrograd, which goes back by recursion and so needs a large stack."""
    values = {"tinygrad_relu": lambda v: tg.Tensor(v, requires_grad=True)}
    if importlib.util.find_spec("micrograd"):
        from micrograd.engine import Value

        values["micrograd"] = Value
    for make, turns in ((scalar_chain, rounds), (scalar_network, 3)):
        count = make(values["tinygrad_relu"])[1]
        print(f"\n{make.__doc__.splitlines()[0]} Forward and backward of {count} ops")
        times = measure({name: (lambda v=v, make=make: make(v)[0].backward()) for name, v in values.items()}, turns)
        for name, value in times.items():
            print(f"    {name:<18}{value / count:>10.2f} µs an op{value / times['tinygrad_relu']:>10.2f} / ours")


def long_chains():
    """Microseconds of backward() for each node of chains of very different length: the same, if cost is linear."""
    print("\nbackward() through a chain")
    for length in (1_000, 10_000, 100_000, 1_000_000):
        x = y = tg.Tensor(1.0, requires_grad=True)
        for _ in range(length):
            y = y + x
        start = time.perf_counter()
        y.backward()
        print(f"    {length:>9,} nodes {(time.perf_counter() - start) / length * 1e6:>8.2f} µs a node")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="how often both take turns (default 30)")
    rounds = parser.parse_args().rounds
    long_chains()
    sys.setrecursionlimit(1_000_000)
    threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=scalar_graphs, args=(rounds,))
    thread.start()
    thread.join()
