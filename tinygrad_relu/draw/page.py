"""A picture as a page of its own: one HTML file with the SVG in it, to zoom, to move, to hover over and to print."""

from __future__ import annotations

import html
import string

from . import style
from .picture import LEVELS, Picture

_KINDS = {
    "parameter": "parameter",
    "input": "input",
    "constant": "constant",
    "result": "result",
    "output": "output",
    "op": "op",
    "fold": "folded ops",
}

_STYLE = """
* { box-sizing: border-box; }
html { color-scheme: light dark; height: 100%; }
body { margin: 0; height: 100%; display: flex; flex-direction: column;
  font: 15px/1.4 system-ui, "Noto Sans", "Noto Sans CJK KR", sans-serif;
  background: var(--tg-ground); color: var(--tg-result-text); }
header, footer { display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 1.25rem; padding: 0.6rem 1rem; }
header { border-bottom: 1px solid var(--tg-cluster-stroke); }
footer { border-top: 1px solid var(--tg-cluster-stroke); font-size: 13px; max-height: 35vh; overflow: auto; }
h1 { font-size: 1.05rem; margin: 0; flex: 1 1 12rem; overflow-wrap: anywhere; }
h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
button { font: inherit; min-width: 2.5rem; min-height: 2.5rem; padding: 0 0.75rem; cursor: pointer;
  color: inherit; background: var(--tg-cluster-fill); border: 1px solid var(--tg-cluster-stroke); border-radius: 8px; }
button:hover { background: var(--tg-fold-fill); }
:focus-visible { outline: 3px solid var(--tg-parameter-stroke); outline-offset: -3px; }
.buttons { display: flex; gap: 0.4rem; }
main { flex: 1 1 0; min-height: 0; cursor: grab; touch-action: none; }
main.moving { cursor: grabbing; }
main > svg { display: block !important; width: 100% !important; height: 100% !important; max-width: none !important; }
ul { display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; margin: 0; padding: 0; list-style: none; }
li { display: flex; flex-wrap: wrap; align-items: center; gap: 0.1rem 0.4rem; }
@media print {
  :root { color-scheme: light; }
  body, main { display: block; height: auto; }
  .buttons { display: none; }
  main > svg { height: auto !important; max-height: 80vh; }
}
"""

_SCRIPT = """
"use strict";
const stage = document.querySelector("main");
const svg = stage.querySelector("svg");
const whole = svg.getAttribute("viewBox").split(/[ ,]+/).map(Number);
let view = whole.slice();  // x, y, width and height of what is seen

function show(next) {
  view = next;
  svg.setAttribute("viewBox", view.join(" "));
}

// Pixels of the screen to units of the picture.
function unitsPerPixel() {
  const frame = svg.getBoundingClientRect();
  return Math.max(view[2] / frame.width, view[3] / frame.height);
}

function move(right, down) {
  show([view[0] - right * unitsPerPixel(), view[1] - down * unitsPerPixel(), view[2], view[3]]);
}

// The point of the screen stays where it is; without one, the middle does.
function zoom(factor, screenX, screenY) {
  const wanted = Math.min(Math.max(view[2] / factor, whole[2] / 200), whole[2] * 4);
  const scale = wanted / view[2];
  const frame = svg.getBoundingClientRect();
  const fromMiddleX = screenX === undefined ? 0 : screenX - frame.left - frame.width / 2;
  const fromMiddleY = screenY === undefined ? 0 : screenY - frame.top - frame.height / 2;
  const middleX = view[0] + view[2] / 2 + fromMiddleX * unitsPerPixel() * (1 - scale);
  const middleY = view[1] + view[3] / 2 + fromMiddleY * unitsPerPixel() * (1 - scale);
  const [width, height] = [view[2] * scale, view[3] * scale];
  show([middleX - width / 2, middleY - height / 2, width, height]);
}

// All of it if it can be read then, or else the part around the first box, as an input is where one starts to read.
function begin() {
  const frame = svg.getBoundingClientRect();
  const [fitsAcross, fitsDown] = [frame.width / whole[2], frame.height / whole[3]];
  if (Math.min(fitsAcross, fitsDown) > 0.7) return;
  const scale = Math.min(Math.max(fitsAcross, fitsDown, 0.8), 1);  // one way all of it, if that can be read
  const [width, height] = [frame.width / scale, frame.height / scale];
  const first = svg.querySelector(`[data-id="${stage.dataset.first}"]`);
  const [middleX, middleY] = middle(first || svg);
  show([within(middleX, width, whole[0], whole[2]), within(middleY, height, whole[1], whole[3]), width, height]);
}

// Of an element, in units of the picture.
function middle(element) {
  const frame = element.getBoundingClientRect();
  const screen = new DOMPoint(frame.left + frame.width / 2, frame.top + frame.height / 2);
  const point = screen.matrixTransform(svg.getScreenCTM().inverse());
  return [point.x, point.y];
}

// Where a view of that size begins that has the point in its middle, but shows nothing outside of the whole.
function within(point, size, start, length) {
  if (size > length) return start + (length - size) / 2;
  return Math.min(Math.max(point - size / 2, start), start + length - size);
}

const actions = {
  "in": () => zoom(1.25),
  "out": () => zoom(0.8),
  "fit": () => show(whole.slice()),
};
const keys = {
  "+": actions.in, "=": actions.in, "-": actions.out, "0": actions.fit,
  "ArrowLeft": () => move(40, 0), "ArrowRight": () => move(-40, 0),
  "ArrowUp": () => move(0, 40), "ArrowDown": () => move(0, -40),
};

for (const link of svg.querySelectorAll("a")) link.setAttribute("target", "_blank");  // the picture stays open

for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", actions[button.dataset.action]);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
  event.preventDefault();
  keys[event.key]();
});

stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;  // else the page could not be scrolled
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 300), event.clientX, event.clientY);
}, { passive: false });

// One finger or the mouse moves the picture, two fingers zoom.
const fingers = new Map();
let travelled = 0;

stage.addEventListener("pointerdown", (event) => {
  if (fingers.size === 0) travelled = 0;
  fingers.set(event.pointerId, event);
});

function spread() {
  const [a, b] = [...fingers.values()];
  return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
}

window.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const spreadBefore = fingers.size === 2 ? spread() : 0;
  fingers.set(event.pointerId, event);
  const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
  travelled += Math.abs(right) + Math.abs(down);
  stage.classList.add("moving");
  if (fingers.size === 1) move(right, down);
  if (spreadBefore > 0) zoom(spread() / spreadBefore, event.clientX, event.clientY);
});

for (const kind of ["pointerup", "pointercancel"]) {
  window.addEventListener(kind, (event) => {
    fingers.delete(event.pointerId);
    if (fingers.size === 0) stage.classList.remove("moving");
  });
}

stage.addEventListener("click", (event) => {
  if (travelled > 6) event.preventDefault();  // a link was not meant, the picture was moved by it
}, true);
stage.addEventListener("dragstart", (event) => event.preventDefault());
window.addEventListener("beforeprint", actions.fit);
begin();
"""

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
$colors
$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<div class="buttons" role="group" aria-label="Zoom">
<button type="button" data-action="out" aria-label="Zoom out" title="Zoom out (key -)">&minus;</button>
<button type="button" data-action="in" aria-label="Zoom in" title="Zoom in (key +)">+</button>
<button type="button" data-action="fit" title="Fit the window (key 0)">Fit</button>
</div>
</header>
<main tabindex="0" data-first="$first"
  aria-label="The graph. Arrow keys move it, plus and minus zoom, 0 fits it into the window.">
$svg</main>
<footer>
<h2>Legend</h2>
$legend
</footer>
<script>$script</script>
</body>
</html>
""")


def page(picture: Picture, svg: str) -> str:
    """A page with the SVG text ``svg`` of the picture and a legend. It needs no server, and loads nothing.

    >>> from tinygrad_relu.draw.picture import Box, Picture
    >>> text = page(Picture([Box("op1", "op", ["relu"])], title="a < b"), '<svg viewBox="0 0 8 8"></svg>')
    >>> "<title>a &lt; b</title>" in text
    True
    """
    return _PAGE.substitute(
        title=html.escape(style.printable(picture.title or picture.name)),
        colors=style.css(),
        style=_STYLE,
        svg=svg,
        first=html.escape(_first(picture)),
        legend=_legend(picture),
        script=_SCRIPT,
    )


def _first(picture: Picture) -> str:
    """The id of the box to begin with: an input, or else whatever was there first."""
    ids = [box.id for box in picture.boxes if box.kind == "input"] + [box.id for box in picture.boxes]
    return ids[0] if ids else ""


def _legend(picture: Picture) -> str:
    """What each kind of box and each colour of an arrow means, of those that occur."""
    kinds = {box.kind for box in picture.boxes}
    items = [_entry(_box_sign(kind), name) for kind, name in _KINDS.items() if kind in kinds]
    if any("silent" in box.marks for box in picture.boxes):
        items.append(_entry(_box_sign("op", "silent"), "op with silent units"))
    levels = {arrow.level for arrow in picture.arrows}
    arrows = []
    if levels - {None}:
        signs = "".join(_arrow_sign(f"g{level}") for level in range(LEVELS))
        arrows.append(_entry(signs, style.GRADIENTS))
        if any(style.is_zero(arrow) for arrow in picture.arrows):
            arrows.append(_entry(_arrow_sign("g0 zero"), style.ZERO))
        if None in levels:
            arrows.append(_entry(_arrow_sign("none"), style.NO_GRADIENT))
    lists = [("Boxes", items), ("Arrows", arrows)]
    return "\n".join(f'<ul aria-label="{name}">\n' + "\n".join(of) + "\n</ul>" for name, of in lists if of)


def _entry(sign: str, name: str) -> str:
    return f"<li>{sign}{name}</li>"


def _box_sign(kind: str, mark: str = "") -> str:
    """A small box that looks like those in the picture."""
    corner = 7 if kind == "op" else 2
    shapes = f'<rect x="2" y="2" width="26" height="14" rx="{corner}"/>'
    if kind == "parameter":
        shapes += '<rect x="2" y="2" width="5" height="14" style="fill: var(--tg-parameter-stroke)"/>'
    if kind == "input":
        shapes += '<rect x="5" y="5" width="20" height="8" style="fill: none"/>'
    name = f"box {kind} {mark}".strip()
    return f'<svg width="30" height="18" aria-hidden="true"><g class="{name}">{shapes}</g></svg>'


def _arrow_sign(level: str) -> str:
    line = '<path d="M1 9 H21"/><polygon points="20,4 29,9 20,14"/>'
    return f'<svg width="30" height="18" aria-hidden="true"><g class="arrow {level}">{line}</g></svg>'
