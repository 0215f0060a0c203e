"""Mistakes that beginners make with modules: each gets a sentence that says what to write instead."""

from __future__ import annotations

import pathlib
import warnings

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim

X = np.ones((3, 2), np.float32)
T = Tensor(X)
ALL = [*nn.activations.__all__, *nn.losses.__all__, *nn.layers.__all__, *nn.normalization.__all__]


# ------------------------------------------------------------------ data where options are expected


@pytest.mark.parametrize("data", [T, X, Tensor(1.0)], ids=["Tensor", "array", "number"])
@pytest.mark.parametrize("name", [name for name in ALL if name not in ("Sequential", "ModuleList")])
def test_a_module_is_made_first_and_called_then(name, data):
    if name in ("CrossEntropyLoss", "NLLLoss") and data.ndim == 0:
        data = T
    with pytest.raises(TypeError, match=rf"{nn.__dict__[name].__name__}: got an? .*Make it first, then call it: nn\."):
        getattr(nn, name)(data)


@pytest.mark.parametrize("name", nn.losses.__all__)
@pytest.mark.parametrize("target", [np.array([0, 1, 1]), T, X])
def test_a_loss_class_is_not_called_with_outputs_and_labels(name, target):
    with pytest.raises(TypeError, match=rf"Make it first, then call it: nn\.{name}\(\)\(input, target\)"):
        getattr(nn, name)(T, target)


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: nn.ReLU(T), r"nn\.ReLU\(\)\(x\)"),
        (lambda: nn.Linear(T), r"nn\.Linear\(in_features, out_features\)\(x\)"),
        (lambda: nn.Embedding(T), r"nn\.Embedding\(num_embeddings, embedding_dim\)\(indices\)"),
        (lambda: nn.Linear(2, 3, T), r"nn\.Linear\("),
        (lambda: nn.Threshold(T), r"nn\.Threshold\(threshold, value\)\(x\)"),
        (lambda: nn.Softmax(axis=T), r"nn\.Softmax\(\)\(x\)"),
        (lambda: nn.BatchNorm1d(2, eps=X), r"nn\.BatchNorm1d\(num_features\)\(x\)"),
        (lambda: nn.MLP(2, [3], 2, T), r"nn\.MLP\(in_features, hidden, out_features\)\(x\)"),
    ],
)
def test_the_advice_can_be_copied(call, advice):
    with pytest.raises(TypeError, match=f"then call it: {advice}"):
        call()


def test_arrays_that_are_options_stay_so():
    weight = np.array([1.0, 3.0])
    loss = nn.CrossEntropyLoss(weight)(T, np.array([0, 1, 1]))
    assert loss.item() == pytest.approx(np.log(2))
    assert nn.CrossEntropyLoss(weight=Tensor(weight))(T, np.array([0, 1, 1])).item() == pytest.approx(loss.item())
    assert nn.BCEWithLogitsLoss(pos_weight=Tensor(weight))(T, X).item() > 0
    assert [len(nn.MLP(2, widths, 1)) for widths in (np.array([3, 3]), (3, 3), np.int64(3))] == [5, 5, 3]
    assert nn.LayerNorm(np.array([2]))(X).shape == (3, 2)
    assert nn.LayerNorm(np.int64(2))(X).shape == (3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Softmax(dim=1), r"Softmax: got an unexpected keyword argument 'dim'. .* nn\.Softmax\(axis=-1\)"),
        (lambda: nn.ReLU(inplace=True), r"ReLU: got an unexpected keyword argument 'inplace'. .* nn\.ReLU\(\)$"),
        (lambda: nn.Linear(2), r"missing a required argument: 'out_features'.*nn\.Linear\(in_features, out_features"),
        (lambda: nn.MSELoss(True), "MSELoss: reduction must be text, got bool True"),
        (lambda: nn.CrossEntropyLoss("sum"), "CrossEntropyLoss: weight must be numbers, got str 'sum'"),
        (lambda: nn.Softmax([1.0, 2.0]), r"Softmax: axis must be a whole number, got list \[1.0, 2.0\]"),
        (lambda: nn.LeakyReLU("0.1"), "LeakyReLU: negative_slope must be a number, got str '0.1'"),
        (lambda: nn.GELU(True), "GELU: approximate must be text, got bool True"),
        (lambda: nn.Dropout(None), "Dropout: p must be a number, got NoneType None"),
        (lambda: nn.Dropout(True), "Dropout: p must be a number, got bool True"),
        (lambda: nn.Linear(2, 3, "no"), "Linear: bias must be True or False, got str 'no'"),
        (lambda: nn.Linear(2, 3, 4), "Linear: bias must be True or False, got int 4"),
        (lambda: nn.BatchNorm1d(2, momentum="a"), "BatchNorm1d: momentum must be a number, got str 'a'"),
        (lambda: nn.Flatten("a"), "Flatten: start_axis must be a whole number, got str 'a'"),
        (lambda: nn.MLP(2, None, 2), r"MLP: hidden must be the widths .*, as in \[16, 16\], got None"),
        (lambda: nn.Sequential([nn.ReLU(), nn.ReLU()]), "give nn.Sequential them one by one, nn.ModuleList in a list"),
        (lambda: nn.Sequential(tg.relu), r"a function; write its module, such as nn.ReLU\(\), instead of tg.relu"),
        (lambda: nn.Sequential(nn.ReLU)[0], r"write nn.ReLU\(\) with brackets"),
        (lambda: nn.ModuleList(nn.ReLU()), "ModuleList: expected a list of modules, got ReLU"),
        (lambda: nn.Sequential(nn.ReLU())["0"], r"by position, as in model\[0\]; by name it is model.0"),
    ],
)  # fmt: skip
def test_other_options_are_told_too(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_classes_of_ones_own_are_made_as_they_like():
    class Scale(nn.Module):
        def __init__(self, factors):
            super().__init__()
            self.factors = nn.Parameter(factors)

        def forward(self, x):
            return x * self.factors

    assert Scale(np.array([2.0, 3.0]))(X).tolist() == [[2.0, 3.0]] * 3

    class Plain(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(TypeError, match=r"Plain: too many positional arguments. It is made as Plain\(\)"):
        Plain(3)


# ------------------------------------------------------------------ inputs


@pytest.mark.parametrize("number", [1.0, Tensor(1.0), 3])
def test_a_number_is_no_row_of_features(number):
    for model in (nn.Linear(2, 2), nn.MLP(2, [3], 2)):
        with pytest.raises(ValueError, match=r"Linear.*: expected 2 features along the last axis .* got shape \(\)"):
            model(number)
    with pytest.raises(ValueError, match="expected 1 feature along the last axis"):
        nn.Linear(1, 2)(number)
    with pytest.raises(ValueError, match=r"ends with the axes \(2,\), got shape \(\)"):
        nn.LayerNorm(2)(number)
    with pytest.raises(ValueError, match=r"expected an input of shape \(N, 2\)"):
        nn.BatchNorm1d(2)(number)
    with pytest.raises(ValueError, match="no axes 1 to -1"):
        nn.Flatten()(number)


@pytest.mark.parametrize("layer", [nn.Linear(2, 2), nn.LayerNorm(2), nn.BatchNorm1d(2), nn.Flatten(), nn.ReLU()])
def test_lists_and_arrays_of_other_makes_are_the_same_input(layer):
    rows = [[1.0, 2.0], [3.0, 5.0]]
    expected = layer(np.array(rows, np.float32)).data
    np.testing.assert_allclose(layer(rows).data, expected)
    np.testing.assert_allclose(layer(np.array(rows, np.float32).view(np.matrix)).data, expected)
    np.testing.assert_allclose(layer(np.ma.array(rows, dtype=np.float32, mask=False)).data, expected)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.array(rows, np.float32), index=[7, 3], columns=["b", "a"])
    np.testing.assert_allclose(layer(frame).data, expected)


def test_a_forward_without_return_is_named():
    class Forgetful(nn.Module):
        def forward(self, x):
            x * 2

    for model in (Forgetful(), nn.Sequential(Forgetful(), nn.ReLU())):
        with pytest.raises(TypeError, match="Forgetful: forward gave None back; let it end with: return"):
            model(X)


# ------------------------------------------------------------------ names


TAKEN = ["modules", "parameters", "children", "train", "eval", "apply", "to", "buffers", "zero_grad", "state_dict",
         "forward", "extra_repr"]  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("value", [[1], {}, 3, nn.ReLU(), nn.Parameter([1.0]), nn.ReLU, Tensor([1.0])])
def test_a_name_that_every_module_needs_is_refused(name, value):
    model = nn.Linear(2, 2)
    with pytest.raises(AttributeError, match=rf"Linear: every module has a method {name}\(\).*choose another name"):
        setattr(model, name, value)
    assert len(list(model.parameters())) == 2 and model.eval()(X).shape == (3, 2)


def test_a_method_can_still_be_replaced_by_a_function():
    model = nn.Linear(2, 2)
    model.forward = lambda x: x * 2
    assert model(X).tolist() == (X * 2).tolist()


def test_the_mode_is_true_or_false():
    model = nn.Dropout()
    for wrong in ("no", None, 1, [nn.ReLU()]):
        with pytest.raises(TypeError, match="Dropout: training is True or False, got"):
            model.training = wrong
        with pytest.raises(TypeError, match="training is True or False"):
            model.train(wrong)
    assert model.training is True


def test_a_class_may_not_hide_what_every_module_needs():
    with pytest.raises(TypeError, match=r"Net: train\(self, X, y\) hides the train\(self, mode: .*choose another name"):

        class Net(nn.Module):
            def train(self, X, y):
                pass

    for value in ([], property(lambda self: 1)):
        with pytest.raises(TypeError, match=r"Net: every module has a method modules\(\)"):
            type("Net", (nn.Module,), {"modules": value})

    class Fine(nn.Module):
        def train(self, mode=True):
            return super().train(mode)

        def forward(self, x, y):
            return x

        def extra_repr(self):
            return "fine"

    assert repr(Fine().eval()) == "Fine(fine)"


@pytest.mark.parametrize("name", ["a.b", "", 5])
def test_a_name_has_no_dots(name):
    model = nn.Module()
    with pytest.raises(ValueError, match="is no name for a parameter, buffer or module"):
        model.register_buffer(name, np.ones(2))
    if isinstance(name, str):
        with pytest.raises(ValueError, match="is no name for a parameter"):
            setattr(model, name, nn.Parameter([1.0]))
    assert model.state_dict() == {}


# ------------------------------------------------------------------ states


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("m.npz", r"got a path; read it first: model.load_state_dict\(tg.load\('m.npz'\)\)"),
        (pathlib.Path("m.npz"), r"got a path; read it first: model.load_state_dict\(tg.load\('m.npz'\)\)"),
        (nn.Linear(2, 2), r"got a module; give its state_dict\(\)"),
        ([1, 2], r"expected a dict of names and arrays, got list"),
        (None, "expected a dict of names and arrays, got NoneType None"),
        ({1: X}, "expected names of parameters, got 1"),
        ({"state": {"weight": X}}, r"'state' holds another dict; if that is the model's, give state\['state'\]"),
    ],
)
def test_what_is_no_state_is_refused_with_the_way_to_one(state, message):
    model = nn.Linear(2, 2)
    before = model.state_dict()
    with pytest.raises(TypeError, match=f"load_state_dict: .*{message}"):
        model.load_state_dict(state)
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())


def test_files_of_numpy_can_be_given_as_they_are_opened(tmp_path):
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    np.savez(tmp_path / "plain.npz", **model.state_dict())
    with np.load(tmp_path / "plain.npz") as opened:
        assert other.load_state_dict(opened) == ([], [])
    assert np.array_equal(other.weight.data, model.weight.data)
    tg.save(tmp_path / "ours.npz", model.state_dict())
    with np.load(tmp_path / "ours.npz") as opened, pytest.raises(TypeError, match=r"read it with tg.load rather than"):
        other.load_state_dict(opened)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.to("cuda"), "expected a dtype such as np.float64, got 'cuda'; there are no devices"),
        (lambda m: m.apply(5), "apply: expected a function of one module, got 5"),
        (lambda m: m.register_forward_hook(5), "register_forward_hook: expected a function"),
    ],
)
def test_what_a_module_is_given_besides(call, message):
    with pytest.raises(TypeError, match=message):
        call(nn.Linear(2, 2))


# ------------------------------------------------------------------ layers in plain lists


class Holding(nn.Module):
    """Keeps one thing as it is given."""

    def __init__(self, thing):
        super().__init__()
        self.head = nn.Linear(2, 2)
        self.kept = thing

    def forward(self, x):
        return self.head(x)


LINEAR, DROPOUT, WEIGHT = nn.Linear(2, 2), nn.Dropout(), nn.Parameter([1.0])


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        ([LINEAR], r"kept\[0\] is a Linear"),
        ((nn.ReLU(), LINEAR), r"kept\[1\] is a Linear"),
        ({"first": LINEAR}, r"kept\['first'\] is a Linear"),
        ([[1, {"a": LINEAR}]], r"kept\[0\]\[1\]\['a'\] is a Linear"),
        ([DROPOUT], r"kept\[0\] is a Dropout"),
        ([nn.Sequential(nn.ReLU(), DROPOUT)], r"kept\[0\] is a Sequential"),
        ([nn.BatchNorm1d(2, affine=False)], r"kept\[0\] is a BatchNorm1d"),
        ([WEIGHT], r"kept\[0\] is a Parameter .* assign each parameter to an attribute"),
        ({LINEAR}, r"kept\[0\] is a Linear"),
        ([LINEAR, nn.Linear(2, 2)], r"kept\[0\] is a Linear .*as 1 more like it"),
    ],
)
def test_layers_that_nobody_finds_are_told(thing, place):
    for call in (nn.Module.parameters, nn.Module.state_dict, nn.Module.eval):
        with pytest.warns(UserWarning, match=f"Holding: {place}"):
            call(Holding(thing))
    with pytest.warns(UserWarning, match="Sequential: 0.kept"):
        nn.Sequential(Holding(thing)).parameters()


def found_elsewhere():
    model = Holding([nn.Linear(2, 2), nn.ReLU(), nn.Dropout()])
    model.net = nn.Sequential(*model.kept)
    return model


def frozen():
    model = Holding([nn.Linear(2, 2).requires_grad_(False)])
    model.kept.append(model)
    return model


@pytest.mark.parametrize(
    "make",
    [
        found_elsewhere,
        frozen,
        lambda: Holding([nn.ReLU(), nn.Tanh()]),
        lambda: Holding(nn.ModuleList([nn.Linear(2, 2)])),
        lambda: Holding([]),
        lambda: Holding(list(range(5000))),
        lambda: Holding({"sizes": [1, 2], "names": ("a", "b")}),
        lambda: Holding([nn.Linear, tg.relu]),
        lambda: nn.MLP(2, [3], 2, batch_norm=True, dropout=0.5),
    ],
)
def test_there_is_no_false_alarm(make):
    model = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optim.SGD(model.parameters(), lr=0.1)
        model.state_dict()
        model.eval()


def test_a_list_that_holds_itself_is_looked_through_once():
    kept = [LINEAR]
    kept.append(kept)
    with pytest.warns(UserWarning, match=r"kept\[0\] is a Linear"):
        Holding(kept).parameters()


# ------------------------------------------------------------------ init and utils


@pytest.mark.parametrize("name", [name for name in nn.init.__all__ if name.endswith("_")])
def test_only_tensors_are_filled(name):
    fill = getattr(nn.init, name)
    value = {"constant_": (1.0,)}.get(name, ())
    for wrong in (X, nn.Linear(2, 2), None, 3, (3, 4)):
        with pytest.raises(TypeError, match="init: expected a Tensor to fill, such as"):
            fill(wrong, *value)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda w: nn.init.uniform_(w, 1, -1), ValueError, "low must not be above high"),
        (lambda w: nn.init.uniform_(w, "a"), TypeError, "uniform_: low must be a finite number, got str 'a'"),
        (lambda w: nn.init.normal_(w, std=-1), ValueError, "std must be 0 or more"),
        (lambda w: nn.init.normal_(w, std=np.nan), TypeError, "std must be a finite number, got float nan"),
        (lambda w: nn.init.xavier_normal_(w, gain="relu"), TypeError, "gain must be a finite number"),
        (lambda w: nn.init.xavier_uniform_(w, gain=np.inf), TypeError, "gain must be a finite number"),
        (lambda w: nn.init.orthogonal_(w, gain=None), TypeError, "gain must be a finite number"),
        (lambda w: nn.init.kaiming_normal_(w, "relu"), TypeError, "a must be a finite number, got str 'relu'"),
        (lambda w: nn.init.calculate_gain("leaky_relu", "a"), TypeError, "param must be a finite number"),
        (lambda w: nn.init.constant_(w, "a"), TypeError, "expected numbers to fill with, got 'a'"),
        (lambda w: nn.init.constant_(w, None), TypeError, "expected numbers to fill with, got None"),
    ],
)
def test_what_weights_cannot_start_with(call, kind, message):
    weight = nn.Parameter(np.ones((2, 2)))
    with pytest.raises(kind, match=message):
        call(weight)
    assert (weight.data == 1).all()


def test_integers_take_no_fractions():
    counts = Tensor(np.array([1, 2]))
    with pytest.raises(TypeError, match="a tensor of int64 cannot hold fractions"):
        nn.init.normal_(counts)
    assert nn.init.constant_(counts, 3.0).tolist() == [3, 3]


UTILS = {
    "clip_grad_norm_": lambda parameters: nn.utils.clip_grad_norm_(parameters, 1.0),
    "clip_grad_value_": lambda parameters: nn.utils.clip_grad_value_(parameters, 1.0),
    "parameters_to_vector": nn.utils.parameters_to_vector,
    "vector_to_parameters": lambda parameters: nn.utils.vector_to_parameters(np.ones(6), parameters),
}


@pytest.mark.parametrize("name", UTILS)
def test_utils_say_what_they_want(name):
    model, use = nn.Linear(2, 2), UTILS[name]
    with pytest.raises(TypeError, match=rf"{name}: expected model.parameters\(\), got a Linear"):
        use(model)
    with pytest.raises(TypeError, match=f"{name}: parameters are Tensors, got str 'weight'"):
        use(model.state_dict())
    once = model.parameters()
    use(once)
    with pytest.raises(ValueError, match="an iterator can be used only once"):
        use(once)


@pytest.mark.parametrize("limit", [-1.0, np.nan, "a", None])
def test_a_limit_below_0_would_turn_gradients_round(limit):
    w = nn.Parameter([1.0, 2.0])
    w.grad = [3.0, 4.0]
    with pytest.raises(ValueError, match="max_norm must be a number, 0 or more"):
        nn.utils.clip_grad_norm_([w], limit)
    with pytest.raises(ValueError, match="clip_value must be a number, 0 or more"):
        nn.utils.clip_grad_value_([w], limit)
    assert w.grad.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("p", ["a", None, -0.1, 1.0, T])
def test_the_share_that_falls_out(p):
    with pytest.raises(ValueError, match="from 0 to below 1; got"):
        nn.functional.dropout(X, p)
