"""The lab's page: all experiments as one lesson, with their figures beside it in the same folder.

The page asks for nothing else, neither scripts nor fonts, so the folder can be moved, mailed, or read from disk.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from .. import plots
from ..record.words import plural
from ..serialize import replacing
from .findings import Claim, Findings, Table

__all__ = ["INDEX", "Run", "fragment", "page", "write_page"]

INDEX = "index.html"
_HERE = Path(__file__).parent
# Each verdict with its colour, its sign, and what is said of several.
_VERDICTS = {
    "holds": ("yes", "✓", "hold"),
    "holds in part": ("part", "◐", "hold in part"),
    "does not hold here": ("no", "✗", "do not hold here"),
}


@dataclass(frozen=True)
class Run:
    """An experiment that was run: what it found, how long it took with its figure, and the names of its files."""

    found: Findings
    seconds: float
    files: Sequence[str] = field(default_factory=list)


def write_page(runs: Sequence[Run], folder: str | Path) -> Path:
    """Write the page as index.html into the folder in which the experiments' files are; its path."""
    path = Path(folder) / INDEX
    with replacing(path) as file:
        file.write(page(runs).encode())
    return path


def page(runs: Sequence[Run]) -> str:
    """The page as HTML text, for the folder in which NAME.svg and the other files of each run are.

    >>> found = lab.run("order", executor=lab.Serial(), steps=4)
    >>> "<h2" in page([Run(found, 0.1)])
    True
    """
    verdicts = Counter(claim.verdict for run in runs for claim in run.found.claims())
    numbers = {verdict: (verdicts[verdict], said) for verdict, (*_, said) in _VERDICTS.items()}
    counts = ", ".join(plural(n, verdict, said) for verdict, (n, said) in numbers.items())
    seconds, claims = sum(run.seconds for run in runs), sum(verdicts.values())
    glance = f"{plural(len(runs), 'experiment')} in {seconds:.0f} s, {plural(claims, 'claim')}"
    sections = "\n".join(_section(number, run) for number, run in enumerate(runs, 1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The ReLU lab</title>
<style>
{(_HERE / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>The ReLU lab</h1>
<p>A seminar note on ReLU says why hidden layers use it, and where it fails. Here each of its claims, and what the
papers behind it say, is run on a small network and measured: with several seeds, with a spread, and also where the
claim does not hold at this size. Read it from top to bottom, or begin with what surprises you.</p>
</header>
<nav aria-labelledby="glance">
<h2 id="glance">At a glance</h2>
<p>{glance}: {counts}.</p>
<ol>
{"".join(_entry(run.found) for run in runs)}</ol>
</nav>
<main>
{sections}
</main>
<footer>
<p>Made by <code>tinygrad-relu lab all</code>. All seeds are fixed, so the numbers come out again.</p>
</footer>
</body>
</html>
"""


def fragment(found: Findings) -> str:
    """All that was found, with its figure inside, as HTML for a notebook, whose style it takes on.

    >>> "<table>" in fragment(lab.run("order", executor=lab.Serial(), steps=4))
    True
    """
    title = f"<h2>{escape(f'{found.name}: {found.title}')}</h2>"
    return "\n".join(
        [title, _story(found.story), _picture(found), *map(_table, found.tables()), *map(_claim, found.claims())]
    )


def _picture(found: Findings) -> str:
    """The figure inside the HTML; nothing where matplotlib is not installed."""
    try:
        image = plots.as_image(found.figure(), found.caption)
    except ImportError:
        return ""
    return f"<figure>{image}<figcaption>{escape(found.caption)}</figcaption></figure>"


def _entry(found: Findings) -> str:
    """One experiment in the table of contents, and what came of its claims."""
    claims = "".join(f"<li>{_verdict(claim)} <span>{escape(claim.said)}</span></li>\n" for claim in found.claims())
    name = escape(found.name)
    return f'<li><a href="#{name}"><b>{name}</b>: {escape(found.title)}</a>\n<ul>\n{claims}</ul></li>\n'


def _section(number: int, run: Run) -> str:
    found = run.found
    name, caption = escape(found.name), escape(found.caption)
    title = escape(found.title[:1].upper() + found.title[1:])
    return f"""<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title"><span class="number">{number}</span> {title}</h2>
{_story(found.story)}
<figure>
<div class="frame" role="region" aria-label="Figure of {name}" tabindex="0"><img src="{name}.svg" alt="{caption}"></div>
<figcaption>{caption}</figcaption>
</figure>
{"".join(map(_table, found.tables()))}
<h3>What is said, and what was measured</h3>
{"".join(map(_claim, found.claims()))}
<p class="read-on">{_read_on(run)}</p>
</section>"""


def _story(story: str) -> str:
    return "\n".join(f"<p>{escape(' '.join(each.split()))}</p>" for each in story.strip().split("\n\n"))


def _table(table: Table) -> str:
    """A real table, in a frame that scrolls by itself where the window is narrower."""
    title = escape(table.title)
    head = "".join(_head(title, column) for title, column in _columns(table))
    rows = "".join(f"<tr>{_row(cells, table)}</tr>\n" for cells in table.rows)
    return f"""<div class="table" role="region" aria-label="{title}" tabindex="0">
<table>
<caption>{title}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
"""


def _head(title: str, cells: list[str]) -> str:
    return f'<th scope="col"{_side(cells)}>{escape(title)}</th>' if title else "<td></td>"


def _row(cells: Sequence[str], table: Table) -> str:
    sides = [_side(column) for _, column in _columns(table)]
    first = f'<th scope="row"{sides[0]}>{escape(cells[0])}</th>' if cells[0] else "<td></td>"
    return first + "".join(f"<td{side}>{escape(cell)}</td>" for cell, side in zip(cells[1:], sides[1:]))


def _columns(table: Table) -> list[tuple[str, list[str]]]:
    """Each column's title, and the cells below it."""
    return [(title, [row[i] for row in table.rows]) for i, title in enumerate(table.columns)]


def _side(cells: Iterable[str]) -> str:
    """Numbers stand at the right, one above the other."""
    return ' class="numbers"' if all(re.match(r"[-+−±<≤>≥]?\s*\.?\d|-$|$", cell) for cell in cells) else ""


def _claim(claim: Claim) -> str:
    return f"""<dl class="claim">
<div><dt>The source says</dt><dd>{escape(claim.said)} <cite>{escape(claim.source)}</cite></dd></div>
<div><dt>Measured here</dt><dd>{escape(claim.measured)}</dd></div>
<div><dt>So it</dt><dd>{_verdict(claim)}</dd></div>
</dl>
"""


def _verdict(claim: Claim) -> str:
    kind, sign, _ = _VERDICTS[claim.verdict]
    return f'<span class="verdict {kind}"><span aria-hidden="true">{sign}</span> {claim.verdict}</span>'


def _read_on(run: Run) -> str:
    """How to have it again, with which seeds, and where it is written."""
    module = inspect.getmodule(type(run.found))
    chosen = {
        name: each.default
        for name, each in inspect.signature(module.run).parameters.items()  # type: ignore[union-attr]
        if name not in ("executor", "progress")
    }
    call = ", ".join([f'"{run.found.name}"', *(f"{name}={value!r}" for name, value in chosen.items())])
    files = ", ".join(f'<a href="{escape(each)}">{escape(each)}</a>' for each in run.files)
    source = f"tinygrad_relu/lab/{Path(inspect.getfile(type(run.found))).name}"
    text = f"Took {run.seconds:.1f} s. Again in Python: <code>lab.run({escape(call)})</code>."
    text += f" The experiment to read: <code>{escape(source)}</code>."
    return f"{text} What it has left here: {files}." if files else text
