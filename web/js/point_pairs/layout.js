/** Where two images stand side by side, and the way between pixels of an image and the box around both. */

import { APPEARANCE, STRUCTURE } from "./matches.js";

export const GAP = 6;

/** The height at which both images fill a width. */
export function heightAt(width, sizes) {
  return Math.max(width - GAP, 0) / (aspect(sizes[STRUCTURE]) + aspect(sizes[APPEARANCE]));
}

/** The frame {x, y, width, height} of each image: of one height, as large as the box allows, in its middle. */
export function frames(box, sizes) {
  const height = Math.max(Math.min(box.height, heightAt(box.width, sizes)), 0);
  const widths = { [STRUCTURE]: height * aspect(sizes[STRUCTURE]), [APPEARANCE]: height * aspect(sizes[APPEARANCE]) };
  const x = (box.width - widths[STRUCTURE] - GAP - widths[APPEARANCE]) / 2;
  const y = (box.height - height) / 2;
  return {
    [STRUCTURE]: { x, y, width: widths[STRUCTURE], height },
    [APPEARANCE]: { x: x + widths[STRUCTURE] + GAP, y, width: widths[APPEARANCE], height },
  };
}

/** The side whose image holds a position of the box, or null. */
export function sideAt(position, placed) {
  const holds = ({ x, y, width, height }) =>
    position.x >= x && position.x < x + width && position.y >= y && position.y < y + height;
  return [STRUCTURE, APPEARANCE].find((side) => holds(placed[side])) ?? null;
}

/** The point of an image at a position of the box. */
export function toImage(position, frame, size) {
  return {
    x: ((position.x - frame.x) * size.width) / frame.width,
    y: ((position.y - frame.y) * size.height) / frame.height,
  };
}

/** The position in the box of a point of an image. */
export function toBox(point, frame, size) {
  return {
    x: frame.x + (point.x * frame.width) / size.width,
    y: frame.y + (point.y * frame.height) / size.height,
  };
}

/** The nearest whole pixel inside of an image. */
export function wholePixel({ x, y }, { width, height }) {
  const inside = (value, length) => Math.min(Math.max(Math.round(value), 0), length - 1);
  return { x: inside(x, width), y: inside(y, height) };
}

function aspect({ width, height }) {
  return width / height;
}
