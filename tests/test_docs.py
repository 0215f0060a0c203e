"""Every public name tells how to use it, with an example that runs (pytest runs them all as doctests)."""

import inspect

import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, lab, nn, optim

ROOMS = (tg, nn, nn.init, nn.utils, optim, optim.lr_scheduler, data, lab)
# What functions return or raise; their examples stand with those functions.
RESULTS = {"DeadUnits", "UnitActivity", "GradcheckError", "Table", "LayerSummary", "ModelSummary"}


def public_names():
    for room in ROOMS:
        for name, thing in vars(room).items():
            ours = str(getattr(thing, "__module__", "")).startswith("tinygrad_relu")
            if ours and (inspect.isclass(thing) or inspect.isfunction(thing)) and not name.startswith("_"):
                yield f"{room.__name__}.{name}", thing
    for name, thing in vars(Tensor).items():
        function = thing.fget if isinstance(thing, property) else thing
        if inspect.isfunction(function) and not name.startswith("_"):
            yield f"Tensor.{name}", function


@pytest.mark.parametrize(
    "thing", [pytest.param(thing, id=name) for name, thing in public_names() if thing.__name__ not in RESULTS]
)
def test_every_public_name_has_an_example(thing):
    assert ">>>" in (thing.__doc__ or ""), "no example"
