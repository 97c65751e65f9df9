/**
 * The point pairs on the node: both images, the field over the appearance, the points over both, a sentence, buttons.
 *
 *   div [data-testid=point-pairs]
 *     svg [point-pairs-images]              clicks and keys; its own pixels are those of the page
 *       svg [point-pairs-structure], svg [point-pairs-appearance]      an image each, in its own pixels
 *         g.field [point-pairs-field] > path      in the appearance
 *       g > g.mark > line, g [point-pairs-handle][data-pair=0.. or probe][data-side=structure or appearance]
 *     div > span [point-pairs-status], button [point-pairs-grid] [-undo] [-remove] [-clear]
 */

import { arrow, BAR, hasMoved, labeler, listen } from "../page/panel.js";
import { positionIn, svg } from "../page/svg.js";
import { Editor, PROBE } from "./editor.js";
import { gridLines } from "./field.js";
import { frames, heightAt, sideAt, toBox, toImage } from "./layout.js";
import { elementOf, handleOf, marks, reaches } from "./marks.js";
import { APPEARANCE, STRUCTURE } from "./matches.js";
import { say } from "./words.js";

const SIDES = [STRUCTURE, APPEARANCE];

const labeled = labeler("point-pairs");

export class PointPairs {
  #editor = new Editor();
  #drag = null;
  #images = {};
  #marks = svg("g");
  #svg = svg("svg", { "data-testid": "point-pairs-images", class: "images", tabindex: 0, role: "group" });
  #status = labeled("span", "status");
  #buttons = {};
  #problem = null;
  #known = this.#editor.pairs; // to the node
  #field = svg("g", { "data-testid": "point-pairs-field", class: "field" });
  #grid = labeled("button", "grid");
  #complaint = null;

  /** `changed(pairs)` is called after every change that a user makes here, `moving(pairs)` while they drag an end. */
  constructor(changed, moving = () => {}) {
    this.changed = changed;
    this.moving = moving;
    this.element = labeled("div");
    this.element.classList.add("at-panel", "at-point-pairs");
    this.#status.setAttribute("role", "status");
    for (const side of SIDES) {
      this.#images[side] = svg("svg", { "data-testid": `point-pairs-${side}`, preserveAspectRatio: "none" });
    }
    this.#svg.append(...Object.values(this.#images), this.#marks);
    const bar = document.createElement("div");
    bar.classList.add("bar");
    this.#grid.type = "button";
    this.#grid.setAttribute("aria-pressed", true);
    this.#grid.addEventListener("click", () => this.#showGrid(this.#field.style.display === "none"));
    bar.append(this.#status, this.#grid, ...["undo", "remove", "clear"].map((action) => this.#button(action)));
    this.element.append(this.#svg, bar);
    listen(this.#svg, {
      press: (event) => this.#press(event),
      pull: (event) => this.#pull(event),
      release: () => this.#release(),
      key: (event) => this.#key(event),
      render: () => this.render(),
    });
    this.render();
  }

  /** The matches of a run and the addresses {structure, appearance} of its images. */
  show(matches, addresses) {
    this.#editor.matches = matches;
    this.#editor.dismiss();
    if (this.#drag?.handle.pair === PROBE) this.#drag = null; // what was held is gone
    for (const side of SIDES) {
      const { width, height } = matches.size(side);
      this.#images[side].setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.#images[side].replaceChildren(
        svg("image", { href: addresses[side], width, height, preserveAspectRatio: "none" }),
        ...(side === APPEARANCE ? [this.#field] : []),
        svg("g"),
      );
    }
    this.#complaint = null;
    this.#field.replaceChildren();
    this.render();
  }

  /** What the field comes to with pairs: its matches, its grid over the appearance; or {error}, a sentence. */
  bend({ matches, grid, error }) {
    this.#complaint = error ?? null;
    if (matches) this.#editor.matches = matches;
    if (grid) this.#field.replaceChildren(...gridLines(grid));
    this.render();
  }

  /** The pairs that the node holds, how far they reach, and the name of the sentence for why they cannot be edited. */
  load({ pairs, radius, problem }) {
    this.#editor.radius = radius;
    this.#problem = problem;
    this.#editor.load(pairs);
    this.#known = this.#editor.pairs;
    this.render();
  }

  /** Pixels that the widget needs at a width: for the sentence, and for the images once there are some. */
  height(width) {
    return BAR + this.#room(width);
  }

  render(focus = handleOf(document.activeElement)) {
    const { matches } = this.#editor;
    this.#status.textContent = this.#complaint ?? say(...this.#sentence());
    this.#svg.setAttribute("aria-label", say("images"));
    this.#svg.classList.toggle("empty", !matches);
    this.#grid.textContent = say("grid");
    this.#grid.disabled = !this.#field.hasChildNodes();
    for (const [action, button] of Object.entries(this.#buttons)) {
      button.textContent = say(action);
      button.disabled = !this.#allowed(action);
    }
    if (!matches) return;
    this.#svg.style.minHeight = `${this.#room(this.#svg.clientWidth)}px`;
    const placed = this.#placed();
    for (const side of SIDES) {
      for (const [name, value] of Object.entries(placed[side])) this.#images[side].setAttribute(name, value);
      this.#images[side].lastChild.replaceChildren(...reaches(this.#editor, side));
    }
    const held = this.#svg.contains(document.activeElement) ? focus : null;
    this.#marks.replaceChildren(...marks(this.#editor, placed));
    if (held) elementOf(held, this.#marks)?.focus({ preventScroll: true });
  }

  #button(action) {
    const button = labeled("button", action);
    button.type = "button";
    button.addEventListener("click", () => {
      this.#editor.begin();
      this.#editor[action]();
      this.#settle(null);
    });
    this.#buttons[action] = button;
    return button;
  }

  #showGrid(shown) {
    this.#field.style.display = shown ? "" : "none";
    this.#grid.setAttribute("aria-pressed", shown);
  }

  get #editable() {
    return this.#editor.matches !== null && this.#problem === null;
  }

  #allowed(action) {
    const { pairs, selected, canUndo } = this.#editor;
    if (this.#problem === "linked") return false;
    if (action === "clear") return pairs.length > 0 || this.#problem === "unreadable";
    return this.#editable && (action === "undo" ? canUndo : selected !== null);
  }

  /** The name and the values of the sentence that says what is to be seen. */
  #sentence() {
    const { matches, probe, selected } = this.#editor;
    if (this.#problem !== null) return [this.#problem];
    if (matches === null) return ["queue"];
    if (selected === null) return ["start"];
    if (selected !== PROBE) return ["pair", { number: selected + 1 }];
    const { confidence, pair, away } = probe;
    if (SIDES.some((side) => probe[side] === null)) return ["nothing"];
    if (away > 0) return ["near", { away: Math.round(away), confidence }];
    return pair === null ? ["found", { confidence }] : ["follows", { number: pair + 1 }];
  }

  /** The height that the images want at a width. */
  #room(width) {
    const { matches } = this.#editor;
    return matches ? Math.min(heightAt(width, sizes(matches)), width) : 0;
  }

  #placed() {
    const box = { width: this.#svg.clientWidth, height: this.#svg.clientHeight };
    return frames(box, sizes(this.#editor.matches));
  }

  #press(event) {
    if (event.button !== 0 || !this.#editable || this.#drag) return;
    const at = positionIn(this.#svg, event);
    this.#editor.begin();
    const handle = handleOf(event.target) ?? this.#looked(at);
    if (handle === null) {
      this.#editor.dismiss();
    } else {
      this.#editor.select(handle.pair);
      this.#drag = { handle, from: at, offset: this.#offset(handle, at), moved: false };
      this.#svg.setPointerCapture(event.pointerId);
    }
    this.render(handle);
  }

  #looked(at) {
    const placed = this.#placed();
    const side = sideAt(at, placed);
    return side && this.#editor.look(side, toImage(at, placed[side], this.#editor.matches.size(side)));
  }

  /** From the hand to the point that it holds. */
  #offset({ pair, side }, at) {
    const { matches } = this.#editor;
    const point = toBox(this.#editor.point({ pair, side }), this.#placed()[side], matches.size(side));
    return { x: point.x - at.x, y: point.y - at.y };
  }

  #pull(event) {
    const drag = this.#drag;
    if (!drag) return;
    const at = positionIn(this.#svg, event);
    drag.moved ||= hasMoved(drag.from, at);
    if (!drag.moved) return;
    const held = { x: at.x + drag.offset.x, y: at.y + drag.offset.y };
    const { side } = drag.handle;
    const point = toImage(held, this.#placed()[side], this.#editor.matches.size(side));
    drag.handle = this.#editor.move(drag.handle, point);
    if (drag.handle.pair !== PROBE) this.moving(this.#editor.pairs);
    this.render(drag.handle);
  }

  #release() {
    if (!this.#drag) return;
    const { handle } = this.#drag;
    this.#drag = null;
    this.#settle(handle);
  }

  #key(event) {
    const handle = handleOf(event.target);
    const action = this.#editable && this.#keyed(event, handle);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // the page would move or delete the node
    this.#editor.begin();
    if (handle) this.#editor.select(handle.pair);
    this.#settle(action() ?? handle);
  }

  /** What a key does at a handle, or at the images where there is none; null for a key that is not ours. */
  #keyed(event, handle) {
    const { key } = event;
    const editor = this.#editor;
    if (key === "Delete" || key === "Backspace") return () => editor.remove();
    if (handle === null) {
      if (key !== "Enter" && key !== " ") return null;
      const { width, height } = editor.matches.size(STRUCTURE);
      return () => editor.look(STRUCTURE, { x: width / 2, y: height / 2 });
    }
    if (key === "Escape") return () => editor.dismiss();
    const step = arrow(event);
    const point = editor.point(handle);
    return step && (() => editor.move(handle, { x: point.x + step.x, y: point.y + step.y }));
  }

  /** The end of what a user did: it can be undone, is shown, and the node is told; the focus goes to a handle. */
  #settle(handle) {
    this.#editor.end();
    this.render(handle);
    if (this.#editor.pairs === this.#known) return;
    this.#known = this.#editor.pairs;
    this.changed(this.#known);
  }
}

function sizes(matches) {
  return { [STRUCTURE]: matches.size(STRUCTURE), [APPEARANCE]: matches.size(APPEARANCE) };
}
