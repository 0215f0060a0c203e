"""Products with Jacobians and Hessians: against PyTorch, and against the rules that tie them together."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

rng = np.random.default_rng(0)
W = rng.normal(size=(3, 4))
A, B = rng.normal(size=4), rng.normal(size=(3,))


def ours(a, b):
    return tg.tanh(W @ a) * b + (a * a).sum()


def scalar(a, b):
    return (ours(a, b) ** 2).sum()


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def theirs(torch):
    weight = torch.tensor(W)
    return lambda a, b: torch.tanh(weight @ a) * b + (a * a).sum()


def tensors(torch):
    return torch.tensor(A), torch.tensor(B)


def test_jacobian_equals_pytorchs(torch):
    expected = torch.autograd.functional.jacobian(theirs(torch), tensors(torch))
    for found, wanted in zip(tg.jacobian(ours, (A, B)), expected):
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-12)


def test_hessian_equals_pytorchs(torch):
    f = theirs(torch)
    expected = torch.autograd.functional.hessian(lambda a, b: (f(a, b) ** 2).sum(), tensors(torch))
    for row, wanted_row in zip(tg.hessian(scalar, (A, B)), expected):
        for found, wanted in zip(row, wanted_row):
            np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-10, atol=1e-12)


def test_vjp_and_jvp_are_the_two_sides_of_one_jacobian():
    ja, jb = (j.numpy() for j in tg.jacobian(ours, (A, B)))
    u, va, vb = rng.normal(size=3), rng.normal(size=4), rng.normal(size=3)
    value, (ga, gb) = tg.vjp(ours, (A, B), u)
    np.testing.assert_allclose(value.numpy(), ours(Tensor(A), Tensor(B)).numpy())
    np.testing.assert_allclose(ga.numpy(), u @ ja, rtol=1e-12)
    np.testing.assert_allclose(gb.numpy(), u @ jb, rtol=1e-12)
    _, slope = tg.jvp(ours, (A, B), (va, vb))
    np.testing.assert_allclose(slope.numpy(), ja @ va + jb @ vb, rtol=1e-12)


def test_hvp_is_the_hessian_times_v_and_the_hessian_is_symmetric():
    va, vb = rng.normal(size=4), rng.normal(size=3)
    h = [[block.numpy() for block in row] for row in tg.hessian(scalar, (A, B))]
    np.testing.assert_allclose(h[0][0], h[0][0].T, rtol=1e-10)
    np.testing.assert_allclose(h[0][1], h[1][0].T, rtol=1e-10)
    _, (pa, pb) = tg.hvp(scalar, (A, B), (va, vb))
    np.testing.assert_allclose(pa.numpy(), h[0][0] @ va + h[0][1] @ vb, rtol=1e-10)
    np.testing.assert_allclose(pb.numpy(), h[1][0] @ va + h[1][1] @ vb, rtol=1e-10)


def test_functions_that_ignore_an_input_or_are_linear_have_zeros():
    assert tg.hessian(lambda x: x.sum(), Tensor([1.0, 2.0])).tolist() == [[0, 0], [0, 0]]
    _, (ga, gb) = tg.vjp(lambda a, b: a * 2, (Tensor([1.0]), Tensor([1.0])), [1.0])
    assert ga.tolist() == [2] and gb.tolist() == [0]
    assert tg.jvp(lambda x: Tensor([1.0]) + 0 * x, Tensor([1.0]), [1.0])[1].tolist() == [0]


def test_nothing_is_left_in_grad_or_in_the_callers_graph():
    x = Tensor([1.0, 2.0], requires_grad=True)
    tg.jacobian(lambda t: t * t, x)
    tg.hvp(lambda t: (t**3).sum(), x, [1.0, 1.0])
    assert x.grad is None and x.op is None


def test_wrong_calls_say_what_to_do():
    with pytest.raises(ValueError, match=r"hessian: .*scalar.*jacobian"):
        tg.hessian(lambda x: x * x, Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"jvp: .*\(3,\) for \(2,\)"):
        tg.jvp(lambda x: x * x, Tensor([1.0, 2.0]), [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match=r"vjp: .*one Tensor.*list"):
        tg.vjp(lambda x: [x, x], Tensor([1.0]))
    with pytest.raises(TypeError, match="grad: inputs must be a Tensor"):
        tg.grad(Tensor(1.0, requires_grad=True) * 2, 3.0)
