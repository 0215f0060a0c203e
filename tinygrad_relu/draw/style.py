"""How a drawing looks: colours, line widths, fonts, and how wide text is. Every writer takes them from here.

The hues are Okabe and Ito's (2008, "Color universal design"), lightened to fill boxes. None of them says anything
alone: each kind of box has a shape or border of its own too, and a large gradient is also a thick arrow.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from .picture import Arrow

SANS = '"Helvetica Neue", Helvetica, Arial, "Liberation Sans", "Noto Sans", "Noto Sans CJK KR", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace'

# Heights of letters and of lines, in pixels.
TITLE_SIZE, TITLE_HEIGHT = 13, 18
LINE_SIZE, LINE_HEIGHT = 11, 15
LABEL_SIZE, LABEL_HEIGHT = 11, 14


class Colors(NamedTuple):
    """Of one kind of thing, as ``#RRGGBB``."""

    fill: str
    stroke: str
    text: str


class Border(NamedTuple):
    """The outline of one kind of box: its width in pixels, and dashes as in SVG's stroke-dasharray."""

    width: float
    dash: str = ""


LIGHT = {
    "parameter": Colors("#DDEFFB", "#0072B2", "#06304B"),
    "input": Colors("#DDF3EA", "#00785A", "#06382B"),
    "constant": Colors("#F4F4F2", "#6F6F6F", "#2B2B2B"),
    "result": Colors("#FFFFFF", "#7C8490", "#22262C"),
    "output": Colors("#FBE8F2", "#A1467D", "#45122F"),
    "op": Colors("#FFF3C9", "#8F6A00", "#3D2E00"),
    "fold": Colors("#E9ECF1", "#4E5968", "#22262C"),
    "cluster": Colors("#F7F8FA", "#8A919C", "#4A515C"),
}
DARK = {
    "parameter": Colors("#12344C", "#56B4E9", "#DDF0FC"),
    "input": Colors("#0D3B2F", "#3CC79C", "#DAF5EB"),
    "constant": Colors("#2A2B2D", "#A3A5A8", "#E9E9E9"),
    "result": Colors("#1F2329", "#929BA8", "#EDEFF2"),
    "output": Colors("#44203A", "#E29BC4", "#FBE6F2"),
    "op": Colors("#40340C", "#E2BE3F", "#FFF3C9"),
    "fold": Colors("#2C333D", "#A9B4C3", "#EDEFF2"),
    "cluster": Colors("#1A1E24", "#7B8491", "#B9C1CC"),
}
BORDERS = {
    "parameter": Border(1.3),
    "input": Border(1.3),
    "constant": Border(1.3, "5 3"),
    "result": Border(1.1),
    "output": Border(2.6),
    "op": Border(1.1),
    "fold": Border(1.3),
    "cluster": Border(1),
}

# A gradient's size from level 0, the smallest, to level 4. Brightness and width grow together.
LIGHT_LEVELS = ("#968C84", "#AD7D57", "#C26D28", "#C45200", "#8A3400")
DARK_LEVELS = ("#857C76", "#AC8263", "#D18E52", "#F29D4F", "#FFC794")
WIDTHS = (1.2, 1.8, 2.5, 3.3, 4.2)

# The rest: the ground, arrows without a gradient, silent units, plain text, gradients on their way back.
LIGHT_PLAIN = {"ground": "#FFFFFF", "arrow": "#6B7280", "silent": "#B84A00", "note": "#4A515C", "gradient": "#C45200"}
DARK_PLAIN = {"ground": "#14171B", "arrow": "#98A1AE", "silent": "#FF9A5A", "note": "#B9C1CC", "gradient": "#FF9A5A"}
ARROW_WIDTH = 1.3
ZERO_WIDTH, ZERO_DASH = 1.0, "7 4"  # a gradient that is exactly zero

# What legends say.
GRADIENTS = "gradients from small to large, each step ten times"
ZERO, NO_GRADIENT = "gradient of zero", "no gradient"

# What is filled and outlined: the shapes of our own SVG, and of the one that Graphviz makes.
_SHAPES = ":is(rect, polygon, ellipse, path)"


def css(scope: str = "") -> str:
    """The style sheet of a drawing, for light and dark. ``scope`` is a selector: only what is inside is touched.

    >>> ".picture .box.constant" in css(".picture")
    True
    """
    top = scope or ":root"
    rules = [
        f"{top} {{ {_variables(LIGHT, LIGHT_LEVELS, LIGHT_PLAIN)} }}",
        f"@media (prefers-color-scheme: dark) {{ {top} {{ {_variables(DARK, DARK_LEVELS, DARK_PLAIN)} }} }}",
    ]
    if scope:
        rules.append(f"{scope} {{ background: var(--tg-ground); }}")
    inside = [*_box_rules(), *_arrow_rules(), *_text_rules()]
    rules += [_scoped(rule, scope) for rule in inside]
    return "\n".join(rules)


def _scoped(rule: str, scope: str) -> str:
    """The rule with the scope before each of its selectors, which commas divide (those in brackets aside)."""
    selectors, body = rule.split(" {", 1)
    parts = re.split(r", (?![^(]*\))", selectors)
    return ", ".join(f"{scope} {part}".strip() for part in parts) + " {" + body


def _variables(kinds: dict[str, Colors], levels: tuple[str, ...], plain: dict[str, str]) -> str:
    colors = {f"{kind}-{part}": color for kind, of in kinds.items() for part, color in of._asdict().items()}
    colors |= {f"g{i}": color for i, color in enumerate(levels)}
    colors |= plain
    return " ".join(f"--tg-{name}: {color};" for name, color in colors.items())


def _box_rules() -> list[str]:
    rules = []
    for kind, border in BORDERS.items():
        name = "cluster" if kind == "cluster" else f"box.{kind}"
        dash = border.dash or "none"
        look = f"fill: var(--tg-{kind}-fill); stroke: var(--tg-{kind}-stroke)"
        rules.append(f".{name} {_SHAPES} {{ {look}; stroke-width: {border.width}; stroke-dasharray: {dash}; }}")
        rules.append(f".{name} text {{ fill: var(--tg-{kind}-text); }}")
    return [
        *rules,
        ".cluster rect, .cluster polygon { fill-opacity: 0.7; }",
        ".box.parameter .bar { fill: var(--tg-parameter-stroke); stroke: none; }",
        ".box.input .inner { fill: none; }",
        f".box.silent {_SHAPES} {{ stroke: var(--tg-silent); stroke-width: 2.4; }}",
        ".box.silent .mark { fill: none; stroke: var(--tg-ground); stroke-width: 1.8; }",
        ".box.silent .badge { fill: var(--tg-silent); stroke: none; }",
    ]


def _arrow_rules() -> list[str]:
    colors = {"": "arrow", ".none": "arrow", **{f".g{i}": f"g{i}" for i in range(len(WIDTHS))}}
    widths = {"": ARROW_WIDTH, ".none": ARROW_WIDTH, **{f".g{i}": width for i, width in enumerate(WIDTHS)}}
    rules = []
    for level, color in colors.items():
        line = f"fill: none; stroke: var(--tg-{color}); stroke-width: {widths[level]}"
        rules.append(f".arrow{level} path {{ {line}; }}")
        rules.append(f".arrow{level} polygon {{ fill: var(--tg-{color}); stroke: var(--tg-{color}); }}")
    return [
        *rules,
        ".arrow polygon { stroke-width: 0; }",
        ".arrow.none path { stroke-dasharray: 2 4; }",
        f".arrow.zero path {{ stroke-width: {ZERO_WIDTH}; stroke-dasharray: {ZERO_DASH}; }}",
        ".arrow path.gradient { stroke: var(--tg-gradient); stroke-width: 1.8; stroke-dasharray: 5 4; }",
        ".arrow polygon.gradient { fill: var(--tg-gradient); }",
        ".arrow .gradient { visibility: hidden; }",
        ".arrow.flows .gradient { visibility: visible; }",
    ]


def _text_rules() -> list[str]:
    return [
        f"text {{ font-family: {SANS}; font-size: {LABEL_SIZE}px; }}",
        f".box .line {{ font-family: {MONO}; font-size: {LINE_SIZE}px; white-space: pre; }}",
        f".box .line.l0 {{ font-family: {SANS}; font-size: {TITLE_SIZE}px; font-weight: 600; }}",
        f".cluster text {{ font-size: {LABEL_SIZE}px; font-weight: 600; }}",
        ".arrow text, .label text { fill: var(--tg-note); }",
        ".label .ground { fill: var(--tg-ground); fill-opacity: 0.85; }",
        ".label .size { font-weight: 600; }",
        ".note { fill: var(--tg-note); }",
        "a:focus-visible .shape, a:hover .shape { stroke-width: 2.6; }",
        "a text { text-decoration: none; }",
    ]


def is_zero(arrow: Arrow) -> bool:
    """Tell whether the gradient that flowed back is exactly zero, and not only small.

    >>> is_zero(Arrow("e0", "t0", "op1", "x", "|g| 0", 0)), is_zero(Arrow("e0", "t0", "op1", "x", "|g| 1e-9", 0))
    (True, False)
    """
    return arrow.level == 0 and arrow.gradient.split()[-1:] == ["0"]


def arrow_class(arrow: Arrow, any_gradient: bool) -> str:
    """The class of an arrow. Where no arrow of the picture has a gradient, none is marked as one without.

    >>> with_gradient = Arrow("e0", "t0", "op1", gradient="|g| 0.5", level=3)
    >>> without = Arrow("e1", "t0", "op1")
    >>> arrow_class(with_gradient, True), arrow_class(without, True), arrow_class(without, False)
    ('arrow g3', 'arrow none', 'arrow')
    """
    if arrow.level is not None:
        return f"arrow g{arrow.level}" + (" zero" if is_zero(arrow) else "")
    return "arrow none" if any_gradient else "arrow"


def arrow_width(arrow: Arrow) -> float:
    """How wide its line is, in pixels.

    >>> arrow_width(Arrow("e0", "t0", "op1", gradient="|g| 2", level=4))
    4.2
    """
    if is_zero(arrow):
        return ZERO_WIDTH
    return ARROW_WIDTH if arrow.level is None else WIDTHS[arrow.level]


# ---------------------------------------------------------------------- how wide text is

# Widths of the letters of a sans-serif font such as Helvetica, in thousandths of the font's size.
_GROUPS = {
    230: "ijl'|",
    290: 'fItr.,:;!/\\ []()-`"',
    400: "*^°{}",
    510: "cksvxyzJ",
    570: "abdeghnopqu0123456789_?L#$",
    600: "+=<>~FTZ±×÷",
    680: "ABEKPSVXY&",
    740: "CDHNRUw",
    800: "GOQ",
    860: "mM%@W…—",
}
_WIDTHS = {letter: width for width, letters in _GROUPS.items() for letter in letters}
_MONO_WIDTH, _OTHER_WIDTH, _WIDE_WIDTH = 605, 620, 1000
_BOLD = 1.06


def text_width(text: str, size: float, mono: bool = False, bold: bool = False) -> float:
    """How many pixels wide the text is drawn, about: fonts differ. Korean, Chinese and Japanese letters are wide.

    >>> text_width("relu", 13) < text_width("matmul", 13) < text_width("행렬 곱셈", 13)
    True
    """
    thousandths = sum(_letter_width(letter, mono) for letter in text)
    return thousandths * size / 1000 * (_BOLD if bold else 1)


@cache
def _letter_width(letter: str, mono: bool) -> int:
    if letter.isascii():
        return _MONO_WIDTH if mono else _WIDTHS.get(letter, _OTHER_WIDTH)
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Cf"):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE_WIDTH
    return _MONO_WIDTH if mono else _WIDTHS.get(letter, _OTHER_WIDTH)


def clipped(text: str, width: float, size: float, mono: bool = False, bold: bool = False) -> str:
    """The text, or its beginning and "…" where it would be wider than ``width`` pixels.

    >>> clipped("short", 100, 13)
    'short'
    >>> clipped("a very long name of a tensor", 100, 13)
    'a very long na…'
    """
    if text_width(text, size, mono, bold) <= width:
        return text
    room = width - text_width("…", size, mono, bold)
    kept = []
    for letter in text:
        room -= text_width(letter, size, mono, bold)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def printable(text: str) -> str:
    """The text in one line, without what XML 1.0 forbids: control characters and halves of surrogate pairs.

    >>> printable("two\\nlines\\x00")
    'two lines'
    """
    return _FORBIDDEN.sub("", _SPACE.sub(" ", text))


_SPACE = re.compile(r"\s")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
