"""tg.compile does what the function itself does, to the last bit, and refuses what it cannot repeat.

A scenario is a function of ``wrap``: it makes its own world, wraps a function of it, calls that and changes things in
between, and returns all that matters. It is run twice, as it is and compiled, and has to give the same bits.
"""

import collections
import concurrent.futures
import copy
import dataclasses
import functools
import gc
import inspect
import itertools
import math
import pickle
import random
import threading
import time
import tracemalloc
import types
import weakref
from typing import Any

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.compile import CannotCompile

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype(np.float32)
Y = RNG.integers(2, size=8)
TARGET = RNG.normal(size=(8, 2)).astype(np.float32)
FILE = "test_compile.py"
STAND_INS = {"Traced", "Number"}  # what arrays and numbers are while a function is recorded


def plainly(function):
    """What stands for tg.compile in eager runs."""
    return function


def bits(thing):
    """Results as what can be compared to the last bit: dtype, shape and bytes."""
    if isinstance(thing, list):
        return [bits(item) for item in thing]
    if isinstance(thing, tuple) and not (len(thing) == 3 and isinstance(thing[2], bytes)):
        return ["a tuple", *(bits(item) for item in thing)]
    if isinstance(thing, dict):
        return {name: bits(item) for name, item in thing.items()}
    thing = getattr(thing, "_array", thing)
    if isinstance(thing, (np.ndarray, np.generic)):
        array = np.asarray(thing)
        return array.dtype.str, array.shape, array.tobytes()
    return thing if isinstance(thing, (str, tuple)) else repr(thing)


def parts(found, path=""):
    """The bits by their place, so that a failure names what differs."""
    if isinstance(found, list):
        return {key: part for i, item in enumerate(found) for key, part in parts(item, f"{path}.{i}").items()}
    if isinstance(found, dict):
        return {key: part for name in found for key, part in parts(found[name], f"{path}.{name}").items()}
    return {path: found}


def differing(a, b):
    """The places in which two nested results are not the same."""
    a, b = parts(bits(a)), parts(bits(b))
    return [path for path in {**a, **b} if a.get(path) != b.get(path)]


def outcome(scenario, wrap):
    """What the scenario returns, and the next random number."""
    tg.manual_seed(0)
    return bits([scenario(wrap), tg.random.generator().random()])


def check_same(scenario):
    assert differing(outcome(scenario, tg.compile), outcome(scenario, plainly)) == []


def check_same_or_refused(scenario):
    """For what is too odd to be promised: it may be refused, but never be another number."""
    wanted = outcome(scenario, plainly)
    try:
        found = outcome(scenario, tg.compile)
    except CannotCompile:
        return
    assert differing(found, wanted) == []


def state_of(model, *optimizers):
    grads = [None if p.grad is None else p.grad for p in model.parameters()]
    return [model.state_dict(), grads, [copy.deepcopy(each.state_dict()) for each in optimizers]]


def momentum(params):
    return optim.SGD(params, lr=0.1, momentum=0.9)


class World:
    """A model, its optimizer and a training step: ``step`` is wrapped, ``eager`` is not."""

    def __init__(self, wrap, model=None, rule=momentum, loss=tg.cross_entropy):
        tg.manual_seed(1)
        self.model = nn.MLP(3, [4], 2) if model is None else model
        self.optimizer = rule(self.model.parameters())
        model, optimizer = self.model, self.optimizer

        def step(x, y):
            value = loss(model(x), y)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            return value

        self.eager = step
        self.step = wrap(step)

    def train(self, count=3):
        return [self.step(X, Y) for _ in range(count)]

    def state(self):
        return state_of(self.model, self.optimizer)


# ---------------------------------------------------------------------- training

OPTIMIZERS = {
    "sgd": lambda params: optim.SGD(params, lr=0.1),
    "momentum": momentum,
    "nesterov": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampening": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "adam": lambda params: optim.Adam(params, lr=0.01),
    "adam, decay": lambda params: optim.Adam(params, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1),
    "adamw": lambda params: optim.AdamW(params, lr=0.01, weight_decay=0.1),
    "rmsprop": lambda params: optim.RMSprop(params, lr=0.01),
    "rmsprop, all": lambda params: optim.RMSprop(params, lr=0.01, momentum=0.5, centered=True, weight_decay=0.1),
    "adagrad": lambda params: optim.Adagrad(params, lr=0.1),
    "adagrad, all": lambda params: optim.Adagrad(
        params, lr=0.1, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.1
    ),
}

ACTIVATIONS = (
    "CELU", "ELU", "GELU", "SELU", "HardSigmoid", "HardSwish", "HardTanh", "LeakyReLU", "LogSigmoid", "LogSoftmax",
    "Mish", "PReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Swish", "Tanh",
    "Tanhshrink", "ThresholdedReLU",
)  # fmt: skip


class Words(nn.Module):
    """An embedding of the signs of the inputs."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(3, 4, padding_idx=0)
        self.flat = nn.Flatten()
        self.out = nn.Linear(12, 2)

    def forward(self, x):
        return self.out(self.flat(self.table((x._array > 0).astype(np.int64) + (x._array > 0.5))))


MODELS = {
    "batch norm": lambda: nn.MLP(3, [5], 2, batch_norm=True),
    "batch norm, cumulative": lambda: nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4, momentum=None), nn.ReLU(), nn.Linear(4, 2)
    ),
    "dropout": lambda: nn.MLP(3, [8], 2, dropout=0.3),
    "dropout and batch norm": lambda: nn.MLP(3, [8, 8], 2, dropout=0.3, batch_norm=True),
    "layer norm": lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2)),
    "embedding": Words,
    "identity, no bias": lambda: nn.Sequential(nn.Identity(), nn.Linear(3, 2, bias=False)),
    "threshold": lambda: nn.Sequential(nn.Linear(3, 4), nn.Threshold(0.1, 0.2), nn.Linear(4, 2)),
}
MODELS |= {
    name: lambda name=name: nn.Sequential(nn.Linear(3, 4), getattr(nn, name)(), nn.Linear(4, 2)) for name in ACTIVATIONS
}

LOSSES = {
    "cross_entropy": (nn.CrossEntropyLoss(), Y),
    "cross_entropy, smooth": (nn.CrossEntropyLoss(label_smoothing=0.1), Y),
    "cross_entropy, some ignored": (nn.CrossEntropyLoss(), np.where(np.arange(8) % 3, Y, -100)),
    "cross_entropy, sum": (nn.CrossEntropyLoss(reduction="sum"), Y),
    "nll": (lambda out, y: tg.nll_loss(tg.log_softmax(out, axis=1), y), Y),
    "mse": (nn.MSELoss(), TARGET),
    "l1": (nn.L1Loss(), TARGET),
    "huber": (nn.HuberLoss(), TARGET),
    "smooth l1": (nn.SmoothL1Loss(), TARGET),
    "hinge": (nn.HingeLoss(), np.sign(TARGET)),
    "bce": (lambda out, y: tg.binary_cross_entropy(tg.sigmoid(out), y), (TARGET > 0).astype(np.float32)),
    "bce with logits": (nn.BCEWithLogitsLoss(), (TARGET > 0).astype(np.float32)),
    "kl": (lambda out, y: tg.kl_div(tg.log_softmax(out, axis=1), y), np.abs(TARGET)),
}


def hundred_steps(world, target=Y):
    """Batches of several sizes, and a learning rate that changes."""
    results = []
    for i in range(100):
        world.optimizer.param_groups[0]["lr"] *= 0.99
        rows = slice(0, 8 - i % 2)
        results.append(world.step(X[rows] * np.float32(1 + i % 5), target[rows]))
    return results, world.state()


@pytest.mark.parametrize("rule", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_hundred_steps_of_each_optimizer(rule):
    check_same(lambda wrap: hundred_steps(World(wrap, rule=rule)))


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_hundred_steps_of_each_layer(make):
    check_same(lambda wrap: hundred_steps(World(wrap, make(), rule=OPTIMIZERS["adam"])))


@pytest.mark.parametrize("loss, target", LOSSES.values(), ids=LOSSES)
def test_hundred_steps_of_each_loss(loss, target):
    check_same(lambda wrap: hundred_steps(World(wrap, rule=OPTIMIZERS["adam"], loss=loss), target))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_training_in_each_dtype(dtype):
    def scenario(wrap):
        world = World(wrap, nn.MLP(3, [4], 2).to(dtype))
        results = [world.step(X.astype(dtype), Y) for _ in range(20)]
        return results, world.state()

    check_same(scenario)


SCHEDULERS = {
    "StepLR": lambda o: optim.lr_scheduler.StepLR(o, 3),
    "MultiStepLR": lambda o: optim.lr_scheduler.MultiStepLR(o, [3, 7]),
    "ExponentialLR": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 10),
    "LinearLR": lambda o: optim.lr_scheduler.LinearLR(o),
    "OneCycleLR": lambda o: optim.lr_scheduler.OneCycleLR(o, max_lr=0.3, total_steps=30),
}


@pytest.mark.parametrize("make", SCHEDULERS.values(), ids=SCHEDULERS)
def test_schedulers_step_between_the_calls(make):
    def scenario(wrap):
        world = World(wrap, rule=OPTIMIZERS["adam"])
        scheduler = make(world.optimizer)
        results = []
        for _ in range(20):
            results.append(world.step(X, Y))
            scheduler.step()
        return results, world.state()

    check_same(scenario)


def test_a_schedule_records_once():
    world = World(tg.compile)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(world.optimizer, 40)
    for _ in range(40):
        world.step(X, Y)
        scheduler.step()
    assert len(world.step.signatures) <= 2  # the first step is one of its own for some rules


SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


@scenario
def clipping(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        return loss, norm

    step = wrap(step)
    return [step(X * np.float32(i), Y) for i in range(20)], world.state()


@scenario
def groups_with_options_of_their_own(wrap):
    def rule(params):
        first, *rest = params
        return optim.Adam([{"params": [first], "lr": 0.5, "betas": (0.5, 0.9)}, {"params": rest, "weight_decay": 0.1}])

    world = World(wrap, rule=rule)
    results = world.train(5)
    world.optimizer.param_groups[1]["lr"] = 0.3
    world.optimizer.param_groups[0]["betas"] = (0.9, 0.99)
    return results, world.train(5), world.state()


@scenario
def options_that_are_whole_numbers_or_switches(wrap):
    world = World(wrap)
    results = []
    changes = ("lr", 1), ("lr", 0.5), ("weight_decay", 0.1), ("nesterov", True), ("weight_decay", 0), ("momentum", 0)
    for key, value in (*changes, ("weight_decay", 1), ("lr", np.float64(0.3)), ("lr", np.float32(0.2))):
        world.optimizer.param_groups[0][key] = value
        if key == "momentum":
            world.optimizer.param_groups[0]["nesterov"] = False
        results += world.train(2)
    return results, world.state()


@scenario
def two_optimizers(wrap):
    tg.manual_seed(3)
    generator, critic = nn.MLP(2, [8], 3), nn.MLP(3, [8], 1)
    of_generator, of_critic = optim.Adam(generator.parameters(), lr=0.01), momentum(critic.parameters())
    real, false = np.ones((8, 1), np.float32), np.zeros((8, 1), np.float32)

    def step(x, noise):
        fake = generator(noise)
        bce = tg.binary_cross_entropy_with_logits
        of_judging = bce(critic(x), real) + bce(critic(fake.detach()), false)
        of_critic.zero_grad()
        of_judging.backward()
        of_critic.step()
        of_faking = bce(critic(fake), real)
        of_generator.zero_grad()
        of_faking.backward()
        of_generator.step()
        return of_judging, of_faking

    step = wrap(step)
    results = [step(X, X[:, :2] + np.float32(i)) for i in range(20)]
    return results, state_of(generator, of_generator), state_of(critic, of_critic)


@scenario
def tied_weights(wrap):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    world = World(wrap, nn.Sequential(first, nn.ReLU(), second, nn.Linear(3, 2)), OPTIMIZERS["adam"])
    return world.train(20), world.state()


@scenario
def frozen_parameters(wrap):
    model = nn.MLP(3, [4], 2)
    model[0].weight.requires_grad = False
    world = World(wrap, model)
    return world.train(20), world.state()


@scenario
def parameters_frozen_between_the_calls(wrap):
    world = World(wrap)
    results = world.train()
    weight = world.model[0].weight
    for wanted in (False, True):
        weight.requires_grad = wanted
        results += world.train()
    return results, world.state()


@scenario
def no_gradient_in_some_calls(wrap):
    world, extra = World(plainly), nn.Linear(3, 2)
    model, optimizer = world.model, world.optimizer
    optimizer.add_param_group({"params": list(extra.parameters()), "lr": 0.3})

    def step(x, y, both):
        out = model(x) + extra(x) if both else model(x)
        loss = tg.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    return [step(X, Y, i % 3 == 0) for i in range(20)], world.state(), state_of(extra)


@scenario
def accumulation_over_calls(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y, last):
        loss = tg.cross_entropy(model(x), y) * 0.5
        loss.backward()
        if last:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    step = wrap(step)
    return [step(X + np.float32(i), Y, i % 3 == 2) for i in range(20)], world.state()


@scenario
def accumulation_in_a_call(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        optimizer.zero_grad()
        for k in range(2):
            loss = tg.cross_entropy(model(x[k::2]), y[k::2])
            loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    return [step(X + np.float32(i), Y) for i in range(20)], world.state()


@scenario
def accumulation_without_end(wrap):
    """Nothing forgets the gradients but the user, now and then."""
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step, results = wrap(step), []
    for i in range(12):
        if i in (4, 5, 9):
            optimizer.zero_grad()
        results.append(step(X, Y))
    return results, world.state()


@scenario
def backward_and_update_apart(wrap):
    results = []
    for first, second in ((wrap, wrap), (plainly, wrap), (wrap, plainly)):
        world = World(plainly)
        model, optimizer = world.model, world.optimizer

        def backward(x, y, model=model):
            loss = tg.cross_entropy(model(x), y)
            loss.backward()
            return loss

        def update(model=model, optimizer=optimizer):
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            nn.utils.clip_grad_value_(model.parameters(), 0.05)
            optimizer.step()
            optimizer.zero_grad()

        backward, update = first(backward), second(update)
        for _ in range(6):
            results += [backward(X, Y), backward(X * 2, Y)]
            update()
        results.append(world.state())
    return results


@scenario
def gradients_read_and_changed(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        squares = [(p.grad.data**2).sum() for p in model.parameters()]
        norm = np.sqrt(sum(squares))
        for p in model.parameters():
            p.grad.data *= np.minimum(1, 0.1 / (norm + 1e-6))
        optimizer.step()
        return loss, norm, squares

    step, results = wrap(step), []
    for i in range(9):
        results.append(step(X, Y))
        for p in model.parameters():
            if i % 3 == 0:
                p.grad.data[...] *= 0.5
            elif i % 3 == 1:
                p.grad = p.grad * 0.25
    return results, world.state()


@scenario
def tensors_that_change_places(wrap):
    a, b = Tensor(np.ones(3, np.float32)), Tensor(np.zeros(3, np.float32))

    def step(x):
        old = a.data.copy()
        a.data = b.data + x[0]
        b.data = old
        return a * 1, b * 1

    step = wrap(step)
    return [bits([step(X), a, b]) for _ in range(4)]


@scenario
def a_moving_average_of_weights(wrap):
    world = World(plainly)
    model, optimizer, mean = world.model, world.optimizer, copy.deepcopy(world.model)

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for p, q in zip(model.parameters(), mean.parameters()):
            q.data *= 0.9
            q.data += p.data * 0.1
        return loss, mean(x)

    step = wrap(step)
    return [step(X, Y) for _ in range(6)], world.state(), state_of(mean)


class Counting(nn.Module):
    """Buffers that are changed in place, replaced, and set to what was computed."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.register_buffer("count", np.zeros(3, np.float32))
        self.register_buffer("last", np.zeros((8, 3), np.float32))

    def forward(self, x):
        self.count += 1
        out = tg.tanh(self.layer(x) + self.last)
        self.last = out.data
        return out * self.count


@scenario
def buffers_of_the_users_own(wrap):
    module = Counting()
    step = wrap(module)
    return [bits([step(X), module.state_dict()]) for _ in range(4)]


@scenario
def a_network_that_is_called_again_and_again(wrap):
    cell = nn.Linear(6, 3)
    optimizer = optim.Adam(cell.parameters(), lr=0.1)

    def step(sequence):
        state = Tensor(np.zeros_like(sequence[0]))
        for x in sequence:
            state = tg.tanh(cell(tg.concatenate([Tensor(x), state], axis=1)))
        loss = tg.mean(state**2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, state

    step, sequence = wrap(step), np.stack([X[:2], X[2:4], X[4:6]])
    return step(sequence), step(sequence * 2), step(sequence[:2]), state_of(cell, optimizer)


@scenario
def a_trainer_of_ones_own(wrap):
    class Trainer:
        def __init__(self):
            self.model = nn.MLP(3, [4], 2)
            self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)
            self.loss = nn.CrossEntropyLoss(label_smoothing=0.1)
            self.mean = Tensor(0.0)
            self.step = wrap(self.one_step)

        def one_step(self, x, y):
            loss = self.loss(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.mean.data = self.mean.data * 0.9 + loss.data * 0.1
            return {"loss": loss, "accuracy": np.mean(np.argmax(self.model(x).data, axis=1) == y)}

    trainer = Trainer()
    results = [trainer.step(X, Y) for _ in range(3)]
    trainer.loss = nn.CrossEntropyLoss()
    results += [trainer.step(X, Y)]
    trainer.loss.label_smoothing = 0.3
    return results, trainer.step(X, Y), trainer.mean, state_of(trainer.model, trainer.optimizer)


@scenario
def models_as_arguments(wrap):
    models = nn.Linear(3, 2), nn.Linear(3, 2)
    optimizers = [optim.Adam(model.parameters(), lr=0.1) for model in models]

    def step(model, optimizer, x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    results = [step(models[i % 2], optimizers[i % 2], X, Y) for i in range(10)]
    return results, [state_of(model, optimizer) for model, optimizer in zip(models, optimizers)]


@scenario
def what_was_read_before_stays(wrap):
    """Arrays that somebody has read from parameters, gradients and buffers after earlier calls."""
    world = World(wrap, nn.MLP(3, [4], 2, batch_norm=True), OPTIMIZERS["adam"])
    held, seen = [], []
    for i in range(5):
        world.step(X * np.float32(i), Y)
        held += [p.grad for p in world.model.parameters()]
        held += [p.data for p in world.model.parameters()] + list(world.model.buffers())
        seen.append(bits(held))
    return seen


@scenario
def randomness_of_many_kinds(wrap):
    def step(x, y):
        draw = tg.random.generator()
        x = x + draw.normal(size=x.shape).astype(x.dtype)
        order = draw.permutation(len(x))
        rows = draw.choice(8, size=4, replace=False)
        return x[order], y[order], X[rows], draw.integers(8, size=3), draw.random(), draw.uniform(-1, 1, (2, 2))

    step = wrap(step)
    return [step(X, Y) for _ in range(4)]


@scenario
def not_a_number_and_infinity(wrap):
    world, bad = World(wrap), X.copy()
    bad[0], bad[1] = np.nan, np.inf
    with np.errstate(all="ignore"):
        results = [world.step(x, Y) for x in (X, X, bad, X, X)]
    return results, world.state()


@scenario
def several_steps_in_a_call(wrap):
    results = []
    for rule in ("sgd", "momentum", "adam", "rmsprop, all", "adagrad, all"):
        world = World(plainly, rule=OPTIMIZERS[rule])
        batches = [(X[:4], Y[:4]), (X[4:], Y[4:]), (X[::2], Y[::2])]

        def epoch(batches, eager=world.eager):
            return [eager(x, y) for x, y in batches]

        epoch = wrap(epoch)
        results += [epoch(batches) for _ in range(4)]
        batches.reverse()
        results += [epoch(batches), world.state()]
    return results


@scenario
def a_gradient_that_is_asked_for(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        first = model[0].weight.grad is None
        loss = tg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss * (2 if first else 1)

    step, results = wrap(step), []
    for i in range(8):
        if i in (3, 6):
            optimizer.zero_grad()
        results.append(step(X, Y))
    return results, world.state()


@scenario
def gradients_set_by_hand(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        for p in model.parameters():
            p.grad = None
        return loss

    step = wrap(step)
    results = [step(X, Y) for _ in range(3)]
    model(X).sum().backward()
    results += [step(X, Y) for _ in range(3)]
    for p in model.parameters():
        p.grad = Tensor(np.ones(p.shape, np.float32))
    return results, [step(X, Y) for _ in range(3)], world.state()


@scenario
def updates_by_hand(wrap):
    results = []
    for kind in ("subtract", "assign", "no_grad"):
        w = Tensor(np.full((3, 2), 0.1, np.float32), requires_grad=True)

        def step(x, y, lr, w=w, kind=kind):
            w.grad = None
            loss = tg.cross_entropy(tg.matmul(x, w), y)
            loss.backward()
            if kind == "subtract":
                w.data -= lr * w.grad.data
            elif kind == "assign":
                w.data = w.data - lr * w.grad.data
            else:
                with tg.no_grad():
                    w -= lr * w.grad
            return loss

        step = wrap(step)
        results.append([step(X, Y, 0.1 / (i + 1)) for i in range(20)])
        results.append([w, w.grad])
    return results


@scenario
def learning_rate_read_by_hand(wrap):
    world = World(plainly)
    model, optimizer = world.model, world.optimizer

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        lr = optimizer.param_groups[0]["lr"]
        for p in model.parameters():
            p.data -= lr * p.grad.data
        return loss

    step, results = wrap(step), []
    for lr in (0.1, 0.5, 0.1, 1):
        optimizer.param_groups[0]["lr"] = lr
        results += [step(X, Y) for _ in range(3)]
    return results, world.state()


@scenario
def scalars_and_plain_tensors(wrap):
    count, scale = Tensor(0.0), Tensor(2.0, requires_grad=True)

    def step(x):
        count.data += 1
        scale.grad = None
        out = (scale * x * count).sum()
        out.backward()
        scale.data -= 0.01 * scale.grad.data
        return out, scale.grad

    step = wrap(step)
    return [step(X) for _ in range(5)], count, scale


@scenario
def hooks_that_change_gradients(wrap):
    world, factor = World(wrap), 0.5
    weight = world.model[0].weight
    handle = weight.register_hook(lambda grad: grad * factor)
    results = world.train()
    factor = 2.0
    results += world.train()
    handle.remove()
    results += world.train()
    weight.register_hook(lambda grad: grad * 3)
    return results, world.train(), world.state()


@scenario
def forward_hooks(wrap):
    layer, factor = nn.Linear(3, 2), 0.5
    step = wrap(layer)
    results = [step(X)]
    handle = layer.register_forward_hook(lambda module, args, output: output * factor)
    results += [step(X)]
    factor = 2.0
    results += [step(X)]
    handle.remove()
    return results, step(X)


@scenario
def gradient_penalty(wrap):
    critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = optim.Adam(critic.parameters(), lr=0.01)

    def step(x):
        points = Tensor(x, requires_grad=True)
        out = critic(points)
        (slope,) = tg.grad(out.sum(), [points], create_graph=True)
        loss = tg.mean((tg.sum(slope * slope, axis=1) - 1) ** 2) + tg.mean(out)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    return [step(X) for _ in range(20)], state_of(critic, optimizer)


@scenario
def a_penalty_that_is_added_as_it_is(wrap):
    w = Tensor(np.ones((3, 1), np.float32), requires_grad=True)

    def step(x):
        w.grad = None
        loss = tg.mean(tg.matmul(x, w)) + tg.sum(w)
        loss.backward()
        return loss, w.grad

    step = wrap(step)
    return [step(X), step(X + 1)]


@scenario
def numpy_functions_and_indices(wrap):
    w = Tensor(np.ones((3, 2), np.float32), requires_grad=True)

    def step(x, rows):
        w.grad = None
        loss = tg.sum(tg.einsum("ij,jk->ik", x, w)[rows] ** 2) + np.sum(np.tanh(w)) + tg.sum(x[rows] @ w)
        loss.backward()
        return loss, w.grad

    step = wrap(step)
    return [step(X + np.float32(i), np.array([i % 8, 0, 0])) for i in range(5)]


# ---------------------------------------------------------------------- what happens between the calls


@scenario
def eager_calls_in_between(wrap):
    world = World(wrap, nn.MLP(3, [4], 2, dropout=0.2, batch_norm=True), OPTIMIZERS["adamw"])
    results = []
    for i in range(30):
        rows = 4 + i % 2 * 4
        results.append((world.step if i % 3 else world.eager)(X[:rows], Y[:rows]))
    return results, world.state()


@scenario
def states_loaded_in_between(wrap):
    results = []
    for rule in ("momentum", "adam"):
        world = World(wrap, nn.MLP(3, [4], 2, batch_norm=True), OPTIMIZERS[rule])
        results += world.train()
        of_model, of_optimizer = world.model.state_dict(), copy.deepcopy(world.optimizer.state_dict())
        results += world.train()
        world.model.load_state_dict(of_model)
        results += world.train(1)
        world.optimizer.load_state_dict(of_optimizer)
        results += [*world.train(), world.state()]
    return results


def test_files_read_in_between(tmp_path):
    def scenario(wrap):
        world, path = World(wrap, nn.MLP(3, [4], 2, batch_norm=True), OPTIMIZERS["adam"]), tmp_path / "state.npz"
        results = world.train()
        tg.save(path, {"model": world.model.state_dict(), "optimizer": world.optimizer.state_dict()})
        results += world.train()
        kept = tg.load(path)
        world.model.load_state_dict(kept["model"])
        world.optimizer.load_state_dict(kept["optimizer"])
        return results, world.train(), world.state()

    check_same(scenario)


def test_loading_a_state_does_not_record_again_and_again():
    world = World(tg.compile)
    world.train()
    kept = copy.deepcopy(world.optimizer.state_dict())
    for _ in range(40):
        world.optimizer.load_state_dict(kept)
        world.model.load_state_dict(world.model.state_dict())
        world.train(1)
    assert len(world.step.signatures) <= 3


@scenario
def data_assigned_in_between(wrap):
    world = World(wrap)
    results = world.train()
    for p in world.model.parameters():
        p.data = p.data * 0.5
    results += world.train()
    for p in world.model.parameters():
        p.data = np.asfortranarray(p.data)
    results += world.train()
    for p in world.model.parameters():
        p.data *= 2
    return results, world.train(), world.state()


@scenario
def another_dtype_in_between(wrap):
    world = World(wrap)
    results = world.train()
    for dtype in (np.float64, np.float32):
        world.model.to(dtype)
        results += [world.step(X.astype(dtype), Y) for _ in range(3)]
    return results, world.state()


@scenario
def modes_in_between(wrap):
    model = nn.MLP(3, [8], 2, dropout=0.3, batch_norm=True)
    world, predict, results = World(wrap, model), wrap(model), []
    for _ in range(4):
        results += [*world.train(2), predict(X)]
        model.eval()
        results += [predict(X), *world.train(1)]
        model.train()
    return results, world.state()


@scenario
def modes_set_in_the_step(wrap):
    model = nn.MLP(3, [4], 2, dropout=0.3, batch_norm=True)
    optimizer = momentum(model.parameters())

    def step(x, y):
        model.train()
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def evaluate(x):
        model.eval()
        out = model(x)
        model.train()
        return out

    step, evaluate, results = wrap(step), wrap(evaluate), []
    for i in range(40):
        results += [step(X, Y), model.training, evaluate(X), model.training]
        if i % 2:
            model.eval()
            results += [model(X)]
    return results, state_of(model, optimizer)


@scenario
def modes_left_by_the_step(wrap):
    model = nn.Dropout(0.5)

    def step(x):
        model.train()
        out = model(x)
        model.eval()
        return out

    step, results = wrap(step), []
    for i in range(4):
        model.train(i % 2 == 0)
        results += [step(X), model.training, model(X)]
    return results


@scenario
def a_second_optimizer(wrap):
    world = World(wrap)
    results = world.train()
    second = optim.Adam(world.model.parameters(), lr=0.01)
    results += world.train()
    for _ in range(3):
        loss = tg.cross_entropy(world.model(X), Y)
        second.zero_grad()
        loss.backward()
        second.step()
        results += [loss, *world.train(1)]
    return results, world.state(), state_of(world.model, second)


@scenario
def two_steps_that_share_parameters(wrap):
    model, results = nn.MLP(3, [4], 2), []
    first, second = World(wrap, model), World(wrap, model, OPTIMIZERS["adam"])
    for _ in range(5):
        results += [first.step(X, Y), second.step(X, Y)]
    return results, first.state(), second.state()


@scenario
def models_and_optimizers_replaced(wrap):
    model = nn.MLP(3, [4], 2)
    optimizer = momentum(model.parameters())

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    results = [step(X, Y) for _ in range(3)]
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    results += [step(X, Y) for _ in range(3)]
    model[0].weight = nn.Parameter(np.ones((4, 3)))
    results += [step(X, Y) for _ in range(3)]
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    return results, [step(X, Y) for _ in range(3)], state_of(model, optimizer)


@scenario
def modules_changed_in_between(wrap):
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    step = wrap(model)
    results = [step(X)]
    model[1].p = 0.1
    results += [step(X)]
    model.append(nn.Linear(3, 2))
    return results, step(X)


@scenario
def a_group_added_in_between(wrap):
    world = World(wrap)
    results = world.train()
    world.optimizer.add_param_group({"params": [nn.Parameter(np.ones(2))]})
    return results, world.train(), world.state()


@scenario
def random_numbers_in_a_block_around_the_call(wrap):
    drop = nn.Dropout(0.5)
    step = wrap(lambda x: drop(x) * tg.random.generator().random())
    results = []
    for seed in (3, 3, 4):
        with tg.random.seeded(seed):
            results += [step(X), step(X)]
        results.append(step(X))
    return results


def with_a_parameter_more(wrap, add, function=None):
    """A parameter that the loss has known from the first call on comes to the optimizer later."""
    first, second = nn.Parameter([1.0, 2.0]), nn.Parameter([3.0])
    optimizer = optim.SGD([first], lr=0.1)

    def step(x):
        loss = (first * x).sum() * second.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(function(first, second, optimizer) if function else step)
    x = np.ones(2, np.float32)
    results = [step(x) for _ in range(3)]
    add(optimizer, second)
    results += [step(x) for _ in range(3)]
    return results, first, second, first.grad, second.grad


@scenario
def a_group_of_one_parameter_added_in_between(wrap):
    return with_a_parameter_more(wrap, lambda optimizer, p: optimizer.add_param_group({"params": [p], "lr": 0.2}))


@scenario
def a_parameter_appended_to_a_group(wrap):
    return with_a_parameter_more(wrap, lambda optimizer, p: optimizer.param_groups[0]["params"].append(p))


@scenario
def a_group_replaced_by_another(wrap):
    def replace(optimizer, p):
        optimizer.param_groups[0] = {**optimizer.param_groups[0], "lr": 0.5}

    return with_a_parameter_more(wrap, replace)


@scenario
def a_group_added_where_only_gradients_are_forgotten(wrap):
    def forget_and_go_back(first, second, optimizer):
        def step(x):
            optimizer.zero_grad()
            loss = (first * x).sum() * second.sum()
            loss.backward()
            return loss

        return step

    add = lambda optimizer, p: optimizer.add_param_group({"params": [p]})
    return with_a_parameter_more(wrap, add, forget_and_go_back)


@scenario
def copies_and_pickles(wrap):
    world = World(wrap, nn.MLP(3, [4], 2, batch_norm=True))
    results = world.train()
    copied = copy.deepcopy(world.model)
    results += [*world.train(), state_of(copied)]
    again, optimizer = pickle.loads(pickle.dumps((world.model, world.optimizer)))
    return results, world.train(), world.state(), state_of(again, optimizer)


@scenario
def seeds_in_between(wrap):
    model = nn.Dropout(0.5)
    step = wrap(model)
    results = [step(X), step(X)]
    tg.manual_seed(7)
    results += [step(X), nn.Dropout(0.3)(X), step(X)]
    before = tg.random.generator().bit_generator.state
    results += [step(X)]
    tg.random.generator().bit_generator.state = before
    return results, step(X)


@scenario
def the_packages_generator(wrap):
    step = wrap(lambda x: x * tg.random.generator().normal(size=3) + tg.random.generator().random())
    return [step(X) for _ in range(3)]


@scenario
def default_dtype_in_between(wrap):
    step = wrap(lambda x: Tensor([1.0, 2.0, 3.0]) * x)
    results = [step(X)]
    tg.set_default_dtype("float64")
    try:
        results += [step(X)]
    finally:
        tg.set_default_dtype("float32")
    return results, step(X)


@scenario
def inference(wrap):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.MLP(3, [4], 2, dropout=0.3, batch_norm=True)

        def forward(self, x, scale=1.0):
            return {"out": self.inner(x) * scale, "rest": [x, None]}

    results = []
    for model in (Mine(), nn.Sequential(nn.Linear(3, 2)), nn.BatchNorm1d(3), lambda x: tg.tanh(Tensor(x) * 2)):
        predict = wrap(model)
        for training in (True, False, True):
            if isinstance(model, nn.Module):
                model.train(training)
            with tg.no_grad():
                results += [predict(X)]
            results += [predict(X), predict(X[:3]), predict(X[:1] + 1) if not training else None]
        if isinstance(model, Mine):
            results += [predict(X, scale=2.0), predict(X, 3.0), predict(x=X)]
    return results


# ---------------------------------------------------------------------- arguments


@scenario
def arguments_of_many_kinds(wrap):
    step = wrap(lambda x, *, y, k=2: x * y * k)
    results = [step(X, y=X), step(x=X, y=X), step(y=X, x=X, k=3.0), step(X, y=2.0), step(X, y=3.0, k=2)]
    step = wrap(lambda d, items: d["a"] * items[0] + items[1][0])
    results += [step({"a": X}, [X, (X,)]), step({"a": X + 1}, [X, (X,)]), step({"b": 1, "a": X}, [X, (2.0,)])]
    step = wrap(lambda d: d["a"] - d["b"])
    results += [step({"a": X, "b": X * 2}), step({"b": X * 2, "a": X}), step({"b": X, "a": X * 3})]
    step = wrap(lambda x, n: x * n)
    results += [step(X, n) for n in (10**6, 2 * 10**6, True, 1, 1.0, np.True_, 2 + 1j, 2 + 2j)]
    step = wrap(lambda x, how=None: x if how is None else x.sum(axis=0) if how == "sum" else x * 2)
    return results, [step(X), step(X, "sum"), step(X, "twice"), step(X, None), step(X, how="sum")]


@scenario
def arrays_of_many_layouts(wrap):
    table = np.arange(36, dtype=np.float32).reshape(6, 6) / 7
    locked = table.copy()
    locked.flags.writeable = False
    step = wrap(lambda x: ((x * 2).sum(axis=0), Tensor(x) @ x.T))
    arrays = table, table.T, table[::2], table[:, ::2], table[::-1], np.asfortranarray(table), locked
    return [step(x) for x in (*arrays, np.broadcast_to(table[0], (6, 6)), table.astype(">f4"), table.astype(int))]


@scenario
def small_arrays(wrap):
    step = wrap(lambda x: Tensor(x) * 2 + x)
    results = [step(x) for x in (np.array(2.0), np.array(3.0), Tensor(2.0), Tensor(3.0), Tensor(np.array(4.0)))]
    step = wrap(lambda x: Tensor(x).sum() * 2)
    return results, [step(X[:0]), step(X[:0]), step(X[:1])]


@scenario
def tensors_beside_arrays(wrap):
    def function(x):
        t = Tensor(x)
        return x + t, x * 2 - t, np.add(x, t), x @ t.T, x < t, x / np.float32(2) + t[0], np.matmul(x, t.T)

    step = wrap(function)
    return step(X), step(X + 1)


@scenario
def arguments_that_overlap(wrap):
    w = Tensor(np.ones((8, 3), np.float32), requires_grad=True)

    def function(x, y):
        w.data -= 0.1 * x
        return x.sum(), (x * 2 + y).sum()

    step = wrap(function)
    return [step(X, X), step(X, X + 1), step(w.data, X), step(w.data, w.data), step(X, w.data[::-1]), w]


@scenario
def floats_that_change(wrap):
    def function(x, a):
        low = x * 2 if a > 1 else x * 3
        return low + a, x * math.exp(a), x[: int(a) + 1] * max(a, 2.0), x * (2**a - -a // 1 + abs(a) + a % 1), a

    step = wrap(function)
    return [step(X, a) for a in (0.5, 2.0, 0.7, 1.5, -0.0, 0.0)]


@scenario
def floats_as_python_has_them(wrap):
    def function(x, a):
        known = isinstance(a, float)
        return x * round(a), x * divmod(a, 2)[1], x * +a, x * a.is_integer(), known, f"{a:.1f}", Tensor([a, 2 * a])

    step = wrap(function)
    return [step(X, a) for a in (1.5, 2.6, -1.0, 2.0)]


@scenario
def numbers_of_numpy(wrap):
    step, results = wrap(lambda x, a: x * a), []
    for kind in (np.float64, np.float32, np.int64):
        results += [step(X, kind(i)) for i in range(40)]
    return results


@scenario
def lists_as_data(wrap):
    step = wrap(lambda x: Tensor(x) * 2)
    return step([1.0, 2.0]), step([3.0, 4.0]), step([[1, 2], [3, 4]]), step([[1, 2], [3, 5]])


@scenario
def kinds_of_arrays(wrap):
    def function(x):
        return x * 2 if isinstance(x, np.ndarray) else x * 3

    step = wrap(function)
    return step(X), step(Tensor(X))


@scenario
def results_of_many_kinds(wrap):
    layer = nn.Linear(3, 3)

    def function(x):
        out = layer(x)
        return out, {"a": [layer.weight, None, (x,)], "x": x.T}, x[0], layer.bias.T, 3, "text", None, layer.weight.data

    step = wrap(function)
    return step(X), step(X + 1)


@scenario
def no_result(wrap):
    layer = nn.BatchNorm1d(3)

    def function(x):
        layer(x)

    step = wrap(function)
    return step(X), step(X), layer.state_dict()


def test_arguments_are_not_changed_and_results_are_the_callers():
    layer = nn.Linear(3, 3)

    def function(x):
        return layer(x), layer.weight, x, x.T, [x[0], layer.bias.data], layer.weight.T, np.tanh(x)

    step, given, weight = tg.compile(function), X.copy(), layer.state_dict()
    first = step(given)
    wanted = bits(first)
    second = step(given)
    assert bits(second) == wanted
    step(given + 1)
    assert bits(first) == bits(second) == wanted
    flat = [*second[:4], *second[4], *second[5:]]
    arrays = [result.data if isinstance(result, Tensor) else result for result in flat]
    for i, array in enumerate(arrays):
        assert not np.shares_memory(array, given)
        assert not np.shares_memory(array, layer.weight.data)
        assert not any(np.shares_memory(array, other) for other in arrays[:i])
        array[...] = 7
    assert bits(given) == bits(X)
    assert bits(layer.state_dict()) == bits(weight)
    assert bits(step(given)) == wanted


def test_results_are_detached():
    out = tg.compile(nn.Linear(3, 2))(X)
    assert not out.requires_grad
    assert tg.compile(lambda x: x)(X) is not X


# ---------------------------------------------------------------------- nothing is frozen in silence


class Plain:
    """Something to keep attributes on."""


@dataclasses.dataclass
class Options:
    alpha: float = 0.5


class Slotted:
    __slots__ = ("alpha",)


class Callable:
    def __init__(self):
        self.alpha = 0.5

    def __call__(self, x):
        return x * self.alpha

    def __getitem__(self, key):
        return self.alpha


class Trainer:
    factor = 0.5

    def __init__(self):
        self.beta = 0.5
        self.inner = Options()

    @property
    def doubled(self):
        return self.beta * 2

    def scale(self):
        return self.beta * self.inner.alpha

    def step(self, x):
        return x * self.scale() * self.factor * self.doubled

    @classmethod
    def of_class(cls, x):
        return x * cls.factor


class Heir(Trainer):
    def step(self, x):
        return super().step(x) + 1


ALPHA = 0.5


def with_alpha(x):
    return x * ALPHA


def check_seen(function, change, *arguments):
    """The function gives the same as itself before the change, after it, and with compiled code in between."""
    arguments = arguments or (X,)
    step = tg.compile(function)
    assert bits(step(*arguments)) == bits(function(*arguments))
    assert bits(step(*arguments)) == bits(function(*arguments))
    before = bits(function(*arguments))
    change()
    assert bits(function(*arguments)) != before  # else there would be nothing to see
    assert bits(step(*arguments)) == bits(function(*arguments))


def check_seen_or_refused(function, change, *arguments):
    """For what is handed on as a whole: it is seen, or the first call is refused."""
    try:
        tg.compile(function)(*(arguments or (X,)))
    except CannotCompile:
        return
    check_seen(function, change, *arguments)


def changed(thing, name="alpha", value=2.0):
    return lambda: setattr(thing, name, value)


def test_a_global_is_seen(monkeypatch):
    check_seen(with_alpha, lambda: monkeypatch.setitem(globals(), "ALPHA", 2.0))


def test_a_global_behind_a_function_is_seen(monkeypatch):
    check_seen(lambda x: with_alpha(x) + 1, lambda: monkeypatch.setitem(globals(), "ALPHA", 2.0))


def test_a_global_by_its_text_is_refused():
    with pytest.raises(CannotCompile, match=r"globals\(\) is called"):
        tg.compile(lambda x: x * globals()["ALPHA"])(X)


def test_a_replaced_function_is_seen(monkeypatch):
    check_seen(lambda x: with_alpha(x), lambda: monkeypatch.setitem(globals(), "with_alpha", lambda x: x * 7))


@pytest.mark.parametrize("make", [Options, Plain, Slotted, Callable, types.SimpleNamespace])
def test_an_attribute_is_seen(make):
    thing = make()
    thing.alpha = 0.5
    check_seen_or_refused(lambda x: x * thing.alpha, changed(thing))
    check_seen_or_refused(lambda x: x * getattr(thing, "alpha"), changed(thing, value=3.0))  # noqa: B009


def test_attributes_far_down_are_seen():
    thing = inner = Plain()
    for _ in range(4):
        inner.a = Plain()
        inner = inner.a
    inner.alpha = 0.5
    check_seen(lambda x: x * thing.a.a.a.a.alpha, changed(inner))


def test_attributes_with_names_that_are_made_up_are_seen():
    thing = Plain()
    thing.alpha0, first = 0.5, 0
    check_seen_or_refused(lambda x: x * getattr(thing, f"alpha{first}"), changed(thing, "alpha0"))


def test_attributes_of_functions_are_seen():
    def function(x):
        return x * function.alpha

    function.alpha = 0.5
    check_seen(function, changed(function))


@pytest.mark.parametrize("kind", [Trainer, Heir])
@pytest.mark.parametrize("name", ["beta", "factor", "inner"])
def test_attributes_of_self_are_seen(kind, name):
    trainer = kind()
    check_seen(trainer.step, changed(trainer, name, 2.0 if name != "inner" else Options(3.0)))
    trainer = kind()
    check_seen(lambda x: trainer.step(x), changed(trainer, name, 2.0 if name != "inner" else Options(3.0)))


def test_attributes_of_what_self_holds_are_seen():
    trainer = Trainer()
    check_seen(trainer.step, changed(trainer.inner))


@pytest.mark.parametrize("function", [lambda x: Trainer().step(x), Trainer.of_class, lambda x: x * Trainer.factor])
def test_attributes_of_classes_are_seen(function, monkeypatch):
    check_seen(function, lambda: monkeypatch.setattr(Trainer, "factor", 2.0))


def test_a_method_that_is_replaced_is_seen(monkeypatch):
    check_seen(Trainer().step, lambda: monkeypatch.setattr(Trainer, "scale", lambda self: 7.0))


@pytest.mark.parametrize("function", [lambda thing: thing, lambda thing: lambda x: thing(x) + 1])
def test_callable_objects_are_seen(function):
    thing = Callable()
    check_seen_or_refused(function(thing), changed(thing))


def test_objects_with_operators_are_seen():
    thing = Callable()
    check_seen_or_refused(lambda x: x * thing["a"], changed(thing))


@pytest.mark.parametrize(
    "held",
    [[0.5], {0: 0.5}, collections.OrderedDict({0: 0.5}), collections.deque([0.5]), collections.UserDict({0: 0.5})],
    ids=lambda held: type(held).__name__,
)
def test_what_containers_hold_is_seen(held):
    def change():
        held[0] = 2.0

    check_seen_or_refused(lambda x: x * held[0], change)


@pytest.mark.parametrize("held", [[Options()], {0: Options()}, ([Options()],)], ids=["list", "dict", "nested"])
def test_objects_in_containers_are_seen(held):
    inner = held[0][0] if isinstance(held, tuple) else held[0]
    check_seen_or_refused(lambda x: x * (held[0][0] if isinstance(held, tuple) else held[0]).alpha, changed(inner))


@pytest.mark.parametrize("kind", [list, dict])
def test_functions_in_containers_are_seen(kind):
    alpha = 0.5
    held = [lambda x: x * alpha] if kind is list else {0: lambda x: x * alpha}

    def change():
        nonlocal alpha
        alpha = 2.0

    check_seen_or_refused(lambda x: held[0](x), change)


def test_a_set_that_grows_is_seen():
    held = {1}
    check_seen_or_refused(lambda x: x * len(held), lambda: held.add(2))


def test_equal_numbers_of_other_types_are_others():
    held = {"a": 1}
    whole = np.arange(3)
    step = tg.compile(lambda x: x * held["a"])
    for value in (1, 1.0, True, 1, np.float32(1)):
        held["a"] = value
        assert bits(step(whole)) == bits(whole * value)
    value = 0.0
    step = tg.compile(lambda x: x * value)
    assert bits(step(X)) == bits(X * value)
    value = -0.0
    assert bits(step(X)) == bits(X * value)


def test_not_a_number_is_no_reason_to_record_again():
    value = math.nan
    step = tg.compile(lambda x: x * value)
    for _ in range(40):
        value = float("nan")
        step(X)
    assert len(step.signatures) == 1


def test_an_object_in_the_place_of_another_is_seen():
    def times(k):
        return lambda x: x * k

    held = types.SimpleNamespace(f=times(0.5))
    step = tg.compile(lambda x: held.f(x))
    step(X)
    for k in range(8):
        del held.f  # so that the next may get its address
        held.f = times(float(k))
        assert bits(step(X)) == bits(X * float(k))


@pytest.mark.parametrize("default", [{"a": 0.5}, [0.5], Options()], ids=["dict", "list", "object"])
@pytest.mark.parametrize("keyword", [False, True], ids=["positional", "keyword"])
def test_defaults_are_seen(default, keyword):
    def value():
        return default.alpha if isinstance(default, Options) else next(iter(default.values()), 0)

    default = {"a": default[0]} if isinstance(default, list) else copy.copy(default)

    if keyword:

        def function(x, *, options=default):
            return x * (options.alpha if isinstance(options, Options) else options["a"])

    else:

        def function(x, options=default):
            return x * (options.alpha if isinstance(options, Options) else options["a"])

    def change():
        if isinstance(default, Options):
            default.alpha = 2.0
        else:
            default["a"] = 2.0

    check_seen_or_refused(function, change)


def test_what_is_behind_partial_is_seen():
    options, alpha = {"a": 0.5}, 0.5

    def function(given, x):
        return x * given["a"] * alpha

    def change():
        options["a"] = 2.0

    def change_alpha():
        nonlocal alpha
        alpha = 3.0

    part = functools.partial(function, options)
    check_seen(part, change)
    check_seen(lambda x: part(x), change_alpha)


def test_what_a_wrapped_function_names_is_seen():
    alpha = 0.5

    def twice(function):
        @functools.wraps(function)
        def inner(x):
            return function(x) * 2 * alpha

        return inner

    @twice
    def function(x):
        return x * alpha

    def change():
        nonlocal alpha
        alpha = 3.0

    check_seen(function, change)


def test_a_compiled_function_inside_is_seen():
    alpha = 0.5
    inner = tg.compile(lambda x: x * alpha)

    def change():
        nonlocal alpha
        alpha = 2.0

    check_seen(lambda x: inner(x) + 1, change)


@pytest.mark.parametrize("from_file", [True, False])
def test_modules_of_the_user_are_seen(from_file, tmp_path):
    module, text = types.ModuleType("settings"), "alpha = 0.5\ndef scaled(x):\n    return x * alpha"
    if from_file:
        module.__file__ = str(tmp_path / "settings.py")
    exec(text, module.__dict__)
    check_seen(lambda x: x * module.alpha, changed(module))
    check_seen(lambda x: module.scaled(x), changed(module, value=3.0))


@pytest.mark.parametrize("make", [Options, Callable, lambda: [0.5], lambda: {0: 0.5}, lambda: {0.5}])
def test_what_arguments_hold_is_seen(make):
    thing = make()

    def function(x, thing):
        if hasattr(thing, "alpha"):
            return x * thing.alpha
        return x * len(thing) if isinstance(thing, set) else x * thing[0]

    def change():
        if isinstance(thing, set):
            thing.add(2.0)
        elif hasattr(thing, "alpha"):
            thing.alpha = 2.0
        else:
            thing[0] = 2.0

    check_seen_or_refused(function, change, X, thing)


def test_what_a_function_as_argument_names_is_seen():
    alpha = 0.5

    def change():
        nonlocal alpha
        alpha = 2.0

    check_seen(lambda x, function: function(x), change, X, lambda x: x * alpha)


@pytest.mark.parametrize("kind", ["namedtuple", "object"])
def test_batches_that_are_objects(kind):
    batch_of = collections.namedtuple("Batch", "x y") if kind == "namedtuple" else types.SimpleNamespace

    @check_same_or_refused
    def _(wrap):
        step = wrap(lambda batch: batch.x * batch.y)
        results = [step(batch_of(x=X + i, y=X)) for i in range(40)]
        if kind == "object":
            batch = batch_of(x=X, y=X)
            results.append(step(batch))
            batch.x = X + 1
            results.append(step(batch))
        return results


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.alpha = 0.5
        self.options = {"a": 1.0}
        self.numbers = [1.0]
        self.thing = Options()
        self.table = np.array([0.5, 1.0])

    def helper(self, x):
        return x * ALPHA * self.alpha

    def forward(self, x):
        return self.helper(self.layer(x)) * self.options["a"] * self.numbers[0] * self.thing.alpha * self.table[0]

    def encode(self, x):
        return self.forward(x)


def a_number(scaled):
    scaled.alpha = 2.0


def an_entry(scaled):
    scaled.options["a"] = 2.0


def an_item(scaled):
    scaled.numbers[0] = 2.0


def an_object(scaled):
    scaled.thing.alpha = 2.0


def an_element(scaled):
    scaled.table[0] = 2.0


def an_array(scaled):
    scaled.table = np.array([3.0, 1.0])


def a_layer(scaled):
    scaled.layer = nn.Linear(3, 2)


def a_past_attribute(scaled):
    vars(scaled)["alpha"] = 7.0


@pytest.mark.parametrize("how", [lambda m: m, lambda m: m.encode, lambda m: lambda x: m(x), lambda m: m.helper])
@pytest.mark.parametrize(
    "change", [a_number, an_entry, an_item, an_object, an_element, an_array, a_layer, a_past_attribute]
)
def test_attributes_of_modules_are_seen(how, change):
    @check_same_or_refused
    def _(wrap):
        scaled = Scaled()
        step = wrap(how(scaled))
        results = [step(X[:, :2]) if how(scaled) == scaled.helper else step(X)]
        change(scaled)
        return [*results, step(X[:, :2]) if how(scaled) == scaled.helper else step(X)]


def test_a_number_of_a_module_is_no_reason_to_refuse():
    scaled = nn.Dropout(0.5)
    step = tg.compile(scaled)
    step(X)
    scaled.p = 0.0
    assert bits(step(X)) == bits(X)


def test_a_mode_that_is_asked_for_is_seen():
    layer = nn.Linear(3, 2)
    check_seen(lambda x: x * 2 if layer.training else x * 3, layer.eval)


def test_buffers_of_modules_that_are_not_called_are_seen():
    layer = nn.BatchNorm1d(3)
    check_seen(lambda x: Tensor(x) * layer.running_mean, lambda: layer(X + 1))

    @check_same_or_refused
    def _(wrap):
        layer = nn.BatchNorm1d(3)

        def function(x):
            scale = layer.running_var.mean()
            return layer(x) * scale

        step = wrap(function)
        return [step(X) for _ in range(4)], layer.state_dict()


class Trusting(optim.Optimizer):
    """A rule with something of its own to change."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.trust = 0.5

    def update(self, flat, options):
        flat.theta -= options["lr"] * self.trust * ALPHA * flat.grad


def test_attributes_of_optimizers_are_seen(monkeypatch):
    @check_same
    def _(wrap):
        world = World(wrap, rule=Trusting)
        results = world.train()
        world.optimizer.trust = 2.0
        results += world.train()
        monkeypatch.setitem(globals(), "ALPHA", 3.0)
        results += world.train()
        monkeypatch.undo()
        return results, world.state()


def test_schedulers_are_seen():
    world = World(plainly)
    scheduler = optim.lr_scheduler.ExponentialLR(world.optimizer, 0.5)

    def advance():
        world.step(X, Y)
        scheduler.step()

    check_seen_or_refused(lambda x: x * scheduler.get_last_lr()[0], advance)


ARRAY_USES = {
    "the array": lambda x, a: x * a,
    "a view": lambda x, a: x[:, 1:] * a[1:],
    "an element": lambda x, a: x * a[0],
    "a method": lambda x, a: x * a.mean(),
    "a function": lambda x, a: x * np.max(a),
    "a new array": lambda x, a: x * (a + 1),
    "an array of a list": lambda x, a: x * np.stack([a, a])[0],
    "a Python number": lambda x, a: x * float(a[0]),
    "an item": lambda x, a: x * a[0].item(),
    "a branch": lambda x, a: x * 2 if a[0] < 1 else x * 3,
    "all in a list": lambda x, a: x * a.tolist()[0],
    "a Tensor of it": lambda x, a: x * Tensor(a).data[0],
    "how many": lambda x, a: x * np.count_nonzero(a > 1),
}


SOME_USES = "the array", "an element", "a method", "a branch"


def on(holder, kept):
    holder.array = kept
    return holder


@dataclasses.dataclass(frozen=True)
class Frozen:
    array: np.ndarray


class FrozenSlots:
    __slots__ = ("array",)

    def __init__(self, array):
        object.__setattr__(self, "array", array)

    def __setattr__(self, name, value):
        raise AttributeError(name)


Pair = collections.namedtuple("Pair", "array, rest")


def in_attribute(make):
    """Uses of the attribute ``array`` of what ``make`` makes of the array."""

    def function_of(use, kept):
        holder = make(kept)
        return lambda x: use(x, holder.array)

    return function_of


def in_item(make):
    """Uses of the first item of what ``make`` makes of the array."""

    def function_of(use, kept):
        items = make(kept)
        return lambda x: use(x, items[0])

    return function_of


def in_default(use, kept):
    def function(x, array=kept):
        return use(x, array)

    return function


def in_keyword_default(use, kept):
    def function(x, *, array=kept):
        return use(x, array)

    return function


class Subclass(np.ndarray):
    pass


PLACES = {
    "closure": lambda use, kept: lambda x: use(x, kept),
    "object": in_attribute(lambda kept: on(Plain(), kept)),
    "frozen dataclass": in_attribute(Frozen),
    "frozen slots": in_attribute(FrozenSlots),
    "module": in_attribute(lambda kept: on(nn.Identity(), kept)),
    "class": in_attribute(lambda kept: type("Holder", (), {"array": kept})),
    "object of a class": in_attribute(lambda kept: type("Holder", (), {"array": kept})()),
    "namedtuple": in_attribute(lambda kept: Pair(kept, 1)),
    "list": in_item(lambda kept: [kept]),
    "dict": in_item(lambda kept: {0: kept}),
    "tuple": in_item(lambda kept: (kept, 1)),
    "deque": in_item(lambda kept: collections.deque([kept])),
    "tuple on an object": lambda use, kept: in_attribute(lambda kept: on(Plain(), (kept, 1)))(
        lambda x, a: use(x, a[0]), kept
    ),
    "default": in_default,
    "keyword default": in_keyword_default,
    "partial": lambda use, kept: functools.partial(lambda array, x: use(x, array), kept),
    "partial, keyword": lambda use, kept: functools.partial(lambda x, array: use(x, array), array=kept),
    "subclass": lambda use, kept: (lambda array: lambda x: np.array(use(x, array)))(kept.view(Subclass)),
}


@pytest.mark.parametrize("use", [ARRAY_USES[name] for name in SOME_USES], ids=SOME_USES)
@pytest.mark.parametrize("make", PLACES.values(), ids=PLACES)
def test_arrays_outside_are_seen(use, make):
    @check_same_or_refused
    def _(wrap):
        kept = np.array([0.5, 1.0, 2.0], np.float32)
        step = wrap(make(use, kept))
        results = [bits(step(X))]
        kept[0] = 2.0
        results.append(bits(step(X)))
        kept[...] = 3.0, 4.0, 5.0
        return [*results, bits(step(X))]


@pytest.mark.parametrize("use", ARRAY_USES.values(), ids=ARRAY_USES)
def test_another_array_in_the_place_of_one_is_seen(use):
    @check_same_or_refused
    def _(wrap):
        kept = np.array([0.5, 1.0, 2.0], np.float32)
        step = wrap(lambda x: use(x, kept))
        results = [step(X)]
        kept = np.array([3.0, 4.0, 5.0], np.float32)
        return [*results, step(X)]


def test_arrays_that_two_tensors_share():
    """``a.data = b.data`` lets both hold one array in eager code: what cannot be repeated so has to be refused."""

    @check_same_or_refused
    def _(wrap):
        a, b = Tensor(np.ones(3, np.float32)), Tensor(np.zeros(3, np.float32))

        def step(x):
            old = a.data
            a.data = b.data + x[0]
            b.data = old
            return a * 1, b * 1

        step = wrap(step)
        return [bits([step(X), a, b]) for _ in range(4)]

    @check_same_or_refused
    def _(wrap):
        a, b = Tensor(np.ones(3, np.float32)), Tensor(np.zeros(3, np.float32))

        def step(x):
            b.data = a.data
            a.data += x[0]
            return a * 1, b * 1

        step, results = wrap(step), []
        for _ in range(4):
            results.append(bits([step(X), a, b]))
            b.data *= 2
        return results


def test_the_numbers_in_an_array_outside_need_no_new_program():
    kept = np.array([0.5, 1.0, 2.0], np.float32)
    step = tg.compile(lambda x: x * kept)
    for i in range(5):
        kept[0] = i
        assert bits(step(X)) == bits(X * kept)
    assert len(step.signatures) == 1


@pytest.mark.parametrize("used", [True, False])
def test_arrays_that_plain_numpy_changes(used):
    @check_same_or_refused
    def _(wrap):
        count = np.zeros(1, np.float32)

        def function(x):
            count[0] += 1
            return x * count if used else x * 2

        step = wrap(function)
        return [step(X) for _ in range(3)], count


def test_arrays_that_recorded_numbers_are_written_into():
    @check_same_or_refused
    def _(wrap):
        total = np.zeros(3, np.float32)

        def function(x):
            np.add(total, x[0], out=total)
            return x * total

        step = wrap(function)
        return [step(X) for _ in range(3)], total


def test_tensors_in_hidden_places_are_seen():
    thing = Plain()
    thing.tensor = Tensor([1.0, 2.0, 3.0])
    held = [thing]
    check_seen_or_refused(lambda x: x * held[0].tensor.data[0], lambda: thing.tensor.data.fill(5.0))
    check_seen_or_refused(lambda x: x * held[0].tensor, lambda: thing.tensor.data.fill(7.0))


SHAPES_OF_DATA = {
    "mask": lambda x, n: (x[x > 0] * 2).sum(),
    "mask, mean": lambda x, n: np.square(x[x > 0] * 2 + 1).mean(),
    "mask of a Tensor": lambda x, n: tg.mean(Tensor(x)[x > 0] * 2 + 1),
    "where": lambda x, n: x[np.where(x > 0)] * 2,
    "nonzero": lambda x, n: np.flatnonzero(x > 0) * 2,
    "unique": lambda x, n: np.unique(np.floor(x)) * 2,
    "bincount": lambda x, n: np.bincount((x > 0).sum(axis=1)) * 2,
    "repeat": lambda x, n: np.repeat(x[:2], n, axis=0) * 2,
    "slice": lambda x, n: (x[: n[0]] * 2).sum(axis=0),
    "slice, mean": lambda x, n: (x[n[1] :] * 2).mean(),
    "reshape": lambda x, n: x.reshape(n) * 2 if n.prod() == 24 else x,
    "broadcast": lambda x, n: (np.broadcast_to(x[0, 0], n) * 2).sum(),
    "tile": lambda x, n: np.tile(x, n) * 2,
    "compress": lambda x, n: np.compress(x[0] > 0, x, axis=1) * 2,
    "linspace": lambda x, n: np.linspace(x[0, 0], x[0, 1], 3) * 2,
    "a list of Numbers": lambda x, n: x[[n[0], n[1]]],
    "squeeze": lambda x, n: np.atleast_1d(x[n[0]]) * 2,
}


@pytest.mark.parametrize("function", SHAPES_OF_DATA.values(), ids=SHAPES_OF_DATA)
def test_shapes_that_depend_on_the_data(function):
    @check_same_or_refused
    def _(wrap):
        step = wrap(function)
        rest = np.full_like(X, -1)
        rest[0, 0] = 1
        counts = np.array([2, 3]), np.array([1, 2]), np.array([3, 1]), np.array([2, 2])
        return [step(x, n) for x, n in zip((X, -X, rest, np.abs(X)), counts)]


# ---------------------------------------------------------------------- refusals


def line_of(function):
    """Where the function has the comment ``here``."""
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if "# here" in line)


def if_on_data(loss, x, y):
    return loss * 2 if loss < 1 else loss  # here


def while_on_data(loss, x, y):
    while loss > 0:  # here
        loss = loss - 1


def a_float(loss, x, y):
    return float(loss.detach())  # here


def an_int(loss, x, y):
    return int(loss.detach())  # here


def an_item_of_it(loss, x, y):
    return loss.item()  # here


def a_list_of_it(loss, x, y):
    return x.tolist()  # here


def a_bool(loss, x, y):
    return bool(loss)  # here


def a_text(loss, x, y):
    return f"loss {loss:.3f}"  # here


def a_text_of_the_tensor(loss, x, y):
    return f"loss {loss}"  # here


def printed(loss, x, y):
    print(loss)  # here


def printed_array(loss, x, y):
    print(x)  # here


def a_range(loss, x, y):
    return list(range(y[0]))  # here


def an_index_of_a_list(loss, x, y):
    return [1.0, 2.0, 3.0][y[0]]  # here


def a_key_of_a_dict(loss, x, y):
    return {0: 1.0, 1: 2.0}[y[0]]  # here


def an_assertion(loss, x, y):
    assert (x > -100).all()  # here


def a_check_for_nan(loss, x, y):
    return 1 if np.isfinite(loss.data) else 2  # here


def array_equal(loss, x, y):
    return 1 if np.array_equal(x, x) else 2  # here


def sorted_by_python(loss, x, y):
    return sorted(x[:, 0])  # here


def the_largest_by_python(loss, x, y):
    return max(x[:, 0])  # here


def the_square_root_by_python(loss, x, y):
    return math.sqrt(loss.detach())  # here


def rounded_by_python(loss, x, y):
    return round(x[0, 0])  # here


def fresh_random_numbers(loss, x, y):
    return x + np.random.normal(size=3)


def numbers_of_a_generator(loss, x, y):
    return x + RNG.normal(size=3)


def the_time(loss, x, y):
    return loss * time.perf_counter()  # here


def a_new_layer(loss, x, y):
    return nn.Linear(3, 2)(x)  # here


def written_into_an_argument(loss, x, y):
    x[0] = 0  # here


def written_into_an_argument_by_out(loss, x, y):
    np.multiply(x, 2, out=x)  # here


def written_into_a_view_of_an_argument(loss, x, y):
    x.T[0].fill(0)  # here


def sorted_in_place(loss, x, y):
    x.sort()  # here


def swallowed(loss, x, y):
    try:
        value = float(loss.detach())  # here
    except Exception:
        value = 0.0
    return x * value


REFUSED_WITH_LINE = [
    if_on_data, while_on_data, a_float, an_int, an_item_of_it, a_list_of_it, a_bool, a_text, a_text_of_the_tensor,
    printed, printed_array, a_range, an_index_of_a_list, a_key_of_a_dict, an_assertion, a_check_for_nan, array_equal,
    sorted_by_python, the_largest_by_python, the_square_root_by_python, rounded_by_python,
    the_time, a_new_layer, written_into_an_argument, written_into_an_argument_by_out,
    written_into_a_view_of_an_argument, sorted_in_place, swallowed,
]  # fmt: skip

WORLD: Any = None  # what the functions below use
KEPT: list = []
COUNT = 0


def appended(loss, x, y):
    KEPT.append(loss)


def appended_number(loss, x, y):
    KEPT.append(1)


def stored_on_an_object(loss, x, y):
    WORLD.last = loss


def stored_on_a_module(loss, x, y):
    WORLD.model.last = loss


def counted(loss, x, y):
    global COUNT
    COUNT += 1


def counted_on_an_object(loss, x, y):
    WORLD.count = getattr(WORLD, "count", 0) + 1


def counted_on_a_module(loss, x, y):
    WORLD.model.count = getattr(WORLD.model, "count", 0) + 1


def counted_on_a_class(loss, x, y):
    World.count = getattr(World, "count", 0) + 1


def counted_on_a_function(loss, x, y):
    counted_on_a_function.count = getattr(counted_on_a_function, "count", 0) + 1


def drawn_from_an_old_generator(loss, x, y):
    return x if WORLD.old_generator.rand() < 2 else x * 2


def drawn_from_an_object_of_python(loss, x, y):
    return x if WORLD.python_generator.random() < 2 else x * 2


def steps_counted_by_the_optimizer(loss, x, y):
    return x * WORLD.optimizer.state_dict()["state"][0]["step"]


def scheduled(loss, x, y):
    WORLD.scheduler.step()


def lr_changed(loss, x, y):
    WORLD.optimizer.param_groups[0]["lr"] *= 0.5


def seeded(loss, x, y):
    tg.manual_seed(3)


def seeded_in_a_block(loss, x, y):
    with tg.random.seeded(3):
        return x * tg.random.generator().random()


def dropped_in_a_block(loss, x, y):
    with tg.random.seeded(3):
        return WORLD.model(x)


def drawn_from_python(loss, x, y):
    return x if random.random() < 2 else x * 2


def drawn_from_numpy(loss, x, y):
    np.random.rand()


def drawn_from_a_generator(loss, x, y):
    return x if RNG.random() < 2 else x * 2


def counted_by_an_iterator(loss, x, y):
    return x if next(WORLD.iterator) < 100 else x * 2


def a_new_optimizer(loss, x, y):
    momentum(WORLD.model.parameters())


def a_generator(loss, x, y):
    return (i for i in range(3))


REFUSED = [
    appended, appended_number, stored_on_an_object, stored_on_a_module, counted, counted_on_an_object,
    counted_on_a_module, counted_on_a_class, counted_on_a_function, scheduled, lr_changed, seeded, seeded_in_a_block,
    dropped_in_a_block, drawn_from_python,
    drawn_from_numpy, drawn_from_a_generator, drawn_from_an_old_generator, drawn_from_an_object_of_python,
    counted_by_an_iterator, steps_counted_by_the_optimizer, fresh_random_numbers, numbers_of_a_generator,
    a_new_optimizer, a_generator,
]  # fmt: skip


@pytest.mark.parametrize("function", [*REFUSED_WITH_LINE, *REFUSED], ids=lambda function: function.__name__)
def test_refusals_change_nothing(function, monkeypatch, capsys):
    monkeypatch.setitem(globals(), "KEPT", [])
    monkeypatch.setitem(globals(), "COUNT", 0)
    world = World(plainly, nn.MLP(3, [4], 2, dropout=0.2, batch_norm=True))
    world.scheduler, world.iterator = optim.lr_scheduler.ExponentialLR(world.optimizer, 0.5), itertools.count()
    world.old_generator, world.python_generator = np.random.RandomState(0), random.Random(0)
    world.train()
    monkeypatch.setitem(globals(), "WORLD", world)
    x, eager = X.copy(), world.eager

    def everything():
        python, numpy = random.getstate(), np.random.get_state()
        return bits([world.state(), world.model.training, x, RNG.bit_generator.state, python, list(numpy)])

    def step(x, y):
        return function(eager(x, y), x, y)

    before, drawn, compiled = everything(), repr(tg.random.generator().bit_generator.state), tg.compile(step)
    with pytest.raises(CannotCompile) as caught:
        compiled(x, Y)
    if function in REFUSED_WITH_LINE:
        lines = line_of(function), function.__code__.co_firstlineno  # where it is asked for, or what asks for it
        assert any(f"{FILE}:{line}" in str(caught.value) for line in lines)
    assert differing(everything(), before) == []
    assert repr(tg.random.generator().bit_generator.state) == drawn
    assert {type(p) for p in world.model.parameters()} == {nn.Parameter}
    del caught
    assert no_traced_left()
    world.train()  # still fine
    capsys.readouterr()


def no_traced_left():
    """Whether no stand-in of a recording is held by anybody."""
    gc.collect()
    return STAND_INS.isdisjoint(type(thing).__name__ for thing in gc.get_objects())


def test_an_argument_that_requires_a_gradient_is_refused():
    with pytest.raises(CannotCompile, match="'x' requires a gradient"):
        tg.compile(lambda x: x * 2)(Tensor([1.0], requires_grad=True))


def test_of_too_many_programs_the_oldest_goes():
    step = tg.compile(lambda x, n: x * n)
    for n in range(500):
        assert bits(step(X, n)) == bits(X * n)
    assert len(step.signatures) == 32


# ---------------------------------------------------------------------- errors


def states(world):
    return bits([world.state(), repr(tg.random.generator().bit_generator.state), world.model.training])


@pytest.mark.parametrize("warm", [0, 1, 3])
@pytest.mark.parametrize("rule, width", [("momentum", 4), ("adam", 3000)], ids=["small", "large"])
class TestErrors:
    """An error leaves all as it was before the call, in the first call and in later ones."""

    def make(self, rule, width, warm, step=None):
        world = World(tg.compile, nn.MLP(3, [width], 2, dropout=0.2, batch_norm=True), OPTIMIZERS[rule])
        if step is not None:
            world.step = tg.compile(functools.partial(step, world.eager))
        world.train(warm)
        return world

    def check(self, world, error, *args):
        before = states(world)
        with pytest.raises(error):
            world.step(*args)
        assert differing(states(world), before) == []
        world.optimizer.param_groups[0]["lr"] = 0.001
        world.step(X, TARGET if args[1] is TARGET else Y)  # later calls work

    def test_raised_by_hand(self, rule, width, warm):
        fail = False

        def step(eager, x, y):
            loss = eager(x, y)
            if fail:
                raise ValueError("by hand")
            return loss

        world = self.make(rule, width, warm, step)
        fail = True
        before = states(world)
        with pytest.raises(ValueError, match="by hand"):
            world.step(X, Y)
        assert differing(states(world), before) == []
        fail = False
        world.train(2)

    @pytest.mark.parametrize("labels", [Y + 5, Y - 5], ids=["too large", "negative"])
    def test_labels_out_of_range(self, rule, width, warm, labels):
        self.check(self.make(rule, width, warm), IndexError, X, labels)

    def test_wrong_shapes(self, rule, width, warm):
        self.check(self.make(rule, width, warm), ValueError, X[:, :2], Y)
        self.check(self.make(rule, width, warm), ValueError, X[:3], Y)

    @pytest.mark.parametrize("how", ["raise", "warn"])
    def test_overflow_in_the_update(self, rule, width, warm, how):
        world = World(tg.compile, nn.MLP(3, [width], 2), OPTIMIZERS[rule], nn.MSELoss())
        for _ in range(warm):
            world.step(X, TARGET)
        world.optimizer.param_groups[0]["lr"] = 3e38
        with np.errstate(over=how):
            self.check(world, FloatingPointError if how == "raise" else RuntimeWarning, X * 1e10, TARGET)


def test_an_interrupt_while_recording():
    world, stop = World(tg.compile), [True]

    def hook(grad):
        if stop[0]:
            raise KeyboardInterrupt

    world.model[0].weight.register_hook(hook)
    before = states(world)
    with pytest.raises(KeyboardInterrupt):
        world.step(X, Y)
    assert differing(states(world), before) == []
    stop[0] = False
    world.train()
    assert no_traced_left()


# ---------------------------------------------------------------------- check=N


def test_check_accepts_what_is_right():
    def checked(function):
        return tg.compile(function, check=3)

    def scenario(wrap):
        world = World(wrap, nn.MLP(3, [4], 2, dropout=0.2, batch_norm=True), OPTIMIZERS["adam"])
        return world.train(20), world.state()

    assert differing(outcome(scenario, checked), outcome(scenario, plainly)) == []


def test_check_finds_what_differs():
    step = tg.compile(lambda x: x * 0.5, check=2)
    assert bits(step(X)) == bits(step(X)) == bits(X * 0.5)
    step.programs[0].run = lambda x: x * 2.0  # as a wrong program would
    with pytest.raises(RuntimeError, match=r"the program and the function itself differ in the result"):
        step(X), step(X)


# ---------------------------------------------------------------------- threads


def run_in_threads(*functions, times=30):
    errors = []

    def run(function):
        try:
            for _ in range(times):
                function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return errors


def test_four_threads_call_one_step():
    wanted = World(plainly)
    wanted.train(120)
    world = World(tg.compile)
    assert run_in_threads(*[lambda: world.step(X, Y)] * 4) == []
    assert bits(world.state()) == bits(wanted.state())


def test_two_steps_that_share_a_model_run_uncompiled_and_say_so():
    def train(wrap):
        tg.manual_seed(0)
        model = nn.MLP(3, [4], 2)
        first, second = World(wrap, model), World(wrap, model)
        return [step(X, Y) for _ in range(15) for step in (first.step, second.step)], state_of(model)

    with pytest.warns(UserWarning, match="runs uncompiled, since its parameters move"):
        found = train(tg.compile)
    assert differing(found, train(plainly)) == []


def test_a_thread_records_while_another_trains():
    wanted, other = World(plainly), World(plainly)
    wanted.train(30)
    assert run_in_threads(lambda: World(tg.compile).step(X, Y), lambda: other.step(X, Y)) == []
    assert bits(other.state()) == bits(wanted.state())


def test_a_thread_of_the_recorded_function_gets_no_array_of_it():
    def function(x):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return pool.submit(lambda: x * 2).result()

    with pytest.raises(CannotCompile, match=r"may change unseen|in another thread"):
        tg.compile(function)(X)


def test_threads_that_use_a_model_which_is_being_recorded():
    """Who records may get an error that says so; nobody may find other numbers, then or later."""
    world, found = World(plainly), set()

    def read():
        found.add(repr(bits(world.model(X))))

    def record():
        tg.compile(lambda x: world.model(x))(X)

    wanted = repr(bits(world.model(X)))
    errors = run_in_threads(record, read, read)
    assert all(isinstance(error, CannotCompile) and "kept by something outside" in str(error) for error in errors)
    del errors  # whose tracebacks hold the frames of the recording
    assert found <= {wanted}
    assert repr(bits(world.model(X))) == wanted
    world.train()
    assert no_traced_left()


# ---------------------------------------------------------------------- recordings, memory


def test_recordings_are_not_repeated():
    model = nn.MLP(3, [4], 2, dropout=0.2, batch_norm=True)
    world, predict = World(tg.compile, model, OPTIMIZERS["adam"]), tg.compile(model)
    scheduler = optim.lr_scheduler.ExponentialLR(world.optimizer, 0.99)
    for _ in range(20):
        model.train()
        for rows in (slice(0, 3), slice(3, 6), slice(6, 8)):
            world.step(X[rows], Y[rows])
        scheduler.step()
        model.eval()
        predict(X)
    assert len(world.step.signatures) == 2
    assert len(predict.signatures) == 1
    assert world.step.signatures[-1] == "x: (3, 3) float32, y: (3,) int64, training"
    assert "evaluation" in predict.signatures[0]


@pytest.mark.parametrize("make", [accumulation_over_calls, clipping, updates_by_hand, no_gradient_in_some_calls])
def test_few_programs_for(make):
    made = []

    def wrap(function):
        made.append(tg.compile(function))
        return made[-1]

    outcome(make, wrap)
    assert all(len(step.signatures) <= 4 for step in made)


def test_memory_does_not_grow():
    world = World(tg.compile, nn.MLP(3, [4], 2, dropout=0.2), OPTIMIZERS["adam"])
    world.train(50)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    world.train(200)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 5000


def test_what_is_deleted_is_freed():
    world = World(tg.compile)
    world.train()
    found = weakref.ref(world.model), weakref.ref(world.optimizer), weakref.ref(world.step)
    del world
    gc.collect()
    assert [reference() for reference in found] == [None, None, None]


# ---------------------------------------------------------------------- what the object tells


def test_what_can_be_read():
    def train(x):
        """The docstring."""
        return x * 2

    step = tg.compile(train)
    assert (step.__name__, step.__doc__, step.signatures) == ("train", "The docstring.", [])
    step(X)
    step(
        X[:2],
    )
    assert step.signatures == ["x: (2, 3) float32", "x: (8, 3) float32"]
    assert "train" in repr(step)


@pytest.mark.parametrize("each", SCENARIOS, ids=lambda each: each.__name__)
def test_same_as_eager(each):
    check_same(each)


def test_a_masked_array_in_a_closure_is_refused():
    factors = np.ma.array([0.5, 1.0])
    with pytest.raises(CannotCompile, match="factors is a MaskedArray, which may change unseen"):
        tg.compile(lambda x: x * float(factors[0]))(np.ones(2))


def test_random_numbers_that_are_drawn_into_an_array_of_the_users_are_refused():
    drawn = np.empty(3)
    with pytest.raises(CannotCompile, match="written into"):
        tg.compile(lambda x: x + tg.random.generator().random(out=drawn))(np.zeros(3))
