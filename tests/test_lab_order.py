"""The experiments order and mask: their numbers against arithmetic, and against what the note prints."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, lab
from tinygrad_relu.lab.mask import NoteReLU, note_relu


@pytest.fixture(scope="module")
def order():
    return lab.run("order", steps=10, lengths=(50, 5000), executor=lab.Serial())


@pytest.fixture(scope="module")
def mask():
    return lab.run("mask", seeds=4, epochs=8, blocks=(1, 10), executor=lab.Serial())


# ---------------------------------------------------------------------- order


def test_the_small_graph_by_hand(order):
    # c hands 1 + 1 to b. At its first visit b hands 2 + 2 to a, and at its second again: 8 in place of 4.
    assert order.visits_by_sums == list("cbaabaa") and order.slope_by_sums == 8
    assert order.visits_in_order == list("cba") and order.slope_in_order == 4


def test_a_ladder_doubles_slope_and_paths_but_not_the_visits_in_order(order):
    assert [ladder.steps for ladder in order.ladders] == [2, 4, 6, 8, 10]
    for ladder in order.ladders:
        assert ladder.slope_by_messages == ladder.slope_in_order == 2**ladder.steps
        assert ladder.slope_by_sums > 2**ladder.steps
        # each of the 2^k paths to the k-th tensor from the top is a visit
        assert ladder.visits_by_messages == ladder.visits_by_sums == sum(2**k for k in range(ladder.steps + 1))
        assert ladder.visits_in_order == ladder.tensors == ladder.steps + 1


def test_a_deep_chain_is_too_deep_for_recursion_only(order):
    short, long = order.chains
    assert short.recursion_arrives and not long.recursion_arrives
    assert long.visits_in_order == 5001 and long.slope_in_order == short.slope_in_order == 1


def test_verdicts_of_order_follow_from_the_numbers(order):
    assert [claim.verdict for claim in order.claims()] == ["holds"] * 3
    order.ladders[-1].slope_by_messages += 1
    order.chains[-1].recursion_arrives = True
    assert [claim.verdict for claim in order.claims()] == ["holds", "does not hold here", "does not hold here"]
    order.ladders[-1].slope_by_messages -= 1
    order.chains[-1].recursion_arrives = False


# ---------------------------------------------------------------------- mask


def test_the_numbers_are_those_that_the_note_prints(mask):
    assert mask.x == [1, -2, 3, -4] and mask.incoming == [1, 2, -3, 4]
    assert mask.output == [1, 0, 3, 0]
    assert mask.mask == [False, True, False, True]
    assert mask.outgoing == [1, 0, -3, 0]
    assert mask.incoming_after_the_note == [1, 0, -3, 0]  # the fault: it was [1, 2, -3, 4]


def test_the_engine_is_right_and_the_notes_rule_wrong_where_a_gradient_is_shared(mask):
    graphs = {(graph.name, graph.leaf): graph for graph in mask.graphs}
    for graph in mask.graphs:
        assert graph.by_the_engine == pytest.approx(graph.by_differences, abs=1e-6)
    # by hand: g (1 + [x > 0]), and g with zeros where either is masked
    residual = graphs["x + relu(x)", "x"]
    assert residual.by_the_engine == [2, 2, -6, 4] and residual.by_the_note == [2, 0, -6, 0]
    for leaf in "xu":
        assert graphs["relu(x) + relu(u)", leaf].by_the_note == [0, 0, -3, 0]
        product = graphs["relu(x) * relu(u)", leaf]
        assert product.by_the_note == product.by_the_engine and product.wrong_slopes == 0
    assert residual.wrong_slopes == 2


def test_the_write_is_noticed_in_anomaly_detection_and_where_the_gradient_is_a_view(mask):
    assert "read-only" in mask.behind_a_sum
    assert all("read-only" in graph.noticed and "relu_as_in_the_note" in graph.noticed for graph in mask.graphs)


def test_the_notes_op_leaves_nothing_in_the_registry():
    assert "relu_as_in_the_note" not in tg.registry and not hasattr(Tensor, "relu_as_in_the_note")
    assert NoteReLU not in tg.registry.values()
    x = Tensor([1.0, -1.0], requires_grad=True)
    note_relu(x).backward([1.0, 1.0])
    assert x.grad.numpy().tolist() == [1.0, 0.0]


def test_deep_residual_networks_suffer_and_the_first_gradients_differ(mask):
    shallow, deep = mask.residuals
    assert shallow.blocks == 1 and deep.blocks == 10
    assert deep.difference.mean > 0.1 and deep.suffers
    for residual in mask.residuals:
        assert all(-1 <= cosine < 0.9999 for cosine in residual.cosines)
        assert np.isfinite(residual.losses_by_the_note).all()


def test_verdicts_of_mask_follow_from_the_numbers(mask):
    first, second, third = mask.claims()
    assert (first.verdict, second.verdict) == ("holds", "does not hold here")
    suffering = sum(residual.suffers for residual in mask.residuals)
    assert third.verdict == {0: "does not hold here", 1: "holds in part", 2: "holds"}[suffering]
