/**
 * What a user does to the pairs: look up a match, drag an end, remove, clear, undo. No drawing, no events.
 *
 * A pair is {structure: point, appearance: point}, points are {x, y} in whole pixels. The probe is one match that is
 * looked at and not kept: what `Matches` says, and the side that was asked. A handle {pair, side} names one end of a
 * pair by its index, or of the probe by PROBE.
 */

import { wholePixel } from "./layout.js";
import { APPEARANCE, STRUCTURE } from "./matches.js";

export const PROBE = "probe";

export class Editor {
  matches = null;
  radius = 0;
  pairs = [];
  probe = null;
  selected = null;
  #past = [];
  #before = this.pairs;

  /** The pairs as the node holds them. If they were changed elsewhere, there is nothing to undo here any more. */
  load(pairs) {
    if (JSON.stringify(pairs) === JSON.stringify(this.pairs)) return;
    this.#past = [];
    this.#replace(pairs);
    this.#before = this.pairs;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** The point of a handle, or null where the probe found nothing. */
  point({ pair, side }) {
    return (pair === PROBE ? this.probe : this.pairs[pair])[side];
  }

  /** Look up the match of a point; the handle to drag on with. A probe without a match takes the point as its match. */
  look(side, point) {
    const inside = wholePixel(point, this.matches.size(side));
    if (this.probe && this.probe.asked !== side && this.probe[side] === null) {
      return this.#keepProbe(side, inside);
    }
    const ask = side === STRUCTURE ? "of" : "nearest";
    this.probe = { ...this.matches[ask](inside, this.pairs, this.radius), asked: side };
    this.selected = PROBE;
    return { pair: PROBE, side };
  }

  /** What changes from here up to `end` is undone at once. */
  begin() {
    this.#before = this.pairs;
  }

  end() {
    if (this.pairs !== this.#before) this.#past.push(this.#before);
    this.#before = this.pairs;
  }

  /** Move an end; the handle to drag on with. The asked end of the probe asks anew, its other end makes it a pair. */
  move(handle, point) {
    const { pair, side } = handle;
    if (pair === PROBE) {
      return side === this.probe.asked ? this.look(side, point) : this.#keepProbe(side, point);
    }
    const inside = wholePixel(point, this.matches.size(side));
    this.pairs = this.pairs.map((kept, index) => (index === pair ? { ...kept, [side]: inside } : kept));
    return handle;
  }

  select(pair) {
    this.selected = pair;
    if (pair !== PROBE) this.probe = null;
  }

  /** Remove the selected pair; a probe is only dismissed. */
  remove() {
    const pair = typeof this.selected === "number";
    this.#replace(pair ? this.pairs.filter((_, index) => index !== this.selected) : this.pairs);
  }

  clear() {
    this.#replace([]);
  }

  dismiss() {
    this.#replace(this.pairs);
  }

  undo() {
    if (this.canUndo) this.#replace(this.#past.pop());
    this.#before = this.pairs; // an undo is not undone
  }

  #replace(pairs) {
    this.pairs = pairs;
    this.probe = null;
    this.selected = null;
  }

  #keepProbe(side, point) {
    const ends = { ...this.probe, [side]: point };
    const whole = (end) => wholePixel(ends[end], this.matches.size(end));
    this.pairs = [...this.pairs, { [STRUCTURE]: whole(STRUCTURE), [APPEARANCE]: whole(APPEARANCE) }];
    this.probe = null;
    this.selected = this.pairs.length - 1;
    return { pair: this.selected, side };
  }
}
