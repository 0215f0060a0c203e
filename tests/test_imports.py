"""Imports: the package asks for nothing but NumPy until something else is used."""

import subprocess
import sys

ONLY_NUMPY = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first not in sys.stdlib_module_names and first not in ("numpy", "tinygrad_relu"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nothing())
"""

NETWORK = """
import numpy as np
import tinygrad_relu as tg
model = tg.nn.MLP(2, [3], 2)
loss = tg.cross_entropy(model(np.ones((4, 2))), np.array([0, 1, 0, 1]))
loss.backward(retain_graph=True)
"""


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


def test_numpy_alone_is_enough_to_import_train_and_explain(tmp_path):
    page = f"tg.explain(loss).save({str(tmp_path / 'page.html')!r})\n"
    done = run(ONLY_NUMPY + NETWORK + page + "tg.summary(model, np.ones((4, 2)))\nprint(model[0].weight.grad.shape)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(3, 2)" and (tmp_path / "page.html").stat().st_size > 10_000


def test_where_graphviz_is_missing_draw_says_so():
    done = run(ONLY_NUMPY + NETWORK + "tg.draw(loss)")
    assert done.returncode == 1 and "ModuleNotFoundError: No module named 'graphviz'" in done.stderr


def test_nothing_is_imported_before_it_is_used():
    optional = "graphviz", "matplotlib", "tqdm", "pandas", "IPython"
    done = run(f"import sys, tinygrad_relu\nprint([name for name in {optional!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
