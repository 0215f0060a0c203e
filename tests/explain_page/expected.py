"""Expected: each step of a page, as the engine has it when it is asked without the explorer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.record.reading import Reading, Step, Value, read


@dataclass
class Expected:
    """One step as it must be shown. ``arrays`` stand under a heading of the card, a key of the language files."""

    kind: str
    current: set[str]  # the boxes that it is about
    arrays: dict[str, list[np.ndarray]]
    numbers: dict[str, np.ndarray]  # of the boxes that are known
    grads: dict[str, np.ndarray]  # of the boxes that got some, as far as they arrived
    missing: dict[str, int] = field(default_factory=dict)  # of the boxes that wait, or have waited


class Engine:
    """A computation done again, one step at a time, with the engine's public functions only."""

    def __init__(self, output: Tensor, gradient: float = 1.0):
        self.output = output
        self.start = np.full_like(output.detach().numpy(), gradient)
        self.reading: Reading = read(output, "explain")
        self.numbers = {value.id: value.array for value in self.reading.values if value.maker is None}
        self.grads: dict[str, np.ndarray] = {}
        uses = [use for step in self.reading.steps for use in step.arguments if use.requires_grad]
        self.waiting = Counter(use.id for use in uses)

    def steps(self) -> list[Expected]:
        return [*self._forward(), *self._backward()]

    def _forward(self):
        yield self._told("start", [], {"leaves": self._leaves()})
        for step in self.reading.steps:
            for argument in step.arguments:
                yield self._told("send", [step, argument], {"value": [argument.array]})
            result = self._computed_again(step)
            self.numbers[step.result.id] = result
            inputs = [argument.array for argument in step.arguments]
            yield self._told("compute", [step, step.result], {"result": [result], "inputs": inputs})

    def _backward(self):
        output = self.reading.output
        self.grads[output.id] = self.start
        yield self._told("seed", [output], {"complete": [self.grads[output.id]]})
        of_node = {value.tensor: value for value in self.reading.values}
        for node in tg.topological_order([self.output]):
            value = of_node[node]
            if value.maker is None:
                continue
            received = self._gradient_of(value)
            yield self._told("rule", [value.maker, value], {"received": [received]})
            for i, argument in enumerate(value.maker.arguments):
                if argument.requires_grad:
                    yield self._returned(value.maker, i, argument, received)
        yield self._told("end", [], {"gradients": self._gradients_of_leaves()})

    def _returned(self, step: Step, i: int, argument: Value, received: np.ndarray) -> Expected:
        sent = self._contribution(step, i, received)
        before = self.grads.get(argument.id)
        self.grads[argument.id] = sent if before is None else before + sent
        self.waiting[argument.id] -= 1
        arrays = {"contribution": [sent], "received": [received]}
        if before is not None:
            arrays["sum"] = [before, sent, self.grads[argument.id]]
        return self._told("return", [step, argument], arrays)

    def _told(self, kind: str, parts: list, arrays: dict[str, list[np.ndarray]]) -> Expected:
        told = Expected(kind, {part.id for part in parts}, arrays, self.numbers.copy(), self.grads.copy())
        if self.grads:
            told.missing = {**dict.fromkeys(self.grads, 0), **self.waiting}
        return told

    def _leaves(self) -> list[np.ndarray]:
        return [value.array for value in self.reading.values if value.maker is None]

    def _alone(self, step: Step) -> tuple[Tensor, list]:
        """The op applied once more, to leaves of its own: its result and those leaves.

        A Tensor's copy lies in memory as the original does: BLAS adds up in another order where that differs.
        """
        leaves = [
            Tensor(value.array, requires_grad=value.requires_grad) if value.tensor is not None else given
            for value, given in zip(step.arguments, step.op.arguments)
        ]
        return type(step.op).function(*leaves, **step.op.options), leaves

    def _computed_again(self, step: Step) -> np.ndarray:
        return self._alone(step)[0].detach().numpy()

    def _contribution(self, step: Step, i: int, received: np.ndarray) -> np.ndarray:
        result, leaves = self._alone(step)
        result.backward(received)
        return leaves[i].grad.numpy()

    def _gradient_of(self, value: Value) -> np.ndarray:
        return tg.grad(self.output, value.tensor, self.start, retain_graph=True)[0].numpy()

    def _gradients_of_leaves(self) -> list[np.ndarray]:
        self.output.backward(self.start, retain_graph=True)
        leaves = [value.tensor for value in self.reading.values if value.maker is None and value.requires_grad]
        return [leaf.grad.numpy() for leaf in leaves]
