"""How large is it? Code lines and tokens a line for each room: `make size`.

A code line is one that holds code: no docstring, no comment, no blank line. Tokens a line tell whether few lines were
bought by dense ones; admired libraries stand at five to nine.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "tinygrad_relu"
CORE = ("tensor.py", "op.py", "graph.py", "guard.py", "place.py", "mode.py", "dispatch.py", "ops")
SKIPPED = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def measure(path: Path) -> tuple[int, int]:
    """Code lines and tokens of one file; a string that stands alone is a docstring and does not count."""
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text()).readline))
    lines, count = set(), 0
    for before, token in zip([tokens[0], *tokens], tokens):
        if token.type in SKIPPED:
            continue
        alone = before.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.ENCODING)
        if token.type == tokenize.STRING and (alone or token is tokens[0]) and token.line.lstrip()[:1] in "\"'r":
            continue
        lines.update(range(token.start[0], token.end[0] + 1))
        count += 1
    return len(lines), count


def rooms() -> dict[str, tuple[int, int]]:
    """The size of each file and folder right below the package."""
    sizes = {}
    for place in sorted(PACKAGE.iterdir()):
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place] * (place.suffix == ".py")
        if files:
            measured = [measure(file) for file in files]
            sizes[place.name] = (sum(lines for lines, _ in measured), sum(tokens for _, tokens in measured))
    return sizes


def total(sizes: dict[str, tuple[int, int]], names) -> tuple[int, int]:
    """The sum over some rooms."""
    chosen = [sizes[name] for name in names if name in sizes]
    return sum(lines for lines, _ in chosen), sum(tokens for _, tokens in chosen)


def main() -> None:
    sizes = rooms()
    others = [name for name in sizes if name not in CORE]
    print(f"{'room':<20}{'code lines':>12}{'tokens/line':>13}")
    for title, names in (("the core", CORE), ("around it", others)):
        for name in names:
            if sizes.get(name, (0, 0))[0]:
                lines, tokens = sizes[name]
                print(f"  {name:<18}{lines:>12}{tokens / lines:>13.1f}")
        lines, tokens = total(sizes, names)
        print(f"{title:<20}{lines:>12}{tokens / lines:>13.1f}\n")


if __name__ == "__main__":
    main()
