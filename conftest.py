"""What every docstring example may use without importing it."""

import numpy
import pytest

import tinygrad_relu
import tinygrad_relu.lab


@pytest.fixture(autouse=True)
def _names_for_examples(doctest_namespace):
    doctest_namespace.update(
        np=numpy,
        tg=tinygrad_relu,
        Tensor=tinygrad_relu.Tensor,
        nn=tinygrad_relu.nn,
        optim=tinygrad_relu.optim,
        data=tinygrad_relu.data,
        lab=tinygrad_relu.lab,
    )
    tinygrad_relu.manual_seed(0)
