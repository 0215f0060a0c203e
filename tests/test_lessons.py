"""The lessons: they run as plain Python, hold what they promise in both languages, and check answers rightly."""

import doctest
import importlib.util
import json
import re
import runpy
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import tinygrad_relu as tg

pytest.importorskip("matplotlib")
jupytext = pytest.importorskip("jupytext")

FOLDER = Path(__file__).parents[1] / "examples" / "lessons"
SCRIPTS = sorted(FOLDER.glob("[0-9]_*.py"))
LANGUAGES = {"en": ".ipynb", "ko": ".ko.ipynb"}
UNANSWERED = "Not answered yet"


@dataclass
class Answers:
    """What readers may put in the place of ``answer = ...``, as code; beside wrong ones, words of what is said then."""

    right: list[str]
    wrong: dict[str, str] = field(default_factory=dict)


LENGTH = """
class answer(tg.Op):
    def forward(self, x, y):
        self.length = np.sqrt(x * x + y * y)
        return self.length

    def backward(self, grad):
        x, y = self.inputs
        {}
"""

ANSWERS = {
    "1_one_neuron": [
        Answers(["0", "0.0"], {"-7.2": "Find the place", "-8": "Find the place", "[0.0]": "shape (1,)"}),
        Answers(["0.1", "1 / 10"], {"0.05": "a loss of 0.5625", "0.2": "a loss of 2.25", "'fast'": "ended with"}),
    ],
    "2_chain_rule": [
        Answers(["6", "5 + 1"], {"5": "two roads", "20": "two roads", "[6]": "shape (1,)"}),
        Answers(
            ["0.0555667", "(0.751365 - 0.25) * 0.186816 * 0.593270"],
            {"0.0822": "Which of the three", "-0.0556": "Which of the three"},
        ),
    ],
    "3_order": [
        Answers(
            ["['f', 'e', 'd', 'a', 'b']", "list('fedba')"],
            {"list('abdef')": "Too early: e.", "list('fdeab')": "Too early: d.", "list('fed')": "ended with"},
        ),
        Answers(
            ["lambda n: 2 ** (n + 1) - 1", "lambda n: sum(2 ** k for k in range(n + 1))"],
            {"lambda n: 2 ** n": "It says 8", "lambda n: n + 1": "It says 4", "15": "ended with"},
        ),
    ],
    "4_broadcasting": [
        Answers(["(0, 2)", "(2, 0)"], {"(0,)": "the shape (4, 3)", "(0, 1)": "the shape (3,)", "(0, 3)": "ended with"}),
        Answers(
            ["lambda grad, X: (grad * X).sum(axis=0)", "lambda grad, X: np.einsum('ij,ij->j', grad, X)"],
            {
                "lambda grad, X: grad * X": "the shape (4, 3)",
                "lambda grad, X: grad.sum(axis=0)": "the rule of a product",
                "lambda grad, X: (grad * X).sum(axis=1)": "the shape (4,)",
            },
        ),
    ],
    "5_relu_mask": [
        Answers(
            ["[1, 0.2, -3, 0.4]", "np.array([1, 2, -3, 4]) * [1, 0.1, 1, 0.1]"],
            {"[1, 0, -3, 0]": "0.1 elsewhere", "[1, -0.2, 3, -0.4]": "0.1 elsewhere", "[1, 0.2]": "shape (2,)"},
        ),
        Answers(
            ["lambda out, dout: np.where(out > 0, dout, 0)", "lambda out, dout: dout * (out > 0)"],
            {
                "lambda out, dout: np.where(out >= 0, dout, 0)": "Which of these were blocked?",
                "lambda out, dout: np.where(dout > 0, dout, 0)": "Which of these were blocked?",
                "def answer(out, dout):\n    dout[out <= 0] = 0\n    return dout": "changed dout",
            },
        ),
    ],
    "6_your_own_op": [
        Answers(
            ["lambda grad, x, y: -2 * grad * x * y", "lambda grad, x, y: grad * np.exp(-x * x) * -2 * x"],
            {
                "lambda grad, x, y: -2 * x * y": "gradcheck: output 0[1], input 0[0]",  # the factor forgotten
                "lambda grad, x, y: grad * y": "gradcheck: output 0[0], input 0[0]",  # the inner slope forgotten
                "lambda grad, x, y: -2 * grad * x * y.detach() if isinstance(y, Tensor) else -2 * grad * x * y": (
                    "gradgradcheck"
                ),
                "lambda grad, x: grad": "ended with",
            },
        ),
        Answers(
            [LENGTH.format("return grad * x / self.output, grad * y / self.output")],
            {
                LENGTH.format("return x / self.output, y / self.output"): "gradcheck: output",
                LENGTH.format("return grad * y / self.output, grad * x / self.output"): "gradcheck: output",
                LENGTH.format("return grad * x / self.length, grad * y / self.length"): "saved array",
                LENGTH.format("return grad * x / self.output"): "ended with",
                LENGTH.replace("np.sqrt", "np.square").format("return grad, grad"): "forward gives 625",
                "tg.sqrt": "ended with",
            },
        ),
    ],
    "7_moons": [
        Answers(
            ["(B @ A, B @ a + b)"],
            {"(B @ A, b)": "off by up to", "(A.T @ B.T, B @ a + b)": "ended with", "(A, a)": "ended with"},
        ),
        Answers(
            ["([1, -1], [0, 0], [1, 1], -1)", "([1, -1], [-1, -1], [1, 1], 0)", "([2, -3], [-2, -3], [1, 5], -1e-3)"],
            {
                "([1, 1], [0, 0], [1, 1], -1)": "At x = -4 the score is -1",
                "([1, -1], [0, 0], [1, 1], 0)": "At x = -0.9 the score is 0.9",
                "([1, -1], [0, 0])": "ended with",
            },
        ),
    ],
    "8_dying_relu": [
        Answers(
            ["1 / 3", "0.333"],
            {"0.4": "dead, but so it is at a smaller rate", "0.3": "alive", "3 / 8": "smaller", "'small'": "ended"},
        ),
        Answers(
            [
                "lambda z: tg.leaky_relu(z, 0.1)",
                "tg.elu",
                "lambda z: tg.maximum(z, 0.05 * z)",
                "lambda z: tg.relu(z) - 0.2 * tg.relu(-z)",
            ],
            {
                "tg.relu": "from -0.47 to -0.47",
                "tg.softplus": "For the sums",
                "abs": "Which slope is there below 0?",  # it pushes the wrong way
            },
        ),
    ],
    "9_numpy_program": [
        Answers(
            ["'grad_linear0[relu1 <= 0] = 0'", "'np.multiply(grad_linear0, relu1 > 0, out=grad_linear0)'"],
            {
                "'np.putmask(grad_linear0, relu1_mask, 0)'": "The loss of step 2",
                "'grad_linear0[grad_linear0 <= 0] = 0'": "The loss of step 2",
                "'pass'": "The loss of step 2",
                "'grad_linear0['": "ended with",
            },
        ),
        Answers(
            ["'theta -= lr * (grad + 0.1 * theta)'", "'theta *= 1 - 0.1 * lr; theta -= lr * grad'"],
            {
                "'theta -= lr * grad'": "the weights have the length",
                "'theta -= lr * (grad + 0.1)'": "the weights have the length",
                "'theta = theta - lr * (grad + 0.1 * theta)'": "the weights have the length",  # no longer a window
            },
        ),
    ],
}


def of_each_lesson(function):
    return pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])(function)


def cells_of(script):
    return jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent").cells


def exercises_of(script):
    return [cell.source for cell in cells_of(script) if cell.cell_type == "code" and "answer = ..." in cell.source]


def notebook_of(script, language):
    return json.loads(script.with_name(script.stem + LANGUAGES[language]).read_text(encoding="utf-8"))


def text_of(lines):
    return lines if isinstance(lines, str) else "".join(lines)


@pytest.fixture
def own_ops():
    """Ops that a lesson or an answer registers are taken out again."""
    before = set(tg.registry)
    yield
    for name in set(tg.registry) - before:
        if name in tg.registry:  # and not an alias that has gone with its op
            tg.unregister(name)


@pytest.fixture
def lesson(own_ops, monkeypatch, tmp_path):
    """Runs a lesson as plain Python in an empty folder; what it has defined."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return lambda script: runpy.run_path(str(script), run_name="__main__")


# ---------------------------------------------------------------------- running and answering


@of_each_lesson
def test_it_runs_as_plain_python_and_checks_answers(script, lesson, capsys, tmp_path):
    """One run serves for all answers, since lessons take seconds."""
    names = lesson(script)
    printed = capsys.readouterr().out
    assert printed.count(UNANSWERED) == 2 and "Right." not in printed and "Not yet." not in printed
    assert not list(tmp_path.iterdir()), "a lesson writes no files"

    exercises = exercises_of(script)
    assert script.stem in ANSWERS and len(ANSWERS[script.stem]) == len(exercises) == 2
    for source, answers in zip(exercises, ANSWERS[script.stem]):
        for given in answers.right:
            assert said(source, given, names, capsys) == "Right.\n", given
        assert answers.wrong
        for given, words in answers.wrong.items():
            told = said(source, given, names, capsys)
            assert told.startswith("Not yet. ") and words in told, (given, told)


def said(source, given, names, capsys):
    """What the cell of an exercise prints with this answer."""
    before = set(tg.registry)
    answered = re.sub(r"^answer = \.\.\..*$", lambda _: answer_as_code(given), source, flags=re.M)
    exec(compile(answered, "<exercise>", "exec"), dict(names))
    for name in set(tg.registry) - before:
        if name in tg.registry:
            tg.unregister(name)
    return capsys.readouterr().out


def answer_as_code(given):
    """An expression is assigned; statements define the answer themselves."""
    return f"answer = {given}" if is_expression(given) else given


def is_expression(code):
    try:
        compile(code, "<answer>", "eval")
    except SyntaxError:
        return False
    return True


@pytest.mark.parametrize("name", ["lesson", "build"])
def test_the_examples_in_the_docstrings_are_true(name, monkeypatch):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # where doctest looks for it
    spec.loader.exec_module(module)
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


def test_a_figure_is_saved_for_a_slide_as_svg_and_png(monkeypatch, tmp_path):
    from tinygrad_relu.lab import figures

    monkeypatch.syspath_prepend(str(FOLDER))
    picture = importlib.import_module("lesson").show(figures.panels()[0])
    svg, png = picture.save(tmp_path / "slide")
    assert [path.name for path in (svg, png)] == ["slide.svg", "slide.png"]
    assert svg.read_text(encoding="utf-8").endswith(picture._repr_svg_()) and png.read_bytes().startswith(b"\x89PNG")


def test_the_network_of_lesson_2_gives_the_numbers_of_its_source(lesson):
    """Matt Mazur, "A Step by Step Backpropagation Example": outputs, error, and the gradients of w5 and w1."""
    names = lesson(FOLDER / "2_chain_rule.py")
    assert names["hidden"].tolist() == pytest.approx([0.593269992, 0.596884378], abs=1e-7)
    assert names["error"].item() == pytest.approx(0.298371109, abs=1e-7)
    assert names["W2"].grad[0, 0].item() == pytest.approx(0.082167041, abs=1e-7)
    assert names["W1"].grad[0, 0].item() == pytest.approx(0.000438568, abs=1e-8)


# ---------------------------------------------------------------------- what a lesson holds


@of_each_lesson
def test_each_passage_stands_in_both_languages(script):
    passages = [cell for cell in cells_of(script) if cell.cell_type == "markdown"]
    assert [cell.metadata.get("lang") for cell in passages] == ["en", "ko"] * (len(passages) // 2)
    for english, korean in zip(passages[::2], passages[1::2]):
        assert not re.search("[가-힣]", english.source) and re.search("[가-힣]", korean.source)
        assert shape_of(english.source) == shape_of(korean.source)


@of_each_lesson
def test_bold_type_ends_where_markdown_sees_it(script):
    """`**word(s)**는` is no bold type: behind a sign the stars must not be followed by a letter, nor the other way."""
    for cell in cells_of(script):
        if cell.cell_type == "markdown":
            for before, text, after in re.findall(r"(^|.)\*\*([^*]+)\*\*(.|$)", cell.source, flags=re.M):
                assert text[-1].isalnum() or not after.isalnum(), text
                assert text[0].isalnum() or not before.isalnum(), text


def shape_of(source):
    """The headings, and the numbers of rows of tables, of lines of code, and of list items."""
    lines = source.splitlines()
    headings = [line.split()[0] for line in lines if line.startswith("#")]
    return headings, *(sum(line.startswith(mark) for line in lines) for mark in ("|", "```", "- "))


@of_each_lesson
def test_it_starts_from_a_question_and_names_the_next_lesson(script):
    number = int(script.stem[0])
    for language in LANGUAGES:
        passages = [cell.source for cell in cells_of(script) if cell.metadata.get("lang") == language]
        title, question = passages[0].split("\n\n")[:2]
        assert title.startswith(f"# {number}. ") and "?" in question
        if number < 9:
            assert f"{number + 1}" in passages[-1], "the last passage names the next lesson"


@of_each_lesson
def test_each_exercise_has_a_heading_before_it(script):
    headings = {"en": "Exercise", "ko": "연습 문제"}
    for language, word in headings.items():
        cells = [cell for cell in cells_of(script) if cell.metadata.get("lang", language) == language]
        asked = [i for i, cell in enumerate(cells) if "answer = ..." in cell.source]
        for number, i in enumerate(asked, 1):
            assert cells[i - 1].cell_type == "markdown" and f"## {word} {number}\n" in cells[i - 1].source
        assert {i + 1 for i in asked} & {len(cells) - 2, len(cells) - 1}, "the exercises are the last part"


@of_each_lesson
def test_code_of_the_languages_differs_in_the_language_only(script):
    own = {language: [] for language in LANGUAGES}
    for cell in cells_of(script):
        if cell.cell_type == "code" and "lang" in cell.metadata:
            own[cell.metadata["lang"]].append(cell.source)
    assert own["en"] == [re.sub(r', language="ko"', "", source) for source in own["ko"]]


# ---------------------------------------------------------------------- the notebooks beside the scripts


@of_each_lesson
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notebook_is_that_of_the_script(script, language):
    chosen = [cell for cell in cells_of(script) if cell.metadata.get("lang", language) == language]
    written = notebook_of(script, language)["cells"]
    assert [cell["cell_type"] for cell in written] == [cell.cell_type for cell in chosen]
    assert [text_of(cell["source"]) for cell in written] == [cell.source for cell in chosen], "make lessons is due"


@of_each_lesson
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notebook_shows_drawings_and_no_errors(script, language):
    outputs = [output for cell in notebook_of(script, language)["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert kinds & {"image/svg+xml", "text/html"}
    assert not re.search(r"0x[0-9a-f]{6,}|/tmp/|file:/", json.dumps(outputs)), "addresses change from run to run"
    path = script.with_name(script.stem + LANGUAGES[language])
    assert path.stat().st_size < 600_000


def test_the_table_of_contents_links_every_notebook():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\((\d_\w+(?:\.ko)?\.ipynb)\)", text) == [
        script.stem + ending for script in SCRIPTS for ending in LANGUAGES.values()
    ]
