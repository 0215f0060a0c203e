"""Save: a compiled program as one Python file that needs only NumPy and goes on with the training."""

from __future__ import annotations

import base64
import io
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..serialize import replacing
from .items import Item
from .lines import WIDTH
from .listing import Listing
from .spelling import literal, zeros

if TYPE_CHECKING:
    from .program import Program

__all__ = ["save"]

_BEGINNING = '''
import base64
import io
import json

import numpy as np


def load_saved():
    """The arrays by their names; they stand at the end of this file, as an .npz file in base64."""
    with open(__file__, encoding="utf-8") as file:
        text = "".join(line[2:] for line in file if line.startswith("#="))
    return dict(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))


saved = load_saved()
'''


def save(program: Program, path: str | os.PathLike[str]) -> None:
    """Write the program, with all state as it is now, to a Python file; an old one is replaced by a complete one.

    ValueError if the path does not end with ``.py``, OSError if the file cannot be written.
    """
    name = os.fspath(path)
    if not name.endswith(".py"):
        raise ValueError(f"save: the program is a Python file, whose name ends with .py; got {name!r}")
    text = _text(Listing(program), os.path.basename(name).removesuffix(".py"))
    with replacing(name) as file:
        file.write(text.encode())


def _text(listing: Listing, module: str) -> str:
    """The whole file."""
    state = [_assigned(item) for item in listing.state]
    code = listing.module([*listing.about(), *_usage(listing, module)], _BEGINNING.strip().split("\n"), state)
    return code + _MAIN + "\n".join(_array(listing.state)) + "\n"


_MAIN = """

if __name__ == "__main__":
    print(__doc__)


# ---- the numbers of the state, as they were when this was saved --------------
"""


def _usage(listing: Listing, module: str) -> list[str]:
    """How the file is used, for its docstring."""
    module = module if module.isidentifier() else "this_file"
    call = f"{module}.{listing.name}({', '.join(value.hint for value in listing.arguments())})"
    lines = [
        "",
        "It needs only NumPy, and goes on where the training stood:",
        "",
        f"    import {module}",
        f"    {call}",
    ]
    free = {listing.names(value) for value in listing.program.varying}
    numbers = [item for item in listing.state if item.name in free and isinstance(item.value, float)]
    lines += [f"    {module}.{item.name} = {item.value!r}  # {item.what}; may be changed" for item in numbers]
    return lines


def _assigned(item: Item) -> str:
    """A line that makes a part of the state what it was."""
    if item.spelled:
        text = item.spelled
    elif isinstance(item.value, np.ndarray):
        text = zeros(item.value) if item.renewed else f'saved["{item.name}"]'
    elif isinstance(item.value, np.random.Generator):
        kind = type(item.value.bit_generator).__name__
        text = f"np.random.Generator(np.random.{kind}())\n{item.name}.bit_generator.state = "
        text += f'json.loads(saved["{item.name}"].item())'
    else:
        text = literal(item.value)
    line = f"{item.name} = {text}"
    return f"{line}  # {item.what}" if len(line) + len(item.what) + 4 <= WIDTH else line


def _array(state: list[Item]) -> list[str]:
    """The numbers as comments."""
    kept = [item for item in state if not item.spelled and not item.renewed]
    arrays = {item.name: _stored(item.value) for item in kept if _is_stored(item.value)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    text = base64.b64encode(file.getvalue()).decode()
    width = WIDTH - 2
    return [f"#={text[i : i + width]}" for i in range(0, len(text), width)]


def _is_stored(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.random.Generator))


def _stored(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return np.array(json.dumps(value.bit_generator.state, default=lambda array: array.tolist()))
    return value
