"""NaN, infinity, -0.0 and many coarse numbers: PyTorch's answers, and sums that rounding does not spoil."""

import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

INF, NAN = np.inf, np.nan
POINTS = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2, -3, 6, 50, 1e-310, INF, -INF, NAN])
ROWS = [
    [1.0, 2, 3], [1.0, 1, 0], [0.0, 0, 0], [-0.0, 0, 2], [NAN, 1, 2], [NAN, NAN, 1], [INF, 1, 2], [-INF, 1, 2],
    [INF, INF, 1], [-INF, -INF, -INF], [INF, -INF, 3], [NAN, INF, 1], [5.0], [0.0], [NAN], [INF], [3.0, -4, 0],
]  # fmt: skip
GRADIENTS = [1.0, 0.0, -2.0]


def elementwise(torch):
    F = torch.nn.functional
    same = (
        "abs", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "sin", "cos", "tan", "sinh",
        "cosh", "tanh", "reciprocal", "rsqrt",
    )  # fmt: skip
    found = {name: (getattr(tg, name), getattr(torch, name)) for name in same}
    for name in (
        "relu", "leaky_relu", "relu6", "elu", "selu", "celu", "softplus", "silu", "mish", "softsign", "tanhshrink",
        "gelu",
    ):  # fmt: skip
        found[name] = getattr(tg, name), getattr(F, name)
    for ours, theirs in (
        ("hard_sigmoid", "hardsigmoid"), ("hard_swish", "hardswish"), ("hard_tanh", "hardtanh"), ("sigmoid", "sigmoid"),
        ("log_sigmoid", "logsigmoid"),
    ):  # fmt: skip
        found[ours] = getattr(tg, ours), getattr(F, theirs)
    found["gelu tanh"] = lambda x: tg.gelu(x, approximate="tanh"), lambda x: F.gelu(x, approximate="tanh")
    found["clip"] = lambda x: tg.clip(x, -1, 2), lambda x: torch.clamp(x, -1, 2)
    for alpha in (0.5, 2.0):
        found[f"elu {alpha}"] = lambda x, a=alpha: tg.elu(x, alpha=a), lambda x, a=alpha: F.elu(x, alpha=a)
        found[f"celu {alpha}"] = lambda x, a=alpha: tg.celu(x, alpha=a), lambda x, a=alpha: F.celu(x, alpha=a)
    for p in (0, 1, 2, 3, 4, 5, 7, 0.5, -1, -2, 1.5, -0.5):
        found[f"** {p}"] = lambda x, p=p: x**p, lambda x, p=p: x**p
    return found


def along_an_axis(torch):
    F, norm = torch.nn.functional, torch.linalg.vector_norm
    found = {
        "sum": (tg.sum, torch.sum), "mean": (tg.mean, torch.mean), "prod": (tg.prod, torch.prod),
        "max": (tg.max, torch.max), "min": (tg.min, torch.min),
        "amax": (lambda x: tg.max(x, axis=0), lambda x: torch.amax(x, 0)),
        "amin": (lambda x: tg.min(x, axis=0), lambda x: torch.amin(x, 0)),
        "logsumexp": (lambda x: tg.logsumexp(x, axis=0), lambda x: torch.logsumexp(x, 0)),
        "softmax": (tg.softmax, lambda x: F.softmax(x, -1)),
        "log_softmax": (tg.log_softmax, lambda x: F.log_softmax(x, -1)),
        "cumsum": (lambda x: tg.cumsum(x, axis=0), lambda x: torch.cumsum(x, 0)),
        "std": (tg.std, lambda x: torch.std(x, correction=0)), "var": (tg.var, lambda x: torch.var(x, correction=0)),
    }  # fmt: skip
    for p in (2, 1, INF, 3, 1.5):
        found[f"norm {p}"] = lambda x, p=p: tg.norm(x, ord=p), lambda x, p=p: norm(x, p)
        found[f"norm {p}, axis"] = lambda x, p=p: tg.norm(x, ord=p, axis=0), lambda x, p=p: norm(x, p, 0)
    for name in ("l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss"):
        ours, theirs = getattr(tg, name), getattr(F, name)
        found[name] = lambda x, f=ours: f(x, x.detach() * 0 + 1), lambda x, f=theirs: f(x, x.detach() * 0 + 1)
    return found


def compare(name, ours, theirs, array, gradient, torch):
    x, t = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y, z = ours(x), theirs(t)
        (grad,) = tg.grad(y, x, np.full(y.shape, gradient))
        (expected,) = torch.autograd.grad(z, t, torch.full_like(z, gradient))
    for what, a, b in (("value", y.detach().numpy(), z.detach().numpy()), ("gradient", grad.numpy(), expected.numpy())):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12, err_msg=f"{what} of {name} at {array} times {gradient}")


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_elementwise_functions_are_pytorchs_at_special_values(gradient):
    torch = pytest.importorskip("torch")
    for name, (ours, theirs) in elementwise(torch).items():
        compare(name, ours, theirs, POINTS, gradient, torch)


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_functions_along_an_axis_are_pytorchs_at_special_values(gradient):
    torch = pytest.importorskip("torch")
    for name, (ours, theirs) in along_an_axis(torch).items():
        for row in ROWS:
            if not (name == "prod" and 0 in row):  # at infinity beside 0 PyTorch's own answers depend on the place
                compare(name, ours, theirs, np.array(row), gradient, torch)


SCORES = [[0.0, 1, -INF], [0.0, 2, 0], [1.0, INF, 0]]
TARGETS = {
    "classes": [0, 1, 2],
    "left out": [-100, 1, -100],
    "probabilities": [[1.0, 0, 0], [0.5, 0.5, 0], [0.0, 1, 0]],
}


@pytest.mark.parametrize("weight", [None, [0.5, 1.0, 2.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.25])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", TARGETS)
def test_cross_entropy_is_pytorchs_at_infinite_scores_and_weights_of_zero(kind, reduction, smoothing, weight):
    torch = pytest.importorskip("torch")
    options = {"reduction": reduction, "label_smoothing": smoothing}
    x, theirs = Tensor(SCORES, requires_grad=True), torch.tensor(SCORES, requires_grad=True)
    with np.errstate(all="ignore"):
        loss = tg.cross_entropy(x, np.array(TARGETS[kind]), weight=weight, **options)
        loss.sum().backward()
    weight = None if weight is None else torch.tensor(weight)
    wanted = torch.nn.functional.cross_entropy(theirs, torch.tensor(TARGETS[kind]), weight=weight, **options)
    wanted.sum().backward()
    np.testing.assert_allclose(loss.detach().numpy(), wanted.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(x.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_minus_zero_to_the_power_of_a_half_is_a_square_root_as_in_numpy_and_pytorch():
    for zero in (np.array([-0.0]), np.array(-0.0)):
        assert np.signbit((Tensor(zero) ** 0.5).numpy()).all()


def test_whole_powers_of_negative_numbers_are_exact_to_rounding():
    x = np.linspace(-3, 3, 1001, dtype=np.float32)
    for p in range(17):
        np.testing.assert_allclose((Tensor(x) ** p).numpy(), x.astype(np.float64) ** p, rtol=2e-6)
        assert (Tensor(x) ** float(p)).dtype == np.float32
    t = Tensor(np.array([-3, 2]))
    assert (t**5).tolist() == [-243, 32] and (t**5).dtype == np.int64


def test_the_slope_of_the_slope_of_a_norm_at_zero_is_not_zero_in_silence():
    with np.errstate(all="ignore"):
        for p in (2, 1.5):
            assert np.isnan(tg.hessian(lambda x, p=p: tg.norm(x, ord=p) ** 2, Tensor(np.zeros(2))).numpy()).all()
    exact = tg.hessian(lambda x: tg.norm(x) ** 2, Tensor(np.array([1.0, -2.0])))
    np.testing.assert_allclose(exact.numpy(), 2 * np.eye(2), atol=1e-12)


def test_softmax_over_nothing_is_nothing():
    x = Tensor(np.zeros((3, 0)), requires_grad=True)
    for function in (tg.softmax, tg.log_softmax):
        y = function(x, axis=1)
        y.sum().backward()
        assert y.shape == (3, 0)
        assert function(Tensor(np.zeros((0, 3))), axis=0).shape == (0, 3)
    assert tg.log_softmax(2.0) == 0 and tg.softmax(2.0) == 1


# ---------------------------------------------------------------------- many coarse numbers

N = 10**6
RNG = np.random.default_rng(0)
TALL = RNG.random((N, 10), dtype=np.float32)


def test_sums_of_a_million_float32_are_right_to_rounding():
    x = Tensor(TALL, requires_grad=True)
    exact = TALL.astype(np.float64)
    for ours, expected in [
        (x.sum(axis=0), exact.sum(0)), (x.mean(axis=0), exact.mean(0)), (x.T.sum(axis=1), exact.sum(0)),
        (x.sum(), exact.sum()), (x[:, :2].sum(), exact[:, :2].sum()), (x.var(axis=0), exact.var(0)),
        (x.std(axis=0), exact.std(0)), (x.norm(axis=0), np.linalg.norm(exact, axis=0)),
        (x.logsumexp(axis=0), np.log(np.exp(exact).sum(0))), (x.cumsum(axis=0)[-1], exact.sum(0)),
        (tg.einsum("ij->j", x), exact.sum(0)), (tg.einsum("ij->", x), exact.sum()),
        (tg.softmax(x, axis=0).sum(axis=0), np.ones(10)), (tg.mse_loss(x, np.zeros((N, 10))), (exact**2).mean()),
    ]:  # fmt: skip
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=6e-7)


def test_gradients_of_what_was_broadcast_over_a_million_rows_are_right_to_rounding():
    bias, weight = Tensor(np.zeros(10, np.float32), requires_grad=True), Tensor(np.eye(10, dtype=np.float32))
    exact = TALL.astype(np.float64).sum(0)
    for y in (bias + np.zeros((N, 10), np.float32), tg.linear(np.zeros((N, 10), np.float32), weight, bias)):
        bias.grad = None
        y.backward(TALL)
        np.testing.assert_allclose(bias.grad.numpy(), exact, rtol=6e-7)


def test_float16_overflows_only_where_the_result_does():
    n = 10**5
    ones = Tensor(np.ones(n, np.float16), requires_grad=True)
    mean = ones.mean()
    mean.backward()
    assert mean.item() == 1 and mean.dtype == np.float16
    assert ones.grad[0].item() == np.float16(1e-5)
    assert tg.mse_loss(ones, np.zeros(n, np.float16)).item() == 1
    assert abs(tg.softmax(ones).detach().numpy().astype(np.float64).sum() - 1) < 0.02
    assert abs(tg.log_softmax(ones)[0].item() + np.log(n)) < 0.01
    assert abs(tg.logsumexp(ones).item() - 1 - np.log(n)) < 0.01
    assert Tensor(np.full(4, 3e4, np.float16)).norm().item() == 6e4
    assert Tensor(np.full(4, 300, np.float16)).var().item() == 0
    assert Tensor(np.array([300, 300, 0.001], np.float16)).prod().item() == np.float16(90000 * float(np.float16(0.001)))
    x = Tensor(np.array([1e4, -1e4, 1.0], np.float16), requires_grad=True)
    with np.errstate(over="ignore"):
        y = tg.gelu(x, approximate="tanh")
        y.backward(np.ones(3))
    assert y.tolist()[:2] == [1e4, 0] and x.grad.tolist()[:2] == [1, 0] and abs(x.grad.tolist()[2] - 1.083) < 1e-2
    assert x.grad.dtype == y.dtype == np.float16


def test_half_of_a_normal_distribution_lies_below_its_middle():
    assert [tg.normal_cdf(np.zeros(2, dtype)).tolist() for dtype in (np.float64, np.float32)] == [[0.5, 0.5]] * 2
    assert tg.normal_cdf(np.float64(-0.0)) == 0.5
