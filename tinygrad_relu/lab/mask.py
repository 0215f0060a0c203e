"""mask: what ReLU's forward pass saves, and what an in-place backward pass spoils

The note writes ReLU as a class of two methods. forward saves a mask, which is where x <= 0, and backward uses it: there
the gradient stops, elsewhere it passes as it came. The note shows this with four numbers, and its answers are right.

But the note's backward puts the zeros into the very array that it was given. In the note nobody else has that array. In
a graph others may: an addition hands one and the same gradient to both of its arguments, so in x + relu(x) the zeros
that are meant for relu also stop the gradient of the x beside it. The rule is registered here as an op of its own, and
its gradients stand beside those of the engine's relu, which makes a new array, and beside finite differences.

Does it matter? A network with skip connections, h + relu(linear(h)), is such a graph in every block. Networks of
several depths are trained on three spirals, from the same seeds with either rule.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_relu as tg

from .. import Tensor, nn, optim
from .findings import Findings, Spread
from .workers import each

__all__ = ["Graph", "Mask", "Residual", "note_relu", "run"]

# The four numbers of the note.
_X, _INCOMING = [1.0, -2.0, 3.0, -4.0], [1.0, 2.0, -3.0, 4.0]


class NoteReLU(tg.Op):
    """max(x, 0) as the note has it: backward writes into the gradient that comes in, which no op should do."""

    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, grad):
        grad[self.mask] = 0  # others may hold this array
        return grad


tg.register(NoteReLU, name="relu_as_in_the_note", method=False)
note_relu: Callable[..., Any] = NoteReLU.function
tg.unregister("relu_as_in_the_note")  # it works all the same, and no list of ops shows it


@dataclass
class Graph:
    """The gradient of one leaf that comes back through a graph, by each rule and by finite differences."""

    name: str
    leaf: str
    by_differences: list[float]
    by_the_engine: list[float]
    by_the_note: list[float]
    wrong_slopes: int  # by the note's rule, as tg.gradcheck counts them
    compared: int
    noticed: str  # what the engine says of the note's rule in detect_anomaly()


@dataclass
class Residual:
    """Networks with so many skip connections, after training with each rule: one number for each seed."""

    blocks: int
    cosines: list[float]  # between the two first gradients of the first layer
    losses_by_the_engine: list[float]
    losses_by_the_note: list[float]

    @property
    def difference(self) -> Spread:
        """How much larger the loss is with the note's rule."""
        return Spread.of(b - a for a, b in zip(self.losses_by_the_engine, self.losses_by_the_note))

    @property
    def suffers(self) -> bool:
        """Tell whether that is more than chance: more than three standard errors."""
        return self.difference.mean > 3 * self.difference.standard_error


@dataclass(repr=False)
class Mask(Findings):
    """The note's numbers, the graphs in which its rule fails, and what that does to a training."""

    x: list[float]
    output: list[float]
    mask: list[bool]
    incoming: list[float]
    outgoing: list[float]
    incoming_after_the_note: list[float]  # the array that was handed to the note's backward, afterwards
    behind_a_sum: str  # what the engine says of the note's rule behind a sum, unasked
    graphs: list[Graph]
    residuals: list[Residual]


def run(
    seeds: int = 6, epochs: int = 30, blocks: tuple[int, ...] = (2, 4, 8, 12), *, executor: Executor | None = None,
    progress: bool = False,
) -> Mask:  # fmt: skip
    """The note's numbers; three graphs; and residual networks of so many ``blocks``, trained for ``epochs`` epochs.

    >>> found = run(seeds=2, epochs=1, blocks=(1,), executor=lab.Serial())
    >>> found.outgoing, found.incoming_after_the_note
    ([1.0, 0.0, -3.0, 0.0], [1.0, 0.0, -3.0, 0.0])
    >>> found.graphs[0].by_the_engine, found.graphs[0].by_the_note
    ([2.0, 2.0, -6.0, 4.0], [2.0, 0.0, -6.0, 0.0])
    """
    x = Tensor(_X, requires_grad=True)
    y = tg.relu(x)
    op: Any = y.op
    y.backward(_INCOMING)
    assert x.grad is not None
    handed = np.array(_INCOMING)
    by_note = NoteReLU()
    by_note.forward(np.array(_X))
    by_note.backward(handed)
    behind_a_sum = _said(lambda: note_relu(x).sum().backward())
    graphs = [_graph(name, leaf, function) for name, leaves, function in _GRAPHS for leaf in leaves]
    jobs = [(seed, epochs, count) for count in blocks for seed in range(seeds)]
    trained = each(_train_both, jobs, executor, "mask" if progress else "")
    by_blocks = [trained[i * seeds : (i + 1) * seeds] for i in range(len(blocks))]
    return Mask(
        _X,
        y.detach().numpy().tolist(),
        op.mask.tolist(),
        _INCOMING,
        x.grad.numpy().tolist(),
        handed.tolist(),
        behind_a_sum,
        graphs,
        [Residual(count, *map(list, zip(*columns))) for count, columns in zip(blocks, by_blocks)],
    )


def _said(action: Callable[[], Any]) -> str:
    """The error that this ends in, if any."""
    try:
        action()
    except ValueError as error:
        return str(error)
    return "nothing"


# Each with the leaves that have a gradient in it.
_GRAPHS: list[tuple[str, str, Callable[..., Any]]] = [
    ("x + relu(x)", "x", lambda relu, x, u: x + relu(x)),
    ("relu(x) + relu(u)", "xu", lambda relu, x, u: relu(x) + relu(u)),
    ("relu(x) * relu(u)", "xu", lambda relu, x, u: relu(x) * relu(u)),
]
_VALUES = {"x": _X, "u": [-1.0, 2.0, 3.0, -4.0]}


def _graph(name: str, leaf: str, function: Callable[..., Any]) -> Graph:
    """Gradient that comes back to this leaf of the graph."""
    with tg.detect_anomaly():
        noticed = _said(lambda: _gradient(function, note_relu, leaf))
    report = tg.gradcheck(lambda x, u: function(note_relu, x, u), list(_leaves().values()), raise_exception=False)
    place = str(list(_VALUES).index(leaf))
    return Graph(
        name,
        leaf,
        _differences(function, leaf),
        _gradient(function, tg.relu, leaf),
        _gradient(function, note_relu, leaf),
        sum(slope.input.startswith(place) for slope in report.wrong),
        len(_X) ** 2,
        noticed,
    )


def _leaves() -> dict[str, Tensor]:
    return {name: Tensor(value, requires_grad=True, dtype=np.float64) for name, value in _VALUES.items()}


def _gradient(function: Callable[..., Any], relu: Callable[..., Any], leaf: str) -> list[float]:
    """Gradient that the backward pass leaves there."""
    leaves = _leaves()
    function(relu, **leaves).backward(_INCOMING)
    grad = leaves[leaf].grad
    assert grad is not None
    return grad.numpy().tolist()


def _differences(function: Callable[..., Any], leaf: str, step: float = 1e-3) -> list[float]:
    """The slope of sum(incoming * function(x, u)) in each element of the leaf, by central differences."""

    def moved(i: int, move: float) -> float:
        arrays = {name: np.array(value) for name, value in _VALUES.items()}
        arrays[leaf][i] += move
        return float(np.dot(_INCOMING, function(tg.relu, **arrays)))

    slopes = [(moved(i, step) - moved(i, -step)) / (2 * step) for i in range(len(_X))]
    return [round(slope, 9) for slope in slopes]  # without the digits that are lost to rounding


class _Block(nn.Module):
    """h + relu(linear(h))."""

    def __init__(self, width: int, relu: Callable[..., Any]):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.relu = relu

    def forward(self, h):
        return h + self.relu(self.linear(h))


def _train_both(seed: int, epochs: int, blocks: int) -> tuple[float, float, float]:
    """The cosine between the first gradients by each rule, and the losses after training with each."""
    engine, by_engine = _train(tg.relu, seed, epochs, blocks)
    note, by_note = _train(note_relu, seed, epochs, blocks)
    cosine = float(engine @ note / (np.linalg.norm(engine) * np.linalg.norm(note)))
    return cosine, by_engine, by_note


def _train(relu: Callable[..., Any], seed: int, epochs: int, blocks: int) -> tuple[np.ndarray, float]:
    """The first gradient of the first layer's weights, and the loss over all rows in the end."""
    with tg.random.seeded(seed):
        X, y = tg.data.spirals(300, noise=0.1, seed=seed)
        model = nn.Sequential(nn.Linear(2, 16), *(_Block(16, relu) for _ in range(blocks)), nn.Linear(16, 3))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        tg.cross_entropy(model(X), y).backward()
        first = model[0].weight.grad.numpy().ravel().astype(np.float64)
        for _ in range(epochs):
            for X_batch, y_batch in tg.data.batches(X, y, batch_size=30):
                loss = tg.cross_entropy(model(X_batch), y_batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        with tg.no_grad():
            return first, tg.cross_entropy(model(X), y).item()
