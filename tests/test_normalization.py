"""Batch and layer normalization where a mean and a variance are hard to come by: one value, none, no running ones."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import nn


def without_statistics(training=False):
    return nn.BatchNorm1d(3, track_running_stats=False).train(training)


def set_to_none():
    layer = nn.BatchNorm1d(3).eval()
    layer.running_mean = layer.running_var = None
    return layer


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
@pytest.mark.parametrize("make", [without_statistics, set_to_none, lambda: nn.BatchNorm1d(3)])
def test_one_value_per_feature_is_refused_where_the_batch_is_its_own_measure(make, shape):
    with pytest.raises(ValueError, match=r"more than one value per feature.*got shape .*Give more rows at once"):
        make()(np.ones(shape))


def test_the_refusals_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    for shape in [(1, 3), (2, 3), (1, 3, 1), (1, 3, 2), (0, 3), (0, 3, 2), (2, 3, 0)]:
        for tracked in (True, False):
            for training in (True, False):
                ours = nn.BatchNorm1d(3, track_running_stats=tracked).train(training)
                theirs = torch.nn.BatchNorm1d(3, track_running_stats=tracked).train(training)
                x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
                try:
                    expected = theirs(torch.from_numpy(x)).detach().numpy()
                except ValueError:
                    with pytest.raises(ValueError, match="more than one value"):
                        ours(x)
                else:
                    np.testing.assert_allclose(ours(x).data, expected, atol=1e-5)
                    if tracked:
                        np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-5)
                        np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-5)


@pytest.mark.parametrize("momentum", [0.1, None, 0.0, 1.0])
def test_remembering_can_be_switched_off_and_on_again_as_in_pytorch(momentum):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.BatchNorm1d(3, momentum=momentum), torch.nn.BatchNorm1d(3, momentum=momentum)
    rng = np.random.default_rng(0)
    for on in (True, False, True):
        ours.track_running_stats = theirs.track_running_stats = on
        x = rng.normal(size=(4, 3)).astype(np.float32)
        np.testing.assert_allclose(ours(x).data, theirs(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-5)
        np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-5)
        assert ours.num_batches_tracked == theirs.num_batches_tracked.item()
    np.testing.assert_allclose(ours.eval()(x).data, theirs.eval()(torch.from_numpy(x)).detach().numpy(), rtol=1e-4)


def test_one_running_number_without_the_other_is_refused():
    layer = nn.BatchNorm1d(3)
    layer.running_mean = None
    for training in (True, False):
        with pytest.raises(ValueError, match="set both running_mean and running_var to None, or none"):
            layer.train(training)(np.ones((2, 3)))


def test_running_numbers_set_by_hand_are_remembered_from_then_on():
    layer = nn.BatchNorm1d(2, track_running_stats=False, momentum=None)
    layer.running_mean, layer.running_var = np.zeros(2, np.float32), np.ones(2, np.float32)
    layer.track_running_stats = True
    layer(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert layer.running_mean.tolist() == [2.0, 3.0] and layer.num_batches_tracked == 1


@pytest.mark.parametrize("gone", ["weight", "bias"])
def test_a_weight_or_a_bias_may_be_taken_away(gone):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    kept = "bias" if gone == "weight" else "weight"
    getattr(ours, kept).data[:] = [1.0, 2.0, 3.0]
    getattr(theirs, kept).data[:] = torch.tensor([1.0, 2.0, 3.0])
    setattr(ours, gone, None)
    setattr(theirs, gone, None)
    for shape in [(4, 3), (4, 3, 3)]:
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(ours(x).data, theirs(torch.from_numpy(x)).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1), (0, 1), (1, 1)])
def test_layer_norm_over_one_value_gives_the_bias(shape):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.LayerNorm(1), torch.nn.LayerNorm(1)
    ours.bias.data[:] = 0.5
    theirs.bias.data[:] = 0.5
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_allclose(ours(x).data, theirs(torch.from_numpy(x)).detach().numpy())


def test_an_empty_batch_gives_an_empty_result_and_a_gradient_of_zero():
    layer = nn.BatchNorm1d(3)
    layer(np.ones((0, 3))).sum().backward()
    assert layer.weight.grad.tolist() == [0.0, 0.0, 0.0] and layer.num_batches_tracked == 0


# ------------------------------------------------------------------ predict and validation


def test_predict_leaves_no_row_alone_where_the_batch_is_the_measure():
    model = nn.Sequential(nn.Linear(2, 3), without_statistics(), nn.Linear(3, 2))
    X = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    outputs = tg.predict(model, X, batch_size=4)
    expected = np.concatenate([model.eval()(X[:4]).data, model(X[4:]).data])
    np.testing.assert_array_equal(outputs, expected)
    np.testing.assert_array_equal(tg.predict(model, X[:8], batch_size=4)[:4], outputs[:4])
    for rows, batch_size in ((1, 256), (5, 1)):
        with pytest.raises(ValueError, match="more than one value per feature"):
            tg.predict(model, X[:rows], batch_size=batch_size)


def test_validation_leaves_no_row_alone_either():
    X = np.random.default_rng(0).normal(size=(257, 2)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    model = nn.Sequential(nn.Linear(2, 3), without_statistics(), nn.Linear(3, 2))
    history = tg.fit(model, X, y, epochs=1, validation=(X, y))
    assert np.isfinite(history["val_loss"]).all()


def test_dead_units_are_counted_over_batches_that_leave_no_row_alone():
    model = nn.Sequential(nn.Linear(2, 3), without_statistics(), nn.ReLU(), nn.Linear(3, 2))
    X = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    assert tg.dead_units(model, X, batch_size=4).rows == 9
