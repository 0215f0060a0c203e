"""Initial weights: the moments that the papers derive, and what they are for: a signal that survives depth."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn

OUT, IN = 400, 300  # 120,000 draws: a standard deviation is known to about 0.2 %

SPREADS = [
    ("uniform_", {"low": -1.0, "high": 3.0}, 1.0, 4 / math.sqrt(12)),
    ("normal_", {"mean": 2.0, "std": 0.5}, 2.0, 0.5),
    ("xavier_uniform_", {}, 0.0, math.sqrt(2 / (IN + OUT))),
    ("xavier_normal_", {"gain": 5 / 3}, 0.0, 5 / 3 * math.sqrt(2 / (IN + OUT))),
    ("kaiming_uniform_", {"nonlinearity": "relu"}, 0.0, math.sqrt(2 / IN)),
    ("kaiming_normal_", {"nonlinearity": "relu"}, 0.0, math.sqrt(2 / IN)),
    ("kaiming_normal_", {"mode": "fan_out"}, 0.0, math.sqrt(2 / OUT)),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, 0.0, 1 / math.sqrt(3 * IN)),
    ("lecun_normal_", {}, 0.0, 1 / math.sqrt(IN)),
]


def weight(*shape, dtype=np.float64) -> Tensor:
    return Tensor(np.full(shape, np.nan, dtype), requires_grad=True)


@pytest.mark.parametrize(("name", "options", "mean", "std"), SPREADS)
def test_mean_and_spread_are_those_of_the_formula(name, options, mean, std):
    tg.manual_seed(1)
    w = weight(OUT, IN)
    assert getattr(nn.init, name)(w, **options) is w
    np.testing.assert_allclose(w.data.mean(), mean, atol=4 * std / math.sqrt(OUT * IN))
    np.testing.assert_allclose(w.data.std(), std, rtol=0.01)
    assert w.is_leaf


@pytest.mark.parametrize(("name", "fans"), [("xavier_uniform_", IN + OUT), ("kaiming_uniform_", IN)])
def test_uniform_draws_fill_their_interval_and_no_more(name, fans):
    bound = math.sqrt(6 / fans)
    tg.manual_seed(2)
    largest = np.abs(getattr(nn.init, name)(weight(OUT, IN)).data).max()
    assert 0.999 * bound < largest <= bound


@pytest.mark.parametrize(
    ("name", "options", "mean", "std"),
    [spread for spread in SPREADS if spread[0] != "lecun_normal_"],  # which PyTorch does not have
)
def test_the_spread_is_that_of_pytorch(name, options, mean, std):
    torch = pytest.importorskip("torch")
    torch_names = {"low": "a", "high": "b"}
    theirs = getattr(torch.nn.init, name)(
        torch.empty(OUT, IN), **{torch_names.get(k, k): v for k, v in options.items()}
    )
    ours = getattr(nn.init, name)(weight(OUT, IN), **options)
    np.testing.assert_allclose(ours.data.std(), theirs.numpy().std(), rtol=0.02)


def test_receptive_fields_count_in_the_fans():
    torch = pytest.importorskip("torch")
    ours = nn.init.kaiming_normal_(weight(200, 20, 5, 5))
    theirs = torch.nn.init.kaiming_normal_(torch.empty(200, 20, 5, 5))
    np.testing.assert_allclose(ours.data.std(), theirs.numpy().std(), rtol=0.02)


def test_constants():
    assert nn.init.zeros_(weight(2)).tolist() == [0, 0]
    assert nn.init.ones_(weight(2)).tolist() == [1, 1]
    assert nn.init.constant_(weight(2), 0.5).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 3, 2)])
def test_orthogonal_rows_or_columns(shape):
    w = nn.init.orthogonal_(weight(*shape), gain=2.0).data.reshape(shape[0], -1)
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_matrices_are_all_equally_likely():
    """For Haar's measure the diagonal has mean 0; plain QR without the signs gives it a bias of one sign."""
    tg.manual_seed(3)
    diagonals = [np.diag(nn.init.orthogonal_(weight(3, 3)).data) for _ in range(3000)]
    np.testing.assert_allclose(np.mean(diagonals, axis=0), 0, atol=0.05)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    if name == "leaky_relu":
        assert nn.init.calculate_gain(name, 0.3) == pytest.approx(torch.nn.init.calculate_gain(name, 0.3))


def test_kaiming_keeps_the_size_of_the_signal_through_fifty_relu_layers():
    """He et al. 2015: with sqrt(2 / fan_in) the mean square stays; with half that variance it halves in each layer."""
    tg.manual_seed(4)
    x = start = np.random.default_rng(0).normal(size=(200, 256))
    for _ in range(50):
        x = np.maximum(x @ nn.init.kaiming_normal_(weight(256, 256), nonlinearity="relu").data.T, 0)
    ratio = 2 * (x**2).mean() / (start**2).mean()
    assert 0.1 < ratio < 10  # 2**-50 without the factor 2


def test_orthogonal_keeps_every_length_through_a_deep_linear_network():
    x = np.random.default_rng(0).normal(size=(10, 64))
    y = x
    for _ in range(100):
        y = y @ nn.init.orthogonal_(weight(64, 64)).data.T
    np.testing.assert_allclose(np.linalg.norm(y, axis=1), np.linalg.norm(x, axis=1), rtol=1e-9)


def test_a_seed_gives_the_same_weights_in_every_dtype():
    drawn = []
    for dtype in (np.float32, np.float64):
        tg.manual_seed(5)
        drawn.append(nn.init.normal_(weight(10, 10, dtype=dtype)).data)
    assert drawn[0].dtype == np.float32
    np.testing.assert_array_equal(drawn[0], drawn[1].astype(np.float32))


def test_both_spellings_are_the_same_function():
    spelled_out = [name for name in nn.init.__all__ if name.endswith("_")]
    assert len(spelled_out) == 11
    for name in spelled_out:
        assert getattr(nn.init, name[:-1]) is getattr(nn.init, name)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.init.kaiming_normal_(weight(3)), r"need a weight of shape \(out, in\), got \(3,\)"),
        (lambda: nn.init.xavier_uniform_(weight(3)), r"need a weight of shape \(out, in\)"),
        (lambda: nn.init.kaiming_normal_(weight(3, 3), mode="fan"), "'fan_in' or 'fan_out', got 'fan'"),
        (lambda: nn.init.calculate_gain("rleu"), "expected one of .*relu.*got 'rleu'"),
    ],
)
def test_errors_say_what_was_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()
