"""A run answers by the columns it was trained on, survives what happens to it, and says what its numbers mean."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import files
from tinygrad_relu.cli import results
from tinygrad_relu.cli.main import main

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def quick(*more):
    """A run that takes a moment."""
    return main(["train", "--data", "blobs", "--samples", "60", "--epochs", "3", "--out", "run", *more])


# ---------------------------------------------------------------------- columns


def write_table(name, header, order=(0, 1, 2), labelled=False, rows=80):
    """The class goes by the first column of three; ``order`` is that of the columns in the file."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 3))
    y = X[:, 0] > 0
    lines = [[f"{row[i]:.4f}" for i in order] + ["yes" if kind else "no"] * labelled for row, kind in zip(X, y)]
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([header, *lines] if header else lines)
    return y


def train_on(header):
    write_table("train.csv", header, labelled=True)
    assert main(["train", "--data", "train.csv", "--epochs", "30", "--out", "run", "--quiet"]) == 0


def accuracy(name, y, capsys):
    """The share of right answers, and what was said on stderr."""
    capsys.readouterr()
    assert main(["predict", "--run", "run", name]) == 0
    said = capsys.readouterr()
    answers = [row["class"] == "yes" for row in csv.DictReader(said.out.splitlines())]
    return np.mean(answers == y), said.err


@pytest.mark.parametrize("names", [["a", "a", "b"], ["", "", ""], ["", "a", "b"], ["a", "", "a"]])
def test_columns_with_double_or_empty_names_go_by_their_place_and_a_note_says_so(names, capsys):
    train_on([*names, "kind"])
    for header, labelled in ((names, False), ([*names, "kind"], True)):
        y = write_table("new.csv", header, labelled=labelled)
        right, said = accuracy("new.csv", y, capsys)
        assert right > 0.95 and said.count("\n") == 1
        assert said.startswith("tinygrad-relu: note: names that are double or empty do not tell columns apart")
    if names != ["", "", ""]:
        write_table("new.csv", names[::-1] if names[::-1] != names else ["", "a", "a"])
        assert main(["predict", "--run", "run", "new.csv"]) == 2
        assert "must come in the order" in capsys.readouterr().err


def test_columns_with_names_of_their_own_are_found_without_a_note(capsys):
    train_on(["a", "b", "c", "kind"])
    y = write_table("new.csv", ["c", "a", "b"], order=(2, 0, 1))
    assert accuracy("new.csv", y, capsys) == (pytest.approx(1, abs=0.05), "")
    write_table("new.csv", ["c", "A", "b"])
    assert main(["predict", "--run", "run", "new.csv"]) == 2
    assert "there is no column 'a'; the nearest are 'A'" in capsys.readouterr().err


def test_a_line_of_names_in_one_file_only_is_said(capsys):
    train_on(["a", "b", "c", "kind"])
    y = write_table("new.csv", None)
    right, said = accuracy("new.csv", y, capsys)
    assert right > 0.95 and "no line of names, so its columns are taken to be, in this order, 'a', 'b', 'c'" in said
    train_on(None)
    y = write_table("new.csv", ["x", "y", "z"])
    right, said = accuracy("new.csv", y, capsys)
    assert right > 0.95 and "trained on columns without names, so those of new.csv are taken as they stand" in said
    y = write_table("new.csv", None)
    assert accuracy("new.csv", y, capsys)[1] == ""


def test_names_that_are_numbers_are_no_example(capsys):
    write_table("train.csv", ["0", "1", "2", "kind"], labelled=True)
    assert main(["train", "--data", "train.csv", "--target", "kind", "--out", "run", "--epochs", "30", "--quiet"]) == 0
    y = write_table("new.csv", ["2", "0", "1"], order=(2, 0, 1))
    right, said = accuracy("new.csv", y, capsys)
    assert right > 0.95 and "the first line of new.csv is taken as the names of its columns" in said
    assert main(["train", "--data", "train.csv"]) == 2
    assert "the label 'kind' stands nowhere else" in capsys.readouterr().err


def test_labels_come_back_as_they_stand_in_the_file(capsys):
    Path("codes.csv").write_text("x,code\n" + "-1,01\n1,02\n" * 20)
    assert main(["train", "--data", "codes.csv", "--epochs", "30", "--out", "run", "--quiet"]) == 0
    Path("new.csv").write_text("x\n1\n-1\n")
    assert main(["predict", "--run", "run", "new.csv"]) == 0
    assert [row["class"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["02", "01"]
    Path("codes.csv").write_text("x,code\n" + "-1,01\n1,1\n" * 20)
    assert main(["train", "--data", "codes.csv"]) == 2
    assert "line 3: the label '1' is the number '01' of line 2 in another way" in capsys.readouterr().err


# ---------------------------------------------------------------------- very large numbers


def test_columns_at_the_end_of_float32_are_trained_drawn_and_answered(capsys):
    rng = np.random.default_rng(0)
    X = rng.uniform(-3.4e38, 3.4e38, (100, 2))
    Path("wide.csv").write_text("".join(f"{a},{b},{'yes' if a > b else 'no'}\n" for a, b in X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["train", "--data", "wide.csv", "--epochs", "30", "--out", "run"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and {"model.npz", "summary.json", "decision.png", "curves.png"} <= set(os.listdir("run"))
    assert float(said.out.partition("held-out accuracy: ")[2].partition(" %")[0]) > 80
    Path("new.csv").write_text("3e38,-3e38\n-3e38,3e38\n")
    assert main(["predict", "--run", "run", "new.csv"]) == 0
    assert [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()] == ["class", "yes", "no"]


def test_an_example_far_outside_of_the_training_gets_no_invented_class(capsys):
    Path("small.csv").write_text("0,0,a\n1e-30,0,b\n" * 20)
    assert main(["train", "--data", "small.csv", "--epochs", "2", "--out", "run", "--quiet"]) == 0
    Path("new.csv").write_text("0,0\n3e38,0\n")
    assert main(["predict", "--run", "run", "new.csv"]) == 2
    assert "the network has no answer for example 2, whose numbers are too far" in capsys.readouterr().err


# ---------------------------------------------------------------------- what fails alone


class StrangeError(Exception):
    pass


def test_a_picture_that_fails_costs_nothing_else_and_is_named(monkeypatch, capsys):
    pytest.importorskip("matplotlib")

    def raising(error):
        def fail(*_, **__):
            raise error

        return fail

    assert quick("--quiet") == 0
    whole = set(os.listdir("run"))
    for module, name, error, lost in (
        (results.plots, "curves", StrangeError("a\nb"), {"curves.png"}),
        (results.plots, "decision_boundary", FloatingPointError("overflow"), {"decision.png"}),
        (results, "draw", RuntimeWarning("as an error"), {"graph.svg", "graph.html", "graph.dot"}),
        (results, "explained", MemoryError(), {"backprop.html"}),
        (results, "_copied_step", RecursionError("deep"), {"train_step.py"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, raising(error))
            assert quick("--quiet") == 0
        said = capsys.readouterr()
        assert set(os.listdir("run")) == whole - lost
        assert said.out == "" and said.err.count("\n") == 1 and type(error).__name__ in said.err
        assert said.err.startswith("tinygrad-relu: note: no ") and all(file in said.err for file in lost)
        assert tg.load("run/model.npz")["in_features"] == 2
        assert json.loads(Path("run/summary.json").read_text())["results"]["epochs"] == 3


def test_a_picture_that_fails_halfway_is_not_left_half_written(monkeypatch):
    figure = pytest.importorskip("matplotlib.figure")

    def savefig(self, file, **options):
        file.write(b"\x89PNG")
        raise OSError("No space left on device")

    history = tg.fit(tg.nn.Linear(1, 1), np.ones((4, 1)), np.zeros(4), epochs=1, progress=False)
    history.plot("curves")
    assert os.listdir() == ["curves.png"]  # the ending that matplotlib adds
    monkeypatch.setattr(figure.Figure, "savefig", savefig)
    with pytest.raises(OSError, match="No space"):
        history.plot("half.png")
    assert os.listdir() == ["curves.png"]


# ---------------------------------------------------------------------- kills


KILLED = """
import os, signal, sys
from tinygrad_relu import files
from tinygrad_relu.cli.main import main

kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "before the swap":
    files._swap = kill
elif sys.argv[1] == "after it":
    remove = files._remove
    files._remove = lambda path: kill() if os.path.isdir(path) else remove(path)
else:
    files._exchange = lambda a, b: False
    rename = os.rename
    os.rename = lambda a, b: kill() if b.endswith("run") else rename(a, b)
main(["train", "--data", "blobs", "--samples", "60", "--epochs", "3", "--out", "runs/run", "--seed", "1", "--quiet"])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
@pytest.mark.parametrize("moment", ["before the swap", "after it", "between two renames"])
def test_a_run_that_is_killed_leaves_the_old_or_the_new_one(moment, capsys):
    assert quick("--quiet", "--out", "runs/run") == 0
    old = tg.load("runs/run/model.npz")["state"]["0.weight"]
    done = subprocess.run([sys.executable, "-c", KILLED, moment], env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(os.listdir("runs")) > 1
    Path("new.csv").write_text("1,2\n")
    assert main(["predict", "--run", "runs/run", "new.csv"]) == 0
    same = np.array_equal(tg.load("runs/run/model.npz")["state"]["0.weight"], old)
    assert same == (moment != "after it" or not can_exchange())
    assert quick("--quiet", "--out", "runs/run", "--seed", "2") == 0
    assert os.listdir("runs") == ["run"]


def can_exchange():
    os.makedirs("x"), os.makedirs("y")
    return files._exchange("x", "y")


# ---------------------------------------------------------------------- a network that is not what it says


def test_sizes_are_held_against_the_arrays_before_a_network_is_made(capsys):
    assert quick("--quiet") == 0
    Path("new.csv").write_text("1,2\n")
    stored = tg.load("run/model.npz")
    architecture = stored["architecture"]
    for change, message in (
        ({"architecture": {**architecture, "hidden": [10**9]}}, "sizes of its layers"),
        ({"architecture": {**architecture, "hidden": [10**9, 10**9]}}, "sizes of its layers"),
        ({"architecture": {**architecture, "hidden": [64, 32] * 100_000}}, "sizes of its layers"),
        ({"architecture": {**architecture, "hidden": 10**9}}, "cannot be rebuilt"),
        ({"architecture": {**architecture, "hidden": None}}, "cannot be rebuilt"),
        ({"architecture": {**architecture, "hidden": [64.0, 32.0]}}, "cannot be rebuilt"),
        ({"architecture": {**architecture, "activation": "rleu"}}, "unknown activation"),
        ({"architecture": {**architecture, "activation": [1]}}, "cannot be rebuilt"),
        ({"architecture": {**architecture, "dropout": 3}}, "cannot be rebuilt"),
        ({"architecture": {**architecture, "colour": "red"}}, "colour"),
        ({"architecture": 5}, "cannot be rebuilt"),
        ({"in_features": 10**9}, "sizes of its layers"),
        ({"in_features": "2"}, "sizes of its layers"),
        ({"classes": stored["classes"][:2]}, "sizes of its layers"),
        ({"features": ["a"]}, "trained on 2 columns, and has 1 name for them"),
        ({"mean": np.zeros(10)}, "mean is not one finite number"),
        ({"mean": np.zeros((2, 2))}, "mean is not one finite number"),
        ({"mean": np.array(["a"])}, "cannot be rebuilt"),
        ({"scale": np.array([np.nan, 1])}, "scale is not one finite number"),
        ({"scale": np.zeros(2)}, "scale has a zero"),
        ({"state": {**stored["state"], "0.bias": np.full(64, np.nan)}}, "NaN or infinity in its weights"),
        ({"state": {}}, "sizes of its layers"),
        ({"state": {**stored["state"], "more": np.zeros(3)}}, "unexpected: more"),
        ({"state": {**stored["state"], "0.bias": np.zeros(3)}}, "another shape: 0.bias"),
        ({"state": [1]}, "cannot be rebuilt"),
    ):
        tg.save("run/model.npz", {**stored, **change})
        tracemalloc.start()
        assert main(["predict", "--run", "run", "new.csv"]) == 2
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert message in capsys.readouterr().err and memory < 30 * 2**20, (change.keys(), memory)
    tg.save("run/model.npz", stored)
    assert main(["predict", "--run", "run", "new.csv"]) == 0


# ---------------------------------------------------------------------- the loss that does not go to 0


@pytest.mark.parametrize(("smoothing", "classes"), [(0.1, 3), (0.3, 3), (0.0, 3)])
def test_the_least_loss_is_said_wherever_the_loss_is(smoothing, classes, capsys):
    plot = pytest.importorskip("matplotlib.figure")
    drawn = []
    savefig = plot.Figure.savefig

    def spy(figure, *arguments, **options):
        axes = figure.axes[0]
        drawn.append([axes.get_ylabel(), *(text.get_text() for text in axes.get_legend().get_texts())])
        return savefig(figure, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plot.Figure, "savefig", spy)
        assert quick("--label-smoothing", str(smoothing)) == 0
    # Where the network answers with the smoothed target itself, the loss is as small as it can be.
    target = np.full(classes, smoothing / classes)
    target[0] += 1 - smoothing
    with np.errstate(divide="ignore"):
        best = np.maximum(np.log(target), -1e4)
    least = tg.cross_entropy(tg.Tensor(best[None], dtype=np.float64), [0], label_smoothing=smoothing).item()
    stored = json.loads(Path("run/summary.json").read_text())["results"]["loss_floor"]
    assert stored == pytest.approx(least, abs=1e-9)
    out = capsys.readouterr().out
    if smoothing:
        assert f"loss: cross-entropy, with label smoothing {smoothing} (so at least {least:.3f}, not 0)" in out
        assert f"(label smoothing does not let it fall below {least:.3f})" in out
        assert drawn[0][0] == "loss (with label smoothing)" and f"cannot fall below {least:.3f}" in drawn[0]
    else:
        assert "smoothing" not in out and drawn[0][0] == "loss" and not any("below" in text for text in drawn[0])


def test_one_of_anything_is_told_as_one(capsys):
    Path("tiny.csv").write_text("x,kind\n0,a\n1,b\n")
    assert main(["train", "--data", "tiny.csv", "--epochs", "1", "--hidden", "none", "--test-fraction", "0.5"]) == 0
    out = capsys.readouterr().out
    assert "tiny.csv: 1 row to train on, 1 held out, 1 feature, 2 classes" in out and "trained 1 epoch in" in out
    assert "of 1 row)" in out
    Path("new.csv").write_text("1,2\n")
    assert main(["predict", "--run", "runs/tiny", "new.csv"]) == 2
    assert "2 columns, but" in capsys.readouterr().err
