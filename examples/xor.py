"""XOR, the smallest problem that needs a hidden layer: a straight line cannot solve it, two layers can.

Run it with: python examples/xor.py
"""

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
y = np.array([[0], [1], [1], [0]], dtype=np.float32)


def train(model: nn.Module, steps: int = 500) -> None:
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = tg.binary_cross_entropy_with_logits(model(Tensor(X)), Tensor(y))
        loss.backward()
        optimizer.step()


def show(title: str, model: nn.Module) -> None:
    print(title)
    for row, answer in zip(X, tg.sigmoid(model(Tensor(X))).tolist()):
        print(f"  {row[0]:.0f} xor {row[1]:.0f}:  {answer[0]:.2f}")


tg.manual_seed(0)

line = nn.Linear(2, 1)
train(line)
show("one layer, a straight line: every answer is a half, since no line does better", line)

network = nn.MLP(2, [8], 1, activation="relu")
train(network)
show("a hidden layer of 8 ReLU units: solved", network)

hidden = network[1](network[0](Tensor(X))).detach().numpy()
print("what the hidden units say to the four inputs; in this space a plane separates them:")
for row, values in zip(X, hidden):
    print(f"  {row[0]:.0f} {row[1]:.0f} -> ", " ".join(f"{value:4.1f}" for value in values))
