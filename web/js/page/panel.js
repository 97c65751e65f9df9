/** What our panels share: an SVG that a hand clicks, drags and steers by keys, above a bar of a sentence and buttons. */

export const BAR = 72; // pixels that the sentence and the buttons take
const STILL = 3; // pixels that a hand may tremble in a click
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 10; // pixels of the image per arrow key with Shift

/** A function that makes elements of a panel, which tests find by its name and theirs. */
export function labeler(panel) {
  return (tag, name) => {
    const element = document.createElement(tag);
    element.dataset.testid = name ? `${panel}-${name}` : panel;
    return element;
  };
}

/** Tell what happens on an SVG: `press`, `pull` and `key` take the event, `release` and `render` nothing. */
export function listen(element, { press, pull, release, key, render }) {
  element.addEventListener("pointerdown", press);
  element.addEventListener("pointermove", pull);
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("keydown", key);
  new ResizeObserver(render).observe(element);
}

/** Whether a hand that pressed at `from` has moved to `at`, or only trembled. */
export function hasMoved(from, at) {
  return Math.hypot(at.x - from.x, at.y - from.y) > STILL;
}

/** How far an arrow key moves a point, {x, y} in pixels of the image; null for another key. */
export function arrow({ key, shiftKey }) {
  if (!(key in STEPS)) return null;
  const [x, y] = STEPS[key].map((step) => step * (shiftKey ? FAR : 1));
  return { x, y };
}
