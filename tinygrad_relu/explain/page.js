// The explorer. Data flows one way: an event calls update(change), which changes `state` and calls render();
// every render function writes what follows from the state and from the story, and reads nothing back.
"use strict";

const story = read("story");
const languages = read("languages");
const lastStep = story.steps.length - 1;

const state = {
  step: 0,
  language: document.documentElement.lang,
  playing: false,
  speed: 1,
  predicting: false,
  revealed: false, // whether the result of this step was asked for
  visit: 0, // in the comparison of the two orders
  comparing: false,
  printing: false,
  dark: false,
  camera: { mode: "follow", x: 0, y: 0, scale: 0 }, // mode: follow, whole or free; the middle of what is seen
};

const STEP_TIME = 1900; // milliseconds that a step stays when playing
const TRAVEL_TIME = 800; // that a message is on its way
const GLIDE_TIME = 350; // that the camera moves
const READABLE = 0.8; // below this scale the text of the graph is too small to read
const OVERVIEW = 0.6; // below this one no name in it can be made out
const LARGEST = 1.7; // a small graph is not blown up beyond this
const CLOSE = 0.95; // nor is a part of a large one that the camera follows
const NARROW = 560; // pixels: a narrower stage shows the drawing that runs downward
const NUMBERS_IN_ROW = 8; // a vector of more numbers is broken into lines
const BITS_IN_ROW = 12;
const MARGIN = 28; // pixels that stay free around what the camera looks at

function update(change) {
  const from = state.step;
  Object.assign(state, change);
  if (state.step !== from) state.revealed = false;
  render();
  writeAddress();
  if (state.step !== from) sendMessage(state.step === from + 1);
}

function render() {
  renderTexts();
  renderTimeline();
  renderControls();
  renderCard();
  renderStage();
  renderComparison();
  renderPaper();
  keepPlaying();
}

function goTo(step) {
  update({ step: Math.max(0, Math.min(lastStep, step)) });
}

// ------------------------------------------------------------------ small helpers

function read(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

function at(id) {
  return document.getElementById(id);
}

/** A new element: attributes that are null or false are left out, children are elements or text. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function makeSvg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** The text of that key in the chosen language, with each {word} filled in. */
function text(key, words = {}) {
  const template = languages[state.language][key] ?? languages.en[key] ?? key;
  return template.replace(/\{(\w+)\}/g, (place, word) => words[word] ?? place);
}

const rendered = new Map();

/** Whether what a part of the page, a name or an element, depends on has changed: else it need not be rendered. */
function changed(part, ...inputs) {
  const key = JSON.stringify(inputs);
  if (rendered.get(part) === key) return false;
  rendered.set(part, key);
  return true;
}

function movesLittle() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Call draw(part) with the part of the way that is done, from 0 to 1; the function that it returns ends it early. */
function animate(time, draw) {
  const start = performance.now();
  let ticket = 0;
  function frame(now) {
    const part = time > 0 ? Math.max(0, Math.min(1, (now - start) / time)) : 1;
    draw(part * part * (3 - 2 * part));
    if (part < 1) ticket = requestAnimationFrame(frame);
  }
  frame(start);
  return () => cancelAnimationFrame(ticket);
}

// ------------------------------------------------------------------ numbers

function short(value, digits = 4) {
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-4)) return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(digits)));
}

function shapeText(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** Numbers in brackets as NumPy prints them. */
function spelledOut(array, digits) {
  let parts = array.values.map((value) => short(value, digits));
  for (const length of [...array.shape].reverse()) {
    const rows = [];
    for (let i = 0; i < parts.length; i += length) rows.push(`[${parts.slice(i, i + length).join(" ")}]`);
    parts = rows;
  }
  return parts.join(" ") || "[]";
}

/** The least and the greatest element of any array. */
function extremes(array) {
  if (!array.values) return [array.min, array.max];
  const numbers = array.values.filter((value) => typeof value === "number");
  return numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : ["nan", "nan"];
}

/** How many elements are NaN or infinite. */
function nonfinite(array) {
  return array.values ? array.values.filter((value) => typeof value === "string").length : array.nonfinite;
}

/** All numbers of an array as text, with fewer and fewer digits; of more than 16 numbers no text. */
function inNumbers(array) {
  if (array.values?.length === 1) return [4, 3, 2].map((digits) => short(array.values[0], digits));
  return array.values?.length <= 16 ? [4, 2].map((digits) => spelledOut(array, digits)) : [];
}

/** From where to where the numbers of an array go, with fewer and fewer digits. */
function inBrief(array) {
  const [low, high] = extremes(array);
  const odd = nonfinite(array);
  if (odd) return [text("array.nonfinite", { count: odd })];
  if (low === high) return [text("array.all", { value: short(low) })];
  return [4, 3, 2].map((digits) => `${short(low, digits)}…${short(high, digits)}`);
}

// ------------------------------------------------------------------ what has happened up to a step

/** All that is known after a step, found by going through the story from its start. */
function situationAt(last) {
  const now = {
    computed: new Set(), // values
    worked: new Set(), // ops that have computed
    applied: new Set(), // ops that have gone back
    carried: new Set(), // arrows along which a value went
    returned: new Set(), // arrows along which a gradient came back
    grads: new Map(), // value -> the sum of its gradients so far, an array
    missing: story.values.map((value) => value.expected),
  };
  story.values.forEach((value, i) => value.maker === null && now.computed.add(i));
  for (const step of story.steps.slice(0, last + 1)) happen[step.kind]?.(now, step, story.ops[step.op]);
  return now;
}

const happen = {
  send(now, step, op) {
    now.carried.add(op.edges[step.argument]);
  },
  compute(now, step, op) {
    now.worked.add(step.op);
    now.carried.add(op.out_edge);
    now.computed.add(step.value);
  },
  seed(now, step) {
    now.grads.set(step.value, step.sent);
  },
  hook(now, step) {
    now.grads.set(step.value, step.after);
  },
  rule(now, step, op) {
    now.applied.add(step.op);
    now.returned.add(op.out_edge);
  },
  return(now, step, op) {
    now.returned.add(op.edges[step.argument]);
    now.grads.set(step.value, step.after);
    now.missing[step.value] = step.missing;
  },
};

/** The message of a step: along which arrow, which way, with what in it; null for a step that sends none. */
function messageOf(step) {
  const op = story.ops[step.op];
  switch (step.kind) {
    case "send":
      return { edge: op.edges[step.argument], backward: false, array: story.values[step.value].array };
    case "compute":
      return { edge: op.out_edge, backward: false, array: story.values[step.value].array };
    case "rule":
      return { edge: op.out_edge, backward: true, array: step.received };
    case "return":
      return { edge: op.edges[step.argument], backward: true, array: step.sent };
    default:
      return null;
  }
}

/** Whether the step has a result that must not be seen yet, since the reader wants to predict it. */
function isHidden() {
  const asks = ["compute", "seed", "rule", "return"].includes(story.steps[state.step].kind);
  return asks && state.predicting && !state.revealed;
}

/** What is hidden now: a value's numbers, or its gradient. A rule is hidden in the card only. */
function hiddenOn(value, part) {
  const step = story.steps[state.step];
  const parts = { compute: "value", seed: "grad", return: "grad" };
  return isHidden() && step.value === value && parts[step.kind] === part;
}

// ------------------------------------------------------------------ texts and the address

function renderTexts() {
  if (!changed("texts", state.language, state.playing)) return;
  document.documentElement.lang = state.language;
  document.title = text("page.title", story);
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text, story);
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    const label = text(element.dataset.label, story);
    element.setAttribute("aria-label", label);
    if (element.matches("button")) element.title = label;
  }
  for (const element of document.querySelectorAll("[data-hint]")) element.title = text(element.dataset.hint);
  for (const { svg } of drawings) svg.setAttribute("aria-label", text("stage.label", story));
  renderLegend();
}

function renderLegend() {
  const arrows = ["value", "gradient"].map((kind) =>
    make("span", {}, arrowSample(kind), text(`legend.${kind}`)),
  );
  const kinds = new Set(story.values.map((value) => value.kind));
  const boxes = ["input", "parameter", "constant", "op", "result", "output"]
    .filter((kind) => kind === "op" || kinds.has(kind))
    .map((kind) => make("span", {}, boxSample(kind), text(`legend.${kind}`)));
  at("legend").replaceChildren(...arrows, ...boxes);
}

function arrowSample(kind) {
  const line = makeSvg("path", { class: kind, d: kind === "value" ? "M1 7H25" : "M31 7H7" });
  const head = makeSvg("path", { class: "head", d: kind === "value" ? "M31 7l-8-4v8z" : "M1 7l8-4v8z" });
  return makeSvg("svg", { class: `sample ${kind}`, viewBox: "0 0 32 14", "aria-hidden": "true" }, line, head);
}

function boxSample(kind) {
  const shape = makeSvg("rect", { class: "shape", x: 2, y: 2, width: 24, height: 12, rx: kind === "op" ? 6 : 2 });
  const bar = kind === "parameter" ? makeSvg("rect", { class: "bar", x: 2, y: 2, width: 4, height: 12 }) : null;
  const box = makeSvg("g", { class: `box ${kind}` }, shape, bar);
  return makeSvg("svg", { class: "sample tg-picture", viewBox: "0 0 28 16", "aria-hidden": "true" }, box);
}

/** The step and the language that the address asks for, as a change of the state. */
function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const step = Number.parseInt(wanted.get("step"), 10);
  const change = {};
  if (Number.isInteger(step)) change.step = Math.max(0, Math.min(lastStep, step));
  if (Object.hasOwn(languages, wanted.get("lang"))) change.language = wanted.get("lang");
  return change;
}

function writeAddress() {
  if (!changed("address", state.step, state.language)) return;
  const place = new URLSearchParams({ step: state.step });
  if (state.language !== pageLanguage || location.hash.includes("lang=")) place.set("lang", state.language);
  try {
    history.replaceState(null, "", `#${place}`);
  } catch {
    // A page inside a notebook has no address of its own.
  }
}

// ------------------------------------------------------------------ timeline and controls

function phaseOf(step) {
  return step < story.forward_steps ? "forward" : "backward";
}

function titleOf(step) {
  const told = story.telling[step];
  return text(told.title, told.words);
}

function renderTimeline() {
  if (!changed("timeline", state.step, state.language)) return;
  const slider = at("slider");
  slider.max = lastStep;
  slider.value = state.step;
  const phase = phaseOf(state.step);
  const words = { step: state.step, last: lastStep, phase: text(`phase.${phase}`), title: titleOf(state.step) };
  slider.setAttribute("aria-valuetext", text("phase.described", words));
  slider.dataset.phase = phase;
  at("count").textContent = text("phase.step", words);
  at("forward-half").classList.toggle("now", phase === "forward");
  at("backward-half").classList.toggle("now", phase === "backward");
  [...at("ticks").children].forEach((tick, i) => tick.classList.toggle("past", i <= state.step));
}

/** One mark for each step; the halves meet between the last step forward and the first step back. */
function layOutTimeline() {
  const border = (story.forward_steps - 0.5) / lastStep;
  at("forward-half").style.width = `${100 * border}%`;
  at("backward-half").style.width = `${100 - 100 * border}%`;
  const marks = story.steps.map((step, i) => {
    const large = ["compute", "rule"].includes(step.kind) ? " large" : "";
    return make("span", { class: `tick ${step.phase}${large}`, style: `left: ${(100 * i) / lastStep}%` });
  });
  at("ticks").replaceChildren(...marks);
}

/** Whether there is room for a mark for each step. */
function measureTimeline() {
  const perStep = at("ticks").clientWidth / Math.max(1, lastStep);
  at("ticks").dataset.room = perStep >= 9 ? "wide" : perStep >= 4 ? "narrow" : "none";
}

function renderControls() {
  if (!changed("controls", state.step, state.playing, state.language, state.predicting)) return;
  at("first").disabled = at("back").disabled = state.step === 0;
  at("forward").disabled = at("last").disabled = state.step === lastStep;
  const label = text(state.playing ? "control.pause" : "control.play");
  at("play").setAttribute("aria-label", label);
  at("play").title = label;
  at("play").classList.toggle("playing", state.playing);
  at("predict").checked = state.predicting;
  at("language").value = state.language;
}

let nextStep = 0;

function keepPlaying() {
  if (!changed("playing", state.playing, state.step, state.speed, state.revealed)) return;
  clearTimeout(nextStep);
  if (state.playing) nextStep = setTimeout(playOn, STEP_TIME / state.speed);
}

/** The next step, unless there is none, or the reader still has to predict this one. */
function playOn() {
  if (state.step === lastStep || isHidden()) update({ playing: false });
  else goTo(state.step + 1);
}

function playOrPause() {
  if (state.playing) update({ playing: false });
  else if (isHidden()) update({ revealed: true, playing: true });
  else update({ playing: true, step: state.step === lastStep ? 0 : state.step + 1 });
}

// ------------------------------------------------------------------ card

function renderCard() {
  if (!changed("card", state.step, state.language, isHidden(), state.dark)) return;
  const step = story.steps[state.step];
  const told = story.telling[state.step];
  const hidden = isHidden();
  const card = at("card");
  Object.assign(card.dataset, { step: state.step, kind: step.kind, phase: step.phase });
  at("phase").textContent = text(`phase.${step.phase}`);
  at("title").textContent = text(told.title, told.words);
  at("sentence").textContent = text(hidden ? told.question : told.sentence, told.words);
  at("numbers").textContent = hidden ? "" : told.numbers;
  at("reveal").hidden = !hidden;
  at("details").replaceChildren(...detailsOf[step.kind](step, story.ops[step.op]).filter(Boolean));
  at("details").querySelectorAll(".scroll").forEach(squeeze);
  if (changed("card place", state.step)) card.scrollTop = 0;
}

/** Numbers that stand in a row get smaller cells where they need them; what is wider even so is scrolled. */
function squeeze(box) {
  const isTooWide = () => box.scrollWidth > box.clientWidth;
  box.classList.toggle("tight", isTooWide());
  if (isTooWide()) box.tabIndex = 0; // so that keys scroll it too
}

/** What the card shows below the sentence, for each kind of step. */
const detailsOf = {
  start() {
    return [part("card.leaves", ...leaves().map((value) => arrayView(value.array, value.label)))];
  },
  send(step, op) {
    const value = story.values[step.value];
    return [part("card.value", arrayView(value.array, value.label)), operation(op), usersLine(op)];
  },
  compute(step, op) {
    const result = story.values[step.value];
    return [
      part("card.result", resultView(result.array, result.label)),
      operation(op),
      usersLine(op),
      part("card.inputs", ...op.arguments.map((value, i) => inputView(op, i))),
      isHidden() ? null : saved(op, "card.saved"),
      source("card.forward_source", op.forward, op, false),
    ];
  },
  seed(step) {
    return [part("card.complete", resultView(step.sent, `${story.values[step.value].label}.grad`))];
  },
  hook(step) {
    const name = `${story.values[step.value].label}.grad`;
    return [part("card.before", arrayView(step.before, name)), part("card.after", arrayView(step.after, name))];
  },
  rule(step, op) {
    const name = `${story.values[step.value].label}.grad`;
    return [
      isHidden() ? part("card.rule", hiddenResult()) : rules(op),
      saved(op, "card.saved"),
      part("card.received", arrayView(step.received, name)),
      operation(op),
      usersLine(op),
      isHidden() ? null : source("card.backward_source", op.backward, op, true),
      isHidden() ? null : source("card.forward_source", op.forward, op, false),
    ];
  },
  return(step, op) {
    const value = story.values[step.value];
    return [
      isHidden() ? null : rule(op, step.argument),
      saved(op, "card.saved"),
      part("card.contribution", resultView(step.sent, `${op.label} → ${value.label}`), broadcastNote(step)),
      step.before === null ? null : sum(step),
      part("card.received", arrayView(op.received, `${story.values[op.result].label}.grad`)),
      stillMissing(step),
      usersLine(op),
    ];
  },
  end() {
    const found = leaves().filter((value) => value.requires_grad);
    const views = found.map((value) =>
      value.grad === null
        ? make("p", {}, `${value.label}: ${text("card.no_gradient")}`)
        : arrayView(value.grad, `${value.label}.grad`),
    );
    return [part("card.gradients", ...views)];
  },
};

function leaves() {
  return story.values.filter((value) => value.maker === null);
}

/** A part of the card under its own heading, named by a key of the language file. */
function part(key, ...children) {
  const step = story.telling[state.step];
  return make("section", { class: "part" }, make("h3", {}, text(key, step.words)), ...children);
}

/** An array that the reader may have to predict first. */
function resultView(array, name) {
  return isHidden() ? hiddenResult() : arrayView(array, name);
}

function hiddenResult() {
  return make("p", { class: "question" }, make("b", { "aria-hidden": "true" }, "?"), ` ${text("card.hidden")}`);
}

function operation(op) {
  const options = op.options.map(([name, value]) => make("code", {}, `${name}=${value}`));
  const module = op.module ? make("span", { class: "module" }, op.module) : null;
  const head = make("p", { class: "operation" }, make("b", { class: "pill" }, op.label), ...options, module);
  const formula = languages[state.language][`formula.${op.name}`] ?? op.formula;
  return part("card.operation", head, formula ? make("p", { class: "formula" }, formula) : null);
}

function usersLine(op) {
  if (!op.line) return null;
  const place = `${op.line.file}:${op.line.number}`;
  const link = sourceLink(op.line.url, place);
  return part("card.code", make("p", { class: "place" }, link), make("pre", {}, make("code", {}, op.line.text)));
}

/** A link beside the page, so that the reader does not lose the step. */
function sourceLink(url, place) {
  return url ? make("a", { href: url, target: "_blank", rel: "noopener" }, place) : make("span", {}, place);
}

function inputView(op, argument) {
  const value = story.values[op.arguments[argument]];
  const name = op.names[argument];
  return arrayView(value.array, name === value.label ? name : `${name} = ${value.label}`);
}

function saved(op, key) {
  if (!op.saved.length) return null;
  const views = op.saved.map((kept) => {
    if (kept.array === undefined) return make("p", {}, make("code", {}, `${kept.name} = ${kept.text}`));
    const isMask = op.blocked !== null && story.arrays[kept.array].dtype === "bool";
    return arrayView(kept.array, isMask ? text("card.mask_name", kept) : kept.name, isMask);
  });
  return part(key, ...views, blockedShare(op), silentUnits(op));
}

function blockedShare(op) {
  if (op.blocked === null) return null;
  const size = story.values[op.result].shape.reduce((product, length) => product * length, 1);
  const words = { size, blocked: Math.round(op.blocked * size), percent: short(100 * op.blocked, 3) };
  return make("p", { class: "blocked" }, text("card.blocked", words));
}

function silentUnits(op) {
  if (!op.silent?.length) return null;
  const words = { units: op.silent.join(", "), rows: story.values[op.result].shape[0] };
  return make("p", { class: "warning" }, text("card.silent", words));
}

function rules(op) {
  const known = op.arguments.map((_, argument) => argument).filter((argument) => op.rules[argument]);
  return known.length ? part("card.rule", ...known.map((argument) => ruleLines(op, argument))) : null;
}

function rule(op, argument) {
  return op.rules[argument] ? part("card.rule", ruleLines(op, argument)) : null;
}

/** The rule as it is written, and the same with the numbers put in. */
function ruleLines(op, argument) {
  const { text: written, filled } = op.rules[argument];
  const lines = [make("code", {}, written)];
  if (filled && filled !== written) lines.push(make("code", { class: "filled" }, `= ${filled}`));
  const name = make("span", {}, text("card.rule_for", { argument: op.names[argument] }));
  return make("div", { class: "rule" }, op.arguments.length > 1 ? name : null, ...lines);
}

function source(key, code, op, open) {
  if (!code) return null;
  const place = op.source ? sourceLink(op.source.url, `${op.source.file}:${op.source.number}`) : null;
  const inside = make("pre", { tabindex: 0 }, make("code", {}, code.trimEnd()));
  return make("details", { open }, make("summary", {}, text(key)), place, inside);
}

function broadcastNote(step) {
  if (!step.raw_shape) return null;
  return make("p", { class: "note" }, text("card.broadcast", story.telling[state.step].words));
}

/** What had arrived, what is added and what comes out, one below the other as on paper. */
function sum(step) {
  if (isHidden()) return part("card.sum", hiddenResult());
  const terms = { "card.before": step.before, "card.added": step.sent, "card.after": step.after };
  const views = Object.entries(terms).map(([key, array]) => arrayView(array, text(key)));
  const size = story.arrays[step.after].values ? "small" : "large";
  return part("card.sum", make("div", { class: `sum ${size}` }, ...views));
}

/** Which ops have not reported to the value yet: the reason why it waits. */
function stillMissing(step) {
  if (!step.missing) return null;
  const later = story.steps.slice(state.step + 1);
  const coming = later.filter((other) => other.kind === "return" && other.value === step.value);
  const pills = coming.map((other) => make("b", { class: "pill" }, story.ops[other.op].label));
  return part("card.waiting", make("p", { class: "operation" }, ...pills));
}

// ------------------------------------------------------------------ arrays

/** An array with its name: all its numbers if they are few, else a map of colours and its statistics. */
function arrayView(index, name, isMask = false) {
  const array = story.arrays[index];
  const about = make("span", { class: "about" }, `${shapeText(array.shape)} ${array.dtype}`);
  const caption = make("figcaption", {}, make("b", {}, name), " ", about);
  const body = array.values ? smallArray(array, isMask) : largeArray(array, name, isMask);
  return make("figure", { class: "array", "data-array": index }, caption, ...body);
}

function smallArray(array, isMask) {
  const isBits = array.dtype === "bool";
  const columns = array.shape.at(-1) ?? 1;
  const cells = array.values.map((value) => (isBits ? bit(value, isMask, array) : cell(value, array, columns)));
  const grid = make("div", { class: gridKind(array), style: `--columns: ${columns}` }, ...cells);
  if (isLong(array)) grid.style.setProperty("--longest", longestText(array));
  const scroll = make("div", { class: "scroll" }, grid);
  return isBits ? [scroll, bitsNote(isMask)] : [scroll];
}

/** A vector of few numbers and a matrix stand in brackets; a long vector goes on in the next line, without them. */
function gridKind(array) {
  const kind = array.dtype === "bool" ? "bits" : "numbers";
  if (!array.shape.length) return kind;
  return `${kind} ${isLong(array) ? "in-lines" : "bracketed"}`;
}

function isLong(array) {
  return array.shape.length === 1 && array.values.length > (array.dtype === "bool" ? BITS_IN_ROW : NUMBERS_IN_ROW);
}

function longestText(array) {
  return Math.max(...array.values.map((value) => short(value, 3).length));
}

/** A number on a ground that shows its sign and size among the others. */
function cell(value, array, columns) {
  const largest = Math.max(...extremes(array).map((end) => Math.abs(end) || 0));
  const isGraded = typeof value === "number" && largest > 0 && array.values.length > 1;
  const strength = isGraded ? value / largest : 0;
  const sign = strength < 0 ? "negative" : "positive";
  const style = `--strength: ${Math.round(28 * Math.abs(strength))}%`;
  return make("span", { class: sign, style, title: value, "data-value": value }, short(value, columns > 3 ? 3 : 4));
}

/** A square for true or false; of a mask, true is what blocks the gradient. A single one is told in words as well. */
function bit(value, isMask, { shape }) {
  const said = text(isMask ? (value ? "array.blocked" : "array.passes") : `array.${value}`);
  const attributes = { class: value ? "on" : "off", title: said, "data-value": String(value) };
  const words = make("span", { class: shape.length ? "unseen" : "said" }, `${said} `);
  return make("span", attributes, words);
}

function bitsNote(isMask) {
  return make("p", { class: "about" }, text(isMask ? "card.mask" : "card.bits"));
}

function largeArray(array, name, isMask) {
  const isBits = array.dtype === "bool";
  const statistics = isBits ? trueShare(array, isMask) : statisticsText(array);
  const words = { name, shape: shapeText(array.shape), text: statistics };
  const readout = make("p", { class: "readout" }, statistics);
  const canvas = make("canvas", { tabindex: 0, role: "img", "aria-label": text("array.alternative", words) });
  paint(canvas, array, isBits);
  canvas.addEventListener("pointermove", (event) => (readout.textContent = cellText(event, array)));
  canvas.addEventListener("pointerleave", () => (readout.textContent = statistics));
  const shrunk = array.map.shrunk ? make("p", { class: "about" }, text("array.shrunk")) : null;
  return [canvas, isBits ? bitsNote(isMask) : colourScale(array), readout, shrunk];
}

function trueShare(array, isMask) {
  return text(isMask ? "card.blocked_share" : "card.true_share", { percent: short(100 * array.mean, 3) });
}

function statisticsText(array) {
  const words = { min: short(array.min), mean: short(array.mean), max: short(array.max) };
  const odd = nonfinite(array) ? ` · ${text("array.nonfinite", { count: array.nonfinite })}` : "";
  return text("array.statistics", words) + odd;
}

/** One pixel for each element, stretched by CSS; a vector becomes a band. */
function paint(canvas, array, isBits) {
  const { rows, cols, low, high } = array.map;
  const room = Math.min(440, at("details").clientWidth);
  const size = Math.max(1, Math.min(room / 22, room / cols, (0.55 * room) / rows));
  Object.assign(canvas, { width: cols, height: rows });
  canvas.style.width = `${Math.max(cols * size, Math.min(room / 2, (cols * room) / 22))}px`;
  canvas.style.height = `${Math.max(16, rows * size)}px`;
  const colour = isBits ? (value) => (value > 0.5 ? [0, 0, 0] : [255, 255, 255]) : colourOf(low, high);
  const image = new ImageData(cols, rows);
  bytes(array).forEach((byte, i) => {
    image.data.set([...colour(low + (byte / 255) * (high - low)), 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function bytes(array) {
  return Array.from(atob(array.map.data), (letter) => letter.charCodeAt(0));
}

/** A function from number to colour that goes both ways from 0, so that the sign is seen first. */
function colourOf(low, high) {
  const [negative, zero, positive] = ["--negative", "--zero", "--positive"].map(themeColour);
  const largest = Math.max(Math.abs(low), Math.abs(high)) || 1;
  return (value) => {
    const end = value < 0 ? negative : positive;
    const part = Math.min(1, Math.abs(value) / largest) ** 0.75;
    return zero.map((channel, i) => Math.round(channel + part * (end[i] - channel)));
  };
}

function themeColour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
  return [0, 2, 4].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
}

function colourScale(array) {
  const { low, high } = array.map;
  const colour = colourOf(low, high);
  const stops = [...Array(9).keys()].map((i) => `rgb(${colour(low + (i / 8) * (high - low)).join(" ")})`);
  const bar = make("span", { class: "bar", style: `background: linear-gradient(90deg, ${stops.join(", ")})` });
  if (low < 0 && high > 0) {
    bar.append(make("i", { class: "zero", style: `left: ${(-100 * low) / (high - low)}%` }, "0"));
  }
  const ends = [low, high].map((value) => make("span", {}, short(value, 3)));
  return make("div", { class: "scale", "aria-hidden": "true" }, ends[0], bar, ends[1]);
}

/** What the element under the pointer is, as far as its colour tells. */
function cellText(event, array) {
  const { rows, cols, low, high } = array.map;
  const column = Math.min(cols - 1, Math.max(0, Math.floor((event.offsetX / event.target.clientWidth) * cols)));
  const row = Math.min(rows - 1, Math.max(0, Math.floor((event.offsetY / event.target.clientHeight) * rows)));
  const number = low + (bytes(array)[row * cols + column] / 255) * (high - low);
  const value = array.dtype === "bool" ? number > 0.5 : short(number, 3);
  const isWhole = array.shape.length === 2 && rows === array.shape[0] && cols === array.shape[1];
  return text(isWhole ? "array.cell" : "array.near", { row, column, value });
}

// ------------------------------------------------------------------ stage

const drawings = ["wide", "tall"].map((id) => prepare(at(id)));

/** A drawing's elements by their data-id. What it tells of the end of the story is taken out. */
function prepare(holder) {
  const svg = holder.querySelector("svg");
  svg.querySelectorAll("title, desc, .arrow .size").forEach((element) => element.remove());
  svg.removeAttribute("aria-labelledby");
  const parts = new Map();
  for (const element of svg.querySelectorAll("[data-id]")) {
    parts.set(element.dataset.id, element);
    if (element.matches(".arrow")) element.setAttribute("class", "arrow");
  }
  const message = makeSvg("g", { class: "message", "aria-hidden": "true" });
  svg.append(message);
  const { x, y, width, height } = svg.viewBox.baseVal;
  return { holder, svg, parts, message, bounds: { x, y, width, height } };
}

/** The drawing that can be shown larger; where none can be read as a whole, the one that runs the longer way. */
function chosenDrawing() {
  const [wide, tall] = drawings;
  const [wideScale, tallScale] = drawings.map((drawing) => fitting(drawing).scale);
  if (Math.max(wideScale, tallScale) >= READABLE) return wideScale >= tallScale ? wide : tall;
  const { width, height } = stageSize();
  return width >= height && width >= NARROW ? wide : tall;
}

function stageSize() {
  const { clientWidth, clientHeight } = at("stage");
  return { width: Math.max(1, clientWidth), height: Math.max(1, clientHeight) };
}

function renderStage() {
  const drawing = chosenDrawing();
  const index = drawings.indexOf(drawing);
  if (changed("stage", state.step, state.language, isHidden(), index, stageSize().width > 1)) {
    for (const { holder } of drawings) holder.hidden = holder !== drawing.holder;
    const now = situationAt(state.step);
    const current = currentParts();
    story.values.forEach((value, i) => renderValue(drawing, value, i, now, current));
    story.ops.forEach((op, i) => renderOp(drawing, op, i, now, current));
    renderArrows(drawing, now);
    renderMessage(drawing);
  }
  if (changed("camera", state.step, state.camera, state.printing, stageSize(), index)) moveCamera(drawing);
}

/** The ids of the boxes at the two ends of the message, or of the one that the step is about. */
function currentParts() {
  const step = story.steps[state.step];
  const ids = new Set();
  if (step.op !== undefined) ids.add(story.ops[step.op].id);
  if (step.value !== undefined) ids.add(story.values[step.value].id);
  return ids;
}

function renderValue(drawing, value, index, now, current) {
  const group = drawing.parts.get(value.id);
  if (!group) return;
  const back = phaseOf(state.step) === "backward";
  const missing = now.missing[index];
  const known = now.computed.has(index);
  const isReached = back ? now.grads.has(index) : known;
  group.classList.toggle("faint", !isReached && !current.has(value.id));
  group.classList.toggle("waiting", back && missing > 0);
  group.classList.toggle("current", current.has(value.id));
  const lines = linesOf(group);
  if (lines.value) write(lines.value, group, hiddenOn(index, "value") ? ["?"] : known ? valueTexts(value) : ["…"]);
  if (lines.grad) write(lines.grad, group, gradTexts(index, now));
  renderBadge(group, back ? badgeOf(index, now) : null);
}

/** What could stand in a box for its value, the fullest first: what does not fit gives way to the next. */
function valueTexts(value) {
  const array = story.arrays[value.array];
  return [...inNumbers(array), ...inBrief(array)];
}

function gradTexts(index, now) {
  if (hiddenOn(index, "grad")) return [text("stage.grad", { grad: "?" })];
  const none = text("stage.not_computed");
  if (!now.grads.has(index)) return [text("stage.grad", { grad: none }), none];
  const array = story.arrays[now.grads.get(index)];
  const keys = now.missing[index] ? ["stage.grad_so_far", "stage.grad_so_far_short"] : ["stage.grad"];
  const labelled = (texts) =>
    [...keys, "stage.grad_short"].flatMap((key) => texts.map((grad) => text(key, { grad })));
  return [...labelled(inNumbers(array)), ...labelled(inBrief(array))];
}

/** The lines of a box that change: where its value stands, and where its gradient, if it has one. */
function linesOf(group) {
  if (!lines.has(group)) {
    const [, ...below] = group.querySelectorAll("text.line");
    const grad = below.at(-1)?.textContent.startsWith("grad") ? below.pop() : undefined;
    lines.set(group, { grad, value: below.at(-1) });
  }
  return lines.get(group);
}

const lines = new WeakMap();

/** The first of the texts that the box has room for. */
function write(line, group, texts) {
  const room = shapeOf(group).getBBox().width - 20; // 0 - 20 before the page has a size, as in a frame that loads early
  if (!changed(line, texts, room)) return;
  for (const candidate of texts) {
    line.textContent = candidate;
    if (line.getComputedTextLength() <= room) return;
  }
}

function shapeOf(group) {
  return group.querySelector(".shape, rect");
}

function badgeOf(index, now) {
  const missing = now.missing[index];
  if (missing) return { missing, text: text("stage.missing", { missing }) };
  return now.grads.has(index) ? { missing: 0, text: "✓", label: text("stage.complete") } : null;
}

/** On the upper edge of a box: how many gradients it waits for, or that it has them all. */
function renderBadge(group, badge) {
  if (!changed(group, badge)) return;
  group.querySelector(".report")?.remove();
  if (!badge) return;
  const box = shapeOf(group).getBBox();
  const label = makeSvg("text", { "text-anchor": "middle", y: 3.5 }, badge.text);
  const kind = badge.missing ? "waits" : "done";
  const report = makeSvg("g", { class: `report ${kind}`, "data-missing": badge.missing }, label);
  if (badge.label) report.append(makeSvg("title", {}, badge.label));
  group.append(report);
  const width = Math.max(16, label.getComputedTextLength() + 12);
  report.prepend(makeSvg("rect", { x: -width / 2, y: -8, width, height: 16, rx: 8 }));
  report.setAttribute("transform", `translate(${box.x + box.width - width / 2 + 6} ${box.y - 3})`);
}

function renderOp(drawing, op, index, now, current) {
  const group = drawing.parts.get(op.id);
  if (!group) return;
  const done = phaseOf(state.step) === "backward" ? now.applied : now.worked;
  group.classList.toggle("faint", !done.has(index) && !current.has(op.id));
  group.classList.toggle("current", current.has(op.id));
}

function renderArrows(drawing, now) {
  const message = messageOf(story.steps[state.step]);
  const back = phaseOf(state.step) === "backward";
  for (const [id, arrow] of drawing.parts) {
    if (!arrow.matches(".arrow")) continue;
    const isCurrent = message?.edge === id;
    arrow.classList.toggle("flows", now.returned.has(id));
    arrow.classList.toggle("carried", now.carried.has(id));
    arrow.classList.toggle("aside", back);
    arrow.classList.toggle("current", isCurrent);
  }
}

// ------------------------------------------------------------------ the message on its way

let stopMessage = () => {};

function sendMessage(isNext) {
  stopMessage();
  if (!isNext || movesLittle()) return;
  const drawing = chosenDrawing();
  stopMessage = animate(TRAVEL_TIME / state.speed, (progress) => moveDot(drawing, progress));
}

/** A dot that goes along the arrow, and beside the arrow what it carries. */
function renderMessage(drawing) {
  const message = messageOf(story.steps[state.step]);
  const path = pathOf(drawing, message);
  drawing.message.setAttribute("class", `message ${message?.backward ? "backward" : "forward"}`);
  drawing.message.replaceChildren(...(path ? messageMarks(message) : []));
  if (!path) return;
  placeTag(drawing, path);
  moveDot(drawing, 1);
}

function pathOf(drawing, message) {
  const side = message?.backward ? "gradient" : "value";
  return message && drawing.parts.get(message.edge)?.querySelector(`path.${side}`);
}

function moveDot(drawing, progress) {
  const path = pathOf(drawing, messageOf(story.steps[state.step]));
  if (!path) return;
  const place = path.getPointAtLength(path.getTotalLength() * progress);
  fill(drawing.message.firstChild, { cx: place.x, cy: place.y }, []);
}

function messageMarks(message) {
  const isAsked = isHidden() && story.steps[state.step].kind !== "rule";
  const array = story.arrays[message.array];
  const label = array.values?.length <= 4 ? spelledOut(array, 3) : shapeText(array.shape);
  return [makeSvg("circle", { r: 5.5 }), makeSvg("rect", { rx: 8 }), makeSvg("text", {}, isAsked ? "?" : label)];
}

/** The words of a message stand beside its way, where they cover the least. */
function placeTag(drawing, path) {
  const [, ground, label] = drawing.message.children;
  const size = { width: label.getComputedTextLength() + 14, height: 17 };
  const costAt = costOfPlace(drawing);
  const places = placesBeside(path, size).map(({ tag, distance }) => ({ tag, cost: costAt(tag) + distance }));
  const { tag } = places.reduce((best, each) => (each.cost < best.cost ? each : best));
  fill(label, { x: tag.x + size.width / 2, y: tag.y + 12.5 }, []);
  fill(ground, tag, []);
}

/** Rectangles of that size on both sides of a path, each with how far it is from where one would look first. */
function placesBeside(path, size) {
  const outer = path.matches(".gradient") ? 1 : -1; // the arrows of a value and of its gradient go side by side
  const sides = [outer, -outer];
  const combined = (one, others) => one.flatMap((each) => others.map((other) => ({ ...each, ...other })));
  const gaps = [8, 18, 28, 38, 48, 58].map((gap) => ({ gap }));
  const places = [sides.map((side) => ({ side })), [0.5, 0.35, 0.65].map((part) => ({ part }))].reduce(combined, gaps);
  return combined(places, [0, -0.6, 0.6].map((slide) => ({ slide }))).map((place) => ({
    tag: rectangleBeside(path, size, place),
    distance: place.gap + 20 * Math.abs(place.slide) + 20 * Math.abs(place.part - 0.5) + (place.side === outer ? 0 : 4),
  }));
}

/** Above or below a part of an arrow that lies, left or right of one that stands, and then slid along it. */
function rectangleBeside(path, { width, height }, { gap, side, part, slide }) {
  const length = path.getTotalLength();
  const [start, anchor, end] = [0, part * length, length].map((place) => path.getPointAtLength(place));
  const lies = Math.abs(end.x - start.x) > Math.abs(end.y - start.y);
  const right = lies ? slide * width : side * (width / 2 + gap);
  const down = lies ? side * (height / 2 + gap) : slide * height;
  return { x: anchor.x + right - width / 2, y: anchor.y + down - height / 2, width, height };
}

/** A function that tells how much a rectangle would cover: of boxes, badges and arrows, or be out of sight. */
function costOfPlace(drawing) {
  const boxes = [...drawing.parts.values()].flatMap(obstacles);
  const points = arrowPoints(drawing);
  const sight = sightOfStep(drawing);
  return (tag) => {
    const covered = boxes.reduce((sum, box) => sum + overlap(tag, box), 0);
    const crossed = points.filter((point) => overlap(tag, { ...point, width: 1, height: 1 }) > 0).length;
    return 200 * covered + 20 * crossed + 20 * (tag.width * tag.height - overlap(tag, sight));
  };
}

/** What is seen with the current boxes in the middle, or all, if the whole drawing can be read. */
function sightOfStep(drawing) {
  const whole = fitting(drawing);
  if (whole.scale >= READABLE) return inSight(whole);
  const { x, y, width, height } = around(currentBoxes(drawing));
  return grown(inSight({ x: x + width / 2, y: y + height / 2, scale: followingScale(drawing) }), -MARGIN);
}

/** What must stay free of a box: its shape, and the badge on its edge. */
function obstacles(group) {
  if (!group.matches(".box")) return [];
  const badge = group.querySelector(".report");
  const boxes = [grown(shapeOf(group).getBBox(), 3)];
  if (badge) {
    const { e, f } = badge.transform.baseVal.getItem(0).matrix;
    const { x, y, width, height } = badge.getBBox();
    boxes.push(grown({ x: x + e, y: y + f, width, height }, 3));
  }
  return boxes;
}

const pointsOf = new WeakMap();

/** Points on all arrows of a drawing, which never move. */
function arrowPoints(drawing) {
  if (!pointsOf.has(drawing)) {
    const paths = [...drawing.svg.querySelectorAll(".arrow path")];
    pointsOf.set(drawing, paths.flatMap((path) => pointsOn(path, 5)));
  }
  return pointsOf.get(drawing);
}

function pointsOn(path, distance) {
  const length = path.getTotalLength();
  const count = Math.ceil(length / distance);
  return [...Array(count + 1).keys()].map((i) => {
    const { x, y } = path.getPointAtLength((i / count) * length);
    return { x, y };
  });
}

function grown({ x, y, width, height }, by) {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

/** The area that two rectangles have in common. */
function overlap(one, other) {
  const along = (place, size) =>
    Math.min(one[place] + one[size], other[place] + other[size]) - Math.max(one[place], other[place]);
  return Math.max(0, along("x", "width")) * Math.max(0, along("y", "height"));
}

// ------------------------------------------------------------------ camera

/** The camera that shows all of a drawing. */
function fitting({ bounds }) {
  const { width, height } = stageSize();
  const scale = Math.min((width - MARGIN) / bounds.width, (height - MARGIN) / bounds.height, LARGEST);
  return { x: bounds.x + bounds.width / 2, y: bounds.y + bounds.height / 2, scale };
}

let seen = null; // the camera as it is on the way from one place to the next
let stopCamera = () => {};

function moveCamera(drawing) {
  const from = seen?.drawing === drawing ? seen : null;
  const to = wantedCamera(drawing, from ?? fitting(drawing));
  const isSudden = !from || movesLittle() || state.printing || state.camera.mode === "free";
  stopCamera();
  stopCamera = animate(isSudden ? 0 : GLIDE_TIME, (part) => {
    const start = from ?? to;
    const between = (name) => start[name] + part * (to[name] - start[name]);
    look(drawing, { x: between("x"), y: between("y"), scale: between("scale") });
  });
  at("fit").setAttribute("aria-pressed", state.camera.mode === "whole");
  at("follow").setAttribute("aria-pressed", state.camera.mode === "follow");
}

function wantedCamera(drawing, from) {
  const whole = fitting(drawing);
  const isMoved = changed("moved", state.camera);
  if (state.printing) return whole;
  if (state.camera.mode === "free") return isMoved ? state.camera : reach(drawing, from);
  const isOverview = whole.scale >= (currentParts().size ? READABLE : OVERVIEW);
  if (state.camera.mode === "whole" || isOverview) return whole;
  return reach(drawing, { ...from, scale: followingScale(drawing) });
}

/** Large enough to read, and larger if the graph is a long strip that is seen in its full breadth even so. */
function followingScale({ bounds }) {
  const { width, height } = stageSize();
  const breadth = Math.max((width - MARGIN) / bounds.width, (height - MARGIN) / bounds.height);
  return Math.max(READABLE, Math.min(CLOSE, breadth));
}

/** The camera moved no further than is needed to have the current boxes and their message in view. */
function reach(drawing, camera) {
  const boxes = currentBoxes(drawing);
  if (drawing.message.hasChildNodes()) boxes.push(drawing.message.getBBox());
  const wanted = grown(around(boxes), MARGIN);
  const { width, height } = stageSize();
  const along = (place, size, room) => {
    const [low, high] = [wanted[place], wanted[place] + wanted[size]];
    const half = room / 2 / camera.scale;
    if (high - low > 2 * half) return (low + high) / 2;
    return Math.max(high - half, Math.min(low + half, camera[place]));
  };
  return { x: along("x", "width", width), y: along("y", "height", height), scale: camera.scale };
}

/** The part of a drawing that a camera shows. */
function inSight({ x, y, scale }) {
  const [width, height] = [stageSize().width / scale, stageSize().height / scale];
  return { x: x - width / 2, y: y - height / 2, width, height };
}

/** Where the boxes of the current step stand, or the first one, where a step is about the whole graph. */
function currentBoxes(drawing) {
  const ids = currentParts().size ? currentParts() : [story.values[0].id];
  return [...ids].map((id) => drawing.parts.get(id).getBBox());
}

/** The rectangle around some rectangles. */
function around(boxes) {
  const [x, y] = ["x", "y"].map((place) => Math.min(...boxes.map((box) => box[place])));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

function look(drawing, { x, y, scale }) {
  const box = inSight({ x, y, scale });
  seen = { drawing, x, y, scale };
  drawing.svg.setAttribute("viewBox", [box.x, box.y, box.width, box.height].join(" "));
}

/** Zoom by a factor; the place (in pixels from the stage's middle) stays where it is. */
function zoom(factor, place = { x: 0, y: 0 }) {
  const scale = Math.max(0.05, Math.min(8, seen.scale * factor));
  const pull = 1 / seen.scale - 1 / scale;
  update({ camera: { mode: "free", x: seen.x + place.x * pull, y: seen.y + place.y * pull, scale } });
}

function pan(dx, dy) {
  const { x, y, scale } = seen;
  update({ camera: { mode: "free", x: x - dx / scale, y: y - dy / scale, scale } });
}

const pointers = new Map();
let isDragging = false;

function whenReleased(event) {
  if (pointers.delete(event.pointerId) && !isDragging) goToBox(event);
  if (!pointers.size) isDragging = false;
}

/** A click on a box leads to the step of this half in which it got what it shows now. */
function goToBox(event) {
  const id = document.elementFromPoint(event.clientX, event.clientY)?.closest(".box")?.dataset.id;
  const op = story.ops.findIndex((each) => each.id === id);
  const value = story.values.findIndex((each) => each.id === id);
  const isTurn = (step) => step.op === op && ["compute", "rule"].includes(step.kind);
  const isNews = (step) => step.value === value && ["compute", "seed", "return", "hook"].includes(step.kind);
  const phase = phaseOf(state.step);
  const step = story.steps.findLastIndex((each) => each.phase === phase && (isTurn(each) || isNews(each)));
  if (step >= 0) goTo(step);
}

function whenDragged(event) {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const others = [...pointers.keys()].filter((id) => id !== event.pointerId).map((id) => pointers.get(id));
  if (others.length) zoom(distance(event, others[0]) / Math.max(1, distance(before, others[0])), fromMiddle(event));
  else if (!isDragging && distance(event, before) < 4) return; // a hand is never quite still
  else pan(event.clientX - before.clientX, event.clientY - before.clientY);
  isDragging = true;
  pointers.set(event.pointerId, event);
}

function distance(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}

function fromMiddle(event) {
  const box = at("stage").getBoundingClientRect();
  return { x: event.clientX - box.x - box.width / 2, y: event.clientY - box.y - box.height / 2 };
}

// ------------------------------------------------------------------ comparison of the two orders

const COMPARED = { c: 34, b: 118, a: 202 }; // where the nodes stand, from top to bottom

function renderComparison() {
  const dialog = at("comparison");
  if (state.comparing && !dialog.open) {
    dialog.showModal();
    at("comparison-next").focus();
  }
  if (!state.comparing && dialog.open) dialog.close();
  if (!state.comparing || !changed("comparison", state.visit, state.language)) return;
  at("comparison-code").textContent = story.compare.code;
  at("orders").replaceChildren(...["topological", "naive"].map(orderView));
  const slider = at("comparison-slider");
  slider.max = lastVisit();
  slider.value = state.visit;
  slider.setAttribute("aria-valuetext", text("compare.working", { step: state.visit, count: lastVisit() }));
  at("comparison-back").disabled = state.visit === 0;
  at("comparison-next").disabled = state.visit === lastVisit();
  at("comparison-paths").textContent = pathsText();
}

function lastVisit() {
  return Math.max(story.compare.topological.visits.length, story.compare.naive.visits.length);
}

function visitTo(visit) {
  update({ visit: Math.max(0, Math.min(lastVisit(), visit)) });
}

function orderView(order) {
  const { visits, grad } = story.compare[order];
  const done = visits.slice(0, state.visit);
  const list = done.map(({ node }, i) => make("b", { class: i === done.length - 1 ? "pill now" : "pill" }, node));
  return make(
    "section",
    { class: "order" },
    make("h3", {}, text(`compare.${order}`)),
    make("p", {}, text(`compare.${order}_what`)),
    comparedGraph(done, state.visit <= visits.length),
    make("p", { class: "list" }, `${text("compare.visits")}: `, ...(list.length ? list : [text("compare.none")])),
    outcome(done, visits, grad),
  );
}

function outcome(done, visits, grad) {
  const { right } = story.compare;
  if (done.length < visits.length) {
    return make("p", { class: "outcome" }, text("compare.working", { step: done.length, count: visits.length }));
  }
  const verdict = grad === right ? "right" : "wrong";
  const words = { count: visits.length, grad: short(grad), right: short(right) };
  const sign = make("b", { "aria-hidden": "true" }, verdict === "right" ? "✓ " : "✗ ");
  return make("p", { class: `outcome ${verdict}` }, sign, text(`compare.${verdict}`, words));
}

function comparedGraph(done, isGoing) {
  const grads = done.length ? done[done.length - 1].grads : {};
  const current = isGoing && done.length ? done[done.length - 1].node : null;
  const nodes = Object.keys(COMPARED);
  const counts = Object.fromEntries(nodes.map((node) => [node, done.filter((visit) => visit.node === node).length]));
  const described = nodes.map((node) => `${node} ${text("compare.count", { count: counts[node] })}`).join(", ");
  const label = text("compare.graph", { counts: described });
  const attributes = { viewBox: "0 0 272 236", role: "img", "aria-label": label };
  const arrows = [...comparedArrows(COMPARED.c, COMPARED.b), ...comparedArrows(COMPARED.b, COMPARED.a)];
  const boxes = nodes.map((node) => comparedNode(node, counts[node], grads[node] ?? null, node === current));
  return makeSvg("svg", attributes, ...arrows, ...boxes);
}

function comparedArrows(from, to) {
  return [-1, 1].flatMap((side) => {
    const x = 60 + 9 * side;
    const line = `M${x} ${from + 21}Q${x + 15 * side} ${(from + to) / 2} ${x} ${to - 28}`;
    const head = `M${x - side} ${to - 20}l${3 + 3 * side} -9h-9z`;
    return [makeSvg("path", { class: "gradient", d: line }), makeSvg("path", { class: "head", d: head })];
  });
}

function comparedNode(node, count, grad, isCurrent) {
  const y = COMPARED[node];
  const sum = grad === null ? text("stage.not_computed") : short(grad);
  return makeSvg(
    "g",
    { class: `node${isCurrent ? " now" : ""}${count ? "" : " unvisited"}` },
    makeSvg("circle", { cx: 60, cy: y, r: 20 }),
    makeSvg("text", { class: "name", x: 60, y: y + 6, "text-anchor": "middle" }, node),
    makeSvg("text", { x: 104, y: y - 3 }, `${node}.grad: ${sum}`),
    makeSvg("text", { class: "about", x: 104, y: y + 15 }, text("compare.count", { count })),
  );
}

/** What recursion would cost in the graph of this page, if it would visit anything twice. */
function pathsText() {
  const most = story.values.reduce((best, value) => (BigInt(value.paths) > BigInt(best.paths) ? value : best));
  return BigInt(most.paths) > 1n ? text("compare.paths", { value: most.label, paths: most.paths }) : "";
}

// ------------------------------------------------------------------ paper

/** On paper there are no steps to take, so all of them are listed. */
function renderPaper() {
  if (!changed("paper", state.printing, state.language)) return;
  at("all-steps").hidden = !state.printing;
  at("all-steps").replaceChildren(...(state.printing ? [make("h2", {}, text("print.steps")), stepsTable()] : []));
}

function stepsTable() {
  const heads = ["print.step", "print.phase", "print.what", "print.numbers"].map((key) => make("th", {}, text(key)));
  const rows = story.telling.map((told, step) => {
    const cells = [step, text(`phase.${phaseOf(step)}`), text(told.sentence, told.words), told.numbers];
    return make("tr", {}, ...cells.map((content) => make("td", {}, String(content))));
  });
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
}

// ------------------------------------------------------------------ keys, buttons, windows

const comparisonKeys = {
  ArrowLeft: () => visitTo(state.visit - 1),
  ArrowRight: () => visitTo(state.visit + 1),
};

const keys = {
  ArrowLeft: () => goTo(state.step - 1),
  ArrowRight: () => goTo(state.step + 1),
  Home: () => goTo(0),
  End: () => goTo(lastStep),
  " ": playOrPause,
  r: reveal,
  R: reveal,
};

function whenKeyPressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = (state.comparing ? comparisonKeys : keys)[event.key];
  if (!action || hasOwnUse(event.target, event.key)) return;
  event.preventDefault();
  action();
}

/** Whether the element needs the key itself: a list its arrows, a button its space. */
function hasOwnUse(element, key) {
  if (!(element instanceof Element)) return false;
  if (element.id === "slider") return key !== " " && key.toLowerCase() !== "r";
  if (element.closest("select, textarea, .scroll, input:not([type=checkbox])")) return true;
  return key === " " && element.closest("button, a, summary, input") !== null;
}

function reveal() {
  if (!isHidden()) return;
  update({ revealed: true });
  at("card").focus({ preventScroll: true });
}

function whenResized() {
  measureTimeline();
  render();
}

function listen() {
  const clicks = {
    first: keys.Home,
    back: keys.ArrowLeft,
    play: playOrPause,
    forward: keys.ArrowRight,
    last: keys.End,
    reveal,
    "zoom-in": () => zoom(1.3),
    "zoom-out": () => zoom(1 / 1.3),
    fit: () => update({ camera: { ...state.camera, mode: "whole" } }),
    follow: () => update({ camera: { ...state.camera, mode: "follow" } }),
    compare: () => update({ comparing: true, playing: false, visit: 0 }),
    "comparison-close": () => update({ comparing: false }),
    "comparison-back": comparisonKeys.ArrowLeft,
    "comparison-next": comparisonKeys.ArrowRight,
  };
  for (const [id, action] of Object.entries(clicks)) at(id).addEventListener("click", action);
  at("slider").addEventListener("input", (event) => goTo(Number(event.target.value)));
  at("comparison-slider").addEventListener("input", (event) => visitTo(Number(event.target.value)));
  at("comparison").addEventListener("close", () => update({ comparing: false }));
  at("predict").addEventListener("change", (event) => update({ predicting: event.target.checked, revealed: false }));
  at("speed").addEventListener("change", (event) => update({ speed: Number(event.target.value) }));
  at("language").addEventListener("change", (event) => update({ language: event.target.value }));
  document.addEventListener("keydown", whenKeyPressed);
  listenToStage();
  listenToWindow();
}

function listenToStage() {
  const stage = at("stage");
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event);
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", whenDragged);
  stage.addEventListener("pointerup", whenReleased);
  stage.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the plain wheel scrolls the page
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), fromMiddle(event));
  };
  stage.addEventListener("wheel", wheel, { passive: false });
}

function listenToWindow() {
  new ResizeObserver(whenResized).observe(at("stage"));
  addEventListener("hashchange", () => update(fromAddress()));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", () => update({ dark: dark.matches }));
  addEventListener("beforeprint", () => update({ printing: true }));
  addEventListener("afterprint", () => update({ printing: false }));
  matchMedia("print").addEventListener("change", (event) => update({ printing: event.matches }));
}

function listLanguages() {
  const options = Object.entries(languages).map(([code, texts]) =>
    make("option", { value: code, lang: code }, texts["language.name"]),
  );
  at("language").replaceChildren(...options);
}

const pageLanguage = state.language;
listLanguages();
layOutTimeline();
Object.assign(state, fromAddress(), { dark: matchMedia("(prefers-color-scheme: dark)").matches });
changed("address", state.step, state.language);
measureTimeline();
render();
listen();
