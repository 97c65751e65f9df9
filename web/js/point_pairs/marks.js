/** The points and lines over both images, as SVG; positions are in the pixels of the box around the images. */

import { svg } from "../page/svg.js";
import { PROBE } from "./editor.js";
import { toBox } from "./layout.js";
import { APPEARANCE, STRUCTURE } from "./matches.js";
import { say } from "./words.js";

const POINT = 6;
const FINGER = 11;
const GOLDEN_ANGLE = 137.508; // colors of neighboring numbers are far apart

/** The handle {pair, side} that an element belongs to, or null. */
export function handleOf(element) {
  const { pair, side } = element?.closest?.("[data-pair]")?.dataset ?? {};
  return side === undefined ? null : { pair: pair === PROBE ? PROBE : Number(pair), side };
}

/** The element of a handle, or null. */
export function elementOf({ pair, side }, within) {
  return within.querySelector(`[data-pair="${pair}"][data-side="${side}"]`);
}

/** A group for each pair, and one for the probe above all. */
export function marks(editor, placed) {
  const pairs = editor.pairs.map((pair, index) => mark(pair, index, editor, placed));
  return editor.probe ? [...pairs, mark(editor.probe, PROBE, editor, placed)] : pairs;
}

/** How far each pair takes its surroundings along: circles in the pixels of the image of one side. */
export function reaches(editor, side) {
  if (editor.radius <= 0) return [];
  const r = editor.matches.reach(editor.radius);
  return editor.pairs.map((pair, index) =>
    svg("circle", { class: "reach", cx: pair[side].x, cy: pair[side].y, r, style: color(index) }),
  );
}

function mark(pair, name, editor, placed) {
  const ends = [STRUCTURE, APPEARANCE]
    .filter((side) => pair[side] !== null)
    .map((side) => ({ side, at: toBox(pair[side], placed[side], editor.matches.size(side)) }));
  const state = name === PROBE ? "probe" : name === editor.selected ? "selected" : "kept";
  const group = svg("g", { class: `mark ${state}`, style: color(name) });
  if (ends.length === 2) {
    const [{ at: from }, { at: to }] = ends;
    group.append(svg("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y }));
  }
  group.append(...ends.map(({ side, at }) => handle(pair[side], name, side, at)));
  return group;
}

function handle(point, name, side, at) {
  const which = name === PROBE ? say("probe") : String(name + 1);
  const x = Math.round(point.x);
  const y = Math.round(point.y);
  const about = {
    class: "handle",
    "data-testid": "point-pairs-handle",
    "data-pair": name,
    "data-side": side,
    transform: `translate(${at.x} ${at.y})`,
    tabindex: 0,
    role: "button",
    "aria-label": say("handle", { which, side: say(side), x, y }),
  };
  const shown = [svg("circle", { class: "finger", r: FINGER }), svg("circle", { class: "point", r: POINT })];
  const number = name === PROBE ? [] : [svg("text", { x: POINT + 3, y: -POINT }, which)];
  return svg("g", about, ...shown, ...number);
}

function color(name) {
  return name === PROBE ? "" : `--hue: ${(name * GOLDEN_ANGLE) % 360}`;
}
