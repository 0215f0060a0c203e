"""The lab's common parts: one thread for BLAS, the files, the command line."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from experiments import SMALL, TINY

from tinygrad_relu import lab
from tinygrad_relu.cli.main import main
from tinygrad_relu.lab import command, workers


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(monkeypatch):
    """A lab of three experiments that are done in a moment."""
    monkeypatch.setattr(lab, "EXPERIMENTS", tuple(SMALL))
    monkeypatch.setattr(command, "run", lambda name, **options: lab.run(name, **options, **SMALL[name]))


def small_run(name):
    return lab.run(name, executor=lab.Serial(), **TINY[name])


def error_of(capsys):
    """The one line on stderr."""
    err = capsys.readouterr().err
    assert err.startswith("tinygrad-relu: error: ") and err.count("\n") == 1, err
    return err


# ---------------------------------------------------------------------- threads of BLAS


def test_blas_has_one_thread_in_the_block_and_its_own_number_after_it():
    get, _ = workers._blas_threads()
    before = get()
    with workers.one_blas_thread():
        assert get() == 1
        with workers.one_blas_thread():
            pass
        assert get() == 1
    assert get() == before


def test_blocks_of_several_threads_do_not_undo_each_other():
    get, _ = workers._blas_threads()
    before = get()
    first, second = workers.one_blas_thread(), workers.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert get() == 1
    second.__exit__(None, None, None)
    assert get() == before


def test_products_are_those_of_a_process_that_has_one_thread_from_the_start():
    code = "import numpy as np; a = np.random.default_rng(0).normal(size=(600, 300)); print((a.T @ a).sum().hex())"
    one = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", code], env=one, check=True, capture_output=True, text=True).stdout
    a = np.random.default_rng(0).normal(size=(600, 300))
    with workers.one_blas_thread():
        assert (a.T @ a).sum().hex() == told.strip()


# ---------------------------------------------------------------------- options


def test_an_unknown_option_is_named_beside_those_that_there_are():
    with pytest.raises(TypeError, match="lab: order has no option 'setps'; it has steps, lengths"):
        lab.run("order", setps=3)


@pytest.mark.parametrize("name", TINY)
def test_options_with_which_nothing_could_be_measured_are_named(name):
    for option, value in TINY[name].items():
        empty = 0 if isinstance(value, int) else type(value)()
        with pytest.raises(ValueError, match=f"lab: {name} needs {option} .*got "):
            lab.run(name, executor=lab.Serial(), **{option: empty})


# ---------------------------------------------------------------------- findings


def test_a_spread_is_what_the_statistics_module_says():
    values = [1.5, 2.25, -3.0, 8.0]
    spread = lab.Spread.of(values)
    assert spread.mean == pytest.approx(statistics.fmean(values))
    assert spread.deviation == pytest.approx(statistics.stdev(values))
    assert (spread.least, spread.most) == (-3.0, 8.0)
    assert spread.standard_error == pytest.approx(statistics.stdev(values) / 2)
    assert lab.Spread.of([7.0]) == lab.Spread(7.0, 0.0, 1, 7.0, 7.0)


@pytest.mark.parametrize("name", TINY)
def test_saving_writes_text_numbers_and_the_figure(name):
    found = small_run(name)
    paths = found.save("out")
    assert [path.name for path in paths] == [f"{name}{ending}" for ending in (".txt", ".json", ".svg", ".png")]
    assert sorted(os.listdir("out")) == sorted(path.name for path in paths)
    text, numbers, svg, png = paths
    assert text.read_text(encoding="utf-8") == f"{found}\n"
    stored = json.loads(numbers.read_text())
    assert stored == json.loads(json.dumps(found.to_dict())) and stored["experiment"] == name
    assert {claim["verdict"] for claim in stored["claims"]} <= {"holds", "holds in part", "does not hold here"}
    assert ElementTree.parse(svg).getroot().tag.endswith("svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    before = {path: path.read_bytes() for path in (text, numbers, svg)}
    found.save("out")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", SMALL)
def test_a_notebook_shows_findings_with_their_figure_and_a_figure_by_itself(name):
    shells = pytest.importorskip("IPython.core.interactiveshell")
    format_ = shells.InteractiveShell.instance().display_formatter.format
    found = small_run(name)
    shown, _ = format_(found)
    html = shown["text/html"]
    assert all(escape(claim.measured) in html for claim in found.claims())
    assert all(escape(table.title) in html for table in found.tables())
    (picture,) = re.findall('src="data:image/svg[+]xml;base64,([^"]+)"', html)
    assert ElementTree.fromstring(base64.b64decode(picture)).tag.endswith("svg")
    assert shown["text/plain"].startswith(f"<{type(found).__name__}: ") and len(shown["text/plain"]) < 80
    drawn, _ = format_(found.figure())
    assert f'src="data:image/svg+xml;base64,{picture}"' in drawn["text/html"] and "max-width" in drawn["text/html"]


def test_without_matplotlib_a_notebook_shows_the_rest(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    html = small_run("order")._repr_html_()
    assert "<table>" in html and "<img" not in html


@dataclass
class Odd(lab.Findings):
    """Findings with everything that JSON does not know, and a figure that cannot be drawn."""

    name, title, story, caption = "odd", "odd", "odd", "odd"
    numbers: np.ndarray
    nested: dict

    def tables(self):
        return []

    def claims(self):
        return []

    def figure(self):
        raise RuntimeError("no figure")


def test_what_json_does_not_know_becomes_plain_or_null():
    odd = Odd(np.array([1.0, np.nan, np.inf]), {1: (np.float32(0.5), lab.Spread(1.0, 2.0, 3, 0.0, 3.0), math.nan)})
    plain = odd.to_dict()["numbers"]
    assert plain["numbers"] == [1.0, None, None]
    assert plain["nested"] == {"1": [0.5, {"mean": 1.0, "deviation": 2.0, "count": 3, "least": 0.0, "most": 3.0}, None]}


def test_a_figure_that_fails_leaves_no_file():
    with pytest.raises(RuntimeError, match="no figure"):
        Odd(np.zeros(1), {}).save("out")
    assert not os.path.exists("out")


@pytest.mark.parametrize("name", TINY)
def test_of_one_seed_nothing_is_in_the_plural(name):
    once = {option: 1 for option in ("seeds", "epochs", "tuning_seeds", "moment_seeds") if option in TINY[name]}
    found = lab.run(name, executor=lab.Serial(), **{**TINY[name], **once})
    several = r"(?<![\d.,^])1 (seeds|epochs|layers|networks|units|steps|runs|visits|blocks|ops|tables|claims)\b"
    text = re.sub(r"\s+", " ", f"{found!r} {found}")
    assert not re.search(several, text) and "seeds 0 to 0" not in text


@pytest.mark.parametrize("name", TINY)
def test_no_whisker_or_mark_of_a_share_leaves_what_a_share_can_be(name):
    pytest.importorskip("matplotlib")
    for axes in small_run(name).figure().axes:
        for direction, label in enumerate((axes.get_xlabel(), axes.get_ylabel())):
            if "(%)" in label or "share" in label:
                drawn = [segment for each in axes.collections for segment in each.get_segments()]
                drawn += [line.get_xydata() for line in axes.lines]
                ends = np.concatenate(drawn)[:, direction]
                assert ends.min() >= 0 and ends.max() <= (100 if "(%)" in label else 1) + 1e-9, label


def test_a_mean_of_shares_has_an_interval_within_0_and_1():
    assert lab.Spread.of([0.0] * 20).share_interval == lab.findings.wilson_interval(0.0, 20)
    nearly_none, nearly_all = lab.Spread.of([0.0, 0.0, 0.0, 0.5]), lab.Spread.of([1.0, 1.0, 1.0, 0.5])
    assert nearly_none.mean < 2 * nearly_none.standard_error  # so that two standard errors would leave 0
    low, high = nearly_none.share_interval
    assert 0 < low < nearly_none.mean < high < 1
    assert nearly_all.share_interval == pytest.approx((1 - high, 1 - low))
    yes_and_no = [1.0] * 30 + [0.0] * 70  # of single trials it is Wilson's own, but for n - 1 in the deviation
    assert lab.Spread.of(yes_and_no).share_interval == pytest.approx(lab.findings.wilson_interval(0.3, 99))


# ---------------------------------------------------------------------- the command


def test_without_a_name_the_experiments_are_listed_also_without_matplotlib(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["lab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == list(lab.titles()) and set(SMALL) <= set(listed)
    assert listed == [name for name in lab.EXPERIMENTS if name in listed]
    assert any(line.endswith(lab.titles()["mask"]) for line in lines)


def test_experiments_print_their_findings_and_leave_their_files(small, capsys):
    os.mkdir("out")
    Path("out", "mine.txt").write_text("mine")
    assert main(["lab", "order", "kink", "order", "--out", "out", "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.count("order: why") == 1
    assert str(small_run("order")) in said.out and str(small_run("kink")) in said.out
    for name in ("order", "kink"):
        assert f" s; in out: {name}.txt, {name}.json, {name}.svg, {name}.png" in said.out
    made = {f"{name}{ending}" for name in ("order", "kink") for ending in (".txt", ".json", ".svg", ".png")}
    assert set(os.listdir("out")) == made | {"mine.txt"} and Path("out", "mine.txt").read_text() == "mine"


def test_all_runs_everything_with_one_pool_and_writes_the_page(small, monkeypatch, capsys):
    pools = []
    monkeypatch.setattr(command, "process_pool", lambda most: pools.append(workers.process_pool(most)) or pools[-1])
    assert main(["lab", "all", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "") and len(pools) == 1
    files = os.listdir("runs/lab")
    assert len(files) == 4 * len(SMALL) + 1 and "index.html" in files
    page = Path("runs/lab/index.html").read_text(encoding="utf-8")
    assert page.index('<section id="order"') < page.index('<section id="mask"') < page.index('<section id="kink"')


def test_an_unknown_name_is_an_error_that_names_the_nearest(small, capsys):
    assert main(["lab", "order", "kinks"]) == 2
    assert "there is no experiment 'kinks'; the nearest is kink" in error_of(capsys)
    assert main(["lab", "xyz"]) == 2
    assert "there are order, mask, kink" in error_of(capsys)
    assert os.listdir() == []


def test_a_file_in_place_of_the_folder_is_an_error(small, capsys):
    Path("out").write_text("mine")
    assert main(["lab", "order", "--out", "out"]) == 2
    assert "out is a file" in error_of(capsys) and Path("out").read_text() == "mine"


def test_without_matplotlib_nothing_runs_and_the_extra_is_named(small, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(command, "run", lambda *args, **options: pytest.fail("it was run"))
    assert main(["lab", "order"]) == 2
    assert 'pip install "tinygrad_relu[plot]"' in error_of(capsys) and os.listdir() == []


@pytest.mark.parametrize(
    "error, status, said",
    [
        (ValueError("too deep"), 2, "error: too deep"),
        (KeyboardInterrupt(), 130, "interrupted, order had been written"),
    ],
)
def test_what_stops_the_second_leaves_the_first_as_a_whole(error, status, said, small, monkeypatch, capsys):
    def run(name, **options):
        if name == "mask":
            raise error
        return small_run(name)

    monkeypatch.setattr(command, "run", run)
    assert main(["lab", "order", "mask", "--out", "out", "--quiet"]) == status
    assert capsys.readouterr().err == f"tinygrad-relu: {said}\n"
    assert sorted(os.listdir("out")) == ["order.json", "order.png", "order.svg", "order.txt"]


def test_interrupted_at_once_says_that_nothing_was_written(small, monkeypatch, capsys):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupted)
    assert main(["lab", "order"]) == 130
    assert capsys.readouterr().err == "tinygrad-relu: interrupted, nothing was written\n" and os.listdir() == []


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
@pytest.mark.parametrize(("sent", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_it_soon_and_leaves_no_process(sent, status):
    code = """
import sys
from tinygrad_relu.cli.main import main
from tinygrad_relu.lab import command

run = command.run
command.run = lambda *args, **options: print("measuring", flush=True) or run(*args, **options)
sys.exit(main(["lab", "speed", "--out", "out"]))
"""

    def heed():  # what runs in the background of a shell may have been told to ignore it
        signal.signal(getattr(signal, sent), signal.SIG_DFL)

    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": heed}
    running = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, **options)
    assert running.stdout.readline() == "measuring\n"
    time.sleep(1)
    os.killpg(running.pid, getattr(signal, sent))  # as a terminal does: all of the group get it
    _, err = running.communicate(timeout=60)
    assert running.returncode == status and "nothing was written" in err and not os.path.exists("out")
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, 0)
