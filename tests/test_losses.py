"""What the losses refuse, and that they stay finite; values and slopes are compared in test_ops."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

ELEMENTWISE = [
    tg.mse_loss, tg.l1_loss, tg.huber_loss, tg.smooth_l1_loss, tg.hinge_loss, tg.binary_cross_entropy,
    tg.binary_cross_entropy_with_logits, tg.kl_div,
]  # fmt: skip


@pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda f: f.__name__)
def test_shapes_that_do_not_match_raise_instead_of_broadcasting(loss):
    column, row = Tensor(np.full((4, 1), 0.5), requires_grad=True), np.full(4, 0.5)
    with pytest.raises(ValueError, match=rf"{loss.__name__}: .*\(4, 1\).*\(4,\)"):
        loss(column, row)


@pytest.mark.parametrize("loss", [*ELEMENTWISE, tg.cross_entropy, tg.nll_loss], ids=lambda f: f.__name__)
def test_unknown_reductions_raise(loss):
    target = np.array([0.5, 0.5]) if loss in ELEMENTWISE else np.array([0, 1])
    x = Tensor(np.full((2,) if loss in ELEMENTWISE else (2, 2), 0.5))
    with pytest.raises(ValueError, match='"mean", "sum" or "none", got \'average\''):
        loss(x, target, reduction="average")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_scores_of_ten_thousand_give_exact_losses_and_finite_gradients_without_warnings(dtype, size):
    scores = Tensor(np.array([[size, 0.0], [size, 0.0]], dtype=dtype), requires_grad=True)
    loss = tg.cross_entropy(scores, [0, 1], reduction="sum")
    assert loss.item() == 1e4
    loss.backward()
    assert np.isfinite(scores.grad.numpy()).all()

    score = Tensor(np.array([size, size], dtype=dtype), requires_grad=True)
    loss = tg.binary_cross_entropy_with_logits(score, np.array([0.0, 1.0], dtype=dtype), reduction="sum")
    assert loss.item() == 1e4 and loss.dtype == dtype
    loss.backward()
    assert np.isfinite(score.grad.numpy()).all()


def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_number_of_classes():
    assert tg.cross_entropy(Tensor(np.zeros((5, 10))), np.arange(5)).item() == pytest.approx(np.log(10))


def test_masked_classes_of_minus_infinity_do_not_spoil_the_loss():
    scores = Tensor(np.array([[0.0, -np.inf, 0.0]]), requires_grad=True)
    loss = tg.cross_entropy(scores, [2])
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2))
    np.testing.assert_allclose(scores.grad.numpy(), [[0.5, 0.0, -0.5]])


@pytest.mark.parametrize(
    "target, error, message",
    [
        ([0, 3], IndexError, r"class index 3(\.0)? at \(1,\) is not between 0 and 2"),
        ([-1, 0], IndexError, r"class index -1(\.0)? at \(0,\)"),
        ([0, 1, 2], ValueError, r"shape \(2,\), or probabilities of shape \(2, 3\)"),
        ([[0], [1]], ValueError, r"class indices of shape \(2,\)"),
        ([0.5, 1.0], TypeError, "whole numbers"),
    ],
)
def test_cross_entropy_says_what_is_wrong_with_a_target(target, error, message):
    with pytest.raises(error, match=f"cross_entropy: .*{message}"):
        tg.cross_entropy(Tensor(np.zeros((2, 3))), target)


def test_options_out_of_range_raise():
    x = Tensor([0.5, 2.0])
    for call in (
        lambda: tg.huber_loss(x, x, delta=0),
        lambda: tg.smooth_l1_loss(x, x, beta=-1),
        lambda: tg.binary_cross_entropy(x, x),
        lambda: tg.cross_entropy(x, 1, label_smoothing=2),
        lambda: tg.cross_entropy(x, 1, weight=[1.0]),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()


def test_zero_times_the_logarithm_of_zero_is_zero():
    assert tg.kl_div(Tensor([[0.25, 0.75]]).log(), Tensor([[0.0, 1.0]]), reduction="sum").item() == pytest.approx(
        -np.log(0.75)
    )


def test_hinge_loss_is_the_max_margin_loss():
    rng = np.random.default_rng(0)
    scores, signs = rng.normal(size=20), np.sign(rng.normal(size=20))
    expected = np.mean([max(0.0, 1 - y * s) for s, y in zip(scores, signs)])
    assert tg.hinge_loss(Tensor(scores), signs).item() == pytest.approx(expected)
