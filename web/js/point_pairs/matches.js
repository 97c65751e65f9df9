/**
 * Which place matches which, as the node's last run found it (the table of correspondence/table.py), and what pairs of
 * points make of it: `told` does what `force_pairs` in correspondence/points.py does, in the same order of operations.
 *
 * A point is {x, y} in pixels of its picture; a pair is {structure: point, appearance: point}. The radius of pairs is a
 * part of the structure's width.
 */

export const STRUCTURE = "structure";
export const APPEARANCE = "appearance";
const NO_MATCH = -1;
const SURE = 100;

export class Matches {
  constructor(table) {
    this.table = table;
    this.structure = grid(table.grid, table.structure_picture);
    this.appearance = grid(table.appearance_grid, table.appearance_picture);
  }

  /** How many pixels, of either picture, a radius is: a part of the structure's width. */
  reach(radius) {
    return radius * this.structure.width;
  }

  /** {width, height} of a picture in pixels. */
  size(side) {
    return this[side];
  }

  /**
   * What a point of the structure matches: {structure, appearance, confidence, pair, away}. The appearance's point is
   * null where nothing matches; `pair` is the index of the pair that the place goes along with, or null.
   */
  of(point, pairs, radius) {
    const { column, row, place } = placeOf(point, this.structure);
    const { match, confidence, pair } = this.told(place, pairs, radius);
    const there = match === NO_MATCH ? null : this.#inside(match, column, row);
    return { structure: point, appearance: there, confidence, pair, away: 0 };
  }

  /**
   * The place of the structure whose match lies nearest to a point of the appearance, the surest of several; `away` is
   * how far, in pixels. The structure's point is null where nothing matches anything.
   */
  nearest(point, pairs, radius) {
    const { place: target } = placeOf(point, this.appearance);
    let best = { structure: null, confidence: 0, pair: null, away: Infinity };
    for (let place = 0; place < this.structure.rows * this.structure.columns; place += 1) {
      const { match, confidence, pair } = this.told(place, pairs, radius);
      if (match === NO_MATCH) continue;
      const away = length(between(target, match, this.appearance));
      if (away < best.away || (away === best.away && confidence > best.confidence)) {
        best = { structure: centre(place, this.structure), confidence, pair, away };
      }
    }
    return { ...best, appearance: point };
  }

  /** {match, confidence, pair} of a place: as the nearest pair within `radius` tells, else as it was found. */
  told(place, pairs, radius) {
    const { match: matches, confidence: sure } = this.table;
    const found = { match: matches[place], confidence: sure[place], pair: null, away: this.reach(radius) };
    const { match, confidence, pair } = pairs.reduce((nearest, { structure, appearance }, index) => {
      const offset = between(placeOf(structure, this.structure).place, place, this.structure);
      const away = length(offset);
      if (away > nearest.away || (away === nearest.away && nearest.pair !== null)) return nearest;
      return { match: this.#moved(appearance, offset), confidence: SURE, pair: index, away };
    }, found);
    return { match, confidence, pair };
  }

  /** The place of the appearance that lies as far from a point as `offset` says of the structure, or at its border. */
  #moved(point, { columns, rows }) {
    const { cellWidth, cellHeight } = this.appearance;
    return placeAt(
      point.x / cellWidth + columns * (this.structure.cellWidth / cellWidth),
      point.y / cellHeight + rows * (this.structure.cellHeight / cellHeight),
      this.appearance,
    ).place;
  }

  /** The point of a place of the appearance that lies in it as (column, row) in its own place. */
  #inside(place, column, row) {
    const { columns, cellWidth, cellHeight } = this.appearance;
    return {
      x: ((place % columns) + (column % 1)) * cellWidth,
      y: (Math.floor(place / columns) + (row % 1)) * cellHeight,
    };
  }
}

function grid([rows, columns], [height, width]) {
  return { rows, columns, height, width, cellHeight: height / rows, cellWidth: width / columns };
}

/** Column and row of a point, with fractions, and its row-major place. */
function placeOf({ x, y }, of) {
  return placeAt(x / of.cellWidth, y / of.cellHeight, of);
}

function placeAt(column, row, { rows, columns }) {
  const whole = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
  return { column, row, place: whole(row, rows) * columns + whole(column, columns) };
}

/** From one place to another: in whole columns and rows, and in pixels. */
function between(from, to, { columns: width, cellWidth, cellHeight }) {
  const columns = (to % width) - (from % width);
  const rows = Math.floor(to / width) - Math.floor(from / width);
  return { columns, rows, x: columns * cellWidth, y: rows * cellHeight };
}

function length({ x, y }) {
  return Math.sqrt(x * x + y * y);
}

function centre(place, { columns, cellWidth, cellHeight }) {
  return { x: ((place % columns) + 0.5) * cellWidth, y: (Math.floor(place / columns) + 0.5) * cellHeight };
}
