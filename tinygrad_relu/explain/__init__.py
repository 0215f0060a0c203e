"""Explain: a page that steps through a computation and its backward pass, one message along one arrow at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..graph import backward_pass
from ..record.reading import read
from ..record.words import plural
from ..tensor import Tensor
from .explorer import Explorer
from .page import languages
from .story import story

__all__ = ["Explorer", "explain"]

_MOST = 300  # ops: a story of about a thousand steps


def explain(t: Tensor, gradient: Any = None, *, language: str = "en") -> Explorer:
    """Step through the forward pass that led to ``t``, and through the backward pass from it, op by op.

    The result shows itself in a notebook, ``print`` tells it as text, and ``.save("backprop.html")`` writes one page
    that needs no server and no network. It shows where each gradient comes from: the op's rule with the real numbers
    put in, the saved mask, what arrives where, and how it adds up. Only numbers of this computation are shown; nothing
    is changed, no ``grad`` either. Hooks run once.

    ``gradient`` is as in ``backward``: it may be left out for a scalar. ``language``: ``"en"`` or ``"ko"`` to begin
    with; the page can switch.

    Raises RuntimeError if ``t`` requires no gradient or its graph was freed by ``backward()``, and ValueError for an
    unknown language, or for more than 300 ops, which nobody can follow: explain a smaller part, or draw the graph.

    >>> a = Tensor(2.0, requires_grad=True, name="a")
    >>> b = a + a
    >>> explorer = tg.explain(b)
    >>> explorer
    <Explorer 'b': 1 op, 4 steps forward, 5 steps back>
    >>> print(explorer)
    Backpropagation of b, step by step
    ...
    """
    if language not in languages():
        raise ValueError(f"explain: there is no language {language!r}; there are {', '.join(languages())}")
    reading = read(t, "explain")
    t._must_require_grad("explain")
    messages = sum(len(step.arguments) for step in reading.steps)
    if len(reading.steps) > _MOST or messages > 3 * _MOST:
        raise ValueError(
            f"explain: {plural(len(reading.steps), 'op')} with {plural(messages, 'argument')} are too many to step "
            f"through, at most {_MOST} ops with {3 * _MOST} can be shown. Explain a part of it or a smaller example, "
            "or draw the whole with tg.draw."
        )
    start = t._starting_gradient(gradient, False, "explain")
    before = [(step.op.received, step.op.sent) for step in reading.steps]
    for step in reading.steps:  # an op that this pass does not reach has got nothing
        step.op.received, step.op.sent = None, ()
    try:
        found = backward_pass([t], [start], retain_graph=True)
        told = story(reading, np.asarray(start), found)
    finally:  # what a drawing shows stays what backward() did
        for step, (received, sent) in zip(reading.steps, before):
            step.op.received, step.op.sent = received, sent
    return Explorer(told, reading, language)
