"""The choices that were made for a training: names, classes and functions become a loss, an optimizer, a scheduler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

from .. import nn, ops, optim
from ..names import one_of
from ..nn.making import spelled
from ..record.words import plural

__all__ = ["check_options", "loss_of", "optimizer_class", "optimizer_of", "scheduler_of"]


def check_options(
    epochs: Any, batch_size: Any, patience: Any, validation: Any, seed: Any, callback: Any, **switches: Any
) -> None:
    """Raise TypeError or ValueError for what cannot be meant."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if not (name == "patience" and value is None):
            check_count("fit", name, value)
    if isinstance(validation, (tuple, list)):
        if len(validation) != 2:
            raise ValueError(f"fit: validation is a share of the rows or a pair (X, y), got {len(validation)} things")
    elif not (validation is None or validation is False or _is_number(validation)):
        raise TypeError(f"fit: validation is a share of the rows or a pair (X, y), got {_described(validation)}")
    if seed is not None and not (_is_number(seed) and seed >= 0 and seed == int(seed)):
        raise ValueError(f"fit: seed must be a whole number, 0 or more, or None, got {_described(seed)}")
    if callback is not None and not (callable(callback) and _can_be_called(callback, 1)):
        raise TypeError(f"fit: callback must be a function of the History, got {_described(callback)}")
    for name, value in switches.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"fit: {name} must be True or False, got {_described(value)}")


def check_count(caller: str, name: str, value: Any) -> None:
    """Raise ValueError for what is no whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{caller}: {name} must be a whole number, 1 or more, got {value!r:.60}")


# ---------------------------------------------------------------------- loss


def loss_of(loss: Any, y: np.ndarray) -> Callable[..., Any]:
    """The loss that was meant by a function, a module, its class or a name; by the labels if by nothing."""
    if loss is None:
        return ops.cross_entropy if y.dtype.kind == "i" else ops.mse_loss
    if isinstance(loss, str):
        return _loss_called(loss)
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        loss = loss()
    if not callable(loss) or isinstance(loss, type):
        raise TypeError(
            "fit: expected a loss as a name such as 'cross_entropy', a function such as tg.cross_entropy or a module "
            f"such as nn.CrossEntropyLoss(), got {_described(loss)}"
        )
    if not _can_be_called(loss.forward if isinstance(loss, nn.Module) else loss, 2):
        raise TypeError(
            "fit: a loss is called with outputs and labels, as in tg.cross_entropy(outputs, labels), "
            f"which {_described(loss)} cannot be"
        )
    return loss


def _loss_called(name: str) -> Callable[..., Any]:
    known = {plain: getattr(ops, each) for each in ops.losses.__all__ for plain in (_plain(each),)}
    known |= {_plain(each): getattr(nn, each)() for each in nn.losses.__all__ if _plain(each) not in known}
    if _plain(name) not in known:
        raise ValueError(f"fit: unknown loss {name!r}; {one_of(name, ops.losses.__all__)}")
    return known[_plain(name)]


def _plain(name: str) -> str:
    """``mse``, ``mse_loss`` and ``MSELoss`` are one name."""
    return name.lower().replace("_", "").replace("-", "").replace("loss", "")


# ---------------------------------------------------------------------- optimizer


def optimizer_of(model: nn.Module, optimizer: Any, lr: float | None) -> Any:
    """The optimizer that was meant by a name, a class, a function of the parameters, or one that is set up."""
    parameters = [parameter for _, parameter in model.named_parameters()]
    if not parameters:
        raise ValueError(f"fit: {type(model).__name__} has no parameters, and so nothing to learn")
    if optimizer is None or isinstance(optimizer, str):
        optimizer = optimizer_class(optimizer or "adam")
    if _is_optimizer(optimizer):
        return optimizer(parameters, **({} if lr is None else {"lr": lr}))
    if lr is not None:
        raise ValueError("fit: lr is for an optimizer given by name; this one has its own learning rate already")
    if callable(optimizer) and not isinstance(optimizer, type):
        optimizer = optimizer(parameters)
    if isinstance(optimizer, type) or not hasattr(optimizer, "param_groups"):
        raise TypeError(
            "fit: expected an optimizer as a name such as 'adam', a class such as optim.SGD, or one that is set up, "
            f"such as optim.SGD(model.parameters(), lr=0.1), got {_described(optimizer)}"
        )
    own = {id(p) for p in parameters}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("fit: the optimizer has none of this model's parameters; make it with model.parameters()")
    return optimizer


def optimizer_class(name: str) -> Any:
    """The class by its name in lower case; ValueError with the nearest names if there is none."""
    known = {each.__name__.lower(): each for each in vars(optim).values() if _is_optimizer(each)}
    if name.lower() not in known:
        raise ValueError(f"unknown optimizer {name!r}; {one_of(name, sorted(known))}")
    return known[name.lower()]


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, optim.Optimizer) and value is not optim.Optimizer


# ---------------------------------------------------------------------- scheduler


def scheduler_of(scheduler: Any, optimizer: Any, epochs: int) -> Callable[[float], Any]:
    """Callback after each epoch, with the loss: a step of the scheduler that was meant, or nothing."""
    if scheduler is None:
        return lambda metric: None
    if isinstance(scheduler, type) or (callable(scheduler) and not hasattr(scheduler, "step")):
        scheduler = _made(scheduler, optimizer)
    step = getattr(scheduler, "step", None)
    if not callable(step):
        raise TypeError(
            "fit: expected a scheduler from optim.lr_scheduler, its class, or a function that makes one from the "
            f"optimizer, got {_described(scheduler)}; {one_of(str(scheduler), optim.lr_scheduler.__all__)}"
        )
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError("fit: the scheduler is one of another optimizer, and would change nothing here")
    left: Any = getattr(scheduler, "total_steps", np.inf) - getattr(scheduler, "last_epoch", 0)
    if left < epochs:
        raise ValueError(
            f"fit: {type(scheduler).__name__} steps once after each epoch, and ends after {plural(left, 'step')}; "
            f"for {plural(epochs, 'epoch')} make it with total_steps={epochs} or more"
        )
    if _can_be_called(step, 0):
        return lambda metric: step()
    return step


def _made(scheduler: Callable[..., Any], optimizer: Any) -> Any:
    """The scheduler of a class, or of a function of the optimizer."""
    if not _can_be_called(scheduler, 1):
        name, taken = scheduler.__name__, spelled(inspect.signature(scheduler).parameters.values())
        raise TypeError(
            f"fit: a scheduler is made from the optimizer alone, but {name}({taken}) takes more. "
            f"Give a function such as lambda optimizer: {name}(optimizer, ...)"
        )
    try:
        made = scheduler(optimizer)
    except TypeError as error:
        raise TypeError(f"fit: scheduler is called with the optimizer, not the epoch, and failed: {error}") from error
    if not hasattr(made, "step"):
        raise TypeError(f"fit: scheduler must make a scheduler from the optimizer, but made {_described(made)}")
    return made


# ---------------------------------------------------------------------- all of them


def _can_be_called(function: Callable[..., Any], n: int) -> bool:
    """Tell whether it takes ``n`` arguments, as far as it can be known without a call."""
    try:
        inspect.signature(function).bind(*range(n))
    except TypeError:
        return False
    except ValueError:  # some that are written in C do not tell
        return True
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _described(value: Any) -> str:
    if hasattr(value, "__name__"):
        return f"{type(value).__name__} {value.__name__}"
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {value.shape}"
    return f"{type(value).__name__} {value!r:.60}"
