"""Build the lessons: run each script, and write it as a notebook with what its cells show, in English and in Korean.

    python examples/lessons/build.py                    all lessons (make lessons does the same)
    python examples/lessons/build.py 1_one_neuron.py    this one

It needs jupytext, nbclient and ipykernel: ``make lessons`` installs them.

How a lesson is written. ``N_name.py`` is a script in the percent format (https://jupytext.readthedocs.io). It runs as
plain Python, and is the one source of ``N_name.ipynb`` and ``N_name.ko.ipynb``, so that code and prose cannot drift:

- ``# %% [markdown] lang="en"`` and right after it ``# %% [markdown] lang="ko"`` are the same passage in two languages.
  The first of them has the title ``# N. ...`` and, in its next paragraph, the question that the lesson answers.
- ``# %%`` is code for both. The last expression of a cell is what the notebook shows: ``show(figure)``,
  ``tg.draw(loss)``, ``tg.explain(loss)``. Numbers are printed, so that plain Python shows them too. Comments and
  printed texts are in English. Nothing may depend on time, chance or addresses: draw random numbers from a fixed seed.
- ``# %% lang="en"`` and ``# %% lang="ko"`` are code cells of one notebook only. They may differ in nothing but
  ``language="ko"``: ``tg.explain(loss)`` and ``tg.explain(loss, language="ko")``.
- Last come two exercises, and a passage that names the next lesson. Before each exercise a passage asks the question.
  Its cell has a line ``answer = ...``, with a comment on what to give, and ends with ``exercise(answer, right, hint)``
  (see lesson.py), where ``right`` is found by the engine. All that a reader's answer needs stands in the lesson before
  it, since the tests put right and wrong answers into this one cell.
- A lesson writes no files, and takes a few seconds, 20 at most.

tests/test_lessons.py holds all of this, and has the right and the wrong answers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENDINGS = {"en": ".ipynb", "ko": ".ko.ipynb"}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_TIMEOUT = 120  # seconds for one cell


def scripts() -> list[Path]:
    """The scripts of all lessons, in their order."""
    return sorted(HERE.glob("[0-9]_*.py"))


def cells(script: Path) -> list[Any]:
    """The cells of a script, of both languages; ``cell.metadata.get("lang")`` tells them apart."""
    import jupytext

    return jupytext.reads(script.read_text(encoding="utf-8"), fmt="py:percent").cells


def notebook(script: Path, language: str) -> Any:
    """The lesson in one language, not yet run."""
    from nbformat import v4

    chosen = [cell for cell in cells(script) if cell.metadata.get("lang", language) == language]
    for i, cell in enumerate(chosen):
        cell.id, cell.metadata = f"cell-{i:02}", {}
    return v4.new_notebook(cells=chosen, metadata=METADATA)


def run(lesson: Any) -> Any:
    """Run the cells of a notebook in a new kernel, and note in it what they show. Raises what a cell raises."""
    from nbclient import NotebookClient

    client = NotebookClient(
        lesson,
        timeout=_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # it would warn of a network that it does not use
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(HERE)}},
    )
    client.execute()
    lesson.metadata = METADATA  # the kernel has added the version of Python
    return lesson


def portable(text: str) -> str:
    """What notebooks show without the places where things lie on this machine: others have no use for them.

    >>> portable("/tmp/ipykernel_42/1234.py:3: b = a + a")
    'notebook:3: b = a + a'
    """
    import tinygrad_relu

    ours = re.escape(Path(tinygrad_relu.__file__).parents[1].as_uri())
    text = re.sub(rf"{ours}[\w/.]*#L\d+", "", text)  # links to the source code
    return re.sub(r"[^\s\"]*ipykernel_\d+/\d+\.py", "notebook", text)


def build(script: Path) -> list[Path]:
    """Write the notebooks of a lesson beside its script; their paths."""
    import nbformat

    paths = []
    for language, ending in ENDINGS.items():
        path = script.with_name(script.stem + ending)
        path.write_text(portable(nbformat.writes(run(notebook(script, language)))) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def main(names: list[str]) -> None:
    """Build the lessons with these names, or all."""
    chosen = [HERE / Path(name).name for name in names] or scripts()
    for script in chosen:
        for path in build(script):
            print(f"{path.name}: {path.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
