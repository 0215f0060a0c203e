"""Two moons with a network of two hidden layers: what it learns, how sparse its ReLU units are, and where it errs.

Run it with: python examples/moons.py
"""

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu import data, nn

tg.manual_seed(0)
X, y = data.moons(1000, noise=0.15, seed=0)
X_train, X_test, y_train, y_test = data.train_test_split(X, y, 0.3, seed=0)

model = nn.MLP(2, [16, 16], 2, activation="relu")
history = tg.fit(
    model, X_train, y_train, optimizer="adam", lr=0.01, epochs=60, validation=(X_test, y_test), patience=15, seed=0
)
print(history)

answers = tg.predict(model, X_test).argmax(axis=1)
print(f"\n{np.mean(answers == y_test):.1%} of {len(y_test)} points it has never seen are told apart.\n")
print(tg.dead_units(model, X_train))

print("\nThe plane as the network sees it (. and #), and the points it gets wrong (o):\n")
columns, rows = np.linspace(-1.5, 2.5, 72), np.linspace(1.5, -1.0, 24)
plane = np.array([[x, y] for y in rows for x in columns], dtype=np.float32)
picture = np.where(tg.predict(model, plane).argmax(axis=1) == 0, ".", "#").reshape(len(rows), len(columns))
for x0, x1 in X_test[answers != y_test]:
    picture[np.abs(rows - x1).argmin(), np.abs(columns - x0).argmin()] = "o"
print("\n".join("".join(line) for line in picture))
