/**
 * The points of an object and of its background, and what a user does to them. No drawing, no events.
 *
 * A seed is {x, y, label} in whole pixels of the image; those of the object come first, as in the node's two texts.
 */

import { wholePixel } from "../point_pairs/layout.js";

export const OBJECT = "object";
export const BACKGROUND = "background";
export const LABELS = [OBJECT, BACKGROUND];

export class Seeds {
  size = null; // {width, height} of the image
  all = [];
  selected = null;
  #past = [];
  #future = [];
  #before = this.all;

  /** The seeds as the node holds them. If they were changed elsewhere, there is nothing to undo here any more. */
  load(seeds) {
    if (JSON.stringify(seeds) === JSON.stringify(this.all)) return;
    this.#past = [];
    this.#future = [];
    this.#replace(seeds);
    this.#before = this.all;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** What changes from here up to `end` is undone at once. */
  begin() {
    this.#before = this.all;
  }

  end() {
    if (this.all === this.#before) return;
    this.#past.push(this.#before);
    this.#future = [];
    this.#before = this.all;
  }

  add(label, point) {
    const seed = { ...wholePixel(point, this.size), label };
    const seeds = [...this.all, seed];
    this.all = LABELS.flatMap((one) => seeds.filter((known) => known.label === one));
    this.selected = this.all.indexOf(seed);
  }

  move(index, point) {
    const moved = { ...this.all[index], ...wholePixel(point, this.size) };
    this.all = this.all.map((seed, other) => (other === index ? moved : seed));
    this.selected = index;
  }

  remove() {
    this.#replace(this.all.filter((_, index) => index !== this.selected));
  }

  clear() {
    this.#replace([]);
  }

  undo() {
    this.#step(this.#past, this.#future);
  }

  redo() {
    this.#step(this.#future, this.#past);
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.all);
    this.#replace(from.pop());
    this.#before = this.all; // neither is a change of its own
  }

  #replace(seeds) {
    this.all = seeds;
    this.selected = null;
  }
}
