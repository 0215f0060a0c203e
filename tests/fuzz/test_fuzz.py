"""Some hundred random programs against PyTorch, the same in every run. ``make fuzz N=100000`` runs more, and others."""

import numpy as np
import pytest

import tinygrad_relu as tg

torch = pytest.importorskip("torch")

from fuzz import compare, known, ops, program, search  # noqa: E402


def told(found):
    return "\n".join(f"# {difference}\n{smallest.script()}" for smallest, difference in found.faults.values())


@pytest.mark.parametrize("count, ways", [(200, ()), (40, ("compiled",)), (20, ("drawn", "explained"))])
def test_random_programs_agree_with_pytorch_in_every_way(count, ways):
    found = search.search(count, ways=ways, most=1)
    assert not found.faults, told(found)
    assert found.ran == count


def test_every_op_is_in_the_table():
    ours = {name for name, op in tg.registry.items() if op.__module__.startswith("tinygrad_relu.")}
    assert ours <= ops.TABLE.keys()
    assert {each.op for each in known.KNOWN} <= ops.TABLE.keys()


# ---------------------------------------------------------------------- does it bite?


def test_a_wrong_rule_is_found_and_told_as_one_step(monkeypatch):
    monkeypatch.setattr(tg.registry["tanh"], "backward", lambda op, grad: grad * (1.001 - op.output * op.output))
    found = search.search(50, ways=(), ops=("add", "sin", "tanh"))
    ((smallest, difference),) = found.faults.values()
    assert (difference.way, difference.op) == ("gradient", "tanh")
    assert [step.op for step in smallest.steps] == ["tanh", "loss"]


def test_a_gradient_that_is_nan_in_pytorch_alone_is_a_difference():
    step = program.Step("loss", "sqrt", "x0.sum()", "(x0.sqrt() ** 2).sum()")
    (difference,) = compare.differences(program.Program({"x0": np.array([0.0])}, {}, [step]))
    assert (difference.way, difference.op) == ("gradient", "sqrt")


@pytest.mark.parametrize("way, name", [("compiled", "compile"), ("drawn", "draw"), ("explained", "explain")])
def test_a_way_that_fails_is_a_difference(monkeypatch, way, name):
    def fails(*_):
        raise ValueError("no")

    monkeypatch.setattr(tg, name, fails)
    (difference,) = compare.differences(SQUARE)
    assert difference == compare.Difference(way, "multiply", "ValueError: no")


def test_what_is_printed_runs_by_itself_and_shows_both_answers(capsys):
    exec(SQUARE.script(), {})
    ours, theirs = capsys.readouterr().out.split("there\n")
    assert all("[1., 4.]" in shown and "[2., 4.]" in shown and "second" in shown for shown in (ours, theirs))


SQUARE = program.Program(
    {"x0": np.array([1.0, 2.0])},
    {},
    [
        program.Step("v0", "multiply", "x0 * x0", "x0 * x0"),
        program.Step("loss", "loss", "v0.sum()", "v0.sum()"),
    ],
)
