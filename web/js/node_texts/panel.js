/**
 * The widget that shows texts on a node. It is there as long as there are texts, and is kept neither in the workflow
 * nor in the prompt.
 *
 *   div [data-testid=node-texts] > p.warning, p.result, p.note
 */

import { app } from "../../../../scripts/app.js";

const WIDGET = "appearance_transfer_texts";
const HIGHEST = 200; // pixels; longer texts scroll
const SIGNS = { warning: "\u26A0\uFE0E\u00A0" };

const lists = new WeakMap(); // of widgets, as nodes that hold others had them
const heights = document.createElement("div"); // where texts are measured that are not to be seen just now
heights.className = "at-node-texts-measured";

/** Show texts {kind, text} on a node in place of those before. */
export function showOn(node, texts) {
  const known = node.widgets?.find(({ name }) => name === WIDGET);
  if (!texts.length) {
    if (known) remove(node, known);
    return;
  }
  const widget = known ?? added(node);
  widget.element.replaceChildren(...texts.map(paragraph));
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  app.canvas?.setDirty(true, true);
}

function added(node) {
  const element = document.createElement("div");
  element.className = "at-node-texts";
  element.dataset.testid = "node-texts";
  element.setAttribute("role", "status");
  element.addEventListener("wheel", (event) => {
    if (element.scrollHeight <= element.clientHeight) app.canvas.processMouseWheel(event); // zooms as around it
  });
  const height = () => Math.min(heightOf(element, node.size[0] - 2 * widget.margin), HIGHEST) + 2 * widget.margin;
  const widget = node.addDOMWidget(WIDGET, "APPEARANCE_TRANSFER_TEXTS", element, {
    serialize: false,
    hideOnZoom: false,
    margin: 6,
    getMinHeight: height,
    getMaxHeight: height,
  });
  widget.serialize = false; // neither in the prompt (the option) nor in the workflow
  if (!node.widgets?.includes(widget)) keepBehind(node, widget);
  return widget;
}

/** A node that holds others lists the widgets of its inputs alone; ours stands behind them. */
function keepBehind(node, widget) {
  const own = Object.getOwnPropertyDescriptor(node, "widgets");
  if (!own?.get) return;
  lists.set(node, own);
  Object.defineProperty(node, "widgets", { ...own, get: () => [...own.get.call(node), widget] });
}

function remove(node, widget) {
  const own = lists.get(node);
  if (!own) return node.removeWidget(widget);
  lists.delete(node);
  Object.defineProperty(node, "widgets", own);
  widget.onRemove?.();
}

function paragraph({ kind, text }) {
  const element = document.createElement("p");
  element.className = kind;
  element.textContent = `${SIGNS[kind] ?? ""}${text}`;
  return element;
}

/** Pixels that an element needs at a width. */
function heightOf(element, width) {
  document.body.append(heights);
  heights.style.width = `${width}px`;
  const copy = element.cloneNode(true);
  copy.removeAttribute("style");
  copy.removeAttribute("data-testid");
  heights.replaceChildren(copy);
  const height = copy.offsetHeight;
  heights.remove();
  return height;
}
