"""Lines: comments, docstrings, tables and long lines of code, laid out for a listing."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["WIDTH", "columns", "cut", "docstring", "explained", "joined", "quoted", "title", "wrapped"]

WIDTH = 120


def quoted(text: str) -> str:
    """The text as a string of Python, in double quotes where it can be."""
    return f'"{text}"' if not set(text) & {'"', "\\"} else repr(text)


def title(text: str, width: int = WIDTH) -> str:
    """A comment with a rule behind it, above a part of the text."""
    return f"# ---- {text} ".ljust(min(width, 80), "-")


def docstring(lines: list[str]) -> list[str]:
    """The lines of a docstring, where nothing ends it too early."""
    first, *rest = [cut(line.replace("\\", "/").replace('"""', "'''")) for line in lines]
    return [f'"""{first}', *rest, '"""']


def columns(rows: list[tuple[str, str, str]]) -> list[str]:
    """The rows of a table: a name, its kind, and what it is."""
    names = max((len(name) for name, _, _ in rows), default=0)
    kinds = max((len(kind) for _, kind, _ in rows), default=0)
    return [cut(f"{name:{names}}  {kind:{kinds}}  {what}", WIDTH - 2) for name, kind, what in rows]


def explained(line: str, what: str) -> str:
    """The line with a comment behind it, if there is room."""
    return f"{line}  # {what}" if len(line) + len(what) + 4 <= WIDTH else line


def cut(line: str, width: int = WIDTH - 4) -> str:
    """The line, or as much of it as there is room for."""
    return line if len(line) <= width else line[: width - 3].rstrip() + "..."


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """A long line of code, broken behind commas that stand in brackets."""
    if line.lstrip().startswith("#"):
        return [cut(line, width)]
    lines: list[str] = []
    indent = " " * (len(line) - len(line.lstrip()) + 4 * (2 if line.endswith(":") else 1))
    places = list(_breaks(line))
    start = 0
    while len(line) - start + len(indent) > width and any(i < start + width - len(indent) for i in places if i > start):
        end = max(i for i in places if start < i < start + width - len(indent))
        lines.append(line[start:end])
        start, places = end, [i for i in places if i > end]
    lines.append(line[start:])
    return [lines[0], *(indent + each.lstrip() for each in lines[1:])]


def joined(names: list[str]) -> list[str]:
    """Names with commas between, on as many lines as it takes."""
    lines: list[str] = []
    for name in names:
        if lines and len(lines[-1]) + len(name) < 90:
            lines[-1] += f", {name}"
        else:
            lines.append(name)
    return lines


def _breaks(line: str) -> Iterator[int]:
    """The places behind commas that stand in brackets."""
    depth = 0
    for i, character in enumerate(line):
        depth += (character in "([{") - (character in ")]}")
        if depth > 0 and line[i : i + 2] == ", ":
            yield i + 1
