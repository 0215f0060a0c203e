"""From the options to what is trained: the rows, the network, the optimizer and the loss."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import data, nn, ops, optim
from ..record.words import plural
from ..train import optimizer_class
from .data_sets import DataSet, load_data

__all__ = ["Run", "loss_floor", "plan", "prepare", "scaled"]


@dataclass
class Run:
    """Plan of a training: the network, the data, the settings."""

    settings: dict[str, Any]
    data_set: DataSet
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    mean: np.ndarray  # of the columns, taken off before the network sees them
    scale: np.ndarray
    architecture: dict[str, Any]
    model: nn.Module
    optimizer: Any
    loss: Callable[..., Any]


def prepare(options: argparse.Namespace) -> Run:
    """Load the data, and make a network for it."""
    data_set = load_data(options)
    settings = _settings(options, data_set)
    X, X_test, y, y_test = data.train_test_split(data_set.X, data_set.y, options.test_fraction, options.seed)
    mean, scale = np.zeros(1, np.float32), np.ones(1, np.float32)
    if data_set.measured:
        X, mean, scale = data.standardize(X)
        X_test = scaled(X_test, mean, scale)
    architecture = {key: settings[key] for key in ("hidden", "activation", "dropout")}
    model = nn.MLP(X.shape[1], out_features=len(data_set.classes), **architecture)
    optimizer, loss = _optimizer(model, settings), loss_with(settings["label_smoothing"])
    return Run(settings, data_set, X, y, X_test, y_test, mean, scale, architecture, model, optimizer, loss)


def scaled(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Rows as the network sees them; float32 is too narrow for the difference of its own largest numbers."""
    with np.errstate(over="ignore"):  # a number that is too far from the others becomes infinite
        return ((X.astype(np.float64) - mean) / scale).astype(np.float32)


def plan(run: Run) -> str:
    """Description of the training to come, in words."""
    features, classes = run.X.shape[1], len(run.data_set.classes)
    sizes = " - ".join(map(str, [features, *run.architecture["hidden"], classes]))
    parameters = sum(p.size for p in run.model.parameters())
    smoothing, floor = run.settings["label_smoothing"], loss_floor(run)
    loss = f", with label smoothing {smoothing:g} (so at least {floor:.3f}, not 0)" if smoothing else ""
    return (
        f"{run.data_set.name}: {plural(len(run.X), 'row')} to train on, {len(run.X_test):,} held out, "
        f"{plural(features, 'feature')}, {plural(classes, 'class', 'classes')}\n"
        f"network: {sizes}, {run.architecture['activation']}, {plural(parameters, 'parameter')}\n"
        f"loss: cross-entropy{loss}"
    )


def loss_floor(run: Run) -> float:
    """Floor of the loss under label smoothing: the entropy of the smoothed target, 0 without it.

    Cross-entropy is least where the network answers with the target itself: of K classes, 1 - s + s/K for the right
    one and s/K for each other.
    """
    classes = len(run.data_set.classes)
    each = run.settings["label_smoothing"] / classes
    right = 1 - (classes - 1) * each
    return -right * math.log(right) - (classes - 1) * each * math.log(each) if each else 0.0


def _settings(options: argparse.Namespace, data_set: DataSet) -> dict[str, Any]:
    """The options, with the defaults that depend on other options filled in."""
    settings = {key: value for key, value in vars(options).items() if key not in ("command", "quiet", "out")}
    name = options.optimizer.lower()
    defaults = {
        "lr": 0.05 if name in ("sgd", "adagrad") else 0.005,
        "weight_decay": 0.1 if name == "adamw" else 0.0,
        "dropout": 0.1 if data_set.name == "digits" else 0.0,
        "label_smoothing": 0.1 if data_set.name == "digits" else 0.0,
    }
    return settings | {key: value for key, value in defaults.items() if settings[key] is None}


def _optimizer(model: nn.Module, settings: dict[str, Any]) -> Any:
    kind = optimizer_class(settings["optimizer"])
    momentum = {"momentum": 0.9} if kind is optim.SGD else {}
    return kind(model.parameters(), lr=settings["lr"], weight_decay=settings["weight_decay"], **momentum)


def loss_with(label_smoothing: float) -> Callable[..., Any]:
    def loss(output, target):
        return ops.cross_entropy(output, target, label_smoothing=label_smoothing)

    return loss
