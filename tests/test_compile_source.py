"""The source of a compiled function: it reads well, and a saved file goes on as eager does, with NumPy alone.

After a change that is meant to be seen there, write the golden listings anew with: python tests/test_compile_source.py
"""

import ast
import builtins
import keyword
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.compile.listing import Listing
from tinygrad_relu.compile.naming import function_name
from tinygrad_relu.compile.step import CompiledFunction
from tinygrad_relu.explain.program import run_program
from tinygrad_relu.record.source import line_at

NUMBERS = np.random.default_rng(0)
X = NUMBERS.normal(size=(5, 12, 6)).astype(np.float32)
Y = NUMBERS.integers(3, size=(5, 12))
TARGET = NUMBERS.normal(size=(5, 12, 3)).astype(np.float32)
CLASSES = [(each, y) for each, y in zip(X, Y)]
REGRESSION = [(each, y) for each, y in zip(X, TARGET)]


def classifier(make_optimizer, clip=None, hidden=(8,), more=None, **options):
    """A step of a classifier with one hidden layer, and what is left behind by the names that it should have."""
    model = nn.MLP(6, hidden, 3, **options)
    optimizer = make_optimizer(model.parameters())

    def step(x, y):
        loss = tg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        return loss

    return step, {"linear0_weight": model[0].weight, **(more(model) if more else {})}


def sgd():
    return classifier(lambda p: optim.SGD(p, lr=0.05))


def nesterov():
    return classifier(lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1))


def adam():
    return classifier(lambda p: optim.Adam(p, lr=0.01))


def rmsprop():
    return classifier(lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True))


def adagrad():
    return classifier(lambda p: optim.Adagrad(p, lr=0.01, lr_decay=0.1))


def dropout():
    return classifier(lambda p: optim.AdamW(p, lr=0.01), dropout=0.3)


def clipped():
    return classifier(lambda p: optim.SGD(p, lr=0.5), clip=0.1)


def batch_norm():
    return classifier(
        lambda p: optim.SGD(p, lr=0.05),
        batch_norm=True,
        more=lambda model: {"batchnorm1_running_var": lambda: model[1].running_var},
    )


def wide():
    """Large enough that masks work by their bits."""
    return classifier(lambda p: optim.Adam(p, lr=0.01), hidden=(400, 400))


def by_hand():
    w = Tensor(NUMBERS_FOR_W, requires_grad=True)
    b = Tensor(np.zeros(3, np.float32), requires_grad=True)

    def descend(x, y):
        w.grad = b.grad = None
        error = tg.matmul(x, w) + b - y
        loss = (error * error).mean()
        loss.backward()
        w.data = w.data - 0.1 * w.grad.data
        b.data = b.data - 0.1 * b.grad.data
        return loss

    return descend, {"w": w, "b": b}


NUMBERS_FOR_W = NUMBERS.normal(size=(6, 3)).astype(np.float32)


def gathering():
    """Gradients that add up from call to call, and no optimizer."""
    w = Tensor(NUMBERS_FOR_W, requires_grad=True)

    def gather(x, y):
        loss = tg.mse_loss(tg.matmul(x, w), y)
        loss.backward()
        return loss

    gather(*REGRESSION[0])
    return gather, {"grad_w": lambda: w.grad}


def several_outputs():
    model = nn.MLP(6, [8], 3)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(batch, *, scale, kind="mean"):
        logits = model(batch["x"])
        loss = tg.mse_loss(logits, batch["y"], reduction=kind) * scale
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss, "parts": (logits, [scale * 2, None])}

    return step, {"linear2_bias": model[2].bias}


def two_optimizers():
    teacher, student = nn.Linear(6, 3), nn.Linear(6, 3)
    first, second = optim.SGD(teacher.parameters(), lr=0.05), optim.Adam(student.parameters(), lr=0.01)

    def step(x, y):
        wanted = tg.mse_loss(teacher(x), y)
        first.zero_grad()
        wanted.backward()
        first.step()
        loss = tg.mse_loss(student(x), teacher(x).detach())
        second.zero_grad()
        loss.backward()
        second.step()
        return wanted, loss

    return step, {"teacher_weight": teacher.weight, "student_weight": student.weight}


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 3)
        self.mix = nn.Linear(3, 3)

    def forward(self, x):
        hidden = tg.tanh(self.mix(self.mix(self.encoder(x))))
        return hidden @ self.encoder.weight @ tg.transpose(self.encoder.weight)


def tied():
    model = Tied()
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    def step(x, y):
        loss = tg.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, {"encoder_weight": model.encoder.weight, "mix_bias": model.mix.bias}


def layer_norm():
    model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    importance = np.array([1, 2, 3], np.float32)

    def step(x, y):
        loss = tg.cross_entropy(model(x), y, weight=importance, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, {"layernorm1_weight": model[1].weight}


def evaluation():
    model = nn.MLP(6, [8], 3)
    model.eval()

    def predict(x, y):
        with tg.no_grad():
            scores = model(x)
            return tg.softmax(scores, axis=1), tg.cross_entropy(scores, y)

    return predict, {"linear0_weight": model[0].weight}


def a_module():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU()), {}


def nested_arguments():
    model = nn.Linear(6, 2)

    def apply(parts, flag, *more, times=3, **named):
        assert flag
        return [model(each) for each in parts], model(more[0]) * times, {"name": model(named["z"])}

    return apply, {"model_weight": model.weight}


def groups():
    """Two groups of parameters, bounded gradients, and a rule that asks NumPy for silence: a logarithm."""
    model = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=None), nn.Sigmoid(), nn.Linear(4, 3))
    parts = [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[3].parameters()}]
    optimizer = optim.SGD(parts, lr=0.1, momentum=0.9)

    def step(x, y):
        loss = tg.binary_cross_entropy(tg.sigmoid(model(x)), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()
        return loss

    return step, {"linear3_weight": model[3].weight}


def positional(batches):
    return [(batch, {}) for batch in batches]


NAMED = [(({"x": x, "y": y},), {"scale": 0.5 + i}) for i, (x, y) in enumerate(REGRESSION)]
CASES = [
    (sgd, positional(CLASSES)), (nesterov, positional(CLASSES)), (adam, positional(CLASSES)),
    (rmsprop, positional(CLASSES)), (adagrad, positional(CLASSES)), (dropout, positional(CLASSES)),
    (clipped, positional(CLASSES)), (wide, positional(CLASSES)), (batch_norm, positional(CLASSES)),
    (by_hand, positional(REGRESSION)), (gathering, positional(REGRESSION)), (several_outputs, NAMED),
    (two_optimizers, positional(REGRESSION)),
    (a_module, [((x,), {}) for x in X]), (nested_arguments, [(([x, x + 1], True, x + 2), {"z": x + 3}) for x in X]),
    (groups, [((x, np.abs(y) % 1), {}) for x, y in REGRESSION]), (tied, positional(REGRESSION)),
    (layer_norm, positional(CLASSES)), (evaluation, positional(CLASSES)),
]  # fmt: skip
each_case = pytest.mark.parametrize("make, calls", CASES, ids=[make.__name__ for make, _ in CASES])


def compiled_case(make, calls, times=5):
    tg.manual_seed(1)
    function, state = make()
    compiled = CompiledFunction(function)
    for i in range(times):
        args, kwargs = calls[i % len(calls)]
        compiled(*args, **kwargs)
    return compiled, state


def plain(thing):
    """The same with arrays in the place of Tensors."""
    if isinstance(thing, Tensor):
        return thing._array
    if isinstance(thing, dict):
        return {name: plain(each) for name, each in thing.items()}
    return type(thing)(plain(each) for each in thing) if isinstance(thing, (tuple, list)) else thing


def bits(thing):
    """Nested results as something that is equal only for the same structure and the same bits."""
    if isinstance(thing, dict):
        return {name: bits(each) for name, each in thing.items()}
    if isinstance(thing, (tuple, list)):
        return type(thing)(bits(each) for each in thing)
    if isinstance(thing, (np.ndarray, np.generic)):
        return str(np.asarray(thing).dtype), np.shape(thing), np.asarray(thing).tobytes()
    return type(thing).__name__, thing


ALONE = """
import pickle, sys
sys.modules["tinygrad_relu"] = None  # an import of it fails
import numpy as np
path, name = sys.argv[1:]
sys.path.insert(0, path)
import saved_step
calls = pickle.load(sys.stdin.buffer)
results = [getattr(saved_step, name)(*args, **kwargs) for args, kwargs in calls]
arrays = {name: value for name, value in vars(saved_step).items() if isinstance(value, (np.ndarray, np.generic))}
sys.stdout.buffer.write(pickle.dumps((results, arrays)))
"""


def run_alone(path, name, calls):
    """What the saved file gives in a fresh interpreter that has only NumPy, and its arrays afterwards."""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, str(path.parent), name],
        input=pickle.dumps(calls), capture_output=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr.decode()
    return pickle.loads(found.stdout)


@each_case
def test_a_saved_file_goes_on_bit_for_bit_with_numpy_alone(make, calls, tmp_path):
    more = [calls[i % len(calls)] for i in range(20)]
    compiled, _ = compiled_case(make, calls)
    compiled.save(tmp_path / "saved_step.py")
    results, arrays = run_alone(tmp_path / "saved_step.py", function_name(compiled.function), more)

    tg.manual_seed(1)
    function, state = make()
    for args, kwargs in [calls[i % len(calls)] for i in range(5)]:
        function(*args, **kwargs)
    for (args, kwargs), result in zip(more, results):
        assert bits(result) == bits(plain(function(*args, **kwargs)))
    for name, value in state.items():
        value = value() if callable(value) else value
        assert bits(arrays[name]) == bits(np.asarray(plain(value)))


@each_case
def test_the_source_is_valid_and_each_line_fits(make, calls):
    compiled, _ = compiled_case(make, calls)
    source = compiled.source
    ast.parse(source)
    assert max(map(len, source.split("\n"))) <= 120


@each_case
def test_names_can_be_read(make, calls):
    compiled, _ = compiled_case(make, calls)
    names = {node.id for node in ast.walk(ast.parse(compiled.source)) if isinstance(node, ast.Name)}
    assigned = {
        node.id for node in ast.walk(ast.parse(compiled.source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }  # fmt: skip
    assert not [name for name in names if re.fullmatch(r"v\d+", name)]
    assert not assigned & {*dir(builtins), *keyword.kwlist, "np", "rng"}
    assert max(map(len, names)) <= 36


@each_case
def test_every_line_of_the_users_that_computes_is_named(make, calls):
    compiled, _ = compiled_case(make, calls)
    calls = compiled.programs[0].plan.calls
    places = {call.origin.place for call in calls if call.origin.op is not None} - {None}
    assert places or make is a_module  # which is built in, so that no line of the user's is in it
    for place in places:
        assert str(line_at(place)) in compiled.source


@each_case
def test_the_source_runs_with_the_state_in_its_namespace(make, calls, tmp_path):
    """What stands in comments is all that the text needs."""
    compiled, _ = compiled_case(make, calls)
    listing = Listing(compiled.programs[0])
    space = {item.name: item.value for item in listing.state}
    exec(compile(compiled.source, "<source>", "exec"), space)
    args, kwargs = calls[0]
    result = space[function_name(compiled.function)](*args, **kwargs)

    tg.manual_seed(1)
    function, _ = make()
    for more, named in [calls[i % len(calls)] for i in range(5)]:
        function(*more, **named)
    if make is not dropout:  # which draws from the generator of this process
        assert bits(result) == bits(plain(function(*args, **kwargs)))


def saved(make, calls, tmp_path):
    compiled, _ = compiled_case(make, calls)
    compiled.save(tmp_path / "saved_step.py")
    return tmp_path / "saved_step.py"


def test_numbers_of_the_state_can_be_changed(tmp_path):
    path = saved(sgd, positional(CLASSES), tmp_path)
    path.write_text(path.read_text().replace("\nlr = 0.05 ", "\nlr = 0.2 "))
    results, arrays = run_alone(path, "step", positional(CLASSES))

    tg.manual_seed(1)
    model = nn.MLP(6, [8], 3)
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    for i in range(10):
        optimizer.param_groups[0]["lr"] = 0.05 if i < 5 else 0.2
        loss = tg.cross_entropy(model(X[i % 5]), Y[i % 5])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert bits(results[-1]) == bits(loss._array)
    assert bits(arrays["linear0_weight"]) == bits(model[0].weight.data)


@pytest.mark.parametrize(
    "change, message",
    [
        ("saved_step.step(x[:5], y)", r"x: recorded with an array \(12, 6\) float32, got \(5, 6\) float32"),
        ("saved_step.step(x.astype(float), y)", r"x: recorded with an array \(12, 6\) float32, got \(12, 6\) float64"),
        ("saved_step.step(x.tolist(), y)", "x: expected a NumPy array, got list"),
        ("saved_step.step(x, y + 100)", "recorded where"),
        ("saved_step.momentum = 0.0; saved_step.step(x, y)", "recorded where momentum is true; now it is not"),
    ],
)
def test_what_differs_from_the_recording_is_an_error(change, message, tmp_path):
    path = saved(nesterov, positional(CLASSES), tmp_path)
    program = f"import sys; sys.path.insert(0, {str(path.parent)!r}); import numpy as np, saved_step\n"
    program += f"x, y = np.ones((12, 6), np.float32), np.zeros(12, np.int64)\n{change}"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert re.search(f"ValueError: {message}", found.stderr)


def test_the_file_tells_how_it_is_called(tmp_path):
    path = saved(adam, positional(CLASSES), tmp_path)
    found = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    assert "saved_step.step(x, y)" in found.stdout
    assert "saved_step.lr = 0.01" in found.stdout
    assert "saved_step.weight_decay" not in found.stdout  # without it there is no line for it in the program
    assert "x  (12, 6) float32" in found.stdout


def test_the_numbers_stand_behind_all_that_is_to_be_read(tmp_path):
    lines = saved(adam, positional(CLASSES), tmp_path).read_text().split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("#="))
    assert all(line.startswith("#=") for line in lines[first:-1])
    assert max(map(len, lines)) <= 120


def test_the_saved_function_is_the_one_of_the_source(tmp_path):
    compiled, _ = compiled_case(batch_norm, positional(CLASSES))
    compiled.save(tmp_path / "saved_step.py")
    texts = [compiled.source, (tmp_path / "saved_step.py").read_text()]
    bodies = [ast.get_source_segment(text, _definition(text, "step")) for text in texts]
    assert bodies[0] == bodies[1]


def _definition(text, name):
    return next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name)


def test_a_parameter_that_was_given_another_array_is_saved_with_it(tmp_path):
    tg.manual_seed(1)
    weight = Tensor(NUMBERS_FOR_W, requires_grad=True)
    optimizer = optim.SGD([weight], lr=0.1)

    def step(x, y):
        loss = tg.mse_loss(tg.matmul(x, weight), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled = CompiledFunction(step)
    compiled(*REGRESSION[0])
    weight.data = np.ones((6, 3), np.float32)
    compiled.save(tmp_path / "saved_step.py")
    results, arrays = run_alone(tmp_path / "saved_step.py", "step", positional(REGRESSION))
    assert [bits(result) for result in results] == [bits(step(*batch)._array) for batch in REGRESSION]
    assert bits(arrays["weight"]) == bits(weight.data)


def test_what_a_rule_keeps_silent_about_is_silent_in_the_file_too(tmp_path):
    """Without a warning, which run_alone makes an error: log(0), of which the loss takes -100."""

    def surprise(p, y):
        return tg.binary_cross_entropy(p, y)

    compiled = CompiledFunction(surprise)
    compiled(np.full(3, 0.5), np.ones(3))
    compiled.save(tmp_path / "saved_step.py")
    results, _ = run_alone(tmp_path / "saved_step.py", "surprise", [((np.zeros(3), np.ones(3)), {})])
    assert results == [100.0]


def test_only_python_files_are_written(tmp_path):
    compiled, _ = compiled_case(sgd, positional(CLASSES))
    with pytest.raises(ValueError, match=r"ends with \.py"):
        compiled.save(tmp_path / "step.npz")
    assert not list(tmp_path.iterdir())


def test_parts_come_in_the_order_in_which_they_run():
    compiled, _ = compiled_case(adam, positional(CLASSES))
    places = [compiled.source.index(f"# ---- {part} -") for part in ("forward", "backward", "update")]
    assert places == sorted(places)


def test_parameters_go_by_their_place_and_other_tensors_by_their_variable():
    compiled, _ = compiled_case(tied, positional(REGRESSION))
    assert {"encoder_weight", "mix_bias", "grad_mix_weight"} <= names_in(compiled.source)
    compiled, _ = compiled_case(by_hand, positional(REGRESSION))
    assert {"w", "b", "error", "grad_w", "loss"} <= names_in(compiled.source)
    compiled, _ = compiled_case(two_optimizers, positional(REGRESSION))
    assert {"teacher_weight", "student_weight", "theta", "theta2", "wanted"} <= names_in(compiled.source)


def names_in(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


XOR = """
def train(X, y):
    scores = model(X)
    loss = tg.binary_cross_entropy_with_logits(scores, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
"""


def xor_source(name):
    """What is compared with the golden listing of this optimizer."""
    tg.manual_seed(0)
    model = nn.MLP(2, [8], 1)
    optimizer = getattr(optim, name)(model.parameters(), lr=0.05)
    space = run_program(XOR, {"tg": tg, "model": model, "optimizer": optimizer}, file="train.py")
    compiled = CompiledFunction(space["train"])
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    for _ in range(3):
        compiled(points, np.array([[0], [1], [1], [0]], np.float32))
    return compiled.source


@pytest.mark.skipif(sys.version_info < (3, 11), reason="names of variables are found by the columns of instructions")
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_golden_listing(name):
    assert xor_source(name) == golden(name).read_text(encoding="utf-8")


def golden(name):
    return Path(__file__).parent / "golden" / f"compile_xor_{name.lower()}.txt"


if __name__ == "__main__":
    for each in ("SGD", "Adam"):
        golden(each).write_text(xor_source(each), encoding="utf-8")
