"""Whole networks against PyTorch: 200 steps from the same weights, with every optimizer, schedule, loss, layer and
activation, and with each of their options.

Both compute in float64, so that what remains is rounding. What the package has without a case here fails the last
tests.
"""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn, optim
from tinygrad_relu.optim import lr_scheduler

torch = pytest.importorskip("torch")

STEPS, ROWS, FEATURES, WIDTH, CLASSES = 200, 16, 6, 8, 3
RNG = np.random.default_rng(0)


# ------------------------------------------------------------------ the same module in PyTorch


class Formula(torch.nn.Module):
    """What PyTorch lacks, or has without an option, in its operations."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *arguments):
        return self.function(*arguments)


class SameDropout(torch.nn.Module):
    """Drops what ours drops: both draw the same numbers."""

    def __init__(self, p, generator):
        super().__init__()
        self.p, self.generator = p, generator

    def forward(self, x):
        if not self.training:
            return x
        return x * torch.tensor((self.generator.random(tuple(x.shape)) >= self.p) / (1 - self.p))


class Residual(nn.Module):
    """A list of layers, each added to what it gets."""

    def __init__(self, width, depth):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x


class TorchResidual(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = torch.nn.ModuleList(layers)

    forward = Residual.forward


def in_torch(module, generator):
    """The same module in PyTorch, with weights of its own; ``generator`` draws what falls out."""

    def silu(x):
        return x * torch.sigmoid(module.beta * x)

    def hard_sigmoid(x):
        return torch.clamp(module.slope * x + module.offset, 0, 1)

    def thresholded_relu(x):
        return torch.where(x > module.theta, x, torch.zeros_like(x))

    def hinge(score, target):
        loss = torch.clamp(1 - target * score, min=0)
        return loss if module.reduction == "none" else getattr(loss, module.reduction)()

    kind = type(module)
    formulas = {
        nn.SiLU: silu, nn.HardSigmoid: hard_sigmoid, nn.ThresholdedReLU: thresholded_relu, nn.HingeLoss: hinge
    }  # fmt: skip
    if kind in formulas:
        return Formula(formulas[kind])
    if kind is nn.Dropout:
        return SameDropout(module.p, generator)
    if kind is Residual:
        return TorchResidual([in_torch(each, generator) for each in module.layers])
    if isinstance(module, nn.Sequential):
        return torch.nn.Sequential(*[in_torch(each, generator) for each in module])
    name = {"HardSwish": "Hardswish", "HardTanh": "Hardtanh"}.get(kind.__name__, kind.__name__)
    return getattr(torch.nn, name)(**torch_options(kind, vars(module)))


def torch_options(kind, options):
    """The arguments that make a module with these attributes, in PyTorch's words."""
    given = {name: options[name] for name in inspect.signature(kind).parameters if name in options}
    for name in ("weight", "pos_weight"):
        if given.get(name) is not None:
            given[name] = torch.tensor(given[name])
    if kind in (nn.Linear, nn.LayerNorm):
        given["bias"] = options["bias"] is not None
    if kind is nn.LayerNorm:
        given["elementwise_affine"] = options["weight"] is not None
    if kind is nn.BatchNorm1d:
        given.update(affine=options["weight"] is not None, track_running_stats=options["running_mean"] is not None)
    words = {"axis": "dim", "start_axis": "start_dim", "end_axis": "end_dim"}
    return {words.get(name, name): value for name, value in given.items()}


# ------------------------------------------------------------------ side by side


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads cost more than they save in networks as small as these."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def assert_trained_alike(
    model, loss, target, optimizer, schedules=(), shape=(ROWS, FEATURES), wrap=lambda step: step, evaluate_from=STEPS
):
    """Train both for 200 steps, those from ``evaluate_from`` on in evaluation mode, and compare all that came out."""
    generator = np.random.default_rng(1)
    theirs = in_torch(model, generator).double()
    model.to(np.float64)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    rng = np.random.default_rng(3)
    x = rng.integers(WIDTH, size=shape) if type(model[0]) is nn.Embedding else rng.normal(size=shape)
    ours = run(model, loss, x, target, optimizer(model.parameters()), schedules, lr_scheduler, wrap, evaluate_from)
    reference = getattr(torch.optim, optimizer.func.__name__)(theirs.parameters(), **optimizer.keywords)
    expected = run(
        theirs, in_torch(loss, generator), torch.tensor(x), torch.tensor(target), reference, schedules,
        torch.optim.lr_scheduler, lambda step: step, evaluate_from,
    )  # fmt: skip
    for mine, right in zip(ours, expected):
        np.testing.assert_allclose(mine, right, rtol=1e-9, atol=1e-12)
    assert ours[0][-1] != ours[0][0]
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(array, theirs.state_dict()[name].numpy(), rtol=1e-9, atol=1e-11, err_msg=name)


def run(model, loss, x, target, optimizer, schedules, family, wrap, evaluate_from):
    """The losses and the learning rates of all steps, here or there: the words are the same."""
    shape = tuple(loss(model.eval()(x), target).shape)
    weights = np.random.default_rng(2).uniform(0.5, 1.5, shape)  # of each loss, for reduction="none"
    weights = weights if isinstance(model, nn.Module) else torch.tensor(weights)
    model.train()

    def step():
        optimizer.zero_grad()
        losses = loss(model(x), target)
        if shape:
            losses = (losses * weights).mean()
        losses.backward()
        optimizer.step()
        return losses

    made = [getattr(family, each.func.__name__)(optimizer, **each.keywords) for each in schedules]
    step = wrap(step)
    values, rates = [], []
    with tg.random.seeded(1):
        for i in range(STEPS):
            if i == evaluate_from:
                model.eval()
            values.append(step().item())
            rates.append([group["lr"] for group in optimizer.param_groups])
            for schedule in made:
                schedule.step(*[values[-1]] if type(schedule).__name__ == "ReduceLROnPlateau" else [])
    return values, rates


def network(*layers):
    return nn.Sequential(*[layer() for layer in layers])


def tanh_network(end=nn.Identity):
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.Tanh(), nn.Linear(WIDTH, CLASSES), end())


def named(case):
    options = ", ".join(f"{name}={value}" for name, value in case.keywords.items())
    return f"{case.func.__name__}({', '.join([*map(str, case.args), options])})".replace("\n", " ")


real = RNG.normal(size=(ROWS, CLASSES))
momentum = partial(optim.SGD, lr=0.003, momentum=0.9)


# ------------------------------------------------------------------ optimizers

OPTIMIZERS = [
    partial(optim.SGD, lr=0.1),
    partial(optim.SGD, lr=0.05, momentum=0.9),
    partial(optim.SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    partial(optim.SGD, lr=0.05, momentum=0.8, dampening=0.5),
    partial(optim.Adam, lr=0.01),
    partial(optim.Adam, lr=0.005, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.01),
    partial(optim.AdamW, lr=0.01),
    partial(optim.AdamW, lr=0.005, betas=(0.7, 0.99), eps=1e-5, weight_decay=0.1),
    partial(optim.RMSprop, lr=0.001),
    partial(optim.RMSprop, lr=0.001, alpha=0.95, eps=0.01, momentum=0.5, weight_decay=0.01),
    partial(optim.RMSprop, lr=0.001, centered=True),
    partial(optim.RMSprop, lr=0.001, centered=True, momentum=0.9),
    partial(optim.Adagrad, lr=0.05),
    partial(optim.Adagrad, lr=0.05, lr_decay=0.01, weight_decay=0.01, initial_accumulator_value=0.1, eps=1e-6),
]


@pytest.mark.parametrize("wrap", [lambda step: step, tg.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=named)
def test_optimizers(optimizer, wrap):
    assert_trained_alike(tanh_network(), nn.MSELoss(), real, optimizer, wrap=wrap)


# ------------------------------------------------------------------ schedules

SCHEDULES = [
    partial(lr_scheduler.StepLR, step_size=30),
    partial(lr_scheduler.StepLR, step_size=70, gamma=0.5),
    partial(lr_scheduler.MultiStepLR, milestones=[20, 150]),
    partial(lr_scheduler.MultiStepLR, milestones=[50, 50, 120], gamma=0.3),
    partial(lr_scheduler.ExponentialLR, gamma=0.99),
    partial(lr_scheduler.CosineAnnealingLR, T_max=200),
    partial(lr_scheduler.CosineAnnealingLR, T_max=40, eta_min=0.001),
    partial(lr_scheduler.LinearLR),
    partial(lr_scheduler.LinearLR, start_factor=0.1, end_factor=0.5, total_iters=60),
    partial(lr_scheduler.OneCycleLR, max_lr=0.05, total_steps=200),
    partial(lr_scheduler.OneCycleLR, max_lr=0.05, epochs=20, steps_per_epoch=11, pct_start=0.4, cycle_momentum=False),
    partial(
        lr_scheduler.OneCycleLR, max_lr=0.05, total_steps=210, anneal_strategy="linear", base_momentum=0.7,
        max_momentum=0.9, div_factor=10.0, final_div_factor=100.0, three_phase=True,
    ),
    partial(lr_scheduler.ReduceLROnPlateau, patience=1, threshold=0.01),
    partial(lr_scheduler.ReduceLROnPlateau, mode="max", factor=0.8, cooldown=5, min_lr=0.002, eps=1e-3),
    partial(lr_scheduler.ReduceLROnPlateau, threshold_mode="abs", patience=3),
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES, ids=named)
def test_schedules(schedule):
    assert_trained_alike(tanh_network(), nn.MSELoss(), real, momentum, [schedule])


def test_three_schedules_at_once():
    assert_trained_alike(tanh_network(), nn.MSELoss(), real, momentum, [SCHEDULES[i] for i in (8, 6, 1)])


# ------------------------------------------------------------------ losses

classes = RNG.integers(CLASSES, size=ROWS)
some_left_out = np.where(RNG.random(ROWS) < 0.3, -100, classes)
soft = RNG.dirichlet(np.ones(CLASSES), size=ROWS)
bits = RNG.integers(2, size=(ROWS, CLASSES)).astype(float)
per_class = np.array([0.5, 1.0, 3.0])

LOSSES = [
    (partial(nn.MSELoss), real),
    (partial(nn.MSELoss, reduction="sum"), real),
    (partial(nn.L1Loss), real),
    (partial(nn.L1Loss, reduction="none"), real),
    (partial(nn.HuberLoss), real),
    (partial(nn.HuberLoss, delta=0.3, reduction="none"), real),
    (partial(nn.SmoothL1Loss), real),
    (partial(nn.SmoothL1Loss, beta=0.3, reduction="sum"), real),
    (partial(nn.CrossEntropyLoss), classes),
    (partial(nn.CrossEntropyLoss), some_left_out),
    (partial(nn.CrossEntropyLoss), soft),
    (partial(nn.CrossEntropyLoss, weight=per_class), classes),
    (partial(nn.CrossEntropyLoss, weight=per_class), soft),
    (partial(nn.CrossEntropyLoss, weight=per_class, label_smoothing=0.1), some_left_out),
    (partial(nn.CrossEntropyLoss, weight=per_class, label_smoothing=0.1), soft),
    (partial(nn.CrossEntropyLoss, label_smoothing=0.2, ignore_index=1), classes),
    (partial(nn.CrossEntropyLoss, label_smoothing=0.1, weight=per_class, reduction="none"), some_left_out),
    (partial(nn.CrossEntropyLoss, reduction="sum"), soft),
    (partial(nn.NLLLoss), classes),
    (partial(nn.NLLLoss, weight=per_class, ignore_index=2), classes),
    (partial(nn.NLLLoss, weight=per_class, reduction="none"), some_left_out),
    (partial(nn.BCELoss), bits),
    (partial(nn.BCELoss, reduction="none"), soft),
    (partial(nn.BCEWithLogitsLoss), bits),
    (partial(nn.BCEWithLogitsLoss, pos_weight=per_class), bits),
    (partial(nn.BCEWithLogitsLoss, pos_weight=per_class, reduction="none"), soft),
    (partial(nn.HingeLoss), 2 * bits - 1),
    (partial(nn.HingeLoss, reduction="none"), 2 * bits - 1),
    (partial(nn.KLDivLoss, reduction="batchmean"), soft),
    (partial(nn.KLDivLoss, log_target=True, reduction="sum"), np.log(soft)),
]
LAST = {nn.NLLLoss: nn.LogSoftmax, nn.KLDivLoss: nn.LogSoftmax, nn.BCELoss: nn.Sigmoid}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")  # PyTorch's, about kl_div
@pytest.mark.parametrize(("loss", "target"), LOSSES, ids=[f"{named(loss)}-{i}" for i, (loss, _) in enumerate(LOSSES)])
def test_losses(loss, target):
    model = tanh_network(LAST.get(loss.func, nn.Identity))
    assert_trained_alike(model, loss(), target, momentum)


# ------------------------------------------------------------------ layers

linear, to_classes = partial(nn.Linear, FEATURES, WIDTH), partial(nn.Linear, WIDTH, CLASSES)
LAYERS = [
    ((ROWS, FEATURES), [partial(nn.Linear, FEATURES, CLASSES, bias=False)]),
    ((ROWS, 2, FEATURES), [linear, partial(nn.ReLU), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.BatchNorm1d, WIDTH), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.BatchNorm1d, WIDTH, eps=0.1, momentum=None), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.BatchNorm1d, WIDTH, affine=False, momentum=0.3), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.BatchNorm1d, WIDTH, track_running_stats=False), to_classes]),
    ((ROWS, 4, FEATURES), [linear, partial(nn.BatchNorm1d, 4), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.LayerNorm, WIDTH), to_classes]),
    ((ROWS, 2, FEATURES), [linear, partial(nn.LayerNorm, (2, WIDTH), eps=0.1, bias=False), to_classes]),
    ((ROWS, FEATURES), [linear, partial(nn.LayerNorm, WIDTH, elementwise_affine=False), to_classes]),
    ((ROWS, 2), [partial(nn.Embedding, WIDTH, FEATURES), linear, partial(nn.Tanh), to_classes]),
    ((ROWS, 2), [partial(nn.Embedding, WIDTH, FEATURES, padding_idx=3), linear, partial(nn.Tanh), to_classes]),
    ((ROWS, 2, 3), [partial(nn.Flatten), linear, partial(nn.Dropout), to_classes]),
    ((2, 3, FEATURES), [partial(nn.Flatten, start_axis=0, end_axis=1), linear, partial(nn.Dropout, p=0.2), to_classes]),
    ((ROWS, FEATURES), [linear, partial(Residual, WIDTH, 2), partial(nn.Identity), to_classes]),
    ((ROWS, FEATURES), [partial(nn.MLP, FEATURES, [WIDTH, WIDTH], CLASSES, batch_norm=True, dropout=0.1)]),
    ((ROWS, FEATURES), [partial(nn.MLP, FEATURES, WIDTH, CLASSES, activation="tanh")]),
]


@pytest.mark.parametrize(("shape", "layers"), LAYERS, ids=["-".join(map(named, layers)) for _, layers in LAYERS])
def test_layers(shape, layers):
    """The last fifty steps are made in evaluation mode."""
    tg.manual_seed(0)
    model = network(*layers)
    target = np.random.default_rng(3).normal(size=model(np.zeros(shape, int)).shape)
    assert_trained_alike(model, nn.MSELoss(), target, momentum, shape=shape, evaluate_from=150)


# ------------------------------------------------------------------ activations

ACTIVATIONS = [
    *[partial(getattr(nn, name)) for name in nn.activations.__all__ if name != "Threshold"],
    partial(nn.LeakyReLU, 0.2),
    partial(nn.PReLU, num_parameters=WIDTH, init=0.1),
    partial(nn.Threshold, 0.5, -1.0),
    partial(nn.ThresholdedReLU, theta=0.3),
    partial(nn.ELU, alpha=0.5),
    partial(nn.CELU, alpha=0.5),
    partial(nn.GELU, approximate="tanh"),
    partial(nn.SiLU, beta=1.7),
    partial(nn.HardSigmoid, slope=0.2, offset=0.4),
    partial(nn.HardTanh, min_val=-0.5, max_val=2.0),
    partial(nn.Softplus, beta=2.0, threshold=5.0),
    partial(nn.Softmax, axis=0),
    partial(nn.LogSoftmax, axis=0),
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=named)
def test_activations(activation):
    tg.manual_seed(0)
    model = network(linear, activation, partial(nn.Linear, WIDTH, WIDTH), activation, to_classes)
    assert_trained_alike(model, nn.MSELoss(), real, momentum)


# ------------------------------------------------------------------ nothing is left out


def options_of(kind):
    return {(kind, name) for name, p in inspect.signature(kind).parameters.items() if p.default is not p.empty}


def options_tried(cases):
    return {
        (case.func, name)
        for case in cases
        for name in inspect.signature(case.func).bind_partial(*case.args, **case.keywords).arguments
    }


@pytest.mark.parametrize(
    ("kinds", "cases"),
    [
        pytest.param([getattr(nn, name) for name in nn.activations.__all__], ACTIVATIONS, id="activations"),
        pytest.param([getattr(nn, name) for name in nn.losses.__all__], [loss for loss, _ in LOSSES], id="losses"),
        pytest.param(
            # every network is a Sequential, and the layers of a Residual are a ModuleList
            [getattr(nn, name) for name in {*nn.layers.__all__} - {"Sequential", "ModuleList"}],
            [layer for _, layers in LAYERS for layer in layers],
            id="layers",
        ),
        pytest.param(
            [x for x in vars(optim).values() if isinstance(x, type) and x is not optim.Optimizer],
            OPTIMIZERS,
            id="optimizers",
        ),
        pytest.param(
            [getattr(lr_scheduler, name) for name in lr_scheduler.__all__ if name != "LRScheduler"],
            SCHEDULES,
            id="schedules",
        ),
    ],
)
def test_each_has_a_case_and_each_option_too(kinds, cases):
    assert set(kinds) <= {case.func for case in cases}
    assert set().union(*map(options_of, kinds)) <= options_tried(cases)
