/** SVG that modules of ours draw with, and where the mouse is in it. */

const SVG = "http://www.w3.org/2000/svg";

/** An element of SVG with attributes and children; texts become text nodes. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Where an event is in the pixels of an element, however the page has scaled it. */
export function positionIn(element, { clientX, clientY }) {
  const { left, top, width } = element.getBoundingClientRect();
  const scale = element.clientWidth / width;
  return { x: (clientX - left) * scale, y: (clientY - top) * scale };
}
