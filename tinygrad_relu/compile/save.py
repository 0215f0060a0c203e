"""Save: a program as one Python file that needs only NumPy and goes on with the training."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..serialize import replacing
from .spelling import dtype

if TYPE_CHECKING:
    from .program import Program

_STATE = '''
import base64
import io
import json


def load_saved():
    """The state by its names, as it was when this was saved; it stands at the end, as an .npz file in base64."""
    with open(__file__, encoding="utf-8") as file:
        text = "".join(line[2:] for line in file if line.startswith("#="))
    return dict(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))


def expect(name, array, shape, dtype):
    """Refuse what the program was not recorded with: it would compute something else."""
    if not isinstance(array, (np.ndarray, np.generic)):
        raise ValueError(f"{name}: expected a NumPy array, got {type(array).__name__}")
    if array.shape != shape or array.dtype != dtype:
        wanted = f"{shape} {np.dtype(dtype)}"
        raise ValueError(f"{name}: recorded with an array {wanted}, got {array.shape} {array.dtype}")


'''


def save(program: Program, path: str | os.PathLike[str]) -> None:
    """Write the program, with all state as it is now, to a Python file; an old one is replaced by a complete one.

    ValueError if the path does not end with ``.py``, OSError if the file cannot be written.
    """
    name = os.fspath(path)
    if not name.endswith(".py"):
        raise ValueError(f"save: the program is a Python file, whose name ends with .py; got {name!r}")
    if not program.is_alive():
        raise RuntimeError(
            "save: parameters have got other arrays since the last call; call the function again, so that there is a "
            "program for them"
        )
    with replacing(name) as file:
        file.write(_text(program, os.path.basename(name).removesuffix(".py")).encode())


def _text(program: Program, module: str) -> str:
    """The whole file: the program, the state, and a function that carries the state from call to call."""
    text = program.text
    names = text.names
    head, _, rest = program.source.partition("import numpy as np\n")
    head = head.rstrip().removesuffix('"""') + "\n".join([*_usage(program, module), '"""', "", ""])
    arrays: dict[str, Any] = {names(v): v.array for v in text.fixed}
    state = [(v, v.fetch([])) for v in text.varying if v.kind != "argument"]
    arrays.update({names(v): _stored(now) for v, now in state if isinstance(now, (np.ndarray, np.random.Generator))})
    fixed = [f'{names(v)} = saved["{names(v)}"]' for v in text.fixed]
    lines = ["", "", "saved = load_saved()", *fixed, *text.views, *_numbers(text, state)]
    lines += [f"_step = prepare({', '.join(names(v) for v in text.fixed)})", *_calling(program, state)]
    file = io.BytesIO()
    np.savez(file, **arrays)
    encoded = base64.b64encode(file.getvalue()).decode()
    kept = [f"#={encoded[i : i + 108]}" for i in range(0, len(encoded), 108)]
    lines += [
        "",
        "",
        'if __name__ == "__main__":',
        "    print(__doc__)",
        "",
        "",
        "# the state, as it was when this was saved",
    ]
    return f"{head}import numpy as np\n{_STATE.rstrip()}\n{rest}" + "\n".join([*lines, *kept]) + "\n"


def _usage(program: Program, module: str) -> list[str]:
    """How the file is used, for its docstring."""
    module = module if module.isidentifier() else "this_file"
    call = f"{module}.{program.text.name}({', '.join(name for name, _ in program.parameters)})"
    lines = [
        "",
        "It needs only NumPy, and goes on where the training stood:",
        "",
        f"    import {module}",
        f"    {call}",
    ]
    numbers = [v for v in program.text.varying if v.kind == "state" and isinstance(v.array, float)]
    return lines + [
        f"    {module}.{program.text.names(v)} = {v.fetch([])!r}  # {v.about}; may be changed" for v in numbers
    ]


def _numbers(text: Any, state: list[tuple[Any, Any]]) -> list[str]:
    """The state that is another thing in each call, as names of the module; options may be changed there."""
    lines = []
    for value, now in state:
        name = text.names(value)
        if isinstance(now, np.random.Generator):
            lines.append(f"{name} = np.random.Generator(np.random.{type(now.bit_generator).__name__}())")
            lines.append(f'{name}.bit_generator.state = json.loads(saved["{name}"].item())')
        elif isinstance(now, np.ndarray):
            lines.append(f'{name} = saved["{name}"]')
        else:
            lines.append(f"{name} = {now!r}" + f"  # {value.about}" * bool(value.about))
    return lines


def _calling(program: Program, state: list[tuple[Any, Any]]) -> list[str]:
    """The function that a user of the file calls."""
    text = program.text
    names = text.names
    arguments = ", ".join(name for name, _ in program.parameters)
    taken = [each for name, part in program.parameters for each in _taken_apart(name, part)]
    named = [(program.names[index], place) for index, place in taken if program.names[index] != place]
    renewed = [names(before) if before is not None else "_" for before in program.renewed]
    counts = [names(v) for v, _ in state if v.name == "t"]
    changed = [name for name in dict.fromkeys([*renewed, *counts]) if name != "_"]
    lines = ["", "", f"def {text.name}({arguments}):", '    """One call; the state goes on."""']
    lines += [f"    global {', '.join(changed)}"] * bool(changed)
    lines += [f"    {name} = {place}" for name, place in named]
    arrays = [(name, kind) for name, kind in zip(program.names, program.kinds) if len(kind) > 2]
    lines += [f'    expect("{name}", {name}, {kind[1]}, {dtype(kind[2])})' for name, kind in arrays]
    call = f"_step({', '.join(names(v) for v in text.varying)})"
    lines.append(
        f"    result, ({''.join(name + ', ' for name in renewed).rstrip()}) = {call}"
        if renewed
        else f"    result = {call}"
    )
    lines += [f"    {name} += 1" for name in counts]
    return [*lines, "    return result"]


def _taken_apart(place: str, part: Any) -> Iterator[tuple[int, str]]:
    """The numbers of the arrays in an argument, and where they stand in it."""
    if hasattr(part, "index") and not isinstance(part, (tuple, list)):
        yield part.index, place
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, (tuple, list)) else ()
    for key, item in items:
        yield from _taken_apart(f"{place}[{key!r}]", item)


def _stored(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return np.array(json.dumps(value.bit_generator.state, default=lambda array: array.tolist()))
    return value
