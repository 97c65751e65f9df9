/** The field as a grid over the appearance: the table of correspondence/warped_grid.py as SVG, faint where it is unsure. */

import { svg } from "../page/svg.js";

const STEPS = 5; // of opacity, a path each

/** Paths in pixels of the appearance: dark below light, to be seen on any image. */
export function gridLines({ rows, columns, points, confidence }) {
  const parts = Array.from({ length: STEPS }, () => []);
  const join = (one, other) => {
    const step = Math.ceil((Math.min(confidence[one], confidence[other]) / 100) * STEPS);
    if (step > 0 && points[one] && points[other]) parts[step - 1].push(`M${points[one]}L${points[other]}`);
  };
  for (let crossing = 0; crossing < rows * columns; crossing += 1) {
    if ((crossing + 1) % columns) join(crossing, crossing + 1);
    if (crossing + columns < rows * columns) join(crossing, crossing + columns);
  }
  return parts.flatMap((lines, step) => {
    const about = { d: lines.join(""), opacity: (step + 1) / STEPS };
    return lines.length ? [svg("path", { ...about, class: "below" }), svg("path", about)] : [];
  });
}
