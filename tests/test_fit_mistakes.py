"""What fit and predict are given: names and classes are taken where they can be meant, mistakes told before a step."""

from __future__ import annotations

import functools
import re
import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn, optim

L = optim.lr_scheduler
X, Y = data.moons(80, seed=0)


def classifier(*last):
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2), *last)


def one_output(*last):
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1), *last)


def refused(kind, message, model=None, X=X, y=Y, **options):
    """fit raises this, and neither the model nor the generator has changed."""
    model = classifier() if model is None else model
    tg.manual_seed(3)
    drawn = tg.random.generator().bit_generator.state
    before, modes = model.state_dict(), [module.training for module in model.modules()]
    with pytest.raises(kind, match=message):
        tg.fit(model, X, y, **{"epochs": 1, "seed": 0, "progress": False, **options})
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
    assert modes == [module.training for module in model.modules()]
    assert tg.random.generator().bit_generator.state == drawn


# ---------------------------------------------------------------------- what can be meant


def losses_of(loss, y=Y, make=classifier, **options):
    tg.manual_seed(0)
    return tg.fit(make(), X, y, loss=loss, epochs=2, seed=0, progress=False, **options)["loss"].tolist()


@pytest.mark.parametrize("loss", ["cross_entropy", "CrossEntropyLoss", "cross-entropy", nn.CrossEntropyLoss,
                                  nn.CrossEntropyLoss(), None])  # fmt: skip
def test_a_loss_by_its_name_its_class_or_itself(loss):
    assert losses_of(loss) == losses_of(tg.cross_entropy)


@pytest.mark.parametrize(
    ("names", "loss"),
    [
        (("mse", "mse_loss", "MSELoss", nn.MSELoss), tg.mse_loss),
        (("l1", "l1_loss", nn.L1Loss), tg.l1_loss),
        (("huber", "HuberLoss"), tg.huber_loss),
        (("smooth_l1", "SmoothL1Loss"), tg.smooth_l1_loss),
        (("bce_with_logits", "BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
         tg.binary_cross_entropy_with_logits),
    ],
)  # fmt: skip
def test_names_of_losses_for_one_output(names, loss):
    expected = losses_of(loss, make=one_output)
    for name in names:
        assert losses_of(name, make=one_output) == expected


def test_every_loss_has_a_name():
    from tinygrad_relu.train.choices import loss_of

    for name in tg.ops.losses.__all__:
        assert loss_of(name, Y) is getattr(tg, name)
    for name in nn.losses.__all__:
        found = loss_of(name, Y)
        assert type(found).__name__ == name or found.op.__name__ in (name, name.removesuffix("Loss"))


@pytest.mark.parametrize(
    "optimizer",
    ["sgd", "SGD", optim.SGD, functools.partial(optim.SGD), lambda parameters: optim.SGD(parameters)],
)
def test_an_optimizer_by_its_name_its_class_or_a_function(optimizer):
    expected = losses_of(
        None, optimizer=functools.partial(optim.SGD, lr=optim.SGD([nn.Parameter([1.0])]).defaults["lr"])
    )
    assert losses_of(None, optimizer=optimizer) == expected


def test_a_scheduler_by_its_class_or_a_function():
    def rates(scheduler):
        model = nn.Linear(2, 2)
        return tg.fit(model, X, Y, optimizer="sgd", lr=1.0, scheduler=scheduler, epochs=9, progress=False)[
            "lr"
        ].tolist()

    assert rates(functools.partial(L.ReduceLROnPlateau, patience=10)) == rates(L.ReduceLROnPlateau)
    assert rates(lambda optimizer: L.ExponentialLR(optimizer, 0.5)) == [0.5**k for k in range(9)]


def test_a_scheduler_of_ones_own_that_asks_for_the_loss_gets_it():
    class Watching:
        def __init__(self, optimizer):
            self.seen = []

        def step(self, metric):
            self.seen.append(metric)

    made = []
    history = tg.fit(
        nn.Linear(2, 2), X, Y, epochs=3, scheduler=lambda optimizer: made.append(Watching(optimizer)) or made[0]
    )
    assert made[0].seen == history["loss"].tolist()


# ---------------------------------------------------------------------- what cannot


class Sparse:
    """What scipy's sparse matrices have in common."""

    shape = (80, 2)

    def toarray(self):
        return X


class Returning(nn.Module):
    """A layer whose output becomes something else."""

    def __init__(self, change):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.change = change

    def forward(self, x):
        return self.change(self.layer(x))


@pytest.mark.parametrize(
    ("kind", "message", "options"),
    [
        (ValueError, "unknown loss 'cros_entropy'; the nearest are cross_entropy", {"loss": "cros_entropy"}),
        (ValueError, "unknown loss 'xyz'; there are binary_cross_entropy, ", {"loss": "xyz"}),
        (TypeError, "expected a loss as a name such as 'cross_entropy', .*got int 5", {"loss": 5}),
        (TypeError, "expected a loss .*got type int", {"loss": int}),
        (TypeError, "called with outputs and labels, .*which function relu cannot be", {"loss": tg.relu}),
        (TypeError, "called with outputs and labels", {"loss": lambda output: output.sum()}),
        (TypeError, "called with outputs and labels", {"loss": nn.ReLU}),
        (TypeError, "the loss must return a Tensor of one element, got None", {"loss": lambda o, t: None}),
        (TypeError, "a Tensor of one element, got one of shape .2,.; take its mean", {"loss": lambda o, t: o[0]}),
        (ValueError, "mse_loss: the prediction has shape", {"loss": "mse"}),
        (ValueError, "unknown optimizer 'sdg'; the nearest are sgd", {"optimizer": "sdg"}),
        (TypeError, "expected an optimizer as a name such as 'adam', .*got int 5", {"optimizer": 5}),
        (TypeError, "expected an optimizer .*got type Linear", {"optimizer": nn.Linear}),
        (TypeError, "expected an optimizer .*got type Optimizer", {"optimizer": optim.Optimizer}),
        (TypeError, "expected an optimizer .*got NoneType", {"optimizer": lambda parameters: None}),
        (TypeError, "lr must be a number", {"lr": "fast"}),
        (TypeError, r"StepLR\(optimizer, step_size, gamma=0.1\) takes more. Give a function such as lambda",
         {"scheduler": L.StepLR}),
        (TypeError, "CosineAnnealingLR.*takes more", {"scheduler": L.CosineAnnealingLR}),
        (TypeError, "expected a scheduler .*got str 'cosine'; the nearest are CosineAnnealingLR",
         {"scheduler": "cosine"}),
        (TypeError, "expected a scheduler .*got float 0.1", {"scheduler": 0.1}),
        (TypeError, "expected a scheduler .*got list", {"scheduler": []}),
        (TypeError, "must make a scheduler from the optimizer, but made NoneType", {"scheduler": lambda o: None}),
        (TypeError, "called with the optimizer, not the epoch, and failed", {"scheduler": lambda epoch: 0.1 * epoch}),
        (ValueError, "OneCycleLR steps once after each epoch, and ends after 1 step; for 2 epochs make it with",
         {"scheduler": lambda o: L.OneCycleLR(o, 0.1, total_steps=1), "epochs": 2}),
        (TypeError, "callback must be a function of the History, got int 5", {"callback": 5}),
        (TypeError, "callback must be a function of the History", {"callback": lambda: True}),
        (TypeError, "progress must be True or False, got str 'no'", {"progress": "no"}),
        (TypeError, "compile must be True or False, got NoneType", {"compile": None}),
        (ValueError, "seed must be a whole number, 0 or more, or None, got float 1.5", {"seed": 1.5}),
        (ValueError, "seed must be .*got int -1", {"seed": -1}),
        (ValueError, "seed must be .*got str 'a'", {"seed": "a"}),
        (TypeError, "validation is a share .*got str 'a'", {"validation": "a"}),
        (TypeError, r"validation is a share .*got ndarray of shape \(80, 2\)", {"validation": X}),
        (TypeError, "validation is a share .*got bool True", {"validation": True}),
        (ValueError, "leaves one part empty", {"validation": 20}),
        (ValueError, "the labels for validation are of another kind", {"validation": (X, Y * 1.0)}),
        (ValueError, "the labels for validation are of another kind", {"validation": (Y, X)}),
        (ValueError, "the validation label 2 in row 3 is no class", {"validation": (X[:4], np.array([0, 1, 0, 2]))}),
        (TypeError, "the labels must be an array .*got None", {"validation": (X, None)}),
        (TypeError, "the labels must be an array with one row for each example, got None", {"y": None}),
        (TypeError, "X must be an array with one row for each example, got None", {"X": None}),
        (ValueError, "must become numbers first", {"X": np.array([["a", 1.0]] * 80, dtype=object)}),
        (TypeError, "X: got a sparse", {"X": Sparse()}),
        (ValueError, "X cannot be made an array", {"X": [[1.0, 2.0], [3.0]]}),
        (TypeError, "X: the array has a mask that hides", {"X": np.ma.masked_greater(X, 0)}),
        (TypeError, "the labels: the array has a mask that hides", {"y": np.ma.masked_greater(Y, 0)}),
        (ValueError, "X has 1 row, but its labels", {"X": X[:1]}),
        (ValueError, "one number for each example, which the model cannot take", {"X": Y}),
        (ValueError, r"If X is one example, give X\[None\]", {"X": X[0], "y": np.array([0.0, 1.0])}),
    ],
)  # fmt: skip
def test_a_mistake_is_told_before_the_first_step(kind, message, options):
    refused(kind, message, **options)


@pytest.mark.parametrize(
    ("kind", "message", "change"),
    [
        (ValueError, "forward gave None back", lambda y: None),
        (TypeError, "expected one Tensor .*got a tuple of 2 things; let it return the one", lambda y: (y, y)),
        (TypeError, r"got an array of shape \(32, 2\); a plain array, .*carries no gradient", lambda y: y.data),
        (ValueError, "the loss depends on no parameter", lambda y: y.detach()),
        (ValueError, "the loss depends on no parameter", lambda y: Tensor(y.data)),
    ],
)
def test_a_forward_that_gives_something_else(kind, message, change):
    refused(kind, message, model=Returning(change))


def test_a_model_that_gives_something_else_in_evaluation_is_told_if_it_is_to_be_validated():
    class Two(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            return y if self.training else (y, y)

    refused(TypeError, "got a tuple of 2 things", model=Two(2, 2), validation=0.2)
    tg.fit(Two(2, 2), X, Y, epochs=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tg.fit(X, Y, classifier()), r"fit: the model comes first, as in fit\(model, X, y\); got an array"),
        (lambda: tg.fit(Y, X, classifier()), "the model comes first"),
        (lambda: tg.fit(X, classifier(), Y), "the model comes first"),
        (lambda: tg.fit(nn.MLP, X, Y), r"got the class MLP as a model; make one first: MLP\(...\)"),
        (lambda: tg.fit(lambda x: x, X, Y), "expected a model, which is an nn.Module, got function"),
        (lambda: tg.fit("mlp", X, Y), "expected a model, which is an nn.Module, got str 'mlp'"),
        (lambda: tg.predict(X, classifier()), r"predict: the model comes first, as in predict\(model, X\)"),
        (lambda: tg.predict(nn.Linear, X), "got the class Linear as a model"),
        (lambda: tg.predict(classifier(), None), "predict: X must be an array .*got None"),
        (lambda: tg.predict(classifier(), classifier()), "predict: X must be an array .*got Sequential"),
        (lambda: tg.predict(Returning(lambda y: (y, y)), X), "predict: expected one Tensor .*got a tuple of 2"),
        (lambda: tg.predict(Returning(lambda y: y.data), X), "predict: expected one Tensor .*got an array"),
        (lambda: tg.predict(Returning(lambda y: None), X), "forward gave None back"),
    ],
)
def test_a_model_is_a_module_and_comes_first(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, "a"])
def test_predict_takes_whole_batches(batch_size):
    with pytest.raises(ValueError, match="predict: batch_size must be a whole number, 1 or more, got"):
        tg.predict(classifier(), X, batch_size=batch_size)


def test_predict_gives_a_row_for_each_row():
    with pytest.raises(ValueError, match=r"X of shape \(2,\) has one number for each example.*give X\[None\]"):
        tg.predict(classifier(), X[0])
    with pytest.raises(ValueError, match=r"made an output of shape \(\) of 80 rows"):
        tg.predict(Returning(lambda y: y.mean()), X)

    class Column(nn.Linear):
        def forward(self, x):
            return super().forward(x.reshape(-1, 1))

    assert tg.predict(Column(1, 2), X[:, 0]).shape == (80, 2)
    assert tg.predict(nn.Embedding(3, 2), np.array([0, 2, 1])).shape == (3, 2)


# ---------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "loss", ["bce_with_logits", tg.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss(), "bce"]
)
@pytest.mark.parametrize("dtype", [int, float])
def test_labels_of_two_kinds_are_0_and_1(loss, dtype):
    model = one_output(nn.Sigmoid()) if loss == "bce" else one_output()
    y = Y.astype(dtype)
    y[79] = 2  # in no first batch
    refused(ValueError, "takes labels 0 and 1, .*; more classes need cross_entropy; the label in row 79 is 2",
            model, y=y, loss=loss)  # fmt: skip
    refused(ValueError, r"\(\(y \+ 1\) / 2 makes them of -1 and 1\)", model, y=(2 * Y - 1).astype(dtype), loss=loss)
    refused(ValueError, "the validation label in row 79 is 2", model, y=Y.astype(dtype), validation=(X, y), loss=loss)
    tg.fit(model, X, Y.astype(dtype), loss=loss, epochs=1)
    tg.fit(model, X, Y * 0.8 + 0.1, loss=loss, epochs=1)


def test_labels_of_the_hinge_loss_are_minus_1_and_1():
    refused(ValueError, r"-1 and 1 \(2 \* y - 1 makes them of 0 and 1\); the label in row \d+ is 0",
            one_output(), loss="hinge")  # fmt: skip
    history = tg.fit(one_output(), X, 2 * Y - 1, loss="hinge", epochs=2)
    assert history["accuracy"][-1] > 0.3


def test_targets_that_the_loss_makes_itself_are_looked_at_too():
    def from_signs(output, y):
        return tg.binary_cross_entropy_with_logits(output, (y + 1) / 2)

    tg.fit(one_output(), X, 2 * Y - 1, loss=from_signs, epochs=1)
    refused(ValueError, "the target in row", one_output(), y=3 * Y, loss=from_signs)


@pytest.mark.parametrize("loss", [None, "cross_entropy", tg.cross_entropy, nn.CrossEntropyLoss()])
@pytest.mark.parametrize("label", [2, -1])
def test_a_label_that_is_no_class_is_found_in_any_row(loss, label):
    y = Y.copy()
    y[79] = label
    refused(ValueError, f"the label {label} in row 79 is no class; the model has 2 outputs, for labels from 0 to 1",
            y=y, loss=loss)  # fmt: skip


def test_labels_to_be_ignored_are_no_mistake():
    y = Y.copy()
    y[70:] = -100
    tg.fit(classifier(), X, y, loss=nn.CrossEntropyLoss(), epochs=1)
    y[70:] = 7
    tg.fit(classifier(), X, y, loss=nn.CrossEntropyLoss(ignore_index=7), epochs=1)
    tg.fit(classifier(), X, np.eye(2)[Y], loss="cross_entropy", epochs=1)  # probabilities


def test_one_output_leaves_nothing_to_choose_from():
    refused(ValueError, "cross_entropy chooses among classes, and one output leaves no choice",
            one_output(), loss="cross_entropy")  # fmt: skip
    refused(ValueError, "softmax over a single number is the same for all weights",
            one_output(nn.Softmax()), y=Y * 1.0, loss="mse")  # fmt: skip


# ---------------------------------------------------------------------- scores and probabilities


def negative_log(output, y):
    return tg.nll_loss(tg.log_softmax(output), y)


@pytest.mark.parametrize(
    ("model", "loss", "words"),
    [
        (
            classifier(nn.Softmax()),
            None,
            "cross_entropy takes scores and applies softmax itself, but gets what softmax",
        ),
        (classifier(nn.Softmax()), nn.CrossEntropyLoss(label_smoothing=0.1), "applies softmax itself"),
        (classifier(nn.Sigmoid()), None, "applies softmax itself, but gets what sigmoid has made"),
        (classifier(nn.LogSoftmax()), None, "cross_entropy applies log_softmax itself; a second time changes nothing"),
        (classifier(), lambda o, y: tg.cross_entropy(tg.softmax(o), y), "applies softmax itself"),
        (classifier(), lambda o, y: tg.cross_entropy(tg.softmax(o)[:, ::1], y), "applies softmax itself"),
        (classifier(nn.Softmax()), negative_log, ""),
        (one_output(nn.Sigmoid()), "bce_with_logits", "applies sigmoid itself, but gets what sigmoid has made"),
        (one_output(nn.Sigmoid(), nn.Flatten(0)), "bce_with_logits", "applies sigmoid itself"),
        (one_output(nn.LogSigmoid()), "bce_with_logits", "takes scores, but gets the logarithms that log_sigmoid"),
        (classifier(nn.Softmax()), "nll", "nll_loss takes log-probabilities, .* but gets softmax up to"),
        (Returning(lambda y: y + 5), "nll", "nll_loss takes log-probabilities, which are never above 0"),
    ],
)
def test_what_a_loss_does_itself_is_told_once(model, loss, words):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tg.fit(model, X, Y, loss=loss, epochs=3, batch_size=16)
    assert [warning.filename for warning in caught] == [__file__] * bool(words)
    assert all(re.search(words, str(warning.message)) for warning in caught)


@pytest.mark.parametrize(
    ("model", "loss", "y"),
    [
        (classifier(), None, Y),
        (classifier(nn.LogSoftmax()), nn.NLLLoss(), Y),
        (classifier(), negative_log, Y),
        (one_output(nn.Sigmoid()), nn.BCELoss(), Y),
        (one_output(nn.Sigmoid()), "mse", Y),
        (classifier(nn.Softmax()), "mse", np.eye(2)[Y]),
        (classifier(nn.Softmax()), lambda o, y: tg.nll_loss(tg.log(o), y), Y),
        (classifier(nn.Softmax()), lambda o, y: tg.cross_entropy(o * 10, y), Y),
        (nn.Sequential(nn.Linear(2, 4), nn.Softmax(), nn.Linear(4, 2)), None, Y),
        (nn.Sequential(nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 1)), "bce_with_logits", Y),
        (classifier(nn.LogSoftmax()), "kl_div", np.eye(2)[Y]),
        (classifier(nn.Tanh()), None, Y),
        (one_output(), lambda o, y: tg.mse_loss(y, o), Y * 1.0),  # the other way round, which is the same
        (classifier(), lambda o, y: tg.kl_div(np.log([[0.5, 0.5]] * len(y)), tg.softmax(o)), Y),
        (one_output(), lambda o, y: tg.cross_entropy(tg.stack([o[:, 0], -o[:, 0]], axis=1), y[:, 0].astype(int)), Y),
    ],
)
def test_right_losses_raise_no_alarm(model, loss, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tg.fit(model, X, y, loss=loss, epochs=1)


def test_a_model_with_probabilities_in_evaluation_only_raises_no_alarm():
    class Classifier(nn.Linear):
        def forward(self, x):
            scores = super().forward(x)
            return scores if self.training else tg.softmax(scores)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Classifier(2, 2)
        tg.fit(model, X, Y, epochs=1)
    assert np.allclose(tg.predict(model, X).sum(axis=1), 1)


# ---------------------------------------------------------------------- what nobody would train


def test_layers_in_a_list_are_refused():
    class Net(nn.Module):
        def __init__(self, wrap):
            super().__init__()
            self.layers = wrap([nn.Linear(2, 3), nn.Linear(3, 2)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    with pytest.raises(ValueError, match=r"fit: Net: layers\[0\] is a Linear in a plain list.*nn.ModuleList\(...\)"):
        tg.fit(Net(list), X, Y)
    assert len(tg.fit(Net(nn.ModuleList), X, Y, epochs=1)) == 1


def test_a_layer_that_the_model_does_not_list_is_refused():
    outside = nn.Linear(2, 2)
    refused(ValueError, r"depends on a Parameter '(weight|bias)' of shape .* that Returning.parameters\(\) does",
            Returning(lambda y: outside(y)))  # fmt: skip
    scale = Tensor([1.0, 1.0], requires_grad=True)
    refused(ValueError, r"depends on a Tensor of shape \(2,\)", Returning(lambda y: y * scale))
    outside.requires_grad_(False)
    tg.fit(Returning(lambda y: outside(y)), X, Y, epochs=1)

    model = Returning(lambda y: y * scale)  # the optimizer trains it
    tg.fit(model, X, Y, optimizer=optim.SGD([*model.parameters(), scale], lr=0.1), epochs=1)
    assert scale.tolist() != [1.0, 1.0]


def test_nothing_to_learn_is_refused():
    refused(ValueError, "ReLU has no parameters, and so nothing to learn", nn.ReLU())
    refused(ValueError, "the loss depends on no parameter", classifier().requires_grad_(False))
    refused(ValueError, "depends on no parameter", loss=lambda o, y: tg.cross_entropy(o.detach(), y))
    with tg.no_grad():
        refused(ValueError, "no_grad")
    head = classifier()
    head[0].requires_grad_(False)
    tg.fit(head, X, Y, epochs=1)


# ---------------------------------------------------------------------- the rehearsal leaves no trace


def test_the_rehearsal_leaves_everything_as_it_was():
    model = nn.MLP(2, [4], 2, batch_norm=True, dropout=0.5)
    model[1].register_buffer("counted", np.zeros(1))
    model.eval()
    arrays = dict(model.named_buffers())
    before = model.state_dict()

    def impossible(output, y):
        assert model.training
        model[1].counted += 1
        raise ValueError("not today")

    refused(ValueError, "not today", model, loss=impossible)
    assert all(p.grad is None for p in model.parameters())
    for name, buffer in model.named_buffers():
        assert buffer is arrays[name] and np.array_equal(buffer, before[name])


def test_the_first_rows_and_all_their_number_are_tried():
    seen = []

    def watched(output, y):
        seen.append(len(y))
        return tg.cross_entropy(output, y)

    tg.fit(classifier(), X, Y, loss=watched, batch_size=40, epochs=1, compile=False)
    assert seen == [40, 40, 40]


def test_one_row_is_too_few_for_batch_norm():
    for options in ({"X": X[:1], "y": Y[:1]}, {"batch_size": 1}):
        refused(ValueError, "more than one value per feature", nn.MLP(2, [4], 2, batch_norm=True), **options)


def test_the_best_epoch_is_the_first_with_a_number():
    history = tg.History()
    for epoch, loss in enumerate([np.nan, np.nan, 3.0, np.nan, 2.0, np.nan, 4.0], start=1):
        history.append({"epoch": epoch, "loss": loss})
        assert history.best_epoch == {1: 1, 2: 1, 3: 3, 4: 3}.get(epoch, 5)
