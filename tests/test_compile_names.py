"""Which names a compiled function goes by: those that its code loads, not those of attributes, methods and texts."""

import runpy
import subprocess
import sys

import pytest

SCRIPT = """
import types

import numpy
import tinygrad_relu as tg
from tinygrad_relu import nn, optim

task = types.SimpleNamespace(model=nn.MLP(2, [3], 2), np=numpy, i=0.5, item=2.0)
optimizer = optim.Adam(task.model.parameters(), lr=0.01)
X, y = numpy.random.default_rng(0).normal(size=(5, 2)).astype("float32"), numpy.array([0, 1, 0, 1, 1])


@tg.compile
def train(batch, labels):
    x = batch * task.i
    loss = tg.cross_entropy(task.model(x), labels) + task.np.square(task.model(x)).mean() * task.item
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    first = task.model[0].weight
    return {"loss": loss, "mean": first.data.mean(), "grad": first.grad}


"""
NAMES = ["step", "zero_grad", "data", "grad", "mean", "item", "backward", "model", "loss", "x", "i", "np"]
WAYS = {
    "loop": "for {0} in range(40): train(X, y)\n",
    "result": 'for count in range(40): {0} = train(X, y)["loss"].item()\n',
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_variable_of_the_script_may_be_called_as_an_attribute(name, way, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + WAYS[way].format(name), encoding="utf-8")
    assert len(runpy.run_path(str(script), run_name="__main__")["train"].signatures) == 1


@pytest.mark.parametrize(
    "how", [["script.py"], ["-m", "script"], ["-c", "import script"]], ids=["file", "-m", "import"]
)
def test_in_a_process_of_its_own(how, tmp_path):
    loops = "".join(way.format(name) for way in WAYS.values() for name in NAMES)
    (tmp_path / "script.py").write_text(SCRIPT + loops + "print(train.signatures)\n", encoding="utf-8")
    found = subprocess.run([sys.executable, *how], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.stdout == "['batch: (5, 2) float32, labels: (5,) int64, training']\n", found.stderr


@pytest.mark.parametrize(
    "expression, seen",
    [
        ("alpha", True), ("[alpha for _ in range(1)][0]", True), ("(lambda: alpha)()", True),
        ("globals()['alpha']", False), ("eval('alpha')", False), ("sys.modules[__name__].alpha", False),
        ("vars(sys.modules[__name__])['alpha']", False), ("looked_up('alpha')", False),
        ("type('C', (), {'value': property(lambda self: alpha)})().value", False),
    ],
)  # fmt: skip
def test_a_variable_that_the_code_loads_is_seen_and_one_that_is_looked_up_refused(expression, seen, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "import numpy as np\n"
        "import tinygrad_relu as tg\n"
        "def looked_up(name): return globals()[name]\n"
        f"double = tg.compile(lambda x: x * {expression})\n"
        "found = []\n"
        "for alpha in (2.0, 2.0, 3.0, 2.0): found.append(double(np.ones(1)).item())\n",
        encoding="utf-8",
    )
    found = subprocess.run(
        [sys.executable, "-c", "import script; print(script.found)"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if seen:
        assert found.stdout == "[2.0, 2.0, 3.0, 2.0]\n", found.stderr
    else:
        assert "CannotCompile: compile: " in found.stderr and found.stdout == ""


@pytest.mark.parametrize(
    "line, value",
    [
        ("import numbers_of.mine", "numbers_of.mine.alpha"), ("import numbers_of.mine as m", "m.alpha"),
        ("from numbers_of import mine", "mine.alpha"), ("from numbers_of.mine import alpha", "alpha"),
        ("from . import mine", "mine.alpha"), ("from .mine import alpha as a", "a"),
    ],
)  # fmt: skip
def test_an_import_inside_of_the_function_is_refused(line, value, tmp_path):
    package = tmp_path / "numbers_of"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "mine.py").write_text("alpha = 2.0\n", encoding="utf-8")
    (package / "steps.py").write_text(
        f"import tinygrad_relu as tg\n\n\n@tg.compile\ndef times(x):\n    {line}\n\n    return x * {value}\n",
        encoding="utf-8",
    )
    calls = "from numbers_of import mine, steps; import numpy as np\n"
    calls += "for mine.alpha in (2.0, 2.0, 3.0, 2.0): print(steps.times(np.ones(1)).item())"
    found = subprocess.run([sys.executable, "-c", calls], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.stdout == "" and "import it at the top of the file" in found.stderr
