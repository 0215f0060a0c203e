"""Two layers, an op and a training of one's own, with types: mypy --strict and pyright find nothing in it.

python examples/typed.py
"""

from __future__ import annotations

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn, optim


@tg.register
class TypedCube(tg.Op):
    """x ** 3, elementwise."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        result: np.ndarray = x * x * x
        return result

    def backward(self, grad: np.ndarray) -> np.ndarray:
        (x,) = self.inputs
        gradient: np.ndarray = grad * 3 * x * x
        return gradient


class Net(nn.Module):
    """Two layers, the second of which is used twice."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Sequential(nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(tg.relu(self.first(x)))
        h += self.second(h).tanh()
        result: Tensor = self.last(h)
        return result


@tg.no_grad()
def accuracy(model: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(tg.predict(model, X).argmax(axis=1) == y))


def main() -> None:
    tg.manual_seed(0)
    X, y = data.moons(200, seed=0)
    model = Net(8)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=10)
    loss = Tensor(0.0)
    for _ in range(20):
        optimizer.zero_grad()
        loss = tg.cross_entropy(model(X), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
    print(f"{loss.item():.3f}", accuracy(model, X, y))

    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    z = (x * 2 + np.ones(2)) @ x - x.relu().sum() / 2 + x[0] ** 2
    z.backward(retain_graph=True)
    gradient = x.grad
    assert gradient is not None
    values: np.ndarray = gradient.numpy()
    (slope,) = tg.grad((x**3).sum(), x)
    assert slope is not None
    report = tg.gradcheck(lambda t: t.sigmoid(), x)
    history = tg.fit(nn.MLP(2, [8], 2), X, y, epochs=2, progress=False)
    print(values, slope.tolist(), bool(report), history["loss"], tg.draw(z), tg.explain(z), tg.summary(model, X))
    step = tg.compile(lambda t: (t * t).sum())
    print(step(x.detach()), tg.hessian(lambda t: (t**3).sum(), x), tg.registry["typed_cube"].function(x))


if __name__ == "__main__":
    main()
