"""The graph that a computation leaves behind: its topological order, and the only loop that goes back through it.

A node is a Tensor. ``node.op`` is the op that made it (None for a leaf), and ``node.op.parents`` are the op's
arguments, Tensors and constants, so the arrows of the graph run from a node to its parents.

Why an order at all? A node that is used twice has two gradients coming in, and what it passes on is right only
when both have arrived. So a node waits until all its consumers are done: that is a topological order (Kahn 1962,
"Topological sorting of large networks", CACM 5:558). Plain recursion passes the first half on too early.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from . import guard
from .mode import mode, switched


def topological_order(roots) -> list[Any]:
    """All nodes that lead to ``roots`` and require a gradient, each after all of its consumers: outputs first.

    Every node is counted once however often it is used, without recursion, in time linear in nodes and arrows.

    >>> a = tg.Tensor(1.0, requires_grad=True, name="a")
    >>> b = a + a
    >>> c = b + b
    >>> [node.op.name if node.op else node.name for node in tg.topological_order([c])]
    ['add', 'add', 'a']
    """
    waiting_for = dict.fromkeys(roots, 0)  # node -> how many of its consumers have not been placed yet
    found, parents = list(waiting_for), {}
    for node in found:
        parents[node] = _parents(node)
        for parent in parents[node]:
            if parent not in waiting_for:
                waiting_for[parent] = 0
                found.append(parent)
            waiting_for[parent] += 1
    order = [root for root in dict.fromkeys(roots) if not waiting_for[root]]
    for node in order:
        for parent in parents[node]:
            waiting_for[parent] -= 1
            if not waiting_for[parent]:
                order.append(parent)
    return order


def _parents(node) -> Any:
    """The nodes that this one was computed from."""
    if node.op is None:
        return ()
    if node.op.parents is None:
        freed = f"the graph behind '{node.op.name}' was already freed by an earlier backward() or grad()"
        hint = "run the forward pass again, give retain_graph=True to the earlier call, or add up losses first"
        raise RuntimeError(f"backward: {freed}; {hint}")
    return [parent for parent in node.op.parents if parent is not None]


def backward_pass(roots, gradients, *, inputs=(), create_graph=False, retain_graph=False) -> dict[Any, Any]:
    """Carry ``gradients`` from ``roots`` back through the graph; the total gradient of each leaf, as a dict.

    With ``inputs``, only the way to those nodes is walked, and the dict holds them instead of the leaves.
    Gradients are arrays, and then the rules run as plain NumPy; with ``create_graph`` they are Tensors, and the
    same rules are recorded as they run. Without ``retain_graph`` each op is let go as soon as it has been used.
    """
    with switched(record=create_graph, call=None):
        return _go_back(roots, gradients, set(inputs), create_graph, retain_graph)


def _go_back(roots, gradients, inputs, create_graph, retain_graph) -> dict[Any, Any]:
    order = topological_order(roots)
    useful = _nodes_leading_to(inputs, order) if inputs else None
    anomaly, recorder = mode.now.anomaly, mode.now.recorder
    arrived: dict[Any, Any] = {}  # node -> the sum of the gradients that have reached it so far
    for root, gradient in zip(roots, gradients):
        arrived[root] = arrived[root] + gradient if root in arrived else gradient

    results: dict[Any, Any] = {}
    order.reverse()
    while order:  # popping lets go of each node, and of its array, when its turn is over
        node = order.pop()
        grad = arrived.pop(node, None)
        if grad is None:
            continue
        if node._hooks:
            grad = _run_hooks(node, grad, create_graph)
        op = node.op
        if node in inputs if inputs else (op is None or node._retains_grad):
            results[node] = grad
        if op is None:
            continue

        if guard.latest[0] > op.time or op.seen:
            guard.refuse_changes(op)
        rule = _recording(op, node) if create_graph else op
        if recorder is not None:
            recorder.enter_backward(op)
        try:
            contributions = rule.backward(grad if op.is_built_in and not anomaly else read_only(grad))
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            reason = writes_into(error, "the gradient") or f"its backward rule failed: {error}"
            raise type(error)(f"{op.name}: {reason}") from error
        if recorder is not None:
            recorder.leave(contributions)
        if type(contributions) is not tuple:
            contributions = (contributions,)
        if len(contributions) != len(op.parents) or (contributions[0] is None and not op.is_built_in):
            _refuse_result(op, contributions)
        if anomaly:
            op.check_finite("backward", contributions, given=(grad,))

        for parent, contribution in zip(op.parents, contributions):
            if parent is None or contribution is None or (useful and parent not in useful):
                continue
            data = parent._array
            if getattr(contribution, "shape", None) != data.shape or contribution.dtype is not data.dtype:
                contribution = unbroadcast(contribution, parent, op)
            elif type(contribution) is np.ndarray and not contribution.ndim:
                contribution = contribution[()]  # NumPy computes with its scalars ten times faster
            arrived[parent] = arrived[parent] + contribution if parent in arrived else contribution
        if not retain_graph:
            node.op = object.__new__(type(op))  # holds nothing; its parents are None
        else:
            went = (c if not useful or p in useful else None for p, c in zip(op.parents, contributions))
            # As arrays: a graph that held its own gradients as Tensors would be a circle.
            op.received, op.sent = getattr(grad, "_array", grad), tuple(getattr(c, "_array", c) for c in went)
    return results


def _refuse_result(op, contributions) -> None:
    """Raise RuntimeError unless there is a gradient, or None, for each input."""
    if len(contributions) == len(op.parents) == 1 and op.parents[0] is not None:
        raise RuntimeError(f"{op.name}: backward returned None; is its `return` missing?")
    if len(contributions) != len(op.parents):
        counted = f"backward returned {len(contributions)} gradients, but forward has {len(op.parents)} inputs"
        hint = "return one, or None, for each argument of forward that has no default"
        raise RuntimeError(f"{op.name}: {counted}; {hint}")


def read_only(x):
    """A view of an array that NumPy refuses to write into; anything else as it is."""
    if type(x) is np.ndarray:
        x = x.view()
        x.flags.writeable = False
    return x


def writes_into(error: Exception, what: str) -> str:
    """Explain a rule that was stopped as it wrote into ``what`` it was given; '' for another error."""
    if "read-only" not in str(error):
        return ""
    return f"it writes into {what} it was given, read-only for others use it; make a new array, as np.where does"


def _recording(op, node):
    """A twin of the op whose inputs and output are Tensors: the same rule then records a graph of its own."""
    twin = copy.copy(op)
    twin.inputs = tuple(x if hasattr(x, "op") else array for x, array in zip(op.arguments, op.inputs))
    twin.output = node
    return twin


def _nodes_leading_to(inputs, order) -> set[Any]:
    """The nodes of ``order`` from which some of ``inputs`` can be reached, those themselves included."""
    leading = inputs.copy()
    for node in reversed(order):
        if node.op is not None and any(parent in leading for parent in node.op.parents):
            leading.add(node)
    return leading


def unbroadcast(gradient, parent, op):
    """The gradient in the shape and dtype of its input: what broadcasting repeated is summed, here and only here."""
    data = parent._array
    if not hasattr(gradient, "shape"):
        gradient = np.asarray(gradient, dtype=data.dtype)
    shape, added = data.shape, gradient.ndim - data.ndim
    if gradient.shape != shape:
        lengths = (1,) * added + shape
        if added < 0 or any(n not in (1, length) for n, length in zip(lengths, gradient.shape)):
            wrong = f"backward returned a gradient of shape {gradient.shape} for an input of shape {shape}"
            raise RuntimeError(f"{op.name}: {wrong}; it has that shape, or one that the input broadcasts to")
        axes = tuple(i for i, length in enumerate(gradient.shape) if i < added or lengths[i] != length)
        gradient = type(parent).sum(gradient, axis=axes).reshape(shape)  # the op, on an array or on a Tensor
    return gradient if gradient.dtype == data.dtype else gradient.astype(data.dtype)


def _run_hooks(node, grad, create_graph: bool):
    """The gradient after the node's hooks, each of which may replace it by another of the same shape."""
    for hook in list(node._hooks.values()):
        before = grad if create_graph else type(node)._from_array(grad.copy())  # others may have got the same array
        after = hook(before)
        if after is None:
            continue
        after = after if hasattr(after, "op") else type(node)._from_array(np.array(after))
        if after.shape != node.shape:
            shapes = f"returned a gradient of shape {after.shape} for one of shape {node.shape}"
            raise RuntimeError(f"register_hook: {getattr(hook, '__name__', hook)!r} {shapes}; None would keep it")
        after = after if after.dtype == node.dtype else after.astype(node.dtype)
        grad = after if create_graph else after._array
    return grad
