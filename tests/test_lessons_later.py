"""What the prose of lessons 7 to 9 says of their own runs holds."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg

pytest.importorskip("matplotlib")

FOLDER = Path(__file__).parents[1] / "examples" / "lessons"


@pytest.fixture
def names_of(monkeypatch, tmp_path):
    """Runs a lesson as plain Python; what it has defined."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return lambda name: runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")


def test_without_relu_the_network_of_lesson_7_draws_a_straight_line(names_of):
    names = names_of("7_moons")
    X, y = names["X"], names["y"]

    def share_right(model):
        return (tg.predict(model, X).argmax(axis=1) == y).mean()

    assert share_right(names["model"]) > 0.97 and share_right(names["straight"]) < 0.9
    x1, x2, places = names["plane"]()
    scores = tg.predict(names["straight"], places).reshape(len(x2), len(x1), 2)
    assert max(abs(np.diff(scores, n=2, axis=axis)).max() for axis in (0, 1)) < 1e-4
    assert names["history"]["val_loss"][-1] < 0.3 * names["history"]["val_loss"][0]


def test_the_decision_of_lesson_7_bends_only_at_the_lines_of_its_neurons(names_of):
    """Between places where the same neurons speak the scores are those of one linear map."""
    names = names_of("7_moons")
    model, (_, _, places) = names["model"], names["plane"]()
    speaks = tg.predict(model[0], places) > 0
    for pattern in np.unique(speaks, axis=0):
        inside = places[(speaks == pattern).all(axis=1)]
        weight = model[2].weight.data @ (pattern[:, None] * model[0].weight.data)
        bias = model[2].weight.data @ (pattern * model[0].bias.data) + model[2].bias.data
        np.testing.assert_allclose(tg.predict(model, inside), inside @ weight.T + bias, atol=1e-3)


def test_what_lesson_8_says_of_the_cures(names_of):
    names = names_of("8_dying_relu")
    dead = {name: dead.mean for name, (dead, _) in names["results"].items()}
    wrong = {name: wrong.mean for name, (_, wrong) in names["results"].items()}
    none, small, clipped = "none: learning rate 2", "learning rate 0.5", "rate 2, gradients clipped at 1"

    assert 30 < dead[none] < 50, "two units in five"
    assert wrong[none] < 20, "most still learn"
    for cure in (small, clipped):
        assert dead[cure] < dead[none] / 3 and wrong[cure] < 2
    assert dead["learning rate 0.1"] < 5 and wrong["learning rate 0.1"] > 2 * wrong[small]
    for other in ("rate 2, LeakyReLU(0.1)", "rate 2, ELU"):
        assert dead[other] == 0 and wrong[other] > 2 * wrong[none], "many more"
    assert abs(wrong["rate 2, LeakyReLU(0.01)"] - wrong[none]) < 10, "about as many"
    assert abs(wrong["rate 0.5, LeakyReLU(0.1)"] - wrong[small]) < 1
    assert dead["rate 0.5, but start at N(0, 1)"] > 3 * dead[small]

    layers = tg.dead_units(names["model"], names["X"]).layers
    assert all(layer.sparsity > 2 * len(layer.dead) / layer.units > 0 for layer in layers), "silent is not dead"


def test_only_a_slope_below_zero_brings_the_neuron_of_lesson_8_back(names_of):
    nurse = names_of("8_dying_relu")["nurse"]
    assert len(set(nurse(tg.relu)[0])) == 1
    assert all(nurse(activation)[0][-1] > 0 for activation in (tg.elu, lambda z: tg.leaky_relu(z, 0.1)))


def test_the_file_of_lesson_9_goes_on_as_the_engine_does(names_of):
    names = names_of("9_numpy_program")
    assert names["by_the_file"] == names["op_by_op"] and len(set(names["op_by_op"])) == 200
    assert names["compiled"].report().memory > 0, "results have memory of their own"
    update = names["compiled"].source.split("---- update ---")[1].split("return")[0]
    assert len([line for line in update.splitlines() if "np." in line]) == 2, "one rule over one vector"
