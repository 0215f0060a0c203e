"""How large is it? Code lines of each room beside its limit, and tokens a line: `make size`.

A code line is one that holds code: no docstring, no comment, no blank line. Tokens a line tell whether few lines were
bought by dense ones; admired libraries stand at five to nine.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "tinygrad_relu"
ENGINE = ("tensor.py", "op.py", "graph.py", "guard.py", "place.py", "mode.py", "dispatch.py")
LIMITS = {
    "engine": 850, "ops": 1500, "nn": 600, "optim": 560, "data": 270, "train": 400, "record": 520, "draw": 2100,
    "explain": 900, "compile": 2000, "lab": 3000, "cli": 600,
}  # fmt: skip
TOGETHER = 14_000
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
    """The size of the engine, and of each other file and folder right below the package."""
    sizes = {"engine": (0, 0)}
    for place in sorted(PACKAGE.iterdir()):
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place] * (place.suffix == ".py")
        room = "engine" if place.name in ENGINE else place.name
        for file in files:
            lines, tokens = measure(file)
            before = sizes.get(room, (0, 0))
            sizes[room] = before[0] + lines, before[1] + tokens
    return sizes


def main() -> None:
    sizes = rooms()
    names = [*LIMITS, *(name for name in sizes if name not in LIMITS)]
    print(f"{'room':<20}{'code lines':>12}{'at most':>9}{'tokens/line':>13}")
    for name in names:
        lines, tokens = sizes[name]
        limit = f"{LIMITS[name]:,}" if name in LIMITS else ""
        print(f"{name:<20}{lines:>12,}{limit:>9}{tokens / max(lines, 1):>13.1f}")
    lines, tokens = (sum(size[i] for size in sizes.values()) for i in (0, 1))
    print(f"{'together':<20}{lines:>12,}{TOGETHER:>9,}{tokens / lines:>13.1f}")


if __name__ == "__main__":
    main()
