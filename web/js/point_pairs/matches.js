/**
 * Which position matches which, as the node's last run found it (the table of correspondence/serialize.py), and what pairs of
 * points make of it: `told` does what `force_pairs` in correspondence/points.py does, in the same order of operations.
 *
 * A point is {x, y} in pixels of its image; a pair is {structure: point, appearance: point}. The radius of pairs is a
 * part of the structure's width.
 */

export const STRUCTURE = "structure";
export const APPEARANCE = "appearance";
const NO_MATCH = -1;
const SURE = 100;

export class Matches {
  constructor(table) {
    this.table = table;
    this.structure = grid(table.grid, table.structure_image);
    this.appearance = grid(table.appearance_grid, table.appearance_image);
  }

  /** How many pixels, of either image, a radius is: a part of the structure's width. */
  reach(radius) {
    return radius * this.structure.width;
  }

  /** {width, height} of an image in pixels. */
  size(side) {
    return this[side];
  }

  /**
   * What a point of the structure matches: {structure, appearance, confidence, pair, away}. The appearance's point is
   * null where nothing matches; `pair` is the index of the pair that the position goes along with, or null.
   */
  of(point, pairs, radius) {
    const { column, row, position } = positionOf(point, this.structure);
    const { match, confidence, pair } = this.told(position, pairs, radius);
    const there = match === NO_MATCH ? null : this.#inside(match, column, row);
    return { structure: point, appearance: there, confidence, pair, away: 0 };
  }

  /**
   * The position of the structure whose match lies nearest to a point of the appearance, the surest of several; `away` is
   * how far, in pixels. The structure's point is null where nothing matches anything.
   */
  nearest(point, pairs, radius) {
    const { position: target } = positionOf(point, this.appearance);
    let best = { structure: null, confidence: 0, pair: null, away: Infinity };
    for (let position = 0; position < this.structure.rows * this.structure.columns; position += 1) {
      const { match, confidence, pair } = this.told(position, pairs, radius);
      if (match === NO_MATCH) continue;
      const away = length(between(target, match, this.appearance));
      if (away < best.away || (away === best.away && confidence > best.confidence)) {
        best = { structure: center(position, this.structure), confidence, pair, away };
      }
    }
    return { ...best, appearance: point };
  }

  /** {match, confidence, pair} of a position: as the nearest pair within `radius` tells, else as it was found. */
  told(position, pairs, radius) {
    const { match: matches, confidence: sure } = this.table;
    const found = { match: matches[position], confidence: sure[position], pair: null, away: this.reach(radius) };
    const { match, confidence, pair } = pairs.reduce((nearest, { structure, appearance }, index) => {
      const offset = between(positionOf(structure, this.structure).position, position, this.structure);
      const away = length(offset);
      if (away > nearest.away || (away === nearest.away && nearest.pair !== null)) return nearest;
      return { match: this.#moved(appearance, offset), confidence: SURE, pair: index, away };
    }, found);
    return { match, confidence, pair };
  }

  /** The position of the appearance that lies as far from a point as `offset` says of the structure, or at its border. */
  #moved(point, { columns, rows }) {
    const { cellWidth, cellHeight } = this.appearance;
    return positionAt(
      point.x / cellWidth + columns * (this.structure.cellWidth / cellWidth),
      point.y / cellHeight + rows * (this.structure.cellHeight / cellHeight),
      this.appearance,
    ).position;
  }

  /** The point of a position of the appearance that lies in it as (column, row) in its own position. */
  #inside(position, column, row) {
    const { columns, cellWidth, cellHeight } = this.appearance;
    return {
      x: ((position % columns) + (column % 1)) * cellWidth,
      y: (Math.floor(position / columns) + (row % 1)) * cellHeight,
    };
  }
}

function grid([rows, columns], [height, width]) {
  return { rows, columns, height, width, cellHeight: height / rows, cellWidth: width / columns };
}

/** Column and row of a point, with fractions, and its row-major position. */
function positionOf({ x, y }, of) {
  return positionAt(x / of.cellWidth, y / of.cellHeight, of);
}

function positionAt(column, row, { rows, columns }) {
  const whole = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
  return { column, row, position: whole(row, rows) * columns + whole(column, columns) };
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

function center(position, { columns, cellWidth, cellHeight }) {
  return { x: ((position % columns) + 0.5) * cellWidth, y: (Math.floor(position / columns) + 0.5) * cellHeight };
}
