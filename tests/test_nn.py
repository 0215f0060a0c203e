"""Modules: what they register, save and say; layers against PyTorch."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim


def random(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


class Tied(nn.Module):
    """A module used under two names, and a parameter of its own that is shared as well."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first
        self.scale = nn.Parameter([1.0])
        self.again = self.scale

    def forward(self, x):
        return self.second(self.first(x)) * self.scale


# ------------------------------------------------------------------ Parameter


def test_a_parameter_requires_a_gradient_and_its_results_are_tensors():
    w = nn.Parameter([1.0, 2.0])
    assert w.requires_grad
    assert repr(w).startswith("Parameter(")
    assert type(w * 2) is Tensor
    assert isinstance(copy.deepcopy(w), nn.Parameter)
    assert isinstance(pickle.loads(pickle.dumps(w)), nn.Parameter)


def test_parameters_know_their_place():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1)))
    assert [p.name for p in model.parameters()] == ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    assert [p.name for p in Tied().parameters()] == ["scale", "first.weight", "first.bias"]
    layer = nn.Linear(2, 2)
    layer.weight.name = "mine"
    assert [p.name for p in nn.Sequential(layer).parameters()] == ["mine", "0.bias"]


# ------------------------------------------------------------------ Module


def test_what_is_shared_is_counted_once_and_saved_under_both_names():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["scale", "first.weight", "first.bias"]
    assert len(list(model.parameters())) == 3
    assert len(list(model.modules())) == 2
    assert len(list(model.children())) == 1
    assert list(model.state_dict()) == [
        "scale", "again", "first.weight", "first.bias", "second.weight", "second.bias"
    ]  # fmt: skip


def test_shared_modules_stay_shared_in_copies():
    for twin in (copy.deepcopy(Tied()), pickle.loads(pickle.dumps(Tied()))):
        assert twin.first is twin.second
        assert twin.scale is twin.again
        assert len(list(twin.parameters())) == 3


def test_a_copy_computes_the_same_and_learns_alone():
    model = nn.MLP(3, [4], 2, batch_norm=True, dropout=0.5, activation="prelu").eval()
    x = random(5, 3)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin(x).data, model(x).data)
        for p in twin.parameters():
            p.data += 1.0
        assert not np.allclose(twin(x).data, model(x).data)


def test_what_is_replaced_or_deleted_is_gone():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.extra = nn.Parameter([1.0])
    model.extra = nn.Parameter([1.0, 2.0])
    assert model.state_dict()["extra"].shape == (2,)
    del model.extra
    model.register_buffer("passing", np.ones(1))
    del model.passing
    assert "extra" not in model.state_dict()
    model[0].bias = None
    assert list(model.state_dict()) == ["0.weight"]
    assert model(np.ones((1, 2))).shape == (1, 2)


def test_assignments_that_would_lose_something_raise():
    class Early(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter([1.0])

    with pytest.raises(AttributeError, match=r"'weight' was assigned before super\(\).__init__\(\) was called"):
        Early()
    layer = nn.Linear(2, 2)
    for value in (np.ones((2, 2)), Tensor(np.ones((2, 2)))):
        with pytest.raises(TypeError, match="'weight' is a Parameter and cannot become a"):
            layer.weight = value


def test_an_unknown_attribute_names_near_ones():
    with pytest.raises(AttributeError, match="Linear has no attribute 'wieght'; the nearest are weight"):
        nn.Linear(2, 2).wieght  # noqa: B018
    assert not hasattr(nn.Linear(2, 2), "__array_interface__")


def test_a_list_of_modules_has_its_own_class():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert len(list(layers.parameters())) == 4
    with pytest.raises(NotImplementedError, match="go through it"):
        layers(np.ones((1, 2)))


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module: a module needs a forward method"):
        nn.Module()(1)


def test_train_and_eval_reach_every_module():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())


def test_zero_grad_forgets_and_requires_grad_freezes():
    model = nn.Linear(2, 1)
    model(np.ones((1, 2))).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    model.requires_grad_(False)
    assert not model(np.ones((1, 2))).requires_grad


def test_apply_visits_the_inner_modules_first():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    visited = []
    assert model.apply(lambda module: visited.append(type(module).__name__)) is model
    assert visited[-1] == "Sequential"
    assert sorted(visited) == ["Linear", "ReLU", "Sequential"]


def test_to_changes_parameters_and_float_buffers():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).to(np.float64)
    kinds = {name: value.dtype.name for name, value in model.state_dict().items()}
    assert kinds.pop("1.num_batches_tracked") == "int64"
    assert set(kinds.values()) == {"float64"}
    loss = model(random(4, 2)).sum()
    loss.backward()
    assert {p.grad.dtype.name for p in model.parameters()} == {"float64"}
    with pytest.raises(TypeError, match="parameters are floats"):
        model.to(int)


def test_a_forward_hook_sees_and_may_replace_the_output():
    layer = nn.Linear(2, 2)
    handle = layer.register_forward_hook(lambda module, args, output: output * 0)
    assert layer(np.ones((1, 2))).tolist() == [[0.0, 0.0]]
    handle.remove()
    assert layer(np.ones((1, 2))).tolist() != [[0.0, 0.0]]


def test_repr_reads_like_the_network():
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Sequential(nn.LeakyReLU(0.2), nn.ReLU()), nn.Dropout(0.1))
    assert (
        repr(model)
        == """\
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=False)
  (1): Sequential(
    (0): LeakyReLU(negative_slope=0.2)
    (1): ReLU()
  )
  (2): Dropout(p=0.1)
)"""
    )


def test_modules_take_arrays_and_give_tensors():
    for module in (nn.ReLU(), nn.Linear(2, 2), nn.Flatten(), nn.LayerNorm(2), nn.Dropout(0.5)):
        assert isinstance(module(np.ones((3, 2))), Tensor)


# ------------------------------------------------------------------ state


def make_pair():
    """The same network here and in PyTorch, by names and shapes; the values differ."""
    torch = pytest.importorskip("torch")
    t = torch.nn
    ours = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.PReLU(6), nn.LayerNorm(6), nn.Linear(6, 3, bias=False))
    theirs = t.Sequential(t.Linear(4, 6), t.BatchNorm1d(6), t.PReLU(6), t.LayerNorm(6), t.Linear(6, 3, bias=False)).to(
        torch.float32
    )
    for module in theirs.modules():  # nothing at its default
        if isinstance(module, t.BatchNorm1d):
            torch.nn.init.uniform_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            module.num_batches_tracked += 3
    return torch, ours, theirs


def test_state_dicts_have_the_names_order_and_shapes_of_pytorch():
    _, ours, theirs = make_pair()
    shapes = [(name, tuple(value.shape)) for name, value in theirs.state_dict().items()]
    assert [(name, value.shape) for name, value in ours.state_dict().items()] == shapes


def test_state_dicts_travel_from_pytorch_and_back():
    torch, ours, theirs = make_pair()
    x = random(5, 4, dtype=np.float32)
    assert ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()}) == ([], [])
    expected = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours.eval()(x).data, expected, rtol=1e-5, atol=1e-6)

    _, _, fresh = make_pair()
    fresh.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    np.testing.assert_array_equal(fresh.eval()(torch.from_numpy(x)).detach().numpy(), expected)


def test_a_state_dict_is_a_copy_and_loading_keeps_the_parameters():
    model = nn.Linear(2, 2)
    weight, optimizer = model.weight, optim.SGD(model.parameters(), lr=0.0)
    state = model.state_dict()
    state["weight"][...] = 7
    assert not (model.weight.data == 7).any()
    model.load_state_dict({name: value.astype(np.float64) for name, value in state.items()})
    assert model.weight is weight
    assert (weight.data == 7).all()
    assert weight.dtype == np.float32
    weight.grad = np.ones((2, 2))
    optimizer.step()
    assert (weight.data == 7).all()


def test_a_state_that_does_not_fit_is_refused_whole():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = model.state_dict()
    state = model.state_dict()
    state = {name: value + 1 for name, value in state.items()}
    state["0.weight"] = np.ones((3, 5))
    state["1.bais"] = state.pop("1.bias")
    with pytest.raises(ValueError) as error:
        model.load_state_dict(state)
    message = str(error.value)
    assert "missing: 1.bias" in message
    assert "unexpected: 1.bais" in message
    assert "0.weight has (3, 2) here, (3, 5) in the state" in message
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_without_strict_what_fits_is_loaded():
    model = nn.Linear(2, 1)
    missing, unexpected = model.load_state_dict({"weight": np.ones((1, 2)), "other": np.ones(3)}, strict=False)
    assert (missing, unexpected) == (["bias"], ["other"])
    assert model.weight.tolist() == [[1.0, 1.0]]
    with pytest.raises(ValueError, match="another shape"):
        model.load_state_dict({"weight": np.ones((2, 2))}, strict=False)


def test_text_in_a_state_is_refused():
    with pytest.raises(ValueError, match="bias is no array of numbers"):
        nn.Linear(2, 1).load_state_dict({"weight": np.ones((1, 2)), "bias": np.array(["1"])})


def test_buffers_are_saved_unless_they_are_not_persistent():
    module = nn.Module()
    module.register_buffer("kept", np.ones(2))
    module.register_buffer("scratch", np.ones(2), persistent=False)
    assert list(module.state_dict()) == ["kept"]
    assert [name for name, _ in module.named_buffers()] == ["kept", "scratch"]
    assert len(list(module.buffers())) == 2
    assert list(module.parameters()) == []
    module.load_state_dict({"kept": np.zeros(2)})
    assert module.kept.tolist() == [0.0, 0.0]
    with pytest.raises(KeyError, match="has an attribute 'kept' already"):
        module.register_buffer("kept", np.ones(2))


# ------------------------------------------------------------------ layers


def compare(ours, theirs, *inputs, tolerance=1e-10):
    """Value, gradient of the input and of every parameter, against PyTorch, in float64."""
    torch = pytest.importorskip("torch")
    ours.to(np.float64)
    theirs.to(torch.float64)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    for x in inputs:
        a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        ours.zero_grad()
        theirs.zero_grad()
        y, z = ours(a), theirs(b)
        weights = random(*y.shape, seed=9)
        np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=tolerance, atol=tolerance)
        y.backward(weights)
        z.backward(torch.tensor(weights))
        np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=tolerance, atol=tolerance)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=tolerance, atol=tolerance, err_msg=name)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "shapes"),
    [
        ("Linear", (4, 3), {}, [(5, 4), (4,), (2, 5, 4)]),
        ("Linear", (4, 3), {"bias": False}, [(5, 4)]),
        ("LayerNorm", (4,), {}, [(5, 4), (2, 3, 4)]),
        ("LayerNorm", ((3, 4),), {"eps": 0.1}, [(2, 3, 4)]),
        ("LayerNorm", (4,), {"bias": False}, [(5, 4)]),
        ("LayerNorm", (4,), {"elementwise_affine": False}, [(5, 4)]),
        ("BatchNorm1d", (4,), {}, [(5, 4), (6, 4)]),
        ("BatchNorm1d", (4,), {"momentum": 0.3, "eps": 0.1}, [(5, 4, 3), (2, 4, 2)]),
        ("BatchNorm1d", (4,), {"momentum": None}, [(5, 4), (6, 4), (7, 4)]),
        ("BatchNorm1d", (4,), {"affine": False}, [(5, 4), (5, 4, 2)]),
        ("BatchNorm1d", (4,), {"track_running_stats": False}, [(5, 4)]),
        ("PReLU", (), {}, [(5, 4), (4,)]),
        ("PReLU", (4,), {"init": 0.1}, [(5, 4), (2, 4, 3)]),
        ("Flatten", (), {}, [(5, 4), (2, 3, 4)]),
        ("Flatten", (0, 1), {}, [(2, 3, 4)]),
        ("Identity", (), {}, [(5, 4)]),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_layers_are_those_of_pytorch(name, args, kwargs, shapes, training):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    for p in ours.parameters():
        p.data += random(*p.shape, seed=4).astype(p.dtype)
    compare(ours.train(training), theirs.train(training), *(random(*shape, seed=i) for i, shape in enumerate(shapes)))


ACTIVATIONS = [
    ("ReLU", {}, None), ("LeakyReLU", {}, None), ("LeakyReLU", {"negative_slope": 0.3}, None), ("ReLU6", {}, None),
    ("Threshold", {"threshold": 0.2, "value": -1.0}, None), ("ELU", {}, None), ("ELU", {"alpha": 0.5}, None),
    ("SELU", {}, None), ("CELU", {"alpha": 0.5}, None), ("GELU", {}, None), ("GELU", {"approximate": "tanh"}, None),
    ("SiLU", {}, None), ("Mish", {}, None), ("HardSwish", {}, "Hardswish"), ("Sigmoid", {}, None),
    ("HardSigmoid", {}, "Hardsigmoid"), ("LogSigmoid", {}, None), ("Tanh", {}, None), ("HardTanh", {}, "Hardtanh"),
    ("HardTanh", {"min_val": -0.5, "max_val": 0.3}, "Hardtanh"), ("Tanhshrink", {}, None), ("Softsign", {}, None),
    ("Softplus", {}, None), ("Softplus", {"beta": 2.0, "threshold": 1.0}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "torch_name"), ACTIVATIONS)
def test_activation_modules_are_those_of_pytorch(name, options, torch_name):
    torch = pytest.importorskip("torch")
    tolerance = 1e-7 if name == "HardSigmoid" else 1e-10  # PyTorch's slope there is 1/6 in float32
    theirs = getattr(torch.nn, torch_name or name)(**options)
    compare(getattr(nn, name)(**options), theirs, 3 * random(5, 4), tolerance=tolerance)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_softmax_modules_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    compare(getattr(nn, name)(axis=0), getattr(torch.nn, name)(dim=0), random(5, 4))
    compare(getattr(nn, name)(), getattr(torch.nn, name)(dim=-1), random(5, 4))


def test_the_other_activations_pass_their_options_on():
    x = np.array([-1.0, 0.5, 2.0])
    assert nn.ThresholdedReLU(theta=0.75)(x).tolist() == [0.0, 0.0, 2.0]
    assert nn.HardSigmoid(slope=0.2)(x).data == pytest.approx([0.3, 0.6, 0.9])
    assert nn.Swish is nn.SiLU
    assert nn.SiLU(beta=0.0)(x).data == pytest.approx(x / 2)
    assert repr(nn.SiLU(beta=2.0)) == "SiLU(beta=2.0)"


def test_every_activation_module_can_be_named():
    for name in nn.activations.__all__:
        if name != "Threshold":
            assert any(isinstance(layer, getattr(nn, name)) for layer in nn.MLP(2, [3], 1, activation=name.lower()))


LOSSES = [
    ("MSELoss", {}, "numbers"), ("L1Loss", {}, "numbers"), ("HuberLoss", {"delta": 0.5}, "numbers"),
    ("SmoothL1Loss", {"beta": 0.5}, "numbers"), ("CrossEntropyLoss", {}, "classes"),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "ignore_index": 1}, "classes"),
    ("CrossEntropyLoss", {"weight": [1.0, 2.0, 3.0]}, "classes"), ("NLLLoss", {}, "classes"),
    ("NLLLoss", {"ignore_index": 1}, "classes"), ("BCEWithLogitsLoss", {}, "shares"),
    ("BCEWithLogitsLoss", {"pos_weight": [1.0, 2.0, 3.0]}, "shares"), ("BCELoss", {}, "probabilities"),
    ("KLDivLoss", {"reduction": "batchmean"}, "shares"), ("KLDivLoss", {"log_target": True}, "numbers"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:reduction.*'mean':UserWarning")
@pytest.mark.parametrize(("name", "options", "kind"), LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_loss_modules_are_those_of_pytorch(name, options, kind, reduction):
    torch = pytest.importorskip("torch")
    options = {"reduction": reduction} | options
    x, target = random(6, 3), random(6, 3, seed=1)
    if kind == "classes":
        target = np.array([0, 1, 2, 1, 0, 2])
    if kind in ("shares", "probabilities"):
        target = np.exp(target) / np.exp(target).sum(axis=1, keepdims=True)
    if kind == "probabilities":
        x = 1 / (1 + np.exp(-x))
    theirs = {
        key: torch.tensor(value, dtype=torch.float64) if key.endswith("weight") else value
        for key, value in options.items()
    }
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = getattr(nn, name)(**options)(a, target)
    expected = getattr(torch.nn, name)(**theirs)(b, torch.tensor(target))
    np.testing.assert_allclose(loss.data, expected.detach().numpy(), rtol=1e-10)
    loss.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_hinge_loss_is_zero_beyond_the_margin():
    scores = Tensor([0.5, 2.0, -0.5], requires_grad=True)
    loss = nn.HingeLoss(reduction="sum")(scores, np.array([1.0, 1.0, 1.0]))
    assert loss.item() == pytest.approx(0.5 + 0 + 1.5)


def test_embedding_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for padding in (None, 2, -1):
        ours = nn.Embedding(5, 3, padding_idx=padding).to(np.float64)
        theirs = torch.nn.Embedding(5, 3, padding_idx=padding, dtype=torch.float64)
        if padding is not None:
            assert (ours.weight.data[padding] == 0).all()
        ours.weight.data += 1.0
        theirs.load_state_dict({"weight": torch.from_numpy(ours.state_dict()["weight"])})
        indices = np.array([[0, 2, 2], [4, 4, 1]])
        y, z = ours(indices), theirs(torch.tensor(indices))
        np.testing.assert_array_equal(y.data, z.detach().numpy())
        weights = random(*y.shape)
        y.backward(weights)
        z.backward(torch.tensor(weights))
        np.testing.assert_allclose(ours.weight.grad.data, theirs.weight.grad.numpy(), rtol=1e-12)


def test_batch_norm_normalizes_the_batch_and_remembers_it():
    layer, x = nn.BatchNorm1d(3), 5 + 2 * random(1000, 3)
    y = layer(x).data
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-3)
    for _ in range(200):
        layer(x)
    np.testing.assert_allclose(layer.running_mean, x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(layer.running_var, x.var(axis=0, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(layer.eval()(x).data, y, atol=0.01)


def test_dropout_keeps_the_mean_and_lets_the_gradient_through_where_it_kept():
    tg.manual_seed(0)
    x = Tensor(np.ones(100_000), requires_grad=True)
    y = nn.Dropout(0.2)(x)
    assert (y.data == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert y.data.mean() == pytest.approx(1.0, abs=0.01)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)
    tg.manual_seed(0)
    np.testing.assert_array_equal(nn.Dropout(0.2)(x).data, y.data)


def test_layers_keep_float32():
    model = nn.Sequential(
        nn.Linear(4, 4), nn.BatchNorm1d(4), nn.SiLU(), nn.Dropout(0.5), nn.LayerNorm(4), nn.PReLU(), nn.Flatten()
    )
    x = Tensor(random(5, 4, dtype=np.float32), requires_grad=True)
    for mode in (True, False):
        y = model.train(mode)(x)
        assert y.dtype == np.float32
        y.sum().backward()
        assert x.grad.dtype == np.float32
        assert model[1].running_var.dtype == np.float32


def test_gradients_of_gradients_go_through_the_layers():
    layers = nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 1)
    model = nn.Sequential(*layers).to(np.float64).eval()
    assert tg.gradgradcheck(lambda x: (model(x) ** 2).sum(), [Tensor(random(3, 3), requires_grad=True)])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: nn.Linear(0, 2), ValueError, "Linear: in_features must be a positive integer, got 0"),
        (lambda: nn.Linear(2, 2.0), ValueError, "out_features must be a positive integer, got 2.0"),
        (lambda: nn.Linear(3, 2)(np.ones((5, 4))), ValueError, r"expected 3 features along the last axis.*\(5, 4\)"),
        (lambda: nn.MLP(3, [4], 2)[:](np.ones((5, 4))), ValueError, r"Linear '0': expected 3 features"),
        (lambda: nn.MLP(3, [4, 0], 2), ValueError, "each width in hidden must be a positive integer, got 0"),
        (lambda: nn.MLP(3, [4], 2, activation="rleu"), ValueError, "unknown activation 'rleu'; the nearest are .*relu"),
        (lambda: nn.MLP(3, [4], 2, activation=3), TypeError, "activation: expected a name"),
        (lambda: nn.MLP(3, [4], 2, dropout=1.0), ValueError, "below 1; got 1.0"),
        (lambda: nn.Dropout(-0.1), ValueError, "from 0 to below 1; got -0.1"),
        (lambda: nn.BatchNorm1d(3)(np.ones((2, 4))), ValueError, r"expected an input of shape \(N, 3\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones((1, 3))), ValueError, "more than one value per feature"),
        (lambda: nn.LayerNorm(3)(np.ones((2, 4))), ValueError, r"ends with the axes \(3,\), got shape \(2, 4\)"),
        (lambda: nn.Embedding(3, 2)(np.array([3])), IndexError, "indices go from 0 to 2"),
        (lambda: nn.Embedding(3, 2)(np.array([-1])), IndexError, "indices go from 0 to 2"),
        (lambda: nn.Embedding(3, 2)(np.array([0.5])), TypeError, "expected integers"),
        (lambda: nn.Flatten(3)(np.ones((2, 2))), ValueError, "no axes 3 to -1"),
        (lambda: nn.Sequential(nn.ReLU), TypeError, r"expected modules, got .*write nn.ReLU\(\) with brackets"),
        (lambda: nn.Sequential({"a.b": nn.ReLU()}), ValueError, "'a.b' cannot be the name"),
        (lambda: nn.Sequential({"forward": nn.ReLU()}), ValueError, "'forward' cannot be the name"),
    ],
)
def test_errors_say_what_was_wrong(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# ------------------------------------------------------------------ containers


def test_sequential_is_a_sequence():
    first, second = nn.Linear(2, 3), nn.ReLU()
    model = nn.Sequential({"in": first, "act": second})
    assert (len(model), model[0], model[-1], list(model)) == (2, first, second, [first, second])
    assert list(model[1:]) == [second]
    assert list(model.append(nn.Identity()).state_dict()) == ["in.weight", "in.bias"]
    assert len(model) == 3
    with pytest.raises(IndexError):
        model[3]


def test_linear_starts_like_pytorch():
    """Both weight and bias are uniform on +-1/sqrt(fan_in), so the largest is near the bound."""
    tg.manual_seed(0)
    layer = nn.Linear(100, 1000)
    for p in layer.parameters():
        assert 0.09 < np.abs(p.data).max() <= np.float32(0.1)
        assert p.data.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu", "gelu", "sigmoid", "softplus", "leaky_relu"])
def test_an_mlp_starts_with_a_signal_that_neither_dies_nor_explodes(activation):
    tg.manual_seed(0)
    model = nn.MLP(256, [256] * 10, 1, activation=activation)
    with tg.no_grad():
        y = model[:-1](random(500, 256)).data
    assert 0.2 < np.mean(y**2) < 5


def test_a_module_given_as_activation_is_copied_for_each_layer():
    model = nn.MLP(2, [3, 3], 1, activation=nn.PReLU())
    assert model[1] is not model[3]
    assert isinstance(nn.MLP(2, [3], 1, activation=nn.Tanh)[1], nn.Tanh)
    assert isinstance(nn.MLP(2, [3], 1, activation=tg.hard_sigmoid)[1], nn.HardSigmoid)
    assert nn.MLP(2, [3], 1, activation=lambda: nn.LeakyReLU(0.2))[1].negative_slope == 0.2
    assert [type(layer).__name__ for layer in nn.MLP(2, [], 1)] == ["Linear"]
    assert [layer.out_features for layer in nn.MLP(2, 5, 1) if isinstance(layer, nn.Linear)] == [5, 1]


def test_a_seed_gives_the_same_network():
    states = []
    for _ in range(2):
        tg.manual_seed(7)
        states.append(nn.MLP(5, [4], 3, batch_norm=True).state_dict())
    for name, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][name])


def test_an_mlp_learns_xor():
    tg.manual_seed(0)
    x, target = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])
    model = nn.MLP(2, [16], 2)
    optimizer, loss_of = optim.Adam(model.parameters(), lr=0.05), nn.CrossEntropyLoss()
    for _ in range(200):
        optimizer.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05
    assert (model(x).data.argmax(axis=1) == target).all()


def test_a_whole_training_run_is_that_of_pytorch():
    """Forward, loss, backward and Adam together: thirty steps on the same data end in the same weights."""
    torch = pytest.importorskip("torch")
    ours = nn.MLP(6, [8, 8], 3, activation="tanh", batch_norm=True).to(np.float64)
    t = torch.nn
    theirs = t.Sequential(
        t.Linear(6, 8), t.BatchNorm1d(8), t.Tanh(), t.Linear(8, 8), t.BatchNorm1d(8), t.Tanh(), t.Linear(8, 3)
    ).to(torch.float64)
    theirs.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    optimizer, reference = optim.Adam(ours.parameters(), lr=0.01), torch.optim.Adam(theirs.parameters(), lr=0.01)
    for step in range(30):
        x, target = random(16, 6, seed=step), np.random.default_rng(step).integers(3, size=16)
        optimizer.zero_grad()
        reference.zero_grad()
        loss = nn.CrossEntropyLoss()(ours(x), target)
        expected = t.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(target))
        loss.backward()
        expected.backward()
        norm = nn.utils.clip_grad_norm_(ours.parameters(), 0.5)
        assert norm == pytest.approx(t.utils.clip_grad_norm_(theirs.parameters(), 0.5).item(), rel=1e-9)
        optimizer.step()
        reference.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-6, atol=1e-9, err_msg=name)


# ------------------------------------------------------------------ functional and utils


def test_functional_has_the_same_functions_and_pytorchs_spellings():
    for name in ("relu", "cross_entropy", "linear", "softmax", "mse_loss"):
        assert getattr(nn.functional, name) is getattr(tg, name)
    for name, ours in (("hardtanh", "hard_tanh"), ("hardsigmoid", "hard_sigmoid"), ("hardswish", "hard_swish"),
                       ("logsigmoid", "log_sigmoid")):  # fmt: skip
        assert getattr(nn.functional, name) is getattr(tg, ours)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipping_by_norm_is_that_of_pytorch(norm_type, max_norm):
    torch = pytest.importorskip("torch")
    values = [random(3, 4), random(4, seed=1), random(seed=2)]
    ours = [nn.Parameter(v) for v in values] + [nn.Parameter([1.0])]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    for p, q, v in zip(ours, theirs, values):
        p.grad, q.grad = v, torch.tensor(v)
    norm = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type).item())
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-12)
    assert ours[-1].grad is None


def test_clipped_gradients_are_what_an_optimizer_uses():
    w = nn.Parameter([0.0, 0.0])
    optimizer = optim.SGD([w], lr=1.0)
    (w * np.array([3.0, 4.0])).backward([1.0, 1.0])
    nn.utils.clip_grad_norm_([w], 1.0)
    optimizer.step()
    np.testing.assert_allclose(w.data, [-0.6, -0.8], rtol=1e-5)


def test_a_norm_that_is_nan_is_told_if_asked():
    w = nn.Parameter([1.0])
    w.grad = [math.nan]
    with pytest.raises(RuntimeError, match="norm of the gradients is nan"):
        nn.utils.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert math.isnan(nn.utils.clip_grad_norm_([w], 1.0))


def test_parameters_go_into_a_vector_and_back():
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(model.parameters()), other.parameters())
    np.testing.assert_array_equal(model.weight.data, other.weight.data)
    np.testing.assert_array_equal(model.bias.data, other.bias.data)
    with pytest.raises(ValueError, match=r"expected a vector of 8 values, got shape \(7,\)"):
        nn.utils.vector_to_parameters(np.ones(7), other.parameters())


@pytest.mark.parametrize("bad", [np.array([["a", "b"]]), np.array([[1.0, None]]), np.array([[1j, 2.0]])])
def test_a_module_refuses_arrays_that_are_no_real_numbers(bad):
    with pytest.raises(TypeError, match="real numbers"):
        nn.Linear(2, 1)(bad)
