/** The outline and the seeds over the image, as SVG in the pixels of the image. */

import { svg } from "../page/svg.js";
import { OBJECT } from "./seeds.js";
import { say } from "./words.js";

const POINT = 7; // pixels of the page, as below
const FINGER = 12;
const SIGN = 3.5;

/** Lines [x1, y1, x2, y2]: dark below light, to be seen on any image. */
export function outlined(lines) {
  const d = lines.map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join("");
  return ["edge below", "edge"].map((name) => svg("path", { class: name, d }));
}

/** A handle for each seed. `scale` is how many pixels of the image one of the page is. */
export function handles(seeds, scale) {
  return seeds.all.map((seed, index) => {
    const { x, y, label } = seed;
    const about = {
      class: `seed ${label}${index === seeds.selected ? " selected" : ""}`,
      "data-testid": "object-seeds-seed",
      "data-seed": index,
      transform: `translate(${x + 0.5} ${y + 0.5}) scale(${scale})`,
      tabindex: 0,
      role: "button",
      "aria-label": say("seed", { label: say(label), x, y }),
      "aria-pressed": index === seeds.selected,
    };
    const sign = label === OBJECT ? `M${-SIGN} 0H${SIGN}M0 ${-SIGN}V${SIGN}` : `M${-SIGN} 0H${SIGN}`;
    const circles = [svg("circle", { class: "finger", r: FINGER }), svg("circle", { class: "point", r: POINT })];
    return svg("g", about, ...circles, svg("path", { class: "sign", d: sign }));
  });
}

/** The number of the seed that an element belongs to, or null. */
export function seedOf(element) {
  const { seed } = element?.closest?.("[data-seed]")?.dataset ?? {};
  return seed === undefined ? null : Number(seed);
}
