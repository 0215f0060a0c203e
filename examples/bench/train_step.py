"""How long does one training step take? This engine beside the NumPy of an expert, PyTorch and JAX.

    make bench

One step is forward, softmax cross-entropy, backward and SGD, in float32. All contenders start from the same weights
and see the same data, take turns within one run (a busy machine then slows all alike), and must reach the same loss.
BLAS gets one thread: at these sizes more threads only wait for each other. What is not installed is left out.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from itertools import pairwise  # noqa: E402

import numpy as np  # noqa: E402

import tinygrad_relu as tg  # noqa: E402
from tinygrad_relu import nn, optim  # noqa: E402

NETWORKS = {"2-16-16-2, batch 100": ((2, 16, 16, 2), 100), "64-64-32-10, batch 32": ((64, 64, 32, 10), 32)}
LEARNING_RATE = 0.05


def make_problem(sizes, batch):
    """Weights (out, in) and biases by He's rule, a batch of random inputs, and labels."""
    rng = np.random.default_rng(0)
    layers = [
        ((rng.normal(size=(n, m)) * np.sqrt(2 / m)).astype(np.float32), np.zeros(n, np.float32))
        for m, n in pairwise(sizes)
    ]
    return layers, rng.normal(size=(batch, sizes[0])).astype(np.float32), rng.integers(sizes[-1], size=batch)


def this_engine(sizes, layers, X, y):
    model = nn.MLP(sizes[0], sizes[1:-1], sizes[-1])
    for p, value in zip(model.parameters(), [array for layer in layers for array in layer]):
        p.data = value
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step():
        loss = tg.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def experts_numpy(sizes, layers, X, y):
    """Backpropagation as an expert writes it: no allocation, all parameters in one vector, all gradients in another."""
    n = len(X)
    shapes = [shape for m, k in pairwise(sizes) for shape in ((m, k), (k,))]
    count = sum(int(np.prod(s)) for s in shapes)
    theta, grad, change = (np.zeros(count, np.float32) for _ in range(3))

    def views(vector):
        ends = np.cumsum([int(np.prod(s)) for s in shapes])
        return [vector[e - int(np.prod(s)) : e].reshape(s) for e, s in zip(ends, shapes)]

    weights, biases, grad_w, grad_b = views(theta)[::2], views(theta)[1::2], views(grad)[::2], views(grad)[1::2]
    for (w, b), weight, bias in zip(layers, weights, biases):
        weight[...], bias[...] = w.T, b
    outs = [np.empty((n, k), np.float32) for k in sizes[1:]]
    masks = [np.empty((n, k), bool) for k in sizes[1:-1]]
    backs = [np.empty((n, k), np.float32) for k in sizes[1:-1]]
    largest, total = np.empty((n, 1), np.float32), np.empty((n, 1), np.float32)
    ones, rows, last = np.ones(n, np.float32), np.arange(n), len(sizes) - 2
    inputs = [X, *outs[:-1]]
    transposed_inputs, transposed_weights = [a.T for a in inputs], [w.T for w in weights]
    logits = outs[-1]

    def step():
        for i in range(last + 1):
            z = outs[i]
            np.matmul(inputs[i], weights[i], out=z)
            np.add(z, biases[i], out=z)
            if i < last:
                np.greater(z, 0, out=masks[i])
                np.maximum(z, 0, out=z)
        np.maximum.reduce(logits, axis=1, keepdims=True, out=largest)
        np.subtract(logits, largest, out=logits)
        picked = logits[rows, y]
        np.exp(logits, out=logits)
        np.add.reduce(logits, axis=1, keepdims=True, out=total)
        np.divide(logits, total, out=logits)
        np.log(total, out=total)
        loss = (np.add.reduce(total, axis=None) - np.add.reduce(picked)) / n
        logits[rows, y] -= 1
        np.multiply(logits, 1 / n, out=logits)
        g = logits
        for i in range(last, -1, -1):
            np.matmul(transposed_inputs[i], g, out=grad_w[i])
            np.matmul(ones, g, out=grad_b[i])
            if i:
                np.matmul(g, transposed_weights[i], out=backs[i - 1])
                g = np.multiply(backs[i - 1], masks[i - 1], out=backs[i - 1])
        np.multiply(grad, LEARNING_RATE, out=change)
        np.subtract(theta, change, out=theta)
        return float(loss)

    return step


def pytorch(sizes, layers, X, y):
    import torch

    torch.set_num_threads(1)
    modules = []
    for m, k in pairwise(sizes):
        modules += [torch.nn.Linear(m, k), torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1])
    with torch.no_grad():
        for p, value in zip(model.parameters(), [array for layer in layers for array in layer]):
            p.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def step():
        loss = torch.nn.functional.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_jit(sizes, layers, X, y):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_platforms", "cpu")

    def loss_of(parameters, X, y):
        for i, (w, b) in enumerate(parameters):
            X = X @ w.T + b
            X = jax.nn.relu(X) if i < len(parameters) - 1 else X
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(X), y[:, None], axis=1))

    @jax.jit
    def update(parameters, X, y):
        loss, grads = jax.value_and_grad(loss_of)(parameters, X, y)
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, parameters, grads), loss

    parameters = jax.tree.map(jnp.asarray, layers)
    X, y = jnp.asarray(X), jnp.asarray(y)

    def step():
        nonlocal parameters
        parameters, loss = update(parameters, X, y)
        return float(loss)

    return step


CONTENDERS = {
    "expert's NumPy": (experts_numpy, None),
    "tinygrad_relu": (this_engine, None),
    "PyTorch eager": (pytorch, "torch"),
    "jax.jit": (jax_jit, "jax"),
}


def measure(steps, rounds, per_round):
    """Microseconds of one step of each, the median over rounds in which all take turns."""
    times = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            for _ in range(per_round):
                step()
            times[name].append((time.perf_counter() - start) / per_round * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def report(times):
    expert, ours = times["expert's NumPy"], times["tinygrad_relu"]
    print(f"    {'':<18}{'µs a step':>10}{'/ expert':>10}{'/ ours':>10}")
    for name, value in times.items():
        print(f"    {name:<18}{value:>10.1f}{value / expert:>10.2f}{value / ours:>10.2f}")


def train_networks(rounds):
    for title, (sizes, batch) in NETWORKS.items():
        print(f"\n{title}")
        layers, X, y = make_problem(sizes, batch)
        steps = {
            name: make(sizes, layers, X, y)
            for name, (make, needs) in CONTENDERS.items()
            if needs is None or importlib.util.find_spec(needs)
        }
        losses = {name: [step() for _ in range(200)][-1] for name, step in steps.items()}
        for name, loss in losses.items():
            np.testing.assert_allclose(loss, losses["expert's NumPy"], rtol=1e-3, err_msg=f"{name} went elsewhere")
        print(f"    all reach a loss of {losses['tinygrad_relu']:.4f} after 200 steps")
        report(measure(steps, rounds, 100))


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
        times = measure({name: (lambda v=v, make=make: make(v)[0].backward()) for name, v in values.items()}, turns, 1)
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
    parser.add_argument("--rounds", type=int, default=30, help="how often all take turns (default 30)")
    rounds = parser.parse_args().rounds
    train_networks(rounds)
    long_chains()
    sys.setrecursionlimit(1_000_000)
    threading.stack_size(512 * 1024 * 1024)
    thread = threading.Thread(target=scalar_graphs, args=(rounds,))
    thread.start()
    thread.join()
