"""The training loop does what a loop written by hand does, checks what it is given, and keeps a true record."""

from __future__ import annotations

import copy
import csv
import pickle
import re
import sys

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data, nn, optim, plots


def moons(n=200):
    return data.moons(n, seed=0)


# ---------------------------------------------------------------------- fit


def test_fit_does_what_the_same_loop_in_pytorch_does():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 4, 20)
    ours = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4))
    theirs.load_state_dict({name: torch.from_numpy(a) for name, a in ours.state_dict().items()})
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.3)
    losses = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(torch.from_numpy(X)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    history = tg.fit(ours, X, y, optimizer="sgd", lr=0.3, epochs=6, batch_size=20)
    assert np.allclose(history["loss"], losses, rtol=1e-5)
    for name, array in theirs.state_dict().items():
        assert np.allclose(ours.state_dict()[name], array.numpy(), atol=1e-5)


def test_fit_finds_a_line_with_float_labels_of_either_shape():
    X = np.linspace(-1, 1, 64)[:, None]
    for y in (3 * X - 1, (3 * X - 1)[:, 0]):
        model = nn.Linear(1, 1)
        history = tg.fit(model, X, y, optimizer="sgd", lr=0.2, epochs=60, seed=0)
        assert model.weight.item() == pytest.approx(3, abs=1e-3) and model.bias.item() == pytest.approx(-1, abs=1e-3)
        assert history.columns == ["epoch", "loss", "lr", "seconds"]


def test_fit_one_output_with_a_loss_of_ones_own():
    X, y = moons()
    model = nn.MLP(2, [16], 1)
    history = tg.fit(model, X, y, loss=tg.binary_cross_entropy_with_logits, lr=0.05, epochs=30, seed=0)
    right = np.mean((tg.predict(model, X)[:, 0] > 0) == y)
    assert right > 0.95 and abs(history["accuracy"][-1] - right) < 0.05


def test_history_has_what_was_measured():
    X, y = moons()
    model = nn.MLP(2, [8], 2)
    history = tg.fit(model, X, y, epochs=4, validation=(X[:50], y[:50]), seed=0)
    assert history.columns == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert len(history) == 4 and history["epoch"].tolist() == [1, 2, 3, 4]
    outputs = tg.predict(model, X[:50])
    assert history["val_accuracy"][-1] == np.mean(outputs.argmax(axis=1) == y[:50])
    assert history["val_loss"][-1] == pytest.approx(float(tg.cross_entropy(outputs, y[:50])), rel=1e-5)
    assert (np.diff(history["seconds"]) > 0).all()
    assert history.best_epoch == 1 + int(np.argmin(history["val_loss"]))
    assert history[-1]["epoch"] == 4 and [row["epoch"] for row in history] == [1, 2, 3, 4]
    with pytest.raises(KeyError, match="no column 'acc', only epoch, loss"):
        history["acc"]


def test_the_epochs_loss_weighs_a_short_last_batch_by_its_rows():
    X, y = np.arange(5.0)[:, None], np.zeros(5)
    model = nn.Linear(1, 1)
    tg.fit(model, X, y, epochs=1)  # any weights
    expected = np.mean(tg.predict(model, X) ** 2)
    frozen = optim.SGD(model.parameters(), lr=0.0)
    history = tg.fit(model, X, y, optimizer=frozen, epochs=1, batch_size=2)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_fit_is_repeatable_by_its_seeds():
    X, y = moons()

    def run(seed):
        tg.manual_seed(7)
        model = nn.MLP(2, [8], 2, dropout=0.2)
        return tg.fit(model, X, y, epochs=3, validation=0.25, seed=seed)["val_loss"].tolist()

    assert run(1) == run(1) != run(2)


def test_fit_leaves_the_data_and_the_callers_arrays_alone():
    X, y = moons()
    before = X.copy(), y.copy()
    X.setflags(write=False)
    y.setflags(write=False)
    tg.fit(nn.MLP(2, [4], 2), X, y, epochs=1)
    assert np.array_equal(X, before[0]) and np.array_equal(y, before[1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8, bool])
def test_inputs_of_any_number_type_keep_the_models_dtype(dtype):
    model = nn.MLP(3, [4], 2)
    tg.fit(model, np.eye(3).astype(dtype), [0, 1, 1], epochs=2)
    assert all(p.dtype == np.float32 and p.grad.dtype == np.float32 for p in model.parameters())
    assert tg.predict(model, np.eye(3).astype(dtype)).dtype == np.float32


def test_early_stopping_brings_the_best_weights_back():
    X, y = moons(100)
    model = nn.MLP(2, [4], 2)
    states = []
    history = tg.fit(
        model, X, y, optimizer="sgd", lr=3.0, epochs=200, validation=0.3, patience=5, seed=1,
        callback=lambda history: states.append(model.state_dict()),
    )  # fmt: skip
    assert len(history) == min(200, history.best_epoch + 5)
    best = states[history.best_epoch - 1]
    assert all(np.array_equal(best[name], array) for name, array in model.state_dict().items())
    assert np.argmin(history["val_loss"]) == history.best_epoch - 1


def test_scheduler_and_callback():
    X, y = moons()
    model = nn.MLP(2, [4], 2)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    history = tg.fit(
        model, X, y, optimizer=optimizer, scheduler=optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5), epochs=3
    )
    assert history["lr"].tolist() == [1, 0.5, 0.25]

    def plateau(optimizer):
        return optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0)

    def flat(output, target):
        return (output * 0).sum()

    history = tg.fit(nn.Linear(2, 2), X, y, loss=flat, optimizer="sgd", lr=1.0, scheduler=plateau, epochs=3)
    assert np.allclose(history["lr"], [1, 1, 0.1])  # the second epoch was no better than the first
    history = tg.fit(model, X, y, epochs=9, callback=lambda history: len(history) == 2)
    assert len(history) == 2


def test_the_mode_is_training_while_it_trains_and_evaluation_afterwards():
    modes = []

    class Spy(nn.Module):
        def forward(self, x):
            modes.append((self.training, tg.is_grad_enabled()))
            return x

    X, y = moons(10)
    model = nn.Sequential(Spy(), nn.Linear(2, 2))
    tg.fit(model, X, y, epochs=1, batch_size=10, validation=(X, y))
    assert modes[-2:] == [(True, True), (False, False)] and not model.training
    model.train()
    tg.predict(model, X)
    assert modes[-1] == (False, False) and model.training and model[0].training


GOOD_X, GOOD_Y = np.ones((6, 2), np.float32), np.array([0, 1, 0, 1, 0, 1])


def spoiled(value):
    X = GOOD_X.copy()
    X[4, 1] = value
    return X


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": GOOD_X[:5]}, "X has 5 rows, but its labels have shape"),
        ({"X": GOOD_X[:0], "y": GOOD_Y[:0]}, "X has no rows"),
        ({"X": spoiled(np.nan)}, "X: there is nan in row 4, column 1"),
        ({"X": spoiled(-np.inf)}, "X: there is -inf in row 4, column 1"),
        ({"X": np.ones((6, 3))}, r"the model cannot take X, whose rows have shape \(3,\)"),
        ({"X": np.array([["a", "b"]] * 6)}, "X must be an array of numbers"),
        ({"y": np.array([0, 1, 2, 1, 0, 1])}, "the label 2 in row 2 is no class; the model has 2 outputs"),
        ({"y": np.array([0, 1, -1, 1, 0, 1])}, "the label -1 in row 2"),
        ({"y": np.array(["a"] * 6)}, "number the classes from 0"),
        ({"y": GOOD_Y * np.nan}, "the labels: there is nan in row 0"),
        ({"y": GOOD_Y * 1.0}, "integer labels"),
        ({"y": np.zeros((6, 1), int)}, "one for each row"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more, got 0"),
        ({"epochs": 1.5}, "epochs"),
        ({"batch_size": 0}, "batch_size must"),
        ({"patience": 0}, "patience must"),
        ({"validation": (GOOD_X, GOOD_Y, GOOD_Y)}, "a pair"),
        ({"validation": 1.0}, "leaves one part empty"),
        ({"validation": (spoiled(np.nan), GOOD_Y)}, "validation X: there is nan"),
        ({"optimizer": "adma"}, "unknown optimizer 'adma'; the nearest are adam"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(change, message):
    model = nn.MLP(2, [3], 2)
    before = model.state_dict()
    with pytest.raises(ValueError, match=message):
        tg.fit(model, **{"X": GOOD_X, "y": GOOD_Y, "epochs": 1, **change})
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_one_output_for_integer_labels_asks_for_a_loss():
    with pytest.raises(ValueError, match="binary_cross_entropy_with_logits"):
        tg.fit(nn.Linear(2, 1), GOOD_X, GOOD_Y)


def test_an_optimizer_that_is_set_up_takes_no_lr():
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="lr is for an optimizer given by name"):
        tg.fit(model, GOOD_X, GOOD_Y, optimizer=optim.SGD(model.parameters(), lr=0.1), lr=0.2)


def test_a_loss_that_is_no_tensor_of_one_element():
    with pytest.raises(TypeError, match="the loss must return a Tensor of one element"):
        tg.fit(nn.Linear(2, 2), GOOD_X, GOOD_Y, loss=lambda output, target: output)


def test_a_diverging_loss_stops_with_advice():
    X = np.linspace(-1, 1, 32)[:, None]
    with pytest.raises(FloatingPointError, match=r"became (nan|inf) in epoch \d+, at the learning rate 1e\+06. Try a"):
        tg.fit(nn.Linear(1, 1), X, 3 * X, optimizer="sgd", lr=1e6, epochs=100)


# ---------------------------------------------------------------------- compiled and not


def classes(**options):
    return nn.MLP(2, [8, 4], 2, **options), {}


def one_output():
    return nn.MLP(2, [8], 1), {"loss": tg.mse_loss}


def smoothed(output, target):
    return tg.cross_entropy(output, target, label_smoothing=0.2)


TRAININGS = {
    "sgd": lambda: classes() + ({"optimizer": "sgd", "lr": 0.1},),
    "adam": lambda: classes() + ({"optimizer": "adam", "lr": 0.02},),
    "adamw": lambda: classes() + ({"optimizer": "adamw", "lr": 0.02},),
    "rmsprop": lambda: classes() + ({"optimizer": "rmsprop"},),
    "dropout": lambda: classes(dropout=0.3) + ({},),
    "batch norm": lambda: classes(batch_norm=True) + ({},),
    "label smoothing": lambda: classes() + ({"loss": smoothed},),
    "mse with one output": lambda: one_output() + ({"optimizer": "sgd", "lr": 0.05},),
    "validation and patience": lambda: classes() + ({"validation": 0.3, "patience": 2, "lr": 0.3, "epochs": 12},),
    "falling rate": lambda: classes() + ({"scheduler": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=4)},),
    "plateau": lambda: classes() + ({"scheduler": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)},),
    "one batch": lambda: classes() + ({"batch_size": 1000},),
    "one row left over": lambda: classes() + ({"batch_size": 33},),
}


def trained(name, compile):
    """All that a training leaves behind: the History, the numbers of the model, the next random number."""
    tg.manual_seed(3)
    model, more, options = TRAININGS[name]()
    X, y = moons(100)
    if "mse" in name:
        y = y.astype(np.float32)
    history = tg.fit(model, X, y, seed=1, compile=compile, **{"epochs": 4, **more, **options})
    return history, model.state_dict(), tg.random.generator().random()


@pytest.mark.parametrize("name", TRAININGS)
def test_compiling_changes_no_bit(name):
    compiled, state, drawn = trained(name, True)
    eager, expected, expected_draw = trained(name, False)
    assert compiled.compiled is not None and compiled.not_compiled_because == ""
    assert eager.compiled is None and eager.not_compiled_because == "compile=False"
    assert drawn == expected_draw and state.keys() == expected.keys()
    for key, array in expected.items():
        assert state[key].tobytes() == array.tobytes(), key
    without_time = [{k: v for k, v in row.items() if k != "seconds"} for row in compiled]
    assert without_time == [{k: v for k, v in row.items() if k != "seconds"} for row in eager]


def test_the_compiled_step_is_that_of_full_batches_and_recorded_once(tmp_path):
    X, y = moons(100)
    history = tg.fit(nn.MLP(2, [4], 2, dropout=0.2), X, y, epochs=5, batch_size=32)
    assert history.compiled.signatures == ["X: (32, 2) float32, y: (32,) int64, training"]
    assert "def train_step(X, y, " in history.compiled.source
    history.compiled.save(tmp_path / "step.py")
    assert history.compiled.report().calls > 0
    for twin in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert twin.rows == history.rows and twin.compiled is None


def test_a_step_that_prints_trains_without_a_program(capsys):
    class Printing(nn.Module):
        def forward(self, x):
            print(x.shape)
            return x

    def printed(compile):
        X, y = moons(70)
        tg.fit(nn.Sequential(nn.Linear(2, 2), Printing()), X, y, epochs=3, compile=compile)
        return capsys.readouterr().out.splitlines()

    eager, compiled = printed(False), printed(True)
    assert eager.count("(32, 2)") == 1 + 6 and eager.count("(6, 2)") == 3  # once to try it
    assert compiled == eager


def branching(output, target):
    loss = tg.cross_entropy(output, target)
    return loss * 2 if loss < 0.1 else loss


def asking(output, target):
    return tg.cross_entropy(output, target) / float(np.abs(output.detach().numpy()).max() + 1)


KEPT = []


def keeping(output, target):
    KEPT.append(output)
    return tg.cross_entropy(output, target)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (branching, r"a branch or a loop\) at test_train.py:\d+ \(return loss \* 2 if loss < 0.1 else loss"),
        (asking, r"Python float is wanted at test_train.py:\d+"),
        (keeping, r"KEPT is a list, which may change unseen"),
    ],
)
def test_what_cannot_be_compiled_trains_without_and_says_why(loss, words):
    def run(compile):
        tg.manual_seed(0)
        model = nn.MLP(2, [8], 2, dropout=0.2)
        history = tg.fit(model, *moons(), loss=loss, epochs=3, seed=0, compile=compile)
        return history, model.state_dict()

    KEPT.clear()
    history, state = run(True)
    assert all(type(output._array) is np.ndarray for output in KEPT)
    assert history.compiled is None and re.search(words, history.not_compiled_because)
    expected, weights = run(False)
    assert history["loss"].tolist() == expected["loss"].tolist()
    assert all(state[name].tobytes() == array.tobytes() for name, array in weights.items())


def test_the_callback_may_change_what_the_program_goes_by():
    def run(compile):
        tg.manual_seed(0)
        model = nn.MLP(2, [8], 2)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def change(history):
            optimizer.param_groups[0]["lr"] *= 0.5
            model[0].weight.requires_grad = len(history) != 2
            model[2].bias.data = model[2].bias.data + 1

        tg.fit(model, *moons(), optimizer=optimizer, epochs=5, seed=0, callback=change, compile=compile)
        return model.state_dict()

    compiled, eager = run(True), run(False)
    assert all(compiled[name].tobytes() == array.tobytes() for name, array in eager.items())


def test_in_detect_anomaly_each_op_is_looked_at():
    with tg.detect_anomaly():
        history = tg.fit(nn.MLP(2, [4], 2), *moons(), epochs=2)
    assert history.compiled is None and "detect_anomaly" in history.not_compiled_because
    with tg.detect_anomaly(), pytest.raises(FloatingPointError, match="log: "):
        tg.fit(nn.MLP(2, [4], 2), *moons(), loss=lambda output, target: (output * 0).log().sum(), epochs=2)


@pytest.mark.parametrize("compile", [True, False])
@pytest.mark.parametrize("good", [0, 3])
def test_a_loss_that_is_not_finite_changes_no_weight(compile, good):
    """After some good epochs, or at once, all labels are so large that their squares are infinite."""
    X, y = np.ones((20, 2), np.float32), np.zeros(20, np.float32)
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters())
    state = [model.state_dict(), optimizer.state_dict()["state"]]

    def spoil(history):
        if len(history) == good:
            y[:] = 1e30
            state[:] = model.state_dict(), optimizer.state_dict()["state"]

    y[:] = 0 if good else 1e30
    with pytest.raises(FloatingPointError, match=f"became inf in epoch {good + 1}, at the learning rate 0.001. Try"):
        tg.fit(model, X, y, optimizer=optimizer, epochs=9, callback=spoil, compile=compile)
    assert all(np.array_equal(state[0][name], array) for name, array in model.state_dict().items())
    assert repr(optimizer.state_dict()["state"]) == repr(state[1])


# ---------------------------------------------------------------------- history


def test_history_to_csv_and_repr(tmp_path):
    X, y = moons()
    history = tg.fit(nn.MLP(2, [4], 2), X, y, epochs=12, validation=0.2, seed=0)
    history.to_csv(tmp_path / "metrics.csv")
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"].tolist()
    lines = repr(history).splitlines()
    assert lines[0].split() == history.columns and len(lines) < 10
    assert f"best: epoch {history.best_epoch}" in lines[-1]


def test_history_plot(tmp_path):
    pytest.importorskip("matplotlib")
    X, y = moons()
    history = tg.fit(nn.MLP(2, [4], 2), X, y, epochs=3, validation=0.2, seed=0)
    figure = history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    loss, accuracy = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch", "epoch"]
    drawn = {line.get_label(): line.get_ydata() for line in loss.lines}
    assert np.array_equal(drawn["training"], history["loss"])
    assert np.array_equal(drawn["validation"], history["val_loss"])
    assert accuracy.get_ylabel() == "accuracy (%)"
    assert any(f"epoch {history.best_epoch}" in text.get_text() for text in loss.get_legend().get_texts())
    assert len(tg.fit(nn.Linear(1, 1), np.ones((3, 1)), np.ones(3), epochs=1).plot().axes) == 1


def test_plot_without_matplotlib_names_the_extra(monkeypatch):
    history = tg.fit(nn.Linear(1, 1), np.ones((3, 1)), np.ones(3), epochs=1)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "tinygrad_relu\[plot\]"'):
        history.plot()


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_progress_is_for_terminals_only(monkeypatch, capsys, with_tqdm):
    if with_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)

    def run(**options):
        tg.fit(nn.Linear(1, 1), np.ones((3, 1)), np.ones(3), epochs=2, **options)
        return capsys.readouterr()

    assert run() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "loss" in run().err and run().out == ""
    assert run(progress=False).err == ""


# ---------------------------------------------------------------------- dead units


class Functional(nn.Module):
    """Calls relu as a function, and the same layer twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 5), nn.Linear(5, 5)

    def forward(self, x):
        x = self.first(x).relu()
        return tg.relu(self.second(tg.relu(self.second(x))))


def test_dead_units_agree_with_plain_numpy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 2)).astype(np.float32)
    model = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    model[0].bias.data[1] = -100
    model[3].bias.data[2] = -1e4
    first = np.maximum(X @ model[0].weight.data.T + model[0].bias.data, 0)
    second = np.maximum(first @ model[3].weight.data.T + model[3].bias.data, 0)
    for batch_size in (1000, 64, 1):
        report = tg.dead_units(model, X, batch_size=batch_size)
        assert report.rows == 700 and [layer.units for layer in report.layers] == [6, 4]
        for layer, values in zip(report.layers, (first, second)):
            assert layer.dead == np.flatnonzero((values == 0).all(axis=0)).tolist()
            assert layer.sparsity == pytest.approx((values == 0).mean(), abs=1e-3)
    assert 1 in report.layers[0].dead and 2 in report.layers[1].dead
    assert [layer.layer for layer in report.layers] == ["relu of 0.weight", "relu of 3.weight"]
    assert model.training and model[2].training and all(p.grad is None for p in model.parameters())


def test_a_unit_that_speaks_once_is_not_dead():
    X = -np.ones((500, 1), np.float32)
    layer = nn.Linear(1, 1)
    layer.weight.data[:], layer.bias.data[:] = 1, 0
    model = nn.Sequential(layer, nn.ReLU())
    assert tg.dead_units(model, X).dead == 1
    X[499] = 0.001
    assert tg.dead_units(model, X).dead == 0
    assert tg.dead_units(model, X).layers[0].sparsity == pytest.approx(499 / 500)


def test_dead_units_finds_functions_and_activations_before_any_weight():
    X = np.random.default_rng(0).normal(size=(20, 2))
    labels = [layer.layer for layer in tg.dead_units(Functional(), X).layers]
    assert labels == ["relu of first.weight", "relu of second.weight", "relu of second.weight"]
    assert [layer.units for layer in tg.dead_units(nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), X).layers] == [2]


@pytest.mark.parametrize(
    ("activation", "silent"),
    [("relu6", -1), ("hard_sigmoid", -4), ("hard_swish", -4), ("thresholded_relu", 0.5), ("relu", 0)],
)
def test_dead_units_of_other_activations(activation, silent):
    model = nn.MLP(1, [1], 1, activation=activation)
    model[0].weight.data[:], model[0].bias.data[:] = 0, silent
    assert tg.dead_units(model, np.ones((3, 1))).dead == 1
    model[0].bias.data[:] = 10  # relu6 and hard_sigmoid are flat there too, but not silent
    assert tg.dead_units(model, np.ones((3, 1))).dead == 0


def test_smooth_activations_have_no_dead_units():
    report = tg.dead_units(nn.MLP(2, [4], 2, activation="tanh"), np.ones((3, 2)))
    assert report.layers == [] and "no layer" in repr(report)
    with pytest.raises(ValueError, match="must have rows"):
        tg.dead_units(nn.Linear(2, 2), np.ones((0, 2)))


# ---------------------------------------------------------------------- what would silently do nothing


def test_an_optimizer_or_a_schedule_of_another_model_is_refused():
    X, y = data.moons(40, seed=0)
    model = nn.MLP(2, [4], 2)
    other = optim.SGD(nn.MLP(2, [4], 2).parameters(), lr=0.1)
    with pytest.raises(ValueError, match="none of this model's parameters"):
        tg.fit(model, X, y, optimizer=other)
    with pytest.raises(ValueError, match="the scheduler is one of another optimizer"):
        tg.fit(model, X, y, scheduler=optim.lr_scheduler.StepLR(other, 1))


def test_a_callback_stops_with_numpys_true_too():
    X, y = data.moons(40, seed=0)
    stop = lambda history: history["accuracy"][-1] >= 0  # noqa: E731  # a numpy.bool
    assert len(tg.fit(nn.MLP(2, [4], 2), X, y, epochs=9, callback=stop)) == 1
    assert len(tg.fit(nn.MLP(2, [4], 2), X, y, epochs=3, callback=len)) == 3  # 1 is not True


def test_a_class_of_optimizers_and_a_schedule_over_all_epochs():
    X, y = data.moons(40, seed=0)
    history = tg.fit(
        nn.MLP(2, [4], 2), X, y, optimizer=optim.SGD, lr=0.1, epochs=5,
        scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, 0.2, total_steps=5, cycle_momentum=False
        ),
    )  # fmt: skip
    assert len(history) == 5 and history["lr"].argmax() == 1


def test_batch_norm_gets_no_single_row_that_is_left_over():
    X, y = data.moons(65, seed=0)
    assert len(tg.fit(nn.MLP(2, [4], 2, batch_norm=True), X, y, batch_size=32, epochs=2)) == 2


def test_a_number_too_large_for_the_model_is_refused():
    X, y = np.full((4, 2), 1e300), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="there is inf in row 0, column 0"):
        tg.fit(nn.MLP(2, [4], 2), X, y)


def test_a_column_that_never_changes_can_be_drawn_too():
    pytest.importorskip("matplotlib")
    X = np.array([[0.0, 1e6], [1.0, 1e6]], np.float32)
    figure = plots.decision_boundary(lambda points: (points[:, 0] > 0.5).astype(int), X, np.array([0, 1]))
    low, high = figure.axes[0].get_ylim()
    assert low < 1e6 < high
