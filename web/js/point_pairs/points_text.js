/**
 * Points as text, as the node's inputs hold them; reads what `parse_points` in correspondence/points.py reads.
 *
 * A point is {x, y} in pixels of its image.
 */

/** The points that a text lists, in order. Throws RangeError where an entry is no point. */
export function parsePoints(text) {
  const trimmed = text.trim();
  return (/^[[{]/.test(trimmed) ? fromJson(trimmed) : fromLines(trimmed)).map(point);
}

/** A line "x, y" per point. */
export function pointsText(points) {
  return points.map(({ x, y }) => `${x}, ${y}`).join("\n");
}

function fromJson(text) {
  try {
    return [JSON.parse(text)].flatMap((parsed) => parsed);
  } catch (error) {
    throw new RangeError("no JSON", { cause: error });
  }
}

function fromLines(text) {
  return text
    .split(/[;\n]/)
    .filter((line) => line.trim())
    .map(numbers);
}

function numbers(line) {
  return line
    .replace(/^[\s(,]+|[\s),]+$/g, "")
    .split(/[,\s]+/)
    .map((number) => (number ? Number(number) : NaN));
}

function point(entry) {
  const [x, y, ...more] = Array.isArray(entry) ? entry : [entry?.x, entry?.y]; // null is no point either
  if (!Number.isFinite(x) || !Number.isFinite(y) || more.length) {
    throw new RangeError("no point");
  }
  return { x, y };
}
