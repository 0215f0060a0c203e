"""The training step of a small network written out as NumPy: the same numbers to the last bit, in less time.

Run it with: python examples/compile_step.py
"""

import time

import tinygrad_relu as tg
from tinygrad_relu import data, nn, optim

X, y = data.moons(200, noise=0.15, seed=0)


def make_step():
    """A network that begins with the same weights each time, and one step of its training."""
    tg.manual_seed(0)
    model = nn.MLP(2, [16], 2, activation="relu")
    optimizer = optim.SGD(model.parameters(), lr=0.5)

    def train_step(X, y):
        loss = tg.cross_entropy(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return train_step


def losses(step, epochs=200, batch_size=20):
    """The losses of a training, and the seconds that it took."""
    start = time.perf_counter()
    found = []
    for epoch in range(epochs):
        for X_batch, y_batch in data.batches(X, y, batch_size, seed=epoch):
            found.append(step(X_batch, y_batch).item())
    return found, time.perf_counter() - start


compiled_step = tg.compile(make_step())
eager, eager_seconds = losses(make_step())
compiled, compiled_seconds = losses(compiled_step)

print(compiled_step.source)
print(compiled_step.report())
print(f"\n{len(eager)} steps: loss {eager[0]:.4f} at first, {eager[-1]:.4f} in the end")
print("compiled and eager losses are the same to the last bit:", compiled == eager)
print(f"eager {eager_seconds:.3f} s, compiled {compiled_seconds:.3f} s with the writing of the program")
