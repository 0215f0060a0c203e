"""scikit-learn's ``MLPClassifier``: one call of ``partial_fit`` on the whole batch is one step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from problem import BETA1, BETA2, EPSILON, Problem
from sklearn.neural_network import MLPClassifier


def partial_fit(problem: Problem) -> Callable[[], float]:
    """The classifier makes its weights in its first step; after it they are replaced, and Adam starts again."""
    X, y = problem.X, problem.y
    classes = np.arange(problem.sizes[-1])
    model = MLPClassifier(
        problem.sizes[1:-1], solver=problem.optimizer.lower(), alpha=0, batch_size=len(X), shuffle=False, momentum=0,
        nesterovs_momentum=False, learning_rate_init=problem.learning_rate, beta_1=BETA1, beta_2=BETA2, epsilon=EPSILON,
    )  # fmt: skip
    model.partial_fit(X, y, classes=classes)
    if len(classes) > 2:
        model.coefs_ = [weight.T.copy() for weight, _ in problem.layers]
        model.intercepts_ = [bias.copy() for _, bias in problem.layers]
    else:  # one logistic unit instead of two outputs: it answers with the difference of the two
        (weight, bias) = problem.layers[-1]
        hidden = problem.layers[:-1]
        model.coefs_ = [w.T.copy() for w, _ in hidden] + [(weight[1:] - weight[:1]).T.copy()]
        model.intercepts_ = [b.copy() for _, b in hidden] + [bias[1:] - bias[:1]]
    del model._optimizer  # the next call makes one for the new weights

    def step() -> float:
        model.partial_fit(X, y)
        return float(model.loss_)

    return step
