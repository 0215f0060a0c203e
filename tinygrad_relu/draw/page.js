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
