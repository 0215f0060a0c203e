"""The command trains and predicts; every mistake is one line and status 2, and nothing half-written is left."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data, files
from tinygrad_relu.cli import results, setup, train
from tinygrad_relu.cli.main import _termination_as_an_exception, main
from tinygrad_relu.train import training_step

GRAPHS = {"graph.svg", "graph.html", "graph.dot", "backprop.html"}
ALWAYS = {"model.npz", "metrics.csv", "dead_units.txt", "summary.json", "train_step.py"} | GRAPHS
MAYBE = {"curves.png", "decision.png"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def quick(*more):
    """A run that takes a moment."""
    return main(["train", "--data", "blobs", "--samples", "60", "--epochs", "3", "--out", "run", *more])


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def error_of(capsys):
    """The one line on stderr."""
    err = capsys.readouterr().err
    assert err.startswith("tinygrad-relu: error: ") and err.count("\n") == 1 and "Traceback" not in err, err
    return err


# ---------------------------------------------------------------------- train


def test_digits_with_the_defaults_reach_97_percent_held_out(capsys):
    assert main(["train"]) == 0
    said = capsys.readouterr()
    assert "held-out accuracy: 9" in said.out and "in runs/digits:" in said.out and said.err == ""
    with open("runs/digits/summary.json") as file:
        summary = json.load(file)
    assert summary["results"]["held_out_accuracy"] >= 0.97
    # measured again: the stored network on the rows that were held out
    X, y = data.digits()
    _, X_test, _, y_test = data.train_test_split(X, y, 0.2, seed=0)
    np.savetxt("test.csv", X_test, delimiter=",")
    assert main(["predict", "--run", "runs/digits", "test.csv", "--out", "answers.csv"]) == 0
    with open("answers.csv", newline="") as file:
        answers = [int(row["class"]) for row in csv.DictReader(file)]
    assert np.mean(answers == y_test) == pytest.approx(summary["results"]["held_out_accuracy"])


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "blobs", "xor"])
def test_every_toy_set_trains_and_leaves_its_files(name, capsys):
    assert main(["train", "--data", name, "--hidden", "16,8", "--samples", "300", "--epochs", "40"]) == 0
    files = set(os.listdir(f"runs/{name}"))
    assert files >= ALWAYS and files <= ALWAYS | MAYBE
    for file in files:
        assert file in capsys.readouterr().out or os.path.getsize(f"runs/{name}/{file}") > 0
    assert os.listdir("runs") == [name]
    with open(f"runs/{name}/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40 and float(rows[-1]["val_accuracy"]) > 0.8
    with open(f"runs/{name}/dead_units.txt") as file:
        assert "relu of 0.weight" in file.read()


def test_the_pictures(capsys):
    pytest.importorskip("matplotlib")
    assert quick() == 0
    for name in ("curves.png", "decision.png"):
        with open(f"run/{name}", "rb") as file:
            assert file.read(4) == b"\x89PNG"


def test_without_matplotlib_one_line_says_so(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert quick() == 0
    assert 'no curves.png: pictures need matplotlib: pip install "tinygrad_relu[plot]"' in capsys.readouterr().err
    assert not os.path.exists("run/curves.png")


def test_the_graph_is_drawn_and_explained_with_its_gradients(capsys):
    assert quick() == 0
    texts = {name: Path("run", name).read_text(encoding="utf-8") for name in GRAPHS}
    for text in texts.values():
        assert ("relu" in text and "cross_entropy" in text) or "loss" in text
    assert "|g|" in texts["graph.svg"] and "not computed" not in texts["graph.dot"]
    assert "loss = tg.cross_entropy(model(X), y)" in texts["backprop.html"]


# ---------------------------------------------------------------------- the training step as a program


def test_what_compiling_saves_is_measured_and_told(capsys):
    assert quick() == 0
    out = capsys.readouterr().out
    told = re.search(
        r"^training step: ([\d,]+) microseconds as a NumPy program of (\d+) calls, "
        r"([\d,]+) without \(([\d.]+) times\)$",
        out, re.MULTILINE,
    )  # fmt: skip
    assert told is not None, out
    compiled, calls, without = (int(number.replace(",", "")) for number in told.groups()[:3])
    assert calls > 20 and float(told[4]) == pytest.approx(without / compiled, rel=0.1)
    assert "train_step.py   the training step as a NumPy program" in out


GO_ON = """
import sys
sys.modules["tinygrad_relu"] = None  # it must not be needed
import numpy as np
import train_step
rows = np.load("rows.npz")
losses = [train_step.train_step(rows["X"], rows["y"]) for _ in range(5)]
np.savez("after.npz", losses=losses, weight=train_step.weight0)
"""


@pytest.mark.parametrize("more", [[], ["--optimizer", "sgd", "--patience", "1"], ["--dropout", "0.3"]])
def test_the_saved_step_goes_on_from_the_trained_network_with_numpy_alone(more, monkeypatch, capsys):
    kept = {}
    fit = train.fit

    def spy(model, X, y, **options):
        history = fit(model, X, y, **options)
        kept.update(model=model, X=X, y=y, **options)
        kept["drawn"] = tg.random.generator().bit_generator.state
        return history

    monkeypatch.setattr(train, "fit", spy)
    assert quick("--label-smoothing", "0.1", "--batch-size", "20", *more) == 0
    random_numbers = tg.random.generator()
    assert random_numbers.bit_generator.state == kept["drawn"]
    model, optimizer, X, y = kept["model"], kept["optimizer"], kept["X"][:20], kept["y"][:20]
    stored = tg.load("run/model.npz")["state"]
    assert all(np.array_equal(stored[name], array) for name, array in model.state_dict().items())
    np.savez("run/rows.npz", X=X, y=y)
    subprocess.run([sys.executable, "-c", GO_ON], cwd="run", env=ENVIRONMENT, check=True)

    model.train()
    optimizer.param_groups[0]["lr"] = 0.05 if "sgd" in more else 0.005
    step = training_step(model, kept["loss"], optimizer)
    losses = [step(X, y)[0].item() for _ in range(5)]
    after = np.load("run/after.npz")
    assert after["losses"].tolist() == losses
    assert after["weight"].tobytes() == model[0].weight.detach().numpy().tobytes()


def test_without_compiling_the_results_are_the_same(capsys):
    assert quick("--dropout", "0.2") == 0
    capsys.readouterr()
    assert quick("--dropout", "0.2", "--no-compile", "--out", "eager") == 0
    assert "training step" not in capsys.readouterr().out and not os.path.exists("eager/train_step.py")
    tables = [Path(run, "metrics.csv").read_text().splitlines() for run in ("run", "eager")]
    without_seconds = [[line.rpartition(",")[0] for line in table] for table in tables]
    assert without_seconds[0] == without_seconds[1] and len(without_seconds[0]) == 4
    a, b = (tg.load(f"{run}/model.npz")["state"] for run in ("run", "eager"))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)


def test_one_line_says_why_a_step_was_not_compiled(monkeypatch, capsys):
    def branching(label_smoothing):
        return lambda output, target: tg.cross_entropy(output * 2 if output.max() > 3 else output, target)

    monkeypatch.setattr(setup, "loss_with", branching)
    assert quick() == 0
    out = capsys.readouterr().out
    assert "\ntraining step: not compiled: the function goes by the data (a branch or a loop) at test_cli.py:" in out
    assert not os.path.exists("run/train_step.py")


# ---------------------------------------------------------------------- explain


@pytest.mark.parametrize("source", ["moons", "digits", "table.csv"])
def test_explain_writes_one_page_and_shows_the_program_behind_it(source, capsys):
    write("table.csv", "1,2,no\n2,1,yes\n3,5,no\n5,4,yes\n")
    assert main(["explain", "--data", source, "--hidden", "3", "--rows", "4", "--out", "deep/er/page.html"]) == 0
    out = capsys.readouterr().out
    assert "loss = tg.cross_entropy(model(X), y)" in out and "deep/er/page.html" in out
    page = Path("deep/er/page.html").read_text(encoding="utf-8")
    assert "loss = tg.cross_entropy(model(X), y)" in page and "backprop.py" in page
    assert os.listdir("deep/er") == ["page.html"]


def test_explain_says_what_is_wrong_and_writes_nothing(capsys):
    os.mkdir("folder")
    for options, words in {
        ("--data", "mons"): "nearest are moons",
        ("--activation", "rleu"): "relu",
        ("--out", "folder"): "is a folder",
        ("--rows", "0"): "1 or more",
        ("--language", "fr"): "en",
        ("--data", "digits", "--noise", "1"): "--noise is for points",
    }.items():
        assert main(["explain", *options]) == 2
        assert words in error_of(capsys)
    assert os.listdir() == ["folder"] and os.listdir("folder") == []


def test_csv_with_words_as_classes_there_and_back(capsys):
    rng = np.random.default_rng(0)
    kinds = ["oak", "fir, blue"]
    rows = [(kind, 1000 + 50 * k + rng.normal(), 1e-3 * (k + 0.1 * rng.normal())) for k, kind in enumerate(kinds)] * 40
    write("trees.csv", "kind,height,width\n" + "\n".join(f'"{kind}",{h},{w}' for kind, h, w in rows))
    assert main(["train", "--data", "trees.csv", "--target", "kind", "--epochs", "20", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    write("new.csv", "width,note,height\n0,x,1000\n0.001,y,1050\n")  # another order, and one more column
    assert main(["predict", "--run", "runs/trees", "new.csv"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [line["class"] for line in lines] == kinds
    assert all(0.5 < float(line["probability"]) <= 1 for line in lines)


def test_odd_names_of_classes_and_columns_can_be_drawn(capsys):
    write("odd.csv", "$a_{,_b,kind\n" + "1,2,_x$\n2,1,$\\frac$\n3,5,\u4e09\n" * 5)
    assert main(["train", "--data", "odd.csv", "--epochs", "2", "--out", "run"]) == 0
    assert capsys.readouterr().err == ""


def test_same_seed_same_run(capsys):
    for out in ("a", "b"):
        assert quick("--out", out, "--dropout", "0.2", "--seed", "5") == 0
    assert quick("--out", "c", "--seed", "6", "--dropout", "0.2") == 0
    a, b, c = (tg.load(f"{out}/model.npz")["state"] for out in "abc")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert any(not np.array_equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize(
    "more",
    [
        ["--optimizer", "sgd"],
        ["--optimizer", "RMSprop", "--weight-decay", "0.01"],
        ["--optimizer", "adagrad"],
        ["--optimizer", "adam", "--lr", "0.01"],
        ["--activation", "gelu"],
        ["--activation", "prelu"],
        ["--hidden", "none"],
        ["--patience", "2", "--epochs", "30"],
        ["--dropout", "0.3", "--label-smoothing", "0.2", "--batch-size", "7", "--test-fraction", "0.4"],
    ],
)
def test_options_do_their_work(more, capsys):
    assert quick(*more) == 0
    write("new.csv", "0.1,0.2\n")
    assert main(["predict", "--run", "run", "new.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[-1][0] in "012"


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "moon"], "unknown data set 'moon'; the nearest are moons"),
        (["--data", "none.csv"], "none.csv: No such file or directory"),
        (["--data", "."], "Is a directory"),
        (["--data", "ragged.csv"], "ragged.csv, line 2: 2 cells, but the first line has 3"),
        (["--data", "words.csv"], "words.csv, line 2, column 1: 'x' is not a number"),
        (["--data", "nan.csv"], "nan.csv, line 2, column 2: 'nan' is not finite"),
        (["--data", "one.csv"], "every row has the label 'a'"),
        (["--data", "nan.csv", "--target", "kind"], "there is no column 'kind'"),
        (["--data", "moons", "--target", "kind"], "--target is for CSV files"),
        (["--data", "digits", "--noise", "1"], "--noise is for points in the plane"),
        (["--activation", "rleu"], "unknown activation 'rleu'; the nearest are relu"),
        (["--optimizer", "adma"], "unknown optimizer 'adma'; the nearest are adam"),
        (["--hidden", "0"], "--hidden: expected the sizes of the hidden layers, whole numbers from 1 on"),
        (["--hidden", "64,x"], "got '64,x'"),
        (["--hidden", "-3"], "--hidden"),
        (["--epochs", "0"], "--epochs: expected a whole number, 1 or more, got '0'"),
        (["--batch-size", "2.5"], "--batch-size: expected a whole number"),
        (["--lr", "nan"], "--lr: expected a number, 0 or more, got 'nan'"),
        (["--lr", "inf"], "--lr: expected a number"),
        (["--dropout", "1"], "--dropout: expected a number, 0 or more and below 1"),
        (["--test-fraction", "0"], "test_fraction=0"),
        (["--data", "blobs", "--noise", "-1"], "--noise: expected a number"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["--out", "ragged.csv"], "ragged.csv is a file; --out names a folder"),
        (["--out", "ragged.csv/run"], "ragged.csv/run: Not a directory"),
        (["--data", "moons", "--noise", "1e39"], "noise is a standard deviation, from 0 to a million, got 1e+39"),
        (["--out", "."], "current folder"),
        (["--out", "papers"], "papers holds 'thesis.txt', which no run has made"),
        (["--optimizer", "sgd", "--lr", "1e12"], "the loss became"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, message, capsys):
    write("ragged.csv", "1,2,a\n1,b\n")
    write("words.csv", "1,2,a\nx,2,b\n")
    write("nan.csv", "1,2,a\n1,nan,b\n")
    write("one.csv", "1,2,a\n1,3,a\n")
    os.mkdir("papers")
    write("papers/thesis.txt", "years of work")
    before = sorted(os.listdir())
    assert main(["train", *arguments]) == 2
    assert message in error_of(capsys)
    assert sorted(os.listdir()) == before and os.listdir("papers") == ["thesis.txt"]


def test_a_network_that_is_too_large_is_one_line(monkeypatch, capsys):
    def allocate(options):
        raise MemoryError("Unable to allocate 37.3 GiB")

    monkeypatch.setattr(train, "train", allocate)
    assert main(["train"]) == 2
    assert "there is not enough memory for this: Unable to allocate 37.3 GiB" in error_of(capsys)


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "extra"], ["predict", "x.csv"]])
def test_a_wrong_command_points_to_help(arguments, capsys):
    assert main(arguments) == 2
    assert "--help" in error_of(capsys)


def test_predict_mistakes(capsys):
    assert quick("--quiet") == 0
    write("wide.csv", "1,2,3\n")
    write("good.csv", "1,2\n")
    write("bad.csv", "1,2\n1,x\n")
    os.mkdir("cut")
    with open("run/model.npz", "rb") as file:
        raw = file.read()
    with open("cut/model.npz", "wb") as file:
        file.write(raw[: len(raw) // 2])
    os.mkdir("other")
    tg.save("other/model.npz", {"weights": np.ones(3)})
    os.mkdir("mixed")
    stored = tg.load("run/model.npz")
    tg.save("mixed/model.npz", {**stored, "in_features": 5})
    for arguments, message in [
        (["--run", "none", "good.csv"], "none: there is no model.npz"),
        (["--run", "run", "none.csv"], "none.csv: No such file"),
        (["--run", "run", "wide.csv"], "wide.csv: 3 columns, but the network of run was trained on 2; leave out"),
        (["--run", "run", "bad.csv"], "bad.csv, line 2, column 2: 'x' is not a number"),
        (["--run", "cut", "good.csv"], "cut/model.npz cannot be read"),
        (["--run", "other", "good.csv"], "other/model.npz: this is no network"),
        (["--run", "mixed", "good.csv"], "mixed/model.npz: the network in it cannot be rebuilt"),
        (["--run", "run", "good.csv", "--out", "none/answers.csv"], "none/answers.csv: No such file"),
    ]:
        assert main(["predict", *arguments]) == 2
        assert message in error_of(capsys)


def test_an_earlier_run_is_replaced_only_by_a_complete_one(capsys, monkeypatch):
    assert quick() == 0
    first = tg.load("run/model.npz")["state"]["0.weight"]
    assert quick("--optimizer", "sgd", "--lr", "1e12") == 2
    for module, place in ((train, "fit"), (train, "dead_units"), (results, "_microseconds"), (results, "write_text"),
                          (files, "_swap")):  # fmt: skip

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, place, interrupted)
            capsys.readouterr()
            assert quick("--seed", "1") == 130
            assert capsys.readouterr().err == "tinygrad-relu: interrupted, nothing was written\n"
        assert os.listdir() == ["run"]
        assert np.array_equal(tg.load("run/model.npz")["state"]["0.weight"], first)
    assert quick("--seed", "1") == 0
    assert os.listdir() == ["run"]
    assert not np.array_equal(tg.load("run/model.npz")["state"]["0.weight"], first)


def test_folders_made_for_a_run_that_failed_are_gone(capsys):
    assert main(["train", "--optimizer", "sgd", "--lr", "1e12", "--out", "some/where/run"]) == 2
    assert os.listdir() == []


# ---------------------------------------------------------------------- as a program


def command(*arguments):
    return [sys.executable, "-m", "tinygrad_relu", *arguments]


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}


def test_as_a_program(tmp_path):
    done = subprocess.run(
        command("train", "--data", "moons", "--samples", "50", "--epochs", "2", "--out", "run"),
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr == "" and "held-out accuracy" in done.stdout
    write("new.csv", "0,0\n")
    done = subprocess.run(
        command("predict", "--run", "run", "new.csv"), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("class,probability\n")
    done = subprocess.run(
        command("train", "--data", "moon"), env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1


def test_help_names_every_option_and_file():
    for name in ("train", "predict"):
        text = subprocess.run(
            command(name, "--help"), env=ENVIRONMENT, capture_output=True, text=True, check=True
        ).stdout
        assert "examples:" in text
    text = subprocess.run(
        command("train", "--help"), env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
    for word in ["moons", "--label-smoothing", "--weight-decay", *ALWAYS, "curves.png", "decision.png", "graph.dot",
                 "--no-compile"]:  # fmt: skip
        assert word in text


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
@pytest.mark.parametrize(("sent", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_leaves_nothing_behind(sent, status):
    def heed():  # what runs in the background of a shell may have been told to ignore it
        signal.signal(getattr(signal, sent), signal.SIG_DFL)

    running = subprocess.Popen(command("train", "--epochs", "100000", "--out", "runs/long"), env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed)  # fmt: skip
    deadline = time.monotonic() + 60
    while not os.path.isdir("runs") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(os.listdir("runs")) == 1  # a folder under another name
    time.sleep(0.2)
    running.send_signal(getattr(signal, sent))
    _, err = running.communicate(timeout=60)
    assert running.returncode == status and err.count("\n") == 1 and "nothing was written" in err
    assert os.listdir() == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals as on Unix")
def test_under_nohup_a_hangup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _termination_as_an_exception():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
