/**
 * The object on the node: the image, the object's outline, the seeds, a sentence, buttons.
 *
 *   div [data-testid=object-seeds]
 *     svg [object-seeds-image]              clicks and keys; its units are the pixels of the image
 *       image, g.contour [object-seeds-outline], g > g [object-seeds-seed][data-seed=0..]
 *     div > span [object-seeds-status], button [object-seeds-label] [object-seeds-undo] [-redo] [-remove] [-clear]
 */

import { arrow, BAR, hasMoved, labeler, listen } from "../page/panel.js";
import { positionIn, svg } from "../page/svg.js";
import { handles, outlined, seedOf } from "./drawing.js";
import { BACKGROUND, LABELS, OBJECT, Seeds } from "./seeds.js";
import { say } from "./words.js";

const ACTIONS = ["undo", "redo", "remove", "clear"];

const labeled = labeler("object-seeds");

export class ObjectSeeds {
  #seeds = new Seeds();
  #known = this.#seeds.all; // to the node
  #label = OBJECT;
  #problem = null;
  #found = null;
  #drag = null;
  #image = svg("image", { preserveAspectRatio: "none" });
  #outline = svg("g", { class: "contour", "data-testid": "object-seeds-outline" });
  #handles = svg("g");
  #svg = svg("svg", { "data-testid": "object-seeds-image", class: "empty", tabindex: 0, role: "group" });
  #status = labeled("span", "status");
  #toggle = labeled("button", "label");
  #buttons = {};

  /** `changed(seeds)` is called after every change that a user makes here, `moving(seeds)` while they drag. */
  constructor(changed, moving) {
    this.changed = changed;
    this.moving = moving;
    this.element = labeled("div");
    this.element.classList.add("at-panel", "at-object-seeds");
    this.#status.setAttribute("role", "status");
    this.#svg.append(this.#image, this.#outline, this.#handles);
    this.#toggle.type = "button";
    this.#toggle.addEventListener("click", () => this.#exchangeLabels());
    const bar = document.createElement("div");
    bar.classList.add("bar");
    bar.append(this.#status, this.#toggle, ...ACTIONS.map((action) => this.#button(action)));
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

  /** The image of a run: its address and its size in pixels. */
  show(href, { width, height }) {
    this.#seeds.size = { width, height };
    for (const [name, value] of Object.entries({ href, width, height })) this.#image.setAttribute(name, value);
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.render();
  }

  /** What was found: {outline, covers, certainty}, or {error}, a sentence. */
  found(answer) {
    this.#found = answer;
    if (!answer.error) this.#outline.replaceChildren(...outlined(answer.outline));
    this.render();
  }

  /** The seeds as the node holds them, and a sentence for why they cannot be changed here. */
  load({ seeds, problem }) {
    this.#problem = problem;
    this.#seeds.load(seeds);
    this.#known = this.#seeds.all;
    this.render();
  }

  /** Pixels that the widget needs at a width: for the sentence, and for the image once there is one. */
  height(width) {
    const { size } = this.#seeds;
    return BAR + (size ? Math.min((width * size.height) / size.width, width) : 0);
  }

  render(focus = seedOf(document.activeElement)) {
    const { size } = this.#seeds;
    this.#status.textContent = this.#sentence();
    this.#toggle.textContent = say(this.#label === OBJECT ? "addsObject" : "addsBackground");
    this.#toggle.setAttribute("aria-pressed", this.#label === BACKGROUND);
    this.#toggle.disabled = !this.#editable;
    for (const [action, button] of Object.entries(this.#buttons)) {
      button.textContent = say(action);
      button.disabled = !this.#allowed(action);
    }
    this.#svg.setAttribute("aria-label", say("image"));
    this.#svg.classList.toggle("empty", !size);
    if (!size) return;
    this.#svg.style.minHeight = `${this.height(this.#svg.clientWidth) - BAR}px`;
    const held = this.#svg.contains(document.activeElement) ? focus : null;
    this.#handles.replaceChildren(...handles(this.#seeds, 1 / this.#frame().scale));
    if (held !== null) this.#handles.querySelector(`[data-seed="${held}"]`)?.focus({ preventScroll: true });
  }

  #button(action) {
    const button = labeled("button", action);
    button.type = "button";
    button.addEventListener("click", () => {
      this.#seeds.begin();
      this.#seeds[action]();
      this.#settle();
    });
    this.#buttons[action] = button;
    return button;
  }

  get #editable() {
    return this.#seeds.size !== null && this.#problem === null;
  }

  #allowed(action) {
    const { all, selected, canUndo, canRedo } = this.#seeds;
    if (this.#problem === "linked") return false;
    if (action === "clear") return all.length > 0 || this.#problem === "unreadable";
    return this.#editable && { undo: canUndo, redo: canRedo, remove: selected !== null }[action];
  }

  #sentence() {
    if (this.#problem !== null) return say(this.#problem);
    if (this.#seeds.size === null) return say("queue");
    if (this.#found?.error) return this.#found.error;
    const { outline = [], covers = 0, certainty = 0 } = this.#found ?? {};
    const found = outline.length ? say("found", { covers, certainty }) : this.#found ? say("nothing") : "";
    return `${found} ${say(this.#seeds.selected === null ? "start" : "selected")}`;
  }

  #exchangeLabels() {
    this.#label = LABELS.find((label) => label !== this.#label);
    this.render();
  }

  /** Where the image lies in the SVG, in its pixels on the page: as large as it goes, in the middle. */
  #frame() {
    const { width, height } = this.#seeds.size;
    const { clientWidth, clientHeight } = this.#svg;
    const scale = Math.min(clientWidth / width, clientHeight / height) || 1;
    return { scale, x: (clientWidth - width * scale) / 2, y: (clientHeight - height * scale) / 2 };
  }

  /** The point of the image under an event, with fractions; it may lie outside. */
  #pointAt(event) {
    const at = positionIn(this.#svg, event);
    const { scale, x, y } = this.#frame();
    return { x: (at.x - x) / scale - 0.5, y: (at.y - y) / scale - 0.5 };
  }

  #press(event) {
    if (event.button !== 0 || !this.#editable || this.#drag) return;
    const point = this.#pointAt(event);
    const { width, height } = this.#seeds.size;
    this.#seeds.begin();
    let index = seedOf(event.target);
    if (index === null) {
      if (point.x < -0.5 || point.y < -0.5 || point.x >= width - 0.5 || point.y >= height - 0.5) return;
      this.#seeds.add(event.shiftKey ? BACKGROUND : this.#label, point);
      index = this.#seeds.selected;
      this.moving(this.#seeds.all);
    }
    this.#seeds.selected = index;
    const seed = this.#seeds.all[index];
    const offset = { x: seed.x - point.x, y: seed.y - point.y };
    this.#drag = { index, offset, from: positionIn(this.#svg, event), moved: false };
    this.#svg.setPointerCapture(event.pointerId);
    this.render(index);
  }

  #pull(event) {
    const drag = this.#drag;
    if (!drag) return;
    const at = positionIn(this.#svg, event);
    drag.moved ||= hasMoved(drag.from, at);
    if (!drag.moved) return;
    const { x, y } = this.#pointAt(event);
    this.#seeds.move(drag.index, { x: x + drag.offset.x, y: y + drag.offset.y });
    this.moving(this.#seeds.all);
    this.render(drag.index);
  }

  #release() {
    if (!this.#drag) return;
    const { index } = this.#drag;
    this.#drag = null;
    this.#settle(index);
  }

  #key(event) {
    const index = seedOf(event.target);
    const action = this.#editable && this.#keyed(event, index);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // the page would move or delete the node
    this.#seeds.begin();
    if (index !== null) this.#seeds.selected = index;
    action();
    this.#settle(this.#seeds.selected);
  }

  /** What a key does at a seed, or at the image where there is none; null for a key that is not ours. */
  #keyed(event, index) {
    const { key, shiftKey } = event;
    const seeds = this.#seeds;
    if (index === null) {
      if (key !== "Enter" && key !== " ") return null;
      const middle = { x: seeds.size.width / 2, y: seeds.size.height / 2 };
      return () => seeds.add(shiftKey ? BACKGROUND : this.#label, middle);
    }
    if (key === "Delete" || key === "Backspace") return () => seeds.remove();
    const step = arrow(event);
    const seed = seeds.all[index];
    return step && (() => seeds.move(index, { x: seed.x + step.x, y: seed.y + step.y }));
  }

  /** The end of what a user did: it can be undone, is shown, and the node is told; the focus goes to a seed. */
  #settle(focus = null) {
    this.#seeds.end();
    const inside = this.#svg.contains(document.activeElement);
    this.render(focus);
    if (inside && !this.#svg.contains(document.activeElement)) this.#svg.focus({ preventScroll: true });
    if (this.#seeds.all === this.#known) return;
    this.#known = this.#seeds.all;
    this.changed(this.#known);
  }
}
