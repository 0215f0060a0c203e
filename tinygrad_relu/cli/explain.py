"""``explain``: a page that steps through the backward pass of a small network."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import Any

from .. import data, nn
from ..explain import Explorer
from ..explain import explain as explained
from ..explain.program import run_program
from ..record.words import plural
from .data_sets import TOYS, DataSet, load_data

__all__ = ["explain"]


def explain(options: argparse.Namespace) -> None:
    """Write a page that steps through the forward and backward pass of a small network."""
    out = Path(options.out)
    if out.is_dir():
        raise ValueError(f"{out} is a folder; --out names the page, such as backprop.html")
    options.samples = options.rows if options.data in TOYS else None
    data_set = load_data(options)
    X = data.standardize(data_set.X)[0] if data_set.measured else data_set.X
    program = _program(options, data_set)
    names: dict[str, Any] = {"tg": importlib.import_module("tinygrad_relu"), "nn": nn, "data": data}
    names |= {"X": X[: options.rows], "y": data_set.y[: options.rows]}
    explorer: Explorer = explained(run_program(program, names, "<backprop.py>")["loss"], language=options.language)
    explorer.save(out)
    if not options.quiet:
        steps = plural(len(explorer.story["steps"]), "step")
        print(f"{program}\n{out}: this program's backward pass in {steps}, for a browser")


def _program(options: argparse.Namespace, data_set: DataSet) -> str:
    """Code of the explained computation, as somebody would write it: the page shows these lines."""
    lines = [f"tg.manual_seed({options.seed})"]
    if options.data in TOYS:
        noise = "" if options.noise is None else f"noise={options.noise}, "
        lines.append(f"X, y = data.{options.data}({options.rows}, {noise}seed={options.seed})")
    elif options.data == "digits":
        lines += ["X, y = data.digits()", f"X, y = X[:{options.rows}], y[:{options.rows}]"]
    sizes = f"{data_set.X.shape[1]}, {options.hidden}, {len(data_set.classes)}"
    activation = "" if options.activation == "relu" else f', activation="{options.activation}"'
    lines += [f"model = nn.MLP({sizes}{activation})", "loss = tg.cross_entropy(model(X), y)"]
    return "".join(f"{line}\n" for line in lines)
